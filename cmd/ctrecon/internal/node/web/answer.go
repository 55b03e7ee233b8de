package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"sync/atomic"

	"ctrecon/cmd/ctrecon/internal/node"
)

// counter gives numbers that are not given again.
type counter struct{ atomic.Uint64 }

// fail answers with an error in words.
func fail(w http.ResponseWriter, status int, what string) {
	answer(w, status, map[string]string{"error": what})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // a client that is gone is no error
}

// broken answers for an error of ours, which is logged.
func (s *site) broken(w http.ResponseWriter, what string, err error) {
	s.o.Log.Error("a request could not be answered", "what", what, "error", err.Error())
	fail(w, http.StatusInternalServerError, what+": the log of the node says why")
}

// refused answers for an error that the node gave to a request.
func refused(w http.ResponseWriter, err error) {
	status := http.StatusConflict
	if errors.Is(err, node.ErrUnknown) {
		status = http.StatusNotFound
	}
	fail(w, status, err.Error())
}

// act makes a handler of what is done with a job.
func (s *site) act(f func(id string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id := r.PathValue("id")
		if !node.IsJobID(id) {
			fail(w, http.StatusNotFound, "no such job")
			return
		}
		if err := f(id); err != nil {
			refused(w, err)
			return
		}
		s.view.forget()
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *site) retryDeliveries(job string) error {
	err := s.RetryDeliveries(job)
	s.view.changed(job)
	return err
}

func (s *site) start(w http.ResponseWriter, r *http.Request) {
	if err := s.StartSeries(r.PathValue("uid"), "started by hand"); err != nil {
		refused(w, err)
		return
	}
	s.view.forget()
	w.WriteHeader(http.StatusNoContent)
}

// rules answers with the rules that hold.
func (s *site) rules(w http.ResponseWriter, _ *http.Request) {
	file, text := s.RulesText()
	answer(w, http.StatusOK, map[string]string{"file": file, "text": text})
}
