package dimse

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
)

// Allowed is a rule of who may open an association. An empty title or a zero
// prefix fits everybody.
type Allowed struct {
	AETitle string
	Prefix  netip.Prefix
}

// Server answers associations. Its fields are set before Serve.
type Server struct {
	AETitle   string      // called title that is answered; empty: any
	Allow     []Allowed   // one rule must fit; empty: everybody
	TLS       *tls.Config // nil: plain
	Limits    Limits
	Handler   Handler
	Congested func() bool  // new associations are rejected as temporary congestion while it says true
	Log       *slog.Logger // nil: none
}

// Serve answers associations on l until ctx ends; then it takes no new ones,
// waits up to Limits.Drain for those in progress and aborts the rest. It closes l.
// The context of the handler ends when Drain is over.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	return errors.New("not written yet")
}
