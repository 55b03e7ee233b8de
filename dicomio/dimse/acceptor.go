package dimse

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime/debug"
	"sync/atomic"
	"time"

	"ctrecon/dicomio/uid"
)

// provider is the server's end of one connection.
type provider struct {
	link
	service *service
	from    Remote
}

// associations numbers them for logs.
var associations atomic.Uint64

// serve answers an association and its messages. The handler hears of the end
// before the peer has closed the connection, which it may do late.
func (p *provider) serve() {
	p.from = Remote{ID: fmt.Sprintf("a%06d", associations.Add(1)), Addr: remoteAddr(p.timed.Conn)}
	p.log = p.service.log.With("association", p.from.ID)
	err := p.recovered(p.accept)
	if err != nil {
		p.finish(err)
	} else {
		err = p.recovered(p.messages)
		p.finish(err)
		p.service.leave()
		p.recovered(func() error {
			p.service.Handler.Ended(p.from, errors.Is(err, errReleased))
			return nil
		})
	}
	p.linger(p.patienceAfter(err))
}

// patienceAfter is the time for the peer to close the connection; after an abort
// there is no need to wait for that.
func (p *provider) patienceAfter(err error) time.Duration {
	var rejected *Rejected
	if errors.Is(err, errReleased) || errors.As(err, &rejected) {
		return p.limits.ARTIM
	}
	return drainGrace
}

// errPanic stands for a panic of the handler.
var errPanic = errors.New("panic")

// recovered turns a panic of the handler into an error. Its value is not logged, as
// it may hold anything.
func (p *provider) recovered(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			p.log.Error("panic: the association is aborted", "type", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	return f()
}

// finish ends the connection in the way that err asks for.
func (p *provider) finish(err error) {
	var rejected *Rejected
	var handshake *handshakeError
	switch {
	case errors.Is(err, errReleased):
		p.log.Debug("association released")
		p.conn.Write(smallPDU(pduReleaseRP, 0, 0, 0))
	case errors.As(err, &rejected):
		p.log.Warn("association rejected", "reason", rejected.reason(), "address", p.from.Addr.String(), "calling", p.from.Calling, "called", p.from.Called)
		p.conn.Write(rejectPDU(rejected))
	case errors.As(err, &handshake):
		p.log.Warn("no TLS connection", "address", p.from.Addr.String(), "error", err)
	case errors.Is(err, io.EOF):
		p.log.Debug("connection closed by the peer", "address", p.from.Addr.String())
	default:
		p.log.Warn("association ended", "address", p.from.Addr.String(), "calling", p.from.Calling, "error", readable(err, "in time"))
		p.abort(err)
	}
}

// accept answers the request of an association.
func (p *provider) accept() error {
	if err := p.secure(); err != nil {
		return err
	}
	rq, err := p.readAssociate(pduAssociateRQ)
	if err != nil {
		return err
	}
	p.from.Calling, p.from.Called = rq.calling, rq.called
	if r := p.refuse(rq); r != nil {
		return r
	}
	if r := p.service.admit(); r != nil {
		return r
	}
	if err := p.welcome(rq); err != nil {
		p.service.leave()
		return err
	}
	p.log.Debug("association accepted", "address", p.from.Addr.String(), "calling", rq.calling, "contexts", len(p.contexts), "implementation", rq.versionName)
	return nil
}

// secure does the TLS handshake.
func (p *provider) secure() error {
	if p.service.TLS == nil {
		return nil
	}
	c := tls.Server(p.timed, p.service.TLS)
	if err := c.HandshakeContext(p.service.ctx); err != nil {
		return &handshakeError{err}
	}
	p.conn, p.from.TLS = c, true
	if chains := c.ConnectionState().VerifiedChains; len(chains) > 0 {
		p.from.Subject = chains[0][0].Subject.String()
	}
	return nil
}

// handshakeError is a TLS connection that did not come about; there is nobody to
// tell it to.
type handshakeError struct{ err error }

func (e *handshakeError) Error() string { return "TLS: " + e.err.Error() }
func (e *handshakeError) Unwrap() error { return e.err }

// refuse says why a request is not answered, nil when it is.
func (p *provider) refuse(rq *associate) *Rejected {
	switch {
	case rq.version&protocolVersionOne == 0:
		return &Rejected{Result: 1, Source: 2, Reason: 2}
	case rq.application != applicationContext:
		return &Rejected{Result: 1, Source: 1, Reason: 2}
	case p.service.AETitle != "" && rq.called != p.service.AETitle:
		return &Rejected{Result: 1, Source: 1, Reason: 7}
	case CheckAETitle(rq.calling) != nil || !p.allowed(rq.calling):
		return &Rejected{Result: 1, Source: 1, Reason: 3}
	}
	return nil
}

func (p *provider) allowed(calling string) bool {
	for _, a := range p.service.Allow {
		if a.fits(calling, p.from.Addr.Addr()) {
			return true
		}
	}
	return len(p.service.Allow) == 0
}

// holdAnswers is the PDU size of a server, which sends nothing but responses.
const holdAnswers = 4096

// welcome sends the A-ASSOCIATE-AC.
func (p *provider) welcome(rq *associate) error {
	ac := &associate{
		kind: pduAssociateAC, version: protocolVersionOne, called: rq.called, calling: rq.calling, application: applicationContext,
		maxPDU: uint32(p.limits.PDU), class: uid.Implementation, versionName: uid.ImplementationVersion,
	}
	if rq.async != nil {
		ac.async = &[2]uint16{1, 1}
	}
	p.contexts = map[byte]presentation{}
	for _, proposed := range rq.contexts {
		c := answer(proposed)
		ac.contexts = append(ac.contexts, c)
		if c.result == contextAccepted {
			p.contexts[c.id] = c
		}
	}
	for _, r := range rq.roles {
		if takesRole(r.class) && len(ac.roles) < maxContexts {
			ac.roles = append(ac.roles, role{class: r.class, scu: r.scu, scp: r.scp && r.class == commitmentClass})
		}
	}
	p.talk(rq.maxPDU, holdAnswers)
	_, err := p.conn.Write(ac.encode())
	return err
}

// takesRole: the reports of storage commitment come from a requestor that is the
// provider of the service. For other classes only the usual role is confirmed.
func takesRole(class string) bool { return syntaxesFor(class) != nil }

// remoteAddr is the peer's address, zero where the connection has none.
func remoteAddr(c net.Conn) netip.AddrPort {
	a, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
