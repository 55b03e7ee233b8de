package helical

import (
	"math"
	"slices"
	"strings"
	"testing"

	"ctrecon/ct"
	"ctrecon/phantoms"
)

// flying are the places of the focal spot of the modes: half an element of .7 mm at
// the axis.
var flying = map[string][]View{}

func init() {
	for _, m := range Modes {
		flying[m] = Plan{Element: .7, Mode: m}.spots()
	}
}

// clinical is a scan with the distances and columns of a clinical scanner, in a
// field of view of 250 mm, with a quarter offset.
func clinical(rows, perTurn int, turns, feed float64, spots []View) *Scan {
	s := &Scan{Detector: Detector{Rows: rows, Cols: 360, RowSize: 2.2, ColSize: 1.2858, Distance: 1085.6, CenterRow: float64(rows-1) / 2, CenterCol: 179.75}}
	for i := range int(turns * float64(perTurn)) {
		v := spots[i%len(spots)]
		v.Beta, v.Radius = 30+360*float64(i)/float64(perTurn), 595
		v.Z = feed * (float64(i)/float64(perTurn) - turns/2)
		s.Views = append(s.Views, v)
	}
	return s
}

// scanned measures a phantom: every datum is the mean of three rays over its column.
func scanned(s *Scan, p *phantoms.Phantom, down int) *Scan {
	line := p.Solid().Line
	data := make([][]float32, len(s.Views))
	for i := range data {
		data[i] = s.Measure(i, 3, down, line)
	}
	s.Data = func(i int) ([]float32, error) { return data[i], nil }
	return s
}

// distance is |a-b|/|b| over what was measured.
func distance(a, b *ct.Sinogram) float64 {
	var d, n float64
	for i, v := range b.Data {
		if !a.Dead(i) {
			d += math.Pow(float64(a.Data[i]-v), 2)
			n += float64(v) * float64(v)
		}
	}
	return math.Sqrt(d / n)
}

func phantom(t testing.TB, name string, field float64) *phantoms.Phantom {
	t.Helper()
	p, err := phantoms.New(name, field)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func rebinner(t testing.TB, s *Scan) *Rebinner {
	t.Helper()
	r, err := NewRebinner(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestRebin: an object that does not change along z, against its exact parallel
// sinogram of bin averages. The detector's shape and the direction of turn make no
// difference.
func TestRebin(t *testing.T) {
	p := phantom(t, "shepp-logan", 230).At(0)
	tests := []struct {
		name, mode string
		perTurn    int
		change     func(s *Scan)
	}{
		{"no flying spot", "FFSNONE", 768, nil},
		{"flying along z", "FFSZ", 1536, nil},
		{"flying in the plane", "FFSXY", 1536, nil},
		{"flying in both", "FFSXYZ", 1536, nil},
		{"flat detector, falling angles", "FFSZ", 768, func(s *Scan) {
			s.Shape = Flat
			for i := range s.Views {
				s.Views[i].Beta *= -1
			}
		}},
		{"spherical detector, table backwards", "FFSNONE", 512, func(s *Scan) {
			s.Shape = Spherical
			for i := range s.Views {
				s.Views[i].Z *= -1
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := clinical(3, tt.perTurn, 1.25, 2.6, flying[tt.mode])
			if tt.change != nil {
				tt.change(s)
			}
			r := rebinner(t, scanned(s, p, 1))
			if r.Spots() != len(flying[tt.mode]) {
				t.Errorf("%d places of the focal spot, want %d", r.Spots(), len(flying[tt.mode]))
			}
			geo := s.Parallel()
			geo = geo.Subset(every(7, geo.Views()))
			got, err := r.Rebin(.1, geo)
			if err != nil {
				t.Fatal(err)
			}
			want := p.Sinogram(geo, true)
			t.Logf("%d bins, relative L2 %.2e", geo.Bins, distance(&got, &want))
			if d := distance(&got, &want); d > 3e-3 {
				t.Errorf("relative L2 %.2e, at most 3e-3 is wanted", d)
			}
			if got.Live() != got.Len() || got.Sigma != nil {
				t.Errorf("%d of %d data are live", got.Live(), got.Len())
			}
		})
	}
}

func every(step, n int) (out []int) {
	for i := 0; i < n; i += step {
		out = append(out, i)
	}
	return out
}

// glimpsed measures a phantom as far as parallel views at the angles need it: other
// views are zeros. Interpolation takes two views on either side.
func glimpsed(s *Scan, p *phantoms.Phantom, angles []float64) *Scan {
	line, done, none := p.Solid().Line, map[int][]float32{}, make([]float32, s.Rows*s.Cols)
	reach := s.half()*180/math.Pi + 1 + 4*s.Step()*float64(mostSpots)
	s.Data = func(i int) ([]float32, error) {
		for _, a := range angles {
			if done[i] == nil && math.Abs(math.Remainder(s.Views[i].Beta-a, 180)) < reach {
				done[i] = s.Measure(i, 3, 1, line)
			}
		}
		if d := done[i]; d != nil {
			return d, nil
		}
		return none, nil
	}
	return s
}

// TestRebinCone: objects that change along z, sampled as in a clinic (columns of .7 mm
// at the axis, 1,000 views a turn and focal spot or half as many), with rows of 1.2 mm
// and pitch .73. The rest splits in two: what the same scanner does to the slice made
// long along z, and what the inclination of the rays adds to it. Each object is nearer
// to its own slice than to the one on the other side.
func TestRebinCone(t *testing.T) {
	tests := []struct {
		name, mode    string
		rows, perTurn int
		z             float64
		angles        []float64
		cone          float64 // at most
	}{
		{"water", "FFSNONE", 16, 1000, 6, []float64{36, 84}, 1e-3},
		{"shepp-logan", "FFSNONE", 16, 1000, 12, []float64{36, 84}, 1.5e-3},
		{"thorax", "FFSNONE", 16, 1000, 6, []float64{36}, 1.5e-3},
		{"thorax", "FFSXYZ", 6, 2304, 2, []float64{36}, 1e-3},
	}
	for _, tt := range tests {
		t.Run(tt.name+" "+tt.mode, func(t *testing.T) {
			p := phantom(t, tt.name, 230)
			scan := func(rows int, turns, feed float64) *Scan {
				return clinical(rows, tt.perTurn, turns, feed, flying[tt.mode])
			}
			s := scan(tt.rows, 2, .875*float64(tt.rows))
			geo := s.Parallel()
			geo.Angles = tt.angles
			got, err := rebinner(t, glimpsed(s, p, tt.angles)).Rebin(tt.z, geo)
			if err != nil {
				t.Fatal(err)
			}
			long, err := rebinner(t, glimpsed(scan(2, 1.2, 1), p.At(tt.z), tt.angles)).Rebin(.1, geo)
			if err != nil {
				t.Fatal(err)
			}
			want, other := p.At(tt.z).Sinogram(geo, true), p.At(-tt.z).Sinogram(geo, true)
			d, cone, differ := distance(&got, &want), distance(&got, &long), distance(&other, &want)
			t.Logf("relative L2 %.2e; of the slice made long %.2e, cone %.2e; slices at %g and %g mm differ by %.2e", d, distance(&long, &want), cone, tt.z, -tt.z, differ)
			if d > 3e-3 || cone > tt.cone {
				t.Errorf("relative L2 %.2e, cone %.2e; at most 3e-3 and %.1e are wanted", d, cone, tt.cone)
			}
			if e := distance(&got, &other); differ > d && e < 1.5*d { // Shepp-Logan is the same on both sides
				t.Errorf("the slice at %g mm is as near (%.2e)", -tt.z, e)
			}
		})
	}
}

// TestRebinSampling: what is left of an object with much detail and no change along z
// comes from the width of the columns: at half of it, three fifths of the error.
func TestRebinSampling(t *testing.T) {
	p := phantom(t, "thorax", 230).At(6)
	var last float64
	for _, cols := range []int{180, 360, 720} {
		s := clinical(2, 1440, 1.2, 1, flying["FFSNONE"])
		s.ColSize *= 360 / float64(cols)
		s.Cols, s.CenterCol = cols, float64(cols)/2-.25
		geo := s.Parallel()
		geo.Angles = []float64{36}
		got, err := rebinner(t, glimpsed(s, p, geo.Angles)).Rebin(.1, geo)
		if err != nil {
			t.Fatal(err)
		}
		want := p.Sinogram(geo, true)
		d := distance(&got, &want)
		t.Logf("columns of %.2f mm: relative L2 %.2e", geo.BinSize, d)
		if last > 0 && d > .7*last {
			t.Errorf("columns of %.2f mm: relative L2 %.2e, with those of twice the width %.2e", geo.BinSize, d, last)
		}
		last = d
	}
}

// TestSlices: every slice of a plan is seen from all sides, and none beyond Range.
func TestSlices(t *testing.T) {
	for _, mode := range Modes {
		s, err := Plan{Field: 200, Element: 2, Rows: 8, PerTurn: 128, From: -10, To: 14, Mode: mode}.Scan()
		if err != nil {
			t.Fatal(err)
		}
		s.Simulate(func(_, _ [3]float64) float64 { return 1 }, 0, 1)
		r := rebinner(t, s)
		lo, hi := r.Range()
		if lo > -10 || hi < 14 || lo < -20 || hi > 24 {
			t.Errorf("%s: slices from %g to %g mm, want a little more than -10 to 14", mode, lo, hi)
		}
		z := r.Slices(3)
		if n := int((hi-lo)/3) + 1; len(z) != n || math.Abs(z[0]+z[n-1]-lo-hi) > 1e-9 || math.Abs(z[1]-z[0]-3) > 1e-9 {
			t.Errorf("%s: slices at %v within %g to %g", mode, z, lo, hi)
		}
		if got := r.Slices(0); math.Abs(got[1]-got[0]-2) > 1e-9 {
			t.Errorf("%s: the height of a row is 2 mm, slices lie %g mm apart", mode, got[1]-got[0])
		}
		for _, z := range []float64{lo, hi} {
			if sino, err := r.Rebin(z, s.Parallel()); err != nil || sino.Live() != sino.Len() {
				t.Errorf("%s: slice at %g mm: %d of %d data are live (%v)", mode, z, sino.Live(), sino.Len(), err)
			}
		}
		edge, err := r.Rebin(hi+6, s.Parallel())
		if err != nil || edge.Live() == edge.Len() || edge.Noise.Sigma <= 0 {
			t.Errorf("%s: 6 mm beyond the range %d of %d data are live, noise %v (%v)", mode, edge.Live(), edge.Len(), edge.Noise, err)
		}
		if _, err := r.Rebin(hi+1e3, s.Parallel()); err == nil || !strings.Contains(err.Error(), "no ray of the scan sees it") {
			t.Errorf("%s: far away: error %v", mode, err)
		}
	}
}

// TestDeviation: the deviations that photons give are those of many noisy scans.
func TestDeviation(t *testing.T) {
	const photons, p, draws = 1e4, 2.0, 24
	plan := Plan{Field: 60, Element: 2, Rows: 6, PerTurn: 128, Mode: "FFSZ"}
	s, err := plan.Scan()
	if err != nil {
		t.Fatal(err)
	}
	flat := make([]float32, s.Cols)
	for i := range flat {
		flat[i] = photons
	}
	s.Photons = func(int) []float32 { return flat }
	var said, sum, square float64
	for draw := range draws {
		s.Simulate(func(_, _ [3]float64) float64 { return p }, math.Sqrt(math.Exp(p)/photons), uint64(draw))
		got, err := rebinner(t, s).Rebin(0, s.Parallel())
		if err != nil {
			t.Fatal(err)
		}
		if got.Noise.Source != "photon statistics" {
			t.Fatalf("noise of source %q", got.Noise.Source)
		}
		for i, v := range got.Data {
			said += float64(got.Sigma[i]) * float64(got.Sigma[i])
			sum += float64(v) - p
			square += math.Pow(float64(v)-p, 2)
		}
	}
	if r := math.Sqrt(square / said); r < 0.7 || r > 1.3 {
		t.Errorf("deviation is %.2f of what Sigma says", r)
	}
	s.Noise = ct.Noise{Sigma: .25, Source: "given"}
	if got, err := rebinner(t, s).Rebin(0, s.Parallel()); err != nil || got.Sigma != nil || got.Noise != s.Noise {
		t.Errorf("with a level given: noise %v, error %v", got.Noise, err)
	}
}

// TestSameBits: two goroutines get the bits of one.
func TestSameBits(t *testing.T) {
	s, err := Plan{Field: 100, Element: 2, Rows: 4, PerTurn: 128, Mode: "FFSXY"}.Scan()
	if err != nil {
		t.Fatal(err)
	}
	s = scanned(s, phantom(t, "thorax", 90), 1)
	r := rebinner(t, s)
	want, err := r.Rebin(1, s.Parallel())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan []float32)
	for range 2 {
		go func() {
			got, _ := r.Rebin(1, s.Parallel())
			done <- got.Data
		}()
	}
	for range 2 {
		if got := <-done; !slices.Equal(got, want.Data) {
			t.Error("other bits beside another goroutine")
		}
	}
}
