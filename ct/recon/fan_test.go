package recon

import (
	"context"
	"math"
	"strings"
	"testing"

	"ctrecon/ct"
	"ctrecon/ct/metrics"
	"ctrecon/phantoms"
	"ctrecon/radon"
)

// near is a scanner's fan; far is a fan that is almost a parallel beam.
var near, far = radon.Fan{SOD: 600, SDD: 1000}, radon.Fan{SOD: 1e6, SDD: 1.6e6}

func curved(f radon.Fan) radon.Fan { f.Curved = true; return f }

// fanThorax is a phantom measured by a fan beam with noise, and its truth in HU.
// Data are exact line integrals averaged over four rays of a bin.
func fanThorax(t testing.TB, views int, arc, sigma float64, fan radon.Fan) (Slice, []float32) {
	t.Helper()
	p, err := phantoms.New("thorax", 0)
	if err != nil {
		t.Fatal(err)
	}
	const rays = 4
	grid := ct.Square(96, p.Field/96)
	geo := ct.Geometry{Bins: 151, BinSize: grid.DX * fan.SDD / fan.SOD, Offset: .25}
	for i := range views {
		geo.Angles = append(geo.Angles, 10+arc*float64(i)/float64(views))
	}
	fine := geo
	fine.Bins, fine.BinSize, fine.Offset = rays*geo.Bins, geo.BinSize/rays, rays*geo.Offset
	data := p.Fan(phantoms.Fan(fan), fine).Data
	s := ct.NewSinogram(geo)
	s.Noise = ct.Noise{Sigma: sigma, Source: "given"}
	ct.NewStream(1, 0, 0, 0).Normals(s.Data, 0)
	for i, n := range s.Data {
		sum := float32(0)
		for _, v := range data[i*rays : (i+1)*rays] {
			sum += v / rays
		}
		s.Data[i] = sum + float32(sigma)*n
	}
	return Slice{Grid: grid, Sino: s, Fan: &fan, MuWater: ct.MuWater, Seed: 1}, p.HU(grid)
}

func reconstruct(t testing.TB, name string, job Slice, truth []float32) (psnr float64, r Result) {
	t.Helper()
	m, err := New(name, Options{TVWeight: 1}) // small, so that the geometry decides and not the prior
	if err != nil {
		t.Fatal(err)
	}
	if r, err = m.Reconstruct(context.Background(), job, nil); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	hu := make([]float32, len(truth))
	ct.ImageToHU(hu, r.Image.Pix, ct.MuWater)
	return metrics.PSNR(hu, truth), r
}

// parallelThorax is the same phantom in parallel beams: the same angles, bins at
// the axis and noise.
func parallelThorax(t testing.TB, job Slice) Slice {
	t.Helper()
	p, err := phantoms.New("thorax", 0)
	if err != nil {
		t.Fatal(err)
	}
	geo := job.Sino.Geometry
	geo.BinSize *= job.Fan.SOD / job.Fan.SDD
	s := p.Sinogram(geo, true)
	s.Noise = job.Sino.Noise
	n := make([]float32, len(s.Data))
	ct.NewStream(1, 0, 0, 0).Normals(n, 0)
	for i := range s.Data {
		s.Data[i] += float32(s.Noise.Sigma) * n[i]
	}
	job.Sino, job.Fan = s, nil
	return job
}

// TestFanFar: a fan from far away is a parallel beam: every method gives an image
// as good but for the projector's interpolation.
func TestFanFar(t *testing.T) {
	for _, fan := range []radon.Fan{far, curved(far)} {
		job, truth := fanThorax(t, 25, 360, 0.01, fan)
		for _, name := range classical() {
			got, r := reconstruct(t, name, job, truth)
			want, _ := reconstruct(t, name, parallelThorax(t, job), truth)
			t.Logf("%s, curved %v: %.2f dB, chi-square %.2f; parallel %.2f dB", name, fan.Curved, got, r.Chi2, want)
			if math.Abs(got-want) > 0.4 {
				t.Errorf("%s, curved %v: %.2f dB, %.2f with parallel beams", name, fan.Curved, got, want)
			}
		}
	}
}

// TestFanMethods: near the source opposite rays no longer fall between each other
// and streaks grow, so that FBP loses 5 dB; methods that fit the data are well
// above it.
func TestFanMethods(t *testing.T) {
	for _, fan := range []radon.Fan{near, curved(near)} {
		job, truth := fanThorax(t, 25, 360, 0.01, fan)
		psnr := map[string]float64{}
		for _, name := range classical() {
			got, r := reconstruct(t, name, job, truth)
			psnr[name] = got
			t.Logf("%s, curved %v: %.2f dB, chi-square %.2f", name, fan.Curved, got, r.Chi2)
		}
		for _, name := range []string{"cgls", "sirt", "tikhonov", "tv"} {
			if psnr[name] < psnr["fbp"]+5 {
				t.Errorf("PSNR %v", psnr)
			}
		}
	}
}

// TestFanPlan: one method serves fan and parallel slices in turn, with the bits
// of a method of their own.
func TestFanPlan(t *testing.T) {
	fan, _ := fanThorax(t, 12, 360, 0.01, near)
	bent, other := fan, curved(near)
	bent.Fan = &other
	parallel := fan
	parallel.Fan = nil
	for _, name := range classical() {
		shared, _ := New(name, Options{})
		for i, job := range []Slice{fan, parallel, bent, fan} {
			got, err := shared.Reconstruct(context.Background(), job, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, want := reconstruct(t, name, job, got.Image.Pix)
			for k, v := range got.Image.Pix {
				if v != want.Image.Pix[k] {
					t.Fatalf("%s, slice %d, pixel %d: %g, alone %g", name, i, k, v, want.Image.Pix[k])
				}
			}
		}
	}
}

// TestFanShortArc: a limited arc is said to be one.
func TestFanShortArc(t *testing.T) {
	job, truth := fanThorax(t, 20, 100, 0.01, near)
	if _, r := reconstruct(t, "fbp", job, truth); len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "cover 100 of the") {
		t.Errorf("warnings %q", r.Warnings)
	}
	job, truth = fanThorax(t, 30, 260, 0.01, near)
	if _, r := reconstruct(t, "fbp", job, truth); len(r.Warnings) != 0 {
		t.Errorf("warnings %q of a short scan that measures all lines", r.Warnings)
	}
}

// TestFanHoldOut: source positions are held out and predicted along the fan.
func TestFanHoldOut(t *testing.T) {
	job, _ := fanThorax(t, 25, 360, 0.01, near)
	m, _ := New("tv", Options{})
	h, err := HoldOut(t.Context(), m, job, []int{6, 18})
	if err != nil || len(h) != 2 || h[1].Angle != job.Sino.Angles[18] {
		t.Fatalf("%+v, %v", h, err)
	}
	job.Fan = nil // the same data, predicted along the wrong rays
	wrong, err := HoldOut(t.Context(), m, job, []int{6, 18})
	if err != nil || h[0].ZSD > wrong[0].ZSD/2 {
		t.Errorf("deviation of z %.2f, %.2f along parallel rays, %v", h[0].ZSD, wrong[0].ZSD, err)
	}
}

func TestFanRefused(t *testing.T) {
	job, _ := fanThorax(t, 6, 360, 0.01, near)
	job.Fan = &radon.Fan{SOD: 100, SDD: 200}
	for _, name := range classical() {
		m, _ := New(name, Options{})
		if _, err := m.Reconstruct(context.Background(), job, nil); err == nil || !strings.Contains(err.Error(), "stands in an image") {
			t.Errorf("%s: %v for a source inside the image", name, err)
		}
	}
	if a, err := NewProjector(job.Grid, job.Sino.Geometry, job.Fan); a != nil || err == nil {
		t.Errorf("projector %v, %v", a, err)
	}
}

// TestBinnedFan: bins are grouped by their size at the axis, and stay in place.
func TestBinnedFan(t *testing.T) {
	geo := ct.Geometry{Angles: []float64{0, 90}, Bins: 101, BinSize: 1, Offset: .3}
	s := ct.NewSinogram(geo)
	s.Noise = ct.Noise{Sigma: .3}
	for i := range s.Data {
		s.Data[i] = float32(geo.S(i % geo.Bins)) // a datum is its place
	}
	for _, tt := range []struct {
		fan  *radon.Fan
		bins int
	}{{nil, 50}, {&radon.Fan{SOD: 50, SDD: 100}, 25}, {&radon.Fan{SOD: 50, SDD: 50}, 50}} {
		b := binned(s, ct.Square(32, 2.1), tt.fan)
		if b.Bins != tt.bins {
			t.Errorf("%+v: %d bins, want %d", tt.fan, b.Bins, tt.bins)
		}
		for i, v := range b.Data {
			if math.Abs(float64(v)-b.S(i%b.Bins)) > 1e-4 {
				t.Fatalf("%+v: bin %d at %g holds the data of %g", tt.fan, i, b.S(i%b.Bins), v)
			}
		}
	}
}
