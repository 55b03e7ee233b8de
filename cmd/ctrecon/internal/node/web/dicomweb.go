package web

import "net/http"

func (s *site) dicomRoutes(m *http.ServeMux) {}

type resultIndex struct{}
