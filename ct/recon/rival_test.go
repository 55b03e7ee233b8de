package recon

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ctrecon/ct"
)

// tinyRival multiplies attenuation by .9; see testdata/rival/make.py.
func tinyRival(t testing.TB) *Rival {
	t.Helper()
	needRuntime(t)
	r, err := OpenRival("testdata/rival/rival.onnx")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func reconstructed(t testing.TB, name string, o Options, job Slice) Result {
	t.Helper()
	m, err := New(name, o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := m.Reconstruct(t.Context(), job, nil)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return r
}

// apart is the largest difference of two images by the largest value of b.
func apart(a, b []float32) float64 {
	d, top := 0.0, 0.0
	for i := range a {
		d, top = max(d, math.Abs(float64(a[i]-b[i]))), max(top, math.Abs(float64(b[i])))
	}
	return d / top
}

// TestRivalNetwork: the network sees FBP with a Hann window, unclipped, and its
// output is the image.
func TestRivalNetwork(t *testing.T) {
	o := Options{Rival: tinyRival(t)}
	job, _ := measured(t, 64, 25, ct.Noise{Sigma: 0.01})
	want := reconstructed(t, "fbp-hann", o, job).Image.Pix
	for i := range want {
		want[i] *= 0.9
	}
	if slices.Min(want) >= 0 {
		t.Fatal("no streak below air: clipping would not be seen")
	}
	if d := apart(reconstructed(t, "fbp-unet", o, job).Image.Pix, want); d > 1e-5 {
		t.Errorf("differs from the network of FBP by %g", d)
	}
}

// TestRivalDataStep: the image of fbp-unet-dc makes the gradient of
// |A x - y|^2/sigma^2 + |x - u|^2/r^2 vanish.
func TestRivalDataStep(t *testing.T) {
	net := tinyRival(t)
	o := Options{Rival: net}
	job, _ := measured(t, 64, 25, ct.Noise{Sigma: 0.01})
	before, after := reconstructed(t, "fbp-unet", o, job), reconstructed(t, "fbp-unet-dc", o, job)
	if !(after.Chi2 < before.Chi2/10) {
		t.Errorf("chi-square %.3g before the data step, %.3g after", before.Chi2, after.Chi2)
	}
	first, last := stepGradient(t, job, before.Image.Pix, before.Image.Pix, net.RHU[0]), stepGradient(t, job, after.Image.Pix, before.Image.Pix, net.RHU[0])
	if !(last < 2e-2*first) {
		t.Errorf("gradient %.3g before, %.3g after", first, last)
	}
}

// stepGradient is the norm of A'(A x - y)/s^2 + (x - u)/r^2.
func stepGradient(t *testing.T, job Slice, x, u []float32, hu float64) float64 {
	t.Helper()
	a, err := NewProjector(job.Grid, job.Sino.Geometry, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, g := make([]float32, job.Sino.Len()), make([]float32, len(x))
	a.Apply(p, x)
	for i, y := range job.Sino.Data {
		p[i] = float32(float64(p[i]-y) / (job.Sino.Noise.Sigma*job.Sino.Noise.Sigma + modelError*modelError))
	}
	a.Adjoint(g, p)
	r, sum := hu/1000*job.MuWater, 0.0
	for i := range g {
		v := float64(g[i]) + float64(x[i]-u[i])/(r*r)
		sum += v * v
	}
	return math.Sqrt(sum)
}

// TestRivalAlternates: pnp-unet is the data step of fbp-unet-dc, the network, and
// a data step with the next deviation.
func TestRivalAlternates(t *testing.T) {
	net := tinyRival(t)
	job, _ := measured(t, 64, 25, ct.Noise{Sigma: 0.01})
	u := reconstructed(t, "fbp-unet-dc", Options{Rival: net}, job).Image.Pix
	for i := range u {
		u[i] *= 0.9
	}
	got := reconstructed(t, "pnp-unet", Options{Rival: net}, job)
	first, last := stepGradient(t, job, u, u, net.RHU[1]), stepGradient(t, job, got.Image.Pix, u, net.RHU[1])
	if !(last < 2e-2*first) {
		t.Errorf("gradient %.3g before, %.3g after", first, last)
	}
}

// TestRivalRefuses: what the network cannot do is said, and warned of.
func TestRivalRefuses(t *testing.T) {
	net := tinyRival(t)
	job, _ := measured(t, 40, 25, ct.Noise{Sigma: 0.01})
	m, _ := New("fbp-unet", Options{Rival: net})
	if _, err := m.Reconstruct(t.Context(), job, nil); err == nil || !strings.Contains(err.Error(), "64 x 64 pixels, not 40 x 40") {
		t.Errorf("40 pixels: %v", err)
	}
	m, _ = New("pnp-unet", Options{})
	var e *ModelError
	if _, err := m.Reconstruct(t.Context(), job, nil); !errors.As(err, &e) {
		t.Errorf("without a network: %v", err)
	}
	job, _ = measured(t, 64, 20, ct.Noise{Sigma: 0.01})
	if w := reconstructed(t, "fbp-unet", Options{Rival: net}, job).Warnings; len(w) != 1 || !strings.Contains(w[0], "20 views") {
		t.Errorf("20 views: %q", w)
	}
	for _, n := range RivalNames() {
		if slices.Contains(Names(), n) {
			t.Errorf("%s is offered to everybody", n)
		}
	}
}

// TestOpenRival: descriptions that do not fit are refused by what is wrong.
func TestOpenRival(t *testing.T) {
	graph, err := os.ReadFile("testdata/rival/rival.onnx")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/rival/rival.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, old, new, want string }{
		{"as it is", "", "", ""},
		{"schema", "ctrecon-rival/1", "ctrecon-rival/9", `schema "ctrecon-rival/9"`},
		{"another network", `"sha256": "`, `"sha256": "0`, "was changed or cut"},
		{"no size", `"width": 64`, `"width": 0`, "64 x 0 pixels"},
		{"no range", `"hu_half": 1500`, `"hu_half": -1`, "must be positive"},
		{"no deviation", `100,`, `-5,`, "r_hu -5"},
		{"no JSON", `{`, `[`, "invalid character"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			changed := strings.Replace(string(text), c.old, c.new, 1)
			for name, b := range map[string]string{"r.onnx": string(graph), "r.json": changed} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(b), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			_, err := OpenRival(filepath.Join(dir, "r.onnx"))
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	if _, err := OpenRival("testdata/rival/none.onnx"); err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("no file: %v", err)
	}
}

// TestRivalOfResults: the network of docs/results.md is far better than FBP on an
// object that it never saw, and each further step fits the data better.
func TestRivalOfResults(t *testing.T) {
	needRuntime(t)
	net, err := OpenRival("../../ldm/models/rival/rival.onnx")
	if err != nil {
		t.Fatal(err)
	}
	job, truth := measured(t, net.Width, net.Views, ct.Noise{Sigma: 0.01})
	fbp := psnr(reconstructed(t, "fbp-hann", Options{}, job), truth)
	chi := math.Inf(1)
	for _, name := range RivalNames() {
		r := reconstructed(t, name, Options{Rival: net}, job)
		if got := psnr(r, truth); !(got > fbp+3) {
			t.Errorf("%s: %.2f dB, FBP %.2f dB", name, got, fbp)
		}
		if !(r.Chi2 < chi) {
			t.Errorf("%s: chi-square %.3g, before %.3g", name, r.Chi2, chi)
		}
		chi = r.Chi2
	}
}
