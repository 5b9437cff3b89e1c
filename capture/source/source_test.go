package source_test

import (
	"context"
	"errors"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"facerecd/capture"
	"facerecd/capture/source"
)

func TestOpenChoosesByWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	photo := filepath.Join(dir, "a.png")
	file, err := os.Create(photo)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(png.Encode(file, image.NewGray(image.Rect(0, 0, 8, 4))), file.Close()); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "camera")
	if err := os.Symlink("/dev/null", link); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		source string
		err    string // the beginning; DIR stands for the folder
		is     error
	}{
		{source: photo},
		{source: dir},
		{source: "/dev/video99", err: "open /dev/video99: camera not found: ", is: capture.ErrNotFound},
		{source: "/dev/v4l/by-id/usb-gone", err: "open /dev/v4l/by-id/usb-gone: camera not found: ", is: capture.ErrNotFound},
		{source: link, err: "open DIR/camera: it is no camera: "},
		{source: filepath.Join(dir, "gone"), err: "camera not found: stat DIR/gone: ", is: capture.ErrNotFound},
	}
	for _, test := range tests {
		src, err := source.Open(source.Spec{Source: test.source, Width: 16, Height: 16})(t.Context())
		if test.err != "" {
			if err == nil || !strings.HasPrefix(strings.ReplaceAll(err.Error(), dir, "DIR"), test.err) || test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("Open(%s) = %v, want %s", test.source, err, test.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("Open(%s): %v", test.source, err)
			continue
		}
		var f capture.Frame
		if err := src.Read(t.Context(), &f); err != nil || f.Width != 16 || f.Height != 16 {
			t.Errorf("Read(%s) = %dx%d, %v", test.source, f.Width, f.Height, err)
		}
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenOfADoneContextOpensNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := source.Open(source.Spec{Source: t.TempDir()})(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Open = %v, want %v", err, context.Canceled)
	}
}
