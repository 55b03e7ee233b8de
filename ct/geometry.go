package ct

import (
	"fmt"
	"math"
)

// Geometry of a parallel-beam scan.
type Geometry struct {
	Angles  []float64 // degrees, counter-clockwise with y up, one a view
	Bins    int       // detector bins of a view
	BinSize float64   // bin spacing ds in mm
	Offset  float64   // bins: bin k is centred at (k-(Bins-1)/2-Offset)*BinSize
}

// Uniform is a scan of n views at i*180/n degrees, i = 0..n-1.
func Uniform(n, bins int, binSize float64) Geometry {
	a := make([]float64, n)
	for i := range a {
		a[i] = 180 * float64(i) / float64(n)
	}
	return Geometry{Angles: a, Bins: bins, BinSize: binSize}
}

// Views is the number of views.
func (g Geometry) Views() int { return len(g.Angles) }

// Len is the number of data: views times bins.
func (g Geometry) Len() int { return len(g.Angles) * g.Bins }

// S is the detector position of the centre of bin k in millimetres.
func (g Geometry) S(k int) float64 {
	return (float64(k) - float64(g.Bins-1)/2 - g.Offset) * g.BinSize
}

// Check reports a geometry that no operator can work on.
func (g Geometry) Check() error {
	switch {
	case len(g.Angles) == 0:
		return fmt.Errorf("geometry has no views")
	case g.Bins < 1 || g.Bins > maxBins:
		return fmt.Errorf("geometry has %d bins: 1 to %d are possible", g.Bins, maxBins)
	case !positive(g.BinSize):
		return fmt.Errorf("detector spacing %g mm: it must be positive and finite", g.BinSize)
	case !finite(g.Offset):
		return fmt.Errorf("detector offset %g: it must be finite", g.Offset)
	}
	for i, a := range g.Angles {
		if !finite(a) {
			return fmt.Errorf("view %d: angle %g is not finite", i, a)
		}
	}
	return nil
}

const maxBins = 1 << 16

// Arc is the angle in degrees that the views cover when each stands for its own
// step: 180 for uniform views over a half turn. One view covers 180 degrees.
func (g Geometry) Arc() float64 {
	n := len(g.Angles)
	if n < 2 {
		return 180
	}
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, a := range g.Angles {
		lo, hi = math.Min(lo, a), math.Max(hi, a)
	}
	return (hi - lo) * float64(n) / float64(n-1)
}

// Subset keeps the views with the given indices.
func (g Geometry) Subset(views []int) Geometry {
	a := make([]float64, len(views))
	for i, v := range views {
		a[i] = g.Angles[v]
	}
	g.Angles = a
	return g
}
