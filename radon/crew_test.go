package radon

import (
	"slices"
	"testing"
)

// TestCrew: every part passes every barrier after all parts have reached it, and
// calls follow each other without mixing.
func TestCrew(t *testing.T) {
	for _, n := range []int{1, 2, 3, 9} {
		c := newCrew(n)
		sums := make([]int, n)
		part := func(part int) {
			for round := range 50 {
				sums[part]++
				c.wait()
				for i, s := range sums {
					if s != sums[part] {
						t.Errorf("%d parts, round %d: part %d is at %d, part %d at %d", n, round, i, s, part, sums[part])
					}
				}
				c.wait()
			}
		}
		for range 3 {
			c.run(part)
		}
		if slices.Min(sums) != 150 || slices.Max(sums) != 150 {
			t.Errorf("%d parts: rounds %v, want 150 each", n, sums)
		}
	}
}

// TestShare: the shares are whole units, in order, and cover everything once.
func TestShare(t *testing.T) {
	for _, tt := range []struct{ parts, n, unit int }{{1, 7, 4}, {2, 256, 16}, {3, 100, 16}, {5, 3, 1}, {4, 0, 1}, {7, 90, 4}} {
		c, next := newCrew(tt.parts), 0
		for i := range tt.parts {
			lo, hi := c.share(i, tt.n, tt.unit)
			if lo != next || hi < lo || lo%tt.unit != 0 && lo != tt.n {
				t.Errorf("%+v: part %d has %d to %d after %d", tt, i, lo, hi, next)
			}
			next = hi
		}
		if next != tt.n {
			t.Errorf("%+v: shares end at %d", tt, next)
		}
	}
}
