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
				c.all.wait()
				for i, s := range sums {
					if s != sums[part] {
						t.Errorf("%d parts, round %d: part %d is at %d, part %d at %d", n, round, i, s, part, sums[part])
					}
				}
				c.all.wait()
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
			lo, hi := c.whole(i).share(tt.n, tt.unit)
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

// TestSides: the halves of an even crew wait for themselves only.
func TestSides(t *testing.T) {
	c := newCrew(6)
	var sums [6]int
	c.run(func(part int) {
		side := c.side(part)
		for range 20 * (1 + part%2) { // the odd side has more rounds
			sums[part]++
			side.wait()
		}
		if lo, hi := side.share(30, 1); hi-lo != 10 || lo != part/2*10 {
			t.Errorf("part %d of 6: share %d to %d", part, lo, hi)
		}
	})
	if sums != [6]int{20, 40, 20, 40, 20, 40} {
		t.Errorf("rounds %v", sums)
	}
}
