package main

import (
	"fmt"
	"net/http"

	"ctrecon/cmd/ctrecon/internal/node"
)

// httpHandler answers health and metrics.
func httpHandler(n *node.Node, s *settings) http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	m.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		h := n.Reconcile()
		if !h.Ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		for _, p := range h.Problems {
			fmt.Fprintln(w, p)
		}
	})
	m.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		if err := n.WriteMetrics(w); err != nil {
			s.log.Error("metrics", "error", err.Error())
		}
	})
	return m
}
