package sinofile

import (
	"bufio"
	"compress/zlib"
	"io"
)

// tiffCodec decompresses a strip or a tile.
type tiffCodec struct {
	open  func(io.Reader) (io.Reader, error)
	bound func(n int64) int64 // the most bytes that n can become
}

var deflateCodec = tiffCodec{
	func(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) },
	deflateBound,
}

var tiffCodecs = map[int]tiffCodec{
	1: {func(r io.Reader) (io.Reader, error) { return r, nil }, func(n int64) int64 { return n }},
	5: {
		func(r io.Reader) (io.Reader, error) { return newLZW(r), nil },
		func(n int64) int64 { return n * 3000 }, // 4096 bytes by 12 bits
	},
	8:     deflateCodec,
	32946: deflateCodec,
	32773: {
		func(r io.Reader) (io.Reader, error) { return &packBits{r: bufio.NewReader(r)}, nil },
		func(n int64) int64 { return n * 64 }, // 128 bytes by 2
	},
}

// tiffNames name compressions that are refused.
var tiffNames = map[int]string{2: " (fax)", 3: " (fax)", 4: " (fax)", 6: " (JPEG)", 7: " (JPEG)", 34712: " (JPEG 2000)", 34925: " (LZMA)", 34933: " (PNG)",
	34887: " (LERC)", 50000: " (Zstandard)", 50001: " (WebP)", 50002: " (JPEG XL)"}

// packBits is the run-length code of TIFF 6.0, section 9.
type packBits struct {
	r      *bufio.Reader
	copy   int // bytes still to be copied
	repeat int // times that value still stands
	value  byte
}

func (p *packBits) Read(b []byte) (n int, err error) {
	for n < len(b) {
		switch {
		case p.repeat > 0:
			b[n] = p.value
			p.repeat--
			n++
		case p.copy > 0:
			if b[n], err = p.r.ReadByte(); err != nil {
				return n, io.ErrUnexpectedEOF
			}
			p.copy--
			n++
		default:
			if err = p.next(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

func (p *packBits) next() error {
	c, err := p.r.ReadByte()
	if err != nil {
		return io.EOF
	}
	switch k := int(int8(c)); {
	case k >= 0:
		p.copy = k + 1
	case k > -128:
		p.repeat = 1 - k
		if p.value, err = p.r.ReadByte(); err != nil {
			return io.ErrUnexpectedEOF
		}
	}
	return nil
}

// tiffReader gives the bytes of all pages, row by row.
type tiffReader struct {
	*tiffFile
	pages []*tiffPage
	block int       // next row of blocks in pages[0]
	rows  int       // rows left in the open strip
	strip io.Reader // the open strip
	ready []byte    // decoded and not yet given
	buf   []byte
	swap  []byte // a row of the floating-point predictor
}

func (r *tiffReader) Read(b []byte) (int, error) {
	for len(r.ready) == 0 {
		if len(r.pages) == 0 {
			return 0, io.EOF
		}
		if err := r.decode(); err != nil {
			return 0, err
		}
	}
	n := copy(b, r.ready)
	r.ready = r.ready[n:]
	return n, nil
}

// decode fills ready with some rows of a strip, or with a row of tiles.
func (r *tiffReader) decode() error {
	p := r.pages[0]
	if r.rows == 0 && r.block*p.blockH >= p.h {
		r.pages, r.block = r.pages[1:], 0
		return nil
	}
	if p.tiled {
		return r.tileRow(p)
	}
	if r.rows == 0 {
		var err error
		if r.strip, err = r.openBlock(p, r.block); err != nil {
			return err
		}
		r.rows = min(p.blockH, p.h-r.block*p.blockH)
		r.block++
	}
	line := p.w * p.dt.size
	n := min(r.rows, max(1, (1<<18)/line))
	r.grow(n * line)
	if err := r.readRows(p, r.strip, r.ready, line, r.block-1); err != nil {
		return err
	}
	r.rows -= n
	return nil
}

func (r *tiffReader) grow(n int) {
	if cap(r.buf) < n {
		r.buf = make([]byte, n)
	}
	r.ready = r.buf[:n]
}

func (r *tiffReader) place(p *tiffPage, block int) string {
	return sprintf("page %d, block %d", p.number, block)
}

func (r *tiffReader) openBlock(p *tiffPage, i int) (io.Reader, error) {
	in, err := tiffCodecs[p.compression].open(r.section(p.offsets[i], p.counts[i]))
	if err != nil {
		return nil, r.bad(r.place(p, i), "%v", err)
	}
	return in, nil
}

// readRows reads whole rows of a block and undoes the predictor.
func (r *tiffReader) readRows(p *tiffPage, in io.Reader, b []byte, line, block int) error {
	if n, err := io.ReadFull(in, b); err != nil {
		if isSystem(err) {
			return err
		}
		return r.bad(r.place(p, block), "the data end %d bytes too early or are damaged (%v)", len(b)-n, err)
	}
	for ; len(b) >= line; b = b[line:] {
		switch p.predictor {
		case 2:
			undoDifference(b[:line], p.dt)
		case 3:
			r.undoFloat(b[:line], p.dt.size)
		}
	}
	return nil
}

// tileRow decodes the tiles that lie side by side.
func (r *tiffReader) tileRow(p *tiffPage) error {
	tileLine, line := p.blockW*p.dt.size, p.w*p.dt.size
	rows := min(p.blockH, p.h-r.block*p.blockH)
	if int64(tileLine)*int64(p.blockH) > p.room() {
		return r.bad(r.place(p, r.block), "tiles of %d x %d pixels in a page of %d bytes", p.blockH, p.blockW, p.room())
	}
	r.grow(rows * line)
	tile := make([]byte, tileLine*p.blockH)
	for x := range p.across() {
		i := r.block*p.across() + x
		in, err := r.openBlock(p, i)
		if err != nil {
			return err
		}
		if err := r.readRows(p, in, tile, tileLine, i); err != nil {
			return err
		}
		from := x * tileLine
		for y := range rows {
			copy(r.ready[y*line+from:(y+1)*line], tile[y*tileLine:(y+1)*tileLine])
		}
	}
	r.block++
	return nil
}

// undoDifference sums the differences of a row (predictor 2).
func undoDifference(b []byte, d dtype) {
	o := order(d.big)
	switch d.size {
	case 1:
		for i := 1; i < len(b); i++ {
			b[i] += b[i-1]
		}
	case 2:
		for i := 2; i+2 <= len(b); i += 2 {
			o.PutUint16(b[i:], o.Uint16(b[i:])+o.Uint16(b[i-2:]))
		}
	case 4:
		for i := 4; i+4 <= len(b); i += 4 {
			o.PutUint32(b[i:], o.Uint32(b[i:])+o.Uint32(b[i-4:]))
		}
	case 8:
		for i := 8; i+8 <= len(b); i += 8 {
			o.PutUint64(b[i:], o.Uint64(b[i:])+o.Uint64(b[i-8:]))
		}
	}
}

// undoFloat undoes predictor 3: the bytes of a row are differences, all highest
// bytes first, then all next ones. The row becomes big-endian.
func (r *tiffReader) undoFloat(b []byte, size int) {
	for i := 1; i < len(b); i++ {
		b[i] += b[i-1]
	}
	r.swap = append(r.swap[:0], b...)
	n := len(b) / size
	for i := range n {
		for j := range size {
			b[i*size+j] = r.swap[j*n+i]
		}
	}
}
