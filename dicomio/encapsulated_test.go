package dicomio

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// framePixels reads the decoded bytes of a file's frame, and its HU.
func framePixels(t *testing.T, name string, b []byte) ([]byte, *file, error) {
	t.Helper()
	l, err := preflight(inMemory(name, b))
	if err != nil {
		return nil, nil, err
	}
	ds, _, err := parseHeader(name, l)
	if err != nil {
		return nil, nil, err
	}
	h := &header{file: name, ds: ds}
	im := h.imageOf()
	if h.err != nil {
		return nil, nil, h.err
	}
	px := l.in.b[l.at : l.at+l.length]
	if l.encapsulated {
		frames, err := l.frames(name, 1)
		if err != nil {
			return nil, nil, err
		}
		if px, err = im.decode(name, l.syntax, frames[0]); err != nil {
			return nil, nil, err
		}
	}
	f, err := readFile(name, b)
	return px, f, err
}

func testFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "compressed", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// nearly are files whose pixels are allowed to differ from another decoder's: the
// irreversible wavelet is computed in floating point.
var nearly = map[string]int{"j2k.97-u12.dcm": 1}

// TestCompressed: every compressed file has the pixels of its uncompressed source,
// or of its maker's own decoder where compression loses something.
func TestCompressed(t *testing.T) {
	names, err := filepath.Glob("testdata/compressed/*-*.dcm")
	if err != nil || len(names) < 25 {
		t.Fatalf("%d files (%v)", len(names), err)
	}
	for _, path := range names {
		t.Run(filepath.Base(path), func(t *testing.T) {
			base := filepath.Base(path)
			px, f, err := framePixels(t, base, testFile(t, base))
			if err != nil {
				t.Fatal(err)
			}
			source := base[strings.LastIndex(base, "-")+1:]
			want, wantHU, err := framePixels(t, source, testFile(t, source))
			if err != nil {
				t.Fatal(err)
			}
			raw, err := os.ReadFile(strings.TrimSuffix(path, ".dcm") + ".raw")
			lossy := err == nil
			if lossy {
				want = raw
			}
			if strings.HasPrefix(base, "big") {
				px = swapped(px)
			}
			if d := largest(px, want, f.image.allocated); d > nearly[base] || len(px) != len(want) {
				t.Fatalf("%d bytes, off by up to %d; want %d bytes, off by %d", len(px), d, len(want), nearly[base])
			}
			for i, v := range f.slice.HU {
				if !lossy && v != wantHU.slice.HU[i] {
					t.Fatalf("pixel %d: %g HU, uncompressed %g", i, v, wantHU.slice.HU[i])
				}
			}
		})
	}
}

func swapped(b []byte) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[i] = b[i^1]
	}
	return out
}

// largest is the largest difference of two frames of words.
func largest(a, b []byte, bits int) int {
	d := 0
	for i := 0; i+bits/8 <= min(len(a), len(b)); i += bits / 8 {
		x, y := int(a[i]), int(b[i])
		if bits == 16 {
			x, y = int(binary.LittleEndian.Uint16(a[i:])), int(binary.LittleEndian.Uint16(b[i:]))
		}
		d = max(d, x-y, y-x)
	}
	return d
}

// TestCompressedTruncation: a compressed file cut anywhere is an error.
func TestCompressedTruncation(t *testing.T) {
	for _, name := range []string{"rle-s16.dcm", "rle.fragments-u12.dcm", "rle.extended-s16.dcm", "deflated-s16.dcm", "wrapped-u12.dcm"} {
		b := testFile(t, name)
		for n := 132; n < len(b)-8; n += 61 {
			f, err := readFile(name, b[:n])
			if err == nil && f.skip == "" {
				t.Errorf("%s cut after %d of %d bytes: read without an error", name, n, len(b))
			}
		}
	}
}

// replaced gives a test file with the n-th occurrence of old replaced.
func replaced(t *testing.T, name string, old, with []byte) []byte {
	t.Helper()
	b := testFile(t, name)
	if !bytes.Contains(b, old) {
		t.Fatalf("%s has no % x", name, old)
	}
	return bytes.Replace(b, old, with, 1)
}

var (
	pixelTag  = []byte{0xE0, 0x7F, 0x10, 0x00, 'O', 'B', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF}
	emptyBOT  = []byte{0xFE, 0xFF, 0x00, 0xE0, 0, 0, 0, 0}
	delimiter = []byte{0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0}
)

func join(b ...[]byte) []byte { return bytes.Join(b, nil) }

func TestEncapsulationRefused(t *testing.T) {
	const base = "wrapped-u12.dcm" // its offset table is empty
	rows := []byte{0x28, 0, 0x10, 0, 'U', 'S', 2, 0}
	tests := []struct {
		name string
		b    []byte
		want string
		kind any
	}{
		{"a syntax nobody knows", replaced(t, base, []byte("1.2.840.10008.1.2.1.98"), []byte("1.2.840.10008.1.2.9.98")), "transfer syntax 1.2.840.10008.1.2.9.98 (unknown) is not supported; decompress", &UnsupportedError{}},
		{"JPEG progressive", replaced(t, "baseline-u8.dcm", []byte("1.2.840.10008.1.2.4.50"), []byte("1.2.840.10008.1.2.4.53")), "1.2.840.10008.1.2.4.53 (JPEG spectral selection) is not supported; decompress", &UnsupportedError{}},
		{"JPIP deflated", replaced(t, "baseline-u8.dcm", []byte("1.2.840.10008.1.2.4.50"), []byte("1.2.840.10008.1.2.4.95")), "JPIP referenced deflated", &UnsupportedError{}},
		{"no table", replaced(t, base, join(pixelTag, emptyBOT), join(pixelTag, delimiter)), "without an offset table", &FormatError{}},
		{"no fragment", replaced(t, base, join(pixelTag, emptyBOT), join(pixelTag, emptyBOT, delimiter)), "without a fragment", &FormatError{}},
		{"two frames", replaced(t, base, join(pixelTag, emptyBOT), join(pixelTag, emptyBOT[:4], []byte{8, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0})), "the basic offset table is wrong: 8 bytes, the header says 1 frame(s)", &FormatError{}},
		{"a table of 3 bytes", replaced(t, base, join(pixelTag, emptyBOT), join(pixelTag, emptyBOT[:4], []byte{3, 0, 0, 0, 0, 0, 0})), "basic offset table is wrong", &FormatError{}},
		{"an element inside", replaced(t, base, join(pixelTag, emptyBOT), join(pixelTag, []byte{0x28, 0, 0x10, 0, 0, 0, 0, 0})), "(0028,0010) Rows inside encapsulated pixel data", &FormatError{}},
		{"a length", replaced(t, base, pixelTag, join(pixelTag[:8], []byte{8, 0, 0, 0})), "needs fragments", &FormatError{}},
		{"fragments of a plain file", replaced(t, "u12.dcm", []byte{0xE0, 0x7F, 0x10, 0, 'O', 'W', 0, 0, 0, 0x18, 0, 0}, pixelTag), "uncompressed transfer syntax", &FormatError{}},
		{"too few bytes", replaced(t, base, join(rows, []byte{48, 0}), join(rows, []byte{49, 0})), "the file is cut", &FormatError{}},
		{"RLE of fewer rows", replaced(t, "rle-u12.dcm", join(rows, []byte{48, 0}), join(rows, []byte{49, 0})), "RLE pixel data: RLE segment 1: ends after", &FormatError{}},
		{"an extended length", replaced(t, "rle.extended-s16.dcm", []byte{0xE0, 0x7F, 2, 0, 'O', 'V', 0, 0, 8, 0, 0, 0}, []byte{0xE0, 0x7F, 2, 0, 'O', 'V', 0, 0, 0, 0, 0, 0x10}), "the file is cut or wrong", &FormatError{}},
	}
	for _, tt := range tests {
		_, err := readFile("x", tt.b)
		f, u := (*FormatError)(nil), (*UnsupportedError)(nil)
		_, isFormat := tt.kind.(*FormatError)
		if err == nil || !strings.Contains(err.Error(), tt.want) || errors.As(err, &f) != isFormat || errors.As(err, &u) == isFormat {
			t.Errorf("%s: %T %v, want %T %q", tt.name, err, err, tt.kind, tt.want)
		}
	}
}

// TestUnnamed: elements that somebody wrote with VR UN are read as the dictionary
// has them.
func TestUnnamed(t *testing.T) {
	want, err := readFile("plain", testFile(t, "u12.dcm"))
	if err != nil {
		t.Fatal(err)
	}
	b := testFile(t, "rle-u12.dcm")
	for _, e := range []string{"\x08\x00\x05\x00CS", "\x08\x00\x60\x00CS", "\x20\x00\x32\x00DS", "\x28\x00\x10\x00US", "\x28\x00\x30\x00DS", "\x28\x00\x52\x10DS", "\x28\x00\x53\x10DS"} {
		i := bytes.Index(b, []byte(e))
		if i < 0 {
			t.Fatalf("no element %q", e)
		}
		b = join(b[:i+4], []byte{'U', 'N', 0, 0, b[i+6], b[i+7], 0, 0}, b[i+8:])
	}
	got, err := readFile("unnamed", b)
	if err != nil {
		t.Fatal(err)
	}
	if got.slice.Position != want.slice.Position || got.pixel != want.pixel || !slices.Equal(got.slice.HU, want.slice.HU) {
		t.Errorf("position %v, pixels of %v mm; want %v, %v", got.slice.Position, got.pixel, want.slice.Position, want.pixel)
	}
}

// TestUnnamedBigEndian: text with VR UN is read, numbers are not: nobody knows the order
// of their bytes. dcmtk names a class of its own in the meta information of such a file.
func TestUnnamedBigEndian(t *testing.T) {
	want, err := readFile("plain", testFile(t, "big-s16.dcm"))
	if err != nil {
		t.Fatal(err)
	}
	unname := func(b []byte, e string) []byte {
		i := bytes.Index(b, []byte(e))
		if i < 0 {
			t.Fatalf("no element %q", e)
		}
		return join(b[:i+4], []byte{'U', 'N', 0, 0, 0, 0, b[i+6], b[i+7]}, b[i+8:])
	}
	b := testFile(t, "big-s16.dcm")
	for _, e := range []string{"\x00\x08\x00\x16UI", "\x00\x08\x00\x60CS", "\x00\x20\x00\x32DS", "\x00\x28\x00\x30DS", "\x00\x28\x10\x53DS"} {
		b = unname(b, e)
	}
	class := []byte("UI\x1a\x001.2.840.10008.5.1.4.1.1.2\x00")
	if bytes.Count(b, class) != 1 {
		t.Fatalf("%d classes in the meta information", bytes.Count(b, class))
	}
	b = bytes.Replace(b, class, []byte("UI\x1a\x001.2.276.0.7230010.3.1.0.1\x00"), 1)
	got, err := readFile("unnamed", b)
	if err != nil || got.skip != "" {
		t.Fatalf("%+v, %v", got, err)
	}
	if got.slice.Position != want.slice.Position || got.pixel != want.pixel || !slices.Equal(got.slice.HU, want.slice.HU) {
		t.Errorf("position %v, pixels of %v mm; want %v, %v", got.slice.Position, got.pixel, want.slice.Position, want.pixel)
	}
	if _, err := readFile("rows", unname(b, "\x00\x28\x00\x10US")); err == nil || !strings.Contains(err.Error(), "(0028,0010) Rows: is missing") {
		t.Errorf("rows with VR UN: %v", err)
	}
}

// TestLossyNote: the reader of a result is told what its source went through.
func TestLossyNote(t *testing.T) {
	tests := []struct {
		name string
		want bool
	}{{"baseline-u8", true}, {"near3-u12", true}, {"jls-u12", false}, {"j2k-s16", false}, {"u8", false}}
	for _, tt := range tests {
		s, err := ReadSeries(filepath.Join("testdata", "compressed", tt.name+".dcm"), 1)
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.Contains(s[0].Notes, "1 slice(s) were compressed with loss"); got != tt.want {
			t.Errorf("%s: notes %q", tt.name, s[0].Notes)
		}
	}
}

func TestInflateBound(t *testing.T) {
	bomb := func(n int) []byte {
		var b bytes.Buffer
		w, _ := flate.NewWriter(&b, 9)
		w.Write(make([]byte, n))
		w.Close()
		return b.Bytes()
	}
	tests := []struct {
		name string
		b    []byte
		want string
	}{
		{"a bomb", bomb(deflateFree + 1<<24), "expand to more than"},
		{"no deflate", []byte("\xFF\xFF\xFF\xFF"), "wrong or cut"},
		{"cut", bomb(1000)[:5], "wrong or cut"},
	}
	for _, tt := range tests {
		_, err := inflate("x", append([]byte("meta"), tt.b...), 4)
		if f := (*FormatError)(nil); !errors.As(err, &f) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	if got, err := inflate("x", append([]byte("meta"), bomb(1000)...), 4); err != nil || len(got) != 1004 || string(got[:4]) != "meta" {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// TestUnwantedCompressed: an object that is no CT slice is left out, whatever its
// compression and its frames.
func TestUnwantedCompressed(t *testing.T) {
	ct, mr := []byte("CS\x02\x00CT"), []byte("CS\x02\x00MR")
	two := replaced(t, "wrapped-u12.dcm", join(pixelTag, emptyBOT), join(pixelTag, emptyBOT[:4], []byte{8, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0}))
	tests := []struct {
		name string
		b    []byte
	}{
		{"progressive", replaced(t, "baseline-u8.dcm", []byte("1.2.840.10008.1.2.4.50"), []byte("1.2.840.10008.1.2.4.53"))},
		{"two frames", two},
	}
	for _, tt := range tests {
		f, err := readFile(tt.name, bytes.Replace(tt.b, ct, mr, 1))
		if err != nil || f.skip != "modality MR is not CT" {
			t.Errorf("%s: %+v, %v", tt.name, f, err)
		}
	}
}
