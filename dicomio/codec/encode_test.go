package codec

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
)

// pictures are frames that ask something of an encoder; their words are of bits bits.
var pictures = []struct {
	name string
	at   func(x, y int, r *rand.Rand) int
}{
	{"all the same", func(int, int, *rand.Rand) int { return 77 }},
	{"noise", func(_, _ int, r *rand.Rand) int { return r.IntN(1 << 16) }},
	{"small noise about zero", func(_, _ int, r *rand.Rand) int { return r.IntN(9) - 4 }},
	{"a ramp", func(x, y int, _ *rand.Rand) int { return 3*x + 5*y }},
	{"runs of three and pairs", func(x, y int, _ *rand.Rand) int { return x / (2 + y%2) * 40 }},
	{"a dot in nothing", func(x, y int, _ *rand.Rand) int {
		if x == 5 && y == 3 {
			return -1
		}
		return 0
	}},
	{"extremes", func(x, y int, _ *rand.Rand) int { return (x + y) % 2 * 0xFFFF }},
}

// TestEncode: what is encoded decodes to the same words, for sizes about the
// borders of runs.
func TestEncode(t *testing.T) {
	for _, syntax := range []string{RLE, JPEGLS} {
		for _, f := range []Frame{
			{Rows: 9, Cols: 300, BitsAllocated: 16, BitsStored: 16, Signed: true}, {Rows: 7, Cols: 1, BitsAllocated: 16, BitsStored: 16, Signed: true},
			{Rows: 5, Cols: 129, BitsAllocated: 16, BitsStored: 12}, {Rows: 4, Cols: 128, BitsAllocated: 8, BitsStored: 8}, {Rows: 1, Cols: 2, BitsAllocated: 8, BitsStored: 8, Signed: true},
		} {
			for _, p := range pictures {
				px := picture(f, p.at)
				b := Encode(syntax, px, f)
				got, err := Decode(syntax, b, f)
				if err != nil || !bytes.Equal(got, px) || len(b)%2 != 0 {
					t.Errorf("%s, %+v, %s: %v, %d bytes, equal %v", syntax, f, p.name, err, len(b), bytes.Equal(got, px))
				}
			}
		}
	}
}

func picture(f Frame, at func(x, y int, r *rand.Rand) int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	var px []byte
	for y := range f.Rows {
		for x := range f.Cols {
			v := at(x, y, r)
			if !f.Signed {
				v &= 1<<f.BitsStored - 1
			}
			if f.BitsAllocated == 8 {
				px = append(px, byte(v))
			} else {
				px = binary.LittleEndian.AppendUint16(px, uint16(v))
			}
		}
	}
	return px
}

// TestEncodeAsOthers: CharLS (in dcmtk) makes the same scan of the same pixels, up to
// fill bytes before the end marker, and dcmtk's RLE is no shorter.
func TestEncodeAsOthers(t *testing.T) {
	for _, s := range samples(t, JPEGLS, RLE) {
		if s.name != "jls-s16" && s.name != "jls-u12" && s.name != "jls-u8" && s.name != "rle-s16" && s.name != "rle-u12" {
			continue
		}
		px, err := Decode(s.syntax, s.data, s.frame)
		if err != nil {
			t.Fatal(err)
		}
		if s.syntax == JPEGLS { // CharLS codes 12 bits as 16
			s.frame.BitsStored = s.frame.BitsAllocated
		}
		got := Encode(s.syntax, px, s.frame)
		if s.syntax == RLE {
			if len(got) > len(s.data) {
				t.Errorf("%s: %d bytes, dcmtk has %d", s.name, len(got), len(s.data))
			}
			continue
		}
		scan := func(b []byte) []byte {
			b = b[bytes.Index(b, []byte{0xFF, markSOS}):]
			return bytes.TrimRight(b[:bytes.LastIndex(b, []byte{0xFF, 0xD9})], "\xFF")
		}
		if !bytes.Equal(scan(got), scan(s.data)) {
			t.Errorf("%s: another scan than CharLS makes: %d and %d bytes", s.name, len(scan(got)), len(scan(s.data)))
		}
	}
}

// TestEncodeRGB unpacks the three segments by hand.
func TestEncodeRGB(t *testing.T) {
	px := []byte{1, 2, 3, 1, 2, 4, 1, 5, 6, 1, 7, 8}
	b := EncodeRGB(px, 2, 2)
	if n := binary.LittleEndian.Uint32(b); n != 3 {
		t.Fatalf("%d segments", n)
	}
	for i := range 3 {
		out := make([]byte, 4)
		if n := unpackBits(out, 1, 4, b[binary.LittleEndian.Uint32(b[4+4*i:]):]); n != 4 || !bytes.Equal(out, []byte{px[i], px[3+i], px[6+i], px[9+i]}) {
			t.Errorf("segment %d is %v", i, out)
		}
	}
}

func TestEncodePanics(t *testing.T) {
	f := Frame{Rows: 2, Cols: 2, BitsAllocated: 16, BitsStored: 16}
	for name, do := range map[string]func(){
		"another syntax": func() { Encode(JPEG2000, make([]byte, 8), f) }, "a wrong length": func() { Encode(RLE, make([]byte, 7), f) },
		"32 bits": func() { Encode(JPEGLS, make([]byte, 16), Frame{Rows: 2, Cols: 2, BitsAllocated: 32, BitsStored: 32}) }, "colour": func() { EncodeRGB(make([]byte, 11), 2, 2) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			do()
		}()
	}
}

// FuzzEncode: any pixels come back.
func FuzzEncode(f *testing.F) {
	for _, name := range []string{"s16", "u12"} {
		b, err := os.ReadFile(folder(name + ".dcm"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[len(b)-512:], uint8(16))
	}
	f.Add(bytes.Repeat([]byte{0xFF, 0x7F, 0, 0x80}, 40), uint8(5))
	f.Fuzz(func(t *testing.T, px []byte, cols uint8) {
		n := int(cols) + 1
		fr := Frame{Rows: len(px) / 2 / n, Cols: n, BitsAllocated: 16, BitsStored: 16}
		if fr.Rows == 0 {
			return
		}
		px = px[:2*fr.Rows*n]
		for _, syntax := range []string{RLE, JPEGLS} {
			if got, err := Decode(syntax, Encode(syntax, px, fr), fr); err != nil || !bytes.Equal(got, px) {
				t.Fatalf("%s: %v", syntax, err)
			}
		}
	})
}

// BenchmarkEncode compresses 512 x 512 words like a CT slice's.
func BenchmarkEncode(b *testing.B) {
	f := Frame{Rows: 512, Cols: 512, BitsAllocated: 16, BitsStored: 16, Signed: true}
	px := picture(f, func(x, y int, r *rand.Rand) int {
		if d := (x-256)*(x-256) + (y-256)*(y-256); d > 200*200 {
			return -1000
		}
		return 40 + r.IntN(60)
	})
	for syntax, name := range map[string]string{RLE: "rle", JPEGLS: "jpegls"} {
		b.Run(fmt.Sprintf("512x512/%s", name), func(b *testing.B) {
			b.SetBytes(int64(len(px)))
			n := 0
			for b.Loop() {
				n = len(Encode(syntax, px, f))
			}
			b.ReportMetric(float64(len(px))/float64(n), "ratio")
		})
	}
}
