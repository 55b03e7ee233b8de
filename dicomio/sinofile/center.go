package sinofile

import (
	"math"
	"slices"
	"sort"
)

// Center is the place of the axis as the data show it.
type Center struct {
	Offset float64 // bins
	Doubt  float64 // bins: so far from Offset the RMS is a tenth larger
	RMS    float64 // nepers, of the rays that were measured twice
	Method string
}

// FindCenter finds the offset at which rays that were measured twice agree
// best: the conjugate (beta+180-2 gamma, -gamma) of a fan, (theta+180, -s) of a
// parallel beam. A half turn without its end point measures no ray twice; there
// the mirrored first views must continue the last ones smoothly. A scan that
// allows none of these is an *UnsupportedError.
func (s *Scan) FindCenter(row int) (Center, error) {
	f := fileName(s.File)
	c := newConjugates(s, row)
	rmsAt, method := c.rms, "conjugate rays"
	if len(c.views) == 0 {
		seam, ok := newSeam(s, row, c)
		if !ok {
			return Center{}, f.cannot("center", "no ray was measured twice, so the axis cannot be found in the data: give --center OFFSET")
		}
		rmsAt, method = seam.rms, "the seam of the half turn"
	}
	out, typical := searchCenter(float64(s.Bins), rmsAt)
	out.Method = method
	if !(out.RMS < .7*typical) {
		return Center{}, f.cannot("center", "no offset makes rays that were measured twice agree (RMS %.3g at best, %.3g elsewhere): give --center OFFSET", out.RMS, typical)
	}
	return out, nil
}

// searchCenter minimises rms(offset, coarse) over the detector's middle nine
// tenths. typical is the median of what it saw on the way.
func searchCenter(bins float64, rms func(offset float64, coarse bool) float64) (best Center, typical float64) {
	best.RMS = math.Inf(1)
	var seen []float64
	reach, step := .45*bins, max(1, bins/512)
	for o := -reach; o <= reach; o += step {
		r := rms(o, true)
		seen = append(seen, r)
		if r < best.RMS {
			best.Offset, best.RMS = o, r
		}
	}
	slices.Sort(seen)
	typical = seen[len(seen)/2]
	for _, h := range []float64{step / 2, step / 8, .05, .01} {
		middle := best.Offset
		best.RMS = math.Inf(1)
		for i := -6; i <= 6; i++ {
			o := middle + float64(i)*h
			if r := rms(o, false); r < best.RMS {
				best.Offset, best.RMS = o, r
			}
		}
	}
	for _, side := range []float64{-1, 1} {
		d := .05
		for d < .1*bins && rms(best.Offset+side*d, false) < 1.1*best.RMS {
			d *= 1.25
		}
		best.Doubt += d / 2
	}
	return best, typical
}

// smooth is a view with neighbouring bins averaged (1 2 1)/4, so that noise does
// not prefer offsets that fall between bins.
func (s *Scan) smooth(row, view int) []float64 {
	out := make([]float64, s.Bins)
	for k := range out {
		a, b := max(0, k-1), min(s.Bins-1, k+1)
		out[k] = (float64(s.data[s.at(row, view, a)]) + 2*float64(s.data[s.at(row, view, k)]) + float64(s.data[s.at(row, view, b)])) / 4
	}
	return out
}

// mirror reverses src about the axis; beyond the detector its end value stands.
func mirror(dst, src []float64, offset float64) {
	for k := range dst {
		dst[k] = between(src, float64(len(src)-1)+2*offset-float64(k))
	}
}

// between interpolates linearly at place x.
func between(v []float64, x float64) float64 {
	n := len(v)
	switch {
	case x <= 0:
		return v[0]
	case x >= float64(n-1):
		return v[n-1]
	}
	i := int(x)
	t := x - float64(i)
	return v[i] + t*(v[i+1]-v[i])
}

func rms(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += (a[i] - b[i]) * (a[i] - b[i])
	}
	return math.Sqrt(sum / float64(len(a)))
}

// conjugates compares each ray with its measured conjugate.
type conjugates struct {
	s     *Scan
	angle []float64 // of the views in [0, 360), sorted
	index []int     // of the views in that order
	step  float64   // median gap
	views []int     // views, as places in angle, whose central ray has a conjugate
	cache map[int][]float64
	row   int
	sign  float64 // -1: as if the angles ran the other way
}

func newConjugates(s *Scan, row int) *conjugates {
	c := &conjugates{s: s, row: row, cache: map[int][]float64{}, sign: 1}
	for i := range s.Angles {
		c.index = append(c.index, i)
	}
	turn := func(i int) float64 { return math.Mod(math.Mod(s.Angles[i], 360)+360, 360) }
	slices.SortStableFunc(c.index, func(a, b int) int {
		switch x, y := turn(a), turn(b); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	var gaps []float64
	for i, v := range c.index {
		c.angle = append(c.angle, turn(v))
		if i > 0 {
			gaps = append(gaps, c.angle[i]-c.angle[i-1])
		}
	}
	if len(gaps) == 0 {
		return c
	}
	slices.Sort(gaps)
	c.step = gaps[len(gaps)/2]
	for i, a := range c.angle {
		if _, _, _, ok := c.bracket(a + 180); ok {
			c.views = append(c.views, i)
		}
	}
	return c
}

// bracket finds the views around an angle: the value is that of view a, plus t
// times the way to view b. There are none in a gap of the scan.
func (c *conjugates) bracket(angle float64) (a, b int, t float64, ok bool) {
	angle = math.Mod(math.Mod(angle, 360)+360, 360)
	n := len(c.angle)
	j := sort.SearchFloat64s(c.angle, angle) // first view at or beyond
	a, b = (j+n-1)%n, j%n
	lo, hi := c.angle[a], c.angle[b]
	if j == 0 {
		lo -= 360
	}
	if j == n {
		hi += 360
	}
	switch gap := hi - lo; {
	case gap <= 1.5*c.step && gap > 0:
		return a, b, (angle - lo) / gap, true
	case hi-angle <= .25*c.step:
		return b, b, 0, true
	case angle-lo <= .25*c.step:
		return a, a, 0, true
	}
	return 0, 0, 0, false
}

// view is a smoothed view by its place in the sorted angles.
func (c *conjugates) view(i int) []float64 {
	if v, ok := c.cache[i]; ok {
		return v
	}
	if len(c.cache) > maxCached {
		clear(c.cache)
	}
	v := c.s.smooth(c.row, c.index[i])
	c.cache[i] = v
	return v
}

const maxCached = 2000

// rms is the difference of the rays and their conjugates for an offset; a coarse
// one looks at fewer rays.
func (c *conjugates) rms(offset float64, coarse bool) float64 {
	some, skip := 64, 1
	if coarse {
		some, skip = 16, max(1, c.s.Bins/256)
	}
	some = min(some, len(c.views))
	sum, n := 0.0, 0
	for j := range some {
		i := c.views[j*len(c.views)/some]
		own := c.view(i)
		for k := 0; k < len(own); k += skip {
			other, ok := c.at(c.angle[i]+180-2*c.sign*c.gamma(k, offset), float64(len(own)-1)+2*offset-float64(k))
			if ok {
				sum += (own[k] - other) * (own[k] - other)
				n++
			}
		}
	}
	if n == 0 {
		return math.Inf(1)
	}
	return math.Sqrt(sum / float64(n))
}

func (c *conjugates) at(angle, bin float64) (float64, bool) {
	a, b, t, ok := c.bracket(angle)
	if !ok {
		return 0, false
	}
	v := between(c.view(a), bin)
	if t > 0 {
		v += t * (between(c.view(b), bin) - v)
	}
	return v, true
}

// gamma is the fan angle of a bin in degrees, 0 for a parallel beam.
func (c *conjugates) gamma(bin int, offset float64) float64 {
	f := c.s.Fan
	if f == nil {
		return 0
	}
	u := (float64(bin) - float64(c.s.Bins-1)/2 - offset) * c.s.BinSize / f.SDD
	if !f.Curved {
		u = math.Atan(u)
	}
	return u * 180 / math.Pi
}

// checkDirection notes a fan scan whose conjugate rays agree far better when the
// angles run the other way.
func (w *work) checkDirection() {
	s := w.scan
	c := newConjugates(s, s.middle())
	if len(c.views) < 8 {
		return
	}
	as := c.rms(s.Offset, true)
	c.sign = -1
	if other := c.rms(s.Offset, true); other < as/wayOut {
		w.note("conjugate rays differ by %.3g, and by %.3g with the angles the other way round: try --clockwise", as, other)
	}
}

// seam is where a half turn of a parallel beam meets its mirrored beginning.
type seam struct{ before, last, first, second []float64 }

func newSeam(s *Scan, row int, c *conjugates) (*seam, bool) {
	order := make([]int, len(s.Angles))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if s.Angles[a] < s.Angles[b] {
			return -1
		}
		return 1
	})
	n := len(order)
	if n < 8 || s.Fan != nil {
		return nil, false
	}
	gap := 180 - (s.Angles[order[n-1]] - s.Angles[order[0]])
	if math.Abs(gap) > 1.5*c.step {
		return nil, false
	}
	get := func(i int) []float64 { return s.smooth(row, order[i]) }
	return &seam{get(n - 2), get(n - 1), get(0), get(1)}, true
}

// rms is that of the second differences of the views across the seam.
func (m *seam) rms(offset float64, _ bool) float64 {
	n := len(m.first)
	first, second := make([]float64, n), make([]float64, n)
	mirror(first, m.first, offset)
	mirror(second, m.second, offset)
	sum := 0.0
	for k := range n {
		a := m.before[k] - 2*m.last[k] + first[k]
		b := m.last[k] - 2*first[k] + second[k]
		sum += a*a + b*b
	}
	return math.Sqrt(sum / float64(2*n))
}
