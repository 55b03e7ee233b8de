package radon

import (
	"fmt"
	"math"
)

// Footprint says how a bin sees a pixel.
type Footprint int

const (
	// Strip is a rectangular pixel averaged over the bin: exact areas but for
	// the rounding of lines to 1/Phases pixel. Measured bins are averages, so it
	// is the default.
	Strip Footprint = iota
	// Joseph interpolates linearly along the image axis that the rays cross more
	// steeply, sampled at the bin centre (Joseph, IEEE Trans. Med. Imaging 1,
	// 1982).
	Joseph
	// Linear interpolates linearly along the detector; its adjoint is the
	// pixel-driven backprojector of FBP.
	Linear
)

// String is the footprint's name.
func (f Footprint) String() string {
	switch f {
	case Strip:
		return "strip"
	case Joseph:
		return "joseph"
	case Linear:
		return "linear"
	}
	return fmt.Sprintf("Footprint(%d)", int(f))
}

// shape is the footprint as a function of the distance in bins, and its half
// width. a and b are the absolute steps, in bins, of a pixel along and across
// the line, a >= b; area is the pixel's in mm2, ds the bin size in mm.
func (f Footprint) shape(a, b, area, ds float64) (h func(float64) float64, half float64) {
	k := area / ds
	switch f {
	case Joseph:
		return func(x float64) float64 { return k / a * math.Max(0, 1-math.Abs(x)/a) }, a
	case Linear:
		return func(x float64) float64 { return k * math.Max(0, 1-math.Abs(x)) }, 1
	}
	return func(x float64) float64 { return k * box3(x, a, b, 1) }, (a + b + 1) / 2
}

// box3 is three centred boxes of unit area and widths a, b, c, convolved, at x.
func box3(x, a, b, c float64) float64 {
	// A vanishing width would divide by zero; below this it is a point.
	switch m := min(a, b, c); {
	case m >= 1e-4:
	case a == m:
		return box2(x, b, c)
	case b == m:
		return box2(x, a, c)
	default:
		return box2(x, a, b)
	}
	h := 0.0
	for i := range 8 {
		s, sign := math.Abs(x), 1.0
		for j, w := range [3]float64{a, b, c} {
			if i>>j&1 == 0 {
				s += w / 2
			} else {
				s -= w / 2
				sign = -sign
			}
		}
		if s > 0 {
			h += sign * s * s / 2
		}
	}
	return math.Max(0, h/(a*b*c))
}

// box2 is two boxes convolved: a trapezoid of unit area.
func box2(x, a, b float64) float64 {
	x, lo, hi := math.Abs(x), math.Abs(a-b)/2, (a+b)/2
	top := 1 / math.Max(a, b)
	switch {
	case x >= hi:
		return 0
	case x <= lo:
		return top
	}
	return top * (hi - x) / (hi - lo)
}
