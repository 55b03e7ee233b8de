package codec

import (
	"cmp"
	"math"
	"slices"
)

// j2kBand is a subband of a resolution: its coefficients with one binary digit
// behind the point, as the block decoder leaves them.
type j2kBand struct {
	area
	kind   int // 0 LL, 1 HL, 2 LH, 3 HH
	planes int // bit planes of its coefficients (Mb)
	step   float64
	v      []int32
}

// j2kResolution is a level of the wavelet, level 0 the coarsest.
type j2kResolution struct {
	area
	px, py     int // exponents of the precincts' size
	across     int // precincts in a row
	down       int
	bands      []*j2kBand
	precincts  []j2kPrecinct
	toFullSize int // exponent
}

// decodeTile decodes tile i into samples, the pixels of the image.
func (j *j2k) decodeTile(i int, samples []uint16) error {
	c, data := j.tiles[i].coding, j.tiles[i].data
	if c.layers == 0 || len(c.steps) == 0 || c.quantiser != 1 && len(c.steps) < 3*c.levels+1 {
		return wrong("JPEG 2000: tile %d: coding style or quantisation is missing", i)
	}
	if c.reversible && c.quantiser != 0 {
		return wrong("JPEG 2000: tile %d: the reversible wavelet with quantisation", i)
	}
	col, row := i%j.across, i/j.across
	t := area{j.tile.x0 + col*j.tile.w(), j.tile.y0 + row*j.tile.h(), j.tile.x1 + col*j.tile.w(), j.tile.y1 + row*j.tile.h()}
	t = area{max(t.x0, j.image.x0), max(t.y0, j.image.y0), min(t.x1, j.image.x1), min(t.y1, j.image.y1)}
	res, err := c.resolutions(t, j.bits, len(data))
	if err != nil {
		return err
	}
	if err := c.packets(res, t, data); err != nil {
		return err
	}
	blocks := newBlockDecoder(c.style)
	for _, r := range res {
		for _, b := range r.bands {
			b.v = make([]int32, b.w()*b.h())
		}
		for k := range r.precincts {
			if err := blocks.precinct(&r.precincts[k], r.bands); err != nil {
				return err
			}
		}
		r.precincts = nil
	}
	out := samples[(t.y0-j.image.y0)*j.f.Cols+t.x0-j.image.x0:]
	if c.reversible {
		j.store(out, t, inverse53(res))
	} else {
		j.storeFloat(out, t, inverse97(res))
	}
	return nil
}

// store writes the pixels of a tile, level shifted and clipped (T.800 annex G).
func (j *j2k) store(out []uint16, t area, v []int32) {
	shift, low, high := j.levels()
	for y := range t.h() {
		dst := out[y*j.f.Cols:]
		for x, s := range v[y*t.w() : (y+1)*t.w()] {
			dst[x] = uint16(min(max(s+shift, low), high))
		}
	}
}

func (j *j2k) storeFloat(out []uint16, t area, v []float32) {
	shift, low, high := j.levels()
	for y := range t.h() {
		dst := out[y*j.f.Cols:]
		for x, s := range v[y*t.w() : (y+1)*t.w()] {
			s := math.RoundToEven(float64(s)) + float64(shift)
			dst[x] = uint16(int32(min(max(s, float64(low)), float64(high))))
		}
	}
}

func (j *j2k) levels() (shift, low, high int32) {
	if j.signed {
		return 0, -1 << (j.bits - 1), 1<<(j.bits-1) - 1
	}
	return 1 << (j.bits - 1), 0, 1<<j.bits - 1
}

// resolutions lays a tile out (T.800 annex B). Nothing is allocated that size
// bytes of packets, one each at least, could not fill.
func (c *j2kCoding) resolutions(t area, bits, size int) ([]*j2kResolution, error) {
	var out []*j2kResolution
	packets := 0
	for r := range c.levels + 1 {
		n := c.levels - r
		a := area{ceilShift(t.x0, n), ceilShift(t.y0, n), ceilShift(t.x1, n), ceilShift(t.y1, n)}
		s := &j2kResolution{area: a, px: int(c.precinct[r] & 15), py: int(c.precinct[r] >> 4), toFullSize: n}
		if a.w() > 0 && a.h() > 0 {
			s.across = ceilShift(a.x1, s.px) - a.x0>>s.px
			s.down = ceilShift(a.y1, s.py) - a.y0>>s.py
		}
		if packets += s.across * s.down * c.layers; packets > size {
			return nil, wrong("JPEG 2000: more than %d packets in %d bytes: the frame is cut", packets-1, size)
		}
		if err := c.bands(s, t, r, bits); err != nil {
			return nil, err
		}
		s.precincts = make([]j2kPrecinct, s.across*s.down)
		out = append(out, s)
	}
	return out, nil
}

// bands sets the subbands of resolution r.
func (c *j2kCoding) bands(s *j2kResolution, t area, r, bits int) error {
	first, last, level := 1, 3, c.levels-r+1
	if r == 0 {
		first, last, level = 0, 0, c.levels
	}
	for kind := first; kind <= last; kind++ {
		b := &j2kBand{kind: kind, area: bandArea(t, kind, level)}
		index := kind
		if r > 0 {
			index += 3 * (r - 1)
		}
		exponent, mantissa := c.step(index, level)
		b.planes = c.guard + exponent - 1
		if exponent < 0 || b.planes > j2kMaxPlanes {
			return unsupported("JPEG 2000: coefficients of %d bits are not supported", b.planes)
		}
		gain := [4]int{0, 1, 1, 2}[kind]
		b.step = math.Ldexp(1+float64(mantissa)/2048, bits+gain-exponent)
		s.bands = append(s.bands, b)
	}
	return nil
}

// bandArea is equation B-15.
func bandArea(t area, kind, level int) area {
	if level == 0 {
		return t
	}
	dx, dy := 0, 0
	if kind&1 != 0 {
		dx = 1 << (level - 1)
	}
	if kind&2 != 0 {
		dy = 1 << (level - 1)
	}
	f := func(v, d int) int { return max(0, ceilShift(max(v-d, 0), level)) }
	return area{f(t.x0, dx), f(t.y0, dy), f(t.x1, dx), f(t.y1, dy)}
}

// packetPlace is a precinct in the order of the code stream.
type packetPlace struct {
	r, k int
	x, y int // on the image's grid
}

// order lists the precincts of a tile as progression orders 2 to 4 visit them.
func (c *j2kCoding) order(res []*j2kResolution, t area) []packetPlace {
	var out []packetPlace
	for r, s := range res {
		for k := range s.precincts {
			p := packetPlace{r: r, k: k}
			p.x = max(t.x0, (s.x0>>s.px+k%s.across)<<(s.px+s.toFullSize))
			p.y = max(t.y0, (s.y0>>s.py+k/s.across)<<(s.py+s.toFullSize))
			out = append(out, p)
		}
	}
	if c.progression > 2 {
		slices.SortStableFunc(out, func(a, b packetPlace) int {
			return cmp.Or(cmp.Compare(a.y, b.y), cmp.Compare(a.x, b.x), cmp.Compare(a.r, b.r))
		})
	}
	return out
}

// A tile's packets may visit visitsFree code blocks, and visitsPixel for each pixel:
// 256 layers of the smallest blocks.
const (
	visitsFree  = 1 << 14
	visitsPixel = 16
)

// packets reads all packets of a tile, in the order of its progression.
func (c *j2kCoding) packets(res []*j2kResolution, t area, data []byte) error {
	p := &packetReader{b: data, c: c, visits: visitsFree + visitsPixel*t.w()*t.h()}
	each := func(r, layer int) error {
		for k := range res[r].precincts {
			if err := p.packet(res[r], k, layer); err != nil {
				return err
			}
		}
		return nil
	}
	switch c.progression {
	case 0: // layer, resolution, position
		for l := range c.layers {
			for r := range res {
				if err := each(r, l); err != nil {
					return err
				}
			}
		}
	case 1: // resolution, layer, position
		for r := range res {
			for l := range c.layers {
				if err := each(r, l); err != nil {
					return err
				}
			}
		}
	default:
		for _, at := range c.order(res, t) {
			for l := range c.layers {
				if err := p.packet(res[at.r], at.k, l); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
