package sinofile

import (
	"math"
	"strconv"
	"strings"
)

// loadAngles reads the angles that the user, the sidecar or the file gives.
func (w *work) loadAngles() error {
	r := w.st.angles
	switch {
	case r.name != "":
		w.angleSource = r.from
	case w.st.angleList != nil:
		w.angles, w.angleSource = w.st.angleList, "angles_deg"
		return nil
	case w.told.angles != "" && w.st.arc == 0:
		r, w.angleSource = ref{name: w.told.angles, from: w.told.angles}, w.told.angles
	default:
		return nil
	}
	list, err := w.angleArray(r)
	if err != nil {
		return err
	}
	unit := cmpOr(w.st.unit, cmpOr(w.told.unit, w.st.conv.unit))
	if unit == "" && len(list) > 10 && largest(list) <= 6.4 {
		unit = "radian"
		w.note("angles read as radians: none is above 6.4")
	}
	if unit == "radian" {
		for i := range list {
			list[i] *= 180 / math.Pi
		}
	}
	w.angles = list
	return nil
}

func largest(v []float64) (m float64) {
	for _, x := range v {
		m = max(m, math.Abs(x))
	}
	return m
}

// angleArray is an array of the file, an array file, or a text file.
func (w *work) angleArray(r ref) ([]float64, error) {
	if e := w.find(r.name); e != nil && e != w.e {
		return w.load64(e)
	}
	path, err := w.besidePath(r)
	if err != nil {
		return nil, err
	}
	src, err := openSource(path, w.limit)
	if err != nil {
		return nil, w.st.from.bad(r.from, "%q is neither an array of %s nor a file that can be opened", r.name, w.fileName)
	}
	if c, err := open(src, Raw{}); err == nil {
		defer c.close()
		e, err := c.pick("")
		if err != nil {
			return nil, err
		}
		return c.load64(e)
	}
	defer src.close()
	return w.angleText(r, string(src.head(1<<20)))
}

func (w *work) angleText(r ref, text string) ([]float64, error) {
	var out []float64
	for _, f := range strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == ';' || c <= ' ' }) {
		v, err := strconv.ParseFloat(f, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, w.st.from.bad(r.from, "%q in %s is not an angle", f, r.name)
		}
		out = append(out, v)
	}
	return out, nil
}

// angleCount is the number of angles, 0 when nothing lists them.
func (w *work) angleCount() int { return len(w.angles) }

// setGeometry takes spacing and beam from the settings.
func (w *work) setGeometry() error {
	s := w.scan
	s.Fan = w.st.fan
	s.BinSize = w.st.spacing
	if s.BinSize == 0 {
		s.BinSize, s.BinSizeAssumed = 1, true
		w.note("no detector spacing is given: lengths are in bins")
	}
	return nil
}

// setAngles gives every view its angle in degrees, counter-clockwise.
func (w *work) setAngles() error {
	s := w.scan
	if w.angles == nil {
		arc := cmpOr(w.st.arc, 180)
		if w.st.arc == 0 && s.Fan != nil {
			arc = 360
		}
		first := 0.0
		if w.st.conv.mid {
			first = 0.5
		}
		for i := range s.Views {
			s.Angles = append(s.Angles, arc*(float64(i)+first)/float64(s.Views))
		}
		if w.st.arc == 0 {
			w.note("no angles are given: %d views evenly over %g degrees are assumed", s.Views, arc)
		}
	} else if len(w.angles) != s.Views {
		return w.bad(w.angleSource, "%d angles for %d views", len(w.angles), s.Views)
	} else {
		s.Angles = append([]float64(nil), w.angles...)
	}
	if w.st.clockwise {
		for i := range s.Angles {
			s.Angles[i] = -s.Angles[i]
		}
	}
	return nil
}

// setCenter takes the offset from the settings.
func (w *work) setCenter() error {
	s := w.scan
	switch {
	case w.st.offset != nil:
		s.Offset = *w.st.offset
	case w.st.column != nil:
		s.Offset = *w.st.column - float64(s.Bins-1)/2
	case w.st.findCenter:
		return w.cannot("--center auto", "is not supported yet; give the offset in bins")
	default:
		w.note("no centre is given: the axis is taken to be in the middle of the detector")
	}
	if math.Abs(s.Offset) > float64(s.Bins)/2 {
		return w.bad("center_offset_bins", "%g bins: the axis would lie outside the detector; the offset is counted from its middle", s.Offset)
	}
	return nil
}

// correctAir subtracts the mean of the air bins from every view.
func (w *work) correctAir() error {
	if !w.st.air || len(w.st.airBins) == 0 {
		return nil
	}
	s := w.scan
	for row := range s.Rows {
		for v := range s.Views {
			sum, n := 0.0, 0
			for _, r := range w.st.airBins {
				for k := max(0, r[0]); k <= min(s.Bins-1, r[1]); k++ {
					sum += float64(s.data[s.at(row, v, k)])
					n++
				}
			}
			for k := range s.Bins {
				s.data[s.at(row, v, k)] -= float32(sum / float64(max(1, n)))
			}
		}
	}
	w.note("the mean of the air bins was subtracted from every view")
	return nil
}

// remark warns of what looks wrong.
func (w *work) remark() {}
