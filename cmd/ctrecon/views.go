package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// evenness is how far the gap between two chosen views may lie from the mean
// gap, as a fraction of it, and still be called evenly spaced. Choosing 25 of
// 120 views gives gaps of 4 and 5 where 4.8 is even: 17 %. FBP weights each
// view by its true gap.
const evenness = 0.25

// pickViews chooses n of the views at the given angles (degrees, any order) as
// evenly as they allow, and returns their indices in the order of the file.
func pickViews(angles []float64, n int) ([]int, error) {
	return pickWithin(angles, n, math.Inf(1))
}

// pickWithin is pickViews on an arc of most degrees at most: the end of a full
// turn is its beginning.
func pickWithin(angles []float64, n int, most float64) ([]int, error) {
	total := len(angles)
	if n < 1 {
		return nil, usagef("--angles %d: at least one view is needed", n)
	}
	p := newPicker(angles)
	p.span = math.Min(p.span, most)
	if n > total {
		return nil, inputErr(fmt.Errorf("%d views cannot be taken from %d (possible: %s)", n, total, p.possible(n)))
	}
	idx, worst := p.pick(n)
	if worst > evenness {
		return nil, inputErr(fmt.Errorf("%d evenly spaced views cannot be taken from %d (possible: %s)", n, total, p.possible(n)))
	}
	slices.Sort(idx)
	return idx, nil
}

// picker holds the views sorted by angle. span is the arc that they cover when
// each stands for its own step.
type picker struct {
	angle []float64
	index []int
	span  float64
}

func newPicker(angles []float64) picker {
	n := len(angles)
	p := picker{index: make([]int, n), angle: make([]float64, n)}
	for i := range p.index {
		p.index[i] = i
	}
	slices.SortStableFunc(p.index, func(a, b int) int {
		switch {
		case angles[a] < angles[b]:
			return -1
		case angles[a] > angles[b]:
			return 1
		}
		return 0
	})
	gaps := make([]float64, 0, n)
	for i, v := range p.index {
		p.angle[i] = angles[v]
		if i > 0 {
			gaps = append(gaps, p.angle[i]-p.angle[i-1])
		}
	}
	p.span = 180
	if n > 1 {
		slices.Sort(gaps)
		p.span = p.angle[n-1] - p.angle[0] + gaps[len(gaps)/2]
	}
	return p
}

// pick takes the view nearest to each of n even positions. worst is the largest
// deviation of a gap, the closing one included, from the mean gap, relative to
// it; infinite when one view would be taken twice.
func (p picker) pick(n int) (idx []int, worst float64) {
	mean := p.span / float64(n)
	at, first, last := 0, 0.0, 0.0
	for i := range n {
		want := p.angle[0] + float64(i)*mean
		for at+1 < len(p.angle) && math.Abs(p.angle[at+1]-want) < math.Abs(p.angle[at]-want)-1e-9 {
			at++
		}
		if i == 0 {
			first = p.angle[at]
		} else {
			if len(idx) > 0 && idx[len(idx)-1] == p.index[at] {
				return nil, math.Inf(1)
			}
			worst = math.Max(worst, math.Abs(p.angle[at]-last-mean)/mean)
		}
		idx, last = append(idx, p.index[at]), p.angle[at]
	}
	if n > 1 {
		worst = math.Max(worst, math.Abs(first+p.span-last-mean)/mean)
	}
	return idx, worst
}

// possible lists the numbers of views nearest to n that can be taken.
func (p picker) possible(n int) string {
	ok := func(k int) bool { _, worst := p.pick(k); return worst <= evenness }
	var list []string
	for k := min(n, len(p.angle)); k >= 1 && len(list) < 4; k-- {
		if ok(k) {
			list = append([]string{fmt.Sprint(k)}, list...)
		}
	}
	for k, found := n+1, 0; k <= len(p.angle) && found < 4; k++ {
		if ok(k) {
			list, found = append(list, fmt.Sprint(k)), found+1
		}
	}
	return strings.Join(list, ", ")
}
