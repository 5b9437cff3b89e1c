package api

import (
	"net/http"

	"facerecd/daemon/metrics"
)

func (s *service) metrics(w http.ResponseWriter, _ *http.Request) error {
	var page metrics.Page
	s.Metrics(&page)
	s.send(w, http.StatusOK, metrics.ContentType, page.Bytes())
	return nil
}
