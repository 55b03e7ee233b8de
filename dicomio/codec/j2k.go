package codec

import (
	"bytes"
	"encoding/binary"
	"math"
)

// Markers of ITU-T T.800 table A.1.
const (
	j2kSOC = 0xFF4F
	j2kCAP = 0xFF50
	j2kSIZ = 0xFF51
	j2kCOD = 0xFF52
	j2kCOC = 0xFF53
	j2kQCD = 0xFF5C
	j2kQCC = 0xFF5D
	j2kRGN = 0xFF5E
	j2kPOC = 0xFF5F
	j2kPPM = 0xFF60
	j2kPPT = 0xFF61
	j2kSOT = 0xFF90
	j2kSOP = 0xFF91
	j2kEPH = 0xFF92
	j2kSOD = 0xFF93
	j2kEOC = 0xFFD9
)

const (
	j2kMaxLevels = 32
	j2kMaxTiles  = 65535
	j2kMaxPlanes = 30 // bit planes of a coefficient
)

// area is a rectangle of samples, its end excluded.
type area struct{ x0, y0, x1, y1 int }

func (a area) w() int { return a.x1 - a.x0 }
func (a area) h() int { return a.y1 - a.y0 }

// j2k is a code stream of one component (ITU-T T.800).
type j2k struct {
	f      Frame
	bits   int // 0 before SIZ
	signed bool
	image  area
	tile   area // the first tile, before it is cut to the image
	across int  // tiles in a row
	coding j2kCoding
	tiles  []j2kTile
}

// j2kTile is what the tile-parts of a tile say.
type j2kTile struct {
	coding *j2kCoding
	data   []byte
}

// j2kCoding is the coding style and quantisation of a tile.
type j2kCoding struct {
	progression      byte
	layers           int // 0 before COD
	levels           int
	blockX, blockY   int // exponents of a code block's size
	style            byte
	reversible       bool
	precinct         [j2kMaxLevels + 1]byte // exponents, y<<4 | x
	quantiser        byte                   // 0 none, 1 derived, 2 expounded
	guard            int
	steps            []uint16 // exponent<<11 | mantissa
	ownCOC, ownQuant bool
}

// decodeJPEG2000 decodes part 1 of JPEG 2000: both wavelets, tiles, layers,
// precincts and all block styles; no regions of interest, progression changes and
// packed headers. Reversible streams are exact; the irreversible wavelet is
// computed in float32.
func decodeJPEG2000(data []byte, f Frame) ([]byte, error) {
	data, err := unboxed(data)
	if err != nil {
		return nil, err
	}
	j := &j2k{f: f}
	if err := j.markers(data); err != nil {
		return nil, err
	}
	samples := make([]uint16, f.Rows*f.Cols)
	for i := range j.tiles {
		if err := j.decodeTile(i, samples); err != nil {
			return nil, err
		}
		j.tiles[i] = j2kTile{}
	}
	g := f
	g.Signed = f.Signed || j.signed
	return pack(samples, j.bits, g), nil
}

// unboxed finds the code stream inside a JP2 file, which DICOM forbids and some write.
func unboxed(b []byte) ([]byte, error) {
	if !bytes.HasPrefix(b, []byte("\x00\x00\x00\x0CjP  ")) {
		return b, nil
	}
	for at := 0; at+8 <= len(b); {
		n := int64(binary.BigEndian.Uint32(b[at:]))
		if n == 0 || n > int64(len(b)-at) {
			n = int64(len(b) - at)
		}
		if string(b[at+4:at+8]) == "jp2c" {
			return b[at+8 : at+int(n)], nil
		}
		if n < 8 {
			break
		}
		at += int(n)
	}
	return nil, wrong("JPEG 2000: a JP2 file without a code stream")
}

// markers reads the main header and all tile-parts.
func (j *j2k) markers(b []byte) error {
	if len(b) < 2 || binary.BigEndian.Uint16(b) != j2kSOC {
		return wrong("JPEG 2000: no start of a code stream")
	}
	for at := 2; ; {
		if at+2 > len(b) {
			return wrong("JPEG 2000: byte %d: the frame is cut", at)
		}
		if binary.BigEndian.Uint16(b[at:]) == j2kEOC {
			return j.complete()
		}
		marker, p, next, err := j2kMarker(b, at)
		if err != nil {
			return err
		}
		if marker == j2kSOT {
			next, err = j.tilePart(b, at, p)
		} else {
			err = j.parameter(marker, p, &j.coding, false)
		}
		if err != nil {
			return err
		}
		at = next
	}
}

// complete checks that there is something to decode.
func (j *j2k) complete() error {
	for i := range j.tiles {
		if j.tiles[i].coding == nil {
			return wrong("JPEG 2000: tile %d is missing: the frame is cut", i)
		}
	}
	if len(j.tiles) == 0 {
		return wrong("JPEG 2000: no tile")
	}
	return nil
}

func j2kMarker(b []byte, at int) (marker int, payload []byte, next int, err error) {
	if at+4 > len(b) {
		return 0, nil, 0, wrong("JPEG 2000: byte %d: the frame is cut", at)
	}
	marker = int(binary.BigEndian.Uint16(b[at:]))
	n := int(binary.BigEndian.Uint16(b[at+2:]))
	if marker < 0xFF00 || n < 2 || at+2+n > len(b) {
		return 0, nil, 0, wrong("JPEG 2000: byte %d: marker %04X of %d bytes, %d are left", at, marker, n, len(b)-at)
	}
	return marker, b[at+4 : at+2+n], at + 2 + n, nil
}

// tilePart reads the header of a tile-part, keeps its data and returns the offset after it.
func (j *j2k) tilePart(b []byte, start int, p []byte) (int, error) {
	if j.bits == 0 || len(p) != 8 {
		return 0, wrong("JPEG 2000: byte %d: a tile-part header of %d bytes", start, len(p))
	}
	i, n := int(binary.BigEndian.Uint16(p)), int64(binary.BigEndian.Uint32(p[2:]))
	end := start + int(n)
	if n == 0 { // the last one, up to the end of the code stream
		end = len(b)
		if bytes.HasSuffix(b[start:], []byte{0xFF, 0xD9}) {
			end -= 2
		} else if bytes.HasSuffix(b[start:], []byte{0xFF, 0xD9, 0}) {
			end -= 3
		}
	}
	if i >= len(j.tiles) || n > int64(len(b)-start) {
		return 0, wrong("JPEG 2000: byte %d: tile %d of %d, %d bytes, %d are left", start, i, len(j.tiles), n, len(b)-start)
	}
	t := &j.tiles[i]
	if t.coding == nil {
		own := j.coding
		t.coding = &own
		t.coding.ownCOC, t.coding.ownQuant = false, false
	}
	for at := start + 12; at+2 <= end; {
		if binary.BigEndian.Uint16(b[at:]) == j2kSOD {
			t.data = append(t.data[:len(t.data):len(t.data)], b[at+2:end]...)
			return end, nil
		}
		marker, p, next, err := j2kMarker(b[:end], at)
		if err == nil {
			err = j.parameter(marker, p, t.coding, true)
		}
		if err != nil {
			return 0, err
		}
		at = next
	}
	return 0, wrong("JPEG 2000: byte %d: a tile-part without data", start)
}

// parameter reads a marker segment of the main or a tile-part header.
func (j *j2k) parameter(marker int, p []byte, c *j2kCoding, inTile bool) error {
	if j.bits == 0 && marker != j2kSIZ && marker != j2kCAP {
		return wrong("JPEG 2000: marker %04X before the image's size", marker)
	}
	switch marker {
	case j2kSIZ:
		if j.bits != 0 || inTile {
			return wrong("JPEG 2000: two image sizes")
		}
		return j.size(p)
	case j2kCOD:
		return c.codingStyle(p)
	case j2kCOC:
		if len(p) < 2 || p[0] != 0 {
			return wrong("JPEG 2000: a coding style of %d bytes", len(p))
		}
		c.ownCOC = true
		return c.blocks(p[1]&1 != 0, p[2:])
	case j2kQCD:
		if c.ownQuant {
			return nil
		}
		return c.quantisation(p)
	case j2kQCC:
		if len(p) < 1 || p[0] != 0 {
			return wrong("JPEG 2000: a quantisation of %d bytes", len(p))
		}
		c.ownQuant = true
		return c.quantisation(p[1:])
	case j2kCAP:
		return unsupported("JPEG 2000: part 15 (high throughput) is not supported")
	case j2kRGN:
		return unsupported("JPEG 2000: regions of interest are not supported")
	case j2kPOC:
		return unsupported("JPEG 2000: progression changes are not supported")
	case j2kPPM, j2kPPT:
		return unsupported("JPEG 2000: packed packet headers are not supported")
	}
	return nil // comments, lengths
}

func (j *j2k) size(p []byte) error {
	if len(p) < 36 || len(p) != 36+3*int(binary.BigEndian.Uint16(p[34:])) || len(p) < 39 {
		return wrong("JPEG 2000: an image size of %d bytes", len(p))
	}
	var v [8]int
	for i := range v {
		u := binary.BigEndian.Uint32(p[2+4*i:])
		if u > math.MaxInt32 {
			return wrong("JPEG 2000: an image size of %d", u)
		}
		v[i] = int(u)
	}
	j.image = area{v[2], v[3], v[0], v[1]}
	j.tile = area{v[6], v[7], v[6] + v[4], v[7] + v[5]}
	bits := int(p[36]&0x7F) + 1
	if err := j.f.agree(j.image.h(), j.image.w(), int(binary.BigEndian.Uint16(p[34:])), bits); err != nil {
		return err
	}
	if p[37] != 1 || p[38] != 1 {
		return unsupported("JPEG 2000: samples %d x %d apart are not supported", p[37], p[38])
	}
	t := j.tile
	if t.w() < 1 || t.h() < 1 || t.x0 > j.image.x0 || t.y0 > j.image.y0 || t.x1 <= j.image.x0 || t.y1 <= j.image.y0 {
		return wrong("JPEG 2000: the first tile lies outside the image")
	}
	j.across = ceilDiv(j.image.x1-t.x0, t.w())
	n := j.across * ceilDiv(j.image.y1-t.y0, t.h())
	if n > j2kMaxTiles {
		return wrong("JPEG 2000: %d tiles", n)
	}
	j.bits, j.signed, j.tiles = bits, p[36]&0x80 != 0, make([]j2kTile, n)
	return nil
}

// codingStyle reads COD.
func (c *j2kCoding) codingStyle(p []byte) error {
	if len(p) < 10 {
		return wrong("JPEG 2000: a coding style of %d bytes", len(p))
	}
	c.progression, c.layers = p[1], int(binary.BigEndian.Uint16(p[2:]))
	if c.progression > 4 || c.layers == 0 {
		return wrong("JPEG 2000: progression %d of %d layers", c.progression, c.layers)
	}
	if c.ownCOC {
		return nil
	}
	return c.blocks(p[0]&1 != 0, p[5:])
}

// blocks reads the part that COD and COC share.
func (c *j2kCoding) blocks(precincts bool, p []byte) error {
	if len(p) < 5 {
		return wrong("JPEG 2000: a coding style of %d bytes", len(p))
	}
	c.levels, c.blockX, c.blockY, c.style, c.reversible = int(p[0]), int(p[1]&15)+2, int(p[2]&15)+2, p[3], p[4] == 1
	switch {
	case c.levels > j2kMaxLevels || c.blockX > 10 || c.blockY > 10 || c.blockX+c.blockY > 12 || p[4] > 1:
		return wrong("JPEG 2000: %d levels, code blocks of 2^%d x 2^%d, wavelet %d", c.levels, c.blockX, c.blockY, p[4])
	case c.style&0xC0 != 0:
		return unsupported("JPEG 2000: high-throughput code blocks are not supported")
	case precincts && len(p) < 5+c.levels+1:
		return wrong("JPEG 2000: %d precinct sizes of %d", len(p)-5, c.levels+1)
	}
	for i := range c.levels + 1 {
		c.precinct[i] = 0xFF
		if precincts {
			c.precinct[i] = p[5+i]
		}
		if e := c.precinct[i]; i > 0 && (e&15 == 0 || e>>4 == 0) {
			return wrong("JPEG 2000: precincts of a size of 2^0 at level %d", i)
		}
	}
	return nil
}

func (c *j2kCoding) quantisation(p []byte) error {
	if len(p) < 2 || p[0]&31 > 2 {
		return wrong("JPEG 2000: a quantisation of %d bytes", len(p))
	}
	c.quantiser, c.guard, c.steps = p[0]&31, int(p[0]>>5), nil
	for p = p[1:]; len(p) > 0 && len(c.steps) <= 3*j2kMaxLevels; {
		switch {
		case c.quantiser == 0:
			c.steps = append(c.steps, uint16(p[0]>>3)<<11)
			p = p[1:]
		case len(p) == 1:
			return wrong("JPEG 2000: a quantisation step is cut")
		default:
			c.steps = append(c.steps, binary.BigEndian.Uint16(p))
			p = p[2:]
		}
	}
	return nil
}

// step is the exponent and mantissa of band b (0 is LL) of level (1 is the finest).
func (c *j2kCoding) step(b, level int) (exponent, mantissa int) {
	if c.quantiser == 1 {
		s := c.steps[0]
		return int(s>>11) - c.levels + level, int(s & 0x7FF)
	}
	s := c.steps[b]
	return int(s >> 11), int(s & 0x7FF)
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// ceilShift is a / 2^n, rounded up; a is not negative.
func ceilShift(a, n int) int { return (a + 1<<n - 1) >> n }
