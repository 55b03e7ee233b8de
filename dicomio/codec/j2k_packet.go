package codec

import (
	"encoding/binary"
	"math/bits"
)

// j2kPrecinct holds the code blocks of a precinct, made when its first packet
// that is not empty comes.
type j2kPrecinct struct {
	made  bool
	bands [3]blockGrid
}

// blockGrid is the code blocks of a precinct in one band, row by row.
type blockGrid struct {
	blocks         []j2kBlock
	included, zero *tagTree
}

// j2kBlock is a code block.
type j2kBlock struct {
	area     // inside its band
	seen     bool
	zeros    uint8 // bit planes that are 0
	lengths  uint8 // Lblock
	passes   int
	segments []j2kSegment
}

// j2kSegment is a code word: passes up to a termination.
type j2kSegment struct {
	passes, limit int
	data          []byte
}

const (
	styleBypass    = 1
	styleReset     = 2
	styleTerminate = 4
	styleCausal    = 8
	styleSymbols   = 32
)

// packetReader reads packets (T.800 B.9 and B.10).
type packetReader struct {
	b  []byte
	at int
	c  *j2kCoding

	acc, n uint // bits of the header
	cut    bool
	body   []packetBody
	visits int // of code blocks, that are left
}

// packetBody is what a header announces.
type packetBody struct {
	block   *j2kBlock
	segment int
	length  int
}

// bit reads one bit of a header: after a byte FF comes one of 7 bits.
func (p *packetReader) bit() int {
	if p.n == 0 {
		p.n = 8
		if p.acc == 0xFF {
			p.n = 7
		}
		if p.at >= len(p.b) {
			p.cut, p.acc = true, 0
		} else {
			p.acc = uint(p.b[p.at])
			p.at++
		}
	}
	p.n--
	return int(p.acc >> p.n & 1)
}

func (p *packetReader) number(n int) int {
	v := 0
	for range n {
		v = v<<1 | p.bit()
	}
	return v
}

func (p *packetReader) marker(m uint16, size int) {
	if p.at+size <= len(p.b) && binary.BigEndian.Uint16(p.b[p.at:]) == m {
		p.at += size
	}
}

// packet reads a layer of precinct k of resolution s.
func (p *packetReader) packet(s *j2kResolution, k, layer int) error {
	p.marker(j2kSOP, 6)
	p.acc, p.n, p.body = 0, 0, p.body[:0]
	start := p.at
	if p.bit() == 1 {
		if !s.precincts[k].made {
			p.c.makePrecinct(s, k)
		}
		for i := range s.bands {
			if err := p.grid(&s.precincts[k].bands[i], s.bands[i], layer); err != nil {
				return err
			}
		}
	}
	if p.acc == 0xFF { // a stuffed byte follows
		p.at++
	}
	p.marker(j2kEPH, 2)
	if p.cut || p.at > len(p.b) {
		return wrong("JPEG 2000: packet at byte %d: the frame is cut", start)
	}
	for _, b := range p.body {
		if b.length > len(p.b)-p.at {
			return wrong("JPEG 2000: packet at byte %d: %d bytes of a code block, %d are left: the frame is cut", start, b.length, len(p.b)-p.at)
		}
		d := &b.block.segments[b.segment].data
		if chunk := p.b[p.at : p.at+b.length]; len(*d) == 0 {
			*d = chunk[:len(chunk):len(chunk)]
		} else {
			*d = append(*d, chunk...)
		}
		p.at += b.length
	}
	return nil
}

// grid reads what a header says of the code blocks of one band.
func (p *packetReader) grid(g *blockGrid, band *j2kBand, layer int) error {
	if p.visits -= len(g.blocks); p.visits < 0 {
		return wrong("JPEG 2000: packet at byte %d: too many layers for so few pixels", p.at)
	}
	for i := range g.blocks {
		b := &g.blocks[i]
		if b.seen {
			if p.bit() == 0 {
				continue
			}
		} else if !g.included.below(p, i, layer+1) {
			continue
		} else {
			z := 1
			for !g.zero.below(p, i, z) {
				if z++; z > band.planes || p.cut {
					return wrong("JPEG 2000: packet at byte %d: a code block has no bit planes of %d", p.at, band.planes)
				}
			}
			b.seen, b.zeros, b.lengths = true, uint8(z-1), 3
		}
		n := p.passes()
		for p.bit() == 1 {
			if b.lengths++; b.lengths > 31 {
				return wrong("JPEG 2000: packet at byte %d: a code block's length of %d bits", p.at, b.lengths)
			}
		}
		if b.passes += n; b.passes > 3*(band.planes-int(b.zeros))-2 {
			return wrong("JPEG 2000: packet at byte %d: %d passes over %d bit planes", p.at, b.passes, band.planes-int(b.zeros))
		}
		p.segments(b, n)
	}
	return nil
}

// passes reads the number of new passes (table B.4).
func (p *packetReader) passes() int {
	if p.bit() == 0 {
		return 1
	}
	if p.bit() == 0 {
		return 2
	}
	if v := p.number(2); v < 3 {
		return 3 + v
	}
	if v := p.number(5); v < 31 {
		return 6 + v
	}
	return 37 + p.number(7)
}

// segments reads the lengths of the code words of n new passes.
func (p *packetReader) segments(b *j2kBlock, n int) {
	for n > 0 {
		last := len(b.segments) - 1
		if last < 0 || b.segments[last].passes == b.segments[last].limit {
			b.segments = append(b.segments, j2kSegment{limit: p.c.nextLimit(b.segments)})
			last++
		}
		s := &b.segments[last]
		m := min(n, s.limit-s.passes)
		p.body = append(p.body, packetBody{b, last, p.number(int(b.lengths) + bits.Len(uint(m)) - 1)})
		s.passes += m
		n -= m
	}
}

// nextLimit is how many passes the next code word may have (table D.9).
func (c *j2kCoding) nextLimit(before []j2kSegment) int {
	switch {
	case c.style&styleTerminate != 0:
		return 1
	case c.style&styleBypass == 0:
		return 1 << 30
	case len(before) == 0:
		return 10
	case len(before)%2 == 1:
		return 2
	}
	return 1
}

// makePrecinct lays out the code blocks of precinct k (B.7).
func (c *j2kCoding) makePrecinct(s *j2kResolution, k int) {
	p := &s.precincts[k]
	p.made = true
	half := 1
	if s.bands[0].kind == 0 {
		half = 0
	}
	px, py := s.px-half, s.py-half
	bx, by := min(c.blockX, px), min(c.blockY, py)
	col, row := s.x0>>s.px+k%s.across, s.y0>>s.py+k/s.across
	for i, b := range s.bands {
		a := area{max(b.x0, col<<px), max(b.y0, row<<py), min(b.x1, (col+1)<<px), min(b.y1, (row+1)<<py)}
		if a.w() <= 0 || a.h() <= 0 {
			continue
		}
		x0, y0 := a.x0>>bx, a.y0>>by
		w, h := ceilShift(a.x1, bx)-x0, ceilShift(a.y1, by)-y0
		g := &p.bands[i]
		g.blocks, g.included, g.zero = make([]j2kBlock, w*h), newTagTree(w, h), newTagTree(w, h)
		for n := range g.blocks {
			x, y := x0+n%w, y0+n/w
			g.blocks[n].area = area{max(a.x0, x<<bx) - b.x0, max(a.y0, y<<by) - b.y0, min(a.x1, (x+1)<<bx) - b.x0, min(a.y1, (y+1)<<by) - b.y0}
		}
	}
}

// tagTree is a quadtree of minima (B.10.2), its leaves first.
type tagTree struct {
	low    []int32 // the least that a value can be
	known  []bool
	parent []int32 // -1 at the root
}

func newTagTree(w, h int) *tagTree {
	t := &tagTree{}
	for start := 0; ; {
		next := start + w*h
		for i := range w * h {
			parent := int32(-1)
			if w*h > 1 {
				parent = int32(next + i/w/2*((w+1)/2) + i%w/2)
			}
			t.parent = append(t.parent, parent)
		}
		if w*h == 1 {
			break
		}
		start, w, h = next, (w+1)/2, (h+1)/2
	}
	t.low, t.known = make([]int32, len(t.parent)), make([]bool, len(t.parent))
	return t
}

// below reads until it is known whether the value of a leaf is less than limit.
func (t *tagTree) below(p *packetReader, leaf, limit int) bool {
	var path [32]int32
	n := 0
	for i := int32(leaf); i >= 0; i = t.parent[i] {
		path[n] = i
		n++
	}
	low := int32(0)
	for n--; n >= 0; n-- {
		i := path[n]
		t.low[i] = max(t.low[i], low)
		for !t.known[i] && t.low[i] < int32(limit) {
			if p.bit() == 1 {
				t.known[i] = true
			} else {
				t.low[i]++
			}
		}
		low = t.low[i]
	}
	return t.known[leaf] && t.low[leaf] < int32(limit)
}
