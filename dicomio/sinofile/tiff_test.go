package sinofile

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Files of tifffile in every element type, byte order, compression, predictor
// and arrangement hold what make.py put in.
func TestTIFF(t *testing.T) {
	tests := map[string][]int{
		"deflate_p2_u2": {7, 20}, "deflate_p2_u4_big": {7, 20}, "lzw_u1": {90, 97}, "lzw_p2_u2": {40, 50}, "lzw_p3_f4": {7, 20},
		"deflate_p3_f4_big": {7, 20}, "deflate_p3_f8": {7, 20}, "packbits_u1": {7, 20}, "packbits_u2": {7, 20}, "tiles_u2": {20, 37},
		"tiles_deflate_p2_u2": {20, 37}, "tiles_p3_f4": {20, 37}, "bigtiff_f4": {7, 20}, "bigtiff_u2_big": {7, 20}, "pages_u2": {5, 6, 8},
		"pages_deflate_f4": {5, 6, 8}, "white_u1": {7, 20}, "imagej": {4, 6, 8},
	}
	for _, d := range []string{"u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8"} {
		tests["plain_"+d], tests["plain_"+d+"_big"] = []int{7, 20}, []int{7, 20}
	}
	for name, shape := range tests {
		t.Run(name, func(t *testing.T) {
			c := opened(t, name+".tif")
			d := dtype{kind: 'u', size: 2}
			for _, w := range strings.Split(name, "_") {
				if p, ok := parseDType(w); ok && len(w) == 2 && w[0] != 'p' {
					d = p
				}
			}
			holds(t, c, c.entries[0], d, shape, nil)
			if c.kind != "tiff" || len(c.entries) != 1 {
				t.Errorf("%s with %d arrays", c.kind, len(c.entries))
			}
		})
	}
	if c := opened(t, "white_u1.tif"); !hasNote(c.notes, "smallest value white") {
		t.Errorf("notes %q", c.notes)
	}
	if c := opened(t, "imagej.tif"); !hasNote(c.notes, "4 pictures behind one directory") {
		t.Errorf("notes %q", c.notes)
	}
}

func testdata(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// patchTag sets the value of a tag in the first directory of a little-endian
// classic TIFF.
func patchTag(t *testing.T, b []byte, tag uint16, value uint32) []byte {
	t.Helper()
	b = bytes.Clone(b)
	off := binary.LittleEndian.Uint32(b[4:])
	n := int(binary.LittleEndian.Uint16(b[off:]))
	for i := range n {
		e := b[int(off)+2+12*i:]
		if binary.LittleEndian.Uint16(e) == tag {
			binary.LittleEndian.PutUint32(e[8:], value)
			return b
		}
	}
	t.Fatalf("no tag %d", tag)
	return nil
}

// patchNext sets the pointer to the next directory of the first one.
func patchNext(b []byte, value uint32) []byte {
	b = bytes.Clone(b)
	off := binary.LittleEndian.Uint32(b[4:])
	n := uint32(binary.LittleEndian.Uint16(b[off:]))
	binary.LittleEndian.PutUint32(b[off+2+12*n:], value)
	return b
}

func TestTIFFMalformed(t *testing.T) {
	plain, pages := testdata(t, "plain_u2.tif"), testdata(t, "pages_u2.tif")
	deflated, tiles := testdata(t, "deflate_p2_u2.tif"), testdata(t, "tiles_u2.tif")
	first := binary.LittleEndian.Uint32(pages[4:])
	tests := []struct {
		name        string
		file        []byte
		unsupported bool
		words       string
	}{
		{"palette", testdata(t, "palette_u1.tif"), true, "a palette picture"},
		{"colour", testdata(t, "rgb_u1.tif"), true, "3 samples a pixel"},
		{"Zstandard", testdata(t, "zstd_u2.tif"), true, "compression 50000 (Zstandard)"},
		{"pages of different sizes", testdata(t, "sizes.tif"), false, "7 x 21 pixels of uint16, but page 0 has 7 x 20"},
		{"loop of pages", patchNext(pages, first), false, "runs in a loop"},
		{"next page outside", patchNext(pages, 1<<30), false, "page 1"},
		{"strip outside", patchTag(t, plain, tagStrips, 1<<30), false, "lies outside the file"},
		{"strip too short", patchTag(t, plain, tagStripBytes, 10), false, "at most 10 are there"},
		{"strip longer than the file", patchTag(t, plain, tagStripBytes, 1<<31), false, "lies outside the file"},
		{"no height", patchTag(t, plain, tagHeight, 0), false, "0 x 20 pixels"},
		{"huge width", patchTag(t, plain, tagWidth, 1<<31), false, "2147483648 pixels"},
		{"twelve bits", patchTag(t, plain, tagBits, 12), true, "12 bits in format 1"},
		{"complex samples", patchTag(t, testdata(t, "plain_i2.tif"), tagFormat, 6), true, "in format 6"},
		{"predictor 9", patchTag(t, deflated, tagPredictor, 9), true, "predictor 9"},
		{"float predictor on integers", patchTag(t, deflated, tagPredictor, 3), false, "floating-point predictor on whole numbers"},
		{"few strips", patchTag(t, deflated, tagStripRows, 1), false, "3 strips or tiles where 7 are needed"},
		{"tiles without width", patchTag(t, tiles, tagTileWidth, 0), false, "tiles of 16 x 0"},
		{"huge tiles", patchTag(t, tiles, tagTileWidth, 1<<23), false, ""},
		{"cut in half", plain[:len(plain)/2], false, ""},
		{"pages cut in half", pages[:len(pages)/2], false, ""},
		{"header only", plain[:8], false, ""},
		{"no page", append([]byte("II*\x00"), 0, 0, 0, 0), false, "points to no page"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Read(put(t, "a.tif", tt.file), Options{Axes: "view,bin"})
			wantError(t, err, tt.unsupported, "a.tif: ", tt.words)
		})
	}
}

// Compressed data that are damaged end in an error, not in wrong values; a
// damaged LZW string may be another legal one, so only its end is looked at.
func TestTIFFDamaged(t *testing.T) {
	for _, name := range []string{"deflate_p2_u2.tif", "deflate_p3_f8.tif", "pages_deflate_f4.tif"} {
		b := testdata(t, name)
		s := memorySource("a.tif", b, defaultLimit)
		c, err := openTIFF(s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.load32(c.entries[0]); err != nil {
			t.Fatal(err)
		}
		at := int(findStrip(t, b))
		for i := range 6 {
			b[at+2+i] = 0xff
		}
		_, err = c.load32(c.entries[0])
		wantError(t, err, false, "block 0", "damaged")
	}
}

func findStrip(t *testing.T, b []byte) int64 {
	t.Helper()
	f := &tiffFile{source: memorySource("a.tif", b, defaultLimit), budget: 1 << 20}
	next, err := f.start()
	if err != nil {
		t.Fatal(err)
	}
	p, _, err := f.page(0, next)
	if err != nil {
		t.Fatal(err)
	}
	return p.offsets[0]
}

// LZW: codes that do not exist are refused; strings of every length come out.
func TestLZW(t *testing.T) {
	pack := func(codes ...uint32) (out []byte) { // nine bits each
		acc, bits := uint64(0), 0
		for _, c := range codes {
			acc, bits = acc<<9|uint64(c), bits+9
			for ; bits >= 8; bits -= 8 {
				out = append(out, byte(acc>>(bits-8)))
			}
		}
		return append(out, byte(acc<<(8-bits)))
	}
	tests := []struct {
		name string
		in   []byte
		want string
		bad  bool
	}{
		{"the example of the specification", pack(256, 7, 258, 8, 8, 258, 6, 6, 257), "\x07\x07\x07\x08\x08\x07\x07\x06\x06", false},
		{"nothing", pack(256, 257), "", false},
		{"no end code", pack(256, 65, 66)[:3], "A", false},
		{"two clears", pack(256, 65, 256, 66, 257), "AB", false},
		{"a string in itself", pack(256, 65, 258, 259, 257), "AAAAAA", false},
		{"a code too early", pack(256, 258), "", true},
		{"a code beyond", pack(256, 65, 300), "A", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var buf bytes.Buffer
			_, err := buf.ReadFrom(newLZW(bytes.NewReader(tt.in)))
			if buf.String() != tt.want || (err != nil) != tt.bad {
				t.Errorf("%q (%v), want %q", buf.String(), err, tt.want)
			}
		})
	}
}

func TestPackBits(t *testing.T) {
	// the example of TIFF 6.0, section 9
	in := []byte{0xfe, 0xaa, 0x02, 0x80, 0x00, 0x2a, 0xfd, 0xaa, 0x03, 0x80, 0x00, 0x2a, 0x22, 0xf7, 0xaa}
	want := "\xaa\xaa\xaa\x80\x00\x2a\xaa\xaa\xaa\xaa\x80\x00\x2a\x22" + strings.Repeat("\xaa", 10)
	r, err := tiffCodecs[32773].open(bytes.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if _, err := buf.ReadFrom(r); err != nil || buf.String() != want {
		t.Errorf("%x (%v), want %x", buf.Bytes(), err, want)
	}
	r, _ = tiffCodecs[32773].open(bytes.NewReader(in[:3]))
	if _, err := buf.ReadFrom(r); err == nil {
		t.Error("cut data were accepted")
	}
}

// A stack of pages is a scan whose pages are views.
func TestTIFFStack(t *testing.T) {
	p := stack(3, half180, 64)
	n := map[axis]int{rowAxis: 3, viewAxis: 45, binAxis: 64}
	data := permuted(p, n, []axis{viewAxis, rowAxis, binAxis})
	s := mustRead(t, put(t, "a.tif", tiffStack(data, 45, 3, 64)), Options{})
	wantNote(t, s, "axes read as view,row,bin")
	for r := range 3 {
		if got, _ := s.Slice(r); far(got, p[r*45*64:(r+1)*45*64]) != 0 {
			t.Errorf("row %d differs", r)
		}
	}
}

// tiffStack writes float32 pages without compression.
func tiffStack(data []float32, pages, h, w int) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32([]byte("II*\x00"), 8)
	size := 4 * h * w
	for p := range pages {
		tags := [][2]uint32{{tagWidth, uint32(w)}, {tagHeight, uint32(h)}, {tagBits, 32}, {tagCompression, 1}, {tagPhotometric, 1}, {tagStrips, 0},
			{tagSamples, 1}, {tagStripRows, uint32(h)}, {tagStripBytes, uint32(size)}, {tagFormat, 3}}
		at := uint32(len(b) + 2 + 12*len(tags) + 4)
		b = le.AppendUint16(b, uint16(len(tags)))
		for _, tag := range tags {
			if tag[0] == tagStrips {
				tag[1] = at
			}
			b = le.AppendUint32(le.AppendUint32(le.AppendUint16(le.AppendUint16(b, uint16(tag[0])), 4), 1), tag[1])
		}
		next := at + uint32(size)
		if p == pages-1 {
			next = 0
		}
		b = append(le.AppendUint32(b, next), floats(data[p*h*w:(p+1)*h*w]...)...)
	}
	return b
}

func TestPNG(t *testing.T) {
	for name, size := range map[string]int{"grey8.png": 1, "grey16.png": 2} {
		c := opened(t, name)
		holds(t, c, c.entries[0], dtype{kind: 'u', size: size}, []int{7, 20}, nil)
	}
	b := testdata(t, "grey16.png")
	huge := bytes.Clone(b)
	binary.BigEndian.PutUint32(huge[16:], 1<<23)
	for _, tt := range []struct {
		name        string
		file        []byte
		unsupported bool
		words       string
	}{
		{"colour.png", testdata(t, "colour.png"), true, "in colour"},
		{"cut.png", b[:len(b)/2], false, ""},
		{"huge.png", huge, false, ""},
	} {
		_, err := Read(put(t, tt.name, tt.file), Options{})
		wantError(t, err, tt.unsupported, tt.name, tt.words)
	}
}
