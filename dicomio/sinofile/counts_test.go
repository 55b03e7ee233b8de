package sinofile

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// counted turns line integrals into whole counts of a detector with its own
// gain and dark level in each bin.
func counted(p []float32, bins int, open, dark func(k int) float64) []float64 {
	out := make([]float64, len(p))
	for i, v := range p {
		k := i % bins
		out[i] = math.Round((open(k)-dark(k))*math.Exp(-float64(v)) + dark(k))
	}
	return out
}

func level(base, slope float64) func(int) float64 {
	return func(k int) float64 { return base + slope*float64(k) }
}

// u16 writes values as a uint16 .npy file.
func u16(t *testing.T, dir, name string, v []float64, shape ...int) string {
	t.Helper()
	path := filepath.Join(dir, name)
	b := npyBytes("<u2", shapeText(shape), false, encode(dtype{kind: 'u', size: 2}, v))
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// frames repeats a detector line n times, the frames differing by steps that
// cancel in the mean.
func frames(n, bins int, at func(int) float64) (out []float64) {
	for i := range n {
		for k := range bins {
			out = append(out, at(k)+float64(2*i-(n-1)))
		}
	}
	return out
}

// Counts become line integrals by flats and darks of every shape that tools
// write, from files beside the data, from flags and from a sidecar.
func TestCountsFlatDark(t *testing.T) {
	p := parallel(half180, 64, 0)
	open, dark := level(40000, 50), level(300, 2)
	n := counted(p, 64, open, dark)
	tests := []struct {
		name        string
		flat, dark  []float64
		flatS, drkS []int
	}{
		{"one line each", frames(1, 64, open), frames(1, 64, dark), []int{64}, []int{64}},
		{"one frame with an axis", frames(1, 64, open), frames(1, 64, dark), []int{1, 64}, []int{1, 1, 64}},
		{"many frames", frames(5, 64, open), frames(3, 64, dark), []int{5, 64}, []int{3, 64}},
		{"as many frames as bins", frames(64, 64, open), frames(3, 64, dark), []int{64, 64}, []int{3, 1, 64}},
		{"a constant dark", frames(5, 64, open), []float64{363}, []int{5, 64}, []int{1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			flat := u16(t, dir, "flat.npy", tt.flat, tt.flatS...)
			dark := u16(t, dir, "dark.npy", tt.dark, tt.drkS...)
			bound := 2e-3 // a count of 40000 rounds by 1e-5, one of 40000/e^3 by 3e-4
			if len(tt.dark) == 1 {
				bound = 2e-2 // the true dark level is 300 to 426
			}
			s := mustRead(t, u16(t, dir, "a.npy", n, 45, 64), Options{Flat: flat, Dark: dark})
			if got, sigma := s.Slice(0); far(got, p) > bound || sigma != nil {
				t.Errorf("line integrals differ by %g, more than %g", far(got, p), bound)
			}
			wantNote(t, s, "by the flat field flat.npy and the dark field dark.npy")
			side := u16(t, dir, "b.npy", n, 45, 64)
			if err := os.WriteFile(side+".json", []byte(`{"flat": "flat.npy", "dark": "dark.npy", "data": "counts"}`), 0o644); err != nil {
				t.Fatal(err)
			}
			if got, _ := mustRead(t, side, Options{}).Slice(0); far(got, p) > bound {
				t.Errorf("by sidecar, line integrals differ by %g", far(got, p))
			}
		})
	}
}

// Flats of stacks and of transposed arrays follow the axes of the data.
func TestCountsStack(t *testing.T) {
	p := stack(3, half180, 64)
	open := func(r, k int) float64 { return 20000 + 100*float64(k) + 1000*float64(r) }
	shape := map[axis]int{rowAxis: 3, viewAxis: 45, binAxis: 64}
	var n, flat []float32
	for i, v := range p {
		n = append(n, float32(math.Round(open(i/(45*64), i%64)*math.Exp(-float64(v)))))
	}
	for i := range 2 * 3 * 64 {
		flat = append(flat, float32(open(i/64%3, i%64)))
	}
	for _, tt := range []struct {
		axes      string
		flat      []float32
		flatShape []int
	}{
		{"view,row,bin", flat, []int{2, 3, 64}},
		{"row,view,bin", flat, []int{2, 3, 64}},
		{"view,row,bin", flat[:3*64], []int{3, 64}},
		{"bin,row,view", permuted(flat[:3*64], map[axis]int{rowAxis: 3, viewAxis: 1, binAxis: 64}, []axis{binAxis, rowAxis, viewAxis}), []int{64, 3}},
	} {
		t.Run(tt.axes+fmt.Sprint(tt.flatShape), func(t *testing.T) {
			axes, err := parseAxes(tt.axes)
			if err != nil {
				t.Fatal(err)
			}
			var dims []int
			for _, a := range axes {
				dims = append(dims, shape[a])
			}
			s := mustRead(t, sino(t, permuted(n, shape, axes), dims...), Options{Axes: tt.axes, Flat: sino(t, tt.flat, tt.flatShape...)})
			for r := range 3 {
				if got, _ := s.Slice(r); far(got, p[r*45*64:(r+1)*45*64]) > 2e-3 {
					t.Errorf("row %d differs by %g", r, far(got, p[r*45*64:(r+1)*45*64]))
				}
			}
		})
	}
	_, err := Read(sino(t, permuted(n, shape, []axis{viewAxis, rowAxis, binAxis}), 45, 3, 64), Options{Axes: "view,row,bin", Flat: sino(t, flat[:4*64], 4, 64)})
	wantError(t, err, false, "shape (4, 64) does not fit a detector of 3 rows and 64 bins")
}

// Photon counts with I0 carry Poisson noise; a single zero becomes half a
// photon, a bin or a view of zeros is dead.
func TestCountsPhotons(t *testing.T) {
	p := parallel(half180, 64, 0)
	const i0 = 5000
	n := counted(p, 64, level(i0, 0), level(0, 0))
	zero := 20*64 + 31
	n[zero] = 0
	for i := range n {
		if i%64 == 9 || i/64 == 33 {
			n[i] = 0
		}
	}
	s := mustRead(t, u16(t, t.TempDir(), "a.npy", n, 45, 64), Options{Photons: i0, Axes: "view,bin"})
	got, sigma := s.Slice(0)
	for i, v := range got {
		dead := i%64 == 9 || i/64 == 33
		switch {
		case dead != math.IsInf(float64(sigma[i]), 1):
			t.Fatalf("datum %d: sigma %g", i, sigma[i])
		case dead:
		case i == zero:
			if math.Abs(float64(v)-math.Log(2*i0)) > 1e-5 || math.Abs(float64(sigma[i])-math.Sqrt2) > 1e-4 {
				t.Errorf("a zero count became %g with sigma %g, want ln(2 I0) and sqrt 2", v, sigma[i])
			}
		default:
			if math.Abs(float64(v-p[i])) > 2e-3 {
				t.Fatalf("datum %d is %g, want %g", i, v, p[i])
			}
			if want := 1 / math.Sqrt(n[i]); math.Abs(float64(sigma[i])/want-1) > 1e-3 {
				t.Fatalf("sigma %g of %g photons, want %g", sigma[i], n[i], want)
			}
		}
	}
	for _, words := range []string{"I0 = 5000 photons", "1 counts of zero or less became half a photon", "all of bin 9", "all of view 33"} {
		wantNote(t, s, words)
	}
	if s.Noise.Photons != i0 {
		t.Errorf("noise %+v", s.Noise)
	}
}

// With flats, what the dark field leaves nothing of is masked, and so is a bin
// whose flat is dark.
func TestCountsLost(t *testing.T) {
	p := parallel(half180, 64, 0)
	open, dark := level(4000, 0), level(100, 0)
	n := counted(p, 64, open, dark)
	n[5*64+40], n[6*64+41] = 100, 60
	flat := frames(1, 64, open)
	flat[13] = 90
	dir := t.TempDir()
	s := mustRead(t, u16(t, dir, "a.npy", n, 45, 64), Options{Flat: u16(t, dir, "f.npy", flat, 64), Dark: u16(t, dir, "d.npy", frames(1, 64, dark), 64)})
	if s.dead.count() != 45+2 {
		t.Errorf("%d dead, want 47: %q", s.dead.count(), s.Notes)
	}
	wantNote(t, s, "47 counts of zero or less (after the dark field) were masked, all of bin 13")
	if got, _ := s.Slice(0); got[5*64+40] == 0 || math.Abs(float64(got[13]-(got[12]+got[14])/2)) > 1e-6 {
		t.Errorf("holes filled with %g and %g", got[5*64+40], got[13])
	}
}

// Counts without a reference are scaled by a guess, which is said.
func TestCountsGuess(t *testing.T) {
	p := parallel(half180, 64, 0)
	n := counted(p, 64, level(30000, 0), level(0, 0))
	s := mustRead(t, u16(t, t.TempDir(), "a.npy", n, 45, 64), Options{})
	wantNote(t, s, "taken for counts")
	wantNote(t, s, "guessed open beam")
	if got, _ := s.Slice(0); far(got, p) > 2e-3 {
		t.Errorf("line integrals differ by %g", far(got, p))
	}
	s = mustRead(t, u16(t, t.TempDir(), "a.npy", n, 45, 64), Options{Data: "line integrals"})
	if got, _ := s.Slice(0); float64(got[100]) != n[100] {
		t.Errorf("line integrals were changed to %g", got[100])
	}
}

func TestCountsSaturated(t *testing.T) {
	n := counted(parallel(half180, 64, 0), 64, level(66000, 0), level(0, 0))
	for i := range n {
		n[i] = math.Min(n[i], 65535)
	}
	wantNote(t, mustRead(t, u16(t, t.TempDir(), "a.npy", n, 45, 64), Options{}), "the detector was saturated")
}

// Values between counts and line integrals are refused, and so is a guess that
// the ends of the views contradict.
func TestContentDoubt(t *testing.T) {
	p := parallel(half180, 64, 0)
	scaled := func(f func(v float64) float64) []float32 {
		out := make([]float32, len(p))
		for i, v := range p {
			out[i] = float32(f(float64(v)))
		}
		return out
	}
	tests := []struct {
		name  string
		data  []float32
		words string
	}{
		{"up to 25", scaled(func(v float64) float64 { return 10 * v }), "may be counts or line integrals"},
		{"transmission", scaled(func(v float64) float64 { return math.Exp(-v) }), "were taken for line integrals, but the ends"},
		{"pixels times mu", scaled(func(v float64) float64 { return 50 + 100*v }), "were taken for counts, but the ends"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Read(sino(t, tt.data, 45, 64), Options{Axes: "view,bin"})
			wantError(t, err, true, tt.words, `"data" in a sidecar`)
			if _, err := Read(sino(t, tt.data, 45, 64), Options{Axes: "view,bin", Data: "line integrals"}); err != nil {
				t.Error(err)
			}
		})
	}
}

// A scale in the sidecar makes line integrals of whole numbers, as the pictures
// of some tools need.
func TestValueScale(t *testing.T) {
	p := parallel(half180, 64, 0)
	n := make([]float64, len(p))
	for i, v := range p {
		n[i] = math.Round(float64(v) * 20000)
	}
	path := u16(t, t.TempDir(), "a.npy", n, 45, 64)
	if err := os.WriteFile(path+".json", []byte(`{"value_scale": 5e-5}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, _ := mustRead(t, path, Options{}).Slice(0); far(got, p) > 2.6e-5 {
		t.Errorf("line integrals differ by %g", far(got, p))
	}
}

// The air correction subtracts the mean of the air bins, by the sidecar's or by
// the ends of the views; unasked it is only mentioned.
func TestAir(t *testing.T) {
	p := parallel(half180, 96, 0)
	raised := make([]float32, len(p))
	for i := range p {
		raised[i] = p[i] + .3 + .02*float32(math.Sin(float64(i/96)))
	}
	path := sino(t, raised, 45, 96)
	s := mustRead(t, path, Options{})
	wantNote(t, s, "the ends of the views read 0.3")
	if got, _ := s.Slice(0); far(got, raised) != 0 {
		t.Errorf("data were changed unasked by %g", far(got, raised))
	}
	s = mustRead(t, path, Options{AirCorrection: true})
	wantNote(t, s, "air was subtracted view by view: 0.3")
	if got, _ := s.Slice(0); far(got, p) > 1e-3 {
		t.Errorf("after the correction data differ by %g", far(got, p))
	}
	if err := os.WriteFile(path+".json", []byte(`{"air_correction": true, "air_bins": [[0, 9], [88, 95]]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, _ := mustRead(t, path, Options{}).Slice(0); far(got, p) > 1e-3 {
		t.Errorf("by sidecar, data differ by %g", far(got, p))
	}
	if err := os.WriteFile(path+".json", []byte(`{"air_correction": true, "air_bins": [[90, 99]]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Read(path, Options{})
	wantError(t, err, false, "air_bins: 90 to 99 on a detector of 96 bins")
}

// The estimate of the noise is right within a tenth on white noise.
func TestEstimateSigma(t *testing.T) {
	for _, sigma := range []float64{.002, .01, .05} {
		views, bins := 360, 200
		got := estimateSigma(noisy(parallel(steps(0, .5, views), bins, 0), sigma), views, bins)
		if math.Abs(got/sigma-1) > .1 {
			t.Errorf("noise of %g estimated as %g", sigma, got)
		}
	}
	if got := estimateSigma(make([]float32, 100), 10, 10); got != minSigma {
		t.Errorf("no noise estimated as %g", got)
	}
}
