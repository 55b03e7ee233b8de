package codec

// bitReader reads the entropy-coded bytes of a JPEG scan, the first bit highest.
// After the last byte, or at a marker, it gives zeros and counts them.
type bitReader struct {
	b   []byte
	at  int
	acc uint64
	n   int // bits in acc
	pad int // of them, and of those dropped, zeros that were not in b
}

// fill makes at least 57 bits ready.
func (r *bitReader) fill() {
	for r.n <= 56 {
		var c byte
		switch {
		case r.at >= len(r.b):
			r.pad += 8
		case r.b[r.at] != 0xFF:
			c = r.b[r.at]
			r.at++
		case r.at+1 < len(r.b) && r.b[r.at+1] == 0:
			c = 0xFF
			r.at += 2
		default:
			r.pad += 8
		}
		r.acc |= uint64(c) << (56 - r.n)
		r.n += 8
	}
}

func (r *bitReader) drop(n int) {
	r.acc <<= n
	r.n -= n
}

// over says whether bits were used that were not there.
func (r *bitReader) over() bool { return r.n < r.pad }

// extend reads s bits (1 to 15) as T.81 F.2.2.1 codes a difference. The bits must be ready.
func (r *bitReader) extend(s int) int {
	v := int(r.acc >> (64 - s))
	r.drop(s)
	if v < 1<<(s-1) {
		v += -1<<s + 1
	}
	return v
}

// next passes the restart marker with number i modulo 8.
func (r *bitReader) next(i int) error {
	if r.over() {
		return wrong("JPEG: the scan is cut")
	}
	for r.at+1 < len(r.b) && r.b[r.at] == 0xFF && r.b[r.at+1] == 0xFF {
		r.at++
	}
	if r.at+1 >= len(r.b) || r.b[r.at] != 0xFF || r.b[r.at+1] != byte(markRST0+i&7) {
		return wrong("JPEG: byte %d: no restart marker %d", r.at, i&7)
	}
	r.at += 2
	r.acc, r.n, r.pad = 0, 0, 0
	return nil
}

const lookBits = 9

// huffman is a table of T.81 annex C.
type huffman struct {
	look    [1 << lookBits]uint16 // length<<8 | symbol, 0 for longer codes
	limit   [17]int               // first code of a length that is too large, aligned to 16 bits
	offset  [17]int               // index of a length's first symbol, less its first code
	symbols []byte
}

// newHuffman reads 16 counts and their symbols, and returns how many bytes they take.
func newHuffman(p []byte) (*huffman, int, error) {
	total := 0
	for _, c := range p[:16] {
		total += int(c)
	}
	if total > 256 || 16+total > len(p) {
		return nil, 0, wrong("JPEG: a Huffman table of %d codes in %d bytes", total, len(p))
	}
	h := &huffman{symbols: p[16 : 16+total]}
	code, k := 0, 0
	for l := 1; l <= 16; l++ {
		h.offset[l] = k - code
		for range p[l-1] {
			if code >= 1<<l {
				return nil, 0, wrong("JPEG: a Huffman table with too many codes of %d bits", l)
			}
			if l <= lookBits {
				for i := range 1 << (lookBits - l) {
					h.look[code<<(lookBits-l)+i] = uint16(l)<<8 | uint16(h.symbols[k])
				}
			}
			code++
			k++
		}
		h.limit[l] = code << (16 - l)
		code <<= 1
	}
	return h, 16 + total, nil
}

// symbol reads one symbol, -1 where no code fits. Sixteen bits must be ready.
func (h *huffman) symbol(r *bitReader) int {
	if e := h.look[r.acc>>(64-lookBits)]; e != 0 {
		r.drop(int(e >> 8))
		return int(e & 0xFF)
	}
	top := int(r.acc >> 48)
	for l := lookBits + 1; l <= 16; l++ {
		if top < h.limit[l] {
			r.drop(l)
			return int(h.symbols[top>>(16-l)+h.offset[l]])
		}
	}
	return -1
}
