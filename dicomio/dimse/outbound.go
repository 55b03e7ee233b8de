package dimse

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
)

// outbound makes P-DATA PDUs with one fragment each.
type outbound struct {
	w   *bufio.Writer
	buf []byte // a whole PDU: 12 bytes of heads, then a fragment
}

// headRoom are the heads of a PDU (6 bytes) and of its one PDV (6 bytes).
const headRoom = 12

// newOutbound sends PDUs of at most the bytes that the peer takes (0: any number)
// and that we want to hold.
func newOutbound(w io.Writer, peer uint32, ours int) *outbound {
	n := ours
	if peer != 0 && int64(peer) < int64(n) {
		n = int(peer)
	}
	n = (n - 6) &^ 1 // fragments have an even length
	return &outbound{w: bufio.NewWriterSize(w, 4096), buf: make([]byte, headRoom+n)}
}

// send sends a message; size is the length of its data set.
func (o *outbound) send(context byte, c command, data io.Reader, size int64) error {
	b := c.encode()
	if err := o.fragments(context, true, bytes.NewReader(b), int64(len(b))); err != nil {
		return err
	}
	if c.data {
		if err := o.fragments(context, false, data, size); err != nil {
			return err
		}
	}
	return o.w.Flush()
}

func (o *outbound) fragments(context byte, isCommand bool, r io.Reader, left int64) error {
	for {
		n := min(left, int64(len(o.buf)-headRoom))
		if _, err := io.ReadFull(r, o.buf[headRoom:headRoom+n]); err != nil {
			return &sourceError{unexpected(err)}
		}
		left -= n
		o.heads(context, isCommand, left == 0, int(n))
		if _, err := o.w.Write(o.buf[:headRoom+n]); err != nil {
			return err
		}
		if left == 0 {
			return nil
		}
	}
}

func (o *outbound) heads(context byte, isCommand, last bool, n int) {
	h := o.buf[:headRoom]
	h[0], h[1] = pduData, 0
	binary.BigEndian.PutUint32(h[2:], uint32(n+6))
	binary.BigEndian.PutUint32(h[6:], uint32(n+2))
	h[10], h[11] = context, bit(isCommand)|bit(last)<<1
}

// sourceError is a data set that could not be read on our side.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }
