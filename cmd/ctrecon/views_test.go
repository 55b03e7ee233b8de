package main

import (
	"math"
	"strings"
	"testing"
)

func uniform(n int, first, step float64) []float64 {
	a := make([]float64, n)
	for i := range a {
		a[i] = first + float64(i)*step
	}
	return a
}

// TestPickWithin: a full turn that ends where it began has 360 degrees, not a
// step more.
func TestPickWithin(t *testing.T) {
	closed := uniform(361, 0, 1)
	for _, tt := range []struct {
		most float64
		last int
	}{{360, 345}, {math.Inf(1), 346}} {
		got, err := pickWithin(closed, 24, tt.most)
		if err != nil || len(got) != 24 || got[0] != 0 || got[23] != tt.last {
			t.Errorf("at most %g degrees: %v, %v, want the last at %d", tt.most, got, err, tt.last)
		}
	}
	if _, err := pickWithin(closed, 361, 360); err == nil {
		t.Error("the first view was taken twice")
	}
}

func TestPickViews(t *testing.T) {
	tests := []struct {
		name   string
		angles []float64
		n      int
		first  []int // the first indices wanted
		err    string
	}{
		{"all", uniform(25, 0, 7.2), 25, []int{0, 1, 2}, ""},
		{"one", uniform(25, 0, 7.2), 1, []int{0}, ""},
		{"a divisor", uniform(720, 0, .25), 24, []int{0, 30, 60}, ""},
		{"near even", uniform(720, 0, .25), 25, []int{0, 29, 58}, ""},
		{"the walnut: 25 of 120", uniform(120, 0, 3), 25, []int{0, 5, 10, 14}, ""},
		{"decreasing angles", uniform(120, 180, -3), 24, []int{4, 9, 14}, ""},
		{"gaps of one and two are not even", uniform(120, 0, 3), 100, nil, "100 evenly spaced views cannot be taken from 120 (possible: "},
		{"too many", uniform(20, 0, 9), 25, nil, "25 views cannot be taken from 20 (possible: "},
		{"none", uniform(20, 0, 9), 0, nil, "at least one view"},
		{"a hole in the arc", append(uniform(60, 0, 1), uniform(60, 120, 1)...), 12, nil, "cannot be taken"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := pickViews(tt.angles, tt.n)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("pickViews = %v, %v, want an error with %q", got, err, tt.err)
				}
				return
			}
			if err != nil || len(got) != tt.n {
				t.Fatalf("pickViews = %v, %v, want %d views", got, err, tt.n)
			}
			for i, w := range tt.first {
				if got[i] != w {
					t.Errorf("view %d is %d, want %d", i, got[i], w)
				}
			}
		})
	}
}
