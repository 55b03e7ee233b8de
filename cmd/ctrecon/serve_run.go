package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"ctrecon/cmd/ctrecon/internal/node"
	"ctrecon/dicomio/dimse"
)

// serve runs the node until ctx ends.
func (s *settings) serve(ctx context.Context) error {
	n, err := node.Open(s.options)
	if err != nil {
		return inputErr(err)
	}
	err = s.run(ctx, n)
	if e := n.Close(); err == nil {
		err = e
	}
	return outputErr(err)
}

// run opens the ports and does the node's work. The first part that ends ends all.
func (s *settings) run(ctx context.Context, n *node.Node) error {
	dl, err := net.Listen("tcp", s.dimse)
	if err != nil {
		return usagef("--dimse %s: %v", s.dimse, err)
	}
	parts := []func(context.Context) error{
		n.Run,
		func(ctx context.Context) error { return s.dimseServer(n).Serve(ctx, dl) },
		func(ctx context.Context) error { return s.reload(ctx, n) },
	}
	page := ""
	if s.http != "" && s.http != "none" {
		hl, err := net.Listen("tcp", s.http)
		if err != nil {
			dl.Close()
			return usagef("--http %s: %v", s.http, err)
		}
		page = hl.Addr().String()
		parts = append(parts, func(ctx context.Context) error { return s.serveHTTP(ctx, hl, n) })
	}
	s.log.Info("ready", "dimse", dl.Addr().String(), "aet", s.options.AETitle, "http", page, "data", s.options.Dir, "version", version, "notice", researchUse)
	if len(s.allow) == 0 && !loopback(s.dimse) {
		s.log.Warn("everybody who reaches the DICOM port may send; --allow says who may")
	}
	return together(ctx, parts)
}

// together runs parts until one of them ends with an error or ctx ends, and waits for all.
func together(ctx context.Context, parts []func(context.Context) error) error {
	inner, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt, syscall.SIGTERM) })() // a second signal ends at once
	var wg sync.WaitGroup
	errs := make([]error, len(parts))
	for i, f := range parts {
		wg.Go(func() {
			if errs[i] = f(inner); errs[i] != nil {
				stop()
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (s *settings) dimseServer(n *node.Node) *dimse.Server {
	return &dimse.Server{AETitle: s.options.AETitle, Allow: s.allow, TLS: s.dimseTLS, Limits: s.limits, Handler: n, Congested: n.Congested, Log: s.log}
}

// reload reads the rules again when the process gets SIGHUP.
func (s *settings) reload(ctx context.Context, n *node.Node) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hup:
			if err := n.Reload(); err != nil {
				s.log.Error("the rules were not read again; the former ones hold", "error", err.Error())
			} else {
				s.log.Info("rules read again")
			}
		}
	}
}

// serveHTTP answers the page and the API.
func (s *settings) serveHTTP(ctx context.Context, l net.Listener, n *node.Node) error {
	srv := &http.Server{Handler: httpHandler(n, s), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
	if s.tls != nil {
		cfg := s.tls.Clone()
		cfg.NextProtos = []string{"h2", "http/1.1"}
		l = tls.NewListener(l, cfg)
	}
	down := make(chan struct{})
	defer context.AfterFunc(ctx, func() {
		defer close(down)
		wait, stop := context.WithTimeout(context.WithoutCancel(ctx), s.options.Drain)
		defer stop()
		if srv.Shutdown(wait) != nil {
			srv.Close()
		}
	})()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("page: %w", err)
	}
	<-down
	return nil
}
