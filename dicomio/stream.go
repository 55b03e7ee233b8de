package dicomio

import (
	"fmt"
	"io"
	"slices"
)

// firstRead is what is read of a file at once: the whole of a usual slice.
const firstRead = 1 << 20

// stream is a file that is read once, from front to end. Its first bytes stay in
// memory, as far as anybody needed them; pixels behind them pass through a buffer, so
// that a large object is never held twice.
type stream struct {
	name string
	r    io.Reader // nil where b is the whole file
	size int
	b    []byte // the first bytes
	next int    // offset of what r gives next
	all  bool   // images are wanted whatever they are good for
}

func inMemory(name string, b []byte) *stream { return &stream{name: name, size: len(b), b: b} }

// begin opens a file and reads its preamble; marked says whether DICM follows it. The
// caller closes r.
func begin(s source) (in *stream, r io.Closer, marked bool, err error) {
	if s.size > maxFileSize {
		return nil, nil, false, &FormatError{s.name, fmt.Sprintf("%d bytes: files up to 2 GiB are read", s.size)}
	}
	f, err := s.open()
	if err != nil {
		return nil, nil, false, &FormatError{s.name, "cannot be read: " + plain(err)}
	}
	in = &stream{name: s.name, r: f, size: int(s.size)}
	if err := in.fill(132); err != nil {
		f.Close()
		return nil, nil, false, err
	}
	return in, f, len(in.b) >= 132 && string(in.b[128:132]) == "DICM", nil
}

// fill makes b at least n bytes long, or as long as the file.
func (s *stream) fill(n int) error {
	if n = min(n, s.size); n <= len(s.b) {
		return nil
	}
	have, want := len(s.b), min(s.size, max(n, 2*len(s.b), firstRead))
	b := slices.Grow(s.b, want-have)[:want]
	k, err := io.ReadFull(s.r, b[have:])
	s.b = b[:have+k]
	s.next = len(s.b)
	if err != nil {
		return s.short(err)
	}
	return nil
}

// take gives n bytes from at on, in buf where they are not in memory. Later calls
// ask for later bytes.
func (s *stream) take(at, n int, buf []byte) ([]byte, error) {
	if at+n <= len(s.b) {
		return s.b[at : at+n], nil
	}
	got := 0
	if at < len(s.b) {
		got = copy(buf[:n], s.b[at:])
	}
	if err := s.skipTo(at + got); err != nil {
		return nil, err
	}
	k, err := io.ReadFull(s.r, buf[got:n])
	s.next += k
	if err != nil {
		return nil, s.short(err)
	}
	return buf[:n], nil
}

// rest gives the bytes from at on, where there are few: behind the pixel data.
func (s *stream) rest(at int) ([]byte, error) {
	if at > s.size || s.size-at > maxValue {
		return nil, &FormatError{s.name, fmt.Sprintf("%d bytes follow the pixel data", s.size-at)}
	}
	return s.take(at, s.size-at, make([]byte, s.size-at))
}

func (s *stream) skipTo(at int) error {
	if at <= s.next {
		return nil
	}
	k, err := io.CopyN(io.Discard, s.r, int64(at-s.next))
	s.next += int(k)
	if err != nil {
		return s.short(err)
	}
	return nil
}

// finish reads what is left: an archive compares its checksum at the end of a member.
func (s *stream) finish() error {
	if s.r == nil {
		return nil
	}
	if err := s.skipTo(s.size); err != nil {
		return err
	}
	switch k, err := io.Copy(io.Discard, io.LimitReader(s.r, 1)); {
	case err != nil:
		return s.short(err)
	case k > 0:
		return &FormatError{s.name, "it grew while it was read"}
	}
	return nil
}

func (s *stream) short(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return &FormatError{s.name, "it ends before its size: it was cut while it was read, or its archive is damaged"}
	}
	return &FormatError{s.name, "cannot be read: " + plain(err)}
}
