package phantoms

import (
	"encoding/csv"
	"math"
	"os"
	"strconv"
	"testing"
)

// The FORBILD head as testdata/forbild.py, a second program, has it from the same
// published table. Its line integrals count steps of 0.02 mm, which err by a step
// an outline: 1.8 g/cm^3 * 0.02 mm * 10 outlines at most.
func TestForbildAgainstPeer(t *testing.T) {
	f, err := os.Open("testdata/forbild.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	p, _ := New("head", 0)
	p.MuWater = 1 // line integrals are then in water mm
	seen := map[string]int{}
	for _, row := range rows {
		var v [3]float64
		for i := range v {
			if v[i], err = strconv.ParseFloat(row[i+1], 64); err != nil {
				t.Fatal(err)
			}
		}
		seen[row[0]]++
		got, bound := p.HUAt(v[0], v[1]), 1e-3
		if row[0] == "line" {
			got, bound = p.LineIntegral(v[0], v[1]), 0.36
		}
		if math.Abs(got-v[2]) > bound {
			t.Errorf("%s %g, %g: %g, the peer has %g", row[0], v[0], v[1], got, v[2])
		}
	}
	if seen["point"] != 280 || seen["line"] != 28 {
		t.Errorf("%d points and %d lines compared, want 280 and 28", seen["point"], seen["line"])
	}
}
