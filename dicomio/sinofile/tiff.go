package sinofile

import (
	"io"
	"strconv"
	"strings"
)

// The tags of a TIFF that matter here (TIFF 6.0, June 1992; technical note 3 for
// floating point predictors; BigTIFF by its design page).
const (
	tagSubfile     = 254
	tagWidth       = 256
	tagHeight      = 257
	tagBits        = 258
	tagCompression = 259
	tagPhotometric = 262
	tagDescription = 270
	tagStrips      = 273
	tagSamples     = 277
	tagStripRows   = 278
	tagStripBytes  = 279
	tagPredictor   = 317
	tagTileWidth   = 322
	tagTileHeight  = 323
	tagTiles       = 324
	tagTileBytes   = 325
	tagFormat      = 339
)

// tiffFile walks the chain of image directories.
type tiffFile struct {
	*source
	bigEndian bool
	wide      bool  // BigTIFF
	budget    int64 // bytes of tag values that may still be read
}

// maxPages bounds the number of directories.
const maxPages = 1 << 18

// openTIFF reads all pages of a TIFF as one array: [height][width], or
// [page][height][width].
func openTIFF(s *source) (*container, error) {
	t := &tiffFile{source: s, budget: s.size + 1<<16}
	next, err := t.start()
	if err != nil {
		return nil, err
	}
	c := &container{source: s, kind: "tiff"}
	var pages []*tiffPage
	seen := map[int64]bool{}
	for next != 0 {
		if seen[next] || len(seen) == maxPages {
			return nil, s.bad(sprintf("page %d", len(seen)), "the chain of pages runs in a loop")
		}
		seen[next] = true
		var p *tiffPage
		if p, next, err = t.page(len(seen)-1, next); err != nil {
			return nil, err
		}
		if p.reduced {
			c.note("page %d, a reduced picture, was left out", len(seen)-1)
			continue
		}
		pages = append(pages, p)
	}
	e, err := t.array(c, pages)
	if err != nil {
		return nil, err
	}
	c.entries = []*entry{e}
	return c, nil
}

// start reads the file header and returns the offset of the first directory.
func (t *tiffFile) start() (int64, error) {
	c := cursor{b: t.head(16)}
	t.bigEndian = string(c.take(2)) == "MM"
	c.big = t.bigEndian
	if c.u16() == 43 {
		t.wide = true
		if size, zero := c.u16(), c.u16(); size != 8 || zero != 0 {
			return 0, t.cannot("", "BigTIFF with offsets of %d bytes", size)
		}
	}
	first := c.i64(t.offsetSize())
	if c.over || first <= 0 {
		return 0, t.bad("", "the TIFF header points to no page")
	}
	return first, nil
}

func (t *tiffFile) offsetSize() int {
	if t.wide {
		return 8
	}
	return 4
}

// tiffPage is one image directory.
type tiffPage struct {
	number                       int
	w, h                         int
	dt                           dtype
	compression, predictor       int
	blockW, blockH               int // of a strip or tile
	tiled, reduced, minIsWhite   bool
	offsets, counts              []int64
	description                  string
	bits, samples, format, photo int
}

// page reads the directory at off.
func (t *tiffFile) page(number int, off int64) (*tiffPage, int64, error) {
	place := sprintf("page %d", number)
	countSize, entrySize := 2, int64(12)
	if t.wide {
		countSize, entrySize = 8, 20
	}
	b, err := t.bytes(off, int64(countSize), place)
	if err != nil {
		return nil, 0, err
	}
	n := (&cursor{b: b, big: t.bigEndian}).i64(countSize)
	if n < 1 || n > 4096 {
		return nil, 0, t.bad(place, "%d tags", n)
	}
	b, err = t.bytes(off+int64(countSize), n*entrySize+int64(t.offsetSize()), place)
	if err != nil {
		return nil, 0, err
	}
	p := &tiffPage{number: number, compression: 1, predictor: 1, bits: 1, samples: 1, format: 1, photo: 1, blockH: -1}
	c := &cursor{b: b, big: t.bigEndian}
	for range n {
		if err := t.tag(p, c, place); err != nil {
			return nil, 0, err
		}
	}
	next := c.i64(t.offsetSize())
	if p.reduced {
		return p, next, nil
	}
	return p, next, t.checkPage(p, place)
}

// tiffSizes are the bytes of the types of tag values.
var tiffSizes = map[int]int64{1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}

// tag reads one directory entry into p.
func (t *tiffFile) tag(p *tiffPage, c *cursor, place string) error {
	id, kind, count := c.u16(), c.u16(), c.i64(t.offsetSize())
	inline := c.take(t.offsetSize())
	size := tiffSizes[kind]
	switch id {
	case tagSubfile, tagWidth, tagHeight, tagBits, tagCompression, tagPhotometric, tagDescription, tagStrips, tagSamples, tagStripRows,
		tagStripBytes, tagPredictor, tagTileWidth, tagTileHeight, tagTiles, tagTileBytes, tagFormat:
	default:
		return nil
	}
	if size == 0 || count < 1 || count > t.size || count*size > t.budget {
		return t.bad(place, "tag %d has %d values of type %d", id, count, kind)
	}
	b := inline
	if count*size > int64(len(inline)) {
		var err error
		t.budget -= count * size
		at := (&cursor{b: inline, big: t.bigEndian}).i64(len(inline))
		if b, err = t.bytes(at, count*size, place); err != nil {
			return err
		}
	}
	if id == tagDescription {
		p.description = strings.TrimRight(string(b[:count]), "\x00")
		return nil
	}
	if kind != 1 && kind != 3 && kind != 4 && kind != 13 && kind != 16 && kind != 18 {
		return t.bad(place, "tag %d has values of type %d where whole numbers belong", id, kind)
	}
	values := make([]int64, count)
	vc := &cursor{b: b, big: t.bigEndian}
	for i := range values {
		values[i] = vc.i64(int(size))
	}
	p.set(id, values)
	return nil
}

func (p *tiffPage) set(id int, v []int64) {
	first := int(v[0])
	switch id {
	case tagSubfile:
		p.reduced = first&1 != 0
	case tagWidth:
		p.w = first
	case tagHeight:
		p.h = first
	case tagBits:
		p.bits = first
	case tagCompression:
		p.compression = first
	case tagPhotometric:
		p.photo = first
	case tagSamples:
		p.samples = first
	case tagStripRows:
		p.blockH = first
	case tagPredictor:
		p.predictor = first
	case tagFormat:
		p.format = first
	case tagTileWidth:
		p.blockW, p.tiled = first, true
	case tagTileHeight:
		p.blockH, p.tiled = first, true
	case tagStrips, tagTiles:
		p.offsets = v
	case tagStripBytes, tagTileBytes:
		p.counts = v
	}
}

// checkPage completes a page and refuses what cannot be read.
func (t *tiffFile) checkPage(p *tiffPage, place string) error {
	if p.w < 1 || p.h < 1 || p.w > 1<<24 || p.h > 1<<24 {
		return t.bad(place, "%d x %d pixels", p.h, p.w)
	}
	switch {
	case p.photo == 3:
		return t.cannot(place, "a palette picture holds colours, not a measurement")
	case p.samples != 1:
		return t.cannot(place, "%d samples a pixel: one, the measurement, is read", p.samples)
	}
	kind, ok := map[int]byte{1: 'u', 2: 'i', 3: 'f', 4: 'u'}[p.format]
	p.dt = dtype{kind: kind, size: p.bits / 8, big: t.bigEndian}
	if !ok || p.bits%8 != 0 || !p.dt.valid() {
		return t.cannot(place, "samples of %d bits in format %d (8, 16, 32 and 64 bits are read)", p.bits, p.format)
	}
	if p.predictor == 3 {
		if kind != 'f' {
			return t.bad(place, "floating-point predictor on whole numbers")
		}
		p.dt.big = true // the predictor stores the highest byte first
	}
	if p.predictor < 1 || p.predictor > 3 {
		return t.cannot(place, "predictor %d (1, 2 and 3 are read)", p.predictor)
	}
	if _, ok := tiffCodecs[p.compression]; !ok {
		return t.cannot(place, "compression %d%s (none, LZW, deflate and PackBits are read)", p.compression, tiffNames[p.compression])
	}
	if !p.tiled {
		p.blockW = p.w
		if p.blockH < 1 || p.blockH > p.h {
			p.blockH = p.h
		}
	}
	if p.blockW < 1 || p.blockH < 1 || p.blockW > 1<<24 || p.blockH > 1<<24 {
		return t.bad(place, "tiles of %d x %d pixels", p.blockH, p.blockW)
	}
	return t.checkBlocks(p, place)
}

func (t *tiffFile) checkBlocks(p *tiffPage, place string) error {
	need := p.across() * ((p.h + p.blockH - 1) / p.blockH)
	if len(p.offsets) < need {
		return t.bad(place, "%d strips or tiles where %d are needed", len(p.offsets), need)
	}
	if p.counts == nil && len(p.offsets) == 1 && p.compression == 1 {
		p.counts = []int64{int64(p.w) * int64(p.h) * int64(p.dt.size)}
	}
	if len(p.counts) < need {
		return t.bad(place, "%d byte counts of strips or tiles where %d are needed", len(p.counts), need)
	}
	p.offsets, p.counts = p.offsets[:need], p.counts[:need]
	for i, off := range p.offsets {
		if n := p.counts[i]; off < 1 || n < 1 || off > t.size || n > t.size-off {
			return t.bad(place, "strip or tile %d, %d bytes at %d, lies outside the file of %d bytes", i, n, off, t.size)
		}
	}
	return nil
}

// across is the number of tiles side by side.
func (p *tiffPage) across() int { return (p.w + p.blockW - 1) / p.blockW }

// room is the most bytes that the blocks of a page can decode to.
func (p *tiffPage) room() (n int64) {
	for _, c := range p.counts {
		n += tiffCodecs[p.compression].bound(c)
	}
	return n
}

// array makes one array of the pages, which must be alike.
func (t *tiffFile) array(c *container, pages []*tiffPage) (*entry, error) {
	if len(pages) == 0 {
		return nil, t.bad("", "the TIFF holds no page")
	}
	first := pages[0]
	e := &entry{shape: []int{first.h, first.w}, dt: first.dt}
	for _, p := range pages {
		if p.w != first.w || p.h != first.h || p.dt != first.dt {
			return nil, t.bad(sprintf("page %d", p.number), "%d x %d pixels of %s, but page %d has %d x %d of %s", p.h, p.w, p.dt, first.number, first.h, first.w, first.dt)
		}
		e.room += p.room()
	}
	if first.photo == 0 {
		c.note("the TIFF calls its smallest value white; values were taken as stored")
	}
	if len(pages) > 1 {
		e.shape = append([]int{len(pages)}, e.shape...)
	} else if n := imageJ(first.description); n > 1 && first.compression == 1 && !first.tiled {
		return t.imageJStack(c, first, n)
	}
	e.open = func() (io.Reader, error) { return &tiffReader{tiffFile: t, pages: pages}, nil }
	return e, nil
}

// imageJ is the number of pictures that ImageJ's description names; stacks above
// 4 GiB have one directory, with the other pictures behind the first.
func imageJ(description string) int {
	if !strings.HasPrefix(description, "ImageJ=") {
		return 0
	}
	for _, line := range strings.Split(description, "\n") {
		if v, ok := strings.CutPrefix(line, "images="); ok {
			n, err := strconv.Atoi(strings.TrimSpace(v))
			if err == nil {
				return n
			}
		}
	}
	return 0
}

func (t *tiffFile) imageJStack(c *container, p *tiffPage, n int) (*entry, error) {
	start := p.offsets[0]
	e := &entry{shape: []int{n, p.h, p.w}, dt: p.dt, room: t.size - start}
	if _, err := t.check(e); err != nil {
		return nil, err
	}
	c.note("%d pictures behind one directory, as ImageJ writes large stacks", n)
	e.open = func() (io.Reader, error) { return t.section(start, t.size-start), nil }
	return e, nil
}
