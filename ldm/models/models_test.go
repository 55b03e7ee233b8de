package models

import (
	"archive/zip"
	"encoding/json"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ctrecon/ct"
	"ctrecon/ldm"
	"ctrecon/ldm/onnx"
)

const tiny = "testdata/tiny"

// spread is the prior variance of tiny's latent channels.
var spread = [4]float64{8, 1, 1, 0.25}

func needRuntime(t testing.TB) {
	t.Helper()
	if os.Getenv(onnx.LibraryEnv) == "" {
		if p, _ := filepath.Abs("../../lib/libonnxruntime.so.1.31.1"); isThere(p) {
			os.Setenv(onnx.LibraryEnv, p) // before the only search for it
		}
	}
	if _, err := onnx.Open(); err != nil {
		t.Skip(err)
	}
}

func isThere(p string) bool { _, err := os.Stat(p); return err == nil }

func normals(n int, step uint32) []float32 {
	v := make([]float32, n)
	ct.NewStream(3, 0, 0, step).Normals(v, 0)
	return v
}

func dot(a, b []float32) float64 {
	s := 0.0
	for i := range a {
		s += float64(a[i]) * float64(b[i])
	}
	return s
}

func openTiny(t testing.TB) *Gradients {
	t.Helper()
	needRuntime(t)
	b, err := Open(tiny)
	if err != nil {
		t.Fatal(err)
	}
	g, err := LoadGradients(b, onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

// TestTiny: networks that are known in closed form give what they should.
// float32 sums of 16 products err by some 1e-6.
func TestTiny(t *testing.T) {
	g := openTiny(t)
	d := g.Dims()
	ctx := t.Context()
	z := normals(d.Latent(), 0)
	u, back := make([]float32, d.Pixels()), make([]float32, d.Latent())
	if err := g.Decode(ctx, u, z); err != nil {
		t.Fatal(err)
	}
	if err := g.Encode(ctx, back, u); err != nil {
		t.Fatal(err)
	}
	near(t, "E(D(z))", back, func(i int) float64 { return float64(z[i]) }, 1e-5)
	if want := dot(z, z); math.Abs(dot(u, u)/want-1) > 1e-5 {
		t.Errorf("|D z|^2 is %g, |z|^2 %g: the patterns are orthonormal", dot(u, u), want)
	}
	v := make([]float32, d.Latent())
	for _, l := range []float64{-6, 0, 2.5} {
		if err := g.Velocity(ctx, v, z, l, nil); err != nil {
			t.Fatal(err)
		}
		near(t, "v", v, func(i int) float64 { return factor(i*4/len(z), l) * float64(z[i]) }, 1e-5)
	}
}

// factor of the exact velocity in channel c.
func factor(c int, l float64) float64 {
	a, s := ldm.Alpha(l), spread[c]
	return math.Sqrt(a*(1-a)) * (1 - s) / (a*s + 1 - a)
}

func near(t *testing.T, what string, got []float32, want func(int) float64, tol float64) {
	t.Helper()
	for i, v := range got {
		if w := want(i); math.Abs(float64(v)-w) > tol*(1+math.Abs(w)) {
			t.Fatalf("%s: value %d is %g, want %g", what, i, v, w)
		}
	}
}

// TestTinyGradients: the decoder's is the encoder, the UNet's its own diagonal.
func TestTinyGradients(t *testing.T) {
	g := openTiny(t)
	d := g.Dims()
	z, du, dv := normals(d.Latent(), 0), normals(d.Pixels(), 1), normals(d.Latent(), 2)
	u, dz, want, v := make([]float32, d.Pixels()), make([]float32, d.Latent()), make([]float32, d.Latent()), make([]float32, d.Latent())
	if err := g.DecodeVJP(t.Context(), u, dz, z, du); err != nil {
		t.Fatal(err)
	}
	if err := g.Encode(t.Context(), want, du); err != nil {
		t.Fatal(err)
	}
	near(t, "J_D' du", dz, func(i int) float64 { return float64(want[i]) }, 1e-5)
	u2, z2 := make([]float32, d.Pixels()), make([]float32, d.Latent())
	if err := g.EncodeVJP(t.Context(), z2, u2, du, z); err != nil {
		t.Fatal(err)
	}
	if err := g.Decode(t.Context(), u, z); err != nil {
		t.Fatal(err)
	}
	near(t, "J_E' dz", u2, func(i int) float64 { return float64(u[i]) }, 1e-5)
	if err := g.VelocityVJP(t.Context(), v, dz, z, 1, nil, dv); err != nil {
		t.Fatal(err)
	}
	near(t, "J_v' dv", dz, func(i int) float64 { return factor(i*4/len(z), 1) * float64(dv[i]) }, 1e-5)
}

// TestBuiltIn: the bundle in the binary is whole, runs, and its decoder's
// gradient agrees with a finite difference.
func TestBuiltIn(t *testing.T) {
	b, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Verify(); err != nil {
		t.Fatal(err)
	}
	needRuntime(t)
	g, err := LoadGradients(b, onnx.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if err := g.Try(t.Context()); err != nil {
		t.Fatal(err)
	}
	d := g.Dims()
	z, dir, du := normals(d.Latent(), 0), normals(d.Latent(), 1), normals(d.Pixels(), 2)
	u, dz := make([]float32, d.Pixels()), make([]float32, d.Latent())
	if err := g.DecodeVJP(t.Context(), u, dz, z, du); err != nil {
		t.Fatal(err)
	}
	const h = 1e-2
	at := func(s float32) float64 {
		p := make([]float32, len(z))
		for i := range p {
			p[i] = z[i] + s*dir[i]
		}
		if err := g.Decode(t.Context(), u, p); err != nil {
			t.Fatal(err)
		}
		return dot(u, du)
	}
	got, want := dot(dz, dir), (at(h)-at(-h))/(2*h)
	if math.Abs(got-want) > 0.01*math.Abs(want)+1e-2 {
		t.Errorf("derivative %g, by differences %g", got, want)
	}
}

// TestBadBundles: each fault is one sentence that names what is wrong.
func TestBadBundles(t *testing.T) {
	edit := func(from, to string) func(string) error {
		return func(dir string) error {
			name := filepath.Join(dir, "bundle.json")
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			if !strings.Contains(string(text), from) {
				t.Fatalf("bundle.json has no %q", from)
			}
			return os.WriteFile(name, []byte(strings.Replace(string(text), from, to, 1)), 0o644)
		}
	}
	for _, c := range []struct {
		name string
		do   func(dir string) error
		want string
		run  bool // found when the networks are opened
	}{
		{"no description", func(d string) error { return os.Remove(filepath.Join(d, "bundle.json")) }, "bundle.json is missing", false},
		{"not JSON", edit("{", "["), "bundle.json", false},
		{"another schema", edit("ctrecon-bundle/1", "ctrecon-bundle/9"), `schema "ctrecon-bundle/9"`, false},
		{"eps prediction", edit(`"prediction": "v"`, `"prediction": "eps"`), `prediction "eps": v is supported`, false},
		{"huge image", edit(`"height": 64`, `"height": 1000000`), "8 to 4096", false},
		{"no unet", edit(`"role": "unet"`, `"role": "x"`), "no file has the role unet", false},
		{"name outside", edit(`"unet.onnx"`, `"../unet.onnx"`), "must stand in the bundle itself", false},
		{"levels fall", edit("-10.0", "7.5"), "do not increase", false},
		{"short table", edit(`"rz2": [`, `"rz2": [ 1,`), "values for", false},
		{"missing file", func(d string) error { return os.Remove(filepath.Join(d, "decoder.onnx")) }, "decoder.onnx is missing", true},
		{"cut file", func(d string) error { return os.Truncate(filepath.Join(d, "unet.onnx"), 100) }, "changed or cut", true},
		{"wrong checksum", edit(`"sha256": "`, `"sha256": "0`), "changed or cut", true},
		{"another latent", edit(`"channels": 4`, `"channels": 3`), "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "b")
			if err := os.CopyFS(dir, os.DirFS(tiny)); err != nil {
				t.Fatal(err)
			}
			if err := c.do(dir); err != nil {
				t.Fatal(err)
			}
			b, err := Open(dir)
			if c.run && err == nil {
				needRuntime(t)
				var n *Network
				if n, err = Load(b, onnx.Options{}); err == nil {
					err = n.Try(t.Context())
					n.Close()
				}
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, want one sentence with %q", err, c.want)
			}
		})
	}
}

// TestZIP: a bundle is read from an archive too.
func TestZIP(t *testing.T) {
	name := filepath.Join(t.TempDir(), "tiny.zip")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	w := zip.NewWriter(f)
	if err := w.AddFS(os.DirFS(tiny)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	b, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Verify(); err != nil {
		t.Error(err)
	}
	if _, err := Open(filepath.Join(tiny, "unet.onnx")); err == nil || !strings.Contains(err.Error(), "neither a folder nor a ZIP") {
		t.Errorf("a network for a bundle: %v", err)
	}
}

// FuzzDescription: any text is a description or an error.
func FuzzDescription(f *testing.F) {
	text, err := os.ReadFile(filepath.Join(tiny, "bundle.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"schema": "ctrecon-bundle/1", "image": {"height": 64}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := read("x", oneFile(text))
		if err == nil && (b.Dims().Pixels() <= 0 || !json.Valid(text)) {
			t.Errorf("taken: %q", text)
		}
	})
}

type oneFile []byte

func (o oneFile) Open(name string) (fs.File, error) {
	if name != "bundle.json" {
		return nil, fs.ErrNotExist
	}
	return &memory{Reader: strings.NewReader(string(o))}, nil
}

type memory struct{ io.Reader }

func (m *memory) Stat() (fs.FileInfo, error) { return nil, fs.ErrInvalid }
func (m *memory) Close() error               { return nil }
