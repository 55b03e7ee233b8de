package codec

// Flags of a coefficient: which of its neighbours are significant, the signs of
// the four nearest, and its own state.
const (
	sigN = 1 << iota
	sigS
	sigW
	sigE
	sigNW
	sigNE
	sigSW
	sigSE
	negN
	negS
	negW
	negE
	isSig
	isVisited
	isRefined
	sigAny = 0xFF
)

// Tables of contexts, over the flags of neighbours.
var (
	zeroContexts = zeroTable()
	signContexts = signTable()
)

func count(flags, mask int) int {
	n := 0
	for f := flags & mask; f != 0; f &= f - 1 {
		n++
	}
	return n
}

// zeroTable is T.800 table D.1 for the four kinds of band.
func zeroTable() (t [4][256]uint8) {
	for f := range 256 {
		h, v, d := count(f, sigW|sigE), count(f, sigN|sigS), count(f, sigNW|sigNE|sigSW|sigSE)
		t[0][f], t[1][f], t[2][f], t[3][f] = zeroContext(h, v, d), zeroContext(v, h, d), zeroContext(h, v, d), zeroDiagonal(h+v, d)
	}
	return t
}

func zeroContext(h, v, d int) uint8 {
	switch {
	case h == 2:
		return 8
	case h == 1 && v > 0:
		return 7
	case h == 1 && d > 0:
		return 6
	case h == 1:
		return 5
	case v > 0:
		return uint8(2 + v)
	}
	return uint8(min(d, 2))
}

func zeroDiagonal(hv, d int) uint8 {
	switch {
	case d > 2:
		return 8
	case d == 2:
		return uint8(6 + min(hv, 1))
	case d == 1:
		return uint8(3 + min(hv, 2))
	}
	return uint8(min(hv, 2))
}

// signTable is T.800 tables D.2 and D.3: the context, and 0x80 where the sign is flipped.
// Its index holds the signs of the nearest neighbours over their significance.
func signTable() (t [256]uint8) {
	for f := range 256 {
		part := func(a, b int) int {
			sum := 0
			for _, bit := range [2]int{a, b} {
				if f&bit != 0 {
					sum++
					if f>>4&bit != 0 {
						sum -= 2
					}
				}
			}
			return min(max(sum, -1), 1)
		}
		h, v := part(sigW, sigE), part(sigN, sigS)
		flip := uint8(0)
		if h < 0 || h == 0 && v < 0 {
			h, v, flip = -h, -v, 0x80
		}
		if h == 1 {
			t[f] = uint8(ctxSign+3+v) | flip
		} else {
			t[f] = uint8(ctxSign+v) | flip
		}
	}
	return t
}

// blockDecoder decodes code blocks (T.800 annex D), one after the other.
type blockDecoder struct {
	style  byte
	mq     mqDecoder
	raw    rawReader
	w, h   int
	stride int
	flags  []uint16 // with a border of one
	v      []int32  // coefficients with one binary digit behind the point
	zero   *[256]uint8
}

func newBlockDecoder(style byte) *blockDecoder { return &blockDecoder{style: style} }

// precinct decodes the blocks of a precinct into its bands.
func (d *blockDecoder) precinct(p *j2kPrecinct, bands []*j2kBand) error {
	for i, band := range bands {
		for k := range p.bands[i].blocks {
			b := &p.bands[i].blocks[k]
			if !b.seen {
				continue
			}
			if err := d.block(b, band); err != nil {
				return err
			}
			for y := range d.h {
				copy(band.v[(b.y0+y)*band.w()+b.x0:], d.v[y*d.w:(y+1)*d.w])
			}
		}
	}
	return nil
}

// block decodes the passes of a block into d.v.
func (d *blockDecoder) block(b *j2kBlock, band *j2kBand) error {
	d.w, d.h, d.stride = b.w(), b.h(), b.w()+2
	d.flags = append(d.flags[:0], make([]uint16, d.stride*(d.h+2))...)
	d.v = append(d.v[:0], make([]int32, d.w*d.h)...)
	d.zero = &zeroContexts[band.kind]
	d.mq.reset()
	plane, kind := band.planes-int(b.zeros), 2
	rawFrom := plane - 4
	for _, s := range b.segments {
		raw := d.style&styleBypass != 0 && plane <= rawFrom && kind < 2
		if raw {
			d.raw = rawReader{b: s.data}
		} else {
			d.mq.start(s.data)
		}
		for range s.passes {
			if err := d.pass(kind, plane, raw); err != nil {
				return err
			}
			if d.style&styleReset != 0 {
				d.mq.reset()
			}
			if kind++; kind == 3 {
				kind = 0
				plane--
			}
		}
	}
	return nil
}

func (d *blockDecoder) pass(kind, plane int, raw bool) error {
	one := int32(1) << plane
	switch {
	case kind == 0 && raw:
		d.significanceRaw(one)
	case kind == 0:
		d.significance(one)
	case kind == 1:
		d.refinement(one, raw)
	default:
		d.cleanup(one)
		if d.style&styleSymbols != 0 {
			v := int32(0)
			for range 4 {
				v = v<<1 | d.mq.bit(ctxUniform)
			}
			if v != 0xA {
				return wrong("JPEG 2000: a code block's segmentation symbol is %X: the frame is damaged", v)
			}
		}
	}
	return nil
}

// significant sets coefficient x, y, whose flags are at i, to its first value.
func (d *blockDecoder) significant(i, x, y int, one, negative int32) {
	v := one | one>>1
	if negative != 0 {
		v = -v
	}
	d.v[y*d.w+x] = v
	f, neg := d.flags, uint16(negative)
	f[i] |= isSig
	f[i-1] |= sigE | neg*negE
	f[i+1] |= sigW | neg*negW
	below := f[i+d.stride-1 : i+d.stride+2]
	below[0] |= sigNE
	below[1] |= sigN | neg*negN
	below[2] |= sigNW
	if y&3 == 0 && d.style&styleCausal != 0 {
		return
	}
	above := f[i-d.stride-1 : i-d.stride+2]
	above[0] |= sigSE
	above[1] |= sigS | neg*negS
	above[2] |= sigSW
}

// sign decodes the sign of a coefficient, 1 where it is negative.
func (d *blockDecoder) sign(f uint16) int32 {
	c := signContexts[f>>4&0xF0|f&0x0F]
	return d.mq.bit(c&0x7F) ^ int32(c>>7)
}

func (d *blockDecoder) significance(one int32) {
	for top := 0; top < d.h; top += 4 {
		for x := range d.w {
			i := (top+1)*d.stride + x + 1
			for y := top; y < min(top+4, d.h); y++ {
				if f := d.flags[i]; f&sigAny != 0 && f&isSig == 0 {
					if d.mq.bit(d.zero[f&sigAny]) != 0 {
						d.significant(i, x, y, one, d.sign(f))
					}
					d.flags[i] |= isVisited
				}
				i += d.stride
			}
		}
	}
}

func (d *blockDecoder) significanceRaw(one int32) {
	for top := 0; top < d.h; top += 4 {
		for x := range d.w {
			i := (top+1)*d.stride + x + 1
			for y := top; y < min(top+4, d.h); y++ {
				if f := d.flags[i]; f&sigAny != 0 && f&isSig == 0 {
					if d.raw.bit() != 0 {
						d.significant(i, x, y, one, d.raw.bit())
					}
					d.flags[i] |= isVisited
				}
				i += d.stride
			}
		}
	}
}

func (d *blockDecoder) refinement(one int32, raw bool) {
	for top := 0; top < d.h; top += 4 {
		for x := range d.w {
			i := (top+1)*d.stride + x + 1
			for y := top; y < min(top+4, d.h); y++ {
				if f := d.flags[i]; f&(isSig|isVisited) == isSig {
					d.refine(i, y*d.w+x, f, one>>1, raw)
				}
				i += d.stride
			}
		}
	}
}

// refine adds a digit to coefficient k, whose flags are at i.
func (d *blockDecoder) refine(i, k int, f uint16, half int32, raw bool) {
	var bit int32
	if raw {
		bit = d.raw.bit()
	} else {
		ctx := uint8(ctxRefine)
		if f&isRefined != 0 {
			ctx += 2
		} else if f&sigAny != 0 {
			ctx++
		}
		bit = d.mq.bit(ctx)
	}
	if (bit == 0) != (d.v[k] < 0) {
		half = -half
	}
	d.v[k] += half
	d.flags[i] |= isRefined
}

func (d *blockDecoder) cleanup(one int32) {
	for top := 0; top < d.h; top += 4 {
		for x := range d.w {
			i, y := (top+1)*d.stride+x+1, top
			if top+4 <= d.h && (d.flags[i]|d.flags[i+d.stride]|d.flags[i+2*d.stride]|d.flags[i+3*d.stride])&(sigAny|isSig|isVisited) == 0 {
				if d.mq.bit(ctxRun) == 0 {
					continue
				}
				skip := int(d.mq.bit(ctxUniform)<<1 | d.mq.bit(ctxUniform))
				y += skip
				i += skip * d.stride
				d.significant(i, x, y, one, d.sign(d.flags[i]))
				y++
				i += d.stride
			}
			for ; y < min(top+4, d.h); y++ {
				f := d.flags[i]
				if f&(isSig|isVisited) == 0 && d.mq.bit(d.zero[f&sigAny]) != 0 {
					d.significant(i, x, y, one, d.sign(f))
				}
				d.flags[i] &^= isVisited
				i += d.stride
			}
		}
	}
}
