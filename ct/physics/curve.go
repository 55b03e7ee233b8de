package physics

import "math"

// Curve is a function of spatial frequency, in equal steps from 0.
type Curve struct {
	Step   float64   // 1/cm
	Values []float64 // at 0, Step, 2 Step ...
}

// At interpolates linearly; 0 beyond the last value.
func (c Curve) At(f float64) float64 {
	p := f / c.Step
	i := int(p)
	switch {
	case p < 0 || i >= len(c.Values):
		return 0
	case i == len(c.Values)-1:
		if p > float64(i) {
			return 0
		}
		return c.Values[i]
	}
	return c.Values[i] + (p-float64(i))*(c.Values[i+1]-c.Values[i])
}

// Fall is the first frequency in 1/cm at which the curve falls below level times
// its value at 0, +Inf when it never does.
func (c Curve) Fall(level float64) float64 {
	for i := 1; i < len(c.Values); i++ {
		a, b, at := c.Values[i-1], c.Values[i], level*c.Values[0]
		if b < at {
			return c.Step * (float64(i-1) + (a-at)/(a-b))
		}
	}
	return math.Inf(1)
}
