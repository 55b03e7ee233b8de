package ldm

import (
	"fmt"
	"math"
	"testing"
)

func TestErrorTable(t *testing.T) {
	table := ErrorTable{L: []float64{-8, -2, 2}, R2: []float64{1e-4, 1e-2, 1}, RZ2: []float64{4e-3, 1e-1, 0.9}}
	tests := []struct {
		name       string
		l, r2, rz2 float64
	}{
		{"first knot", -8, 1e-4, 4e-3},
		{"inner knot", -2, 1e-2, 1e-1},
		{"last knot", 2, 1, 0.9},
		{"half way is the geometric mean", -5, 1e-3, math.Sqrt(4e-3 * 1e-1)},
		{"a quarter of the way", -1, 1e-2 * math.Pow(100, 0.25), 0.1 * math.Pow(9, 0.25)},
		{"below the table", -20, 1e-4, 4e-3},
		{"above the table", 9, 1, 0.9},
	}
	for _, tt := range tests {
		r2, rz2 := table.At(tt.l)
		near(t, tt.name+": r2", r2, tt.r2, 1e-14)
		near(t, tt.name+": rz2", rz2, tt.rz2, 1e-14)
	}
	one := ErrorTable{L: []float64{0}, R2: []float64{0.3}, RZ2: []float64{0.4}}
	for _, l := range []float64{-1, 0, 1} {
		if r2, rz2 := one.At(l); r2 != 0.3 || rz2 != 0.4 {
			t.Errorf("one row at %g: %g, %g", l, r2, rz2)
		}
	}
}

func TestRange(t *testing.T) {
	r := Range{Mid: 500, Half: 1500}
	tests := []struct {
		name     string
		hu, unit float64
	}{
		{"air", -1000, -1},
		{"water", 0, -1.0 / 3},
		{"middle", 500, 0},
		{"top", 2000, 1},
	}
	for _, tt := range tests {
		if got := r.Unit(tt.hu); math.Abs(got-tt.unit) > 1e-15 {
			t.Errorf("%s: Unit(%g) = %g, want %g", tt.name, tt.hu, got, tt.unit)
		}
		if got := r.HU(tt.unit); math.Abs(got-tt.hu) > 1e-12 {
			t.Errorf("%s: HU(%g) = %g, want %g", tt.name, tt.unit, got, tt.hu)
		}
	}
	for hu, want := range map[float64]float64{-1024: -1, 3071: 1} {
		if got := r.Unit(hu); got != want {
			t.Errorf("Unit(%g) = %g, want %g: outside values are clipped", hu, got, want)
		}
	}
}

func TestDims(t *testing.T) {
	for _, tt := range []struct {
		d              Dims
		pixels, latent int
	}{
		{Dims{H: 256, W: 256, Channels: 4, LH: 64, LW: 64}, 65536, 16384},
		{Dims{H: 3, W: 5, Channels: 2, LH: 1, LW: 2}, 15, 4},
		{Dims{}, 0, 0},
	} {
		if p, l := tt.d.Pixels(), tt.d.Latent(); p != tt.pixels || l != tt.latent {
			t.Errorf("%+v: %d pixels, %d latent, want %d, %d", tt.d, p, l, tt.pixels, tt.latent)
		}
	}
}

func TestClipUnit(t *testing.T) {
	u := []float32{-2, -1, -0.5, 0, 1, 1.5, float32(math.Inf(1)), float32(math.Inf(-1))}
	clipUnit(u)
	if got, want := fmt.Sprint(u), "[-1 -1 -0.5 0 1 1 1 -1]"; got != want {
		t.Errorf("clipUnit: %s, want %s", got, want)
	}
}
