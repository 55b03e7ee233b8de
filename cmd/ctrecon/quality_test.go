package main

import (
	"math"
	"strings"
	"testing"

	"ctrecon/ct"
	"ctrecon/ct/physics"
	"ctrecon/phantoms"
)

// TestSurroundings: what the measurements need of the phantom, the insert and
// nothing else to 1.8 radii, and a middle quarter of water.
func TestSurroundings(t *testing.T) {
	p, err := phantoms.New("acr", 0)
	if err != nil {
		t.Fatal(err)
	}
	p = p.At(0)
	inserts := 0
	for _, r := range p.ROIs() {
		if r.Edge == 0 {
			continue
		}
		inserts++
		for i := range 360 {
			sin, cos := math.Sincos(float64(i) * math.Pi / 180)
			for _, k := range []float64{0.2, 0.6, 0.98} {
				if got := p.HUAt(r.X+k*r.Edge*cos, r.Y+k*r.Edge*sin); got != r.HU {
					t.Fatalf("%s: %g HU at %g radii and %d degrees, want %g", r.Name, got, k, i, r.HU)
				}
			}
			for _, k := range []float64{1.02, 1.4, 1.8} {
				if got := p.HUAt(r.X+k*r.Edge*cos, r.Y+k*r.Edge*sin); got != 0 {
					t.Fatalf("%s: %g HU at %g radii and %d degrees, want water", r.Name, got, k, i)
				}
			}
		}
	}
	if inserts < 5 {
		t.Errorf("%d inserts", inserts)
	}
	for i := range 33 * 33 {
		x, y := (float64(i%33)/32-0.5)*p.Field/4, (float64(i/33)/32-0.5)*p.Field/4
		if got := p.HUAt(x, y); got != 0 {
			t.Fatalf("%g HU at (%g, %g), want water", got, x, y)
		}
	}
}

// TestDiscs stand in the middle quarter, in water, out of each other's reach.
func TestDiscs(t *testing.T) {
	for _, name := range measuredPhantoms {
		p, err := phantoms.New(name, 0)
		if err != nil {
			t.Fatal(err)
		}
		p = p.At(0)
		q := withDiscs(p)
		for i, task := range tasks {
			x, y, r := places[i][0], places[i][1], task.Diameter/2
			if got := q.HUAt(x, y) - p.HUAt(x, y); got != task.Contrast {
				t.Errorf("%s: disc %d adds %g HU, want %g", name, i, got, task.Contrast)
			}
			if in, out := q.HUAt(x+0.99*r, y), q.HUAt(x+1.01*r, y); in != task.Contrast || out != 0 {
				t.Errorf("%s: at the edge of disc %d %g and %g HU", name, i, in, out)
			}
			if math.Hypot(x, y)+sought*task.Diameter > p.Field/8*math.Sqrt2 {
				t.Errorf("%s: disc %d is not within the middle quarter", name, i)
			}
		}
		if gap := math.Abs(places[0][0] - places[1][0]); gap < sought*(tasks[0].Diameter+tasks[1].Diameter) {
			t.Errorf("discs %g mm apart", gap)
		}
		if got, want := q.Mass()-p.Mass(), math.Pi*p.MuWater*(9*0.030+6.25*0.100); math.Abs(got-want) > 1e-3*want {
			t.Errorf("%s: the discs weigh %g, want %g", name, got, want)
		}
	}
}

// TestDrawsDiffer by their noise alone, and each is a function of seed and number.
func TestDrawsDiffer(t *testing.T) {
	p, err := phantoms.New("water", 0)
	if err != nil {
		t.Fatal(err)
	}
	tr := trial{sigma: 0.02, seed: 5, sino: p.At(0).Sinogram(ct.Uniform(40, 95, 3.6), true)}
	a, b, again := tr.draw(tr.sino, 0), tr.draw(tr.sino, 1), tr.draw(tr.sino, 0)
	square, equal := 0.0, 0
	for i := range a.Data {
		if a.Data[i] != again.Data[i] {
			t.Fatal("the same draw twice is not the same")
		}
		if a.Data[i] == b.Data[i] {
			equal++
		}
		d := float64(a.Data[i] - tr.sino.Data[i])
		square += d * d
	}
	if got := math.Sqrt(square / float64(len(a.Data))); math.Abs(got-0.02) > 0.001 {
		t.Errorf("noise %.4f, want .02 nepers", got)
	}
	if equal > len(a.Data)/100 {
		t.Errorf("%d of %d data are the same in two draws", equal, len(a.Data))
	}
}

// TestTransferOfTask: the trusted insert nearest in contrast answers; for methods
// that are not linear only within a factor of four.
func TestTransferOfTask(t *testing.T) {
	g := ct.Square(32, 1)
	noise := [][]float32{make([]float32, 1024), make([]float32, 1024)}
	for k := range noise {
		ct.NewStream(1, k, 0, 0).Normals(noise[k], 0)
	}
	nps, err := physics.NewRepeats(g, noise).NPS(0, 0, 16)
	if err != nil {
		t.Fatal(err)
	}
	in := func(name string, hu float64) insert { return insert{phantoms.ROI{Name: name}, hu} }
	tr := trial{phantom: &phantoms.Phantom{Field: 230}, grid: g, inserts: []insert{in("bone", 955), in("acrylic", 120), in("soft", -20)}}
	seen := func(cnr float64) measuredTTF {
		return measuredTTF{TTF: physics.TTF{Curve: physics.Curve{Step: 10, Values: []float64{1, 1}}, CNR: cnr}, kept: 0.5}
	}
	tests := []struct {
		name, method string
		cnr          [3]float64
		task         float64
		want         string
	}{
		{"nearest, whatever its sign", "tv", [3]float64{100, 100, 100}, 30, "soft"},
		{"the nearest cannot be trusted", "tv", [3]float64{100, 100, 3}, 60, "acrylic"},
		{"too far for a method that is not linear", "tv", [3]float64{100, 3, 3}, 30, ""},
		{"far enough for FBP", "fbp", [3]float64{100, 3, 3}, 30, "bone"},
		{"none", "fbp", [3]float64{3, 3, 3}, 30, ""},
	}
	for _, tt := range tests {
		q := quality{method: tt.method, nps: nps, ttf: []measuredTTF{seen(tt.cnr[0]), seen(tt.cnr[1]), seen(tt.cnr[2])}}
		d := tr.foretell(&q, physics.Task{Diameter: 6, Contrast: tt.task})
		got := ""
		if d.by != nil {
			got = d.by.Name
			full := physics.Detectability(physics.Task{Diameter: 6, Contrast: tt.task}.Spectrum, q.ttf[0].At, nps.Radial.At, physics.Eye{}, 5)
			if math.Abs(d.npw-full/2) > 1e-9 { // half of the contrast is left
				t.Errorf("%s: d' = %g, want %g", tt.name, d.npw, full/2)
			}
		}
		if got != tt.want {
			t.Errorf("%s: transfer of %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestCells(t *testing.T) {
	m := measuredTTF{TTF: physics.TTF{Curve: physics.Curve{Step: 1, Values: []float64{1, 0.5, 0.3}}, CNR: 30}, kept: 0.987}
	if got := m.cell(); got != "1.00 / beyond, 99 %" {
		t.Errorf("cell %q", got)
	}
	m.CNR = 2.345
	if got := m.cell(); got != "- (CNR 2.3)" {
		t.Errorf("cell %q", got)
	}
	var b strings.Builder
	head(&b, "a", "b")
	row(&b, "1", "2")
	if got := b.String(); got != "| a | b |\n|---|---|\n| 1 | 2 |\n" {
		t.Errorf("table %q", got)
	}
}
