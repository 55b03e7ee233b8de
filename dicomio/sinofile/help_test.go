package sinofile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ctrecon/ct"
)

// whole and real are the values of testdata/make.py.
func whole(i int) float64 { return float64((37*i + 11) % 120) }
func real8(i int) float64 { return whole(i)/8 - 5 }

func valueOf(d dtype, i int) float64 {
	if d.kind == 'f' {
		return real8(i)
	}
	return whole(i)
}

// npyBytes is a .npy file with a header as numpy writes it.
func npyBytes(descr, shape string, fortran bool, data []byte) []byte {
	order := "False"
	if fortran {
		order = "True"
	}
	return npyRaw(1, fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }", descr, order, shape), data)
}

// npyRaw is a .npy file with any header text.
func npyRaw(version byte, header string, data []byte) []byte {
	b := []byte(npyMagic + string(rune(version)) + "\x00")
	if version == 1 {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(header)))
	} else {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(header)))
	}
	return append(append(b, header...), data...)
}

// encode writes values as elements of a type.
func encode(d dtype, values []float64) []byte {
	out := make([]byte, 0, len(values)*d.size)
	o := order(d.big).(binary.AppendByteOrder)
	for _, v := range values {
		switch {
		case d.kind == 'f' && d.size == 2:
			out = o.AppendUint16(out, toHalf(v))
		case d.kind == 'f' && d.size == 4:
			out = o.AppendUint32(out, math.Float32bits(float32(v)))
		case d.kind == 'f':
			out = o.AppendUint64(out, math.Float64bits(v))
		case d.size == 1:
			out = append(out, byte(int64(v)))
		case d.size == 2:
			out = o.AppendUint16(out, uint16(int64(v)))
		case d.size == 4:
			out = o.AppendUint32(out, uint32(int64(v)))
		default:
			out = o.AppendUint64(out, uint64(int64(v)))
		}
	}
	return out
}

// toHalf encodes normal numbers that binary16 holds exactly.
func toHalf(v float64) uint16 {
	if v == 0 {
		return 0
	}
	b := math.Float32bits(float32(v))
	return uint16(b>>16&0x8000 | (b>>23&0xff-112)<<10 | b>>13&0x3ff)
}

func floats(values ...float32) []byte {
	v := make([]float64, len(values))
	for i := range v {
		v[i] = float64(values[i])
	}
	return encode(dtype{kind: 'f', size: 4}, v)
}

// put writes a file into a fresh folder of the test.
func put(t *testing.T, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// opened is a container on bytes, without the decisions of Read.
func opened(t *testing.T, name string) *container {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	c, err := open(memorySource(fileName(name), b, defaultLimit), Raw{}, "testdata")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// holds checks an array against the values of make.py. back maps the index in
// the file to that of the array as the library was given it; nil is the identity.
func holds(t *testing.T, c *container, e *entry, d dtype, shape []int, back func(i int) int) {
	t.Helper()
	if fmt.Sprint(e.order()) != fmt.Sprint(shape) {
		t.Fatalf("%s: shape %v, want %v", e.name, e.order(), shape)
	}
	if e.dt.kind != d.kind || e.dt.size != d.size {
		t.Errorf("%s: elements %s, want %s", e.name, e.dt, d)
	}
	got, err := c.load32(e)
	if err != nil {
		t.Fatalf("%s: %v", e.name, err)
	}
	for i, v := range got {
		j := i
		if back != nil {
			j = back(i)
		}
		if want := valueOf(d, j); float64(v) != want {
			t.Fatalf("%s: value %d is %g, want %g", e.name, i, v, want)
		}
	}
}

// columns maps a column-major index of a matrix to the row-major one.
func columns(rows, cols int) func(int) int {
	return func(i int) int { return i%rows*cols + i/rows }
}

// wantError checks the kind of an error and that it says all the words.
func wantError(t *testing.T, err error, unsupported bool, words ...string) {
	t.Helper()
	var f *FormatError
	var u *UnsupportedError
	switch {
	case err == nil:
		t.Fatalf("no error; want one with %q", words)
	case unsupported && !errors.As(err, &u):
		t.Errorf("%T %v, want an UnsupportedError", err, err)
	case !unsupported && !errors.As(err, &f):
		t.Errorf("%T %v, want a FormatError", err, err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
	if strings.Contains(err.Error(), "failed to") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %q is not in our style", err)
	}
}

func hasNote(notes []string, words string) bool {
	for _, n := range notes {
		if strings.Contains(n, words) {
			return true
		}
	}
	return false
}

// wantNote checks that a scan says something of what it did.
func wantNote(t *testing.T, s *Scan, words string) {
	t.Helper()
	if !hasNote(s.Notes, words) {
		t.Errorf("no note says %q: %q", words, s.Notes)
	}
}

// blobs are an object whose line integrals are known exactly: Gaussians at
// (x, y) mm of the given width and height.
var blobs = []struct{ x, y, width, height float64 }{
	{3, -5, 6, 1.2}, {-14, 4, 3, 0.7}, {9, 12, 2, 0.5}, {-2, -16, 2.5, 0.6},
}

// ray is the line integral along (theta degrees, s mm).
func ray(theta, s float64) (p float64) {
	sin, cos := math.Sincos(theta * math.Pi / 180)
	for _, b := range blobs {
		d := (s - b.x*cos - b.y*sin) / b.width
		p += b.height * math.Exp(-d*d/2)
	}
	return p
}

// parallel is the exact sinogram of the blobs, [view][bin], bins of 1 mm.
func parallel(angles []float64, bins int, offset float64) []float32 {
	g := ct.Geometry{Angles: angles, Bins: bins, BinSize: 1, Offset: offset}
	out := make([]float32, 0, g.Len())
	for _, a := range angles {
		for k := range bins {
			out = append(out, float32(ray(a, g.S(k))))
		}
	}
	return out
}

// fanned is the exact fan-beam sinogram of the blobs.
func fanned(angles []float64, bins int, binSize, offset float64, f Fan) []float32 {
	out := make([]float32, 0, len(angles)*bins)
	for _, beta := range angles {
		for k := range bins {
			u := (float64(k) - float64(bins-1)/2 - offset) * binSize / f.SDD
			if !f.Curved {
				u = math.Atan(u)
			}
			out = append(out, float32(ray(beta-u*180/math.Pi, f.SOD*math.Sin(u))))
		}
	}
	return out
}

// steps are n angles from start.
func steps(start, step float64, n int) []float64 {
	return (&Angles{Start: start, Step: step, Count: n}).Values()
}

// noisy adds Gaussian noise.
func noisy(data []float32, sigma float64) []float32 {
	z := make([]float32, len(data))
	ct.NewStream(7, 0, 0, 0).Normals(z, 0)
	for i := range z {
		z[i] = data[i] + float32(sigma)*z[i]
	}
	return z
}

// sino writes a float32 .npy file.
func sino(t *testing.T, data []float32, shape ...int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sino.npy")
	if err := WriteNPY(path, data, shape...); err != nil {
		t.Fatal(err)
	}
	return path
}

// mustRead reads a scan that is right.
func mustRead(t *testing.T, path string, opt Options) *Scan {
	t.Helper()
	s, err := Read(path, opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// far is the largest difference of two arrays.
func far(a, b []float32) float64 {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	d := 0.0
	for i := range a {
		d = math.Max(d, math.Abs(float64(a[i])-float64(b[i])))
	}
	return d
}
