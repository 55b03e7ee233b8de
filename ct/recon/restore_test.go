package recon

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ctrecon/ct"
	"ctrecon/ct/solve"
	"ctrecon/ldm"
	"ctrecon/ldm/models"
	"ctrecon/ldm/onnx"
)

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

// TestRestorerNetwork: the network sees FBP with a Hann window, unclipped, as both
// of its inputs, and its output is the image. The tiny one takes .6 of one and .3
// of the other.
func TestRestorerNetwork(t *testing.T) {
	o := Options{Model: tinyModel(t)}
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

// TestRestorerDataStep: the images of fbp-unet-dc and pnp-unet make the gradient of
// |A x - y|^2/sigma^2 + |x - u|^2/r^2 vanish at the network's last image u.
func TestRestorerDataStep(t *testing.T) {
	o := Options{Model: tinyModel(t)}
	job, _ := measured(t, 64, 25, ct.Noise{Sigma: 0.01})
	fbp, first, once, twice := reconstructed(t, "fbp-hann", o, job), reconstructed(t, "fbp-unet", o, job), reconstructed(t, "fbp-unet-dc", o, job), reconstructed(t, "pnp-unet", o, job)
	if !(once.Chi2 < first.Chi2/10) {
		t.Errorf("chi-square %.3g before the data step, %.3g after", first.Chi2, once.Chi2)
	}
	second := slices.Clone(once.Image.Pix)
	for i, v := range second {
		second[i] = 0.6*v + 0.3*fbp.Image.Pix[i]
	}
	for _, c := range []struct {
		name string
		r    Result
		u    []float32
	}{{"one", once, first.Image.Pix}, {"two", twice, second}} {
		var r float64
		for _, s := range c.r.Settings {
			if s.Name == "network off by about HU" {
				r, _ = strconv.ParseFloat(s.Value, 64)
			}
		}
		if before, after := stepGradient(t, job, c.u, c.u, r), stepGradient(t, job, c.r.Image.Pix, c.u, r); !(r > restoreLeastHU && after < 2e-2*before) {
			t.Errorf("%s, r %.1f HU: gradient %.3g before, %.3g after", c.name, r, before, after)
		}
	}
}

// TestDeviation: white noise on an image that explains the data is estimated by its
// residual. Its mean square over m rays of about 60 pixels, half of them shared by
// neighbours, is known to sqrt(4/m) = 5 %.
func TestDeviation(t *testing.T) {
	b := tinyModel(t)
	m, err := openRestorer(b, onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	job, hu := measured(t, 64, 25, ct.Noise{})
	job.Sino.Noise.Sigma = 0.001
	a, err := NewProjector(job.Grid, job.Sino.Geometry, nil)
	if err != nil {
		t.Fatal(err)
	}
	mu := make([]float32, len(hu))
	for i, v := range hu {
		mu[i] = float32(job.MuWater * (1 + float64(v)/1000))
	}
	a.Apply(job.Sino.Data, mu)
	d := newLinearData(a, solve.NewRidge(a), &job.Sino, job.MuWater, job.Grid.DX, b.Range())
	u, noise := make([]float32, len(mu)), make([]float32, len(mu))
	for _, want := range []float64{20, 60, 200} {
		ct.NewStream(9, 0, 0, uint32(want)).Normals(noise, 0)
		d.toUnit(u, mu)
		for i := range u {
			u[i] += noise[i] * float32(want/b.Range().Half)
		}
		if got := math.Sqrt(m.deviation(d.Chi2(u)+1, d.response(m.probe))) * b.Range().Half; math.Abs(got/want-1) > 0.1 {
			t.Errorf("noise of %g HU is taken for %.1f", want, got)
		}
	}
	if got := math.Sqrt(m.deviation(0.5, 1)) * b.Range().Half; math.Abs(got-restoreLeastHU) > 1e-6 {
		t.Errorf("an image that fits too well: %g HU", got)
	}
}

// TestProjectedDeviation: smooth errors of any size are found by their projections,
// whatever they look like, and through noise of the data;
// of white noise, of which pixels and bins average much away, half to all is
// found. An error of n*n pixels that is smooth over b is known to sqrt(2) b/n = 9 %.
func TestProjectedDeviation(t *testing.T) {
	job, hu := measured(t, 64, 25, ct.Noise{})
	a, err := NewProjector(job.Grid, job.Sino.Geometry, nil)
	if err != nil {
		t.Fatal(err)
	}
	mu := make([]float32, len(hu))
	ct.ImageFromHU(mu, hu, job.MuWater)
	a.Apply(job.Sino.Data, mu)
	clean := slices.Clone(job.Sino.Data)
	random := make([]float32, len(clean))
	for _, c := range []struct {
		name        string
		sigma, size float64
		blurs       int
		least, most float64
	}{
		{"smooth", 1e-4, 20, 4, 0.85, 1.1},
		{"smooth, larger", 1e-4, 200, 4, 0.85, 1.1},
		{"smooth, noisy data", 0.01, 100, 4, 0.8, 1.2},
		{"rough", 1e-4, 50, 1, 0.7, 1},
		{"white", 1e-4, 50, 0, 0.5, 0.8},
		{"none", 0.01, 0, 0, 0, 0},
	} {
		job.Sino.Noise.Sigma = math.Sqrt(max(0, c.sigma*c.sigma-modelError*modelError))
		ct.NewStream(3, 0, 0, 0).Normals(random, 0)
		for i, v := range clean {
			job.Sino.Data[i] = v + float32(c.sigma)*random[i]
		}
		d := newLinearData(a, nil, &job.Sino, job.MuWater, job.Grid.DX, ldm.Range{Mid: 500, Half: 1500})
		u, e := make([]float32, len(mu)), make([]float32, len(mu))
		ct.NewStream(9, 0, 0, 0).Normals(e, 0)
		smooth(e, 64, c.blurs)
		d.toUnit(u, mu)
		for i, v := range e {
			u[i] += v * float32(c.size/1500)
		}
		got := d.Deviation(u) / job.MuWater * 1000
		if c.size == 0 && got > 15 || c.size > 0 && !(got/c.size > c.least && got/c.size < c.most) {
			t.Errorf("%s: %.1f HU, want %g", c.name, got, c.size)
		}
	}
}

// smooth convolves with (1 2 1)/4 both ways, some times, and scales to a mean square
// of 1.
func smooth(e []float32, width, times int) {
	for range times {
		for _, step := range []int{1, width} {
			old := slices.Clone(e)
			for i := range e {
				e[i] = (old[max(0, i-step)] + 2*old[i] + old[min(len(e)-1, i+step)]) / 4
			}
		}
	}
	sum := 0.0
	for _, v := range e {
		sum += float64(v) * float64(v)
	}
	for i := range e {
		e[i] *= float32(1 / math.Sqrt(sum/float64(len(e))))
	}
}

// TestRestorerOtherGrids: an image of another size is restored on the model's grid
// and refined on its own; it comes near what a sinogram of the model's size gives.
func TestRestorerOtherGrids(t *testing.T) {
	o := Options{Model: tinyModel(t)}
	for _, n := range []int{40, 96} {
		job, truth := measured(t, n, 25, ct.Noise{Sigma: 0.01})
		r := reconstructed(t, "pnp-unet", o, job)
		fbp := psnr(reconstructed(t, "fbp-hann", o, job), truth)
		if got := psnr(r, truth); len(r.Image.Pix) != n*n || !(got > fbp) {
			t.Errorf("%d pixels: %.2f dB, FBP %.2f dB", n, got, fbp)
		}
	}
}

// TestRestorerMissing: a bundle without the network is refused, by name.
func TestRestorerMissing(t *testing.T) {
	b := *tinyModel(t)
	b.Restorer = nil
	job, _ := measured(t, 64, 25, ct.Noise{Sigma: 0.01})
	m, _ := New("pnp-unet", Options{Model: &b})
	var e *ModelError
	if _, err := m.Reconstruct(t.Context(), job, nil); !errors.As(err, &e) || !strings.Contains(err.Error(), "tiny has no network of the role restorer") {
		t.Errorf("without a network: %v", err)
	}
}

// TestUncertainty: what a result says of its error is the bundle's law of the
// samples' spread and the slice's deviation.
func TestUncertainty(t *testing.T) {
	b := *tinyModel(t)
	job, _ := measured(t, 64, 25, ct.Noise{Sigma: 0.01})
	o := Options{Model: &b, Samples: 3, Steps: 3}
	plain := reconstructed(t, "resample", o, job).SD
	b.Error = &models.ErrorLaw{Spread: 2, Deviation: 0.5, FloorHU: 7}
	law := reconstructed(t, "resample", o, job)
	o.RawSpread = true
	raw := reconstructed(t, "resample", o, job).SD
	hu := 1000 / job.MuWater
	for i, s := range raw {
		if s != plain[i] {
			t.Fatalf("pixel %d: spread %g with a law, %g without", i, s, plain[i])
		}
		if want := b.Error.SD(hu*float64(s), hu*law.Deviation) / hu; math.Abs(float64(law.SD[i])-want) > 1e-6*want {
			t.Fatalf("pixel %d: %g, want %g", i, law.SD[i], want)
		}
	}
}

// TestRestorerBuiltIn: the built-in network is far better than FBP on an object
// that it never saw, with few views and with more, and each further step fits the
// data better.
func TestRestorerBuiltIn(t *testing.T) {
	needRuntime(t)
	if b, err := models.Default(); err != nil || b.Restorer == nil {
		t.Skip("the built-in bundle has none")
	}
	for _, views := range []int{15, 25, 60} {
		job, truth := measured(t, 256, views, ct.Noise{Sigma: 0.01})
		fbp, chi := psnr(reconstructed(t, "fbp-hann", Options{}, job), truth), math.Inf(1)
		for _, name := range []string{"fbp-unet", "fbp-unet-dc", "pnp-unet"} {
			r := reconstructed(t, name, Options{}, job)
			if got := psnr(r, truth); !(got > fbp+3) {
				t.Errorf("%s, %d views: %.2f dB, FBP %.2f dB", name, views, got, fbp)
			}
			if !(r.Chi2 < chi) {
				t.Errorf("%s, %d views: chi-square %.3g, before %.3g", name, views, r.Chi2, chi)
			}
			chi = r.Chi2
			if views == 25 && !slices.Equal(reconstructed(t, name, Options{Threads: 2}, job).Image.Pix, r.Image.Pix) {
				t.Errorf("%s: other bits on two threads", name)
			}
		}
	}
}
