package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sample is a compressed frame of testdata: 48 lines of 64 pixels.
type sample struct {
	name   string
	syntax string
	data   []byte
	frame  Frame
}

// frames describe the sources of testdata by the end of a file's name.
var frames = map[string]Frame{
	"s16": {Rows: 48, Cols: 64, BitsAllocated: 16, BitsStored: 16, Signed: true},
	"u12": {Rows: 48, Cols: 64, BitsAllocated: 16, BitsStored: 12},
	"u8":  {Rows: 48, Cols: 64, BitsAllocated: 8, BitsStored: 8},
}

func folder(name string) string { return filepath.Join("..", "testdata", "compressed", name) }

// samples are the frames of testdata that one of the syntaxes compressed.
func samples(t testing.TB, syntaxes ...string) []sample {
	t.Helper()
	names, err := filepath.Glob(folder("*-*.dcm"))
	if err != nil {
		t.Fatal(err)
	}
	var out []sample
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		s := sample{name: strings.TrimSuffix(filepath.Base(n), ".dcm")}
		s.frame = frames[s.name[strings.LastIndex(s.name, "-")+1:]]
		i := bytes.Index(b, []byte{2, 0, 0x10, 0, 'U', 'I'})
		s.syntax = strings.TrimRight(string(b[i+8:i+8+int(b[i+6])]), "\x00")
		if slices.Contains(syntaxes, s.syntax) {
			s.data = fragments(t, n, b)
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		t.Fatalf("no sample of %v", syntaxes)
	}
	return out
}

// fragments joins the fragments of a file, without the offset table.
func fragments(t testing.TB, name string, b []byte) []byte {
	t.Helper()
	i := bytes.Index(b, []byte{0xE0, 0x7F, 0x10, 0, 'O', 'B', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF})
	if i < 0 {
		t.Fatalf("%s: no encapsulated pixel data", name)
	}
	var out []byte
	for at, k := i+12, 0; ; k++ {
		n := int(binary.LittleEndian.Uint32(b[at+4:]))
		if b[at+2] == 0xDD {
			return out
		}
		if k > 0 {
			out = append(out, b[at+8:at+8+n]...)
		}
		at += 8 + n
	}
}

// pixels are the pixels that a sample should have.
func (s sample) pixels(t testing.TB) []byte {
	t.Helper()
	if raw, err := os.ReadFile(folder(s.name + ".raw")); err == nil {
		return raw
	}
	b, err := os.ReadFile(folder(s.name[strings.LastIndex(s.name, "-")+1:] + ".dcm"))
	if err != nil {
		t.Fatal(err)
	}
	return b[len(b)-s.frame.Rows*s.frame.Cols*s.frame.BitsAllocated/8:]
}

var everySyntax = []string{RLE, JPEGBaseline, JPEGExtended, JPEGLossless, JPEGLossless1, JPEGLS, JPEGLSNear, JPEG2000Exact, JPEG2000}

func kind(err error) string {
	f, u := (*FormatError)(nil), (*UnsupportedError)(nil)
	switch {
	case err == nil:
		return "none"
	case errors.As(err, &f):
		return "format"
	case errors.As(err, &u):
		return "unsupported"
	}
	return fmt.Sprintf("%T", err)
}

// TestDecode: frames of other people's encoders, bit for bit.
func TestDecode(t *testing.T) {
	all := samples(t, everySyntax...)
	seen := map[string]bool{}
	for _, s := range all {
		seen[s.syntax] = true
		got, err := Decode(s.syntax, s.data, s.frame)
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		want := s.pixels(t)
		if strings.HasPrefix(s.name, "j2k.97") { // floating point: within one
			for i := 0; i < len(got); i += 2 {
				a, b := int(binary.LittleEndian.Uint16(got[i:])), int(binary.LittleEndian.Uint16(want[i:]))
				if a-b > 1 || b-a > 1 {
					t.Fatalf("%s: pixel %d is %d, OpenJPEG's %d", s.name, i/2, a, b)
				}
			}
		} else if !bytes.Equal(got, want) {
			t.Errorf("%s: other pixels", s.name)
		}
	}
	for _, s := range everySyntax {
		if !seen[s] || !Supported(s) {
			t.Errorf("transfer syntax %s is not tested", s)
		}
	}
}

// TestWider: 8 and 12 bits in wider words, with and without a sign.
func TestWider(t *testing.T) {
	for _, s := range samples(t, JPEGLossless1, JPEGLS, JPEG2000Exact) {
		narrow, err := Decode(s.syntax, s.data, s.frame)
		if err != nil {
			t.Fatal(err)
		}
		f := s.frame
		f.BitsAllocated = 32
		wide, err := Decode(s.syntax, s.data, f)
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		for i := range f.Rows * f.Cols {
			got := int32(binary.LittleEndian.Uint32(wide[4*i:]))
			want := int32(0)
			switch {
			case s.frame.BitsAllocated == 8:
				want = int32(narrow[i])
			case f.Signed:
				want = int32(int16(binary.LittleEndian.Uint16(narrow[2*i:])))
			default:
				want = int32(binary.LittleEndian.Uint16(narrow[2*i:]))
			}
			if got != want {
				t.Fatalf("%s: pixel %d is %d in 32 bits, %d in %d", s.name, i, got, want, s.frame.BitsAllocated)
			}
		}
	}
}

func TestPack(t *testing.T) {
	tests := []struct {
		name    string
		samples []uint16
		bits    int
		f       Frame
		want    []byte
	}{
		{"12 bits without a sign", []uint16{0x0FFF, 0xF801}, 12, Frame{BitsAllocated: 16}, []byte{0xFF, 0x0F, 0x01, 0x08}},
		{"12 bits with a sign", []uint16{0x0FFF, 0x07FF, 0x0800}, 12, Frame{BitsAllocated: 16, Signed: true}, []byte{0xFF, 0xFF, 0xFF, 0x07, 0x00, 0xF8}},
		{"16 bits with a sign", []uint16{0x8000}, 16, Frame{BitsAllocated: 16, Signed: true}, []byte{0x00, 0x80}},
		{"8 bits", []uint16{0x1FF, 3}, 8, Frame{BitsAllocated: 8}, []byte{0xFF, 3}},
		{"8 of 32 bits with a sign", []uint16{0x80}, 8, Frame{BitsAllocated: 32, Signed: true}, []byte{0x80, 0xFF, 0xFF, 0xFF}},
	}
	for _, tt := range tests {
		if got := pack(tt.samples, tt.bits, tt.f); !bytes.Equal(got, tt.want) {
			t.Errorf("%s: % x, want % x", tt.name, got, tt.want)
		}
	}
}

// TestDisagrees: a data set that says another thing than the code stream.
func TestDisagrees(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Frame)
		kind   string
	}{
		{"more lines", func(f *Frame) { f.Rows++ }, "format"},
		{"longer lines", func(f *Frame) { f.Cols += 8 }, "format"},
		{"rows for columns", func(f *Frame) { f.Rows, f.Cols = f.Cols, f.Rows+16 }, "format"},
		{"one bit", func(f *Frame) { f.BitsAllocated = 1 }, "format"},
		{"no line", func(f *Frame) { f.Rows = 0 }, "format"},
		{"a frame of 16 GB", func(f *Frame) { f.Rows, f.Cols = 65535, 65535 }, "unsupported"},
		{"many lines", func(f *Frame) { f.Rows, f.Cols = 4096, 4096 }, "format"},
	}
	for _, s := range samples(t, everySyntax...) {
		for _, tt := range tests {
			f := s.frame
			tt.change(&f)
			if _, err := Decode(s.syntax, s.data, f); kind(err) != tt.kind {
				t.Errorf("%s, %s: %v, want a %s error", s.name, tt.name, err, tt.kind)
			}
		}
		if s.frame.BitsAllocated == 16 && s.syntax != RLE {
			f := s.frame
			f.BitsAllocated = 8
			if _, err := Decode(s.syntax, s.data, f); kind(err) != "format" {
				t.Errorf("%s in 8 bits: %v", s.name, err)
			}
		}
	}
	if _, err := Decode("1.2.3", nil, frames["u8"]); kind(err) != "unsupported" || Supported("1.2.3") {
		t.Errorf("an unknown syntax: %v", err)
	}
}

// TestCut: a frame that ends early is an error, up to the last bytes, which may be
// an end marker and padding that no decoder needs.
func TestCut(t *testing.T) {
	for _, s := range samples(t, everySyntax...) {
		for n := 0; n < len(s.data)-4; n += 1 + len(s.data)/97 {
			if _, err := Decode(s.syntax, s.data[:n], s.frame); kind(err) != "format" {
				t.Errorf("%s cut after %d of %d bytes: %v", s.name, n, len(s.data), err)
				break
			}
		}
	}
}

// TestDamaged: no changed byte makes a decoder panic, or give another error than ours.
func TestDamaged(t *testing.T) {
	for _, s := range samples(t, everySyntax...) {
		for i := range s.data {
			if i > 160 && i%101 != 0 {
				continue
			}
			for _, v := range []byte{0, 0xFF, s.data[i] ^ 0x10} {
				b := slices.Clone(s.data)
				b[i] = v
				check(t, s.syntax, b, s.frame)
			}
		}
	}
}

// check decodes anything and holds the result to the promises of Decode.
func check(t *testing.T, syntax string, b []byte, f Frame) {
	t.Helper()
	got, err := Decode(syntax, b, f)
	switch k := kind(err); {
	case k == "none" && len(got) != f.Rows*f.Cols*f.BitsAllocated/8:
		t.Fatalf("%d bytes for %+v", len(got), f)
	case k != "none" && (k != "format" && k != "unsupported" || got != nil || err.Error() == ""):
		t.Fatalf("%s error %v with %d bytes", k, err, len(got))
	}
}

func fuzz(f *testing.F, syntaxes ...string) {
	for _, s := range samples(f, syntaxes...) {
		f.Add(s.data, uint8(s.frame.Rows), uint8(s.frame.Cols), uint8(s.frame.BitsAllocated/8), s.frame.Signed)
	}
	f.Fuzz(func(t *testing.T, b []byte, rows, cols, words uint8, signed bool) {
		if len(b) < 1<<16 {
			check(t, syntaxes[0], b, Frame{Rows: int(rows), Cols: int(cols), BitsAllocated: 8 * int(words&7), BitsStored: 8 * int(words&7), Signed: signed})
		}
	})
}

func FuzzRLE(f *testing.F)      { fuzz(f, RLE) }
func FuzzJPEG(f *testing.F)     { fuzz(f, JPEGLossless, JPEGLossless1, JPEGBaseline, JPEGExtended) }
func FuzzJPEGLS(f *testing.F)   { fuzz(f, JPEGLS, JPEGLSNear) }
func FuzzJPEG2000(f *testing.F) { fuzz(f, JPEG2000, JPEG2000Exact) }
