package api

import (
	"bytes"
	"errors"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"net/http"
)

// pictureError is why an image cannot be used before anybody looked for faces.
type pictureError struct {
	reason string
	status int // of the answer when it was the request's only image
	detail string
}

func (e *pictureError) Error() string { return e.detail }

func errImageTooLarge() error {
	return &pictureError{"too_large_bytes", http.StatusRequestEntityTooLarge, "The file is over 16 MiB; send a smaller copy."}
}

// decode makes a picture of data, upright, after checking its header against
// the bounds. Its error is a *pictureError.
func decode(data []byte) (image.Image, error) {
	if len(data) == 0 {
		return nil, &pictureError{"empty", http.StatusUnprocessableEntity, "The file is empty; send the photo again."}
	}
	cfg, _, err := image.DecodeConfig(bytes.NewReader(data))
	if errors.Is(err, image.ErrFormat) {
		return nil, &pictureError{"not_an_image", http.StatusUnsupportedMediaType, "This is neither a JPEG nor a PNG, whatever its name says; send a photo in one of these formats."}
	}
	if err == nil && cfg.Width*cfg.Height > MaxPixels {
		return nil, &pictureError{"too_many_pixels", http.StatusRequestEntityTooLarge, "The picture has over 50 megapixels; send a smaller copy."}
	}
	img, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, &pictureError{"corrupt", http.StatusUnprocessableEntity, "The image is damaged or cut short; send the original file again."}
	}
	return img, nil
}

// Rejection is what the answer says about an upload whose Err is set.
func (u Upload) Rejection() Rejection {
	r := Rejection{Image: u.Name, Reason: "corrupt", Detail: u.Err.Error()}
	if e, ok := errors.AsType[*pictureError](u.Err); ok {
		r.Reason = e.reason
	}
	return r
}

func pictureProblem(err error) error {
	if e, ok := errors.AsType[*pictureError](err); ok {
		return problem(e.status, e.reason, e.detail)
	}
	return err
}
