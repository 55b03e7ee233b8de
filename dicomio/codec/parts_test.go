package codec

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand"
	"slices"
	"strings"
	"testing"
)

func TestUnpackBits(t *testing.T) {
	tests := []struct {
		name string
		in   []byte
		n    int
		want []byte
	}{
		{"the example of Apple's TN1023", []byte{0xFE, 0xAA, 0x02, 0x80, 0x00, 0x2A, 0xFD, 0xAA, 0x03, 0x80, 0x00, 0x2A, 0x22, 0xF7, 0xAA}, 24,
			[]byte{0xAA, 0xAA, 0xAA, 0x80, 0x00, 0x2A, 0xAA, 0xAA, 0xAA, 0xAA, 0x80, 0x00, 0x2A, 0x22, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA}},
		{"-128 is nothing", []byte{0x80, 0, 7, 0x80, 0, 8}, 2, []byte{7, 8}},
		{"a run beyond the end", []byte{0x81, 5}, 3, []byte{5, 5, 5}},
		{"padding", []byte{0, 1, 0, 0}, 1, []byte{1}},
		{"a cut literal", []byte{3, 1, 2}, 4, []byte{1, 2}},
		{"a cut run", []byte{0xFE}, 3, nil},
	}
	for _, tt := range tests {
		dst := make([]byte, tt.n)
		if n := unpackBits(dst, 1, tt.n, tt.in); !bytes.Equal(dst[:n], tt.want) {
			t.Errorf("%s: % x, want % x", tt.name, dst[:n], tt.want)
		}
	}
}

func rleFrame(offsets []uint32, data ...byte) []byte {
	b := make([]byte, rleHeader)
	for i, o := range offsets {
		binary.LittleEndian.PutUint32(b[4*i:], o)
	}
	return append(b, data...)
}

func TestRLE(t *testing.T) {
	f8, f16 := Frame{Rows: 1, Cols: 2, BitsAllocated: 8}, Frame{Rows: 1, Cols: 2, BitsAllocated: 16}
	tests := []struct {
		name string
		data []byte
		f    Frame
		want []byte
		err  string
	}{
		{"two segments, the high byte first", rleFrame([]uint32{2, 64, 67}, 1, 0xAA, 0xBB, 1, 0xCC, 0xDD), f16, []byte{0xCC, 0xAA, 0xDD, 0xBB}, ""},
		{"no header", []byte{1, 0, 0, 0}, f8, nil, "64 are needed"},
		{"three of one byte", rleFrame([]uint32{3, 64, 64, 64}), f8, nil, "colour is not supported"},
		{"one of two", rleFrame([]uint32{1, 64}, 1, 1, 2), f16, nil, "1 segments, pixels of 16 bits need 2"},
		{"a start inside the header", rleFrame([]uint32{1, 8}, 1, 1, 2), f8, nil, "starts at byte 8"},
		{"starts that descend", rleFrame([]uint32{2, 67, 64}, 1, 1, 2, 1, 1, 2), f16, nil, "segment 1 starts at byte 67"},
		{"a start beyond the end", rleFrame([]uint32{1, 99}, 1, 1, 2), f8, nil, "starts at byte 99"},
		{"an empty segment", rleFrame([]uint32{1, 64}), f8, nil, "ends after 0 of 2"},
	}
	for _, tt := range tests {
		got, err := Decode(RLE, tt.data, tt.f)
		if tt.err == "" && (err != nil || !bytes.Equal(got, tt.want)) || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%s: % x, %v; want % x, %q", tt.name, got, err, tt.want, tt.err)
		}
	}
}

// jpegFrame writes markers and a scan.
func jpegFrame(parts ...any) []byte {
	b := []byte{0xFF, 0xD8}
	for i := 0; i < len(parts); i += 2 {
		p := parts[i+1].([]byte)
		if m := parts[i].(int); m == 0 {
			b = append(b, p...)
		} else {
			b = append(b, 0xFF, byte(m), byte((len(p)+2)>>8), byte(len(p)+2))
			b = append(b, p...)
		}
	}
	return b
}

// TestJPEGByHand: a lossless frame of 2 x 3 pixels whose table has the codes 0 for
// no difference, 10 for one of 1 bit and 110 for 2^15.
func TestJPEGByHand(t *testing.T) {
	f := Frame{Rows: 2, Cols: 3, BitsAllocated: 16, BitsStored: 16}
	table := append([]byte{0, 1, 1, 1}, append(make([]byte, 13), 0, 1, 16)...)
	sof, sos := []byte{16, 0, 2, 0, 3, 1, 7, 0x11, 0}, []byte{1, 7, 0, 1, 0, 0}
	// 0 +1 -1 | 2^15 0 0: bits 0 101 100 110 0 0
	scan := []byte{0b01011001, 0b10001111}
	good := []any{0xC4, table, 0xC3, sof, 0xDA, sos, 0, scan}
	change := func(i int, p ...byte) []any {
		out := slices.Clone(good)
		out[i] = p
		return out
	}
	tests := []struct {
		name  string
		parts []any
		want  []uint16
		err   string
	}{
		{"good", good, []uint16{32768, 32769, 32768, 0, 0, 0}, ""},
		{"a comment and an end", append([]any{0xFE, []byte("hello")}, append(good, 0, []byte{0xFF, 0xD9})...), []uint16{32768, 32769, 32768, 0, 0, 0}, ""},
		{"restarts every line", append([]any{0xDD, []byte{0, 3}}, change(7, 0b01011001, 0xFF, 0xD0, 0b10111000)...), []uint16{32768, 32769, 32768, 32769, 1, 1}, ""},
		{"no restart marker", append([]any{0xDD, []byte{0, 3}}, change(7, 0b01011001, 0b10110011)...), nil, "no restart marker 0"},
		{"a restart inside a line", append([]any{0xDD, []byte{0, 2}}, good...), nil, "restart interval of 2 pixels"},
		{"a cut scan", change(7, 0b01011001), nil, "line 2: the scan is cut"},
		{"an unused code", change(7, 0xFE, 0xFE), nil, "line 1: the scan is cut or wrong"},
		{"predictor 8", change(5, 1, 7, 0, 8, 0, 0), nil, "predictor 8"},
		{"no table", change(5, 1, 7, 0x20, 1, 0, 0), nil, "Huffman table 2 is missing"},
		{"table 9", change(5, 1, 7, 0x90, 1, 0, 0), nil, "names Huffman table 9"},
		{"another component", change(5, 1, 8, 0, 1, 0, 0), nil, "does not fit"},
		{"three components", change(3, 16, 0, 2, 0, 3, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0), nil, "3 components: colour is not supported"},
		{"no lines", change(3, 16, 0, 0, 0, 3, 1, 7, 0x11, 0), nil, "number of lines follows"},
		{"17 bits", change(3, 17, 0, 2, 0, 3, 1, 7, 0x11, 0), nil, "17 bits"},
		{"shifted away", change(5, 1, 7, 0, 1, 0, 15), []uint16{0x8000, 0, 0x8000, 0x8000, 0x8000, 0x8000}, ""},
		{"progressive", []any{0xC2, sof}, nil, "the progressive process is not supported"},
		{"JPEG-LS", []any{0xF7, sof}, nil, "the JPEG-LS process is not supported"},
		{"a scan first", []any{0xDA, sos}, nil, "without a frame header"},
		{"two frames", []any{0xC3, sof, 0xC3, sof}, nil, "two frame headers"},
		{"too many codes", []any{0xC4, append([]byte{0, 3}, make([]byte, 18)...)}, nil, "too many codes of 1 bits"},
		{"a long table", []any{0xC4, append([]byte{0, 0, 0, 0, 0, 0, 0, 0, 255}, make([]byte, 20)...)}, nil, "255 codes"},
		{"half a table", []any{0xDB, make([]byte, 30)}, nil, "quantisation table of 30 bytes"},
		{"a cosine frame without tables", []any{0xC1, []byte{12, 0, 2, 0, 3, 1, 7, 0x11, 0}, 0xDA, sos}, nil, "Huffman table 0 or 0 is missing"},
		{"12 bits of baseline", []any{0xC0, []byte{12, 0, 2, 0, 3, 1, 7, 0x11, 0}}, nil, "12 bits in process C0"},
		{"an end", []any{0, []byte{0xFF, 0xD9}}, nil, "marker D9"},
		{"no marker", []any{0, []byte{1, 2, 3, 4}}, nil, "byte 2: no marker"},
	}
	for _, tt := range tests {
		got, err := Decode(JPEGLossless, jpegFrame(tt.parts...), f)
		var want []byte
		for _, v := range tt.want {
			want = binary.LittleEndian.AppendUint16(want, v)
		}
		if tt.err == "" && (err != nil || !bytes.Equal(got, want)) || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%s: % x, %v; want % x, %q", tt.name, got, err, want, tt.err)
		}
	}
}

// TestInverse: the integer transform is the cosine transform to within one.
func TestInverse(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for _, bits := range []int{8, 12} {
		for range 50 {
			var b [64]int32
			for range 6 {
				b[r.Intn(64)] = int32(r.Intn(1<<bits) - 1<<(bits-1))
			}
			c := b
			inverse(&b, bits)
			for i := range b {
				want := math.Round(cosineSum(&c, i%8, i/8)) + float64(int(1)<<(bits-1))
				want = min(max(want, 0), float64(int(1)<<bits-1))
				if math.Abs(float64(b[i])-want) > 1 {
					t.Fatalf("%d bits, pixel %d: %d, want %g", bits, i, b[i], want)
				}
			}
		}
	}
}

// cosineSum is T.81 A.3.3.
func cosineSum(c *[64]int32, x, y int) float64 {
	sum := 0.0
	for i, v := range c {
		s := float64(v) / 4 * math.Cos(float64((2*x+1)*(i%8))*math.Pi/16) * math.Cos(float64((2*y+1)*(i/8))*math.Pi/16)
		if i%8 == 0 {
			s /= math.Sqrt2
		}
		if i < 8 {
			s /= math.Sqrt2
		}
		sum += s
	}
	return sum
}

// TestJPEGLSThresholds: the defaults of T.87 C.2.4.1.1.
func TestJPEGLSThresholds(t *testing.T) {
	tests := []struct {
		bits, near  int
		want        [3]int
		limit, span int
	}{
		{8, 0, [3]int{3, 7, 21}, 32, 256},
		{8, 2, [3]int{9, 17, 35}, 32, 52},
		{12, 0, [3]int{18, 67, 276}, 48, 4096},
		{16, 0, [3]int{18, 67, 276}, 64, 65536},
		{4, 0, [3]int{2, 3, 4}, 24, 16},
	}
	for _, tt := range tests {
		j := &jpegLS{bits: tt.bits, near: tt.near}
		if err := j.start(); err != nil || j.thresholds != tt.want || j.limit != tt.limit || j.span != tt.span {
			t.Errorf("%d bits, near %d: %v, limit %d, range %d (%v); want %v, %d, %d", tt.bits, tt.near, j.thresholds, j.limit, j.span, err, tt.want, tt.limit, tt.span)
		}
	}
}

func TestJPEGLSRefused(t *testing.T) {
	f := Frame{Rows: 1, Cols: 1, BitsAllocated: 8, BitsStored: 8}
	sof, sos := []byte{8, 0, 1, 0, 1, 1, 1, 0x11, 0}, []byte{1, 1, 0, 0, 0, 0}
	tests := []struct {
		name  string
		parts []any
		err   string
	}{
		{"near of 200", []any{0xF7, sof, 0xDA, []byte{1, 1, 0, 200, 0, 0}}, "NEAR 200"},
		{"a mapping table", []any{0xF7, sof, 0xDA, []byte{1, 1, 1, 0, 0, 0}}, "mapping tables"},
		{"a mapping segment", []any{0xF8, []byte{2, 0, 0}}, "mapping tables"},
		{"short parameters", []any{0xF8, []byte{1, 0, 0}}, "parameters of 3 bytes"},
		{"thresholds that descend", []any{0xF7, sof, 0xF8, []byte{1, 0, 255, 0, 9, 0, 8, 0, 20, 0, 64}, 0xDA, sos}, "threshold T2 is 8"},
		{"a large MAXVAL", []any{0xF7, sof, 0xF8, []byte{1, 1, 0, 0, 3, 0, 8, 0, 20, 0, 64}, 0xDA, sos}, "MAXVAL 256"},
		{"restarts", []any{0xDD, []byte{0, 4}}, "restart intervals"},
		{"a point transform", []any{0xF7, sof, 0xDA, []byte{1, 1, 0, 0, 0, 1}}, "point transform"},
		{"an empty scan", []any{0xF7, sof, 0xDA, sos}, "the frame is cut"},
		{"plain JPEG", []any{0xC0, sof}, "marker C0"},
	}
	for _, tt := range tests {
		if _, err := Decode(JPEGLS, jpegFrame(tt.parts...), f); err == nil || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.err)
		}
	}
}

// TestMQ: the test sequence of ITU-T T.88 H.2, which has the same decoder.
func TestMQ(t *testing.T) {
	in, _ := hex.DecodeString("84C73BFCE1A1430402200000410DBB86F4317FFF88FF37471ADB6ADFFFAC")
	want, _ := hex.DecodeString("00020051000000C00352872AAAAAAAAA82C02000FCD79EF6BF7FED904F46A3BF")
	m := &mqDecoder{}
	m.start(in)
	got := make([]byte, len(want))
	for i := range 8 * len(want) {
		got[i/8] = got[i/8]<<1 | byte(m.bit(1))
	}
	if len(want) != 32 || !bytes.Equal(got, want) {
		t.Errorf("% x, want % x", got, want)
	}
}

// TestTagTree: the example of T.800 B.10.2: three leaves of a tree of 6 x 3.
func TestTagTree(t *testing.T) {
	p := &packetReader{b: []byte{0b01111001, 0b10100000}}
	tree := newTagTree(6, 3)
	for leaf, want := range []int{1, 3, 2} {
		v := 0
		for !tree.below(p, leaf, v+1) {
			v++
		}
		if v != want {
			t.Errorf("leaf %d is %d, want %d", leaf, v, want)
		}
	}
	if used := 8*p.at - int(p.n); used != 11 {
		t.Errorf("%d bits were read, want 11", used)
	}
}

// TestWavelets: the inverse of a forward transform, for every length and parity.
func TestWavelets(t *testing.T) {
	r := rand.New(rand.NewSource(2))
	for n := 1; n < 12; n++ {
		for m := 1; m < 6; m++ {
			for odd := range 4 {
				ox, oy := odd&1, odd>>1
				a := area{ox + 2, oy + 2, ox + 2 + n, oy + 2 + m}
				x := make([]int32, n*m)
				for i := range x {
					x[i] = int32(r.Intn(4000) - 2000)
				}
				if got := inverse53(analysed(x, a)); !slices.Equal(got, x) {
					t.Fatalf("%d x %d at %d, %d: %v, want %v", n, m, ox, oy, got, x)
				}
			}
		}
	}
}

// analysed is one level of the forward reversible wavelet (T.800 F.4.8.1), in bands.
func analysed(x []int32, a area) []*j2kResolution {
	w, h := a.w(), a.h()
	y := slices.Clone(x)
	for i := range w {
		forward(y[i:], w, h, a.y0&1)
	}
	for i := range h {
		forward(y[i*w:], 1, w, a.x0&1)
	}
	low, top := &j2kResolution{}, &j2kResolution{area: a}
	for kind := range 4 {
		b := &j2kBand{kind: kind, area: bandArea(a, kind, 1)}
		for i := range h {
			for k := range w {
				if (k+a.x0)&1 == kind&1 && (i+a.y0)&1 == kind>>1 {
					b.v = append(b.v, 2*y[i*w+k])
				}
			}
		}
		if len(b.v) != b.w()*b.h() {
			panic(fmt.Sprint("band ", kind, " of ", len(b.v), " in ", b.area))
		}
		if kind == 0 {
			low.bands = append(low.bands, b)
		} else {
			top.bands = append(top.bands, b)
		}
	}
	return []*j2kResolution{low, top}
}

// forward transforms n values, step apart, in place.
func forward(x []int32, step, n, odd int) {
	if n == 1 {
		if odd == 1 {
			x[0] *= 2
		}
		return
	}
	at := func(i int) int32 {
		if i < 0 {
			i = -i
		}
		if i >= n {
			i = 2*n - 2 - i
		}
		return x[i*step]
	}
	for i := 1 - odd; i < n; i += 2 {
		x[i*step] -= (at(i-1) + at(i+1)) >> 1
	}
	for i := odd; i < n; i += 2 {
		x[i*step] += (at(i-1) + at(i+1) + 2) >> 2
	}
}

// TestFlatIrreversible: a constant survives the irreversible wavelet: its low band
// is the constant, its high bands are 0.
func TestFlatIrreversible(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {2, 7}, {9, 4}} {
		a := area{3, 5, 3 + size[0], 5 + size[1]}
		low, top := &j2kResolution{}, &j2kResolution{area: a}
		for kind := range 4 {
			b := &j2kBand{kind: kind, area: bandArea(a, kind, 1), step: .5}
			b.v = make([]int32, b.w()*b.h())
			if kind == 0 {
				for i := range b.v {
					b.v[i] = 400
				}
				low.bands = []*j2kBand{b}
			} else {
				top.bands = append(top.bands, b)
			}
		}
		if size[0] == 1 { // one sample of an odd place is in the last band, doubled twice
			top.bands[2].v[0] = 1600
		}
		for i, v := range inverse97([]*j2kResolution{low, top}) {
			if math.Abs(float64(v)-100) > 1e-3 {
				t.Errorf("%v: pixel %d is %g, want 100", size, i, v)
			}
		}
	}
}

func TestJPEG2000Refused(t *testing.T) {
	var good sample
	for _, s := range samples(t, JPEG2000Exact) {
		if s.name == "j2k-u8" {
			good = s
		}
	}
	at := func(marker int) int {
		i := bytes.Index(good.data, []byte{byte(marker >> 8), byte(marker)})
		if i < 0 {
			t.Fatalf("no marker %04X", marker)
		}
		return i
	}
	insert := func(i int, p ...byte) []byte { return slices.Concat(good.data[:i], p, good.data[i:]) }
	set := func(i int, p ...byte) []byte {
		b := slices.Clone(good.data)
		copy(b[i:], p)
		return b
	}
	siz, cod, qcd, sot := at(j2kSIZ), at(j2kCOD), at(j2kQCD), at(j2kSOT)
	tests := []struct {
		name string
		data []byte
		err  string
	}{
		{"high throughput", insert(cod, 0xFF, 0x50, 0, 8, 0, 2, 0, 0, 0, 0), "part 15"},
		{"a region of interest", insert(sot, 0xFF, 0x5E, 0, 5, 0, 0, 9), "regions of interest"},
		{"a progression change", insert(sot, 0xFF, 0x5F, 0, 9, 0, 0, 0, 1, 1, 1, 0), "progression changes"},
		{"packed headers", insert(sot, 0xFF, 0x60, 0, 3, 0), "packed packet headers"},
		{"two sizes", insert(cod, good.data[siz:cod]...), "two image sizes"},
		{"coding before the size", insert(siz, 0xFF, 0x52, 0, 12, 0, 0, 0, 1, 0, 1, 4, 4, 0, 1), "before the image's size"},
		{"no tile", slices.Concat(good.data[:sot], []byte{0xFF, 0xD9}), "tile 0 is missing"},
		{"tiles of one pixel", set(siz+22, 0, 0, 0, 1, 0, 0, 0, 1), "tile 1 is missing"},
		{"a tile too far", set(sot+4, 0, 1), "tile 1 of 1"},
		{"a long tile", set(sot+6, 0, 9, 0, 0), "bytes, "},
		{"a first tile outside", set(siz+30, 0, 0, 0, 9), "outside the image"},
		{"samples apart", set(siz+41, 2), "samples 2 x 1 apart"},
		{"33 levels", set(cod+9, 33), "33 levels"},
		{"large blocks", set(cod+10, 9), "code blocks of 2^11"},
		{"HT blocks", set(cod+12, 0x40), "high-throughput code blocks"},
		{"wavelet 2", set(cod+13, 2), "wavelet 2"},
		{"progression 5", set(cod+5, 5), "progression 5"},
		{"no layers", set(cod+6, 0, 0), "0 layers"},
		{"65535 layers", set(cod+6, 0xFF, 0xFF), "the frame is cut"},
		{"a cut step", set(qcd+4, 0x42), "quantisation step is cut"},
		{"quantised and reversible", insert(sot, 0xFF, 0x5C, 0, 5, 0x41, 0x48, 0), "the reversible wavelet with quantisation"},
		{"quantiser 3", set(qcd+4, 0x43), "quantisation of"},
		{"a box without a stream", []byte("\x00\x00\x00\x0CjP  \x0D\x0A\x87\x0A\x00\x00\x00\x08free"), "without a code stream"},
		{"empty", nil, "no start"},
	}
	for _, tt := range tests {
		if _, err := Decode(JPEG2000, tt.data, good.frame); err == nil || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.err)
		}
	}
	boxed := append([]byte("\x00\x00\x00\x0CjP  \x0D\x0A\x87\x0A\x00\x00\x00\x00jp2c"), good.data...)
	if got, err := Decode(JPEG2000, boxed, good.frame); err != nil || !bytes.Equal(got, good.pixels(t)) {
		t.Errorf("a stream in a JP2 file: %v", err)
	}
}
