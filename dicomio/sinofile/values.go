package sinofile

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
)

// stats are facts about all values of the projections.
type stats struct {
	lo, hi    float64 // of the finite values
	notFinite int
}

// measure looks at every value, on all cores; minima and counts do not depend on
// their number.
func measure(data []float32) stats {
	parts := make([]stats, workers(len(data)))
	split(len(data), len(parts), func(p, from, to int) {
		lo, hi, bad := float32(math.Inf(1)), float32(math.Inf(-1)), 0
		for _, v := range data[from:to] {
			if v-v != 0 {
				bad++
				continue
			}
			if v < lo {
				lo = v
			}
			if v > hi {
				hi = v
			}
		}
		parts[p] = stats{float64(lo), float64(hi), bad}
	})
	s := parts[0]
	for _, p := range parts[1:] {
		s = stats{min(s.lo, p.lo), max(s.hi, p.hi), s.notFinite + p.notFinite}
	}
	return s
}

// workers is how many goroutines are worth their start for n values.
func workers(n int) int { return max(1, min(runtime.GOMAXPROCS(0), n>>16)) }

// split runs f over parts of 0..n beside one another.
func split(n, parts int, f func(part, from, to int)) {
	var wg sync.WaitGroup
	for p := range parts {
		wg.Go(func() { f(p, n*p/parts, n*(p+1)/parts) })
	}
	wg.Wait()
}

// sorted returns at most maxSample finite values, evenly taken, in order.
func (w *work) sorted() []float32 {
	step := 1 + len(w.data)/maxSample
	var out []float32
	for i := 0; i < len(w.data); i += step {
		if v := w.data[i]; v-v == 0 {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return out
}

// Values of line integrals stay below maxNepers, and the median of counts lies
// above minCounts (section 3 of docs/formats.md's sinogram part).
const (
	maxNepers = 15
	minCounts = 20
	maxValue  = 1e6   // larger line integrals overflow in what follows
	openBeam  = 0.995 // quantile of the counts that stands for an open beam
)

// findContent decides between counts and line integrals.
func (w *work) findContent() error {
	order := w.sorted()
	if len(order) == 0 {
		return w.bad(w.e.name, "no value is finite")
	}
	if w.stats.lo == w.stats.hi && w.stats.notFinite == 0 {
		return w.bad(w.e.name, "every value is %g: nothing was measured", w.stats.lo)
	}
	top, _ := slices.BinarySearch(order, float32(w.stats.hi))
	w.topShare = 1 - float64(top)/float64(len(order))
	w.content = w.contentOf(order)
	if w.content == contentUnknown {
		return w.cannot(w.e.name, "values from %.3g to %.3g with a median of %.3g may be counts or line integrals: say which as \"data\" in a sidecar",
			w.stats.lo, w.stats.hi, order[len(order)/2])
	}
	if w.content == lineIntegrals && max(-w.stats.lo, w.stats.hi) > maxValue {
		return w.bad(w.e.name, "values from %.3g to %.3g are no line integrals", w.stats.lo, w.stats.hi)
	}
	w.reference = float64(order[int(openBeam*float64(len(order)-1))])
	if w.st.photons > 0 && w.flat == nil {
		w.reference = w.st.photons
	}
	if w.content == counts && w.reference <= 0 {
		return w.bad(w.e.name, "counts of at most %g: the beam was off", w.stats.hi)
	}
	return nil
}

func (w *work) contentOf(order []float32) content {
	median := order[len(order)/2]
	switch {
	case w.st.content != contentUnknown:
		return w.st.content
	case w.told.content != contentUnknown:
		return w.told.content
	case w.flat != nil:
		return counts
	case w.e.dt.integer() && w.st.scale == 1:
		w.note("values are %s: taken for counts", w.e.dt)
		return counts
	case w.stats.lo < 0 || w.stats.hi < maxNepers || w.st.scale != 1:
		w.note("values from %.3g to %.3g: taken for line integrals in nepers", w.stats.lo, w.stats.hi)
		return lineIntegrals
	case median > minCounts:
		w.note("values up to %.3g with a median of %.3g: taken for counts", w.stats.hi, median)
		return counts
	}
	return contentUnknown
}

// roughNepers is near enough to a line integral to judge the axes.
func (w *work) roughNepers(v float64) float64 {
	if v-v != 0 {
		return 0
	}
	if w.content != counts {
		return v
	}
	return -math.Log(max(v/w.reference, 1e-4))
}

// line is a run of data along the fastest axis and the place of its first datum
// on the detector; the place grows by step along the run.
type line struct{ from, n, place, step int }

// lines cuts the data into runs along the axis whose neighbours are neighbours
// in memory.
func (w *work) lines() []line {
	s := w.scan
	type axisDim struct{ n, stride, place int }
	dims := []axisDim{{s.Rows, s.stride.row, s.Bins}, {s.Views, s.stride.view, 0}, {s.Bins, s.stride.bin, 1}}
	slices.SortStableFunc(dims, func(a, b axisDim) int {
		if (a.n == 1) != (b.n == 1) {
			return a.n - b.n // an axis of one comes first, wherever it stands in memory
		}
		return abs(b.stride) - abs(a.stride)
	})
	out := make([]line, 0, dims[0].n*dims[1].n)
	for i := range dims[0].n {
		for j := range dims[1].n {
			l := line{from: s.stride.start + i*dims[0].stride + j*dims[1].stride, n: dims[2].n}
			l.place, l.step = i*dims[0].place+j*dims[1].place, dims[2].place
			if dims[2].stride < 0 {
				l.from, l.place, l.step = l.from-(l.n-1), l.place+(l.n-1)*l.step, -l.step
			}
			out = append(out, l)
		}
	}
	return out
}

func abs(i int) int {
	if i < 0 {
		return -i
	}
	return i
}

// toNepers turns counts into line integrals, p = -ln((N-dark)/(open-dark)). What
// has no logarithm is marked dead or, where photons were counted, replaced by
// half a photon.
func (w *work) toNepers() error {
	if err := w.doubtEdges(); err != nil || w.content != counts {
		return err
	}
	dark, open, err := w.openBeam()
	if err != nil {
		return err
	}
	s := w.scan
	lost := newBitmap(len(s.data))
	lines := w.lines()
	split(len(lines), workers(len(s.data)), func(_, from, to int) {
		for _, l := range lines[from:to] {
			at := l.place
			for i := l.from; i < l.from+l.n; i++ {
				d := dark[at]
				n, o := float64(s.data[i])-d, open[at]-d
				if n > 0 && o > 0 {
					s.data[i] = float32(-math.Log(n / o))
				} else {
					s.data[i] = 0
					lost.set(i)
				}
				at += l.step
			}
		}
	})
	w.judgeLost(lost)
	return nil
}

// openBeam gives dark field and open beam for each place of the detector.
func (w *work) openBeam() (dark, open []float64, err error) {
	n := w.scan.Rows * w.scan.Bins
	dark = make([]float64, n)
	if w.dark != nil {
		if dark, err = w.onDetector(w.dark); err != nil {
			return nil, nil, err
		}
	}
	if w.flat != nil {
		if open, err = w.onDetector(w.flat); err != nil {
			return nil, nil, err
		}
		w.note("counts became line integrals by the flat field %s%s", w.flat.name, darkText(w.dark))
		return dark, open, nil
	}
	open = make([]float64, n)
	for i := range open {
		open[i] = w.reference
	}
	if w.st.photons > 0 {
		w.note("counts became line integrals by I0 = %g photons%s", w.st.photons, darkText(w.dark))
	} else {
		w.note("counts became line integrals by a guessed open beam of %g (quantile %g): the scale of mu is uncertain; --photons or --flat gives it", w.reference, openBeam)
	}
	return dark, open, nil
}

func darkText(dark *field) string {
	if dark == nil {
		return ", no dark field"
	}
	return " and the dark field " + dark.name
}

// doubtEdges refuses a guess that the ends of the views contradict: they see
// air, which has the smallest line integrals and the largest counts.
func (w *work) doubtEdges() error {
	if w.st.content != contentUnknown || w.told.content != contentUnknown || w.flat != nil || w.e.dt.integer() || w.st.scale != 1 {
		return nil
	}
	edge, mid := w.edgeAndMiddle()
	lo, hi := w.stats.lo, w.stats.hi
	suspicious := w.content == counts && edge < mid-.1*(hi-lo) ||
		w.content == lineIntegrals && lo >= 0 && edge > mid+.25*(hi-lo)
	if !suspicious {
		return nil
	}
	return w.cannot(w.e.name, "values were taken for %s, but the ends of the views (%.3g) and their middles (%.3g) look like the opposite: say which as \"data\" in a sidecar", w.content, edge, mid)
}

// edgeAndMiddle are the mean values of the outer twentieths of the views and of
// the middle tenth, in the middle row.
func (w *work) edgeAndMiddle() (edge, mid float64) {
	s := w.scan
	n := max(1, s.Bins/20)
	step := 1 + s.Views/256
	var e, m float64
	count := 0
	for v := 0; v < s.Views; v += step {
		for i := range n {
			e += w.finite(s.at(s.middle(), v, i)) + w.finite(s.at(s.middle(), v, s.Bins-1-i))
			m += 2 * w.finite(s.at(s.middle(), v, (s.Bins-n)/2+i))
			count += 2
		}
	}
	return e / float64(count), m / float64(count)
}

func (w *work) finite(i int) float64 {
	if v := float64(w.data[i]); v-v == 0 {
		return v
	}
	return 0
}

// place names a datum for messages.
func (s *Scan) place(row, view, bin int) string {
	if s.Rows == 1 {
		return fmt.Sprintf("view %d, bin %d", view, bin)
	}
	return fmt.Sprintf("row %d, view %d, bin %d", row, view, bin)
}
