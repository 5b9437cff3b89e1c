package api

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"runtime/debug"
)

//go:embed openapi.yaml
var contract []byte

// service is a Server at work: what its requests share.
type service struct {
	*Server

	closing context.Context // ends when streams must
	work    chan struct{}   // slots for decoding and recognition
	backups chan struct{}   // one slot: a backup takes room on the disk while it is sent
	streams chan struct{}   // slots for streams of events and pictures
	checks  chan struct{}   // the slot for a checkup
	guides  guides          // one for each camera
	guesses limiter         // wrong tokens
	uploads limiter         // requests that carry pictures
	memory  budget          // for compressed images
	csrf    http.CrossOriginProtection
	mux     http.ServeMux
}

// route is one line of the contract.
type route struct {
	pattern string
	open    bool // answers without a token
	handle  func(http.ResponseWriter, *http.Request) error
}

func (s *service) routes() []route {
	return []route{
		{"POST /register", false, s.register},
		{"POST /recognize", false, s.recognize},
		{"GET /api/v1/people", false, s.listPeople},
		{"GET /api/v1/people/{id}", false, s.getPerson},
		{"PATCH /api/v1/people/{id}", false, s.editPerson},
		{"DELETE /api/v1/people/{id}", false, s.deletePerson},
		{"GET /api/v1/check", false, s.check},
		{"GET /api/v1/backup", false, s.getBackup},
		{"POST /api/v1/restore", false, s.restoreBackup},
		{"GET /api/v1/events", false, s.listEvents},
		{"GET /api/v1/events/stream", false, s.streamEvents},
		{"POST /api/v1/events/search", false, s.searchEvents},
		{"GET /api/v1/events/{id}", false, s.getEvent},
		{"GET /api/v1/events/{id}/picture.jpg", false, s.eventPicture},
		{"POST /api/v1/events/{id}/enrol", false, s.enrolEvent},
		{"POST /api/v1/events/{id}/not", false, s.rejectEvent},
		{"GET /api/v1/unknown", false, s.listStrangers},
		{"GET /api/v1/unknown/{id}/picture.jpg", false, s.remembered(s.strangerPicture)},
		{"POST /api/v1/unknown/{id}/name", false, s.remembered(s.nameStranger)},
		{"POST /api/v1/unknown/{id}/ignore", false, s.remembered(s.ignoreStranger)},
		{"DELETE /api/v1/unknown/{id}", false, s.remembered(s.forgetStranger)},
		{"GET /api/v1/cameras", false, s.listCameras},
		{"PATCH /api/v1/cameras/{name}", false, s.switchCamera},
		{"GET /api/v1/cameras/{name}/snapshot.jpg", false, s.snapshot},
		{"GET /api/v1/cameras/{name}/stream.mjpg", false, s.streamPictures},
		{"POST /api/v1/cameras/{name}/enrol", false, s.enrolBefore},
		{"GET /api/v1/settings", false, s.listSettings},
		{"GET /healthz", true, s.healthz},
		{"GET /readyz", true, s.readyz},
		{"GET /metrics", false, s.metrics},
		{"GET /openapi.yaml", true, s.static("application/yaml", contract)},
		{"GET /web/{file}", true, s.pageFile},
		{"GET /{$}", true, s.page},
	}
}

func newService(s *Server, closing context.Context) *service {
	v := &service{
		Server:  s,
		closing: closing,
		work:    make(chan struct{}, maxWork),
		backups: make(chan struct{}, 1),
		streams: make(chan struct{}, maxStreams),
		checks:  make(chan struct{}, 1),
		guesses: limiter{Rate: cmp.Or(s.Limits.Guesses, Rate{PerSecond: 0.1, Burst: 10})},
		uploads: limiter{Rate: cmp.Or(s.Limits.Uploads, Rate{PerSecond: 50, Burst: 500})},
		memory:  budget{limit: maxHeldBytes},
	}
	for _, rt := range v.routes() {
		v.mux.HandleFunc(rt.pattern, func(w http.ResponseWriter, r *http.Request) {
			if !rt.open {
				if err := v.authorize(w, r); err != nil {
					v.fail(w, r, err)
					return
				}
			}
			if err := rt.handle(w, r); err != nil {
				v.fail(w, r, err)
			}
		})
	}
	return v
}

func (s *Server) handler(closing context.Context) http.Handler { return newService(s, closing) }

// ServeHTTP is what every request passes before its route.
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer s.recover(w, r)
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	if err := s.guard(r); err != nil {
		s.fail(w, r, err)
		return
	}
	if r.Body != http.NoBody && r.Body != nil {
		// In a copy: net/http looks at its request's body to know what of it
		// is left.
		r = r.WithContext(r.Context())
		r.Body = newSteadyBody(w, r.Body, cmp.Or(s.Limits.Body, bodyPatience))
	}
	if _, pattern := s.mux.Handler(r); pattern == "" {
		s.fail(w, r, s.unrouted(w, r))
		return
	}
	s.mux.ServeHTTP(w, r)
}

// recover keeps a bug in one request from being more than that request's.
func (s *service) recover(w http.ResponseWriter, r *http.Request) {
	switch v := recover(); v {
	case nil:
	case http.ErrAbortHandler:
		panic(v)
	default:
		s.Log.Error("request panicked", "route", r.Pattern, "panic", v, "stack", string(debug.Stack()))
		s.fail(w, r, problem(http.StatusInternalServerError, CodeInternal, "Something failed inside facerecd; its log says what (journalctl -u facerecd)."))
	}
}

// unrouted says what is wrong with a request that no route takes. ServeMux
// knows, but would say so in plain text.
func (s *service) unrouted(w http.ResponseWriter, r *http.Request) error {
	verdict := headerOnly{header: http.Header{}}
	s.mux.ServeHTTP(&verdict, r)
	if verdict.status == http.StatusMethodNotAllowed {
		allow := verdict.header.Get("Allow")
		w.Header().Set("Allow", allow)
		return problem(http.StatusMethodNotAllowed, CodeMethod, fmt.Sprintf("This address takes %s only; /openapi.yaml describes it.", allow))
	}
	return problem(http.StatusNotFound, CodeNotFound, "There is nothing at this address; /openapi.yaml lists what there is.")
}

type headerOnly struct {
	header http.Header
	status int
}

func (h *headerOnly) Header() http.Header         { return h.header }
func (h *headerOnly) WriteHeader(status int)      { h.status = status }
func (h *headerOnly) Write(p []byte) (int, error) { return len(p), nil }

func (s *service) static(mediaType string, body []byte) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Cache-Control", "no-cache")
		s.send(w, http.StatusOK, mediaType, body)
		return nil
	}
}

// orEmpty makes a list that is [] in JSON, not null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
