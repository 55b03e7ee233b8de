package dimse

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"time"

	"ctrecon/dicomio/uid"
)

// Client opens associations with a peer.
type Client struct {
	AETitle string // our own, the calling title
	Peer    Peer
	TLS     *tls.Config // nil: plain
	Limits  Limits
	Log     *slog.Logger // nil: none
}

// Association is an open association on which objects are sent. It is used by
// one goroutine at a time.
type Association struct {
	link
	peer *associate
	lost error // why it can be used no more
}

// dial opens an association with the presentation contexts proposed; at least one
// must be accepted, or the error is *NotAccepted.
func (c *Client) dial(ctx context.Context, proposed []presentation, roles []role) (*Association, error) {
	if err := CheckAETitle(c.AETitle); err != nil {
		return nil, err
	}
	limits := c.Limits.withDefaults()
	d := net.Dialer{Timeout: limits.ARTIM}
	conn, err := d.DialContext(ctx, "tcp", c.Peer.Addr())
	if err != nil {
		return nil, c.named(err)
	}
	t := newTimed(conn, limits)
	a := &Association{link: link{timed: t, conn: t, limits: limits, log: logger(c.Log)}}
	watch := context.AfterFunc(ctx, t.interrupt)
	err = a.request(ctx, c, proposed, roles)
	if !watch() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		a.end(err)
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, c.named(readable(err, "when the association was asked for"))
	}
	return a, nil
}

// request asks for the association and reads the answer.
func (a *Association) request(ctx context.Context, c *Client, proposed []presentation, roles []role) error {
	if c.TLS != nil {
		if err := a.secure(ctx, c); err != nil {
			return err
		}
	}
	rq := associate{
		kind: pduAssociateRQ, version: protocolVersionOne, called: c.Peer.AETitle, calling: c.AETitle, application: applicationContext,
		contexts: proposed, maxPDU: uint32(a.limits.PDU), class: uid.Implementation, versionName: uid.ImplementationVersion, roles: roles,
	}
	if _, err := a.conn.Write(rq.encode()); err != nil {
		return err
	}
	ac, err := a.readAssociate(pduAssociateAC)
	if err != nil {
		return err
	}
	a.peer = ac
	a.contexts = accepted(proposed, ac)
	if len(a.contexts) == 0 {
		return &NotAccepted{proposed[0].abstract, proposed[0].transfer[0]}
	}
	a.talk(ac.maxPDU, a.limits.PDU)
	return nil
}

// accepted are the contexts of ours that the peer took in a syntax that we proposed.
func accepted(proposed []presentation, ac *associate) map[byte]presentation {
	out := map[byte]presentation{}
	for _, c := range ac.contexts {
		i := slices.IndexFunc(proposed, func(p presentation) bool { return p.id == c.id })
		if i < 0 || c.result != contextAccepted || len(c.transfer) != 1 || !slices.Contains(proposed[i].transfer, c.transfer[0]) {
			continue
		}
		out[c.id] = presentation{id: c.id, abstract: proposed[i].abstract, transfer: c.transfer}
	}
	return out
}

func (a *Association) secure(ctx context.Context, c *Client) error {
	cfg := c.TLS
	if cfg.ServerName == "" && !cfg.InsecureSkipVerify {
		cfg = cfg.Clone()
		cfg.ServerName = c.Peer.Host
	}
	t := tls.Client(a.timed, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	a.conn = t
	return nil
}

// end closes the association after an error.
func (a *Association) end(err error) {
	a.lost = err
	if a.out != nil {
		a.abort(err)
	}
	a.linger(drainGrace)
}

// during runs f, which talks to the peer, and ends the association when f fails or
// ctx ends.
func (a *Association) during(ctx context.Context, what string, f func() error) error {
	watch := context.AfterFunc(ctx, a.timed.interrupt)
	err := f()
	if !watch() && a.lost == nil {
		a.lost = ctx.Err() // what f has learned is true all the same
	}
	if err == nil {
		return nil
	}
	a.end(err)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return readable(err, what)
}

// Release ends the association in good order.
func (a *Association) Release(ctx context.Context) error {
	err := a.during(ctx, "when the association was to be released", func() error {
		if _, err := a.conn.Write(smallPDU(pduReleaseRQ, 0, 0, 0)); err != nil {
			return err
		}
		return a.awaitRelease()
	})
	if err == nil {
		a.lost = errReleased
		a.timed.Close()
	}
	return err
}

// Lost says whether the association is over.
func (a *Association) Lost() bool { return a.lost != nil }

// awaitRelease reads the answer to a release. Both sides may have asked at once;
// ours is the requestor, so it answers first (PS3.8 table 9-10, AR-8).
func (a *Association) awaitRelease() error {
	a.timed.between(a.limits.ARTIM)
	for {
		kind, n, err := readHeader(a.in.r, a.in.max)
		if err != nil {
			return err
		}
		switch kind {
		case pduReleaseRP:
			_, err := readSmall(a.in.r)
			return err
		case pduReleaseRQ:
			if _, err := readSmall(a.in.r); err != nil {
				return err
			}
			if _, err := a.conn.Write(smallPDU(pduReleaseRP, 0, 0, 0)); err != nil {
				return err
			}
		case pduData: // a report that comes too late to be answered
			if _, err := a.in.r.Discard(int(n)); err != nil {
				return err
			}
		default:
			return otherPDU(a.in.r, kind)
		}
	}
}

// Abort ends the association at once.
func (a *Association) Abort() {
	a.lost = errAborted
	a.timed.hurry()
	a.conn.Write(abortPDU(abortSourceUser, abortNotSpecified))
	a.timed.Close()
}

var errAborted = errors.New("association aborted by us")

// ask sends a request and waits for its response.
func (a *Association) ask(p byte, c command, send func() error) (Status, error) {
	a.timed.message(a.limits.DIMSE)
	if err := send(); err != nil {
		return Status{}, a.lastWords(err)
	}
	m, err := a.receive(a.limits.DIMSE)
	if err != nil {
		return Status{}, err
	}
	r := m.command
	if r.field != c.field|isResponse || r.respondedTo != c.id || m.context != p {
		return Status{}, protocolf("response %04X to message %d in context %d, where %04X to message %d in context %d was expected", r.field, r.respondedTo, m.context, c.field|isResponse, c.id, p)
	}
	_, err = m.skip()
	return r.status, err
}

// lastWords is why the peer stopped reading, where it said so.
func (a *Association) lastWords(err error) error {
	if _, ours := err.(*sourceError); ours {
		return err
	}
	a.timed.between(drainGrace)
	for {
		kind, n, e := readHeader(a.in.r, a.in.max)
		switch {
		case e != nil:
			return err
		case kind == pduData:
			if _, e := a.in.r.Discard(int(n)); e != nil {
				return err
			}
		default:
			if said := otherPDU(a.in.r, kind); said != nil {
				return said
			}
		}
	}
}

// Echoed is the answer to a C-ECHO.
type Echoed struct {
	Status         Status
	Connect        time.Duration // until the association was accepted
	Time           time.Duration // of the echo alone
	Implementation string        // the peer's implementation version name, "" when it gave none
	MaxPDU         int           // bytes that the peer takes, 0 without limit
	TLS            bool
}

// Echo asks the peer whether it is there (C-ECHO).
func (c *Client) Echo(ctx context.Context) (Echoed, error) {
	start := time.Now()
	a, err := c.dial(ctx, []presentation{{id: 1, abstract: verificationClass, transfer: []string{ImplicitLittle}}}, nil)
	if err != nil {
		return Echoed{}, err
	}
	e := Echoed{Connect: time.Since(start), Implementation: a.peer.versionName, MaxPDU: int(a.peer.maxPDU), TLS: c.TLS != nil}
	start = time.Now()
	err = a.during(ctx, "before it answered the echo", func() (err error) {
		rq := command{field: cEcho, id: a.nextID(), class: verificationClass}
		e.Status, err = a.ask(1, rq, func() error { return a.out.send(1, rq, nil, 0) })
		return err
	})
	e.Time = time.Since(start)
	if err == nil {
		err = a.Release(ctx)
	}
	return e, c.named(err)
}

// named adds the peer to an error.
func (c *Client) named(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("peer %s: %w", c.Peer, err)
}
