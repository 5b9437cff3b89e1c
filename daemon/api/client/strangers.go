package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"facerecd/daemon/api"
)

// Strangers returns everybody who was seen and is not enrolled, who was seen last
// first; those who are ignored only when they are asked for.
func (c *Client) Strangers(ctx context.Context, ignored bool) ([]api.Stranger, error) {
	query := url.Values{"limit": {"1000"}}
	if ignored {
		query.Set("ignored", "true")
	}
	all := []api.Stranger{}
	for {
		var page api.StrangersPage
		if err := c.call(ctx, http.MethodGet, "/api/v1/unknown?"+query.Encode(), nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Unknown...)
		if page.Next == nil {
			return all, nil
		}
		query.Set("before", *page.Next)
	}
}

// StrangerPicture returns a JPEG of the stranger's best face.
func (c *Client) StrangerPicture(ctx context.Context, id string) ([]byte, error) {
	req, err := c.request(ctx, http.MethodGet, strangerPath(id, "/picture.jpg"), nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	picture, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read picture of %s: %w", c.BaseURL, err)
	}
	return picture, nil
}

// NameStranger enrols the stranger.
func (c *Client) NameStranger(ctx context.Context, id, name string) (api.Naming, error) {
	var n api.Naming
	return n, c.call(ctx, http.MethodPost, strangerPath(id, "/name"), map[string]string{"name": name}, &n)
}

// IgnoreStranger has the daemon not tell of the stranger any more.
func (c *Client) IgnoreStranger(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodPost, strangerPath(id, "/ignore"), nil, nil)
}

// ForgetStranger deletes the stranger.
func (c *Client) ForgetStranger(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, strangerPath(id, ""), nil, nil)
}

func strangerPath(id, what string) string { return "/api/v1/unknown/" + url.PathEscape(id) + what }
