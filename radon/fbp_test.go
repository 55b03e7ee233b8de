package radon

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"ctrecon/ct"
	"ctrecon/ct/solve/optest"
)

func mustFBP(t testing.TB, grid ct.Grid, geo ct.Geometry, o FBPOptions) *FBP {
	t.Helper()
	f, err := NewFBP(grid, geo, o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// meanIn averages the pixels closer than r to the point.
func meanIn(x []float32, g ct.Grid, cx, cy, r float64) float64 {
	sum, n := 0.0, 0
	for i, v := range x {
		if px, py := g.XY(i/g.W, i%g.W); math.Hypot(px-cx, py-cy) < r {
			sum, n = sum+float64(v), n+1
		}
	}
	return sum / float64(n)
}

func arc(n int, start, total float64) []float64 {
	a := make([]float64, n)
	for i := range a {
		a[i] = start + total*float64(i)/float64(n)
	}
	return a
}

func jittered(n int) []float64 {
	r := rand.New(rand.NewPCG(1, 2))
	a := arc(n, 0, 180)
	for i := range a {
		a[i] += 180 / float64(n) * 0.4 * (r.Float64() - 0.5)
	}
	return a
}

// TestDisc: the mu of a disc within 0.5 %, for every window, kernel and way to
// take the views. ODL and LEAP have been off by a constant here when a library
// changed.
func TestDisc(t *testing.T) {
	golden := make([]float64, 180)
	for i := range golden {
		golden[i] = math.Mod(float64(i)*111.24611797498107, 180)
	}
	scans := []struct {
		name   string
		angles []float64
		ds     float64
		offset float64
	}{
		{"9 views", arc(9, 0, 180), 1, 0},
		{"25 views", arc(25, 0, 180), 1, 0},
		{"180 views", arc(180, 0, 180), 1, 0},
		{"720 views", arc(720, 0, 180), 1, 0},
		{"full turn, even", arc(120, 0, 360), 1, 0},
		{"full turn, odd", arc(121, 7, 360), 1, 0.25},
		{"two turns", arc(240, 0, 720), 1, 0},
		{"unsorted golden angles", golden, 1, 0},
		{"jittered", jittered(90), 1, 0},
		{"wide bins", arc(90, 0, 180), 2.1, 0.4},
		{"narrow bins", arc(90, 0, 180), 0.4, -2},
		{"negative direction", arc(90, 45, -180), 1, 0},
	}
	grid := ct.Grid{W: 96, H: 72, DX: 1, DY: 1.3}
	const mu = 0.0195
	es := disc(6, -4, 30, mu)
	eachKernel(t, func(t *testing.T, kernel string) {
		for _, s := range scans {
			geo := ct.Geometry{Angles: s.angles, Bins: int(131/s.ds) | 1, BinSize: s.ds, Offset: s.offset}
			sino := ct.Sinogram{Geometry: geo, Data: bins(es, geo)}
			for _, w := range Windows() {
				for _, cutoff := range []float64{1, 0.6} {
					f := mustFBP(t, grid, geo, FBPOptions{Window: w, Cutoff: cutoff, Kernel: kernel})
					x := make([]float32, grid.Len())
					f.Reconstruct(x, sino)
					if got := meanIn(x, grid, 6, -4, 20); math.Abs(got/mu-1) > 5e-3 {
						t.Errorf("%s, %s, cut-off %g: mu %.6f, want %g within 0.5 %%", s.name, w, cutoff, got, mu)
					}
					if f.Coverage().Limited() {
						t.Errorf("%s: %v, want nothing missing", s.name, f.Coverage())
					}
				}
			}
		}
	})
}

// TestFBPImage: figures of the prototype on the same phantom, minus 0.1 dB.
func TestFBPImage(t *testing.T) {
	tests := []struct {
		grid ct.Grid
		geo  ct.Geometry
		want float64
	}{
		{ct.Square(256, 1), ct.Uniform(720, 367, 1), 34.4},
		{ct.Grid{W: 255, H: 201, DX: 1, DY: 1}, ct.Uniform(400, 340, 1), 33.0},
		{ct.Square(128, 2), ct.Geometry{Bins: 201, BinSize: 1.9, Offset: .25, Angles: arc(300, 0, 180)}, 30.5},
	}
	for _, tt := range tests {
		es := sheppLogan(float64(min(tt.grid.W, tt.grid.H)) / 2 * tt.grid.DX)
		x := make([]float32, tt.grid.Len())
		mustFBP(t, tt.grid, tt.geo, FBPOptions{}).Reconstruct(x, ct.Sinogram{Geometry: tt.geo, Data: bins(es, tt.geo)})
		got := psnr(x, raster(es, tt.grid, 8))
		t.Logf("%d x %d: %.2f dB", tt.grid.W, tt.grid.H, got)
		if got < tt.want {
			t.Errorf("%d x %d: PSNR %.2f dB, want %.1f", tt.grid.W, tt.grid.H, got, tt.want)
		}
	}
}

// TestFilter: the convolution, of several views in place, against its definition.
func TestFilter(t *testing.T) {
	eachKernel(t, func(t *testing.T, kernel string) {
		k, _ := kernelByName(kernel)
		for _, n := range []int{1, 2, 3, 31, 64, 65, 367} {
			for _, w := range []Window{RamLak, Hann} {
				taps := rampTaps(n, w, 1)
				scale := []float32{2, -1, 0.5, 3, 1, 0}
				y := optest.Normals(n*len(scale), 5)
				got := slices.Clone(y)
				newFilter(k, taps).apply(got, got, scale)
				for i := range got {
					v, want := i/n, 0.0
					for j := range n {
						want += float64(scale[v]) * float64(y[v*n+j]) * taps[max(i%n-j, j-i%n)]
					}
					if math.Abs(want-float64(got[i])) > 1e-5 {
						t.Fatalf("%d bins, %s: bin %d is %g, want %g", n, w, i, got[i], want)
					}
				}
			}
		}
	})
}

// TestRampTaps: closed forms. Hann is the ramp convolved with (1/4, 1/2, 1/4),
// Hamming with (.23, .54, .23); Shepp-Logan's taps are Kak and Slaney's
// -2/(pi^2 (4n^2-1)) at unit spacing.
func TestRampTaps(t *testing.T) {
	smooth := func(side, mid float64) func(n int) float64 {
		return func(n int) float64 { return mid*Ramp(n) + side*(Ramp(n-1)+Ramp(n+1)) }
	}
	wants := map[Window]func(n int) float64{
		RamLak: Ramp, Hann: smooth(.25, .5), Hamming: smooth(.23, .54),
		SheppLogan: func(n int) float64 { return -2 / (math.Pi * math.Pi * float64(4*n*n-1)) },
		Cosine: func(n int) float64 { // integral of 2 f cos(pi f) cos(2 pi f n), 0 < f < 1/2
			g := func(c float64) float64 { return math.Sin(c/2)/(2*c) + (math.Cos(c/2)-1)/(c*c) }
			return g(math.Pi*float64(2*n+1)) + g(math.Pi*float64(2*n-1))
		},
	}
	for w, want := range wants {
		for n, got := range rampTaps(200, w, 1) {
			n := n
			ref := want(n)
			if n < 0 {
				ref = want(-n)
			}
			if math.Abs(got-ref) > 2e-6 {
				t.Errorf("%s: lag %d is %.8f, want %.8f", w, n, got, ref)
			}
		}
	}
	if w := Hann.at(1.01); w != 0 {
		t.Errorf("Hann above its cut-off is %g, want 0", w)
	}
}

func TestNewFBPRefuses(t *testing.T) {
	tests := []struct {
		opt  FBPOptions
		want string
	}{
		{FBPOptions{Window: "parzen"}, "ram-lak shepp-logan cosine hamming hann"},
		{FBPOptions{Cutoff: 1.5}, "cut-off 1.5"},
		{FBPOptions{Cutoff: math.NaN()}, "cut-off NaN"},
		{FBPOptions{Kernel: "neon"}, `kernel "neon"`},
	}
	for _, tt := range tests {
		if _, err := NewFBP(ct.Square(8, 1), ct.Uniform(3, 13, 1), tt.opt); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("NewFBP(%+v): %v, want an error with %q", tt.opt, err, tt.want)
		}
	}
}

func TestViewWeights(t *testing.T) {
	tests := []struct {
		name   string
		angles []float64
		want   []float64 // degrees
		capped int
	}{
		{"one view", arc(1, 33, 180), []float64{180}, 0},
		{"uniform", arc(4, 0, 180), []float64{45, 45, 45, 45}, 0},
		{"unsorted, outside the half turn", []float64{270, -180, 45, 315}, []float64{45, 45, 45, 45}, 0},
		{"full turn, opposite views share", arc(8, 0, 360), []float64{22.5, 22.5, 22.5, 22.5, 22.5, 22.5, 22.5, 22.5}, 0},
		{"rounded end", []float64{0, 60, 120, 179.9999999}, []float64{30, 60, 60, 30}, 0},
		{"uneven", []float64{0, 40, 100, 140}, []float64{40, 50, 50, 40}, 0},
		{"quarter turn", arc(9, 20, 90), []float64{10, 10, 10, 10, 10, 10, 10, 10, 10}, 2},
		{"two views close together", []float64{0, 10}, []float64{10, 10}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, cov := ViewWeights(tt.angles)
			sum := 0.0
			for i, w := range got {
				sum += tt.want[i]
				if math.Abs(w*180/math.Pi-tt.want[i]) > 1e-6 {
					t.Errorf("weight %d is %g degrees, want %g", i, w*180/math.Pi, tt.want[i])
				}
			}
			if math.Abs(cov.Arc-sum) > 1e-6 || cov.Capped != tt.capped {
				t.Errorf("coverage %+v, want %g degrees and %d capped", cov, sum, tt.capped)
			}
		})
	}
}

// TestUsualStep: neither jitter between turns nor missing arcs mislead it.
func TestUsualStep(t *testing.T) {
	turns := arc(540, 0, 1080)
	for i := range turns {
		turns[i] += 0.02 * float64(i%3)
	}
	two := append(arc(13, 0, 30), arc(12, 90, 28)...)
	tests := []struct {
		name      string
		angles    []float64
		step      float64
		arc       float64
		capped    int
		tolerance float64
	}{
		{"three turns with jitter", turns, 2, 180, 0, 0.05}, // the turns coincide: 90 angles, 2 degrees apart
		{"two arcs", two, 2.3, 58, 4, 0.1},
		{"a degree", arc(25, 0, 1), 0.04, 1, 2, 1e-6},
	}
	for _, tt := range tests {
		_, cov := ViewWeights(tt.angles)
		if math.Abs(cov.Step-tt.step) > tt.tolerance || math.Abs(cov.Arc-tt.arc) > 0.5 || cov.Capped != tt.capped {
			t.Errorf("%s: %+v, want step %g, arc %g, %d capped", tt.name, cov, tt.step, tt.arc, tt.capped)
		}
	}
	_, cov := ViewWeights(arc(9, 20, 90))
	if got := cov.String(); !strings.Contains(got, "90 of 180 degrees") {
		t.Errorf("report %q does not name the arc", got)
	}
	if w, _ := ViewWeights(nil); w != nil {
		t.Errorf("weights %v of no views", w)
	}
}

// TestDeadBins: what dead bins hold does not matter, and a disc keeps its mu.
func TestDeadBins(t *testing.T) {
	grid, geo := ct.Square(96, 1), ct.Uniform(90, 139, 1)
	const mu = 0.02
	es := disc(4, 3, 33, mu)
	s := ct.Sinogram{Geometry: geo, Data: bins(es, geo), Sigma: make([]float32, geo.Len())}
	for i := range s.Sigma {
		if k := i % geo.Bins; k == 0 || k == 60 || k == 61 || k == 90 || k > 134 {
			s.Sigma[i], s.Data[i] = float32(math.Inf(1)), float32(math.NaN())
		}
	}
	x := make([]float32, grid.Len())
	f := mustFBP(t, grid, geo, FBPOptions{})
	f.Reconstruct(x, s)
	if got := meanIn(x, grid, 4, 3, 25); math.Abs(got/mu-1) > 0.01 {
		t.Errorf("mu %.5f with four dead columns, want %g within 1 %%", got, mu)
	}
	for i := range geo.Bins { // a dead view is left out: its share is missing
		s.Sigma[10*geo.Bins+i] = float32(math.Inf(1))
	}
	f.Reconstruct(x, s)
	if got := meanIn(x, grid, 4, 3, 25); math.Abs(got/mu-89./90) > 0.01 {
		t.Errorf("mu %.5f without one of 90 views, want 89/90 of %g within 1 %%", got, mu)
	}
}

func TestFillDead(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	data := []float32{nan, 2, nan, nan, 8, nan, 6, nan}
	sigma := []float32{inf, 1, inf, inf, 1, inf, 1, inf}
	want := []float32{2, 2, 4, 6, 8, 7, 6, 6}
	got := make([]float32, len(data))
	if !fillDead(got, data, sigma) {
		t.Error("no live bin found")
	}
	for i := range want {
		if math.Abs(float64(got[i]-want[i])) > 1e-5 {
			t.Errorf("bin %d is %g, want %g", i, got[i], want[i])
		}
	}
	if fillDead(got[:1], data[:1], sigma[:1]) {
		t.Error("a dead view is said to be live")
	}
}

// TestFBPClone: same bits, another work space.
func TestFBPClone(t *testing.T) {
	grid, geo := ct.Square(40, 1), ct.Uniform(12, 61, 1)
	f := mustFBP(t, grid, geo, FBPOptions{Window: Hann})
	s := ct.Sinogram{Geometry: geo, Data: optest.Normals(geo.Len(), 1)}
	a, b := make([]float32, grid.Len()), make([]float32, grid.Len())
	f.Reconstruct(a, s)
	f.Clone().Reconstruct(b, s)
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("pixel %d: %g and %g", i, a[i], b[i])
		}
	}
	if f.Grid() != grid || f.Geometry().Bins != 61 || f.Kernel() != Kernels()[0] {
		t.Errorf("FBP of %+v, %d bins, kernel %s", f.Grid(), f.Geometry().Bins, f.Kernel())
	}
}

// TestReconstructPanics names both numbers.
func TestReconstructPanics(t *testing.T) {
	f := mustFBP(t, ct.Square(8, 1), ct.Uniform(3, 13, 1), FBPOptions{})
	for _, tt := range []struct {
		name   string
		pixels int
		s      ct.Sinogram
		want   string
	}{
		{"views", 64, ct.NewSinogram(ct.Uniform(4, 13, 1)), "4 views"},
		{"data", 64, ct.Sinogram{Geometry: ct.Uniform(3, 13, 1)}, "0 values, want 39"},
		{"image", 63, ct.NewSinogram(ct.Uniform(3, 13, 1)), "63 values, want 64"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, tt.want) {
					t.Errorf("panic %q, want %q in it", got, tt.want)
				}
			}()
			f.Reconstruct(make([]float32, tt.pixels), tt.s)
		})
	}
}
