package physics

import (
	"math"
	"slices"
	"testing"

	"ctrecon/ct"
)

// TestSpot: what a spot shows of discs whose answer is known.
func TestSpot(t *testing.T) {
	fine, coarse := ct.Square(200, 0.1), ct.Square(64, 1.6)
	flat := func(g ct.Grid, f func(x, y float64) float64) []float32 {
		out := make([]float32, g.Len())
		for i := range out {
			out[i] = float32(f(g.XY(i/g.W, i%g.W)))
		}
		return out
	}
	centre, off := Disc{0, 0, 3}, Disc{5.3, -7.1, 3}
	covering := func(g ct.Grid, d Disc, hu float64) []float32 {
		return flat(g, func(x, y float64) float64 { return 40 + hu*covered(x-d.X, y-d.Y, g.DX, g.DY, d.R) })
	}
	tests := []struct {
		name      string
		g         ct.Grid
		d         Disc
		image     []float32
		want, tol float64
	}{
		{"nothing in a flat image", coarse, off, flat(coarse, func(_, _ float64) float64 { return 57 }), 0, 1e-6},
		{"nothing on a slope about the middle", coarse, centre, flat(coarse, func(x, y float64) float64 { return 3*x - 2*y }), 0, 1e-4},
		{"nearly all of it on fine pixels", fine, centre, covering(fine, centre, 30), 30, 0.6}, // 2 %: pixels on the edge
		{"its unit on coarse pixels", coarse, off, covering(coarse, off, 30), 30 * NewSpot(coarse, off).Unit(), 1e-4},
		{"downwards", coarse, off, covering(coarse, off, -100), -100 * NewSpot(coarse, off).Unit(), 1e-4},
		{"a sharp disc by another formula", fine, centre, blurredDisc(fine, centre, 0.05, 30), 30, 0.7},
	}
	for _, tt := range tests {
		if got := NewSpot(tt.g, tt.d).Contrast(tt.image); math.Abs(got-tt.want) > tt.tol {
			t.Errorf("%s: %.4f HU, want %.4f", tt.name, got, tt.want)
		}
	}
	last := math.Inf(1)
	for _, s := range []float64{0.2, 0.5, 1, 2} {
		got := NewSpot(fine, centre).Contrast(blurredDisc(fine, centre, s, 30))
		if got >= last || got <= 0 {
			t.Errorf("blur of %.1f mm shows %.2f HU, less blur %.2f", s, got, last)
		}
		last = got
	}
}

// TestSpotArea: the shares add up to the disc's area wherever it stands, and no
// pixel of it is in the ring.
func TestSpotArea(t *testing.T) {
	g := ct.Square(64, 1.6)
	for _, d := range []Disc{{0, 0, 3}, {0.8, 0.8, 3}, {-11.37, 4.1, 5}, {2.2, 9.9, 0.8}} {
		s := NewSpot(g, d)
		area := 0.0
		for k, a := range s.share {
			area += a * g.DX * g.DY
			if slices.Contains(s.ring, s.disc[k]) {
				t.Errorf("%v: pixel %d is in disc and ring", d, s.disc[k])
			}
		}
		if want := math.Pi * d.R * d.R; math.Abs(area-want) > 0.05*want { // points .1 mm apart
			t.Errorf("%v: area %.3f mm^2, want %.3f", d, area, want)
		}
		if u := s.Unit(); u <= 0 || u > 1 {
			t.Errorf("%v: unit %g", d, u)
		}
	}
}

// trunk is a body of soft tissue of radius 80 mm with fat on its left, a rough part
// above and a lung below, in air.
func trunk(g ct.Grid) (hu []float32, body []bool) {
	hu, body = make([]float32, g.Len()), make([]bool, g.Len())
	ct.NewStream(5, 0, 0, 0).Normals(hu, 0)
	for i := range hu {
		x, y := g.XY(i/g.W, i%g.W)
		mean, sd := 50.0, 5.0
		body[i] = math.Hypot(x, y) < 80
		switch {
		case !body[i]:
			mean = -1000
		case x < -30:
			mean = -100
		case y > 30:
			sd = 60
		case y < -30:
			mean = -800
		}
		hu[i] = float32(mean) + float32(sd)*hu[i]
	}
	return hu, body
}

// TestPlaces: all in homogeneous soft tissue away from the edge and from each
// other, the same from the same numbers, none where there is no such tissue.
func TestPlaces(t *testing.T) {
	g := ct.Square(128, 1.6)
	hu, body := trunk(g)
	seen := map[Disc]bool{}
	for slice := range 20 {
		list := Places(g, hu, body, 3, 3, ct.NewStream(1, slice, 0, 0))
		if again := Places(g, hu, body, 3, 3, ct.NewStream(1, slice, 0, 0)); !slices.Equal(list, again) {
			t.Fatalf("%v, again %v", list, again)
		}
		if len(list) < 2 {
			t.Errorf("slice %d: places %v", slice, list)
		}
		for i, d := range list {
			seen[d] = true
			// The centre moves within its pixel, and a pixel or two at the tip of the ring may be of other tissue.
			const slack = 2
			reach := ringTo*d.R - slack
			if d.R != 3 || d.X < -30+reach || d.Y > 30-reach || d.Y < -30+reach || math.Hypot(d.X, d.Y) > 80-reach-rimmed {
				t.Errorf("slice %d: %v is not in soft tissue", slice, d)
			}
			for _, e := range list[:i] {
				if r := math.Hypot(d.X-e.X, d.Y-e.Y); r < apart*3-2*slack {
					t.Errorf("slice %d: %v and %v are %.1f mm apart", slice, d, e, r)
				}
			}
		}
	}
	if len(seen) < 30 {
		t.Errorf("%d different places in 20 slices", len(seen))
	}
	for _, tt := range []struct {
		name string
		r    float64
		n    int
		more float64 // HU on the image
		want int
	}{
		{"one is asked for", 3, 1, 0, 1},
		{"none is asked for", 3, 0, 0, 0},
		{"all is bone", 3, 3, 1200, 0},
		{"the disc is too large", 30, 3, 0, 0},
	} {
		im := slices.Clone(hu)
		for i := range im {
			im[i] += float32(tt.more)
		}
		if got := Places(g, im, body, tt.r, tt.n, ct.NewStream(1, 0, 0, 0)); len(got) != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestTwoAlternative(t *testing.T) {
	for _, tt := range []struct {
		name          string
		with, without []float64
		group         []int
		want, se      float64
	}{
		{"always right", []float64{5, 6, 7}, []float64{1, 2, 3}, []int{0, 1, 2}, 1, 0},
		{"always wrong", []float64{1, 2, 3}, []float64{5, 6, 7}, []int{0, 1, 2}, 0, 0},
		{"ties", []float64{1, 1, 1}, []float64{1, 1, 1}, []int{0, 1, 2}, 0.5, 0},
		{"pairs of one group do not count", []float64{0, 9, 9}, []float64{-1, 10, 10}, []int{0, 1, 1}, 0.5, 0},
		{"one group says nothing", []float64{1, 2}, []float64{0, 0}, []int{4, 4}, math.NaN(), math.NaN()},
	} {
		got := TwoAlternative(tt.with, tt.without, tt.group)
		if math.IsNaN(tt.want) {
			if !math.IsNaN(got.Value) {
				t.Errorf("%s: %v", tt.name, got)
			}
			continue
		}
		if math.Abs(got.Value-tt.want) > 1e-12 || math.Abs(got.SE-tt.se) > 1e-12 {
			t.Errorf("%s: %+v, want %g ± %g", tt.name, got, tt.want, tt.se)
		}
	}
}

// TestTwoAlternativeNormal: of normal values whose middles are d deviations apart
// the area is Phi(d/sqrt 2), and the standard error is the deviation of repeats, for
// values of one group that go together too.
func TestTwoAlternativeNormal(t *testing.T) {
	const groups, places, repeats = 40, 3, 400
	for _, tt := range []struct {
		name           string
		d, image, pair float64 // deviation shared by an image, and by with and without of a place
	}{
		{"independent", 1, 0, 0}, {"hard to see", 0.3, 0, 0}, {"by image", 1, 0.8, 0}, {"by pair", 0.6, 0, 0.95}, {"by both", 0.6, 0.5, 0.8},
	} {
		own := math.Sqrt(1 - tt.image*tt.image - tt.pair*tt.pair)
		var sum, square, se float64
		z := make([]float32, groups*(1+3*places))
		for k := range repeats {
			ct.NewStream(9, k, 0, 0).Normals(z, 0)
			with, without, group := make([]float64, groups*places), make([]float64, groups*places), make([]int, groups*places)
			for i := range with {
				shared := tt.image*float64(z[i/places]) + tt.pair*float64(z[groups+i])
				with[i] = tt.d + shared + own*float64(z[groups+groups*places+i])
				without[i] = shared + own*float64(z[groups+2*groups*places+i])
				group[i] = i / places
			}
			got := TwoAlternative(with, without, group)
			sum, square, se = sum+got.Value/repeats, square+got.Value*got.Value/repeats, se+got.SE/repeats
		}
		want, sd := 0.5*math.Erfc(-tt.d/2), math.Sqrt(square-sum*sum)
		// 400 repeats: the mean is known to sd/20, the deviation to 3.5 %.
		if math.Abs(sum-want) > 4*sd/20 {
			t.Errorf("%s: area %.4f, want %.4f ± %.4f", tt.name, sum, want, sd/20)
		}
		if se < 0.85*sd || se > 1.15*sd {
			t.Errorf("%s: standard error %.4f, deviation of repeats %.4f", tt.name, se, sd)
		}
	}
}
