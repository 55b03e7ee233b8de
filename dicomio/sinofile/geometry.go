package sinofile

import "math"

// setGeometry decides the beam, the detector's spacing and the axis.
func (w *work) setGeometry() error {
	s, st := w.scan, w.st
	s.Fan = st.fan
	if s.Fan == nil {
		s.Fan = w.told.fan
	}
	if err := s.Fan.check(w.fileName); err != nil {
		return err
	}
	s.BinSize = cmpOr(st.spacing, w.told.binSize)
	if st.conv.pixels && st.spacing == 0 {
		s.BinSize = st.pixel
	}
	s.PixelSize, s.ImageSize = cmpOr(st.pixel, w.told.pixel), cmpOr(st.image, w.told.image)
	switch {
	case s.BinSize > 1e-9 && s.BinSize < 1e6:
	case s.BinSize != 0:
		return w.bad("detector spacing", "%g mm is no size of a bin", s.BinSize)
	case s.Fan != nil:
		return w.cannot("detector spacing", "a fan beam needs it: --detector-spacing MM")
	default:
		s.BinSize, s.BinSizeAssumed = 1, true
		w.note("the detector spacing is not known: 1 mm assumed, so lengths are in bins and mu is per bin; --detector-spacing says better")
	}
	if st.conv.pixels && !s.BinSizeAssumed {
		for i, v := range s.data {
			s.data[i] = float32(float64(v) * s.BinSize)
		}
		w.note("values, lengths in pixels times mu per mm, were multiplied by %g mm", s.BinSize)
	}
	if s.Fan != nil && s.Rows > 1 {
		w.note("%d rows of a fan beam are taken as if each lay in the plane of the source", s.Rows)
	}
	return w.setOffset()
}

func (w *work) setOffset() error {
	s, st := w.scan, w.st
	middle := float64(s.Bins-1) / 2
	switch {
	case st.offset != nil:
		s.Offset = *st.offset
		if math.Abs(s.Offset) > .35*float64(s.Bins) {
			w.note("centre offset %g bins: the axis lies near or beyond the end of the detector; if %g is a column, the offset is %g", s.Offset, s.Offset, s.Offset-middle)
		}
	case st.column != nil:
		s.Offset = *st.column - middle
	case st.conv.half:
		s.Offset = float64(s.Bins/2) - middle
	}
	if !(math.Abs(s.Offset) <= 10*float64(s.Bins)) {
		return w.bad("center", "offset %g bins on a detector of %d", s.Offset, s.Bins)
	}
	return nil
}

// setCenter finds the axis in the data where that is wanted, and looks at the
// direction of a fan scan.
func (w *work) setCenter() error {
	s := w.scan
	if w.st.findCenter {
		c, err := s.FindCenter(s.middle())
		if err != nil {
			return err
		}
		w.note("centre offset %.2f bins found by %s in row %d, doubt %.2f bins (RMS of conjugate rays %.3g)", c.Offset, c.Method, s.middle(), c.Doubt, c.RMS)
		s.Offset = c.Offset
	}
	if s.Fan != nil {
		w.checkDirection()
	}
	return nil
}

// correctAir subtracts from every view the mean of the bins that see air. Unless
// it is wanted, air that is not zero is only mentioned.
func (w *work) correctAir() error {
	s := w.scan
	ranges := w.st.airBins
	for _, r := range ranges {
		if r[0] < 0 || r[1] < r[0] || r[1] >= s.Bins {
			return w.st.from.bad("air_bins", "%d to %d on a detector of %d bins, counted from 0", r[0], r[1], s.Bins)
		}
	}
	if ranges == nil {
		n := max(3, s.Bins/32)
		if 2*n > s.Bins {
			return nil
		}
		ranges = [][2]int{{0, n - 1}, {s.Bins - n, s.Bins - 1}}
	}
	if w.st.air {
		sum := 0.0
		for r := range s.Rows {
			for v := range s.Views {
				sum += s.subtractAir(r, v, ranges)
			}
		}
		w.note("air was subtracted view by view: %.3g nepers in the mean", sum/float64(s.Rows*s.Views))
		return nil
	}
	w.mentionAir(ranges)
	return nil
}

func (s *Scan) subtractAir(row, view int, ranges [][2]int) float64 {
	air, n := s.air(row, view, ranges)
	if n == 0 {
		return 0
	}
	for k := range s.Bins {
		s.data[s.at(row, view, k)] -= float32(air)
	}
	return air
}

// air is the mean of the live bins in the ranges.
func (s *Scan) air(row, view int, ranges [][2]int) (mean float64, n int) {
	for _, r := range ranges {
		for k := r[0]; k <= r[1]; k++ {
			if i := s.at(row, view, k); s.dead == nil || !s.dead.has(i) {
				mean += float64(s.data[i])
				n++
			}
		}
	}
	return mean / max(1, float64(n)), n
}

// airIsZero is how far air may lie from zero, in nepers, before it is mentioned.
const airIsZero = 0.05

// mentionAir notes air that is not zero. Ends that change from view to view, or
// that reach a third of the peak, may see the object and say nothing.
func (w *work) mentionAir(ranges [][2]int) {
	s := w.scan
	step := 1 + s.Views/64
	var sum, squares, n, peak float64
	for v := 0; v < s.Views; v += step {
		a, _ := s.air(s.middle(), v, ranges)
		sum, squares, n = sum+a, squares+a*a, n+1
		for k := range s.Bins {
			peak = max(peak, float64(s.data[s.at(s.middle(), v, k)]))
		}
	}
	mean := sum / n
	sd := math.Sqrt(max(0, squares/n-mean*mean))
	if math.Abs(mean) > airIsZero && sd < math.Abs(mean)/2 && math.Abs(mean) < peak/3 {
		w.note("the ends of the views read %.3g nepers; if they see air, \"air_correction\": true in a sidecar subtracts it", mean)
	}
}

// remark notes what looks odd in the data and was left as it is.
func (w *work) remark() {
	s := w.scan
	if w.e.dt.integer() && w.content == counts {
		w.remarkSaturation()
	}
	first, n := -1, 0
	for v := 1; v < s.Views; v++ {
		if s.sameView(s.middle(), v-1, v) {
			if n++; first < 0 {
				first = v
			}
		}
	}
	if n > 0 && n < s.Views/2 {
		w.note("%d views equal the view before them bit for bit, the first is view %d", n, first)
	}
}

func (s *Scan) sameView(row, a, b int) bool {
	for k := range s.Bins {
		if s.data[s.at(row, a, k)] != s.data[s.at(row, b, k)] {
			return false
		}
	}
	return true
}

// saturated is the share of values at the end of the type's range from which on
// they are mentioned.
const saturated = 1e-3

func (w *work) remarkSaturation() {
	bits := 8 * w.e.dt.size
	if w.e.dt.kind == 'i' {
		bits--
	}
	if top := math.Ldexp(1, bits) - 1; bits <= 24 && w.stats.hi == top && w.topShare > saturated {
		w.note("%.2g %% of the counts are %g, the largest that %s holds: the detector was saturated", 100*w.topShare, top, w.e.dt)
	}
}
