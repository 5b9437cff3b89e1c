package api

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"time"

	"facerecd/daemon/api/web"
)

func (s *service) page(w http.ResponseWriter, r *http.Request) error {
	return s.file(w, r, "index.html")
}

func (s *service) pageFile(w http.ResponseWriter, r *http.Request) error {
	return s.file(w, r, r.PathValue("file"))
}

// file answers with a file of the page. A browser keeps it, and asks each time
// whether it is still the same: after an update, none is left of the one before.
func (s *service) file(w http.ResponseWriter, r *http.Request, name string) error {
	data, mediaType, err := web.Read(name)
	if err != nil {
		return problem(http.StatusNotFound, CodeNotFound, "The page has no such file; open it at /.")
	}
	h := w.Header()
	h.Set("Content-Security-Policy", web.Policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", fmt.Sprintf(`"%.16x"`, sha256.Sum256(data)))
	h.Set("Content-Type", mediaType)
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writePatience))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	return nil
}
