package sinofile

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// entry is one numeric array inside a file.
type entry struct {
	name    string // "" in files with a single array
	shape   []int  // slowest axis first, as the elements lie in the file
	dt      dtype
	fortran bool // the format's own index order is the reverse of shape
	// open gives the element bytes in the order of shape.
	open func() (io.Reader, error)
	// room is the most bytes that open can deliver; it bounds what is allocated.
	room int64
	// problem says why the array cannot be read, nil when it can.
	problem error
	// text is the content of a character array, for formats with such arrays.
	text string
}

// maxElements bounds an array before its size is compared with the file's.
const maxElements = math.MaxInt64 / 64

// product multiplies the lengths of shape; ok is false when one is negative or
// the product overflows.
func product(shape []int) (n int64, ok bool) {
	n = 1
	for _, d := range shape {
		if d < 0 || d > 0 && n > maxElements/int64(d) {
			return 0, false
		}
		n *= int64(d)
	}
	return n, true
}

// written is the shape as the format counts it.
func (e *entry) written() string { return shapeText(e.order()) }

// order is the shape as the format counts it.
func (e *entry) order() []int {
	if !e.fortran {
		return e.shape
	}
	out := make([]int, len(e.shape))
	for i, d := range e.shape {
		out[len(out)-1-i] = d
	}
	return out
}

func shapeText(shape []int) string {
	parts := make([]string, len(shape))
	for i, d := range shape {
		parts[i] = fmt.Sprint(d)
	}
	if len(parts) == 1 {
		return "(" + parts[0] + ",)"
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// check returns the number of elements, or an error when the shape is
// impossible, empty, or larger than what the file can hold.
func (s *source) check(e *entry) (int, error) {
	if e.problem != nil {
		return 0, e.problem
	}
	n, ok := product(e.shape)
	switch {
	case !ok:
		return 0, s.bad(e.name, "shape %s is impossible", e.written())
	case n == 0:
		return 0, s.bad(e.name, "shape %s: the array is empty", e.written())
	case n > e.room/int64(e.dt.size):
		return 0, s.bad(e.name, "shape %s of %s needs %d bytes and at most %d are there: the file was cut, or its header is wrong",
			e.written(), e.dt, n*int64(e.dt.size), e.room)
	case e.room > s.size && n*int64(e.dt.size) > s.limit:
		return 0, s.cannot(e.name, "shape %s of %s inflates to %d bytes, more than the limit of %d", e.written(), e.dt, n*int64(e.dt.size), s.limit)
	}
	return int(n), nil
}

// load32 reads an array as float32. It is the only copy of the data.
func (s *source) load32(e *entry) ([]float32, error) {
	n, err := s.check(e)
	if err != nil {
		return nil, err
	}
	r, err := e.open()
	if err != nil {
		return nil, err
	}
	dst := make([]float32, n)
	if e.dt.kind == 'f' && e.dt.size == 4 && hostLittle {
		b := rawBytes(dst)
		if err := s.readFull(r, b, e); err != nil {
			return nil, err
		}
		if e.dt.big {
			swapBytes(b, 4)
		}
	} else if err := stream(s, r, e, dst); err != nil {
		return nil, err
	}
	return dst, s.finish(r, e)
}

// load64 reads a small array, such as the angles, as float64.
func (s *source) load64(e *entry) ([]float64, error) {
	n, err := s.check(e)
	if err != nil {
		return nil, err
	}
	if n > maxSmall {
		return nil, s.bad(e.name, "%d values where a list of at most %d is possible", n, maxSmall)
	}
	r, err := e.open()
	if err != nil {
		return nil, err
	}
	dst := make([]float64, n)
	if err := stream(s, r, e, dst); err != nil {
		return nil, err
	}
	return dst, s.finish(r, e)
}

// maxSmall bounds a list of angles.
const maxSmall = 1 << 20

// stream converts the elements through a buffer that stays in the cache.
func stream[T float32 | float64](s *source, r io.Reader, e *entry, dst []T) error {
	buf := make([]byte, min(1<<18, len(dst)*e.dt.size))
	for len(dst) > 0 {
		n := min(len(dst), len(buf)/e.dt.size)
		b := buf[:n*e.dt.size]
		if err := s.readFull(r, b, e); err != nil {
			return err
		}
		convert(dst[:n], b, e.dt)
		dst = dst[n:]
	}
	return nil
}

func (s *source) readFull(r io.Reader, b []byte, e *entry) error {
	n, err := io.ReadFull(r, b)
	if err == nil {
		return nil
	}
	return s.readError(err, e, "the data end %d bytes too early", len(b)-n)
}

// finish reads what is left of a compressed array, so that its checksum is seen.
func (s *source) finish(r io.Reader, e *entry) error {
	c, ok := r.(checked)
	if !ok {
		return nil
	}
	var b [512]byte
	for {
		_, err := c.Read(b[:])
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return s.readError(err, e, "the end of the data cannot be read")
		}
	}
}

// checked marks a reader whose checksum is verified at its end.
type checked struct{ io.Reader }

// readError keeps the errors that a reader of a format made, and turns the
// others into a FormatError unless they come from the operating system.
func (s *source) readError(err error, e *entry, format string, a ...any) error {
	var f *FormatError
	var u *UnsupportedError
	switch {
	case errors.As(err, &f), errors.As(err, &u), isSystem(err):
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return s.bad(e.name, format, a...)
	}
	return s.bad(e.name, "%v", err)
}
