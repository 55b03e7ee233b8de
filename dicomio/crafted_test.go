package dicomio

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/suyashkumar/dicom/pkg/tag"
)

// with puts elements into a file of explicit VR little endian, in their order, in place
// of those of the same tag.
func with(t *testing.T, b []byte, elements ...[]byte) []byte {
	t.Helper()
	order := func(at []byte) uint32 {
		return uint32(binary.LittleEndian.Uint16(at))<<16 | uint32(binary.LittleEndian.Uint16(at[2:]))
	}
	for _, e := range elements {
		w := &walker{file: "x", in: inMemory("x", b), order: binary.LittleEndian}
		at, err := w.meta(&layout{})
		for err == nil && at < len(b) && order(b[at:]) <= order(e) {
			next, er := w.next(at, len(b))
			if er != nil {
				t.Fatal(er)
			}
			end, er := w.skip(next, len(b), 0)
			if er != nil {
				t.Fatal(er)
			}
			if order(b[at:]) == order(e) {
				b = join(b[:at], b[end:])
				break
			}
			at = end
		}
		if err != nil {
			t.Fatal(err)
		}
		b = join(b[:at], e, b[at:])
	}
	return b
}

// nested is a sequence in a sequence and so on.
func nested(depth int) []byte {
	const head = "\x40\x00\x30\xA7SQ\x00\x00\xFF\xFF\xFF\xFF" + "\xFE\xFF\x00\xE0\xFF\xFF\xFF\xFF"
	const tail = "\xFE\xFF\x0D\xE0\x00\x00\x00\x00" + "\xFE\xFF\xDD\xE0\x00\x00\x00\x00"
	return []byte(strings.Repeat(head, depth) + strings.Repeat(tail, depth))
}

// claim is an element of a VR with 32-bit length that says it is n bytes long.
func claim(e []byte, n uint32) []byte {
	e = bytes.Clone(e)
	binary.LittleEndian.PutUint32(e[8:], n)
	return e
}

// TestCrafted: inputs that make usual libraries fall or lose data silently. Each is an
// error of one of the two kinds, or read right, in little memory (TestMutants bounds it).
func TestCrafted(t *testing.T) {
	good := slab{number: 1}.bytes()
	frames := join(enhancedHeader(1, 8, 8), el(0x7FE0, 0x10, "OW", make([]byte, 128)))
	before := func(e []byte) []byte { // SamplesPerPixel
		return bytes.Replace(good, el(0x28, 2, "US", 1), join(e, el(0x28, 2, "US", 1)), 1)
	}
	open := []byte("\x24\x00\x30\xA7SQ\x00\x00\xFF\xFF\xFF\xFF\xFE\xFF\x00\xE0\xFF\xFF\xFF\xFF")
	tests := []struct {
		name, want string // "" is read as the good file is
		b          []byte
	}{
		{"as it is", "", good},
		{"nested 20 deep", "", with(t, good, nested(20))},
		{"nested 10,000 deep", "sequences nested more than 32 deep", before(append([]byte("\x24\x00"), nested(10_000)[2:]...))},
		{"text of 4 GB", "needs 4294967280 bytes", before(claim(el(0x24, 8, "UT", "much"), 0xFFFFFFF0))},
		{"numbers that the library cannot read", "", with(t, good, el(0x40, 0x10, "OV", make([]byte, 16)), el(0x40, 0x11, "SV", make([]byte, 8)), el(0x40, 0x12, "UV", make([]byte, 8)))},
		{"an unknown character set", "", with(t, good, el(8, 5, "CS", "ISO_IR 999"))},
		{"Latin 9", "", with(t, good, el(8, 5, "CS", "ISO_IR 203"))},
		{"Thai", "", with(t, good, el(8, 5, "CS", "ISO_IR 166"))},
		{"rows without a value", "(0028,0010) Rows: is missing", with(t, good, el(0x28, 0x10, "US", []byte{}))},
		{"bits without a value", "(0028,0100) BitsAllocated: is missing", with(t, good, el(0x28, 0x100, "US", []byte{}))},
		{"no item in a sequence", "inside sequence (0040,A730) ContentSequence where an item is due", with(t, good, el(0x40, 0xA730, "SQ", []byte("\x40\x00\x01\x00\x04\x00\x00\x00abcd")))},
		{"an item without an end", "an item has no end", before(open)},
		{"floating point pixels", "floating point pixel data are not supported", with(t, good, el(0x7FE0, 8, "OF", make([]byte, 256)))},
		{"frames beyond 32 bits", "is not supported (1 to 100000 are)", bytes.Replace(frames, el(0x28, 8, "IS", "1"), el(0x28, 8, "IS", "67108865"), 1)},
		{"an unknown VR", `has VR "XX"`, with(t, good, el(0x40, 1, "XX", "x"))},
		{"zeros after the pixels", "", join(good, make([]byte, 512))},
		{"padding after the pixels", "", join(good, el(0xFFFC, 0xFFFC, "OB", make([]byte, 32)))},
		{"something after the pixels", "after the pixel data", join(good, []byte("and more of it"))},
		{"elements out of order", "elements must ascend", join(good[:len(good)-140], el(8, 5, "CS", "ISO_IR 100"), good[len(good)-140:])},
	}
	want, err := readFile("good", good)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files, err := readObject(inMemory("x", tt.b), 1)
			if tt.want != "" {
				if f, u := (*FormatError)(nil), (*UnsupportedError)(nil); err == nil || !strings.Contains(err.Error(), tt.want) || !errors.As(err, &f) && !errors.As(err, &u) {
					t.Fatalf("%v, want %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if files[0].skip != "" || !slices.Equal(files[0].slice.HU, want.slice.HU) {
				t.Errorf("left out (%s) or other pixels", files[0].skip)
			}
		})
	}
}

// TestOddHeads: what stands before the data set.
func TestOddHeads(t *testing.T) {
	good := slab{number: 1}.bytes()
	long := bytes.Clone(good)
	binary.LittleEndian.PutUint32(long[140:], 9999)
	filled := append(bytes.Repeat([]byte("II*\x00"), 32), good[128:]...) // a dual-use TIFF preamble
	tests := []struct {
		name, want string
		b          []byte
	}{
		{"a wrong group length", "", long},
		{"no group length", "", join(good[:132], good[144:])},
		{"a preamble in use", "", filled},
		{"no preamble", "no DICM at byte 128", good[132:]},
		{"gzip", "no DICM at byte 128", append([]byte{0x1F, 0x8B, 8}, make([]byte, 300)...)},
		{"nothing but the preamble", "TransferSyntaxUID is missing", good[:132]},
		{"empty", "no DICM at byte 128", nil},
	}
	for _, tt := range tests {
		s, err := ReadObject(fileOf(t, tt.b), 1)
		if tt.want == "" && (err != nil || s.Slices[0].HU[9] != 9-1024) || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestStoredValues: bits above the stored ones are masked, signs extended, padding
// replaced; MONOCHROME1 inverts nothing.
func TestStoredValues(t *testing.T) {
	word := func(bits int, v ...int32) []byte {
		var b []byte
		for i := range 64 {
			switch x := uint32(v[i%len(v)]); bits {
			case 8:
				b = append(b, byte(x))
			case 16:
				b = binary.LittleEndian.AppendUint16(b, uint16(x))
			default:
				b = binary.LittleEndian.AppendUint32(b, x)
			}
		}
		return el(0x7FE0, 0x10, map[int]string{8: "OB", 16: "OW", 32: "OW"}[bits], b)
	}
	depth := func(allocated, stored, signed int) []byte {
		return join(el(0x28, 0x100, "US", allocated), el(0x28, 0x101, "US", stored), el(0x28, 0x102, "US", stored-1), el(0x28, 0x103, "US", signed))
	}
	list := func(b []byte) (out [][]byte) { // of elements of US, 10 bytes each
		for ; len(b) > 0; b = b[10:] {
			out = append(out, b[:10])
		}
		return out
	}
	pad := func(v, limit int) []byte { return join(el(0x28, 0x120, "US", v), el(0x28, 0x121, "US", limit)) }
	tests := []struct {
		name  string
		parts [][]byte
		px    []byte
		want  []float32 // stored value, rescaled by v-1024; NaN is padding
	}{
		{"12 bits, overlay above", list(depth(16, 12, 0)), word(16, 0x7123, 0x0FFF), []float32{0x123, 0xFFF}},
		{"12 bits signed, overlay above", list(depth(16, 12, 1)), word(16, 0x0800, 0x57FF), []float32{-2048, 2047}},
		{"16 bits unsigned", list(depth(16, 16, 0)), word(16, 65535, 1), []float32{65535, 1}},
		{"16 bits signed", list(depth(16, 16, 1)), word(16, -2000, 5), []float32{-2000, 5}},
		{"8 bits", list(depth(8, 8, 0)), word(8, 200, 7), []float32{200, 7}},
		{"8 bits signed", list(depth(8, 8, 1)), word(8, -7, 7), []float32{-7, 7}},
		{"32 bits signed", list(depth(32, 32, 1)), word(32, -70000, 70000), []float32{-70000, 70000}},
		{"32 bits, 24 stored", list(depth(32, 24, 0)), word(32, 0x7F012345), []float32{0x012345}},
		{"padding", append(list(depth(16, 16, 0)), el(0x28, 0x120, "US", 7)), word(16, 7, 8), []float32{float32(math.NaN()), 8}},
		{"a range of padding", append(list(depth(16, 16, 0)), list(pad(7, 9))...), word(16, 6, 7, 8, 9, 10), []float32{6, float32(math.NaN()), float32(math.NaN()), float32(math.NaN()), 10}},
		{"a range of padding downwards", append(list(depth(16, 16, 0)), list(pad(9, 7))...), word(16, 8, 10), []float32{float32(math.NaN()), 10}},
		{"MONOCHROME1", [][]byte{el(0x28, 4, "CS", "MONOCHROME1")}, word(16, 3, 4), []float32{3, 4}},
	}
	for _, tt := range tests {
		f, err := readFile(tt.name, with(t, slab{number: 1}.bytes(), append(tt.parts, tt.px)...))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		for i, got := range f.slice.HU {
			want, padded := tt.want[i%len(tt.want)]-1024, false
			if want != want {
				want, padded = airHU, true
			}
			if got != want || (f.slice.Padding != nil && f.slice.Padding[i]) != padded {
				t.Errorf("%s: pixel %d is %g, want %g", tt.name, i, got, want)
				break
			}
		}
	}
}

// TestLongValue: a value that does not fit its VR is an error of the writer, not a file
// with a wrong length.
func TestLongValue(t *testing.T) {
	d := derived(1)
	e, err := d.dataset(0)
	if err != nil {
		t.Fatal(err)
	}
	many := make([]string, 20_000)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	e[tag.WindowCenter] = must(tag.WindowCenter, many)
	if _, err := fileHeader(e, explicitLittle); err == nil || !strings.Contains(err.Error(), "VR DS holds up to 65534") {
		t.Errorf("%v", err)
	}
}

// TestLeadsOut: names in an archive that lead out of it are names, and nothing else:
// only what they hold is read.
func TestLeadsOut(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a.zip")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for i, s := range stack(2, 1, nil) {
		w, err := z.Create(fmt.Sprintf("../../%d", i))
		if err == nil {
			_, err = w.Write(s.bytes())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	if all, err := ReadSeries(name, 1); err != nil || len(all[0].Slices) != 2 {
		t.Errorf("%d series, %v", len(all), err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("files beside the archive: %v", left)
	}
}

// TestTemplateUID: a template that no result can join is refused.
func TestTemplateUID(t *testing.T) {
	if _, err := ReadHeader(fileOf(t, slab{number: 1}.bytes())); err != nil {
		t.Error(err)
	}
	for what, s := range map[string]slab{"(0020,000D) StudyInstanceUID": {number: 1, study: "1.02"}, "(0020,0052) FrameOfReferenceUID": {number: 1, frame: "x"}} {
		if _, err := ReadHeader(fileOf(t, s.bytes())); err == nil || !strings.Contains(err.Error(), what+": is no UID") {
			t.Errorf("%v, want %s", err, what)
		}
	}
}
