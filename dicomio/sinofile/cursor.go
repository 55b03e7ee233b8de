package sinofile

import "encoding/binary"

// cursor reads numbers from bytes. Past the end it gives zeros and remembers, so
// that a parser can check once.
type cursor struct {
	b    []byte
	pos  int
	big  bool
	over bool
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b)-c.pos {
		c.over, c.pos = true, len(c.b)
		return nil
	}
	out := c.b[c.pos : c.pos+n]
	c.pos += n
	return out
}

func (c *cursor) left() int { return len(c.b) - c.pos }

// uint reads an unsigned number of 1 to 8 bytes.
func (c *cursor) uint(size int) uint64 {
	b := c.take(size)
	v := uint64(0)
	for i := range b {
		if c.big {
			v = v<<8 | uint64(b[i])
		} else {
			v |= uint64(b[i]) << (8 * i)
		}
	}
	return v
}

func (c *cursor) u8() int  { return int(c.uint(1)) }
func (c *cursor) u16() int { return int(c.uint(2)) }
func (c *cursor) u32() int { return int(c.uint(4)) }

// i64 is an offset or a length; what does not fit into 63 bits becomes -1.
func (c *cursor) i64(size int) int64 {
	v := c.uint(size)
	if size < 8 && v == 1<<(8*size)-1 || v > 1<<63-1 {
		return -1
	}
	return int64(v)
}

func order(big bool) binary.ByteOrder {
	if big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}
