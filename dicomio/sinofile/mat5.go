package sinofile

import (
	"bytes"
	"compress/zlib"
	"errors"
	"io"
	"strings"
	"unicode/utf16"
)

// The element types and array classes of MATLAB's level 5 files (MAT-File Format,
// The MathWorks).
const (
	miMatrix     = 14
	miCompressed = 15

	mxCell   = 1
	mxStruct = 2
	mxChar   = 4
	mxSparse = 5
	mxDouble = 6
	mxUint64 = 15
)

var matTypes = map[int]dtype{1: {kind: 'i', size: 1}, 2: {kind: 'u', size: 1}, 3: {kind: 'i', size: 2}, 4: {kind: 'u', size: 2}, 5: {kind: 'i', size: 4},
	6: {kind: 'u', size: 4}, 7: {kind: 'f', size: 4}, 9: {kind: 'f', size: 8}, 12: {kind: 'i', size: 8}, 13: {kind: 'u', size: 8}, 16: {kind: 'u', size: 1}}

const (
	maxFields = 10000 // arrays in a file
	maxDeep   = 32    // structs inside structs
	maxText   = 1 << 16
)

// isMAT5 looks at the byte-order mark at the end of the 128-byte header.
func isMAT5(head []byte) bool {
	return len(head) >= 128 && (string(head[126:128]) == "IM" || string(head[126:128]) == "MI")
}

// isMAT4 looks at the first number of the headerless older files.
func isMAT4(head []byte) bool {
	if len(head) < 20 {
		return false
	}
	for _, big := range []bool{false, true} {
		c := cursor{b: head, big: big}
		kind, rows, cols, imag, name := c.u32(), c.u32(), c.u32(), c.u32(), c.u32()
		if kind < 5000 && kind%1000 < 53 && kind%10 <= 2 && rows > 0 && cols > 0 && rows < 1<<28 && cols < 1<<28 && imag <= 1 && name > 0 && name < 64 {
			return true
		}
	}
	return false
}

// openMAT5 lists the numeric and text arrays of a MATLAB file, structs taken
// apart: "CtDataFull.parameters.angles". Arrays lie column by column.
func openMAT5(s *source) (*container, error) {
	head := cursor{b: s.head(128)}
	head.pos = 124
	head.big = string(head.b[126:128]) == "MI"
	if v := head.u16(); v>>8 != 1 {
		return nil, s.cannot("", "MATLAB file of version %#x (level 5 and 7.3 are read)", v)
	}
	m := &matFile{source: s, c: &container{source: s, kind: "mat5"}, big: head.big}
	for off := int64(128); off+8 <= s.size; {
		tag, err := s.bytes(off, 8, "element")
		if err != nil {
			return nil, err
		}
		c := cursor{b: tag, big: m.big}
		kind, size := c.u32(), int64(c.u32())
		if size > s.size-off-8 {
			return nil, s.bad("element", "%d bytes at offset %d lie outside the file of %d bytes: it was cut, or its header is wrong", size, off+8, s.size)
		}
		if err := m.element(kind, off, size); err != nil {
			return nil, err
		}
		off += 8 + size
		if kind != miCompressed {
			off += -off & 7
		}
	}
	if len(m.c.entries) == 0 {
		return nil, s.bad("", "holds no array")
	}
	m.c.recogniseHTC()
	return m.c, nil
}

// matFile parses elements; those of a compressed one come from a stream.
type matFile struct {
	*source
	c   *container
	big bool
}

func (m *matFile) element(kind int, off, size int64) error {
	switch kind {
	case miMatrix:
		st := &matStream{matFile: m, room: size, open: func() (io.Reader, error) { return m.section(off+8, size), nil }}
		r, _ := st.open()
		return m.finishElement(st, r, size)
	case miCompressed:
		st := &matStream{matFile: m, room: min(deflateBound(size), m.limit), zip: true}
		st.open = func() (io.Reader, error) {
			r, err := zlib.NewReader(m.section(off+8, size))
			if err != nil {
				return nil, m.bad("element", "the compressed element at offset %d: %v", off, err)
			}
			return r, nil
		}
		r, err := st.open()
		if err != nil {
			return err
		}
		st.r = r
		kind, inner := st.tag()
		if st.err != nil || kind != miMatrix {
			return m.streamError(st, "a compressed element without an array")
		}
		st.base = 8
		return m.finishElement(st, r, inner)
	}
	return nil // user data and the like
}

func (m *matFile) finishElement(st *matStream, r io.Reader, size int64) error {
	if size > st.room {
		return m.bad("element", "an array of %d bytes where at most %d are there", size, st.room)
	}
	st.r = r
	m.matrix(st, size, "", 0)
	if st.err != nil {
		return m.streamError(st, "")
	}
	return nil
}

func (m *matFile) streamError(st *matStream, text string) error {
	var f *FormatError
	var u *UnsupportedError
	switch {
	case errors.As(st.err, &f), errors.As(st.err, &u), st.err != nil && isSystem(st.err):
		return st.err
	case text == "" || st.err != nil:
		return m.bad("element", "the array ends too early or is damaged (%v)", st.err)
	}
	return m.bad("element", "%s", text)
}

// matStream reads the parts of one top-level array and keeps the first error.
type matStream struct {
	*matFile
	open func() (io.Reader, error) // the element again, from its start
	r    io.Reader
	pos  int64 // bytes read
	base int64
	room int64
	zip  bool
	err  error
}

func (st *matStream) take(n int64) []byte {
	if st.err != nil {
		return nil
	}
	if n < 0 || n > st.room-st.pos || n > maxSidecar {
		st.err = io.ErrUnexpectedEOF
		return nil
	}
	b := make([]byte, n)
	k, err := io.ReadFull(st.r, b)
	st.pos += int64(k)
	st.err = err
	return b
}

func (st *matStream) skip(n int64) {
	if st.err != nil || n <= 0 {
		return
	}
	if n > st.room-st.pos {
		st.err = io.ErrUnexpectedEOF
		return
	}
	k, err := io.CopyN(io.Discard, st.r, n)
	st.pos += k
	st.err = err
}

func (st *matStream) tag() (kind int, size int64) {
	b := st.take(8)
	c := cursor{b: b, big: st.big}
	return c.u32(), int64(c.u32())
}

// part reads the tag of a part of an array. Parts of up to four bytes lie inside
// the tag.
func (st *matStream) part() (kind int, size int64, small []byte) {
	b := st.take(8)
	c := cursor{b: b, big: st.big}
	first, second := c.uint(4), c.uint(4)
	if n := first >> 16; n > 0 {
		if n > 4 {
			st.err = errors.New("a short part of more than four bytes")
			return 0, 0, nil
		}
		return int(first & 0xffff), int64(n), b[4 : 4+n]
	}
	return int(first), int64(second), nil
}

// bytes reads a whole small part and what pads it to eight bytes.
func (st *matStream) partBytes() (kind int, b []byte) {
	kind, n, small := st.part()
	if small != nil || st.err != nil {
		return kind, small
	}
	b = st.take(n)
	st.skip(-n & 7)
	return kind, b
}

// matrix parses an array whose content has size bytes.
func (m *matFile) matrix(st *matStream, size int64, name string, depth int) {
	end := st.pos + size
	if size == 0 || st.err != nil {
		return // an empty field
	}
	if depth > maxDeep || len(m.c.entries) > maxFields {
		st.err = m.bad(name, "structs are nested more than %d deep, or hold more than %d arrays", maxDeep, maxFields)
		return
	}
	_, flags := st.partBytes()
	_, dims := st.partBytes()
	_, own := st.partBytes()
	if st.err != nil || len(flags) < 4 || len(dims) < 8 || len(dims) > 4*maxRank {
		st.err = cmpErr(st.err, errors.New("its header is no array header"))
		return
	}
	if depth == 0 {
		name = strings.TrimRight(string(own), "\x00")
	}
	word := (&cursor{b: flags, big: m.big}).u32()
	e := &entry{name: name, fortran: true}
	c := cursor{b: dims, big: m.big}
	for range len(dims) / 4 {
		e.shape = append(e.shape, int(int32(c.uint(4))))
	}
	e.shape = e.order()
	m.content(st, e, word, depth)
	st.skip(end - st.pos)
}

func cmpErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// content parses what follows an array's header, by its class.
func (m *matFile) content(st *matStream, e *entry, flags, depth int) {
	switch class := flags & 0xff; {
	case class >= mxDouble && class <= mxUint64:
		m.numeric(st, e, flags&0x800 != 0)
	case class == mxChar:
		kind, b := st.partBytes()
		if len(b) <= maxText {
			e.text = matText(kind, b, m.big)
			e.dt = dtype{kind: 'u', size: 1}
			m.c.entries = append(m.c.entries, e)
		}
	case class == mxStruct:
		m.structure(st, e, depth)
	case class == mxCell:
		n, ok := product(e.shape)
		for i := int64(0); ok && i < n && st.err == nil; i++ {
			m.child(st, sprintf("%s{%d}", e.name, i+1), depth)
		}
	case class == mxSparse:
		e.dt, e.problem = dtype{kind: 'b', size: 1}, m.cannot(e.name, "a sparse matrix is no sinogram")
		m.c.entries = append(m.c.entries, e)
	}
}

// numeric keeps where the numbers lie, and goes past them.
func (m *matFile) numeric(st *matStream, e *entry, complex bool) {
	kind, n, small := st.part()
	if st.err != nil {
		return
	}
	dt, ok := matTypes[kind]
	dt.big = m.big
	count, fits := product(e.shape)
	switch {
	case !ok:
		st.err = m.bad(e.name, "numbers of type %d", kind)
		return
	case !fits || count*int64(dt.size) != n:
		st.err = m.bad(e.name, "shape %s of %s, but %d bytes of data", e.written(), dt, n)
		return
	case complex:
		e.problem = m.cannot(e.name, "complex numbers are no measurement")
	}
	e.dt = dt
	m.c.entries = append(m.c.entries, e)
	if small != nil || n == 0 {
		e.room = n
		e.open = func() (io.Reader, error) { return bytes.NewReader(small), nil }
		return
	}
	start := st.pos
	e.room = n
	if st.zip {
		e.room = st.room
	}
	e.open = func() (io.Reader, error) {
		r, err := st.open()
		if err != nil {
			return nil, err
		}
		if k, err := io.CopyN(io.Discard, r, start); err != nil {
			return nil, m.bad(e.name, "the data end at byte %d (%v)", k, err)
		}
		return io.LimitReader(r, n), nil
	}
	st.skip(n + -n&7)
}

func (m *matFile) structure(st *matStream, e *entry, depth int) {
	_, b := st.partBytes()
	length := (&cursor{b: b, big: m.big}).u32()
	_, names := st.partBytes()
	if st.err == nil && (length < 1 || len(names)%max(1, length) != 0) {
		st.err = m.bad(e.name, "field names of %d bytes in %d", length, len(names))
	}
	n, ok := product(e.shape)
	for i := int64(0); ok && i < n && st.err == nil && len(names) > 0; i++ {
		prefix := e.name
		if n > 1 {
			prefix = sprintf("%s(%d)", e.name, i+1)
		}
		for f := 0; f < len(names) && st.err == nil; f += length {
			field, _, _ := strings.Cut(string(names[f:f+length]), "\x00")
			m.child(st, prefix+"."+field, depth)
		}
	}
}

func (m *matFile) child(st *matStream, name string, depth int) {
	kind, size := st.tag()
	if st.err == nil && kind != miMatrix {
		st.err = m.bad(name, "an element of type %d where an array belongs", kind)
		return
	}
	if st.err == nil && size > st.room-st.pos {
		st.err = m.bad(name, "%d bytes where at most %d are left", size, st.room-st.pos)
		return
	}
	m.matrix(st, size, name, depth+1)
}

// matText decodes characters, which MATLAB writes as UTF-16 or UTF-8.
func matText(kind int, b []byte, big bool) string {
	if kind != 4 && kind != 17 {
		return string(b)
	}
	c := cursor{b: b, big: big}
	var u []uint16
	for c.left() >= 2 {
		u = append(u, uint16(c.u16()))
	}
	return string(utf16.Decode(u))
}
