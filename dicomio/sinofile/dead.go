package sinofile

import (
	"fmt"
	"math"
	"strings"
)

// applyMask marks what the mask excludes, and refuses values that are not finite
// unless they are masked or MaskNaN was given.
func (w *work) applyMask() error {
	s := w.scan
	if w.mask != nil {
		if err := w.readMask(); err != nil {
			return err
		}
	}
	if w.stats.notFinite == 0 {
		return nil
	}
	found := 0
	for r := range s.Rows {
		for v := range s.Views {
			for k := range s.Bins {
				i := s.at(r, v, k)
				if x := s.data[i]; x-x == 0 {
					continue
				}
				if !w.isDead(i) && !w.st.maskNaN {
					return w.bad(s.place(r, v, k), "value %g is not finite (%d such values): give a mask, or mask what is not finite", s.data[i], w.stats.notFinite)
				}
				s.data[i] = 0
				w.kill(i)
				found++
			}
		}
	}
	if w.st.maskNaN {
		w.note("%d values are not finite and were masked", found)
	}
	return nil
}

func (w *work) isDead(i int) bool { return w.scan.dead != nil && w.scan.dead.has(i) }

func (w *work) kill(i int) {
	if w.scan.dead == nil {
		w.scan.dead = newBitmap(len(w.data))
	}
	w.scan.dead.set(i)
}

// readMask marks what the mask field excludes: an array of the shape of the
// projections, or of the detector.
func (w *work) readMask() error {
	s := w.scan
	full := len(w.mask.data) == len(w.data) && w.mask.e.written() == w.e.written()
	var det []float64
	if !full {
		var err error
		if det, err = w.onDetector(w.mask); err != nil {
			return err
		}
	}
	n := 0
	for r := range s.Rows {
		for v := range s.Views {
			for k := range s.Bins {
				i := s.at(r, v, k)
				if full && w.mask.data[i] != 0 || !full && det[r*s.Bins+k] != 0 {
					w.kill(i)
					n++
				}
			}
		}
	}
	w.note("%d values are masked by %s", n, w.mask.name)
	return nil
}

// judgeLost decides what happens to counts without a logarithm. A bin or a view
// that lost everything is dead. Where photons were counted, a single zero still
// says that the ray was dark, and becomes half a photon.
func (w *work) judgeLost(lost bitmap) {
	s := w.scan
	total := lost.count()
	if total == 0 {
		return
	}
	bins, views := s.lostLines(lost)
	if w.st.photons > 0 && w.flat == nil {
		half := 0
		for i := range s.data {
			if lost.has(i) && !w.isDead(i) {
				s.data[i] = float32(math.Log(2 * w.reference))
				half++
			}
		}
		if n := half - w.killLines(lost, bins, views); n > 0 {
			w.note("%d counts of zero or less became half a photon", n)
		}
		return
	}
	if s.dead == nil {
		s.dead = newBitmap(len(s.data))
	}
	s.dead.add(lost)
	w.note("%d counts of zero or less (after the dark field) were masked%s", total, lostText(bins, views))
}

// lostLines lists the (row, bin) and (row, view) pairs that lost every datum.
func (s *Scan) lostLines(lost bitmap) (bins, views [][2]int) {
	for r := range s.Rows {
		perBin := make([]int, s.Bins)
		for v := range s.Views {
			n := 0
			for k := range s.Bins {
				if lost.has(s.at(r, v, k)) {
					n++
					perBin[k]++
				}
			}
			if n == s.Bins {
				views = append(views, [2]int{r, v})
			}
		}
		for k, n := range perBin {
			if n == s.Views && s.Views > 1 {
				bins = append(bins, [2]int{r, k})
			}
		}
	}
	return bins, views
}

// killLines marks whole bins and views, and returns how many of lost they hold.
func (w *work) killLines(lost bitmap, bins, views [][2]int) (n int) {
	s := w.scan
	mark := func(i int) {
		if !w.isDead(i) && lost.has(i) {
			n++
		}
		w.kill(i)
	}
	for _, b := range bins {
		for v := range s.Views {
			mark(s.at(b[0], v, b[1]))
		}
	}
	for _, b := range views {
		for k := range s.Bins {
			mark(s.at(b[0], b[1], k))
		}
	}
	if len(bins)+len(views) > 0 {
		w.note("%d counts of zero were masked%s", n, lostText(bins, views))
	}
	return n
}

// lostText names whole bins and views that saw nothing.
func lostText(bins, views [][2]int) string {
	part := func(what string, list [][2]int) string {
		if len(list) == 0 {
			return ""
		}
		var b strings.Builder
		for i, l := range list {
			if i == 5 {
				b.WriteString(" ...")
				break
			}
			fmt.Fprintf(&b, " %d", l[1])
		}
		return fmt.Sprintf(", all of %s%s", what, b.String())
	}
	return part("bin", bins) + part("view", views)
}

// findDead marks bins and views of line integrals that show one value only while
// their neighbours vary: a dead detector column, a beam that was off.
func (w *work) findDead() error {
	s := w.scan
	bins, views := w.constantLines()
	n := 0
	for _, b := range bins {
		for v := range s.Views {
			w.kill(s.at(b[0], v, b[1]))
			n++
		}
	}
	for _, b := range views {
		for k := range s.Bins {
			w.kill(s.at(b[0], b[1], k))
			n++
		}
	}
	if n > 0 {
		w.note("%d values that never change were masked%s", n, lostText(bins, views))
	}
	if s.dead != nil && s.dead.count() >= s.Rows*s.Views*s.Bins {
		return w.bad(w.e.name, "every value is masked")
	}
	return nil
}

// constantLines lists the (row, bin) pairs between varying neighbours, and the
// (row, view) pairs, that hold one value only.
func (w *work) constantLines() (bins, views [][2]int) {
	s := w.scan
	for r := range s.Rows {
		before, here := true, s.constant(r, 0, 0, s.stride.view, s.Views)
		for k := range s.Bins - 1 {
			after := s.constant(r, 0, k+1, s.stride.view, s.Views)
			if here && !before && !after && s.Views >= minLine && !w.isDead(s.at(r, 0, k)) {
				bins = append(bins, [2]int{r, k})
			}
			before, here = here, after
		}
		for v := range s.Views {
			if s.Bins >= minLine && s.constant(r, v, 0, s.stride.bin, s.Bins) && !w.isDead(s.at(r, v, 0)) {
				views = append(views, [2]int{r, v})
			}
		}
	}
	return bins, views
}

// minLine is how many equal values in a row are no accident.
const minLine = 4

// constant says whether n values at the given distance are all equal. Most lines
// differ at once.
func (s *Scan) constant(row, view, bin, step, n int) bool {
	i := s.at(row, view, bin)
	first := s.data[i]
	for _, j := range [...]int{n / 2, n / 3, n - 1} {
		if s.data[i+j*step] != first {
			return false
		}
	}
	for j := 1; j < n; j++ {
		if s.data[i+j*step] != first {
			return false
		}
	}
	return true
}

// fillDead puts the line between the nearest live neighbours of the view where
// nothing was measured, so that methods without weights see no hole.
func (w *work) fillDead() {
	s := w.scan
	if s.dead == nil {
		return
	}
	for r := range s.Rows {
		for v := range s.Views {
			s.fillView(r, v)
		}
	}
}

func (s *Scan) fillView(r, v int) {
	last := -1 // the last live bin
	for k := 0; k <= s.Bins; k++ {
		if k < s.Bins && s.dead.has(s.at(r, v, k)) {
			continue
		}
		for j := last + 1; j < k; j++ {
			var a, b, t float32
			switch {
			case last < 0 && k == s.Bins:
			case last < 0:
				a, b = s.data[s.at(r, v, k)], s.data[s.at(r, v, k)]
			case k == s.Bins:
				a, b = s.data[s.at(r, v, last)], s.data[s.at(r, v, last)]
			default:
				a, b = s.data[s.at(r, v, last)], s.data[s.at(r, v, k)]
				t = float32(j-last) / float32(k-last)
			}
			s.data[s.at(r, v, j)] = a + t*(b-a)
		}
		last = k
	}
}
