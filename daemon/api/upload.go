package api

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

const (
	maxParts     = 2 * MaxImages // of a form, whatever they are
	maxFieldSize = 4 << 10       // of a text field
)

// form is a request's fields and images, as they came.
type form struct {
	name   string
	named  bool // name was among the fields
	force  bool
	images []encoded
}

// encoded is a compressed image in memory, or the reason why it is not there.
type encoded struct {
	name string
	data []byte
	err  error
}

// imageFields are the field names under which programs send images; the first
// is the contract's, the others are what the service before this one, and
// other people's, took.
func isImageField(name string) bool {
	return slices.Contains([]string{"images", "images[]", "image", "file", "files"}, name)
}

// readForm reads a multipart body as a stream into held memory; the share's
// owner releases it. Name and images come in any order, which is why the
// images wait here, compressed. One that cannot be taken does not spoil the
// others: it carries its reason.
func readForm(w http.ResponseWriter, r *http.Request, held *share) (form, error) {
	if r.ContentLength > MaxBodyBytes {
		return form{}, tooLargeBody() // before the caller sends it, if it asks (Expect: 100-continue)
	}
	r.Body = http.MaxBytesReader(w, r.Body, MaxBodyBytes)
	mr, err := r.MultipartReader()
	if err != nil {
		return form{}, problem(http.StatusUnsupportedMediaType, CodeMediaType,
			"Send multipart/form-data with a field name and one or more files as images, as curl -F does.")
	}
	var f form
	for range maxParts {
		part, err := mr.NextRawPart()
		if errors.Is(err, io.EOF) {
			// To the end of the body, too, so that net/http notices when the
			// caller leaves.
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return form{}, bodyProblem(w, err)
			}
			return f, nil
		}
		if err != nil {
			return form{}, bodyProblem(w, err)
		}
		if err := f.add(part, held); err != nil {
			return form{}, bodyProblem(w, err)
		}
	}
	return form{}, tooManyImages()
}

func (f *form) add(part *multipart.Part, held *share) error {
	field := part.FormName()
	switch {
	case isImageField(field):
		if len(f.images) == MaxImages {
			return tooManyImages()
		}
		img := encoded{name: f.label(part)}
		img.data, img.err = held.readAll(part, MaxImageBytes)
		if errors.Is(img.err, errTooLong) {
			img.err = errImageTooLarge()
		} else if img.err != nil {
			return img.err
		}
		f.images = append(f.images, img)
	case part.FileName() != "":
		f.images = append(f.images, encoded{name: f.label(part), err: errUnknownField(field)})
	case field == "name":
		value, err := held.readAll(part, maxFieldSize)
		if errors.Is(err, errTooLong) {
			return nameTooLong()
		}
		if err != nil {
			return err
		}
		if f.named && f.name != string(value) {
			return problem(http.StatusBadRequest, CodeNameInvalid, "The form has two different names; send one request per person.")
		}
		f.name, f.named = string(value), true
	case field == "force":
		value, err := held.readAll(part, maxFieldSize)
		if err == nil || errors.Is(err, errTooLong) {
			f.force, err = parseForce(string(value))
		}
		return err
	}
	return nil // NextRawPart skips what is left of the part
}

func parseForce(text string) (bool, error) {
	force, err := strconv.ParseBool(strings.TrimSpace(text))
	if err != nil {
		return false, badParameter("force must be true or false.")
	}
	return force, nil
}

// label is what the answer calls the image.
func (f *form) label(part *multipart.Part) string {
	if name := part.FileName(); name != "" {
		return clip(name)
	}
	return fmt.Sprintf("image %d", len(f.images)+1)
}

// clip makes a caller's text fit to be repeated in an answer.
func clip(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if runes := []rune(text); len(runes) > 200 {
		return string(runes[:200]) + "…"
	}
	return text
}

// readPicture reads the one image of a request: a form's, or the body itself.
// What the body claims to be is not asked, but what it is: curl --data-binary
// calls everything a form.
func readPicture(w http.ResponseWriter, r *http.Request, held *share) (encoded, error) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); strings.HasPrefix(kind, "multipart/") {
		f, err := readForm(w, r, held)
		switch {
		case err != nil:
			return encoded{}, err
		case len(f.images) == 0:
			return encoded{}, noImages("Send one JPEG or PNG file in the form field image, or as the body itself.")
		case len(f.images) > 1:
			return encoded{}, problem(http.StatusBadRequest, CodeTooManyImages, "Recognition takes one image a request; send the others one by one.")
		}
		return f.images[0], nil
	}
	if r.ContentLength > MaxImageBytes {
		return encoded{err: errImageTooLarge()}, nil
	}
	data, err := held.readAll(http.MaxBytesReader(w, r.Body, MaxBodyBytes), MaxImageBytes)
	if errors.Is(err, errTooLong) {
		return encoded{err: errImageTooLarge()}, nil
	}
	if err != nil {
		return encoded{}, bodyProblem(w, err)
	}
	if len(data) == 0 {
		return encoded{}, noImages("Send one JPEG or PNG file in the form field image, or as the body itself.")
	}
	return encoded{name: "body", data: data}, nil
}

// decoded yields the images as pictures, one at a time, and forgets each
// compressed one as it goes.
func decoded(images []encoded) iter.Seq[Upload] {
	return func(yield func(Upload) bool) {
		for i := range images {
			e := images[i]
			images[i].data = nil
			u := Upload{Name: e.name, Err: e.err}
			if u.Err == nil {
				u.Image, u.Err = decode(e.data)
			}
			e.data = nil
			if !yield(u) {
				return
			}
		}
	}
}

func noImages(detail string) error { return problem(http.StatusBadRequest, CodeNoImages, detail) }

func tooManyImages() error {
	return problem(http.StatusRequestEntityTooLarge, CodeTooManyImages,
		fmt.Sprintf("At most %d images fit in one request; send the others in another one for the same name.", MaxImages))
}
