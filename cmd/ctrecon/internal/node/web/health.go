package web

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
)

func (s *site) healthRoutes(m *http.ServeMux) {
	m.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintln(w, "ok")
	})
	m.HandleFunc("GET /readyz", s.ready)
	m.HandleFunc("GET /metrics", s.metrics)
}

// ready says whether objects can be taken, and what is wrong. Who has no token learns
// only which part it is.
func (s *site) ready(w http.ResponseWriter, r *http.Request) {
	h := s.Reconcile()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if !h.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	for _, p := range h.Problems {
		if !s.guard.allowed(r) {
			p, _, _ = strings.Cut(p, ":")
		}
		fmt.Fprintln(w, p)
	}
	if len(h.Problems) == 0 {
		fmt.Fprintln(w, "ready")
	}
}

func (s *site) metrics(w http.ResponseWriter, _ *http.Request) {
	var b bytes.Buffer
	if err := s.WriteMetrics(&b); err != nil {
		s.broken(w, "metrics", err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Write(b.Bytes())
}
