package dimse

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
)

// pdv is the head of a presentation data value: a fragment of a command or of a
// data set.
type pdv struct {
	context       byte
	command, last bool
	left          uint32 // bytes not read yet
}

// inbound takes the PDUs of an association apart. Nothing is held: the bytes of
// a fragment go straight to who asks for them.
type inbound struct {
	r   *bufio.Reader
	max uint32 // bytes of a P-DATA PDU
	pdu uint32 // bytes left of the current one
}

// next reads the head of the next fragment. Other PDUs are errors: errReleased,
// *Aborted or *ProtocolError.
func (in *inbound) next() (pdv, error) {
	if in.pdu == 0 {
		kind, n, err := readHeader(in.r, in.max)
		if err != nil {
			return pdv{}, err
		}
		if kind != pduData {
			return pdv{}, otherPDU(in.r, kind)
		}
		in.pdu = n
	}
	if in.pdu < 6 {
		return pdv{}, protocolf("%d bytes left over in a P-DATA PDU", in.pdu)
	}
	var h [6]byte
	if _, err := io.ReadFull(in.r, h[:]); err != nil {
		return pdv{}, unexpected(err)
	}
	n := binary.BigEndian.Uint32(h[:])
	if n < 2 || n > in.pdu-4 {
		return pdv{}, protocolf("PDV of %d bytes in %d bytes of PDU", n, in.pdu-4)
	}
	in.pdu -= 4 + n
	return pdv{context: h[4], command: h[5]&1 != 0, last: h[5]&2 != 0, left: n - 2}, nil
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// errTooLong ends a message that has more bytes than it may.
var errTooLong = errors.New("message is longer than the limit")

// fragments reads a command or a data set, which ends (io.EOF) with its last
// fragment.
type fragments struct {
	in      *inbound
	context byte
	command bool
	cur     pdv
	room    int64 // bytes that may still come, heads of fragments included
	err     error // how it ended
}

func (f *fragments) Read(p []byte) (int, error) {
	for f.err == nil && f.cur.left == 0 {
		f.err = f.advance()
	}
	if f.err != nil {
		return 0, f.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := f.in.r.Read(p[:min(len(p), int(f.cur.left))])
	f.cur.left -= uint32(n)
	if err != nil {
		f.err = unexpected(err)
	}
	if n > 0 {
		return n, nil
	}
	return 0, f.err
}

// advance goes to the next fragment.
func (f *fragments) advance() error {
	if f.cur.last {
		return io.EOF
	}
	v, err := f.in.next()
	if err != nil {
		if err == errReleased {
			err = protocolf("release in the middle of a message")
		}
		return unexpected(err)
	}
	return f.take(v)
}

func (f *fragments) take(v pdv) error {
	if v.context != f.context || v.command != f.command {
		return protocolf("fragment of context %d (command: %v) in a message of context %d (command: %v)", v.context, v.command, f.context, f.command)
	}
	f.room -= int64(v.left) + 6
	if f.room < 0 {
		return errTooLong
	}
	f.cur = v
	return nil
}

// whole says whether the end was reached.
func (f *fragments) whole() bool { return f.err == io.EOF }

// message is a command and, where it has one, its data set.
type message struct {
	context byte
	command command
	data    *fragments // nil without a data set
}

// receive reads the next message up to its data set. begun is called when its
// first fragment has come.
func (in *inbound) receive(room int64, begun func()) (*message, error) {
	v, err := in.next()
	if err != nil {
		return nil, err
	}
	begun()
	f := &fragments{in: in, context: v.context, command: true, room: maxCommand}
	if err := f.take(v); err != nil {
		return nil, err
	}
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	c, err := parseCommand(b)
	if err != nil {
		return nil, err
	}
	m := &message{context: v.context, command: c}
	if c.data {
		m.data = &fragments{in: in, context: v.context, room: room}
	}
	return m, nil
}

// skip reads what the message still has and tells how much it was.
func (m *message) skip() (int64, error) {
	if m.data == nil {
		return 0, nil
	}
	return io.Copy(io.Discard, m.data)
}
