package main

import (
	"net/http"

	"ctrecon/cmd/ctrecon/internal/node"
	"ctrecon/cmd/ctrecon/internal/node/web"
)

// httpHandler answers the page, the API, DICOMweb, health and metrics.
func httpHandler(n *node.Node, s *settings) http.Handler {
	return web.New(web.Options{Backend: n, Dir: s.options.Dir, Token: s.token, Version: version, Log: s.log})
}
