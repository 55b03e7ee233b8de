package dimse

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"
)

// link is one end of an association on a connection.
type link struct {
	timed    *timed
	conn     net.Conn // timed, or TLS on it
	in       inbound
	out      *outbound
	contexts map[byte]presentation // accepted
	limits   Limits
	log      *slog.Logger
	messages uint16 // number of the last request
}

const readBuffer = 64 << 10

// talk makes the link ready for messages.
func (l *link) talk(peerPDU uint32, hold int) {
	l.in = inbound{r: bufio.NewReaderSize(l.conn, readBuffer), max: uint32(l.limits.PDU)}
	l.out = newOutbound(l.conn, peerPDU, hold)
}

// readAssociate reads the answer to, or the request of, an association.
func (l *link) readAssociate(kind byte) (*associate, error) {
	got, n, err := readHeader(l.conn, 0)
	if err != nil {
		return nil, err
	}
	switch {
	case got == kind:
	case got == pduAssociateRJ && kind == pduAssociateAC:
		b, err := readSmall(l.conn)
		if err != nil {
			return nil, unexpected(err)
		}
		return nil, &Rejected{Result: b[1], Source: b[2], Reason: b[3]}
	case got == pduReleaseRQ || got == pduReleaseRP:
		return nil, &ProtocolError{"release before the association", abortUnexpected}
	default:
		return nil, otherPDU(l.conn, got)
	}
	b, err := io.ReadAll(io.LimitReader(l.conn, int64(n))) // grows as bytes come
	if err == nil && len(b) < int(n) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	return parseAssociate(kind, b)
}

// errQuiet is a peer that has not begun a message in time.
var errQuiet = fmt.Errorf("no message: %w", os.ErrDeadlineExceeded)

// receive waits for the next message, which must be in an accepted context.
func (l *link) receive(wait time.Duration) (*message, error) {
	l.timed.between(wait)
	begun := false
	m, err := l.in.receive(l.limits.ObjectBytes, func() {
		begun = true
		l.timed.message(l.limits.DIMSE)
	})
	if err != nil && !begun && errors.Is(err, os.ErrDeadlineExceeded) {
		err = errQuiet
	}
	if err != nil {
		return nil, err
	}
	if _, ok := l.contexts[m.context]; !ok {
		return nil, protocolf("message in presentation context %d, which was not accepted", m.context)
	}
	return m, nil
}

// respond answers a request that has no data set in its answer.
func (l *link) respond(m *message, s Status) error {
	return l.out.send(m.context, m.command.answer(s), nil, 0)
}

// nextID numbers our requests.
func (l *link) nextID() uint16 {
	l.messages++
	if l.messages == 0 {
		l.messages = 1
	}
	return l.messages
}

// abort tells the peer that the association ends for a reason, unless it went itself.
func (l *link) abort(err error) {
	var aborted *Aborted
	if errors.As(err, &aborted) || errors.Is(err, io.EOF) {
		return
	}
	l.timed.hurry()
	if l.out != nil {
		l.out.w.Flush()
	}
	var p *ProtocolError
	if errors.As(err, &p) {
		l.conn.Write(abortPDU(abortSourceService, p.reason))
		return
	}
	l.conn.Write(abortPDU(abortSourceUser, abortNotSpecified))
}

// lingerBytes is what a peer may still send after the end.
const lingerBytes = 1 << 20

// linger closes the connection so that the peer can read what was sent last: data
// that we leave unread would make the kernel reset the connection.
func (l *link) linger(wait time.Duration) {
	l.timed.hurry()
	l.timed.between(wait)
	if c, ok := l.conn.(*tls.Conn); ok {
		c.CloseWrite()
	}
	l.timed.halfClose()
	io.CopyN(io.Discard, l.timed, lingerBytes)
	l.timed.Close()
}

// readable tells people what a timeout or a lost connection was.
func readable(err error, during string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("nothing, or too little, came from the peer %s: %w", during, err)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the peer closed the connection %s: %w", during, io.ErrUnexpectedEOF)
	}
	return err
}
