package api

import "net/http"

func (s *service) healthz(w http.ResponseWriter, r *http.Request) error {
	h := s.Health()
	if s.authorize(w, r) != nil {
		// A prober needs no token, but learns no more than that.
		w.Header().Del("WWW-Authenticate")
		w.Header().Del("Retry-After")
		return s.answer(w, http.StatusOK, struct {
			Status string `json:"status"`
		}{h.Status})
	}
	h.Version = s.Version
	h.Cameras, h.Checks = orEmpty(h.Cameras), orEmpty(h.Checks)
	return s.answer(w, http.StatusOK, h)
}

func (s *service) readyz(w http.ResponseWriter, r *http.Request) error {
	if s.Health().Status != StatusOK {
		return problem(http.StatusServiceUnavailable, CodeNotReady, "Something that is configured does not work yet; GET /healthz says what, and what to do.")
	}
	return s.answer(w, http.StatusOK, struct {
		Status string `json:"status"`
	}{StatusOK})
}
