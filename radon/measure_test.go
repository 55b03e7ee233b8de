package radon_test

import (
	"math"
	"testing"

	"ctrecon/ct"
	"ctrecon/phantoms"
	"ctrecon/radon"
)

func relative(got, want []float32) float64 {
	var d, w float64
	for i := range got {
		e := float64(got[i]) - float64(want[i])
		d += e * e
		w += float64(want[i]) * float64(want[i])
	}
	return math.Sqrt(d / w)
}

// TestMeter: without noise the measurement of a fine raster is the analytic
// sinogram but for the raster's own error; the noise has the deviation asked for.
func TestMeter(t *testing.T) {
	p, err := phantoms.New("thorax", 0)
	if err != nil {
		t.Fatal(err)
	}
	grid := ct.Square(256, p.Field/256)
	geo := ct.Uniform(20, ct.DefaultBins(grid), grid.DX)
	m, err := radon.NewMeter(grid, geo)
	if err != nil {
		t.Fatal(err)
	}
	hu := p.HU(grid)
	clean, _ := m.Measure(hu, ct.MuWater, ct.Noise{}, ct.NewStream(1, 0, 0, 0))
	if e := relative(clean.Data, p.Sinogram(geo, true).Data); e > 5e-3 {
		t.Errorf("relative error %.2g against the analytic sinogram, want at most 5e-3", e)
	}
	noisy, _ := m.Measure(hu, ct.MuWater, ct.Noise{Sigma: 0.02}, ct.NewStream(1, 0, 0, 0))
	sum := 0.0
	for i, v := range noisy.Data {
		d := float64(v - clean.Data[i])
		sum += d * d
	}
	n := float64(len(noisy.Data))
	if got := math.Sqrt(sum / n); math.Abs(got-0.02) > 5*0.02/math.Sqrt(2*n) {
		t.Errorf("noise of %g nepers, want 0.02", got)
	}
}

// TestMeterCounts: Poisson data have unit variance in units of their deviation.
func TestMeterCounts(t *testing.T) {
	p, err := phantoms.New("water", 0)
	if err != nil {
		t.Fatal(err)
	}
	grid := ct.Square(64, p.Field/64)
	geo := ct.Uniform(40, ct.DefaultBins(grid), grid.DX)
	m, err := radon.NewMeter(grid, geo)
	if err != nil {
		t.Fatal(err)
	}
	hu := p.HU(grid)
	clean, _ := m.Measure(hu, ct.MuWater, ct.Noise{}, ct.NewStream(1, 0, 0, 0))
	s, _ := m.Measure(hu, ct.MuWater, ct.Noise{Photons: 1e4}, ct.NewStream(1, 0, 0, 0))
	sum := 0.0
	for i, v := range s.Data {
		z := float64(v-clean.Data[i]) / float64(s.Sigma[i])
		sum += z * z
	}
	// Intensities, not line integrals, are averaged over a bin: at edges that is the
	// larger part of z when photons are many, so they are few here.
	if got := sum / float64(len(s.Data)); got < 0.9 || got > 1.2 {
		t.Errorf("mean square of z %g, want near 1", got)
	}
}

// TestRebinFan: against the analytic parallel sinogram, full turn, flat and curved.
func TestRebinFan(t *testing.T) {
	p, err := phantoms.New("shepp-logan", 256)
	if err != nil {
		t.Fatal(err)
	}
	target := ct.Uniform(90, 367, 1)
	want := p.Sinogram(target, true)
	for _, curved := range []bool{false, true} {
		fan := ct.Geometry{Angles: make([]float64, 720), Bins: 600, BinSize: 1}
		for i := range fan.Angles {
			fan.Angles[i] = float64(i) / 2
		}
		f := radon.Fan{SOD: 500, SDD: 1000, Curved: curved}
		s := p.Fan(phantoms.Fan{SOD: f.SOD, SDD: f.SDD, Curved: curved}, fan)
		got, err := radon.RebinFan(s, f, target)
		if err != nil {
			t.Fatal(err)
		}
		for i := range got.Data {
			if got.Dead(i) {
				got.Data[i] = want.Data[i]
			}
		}
		if e := relative(got.Data, want.Data); e > 3e-3 {
			t.Errorf("curved %v: relative error %.2g, want at most 3e-3", curved, e)
		}
		f.SDD = 400
		if _, err := radon.RebinFan(s, f, target); err == nil {
			t.Error("a detector before the axis gives no error")
		}
	}
}
