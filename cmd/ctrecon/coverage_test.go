package main

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"ctrecon/ct"
)

// TestCoverage: errors drawn with deviation sqrt((2 s)^2 + (d/2)^2 + 10^2), d the
// slice's own, are found to be so, and 90 % of every patient's are covered. Bins of
// the table are 12 % wide, so the share is known to some per cent.
func TestCoverage(t *testing.T) {
	const n = 50_000
	hu, truth, sd, mask := make([]float32, n), make([]float32, n), make([]float32, n), make([]bool, n)
	z := make([]float32, n)
	var v coverage
	for k, dev := range []float64{5, 20, 50, 80} {
		ct.NewStream(5, 0, 0, uint32(k)).Normals(z, 0)
		for i := range n {
			s := 2 + float64(i%50)
			sd[i], mask[i] = float32(s), true
			hu[i] = float32(math.Sqrt(4*s*s+dev*dev/4+100)) * z[i]
		}
		v.add(fmt.Sprintf("p%d", k), hu, truth, sd, dev, 1, mask)
	}
	l := v.fit("")
	if math.Abs(l.c-2) > 0.1 || math.Abs(l.g-0.5) > 0.05 || math.Abs(l.f-10) > 3 {
		t.Errorf("fitted %+v", l)
	}
	for p, got := range v.shares(l, z90) {
		if math.Abs(got-0.9) > 0.02 {
			t.Errorf("%s: covered %.3f", p, got)
		}
	}
	// The spreads are the same in every slice, and sqrt(4 910.5 + d^2/4 + 100), 910.5
	// the mean square of s, correlates with d = 5, 20, 50, 80 to 0.977.
	if dev, _ := v.correlations(); math.Abs(dev-0.977) > 0.01 {
		t.Errorf("correlation %.3f", dev)
	}
	var b strings.Builder
	v.write(&b)
	if !strings.Contains(b.String(), "| p3 | ") {
		t.Error(b.String())
	}
}
