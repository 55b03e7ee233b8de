package main

import (
	"math"
	"strings"
	"testing"

	"ctrecon/ct"
)

// TestCoverage: errors drawn with deviation sqrt((2 s)^2 + 10^2) are found to be
// so, and 90 % of them are covered. Bins of the table are 12 % wide, so the share
// is known to some per cent.
func TestCoverage(t *testing.T) {
	const n = 200_000
	hu, truth, sd, mask := make([]float32, n), make([]float32, n), make([]float32, n), make([]bool, n)
	z := make([]float32, n)
	ct.NewStream(5, 0, 0, 0).Normals(z, 0)
	for i := range n {
		s := 2 + float64(i%50)
		sd[i], mask[i] = float32(s), true
		hu[i] = float32(math.Sqrt(4*s*s+100)) * z[i]
	}
	v := newCoverage()
	v.add("p", hu, truth, sd, 1, mask)
	c, f := v.fit()
	if math.Abs(c-2) > 0.1 || math.Abs(f-10) > 2 {
		t.Errorf("c %.2f, f %.1f", c, f)
	}
	if got := v.patients["p"].share(c, f, z90); math.Abs(got-0.9) > 0.02 {
		t.Errorf("covered %.3f", got)
	}
	var b strings.Builder
	v.write(&b)
	if !strings.Contains(b.String(), "| p | ") {
		t.Error(b.String())
	}
}
