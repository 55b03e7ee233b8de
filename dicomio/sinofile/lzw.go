package sinofile

import (
	"bufio"
	"errors"
	"io"
)

// lzwReader decodes the LZW of TIFF 6.0, section 13: codes of 9 to 12 bits,
// highest bit first, whose width grows one code early.
type lzwReader struct {
	r     *bufio.Reader
	acc   uint32
	bits  int
	width int
	next  int // the code that the next string gets
	last  int // the code before, -1 after a clear
	first byte
	end   bool
	// A string is its last byte behind the string of a smaller code.
	prefix [1 << lzwMax]uint16
	suffix [1 << lzwMax]byte
	out    [1 << lzwMax]byte
	ready  []byte
}

const (
	lzwMax   = 12
	lzwClear = 256
	lzwEnd   = 257
)

var errLZW = errors.New("a code of the LZW data does not exist")

func newLZW(r io.Reader) *lzwReader {
	return &lzwReader{r: bufio.NewReader(r), width: 9, next: lzwEnd + 1, last: -1}
}

func (z *lzwReader) Read(b []byte) (n int, err error) {
	for len(z.ready) == 0 {
		if z.end {
			return 0, io.EOF
		}
		if err := z.step(); err != nil {
			return 0, err
		}
	}
	n = copy(b, z.ready)
	z.ready = z.ready[n:]
	return n, nil
}

// code reads the next code; data may end without an end code.
func (z *lzwReader) code() (int, error) {
	for z.bits < z.width {
		b, err := z.r.ReadByte()
		if err != nil {
			return lzwEnd, err
		}
		z.acc, z.bits = z.acc<<8|uint32(b), z.bits+8
	}
	z.bits -= z.width
	return int(z.acc >> z.bits & (1<<z.width - 1)), nil
}

// step decodes one code.
func (z *lzwReader) step() error {
	c, err := z.code()
	if err != nil && err != io.EOF {
		return err
	}
	switch {
	case c == lzwEnd:
		z.end = true
		return nil
	case c == lzwClear:
		z.width, z.next, z.last = 9, lzwEnd+1, -1
		return nil
	case c > z.next, c == z.next && z.last < 0, z.last < 0 && c > 255:
		return errLZW
	}
	at := len(z.out)
	s := c
	if c == z.next { // the string before, and its first byte again
		at--
		z.out[at] = z.first
		s = z.last
	}
	for s > lzwEnd {
		at--
		z.out[at] = z.suffix[s]
		s = int(z.prefix[s])
	}
	at--
	z.out[at] = byte(s)
	z.first = byte(s)
	z.ready = z.out[at:]
	if z.last >= 0 && z.next < 1<<lzwMax {
		z.prefix[z.next], z.suffix[z.next] = uint16(z.last), z.first
		z.next++
		if z.next == 1<<z.width-1 && z.width < lzwMax {
			z.width++
		}
	}
	z.last = c
	return nil
}
