package dimse

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Allowed is a rule of who may open an association. An empty title or a zero
// prefix fits everybody.
type Allowed struct {
	AETitle string
	Prefix  netip.Prefix
}

func (a Allowed) fits(calling string, addr netip.Addr) bool {
	return (a.AETitle == "" || a.AETitle == calling) && (!a.Prefix.IsValid() || a.Prefix.Contains(addr.Unmap()))
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

// service is a run of a Server.
type service struct {
	Server
	limits Limits
	ctx    context.Context // of the handler
	log    *slog.Logger
	wait   sync.WaitGroup

	mu       sync.Mutex
	open     map[*timed]bool
	accepted int // associations
	draining bool
}

// strangers are the connections without an association that are held beside the
// associations.
const strangers = 64

// Serve answers associations on l until ctx ends; then it takes no new ones,
// waits up to Limits.Drain for those in progress and aborts the rest. It closes l.
// The context of the handler ends when Drain is over.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	defer l.Close()
	if s.Handler == nil {
		return errors.New("dimse: a Server needs a Handler")
	}
	if s.AETitle != "" {
		if err := CheckAETitle(s.AETitle); err != nil {
			return err
		}
	}
	hard, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	v := &service{Server: *s, limits: s.Limits.withDefaults(), ctx: hard, log: logger(s.Log), open: map[*timed]bool{}}
	defer context.AfterFunc(ctx, func() { l.Close() })()
	err := v.accept(ctx, l)
	v.drain(stop)
	return err
}

func logger(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}

// accept takes connections until ctx ends. Errors of the system (no file
// descriptors left) pass.
func (v *service) accept(ctx context.Context, l net.Listener) error {
	for pause := time.Duration(0); ; {
		c, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			v.take(c)
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("listener on %s: %w", l.Addr(), err)
		default:
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			v.log.Warn("cannot accept a connection", "error", err, "pause", pause)
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
		}
	}
}

// take starts a connection, or closes it where too many are open.
func (v *service) take(c net.Conn) {
	t := newTimed(c, v.limits)
	v.mu.Lock()
	full := len(v.open) >= v.limits.Associations+strangers
	if !full {
		v.open[t] = true
	}
	v.mu.Unlock()
	if full {
		v.log.Warn("connection closed: too many are open", "address", c.RemoteAddr().String())
		c.Close()
		return
	}
	v.wait.Go(func() {
		defer v.forget(t)
		p := &provider{service: v, link: link{timed: t, conn: t, limits: v.limits}}
		p.serve()
	})
}

func (v *service) forget(t *timed) {
	t.Close()
	v.mu.Lock()
	delete(v.open, t)
	v.mu.Unlock()
}

// admit counts an association in, unless there are as many as there may be.
func (v *service) admit() *Rejected {
	congested := v.Congested != nil && v.Congested()
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case congested || v.draining:
		return &Rejected{Result: 2, Source: 3, Reason: 1}
	case v.accepted >= v.limits.Associations:
		return &Rejected{Result: 2, Source: 3, Reason: 2}
	}
	v.accepted++
	return nil
}

func (v *service) leave() {
	v.mu.Lock()
	v.accepted--
	v.mu.Unlock()
}

// drain waits for the associations in progress; after Limits.Drain it breaks them
// off.
func (v *service) drain(stop func()) {
	v.each((*timed).drain)
	done := make(chan struct{})
	go func() { v.wait.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(v.limits.Drain):
		stop()
		v.each((*timed).interrupt)
		<-done
	}
}

func (v *service) each(f func(*timed)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.draining = true
	for t := range v.open {
		f(t)
	}
}
