package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"facerecd/daemon/api"
)

// guideSilence is after how long a daemon that guides is taken for dead: it
// says something every two seconds, and waits five for the first picture.
const guideSilence = 15 * time.Second

// Guide enrols who stands before the camera with that name or slug, and calls
// tell with each thing that they are to do. That takes up to a minute; when ctx
// ends before, nobody is enrolled.
func (c *Client) Guide(ctx context.Context, camera string, want api.GuideRequest, tell func(api.Guidance)) (e api.Enrollment, err error) {
	body, err := json.Marshal(want)
	if err != nil {
		return e, fmt.Errorf("encode request: %w", err)
	}
	ask := func(ctx context.Context) (*http.Request, error) {
		req, err := c.request(ctx, http.MethodPost, "/api/v1/cameras/"+url.PathEscape(camera)+"/enrol", bytes.NewReader(body))
		if err == nil {
			req.Header.Set("Content-Type", "application/json")
		}
		return req, err
	}
	var refused error
	err = c.stream(ctx, guideSilence, ask, func() {}, func(kind string, data []byte) (more bool, err error) {
		switch kind {
		case "result":
			return false, json.Unmarshal(data, &e)
		case "problem":
			p := new(api.Problem)
			refused = p
			return false, json.Unmarshal(data, p)
		case "guidance":
			var said api.Guidance
			if err := json.Unmarshal(data, &said); err != nil {
				return false, err
			}
			tell(said)
		}
		return true, nil
	})
	switch {
	case err == nil:
		return e, refused
	case errors.Is(err, errStreamEnd):
		err = fmt.Errorf("%s ended the enrolment before it was over, and nobody may have been enrolled: look with facerecd people, and try again", c.BaseURL)
	}
	return e, err
}
