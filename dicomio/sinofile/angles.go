package sinofile

import (
	"bytes"
	"errors"
	"io/fs"
	"math"
	"path/filepath"
	"strconv"
	"strings"
)

// angleCount is the number of angles that are listed, 0 when none are.
func (w *work) angleCount() int { return len(w.angles) }

// loadAngles reads the list of angles as it is stored: from the settings, a
// file, or the data file. An arc given by the user wins over the file's list.
func (w *work) loadAngles() (err error) {
	r := w.st.angles
	switch {
	case w.st.angleList != nil:
		w.angles, w.angleSource = w.st.angleList, "angles_deg"
		w.st.unit = cmpOr(w.st.unit, "degree")
		return nil
	case r.name != "":
		w.angleSource = r.name
		if e := w.find(r.name); e != nil {
			w.angles, err = w.load64(e)
		} else {
			w.angles, err = w.anglesBeside(r)
		}
		return err
	case w.st.arc > 0 || w.told.angles == "":
		return nil
	}
	w.angleSource = w.told.angles
	w.st.unit = cmpOr(w.st.unit, w.told.unit)
	w.angles, err = w.load64(w.find(w.told.angles))
	return err
}

// anglesBeside reads a text or array file of angles.
func (w *work) anglesBeside(r ref) ([]float64, error) {
	path, err := w.besidePath(r)
	if err != nil {
		return nil, err
	}
	src, err := openSource(path, w.limit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, w.st.from.bad(r.from, "%q is neither an array of %s nor a file", r.name, w.fileName)
	}
	if err != nil {
		return nil, err
	}
	defer func() { src.close() }()
	w.angleSource = filepath.Base(path)
	head := src.head(8)
	if !strings.HasPrefix(string(head), npyMagic) && !strings.HasPrefix(string(head), "PK\x03\x04") {
		return src.textAngles()
	}
	c, err := open(src, Raw{}, filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	c.recogniseNames()
	e, err := c.pick(c.told.angles)
	if err != nil {
		return nil, err
	}
	return c.load64(e)
}

// maxAngleText bounds a text file of angles.
const maxAngleText = 64 << 20

// textAngles reads numbers between white space, commas or semicolons; # starts a
// comment.
func (s *source) textAngles() ([]float64, error) {
	if s.size > maxAngleText {
		return nil, s.bad("", "%d bytes are too many for a list of angles", s.size)
	}
	b, err := s.bytes(0, s.size, "")
	if err != nil {
		return nil, err
	}
	var out []float64
	for i, line := range bytes.Split(b, []byte("\n")) {
		text, _, _ := strings.Cut(string(line), "#")
		for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\r,;\ufeff", r) }) {
			v, err := strconv.ParseFloat(word, 64)
			if err != nil {
				return nil, s.bad("line "+strconv.Itoa(i+1), "%q is not a number", clip(word))
			}
			out = append(out, v)
		}
	}
	if len(out) == 0 {
		return nil, s.bad("", "holds no angle")
	}
	return out, nil
}

// clip shortens a text for a message.
func clip(s string) string {
	if len(s) > 24 {
		return s[:24] + "..."
	}
	return s
}

// setAngles gives every view its angle in degrees, counter-clockwise.
func (w *work) setAngles() error {
	s := w.scan
	switch {
	case w.angles != nil:
		if err := w.checkAngles(); err != nil {
			return err
		}
		s.Angles = w.inDegrees()
	case w.st.arc > 0 || w.st.conv.arc > 0:
		arc := cmpOr(w.st.arc, w.st.conv.arc)
		w.spread(arc, s.Views)
		w.note("angles are %d even steps of an arc of %g degrees", s.Views, arc)
	default:
		w.guessAngles()
	}
	if w.st.clockwise {
		for i, a := range s.Angles {
			s.Angles[i] = -a
		}
	}
	if w.st.conv.note != "" {
		w.note("%s", w.st.conv.note)
	}
	return nil
}

// spread puts the views at arc/steps, from 0 or, where the tool does so, from
// the middle of the first step.
func (w *work) spread(arc float64, steps int) {
	first := 0.0
	if w.st.conv.mid {
		first = .5
	}
	w.scan.Angles = make([]float64, w.scan.Views)
	for i := range w.scan.Angles {
		w.scan.Angles[i] = arc * (float64(i) + first) / float64(steps)
	}
}

// checkAngles refuses lists of another length than the views, and values that
// are no angles.
func (w *work) checkAngles() error {
	n, views := len(w.angles), w.scan.Views
	if n != views {
		from := w.fileName
		if w.angleSource == "angles_deg" {
			from = w.st.from
		}
		return from.bad(w.angleSource, "%d angles for %d views%s", n, views, repeated(w.angles, n-views))
	}
	for i, a := range w.angles {
		if math.IsNaN(a) || math.IsInf(a, 0) || math.Abs(a) > maxAngle {
			return w.bad(w.angleSource, "view %d has the angle %g", i, a)
		}
	}
	return nil
}

// maxAngle bounds an angle in degrees: a hundred thousand turns.
const maxAngle = 360e5

// repeated explains a list that is too long by the runs of equal angles at its
// ends, where flats and darks were taken.
func repeated(angles []float64, extra int) string {
	n := len(angles)
	if extra <= 0 || n < 3 {
		return ""
	}
	head, tail := 1, 1
	for head < n && angles[head] == angles[0] {
		head++
	}
	for tail < n && angles[n-1-tail] == angles[n-1] {
		tail++
	}
	if head+tail-2 == extra {
		return sprintf(": the first %d are all %g and the last %d all %g, so entries %d to %d may be meant (flats and darks at the ends)",
			head, angles[0], tail, angles[n-1], head, n-tail+1)
	}
	return sprintf(" (%d equal ones at the start, %d at the end)", head, tail)
}

// Lists whose values stay below maxRadians cannot be degrees when they are
// longer than fewViews.
const (
	maxRadians = 6.4
	fewViews   = 10
)

func (w *work) inDegrees() []float64 {
	largest := 0.0
	for _, a := range w.angles {
		largest = max(largest, math.Abs(a))
	}
	small := largest <= maxRadians && len(w.angles) > fewViews && largest > 0
	unit := w.st.unit
	if unit == "" && small {
		unit = "radian"
		w.note("%s: %d angles up to %.4g: taken for radians", w.angleSource, len(w.angles), largest)
	} else if unit == "degree" && small {
		w.note("%s: %d angles up to %.4g degrees look like radians", w.angleSource, len(w.angles), largest)
	}
	out := make([]float64, len(w.angles))
	for i, a := range w.angles {
		out[i] = a
		if unit == "radian" {
			out[i] = a * 180 / math.Pi
		}
	}
	return out
}

// guessAngles assumes even steps over a half or a full turn, whichever the first
// and the last view fit, with or without the end point.
func (w *work) guessAngles() {
	s := w.scan
	arc := 180.0
	if s.Fan != nil {
		arc = 360
	}
	if s.Views < 4 {
		w.spread(arc, s.Views)
		w.note("angles assumed: %d views over %g degrees; --view-angles or --arc says better", s.Views, arc)
		return
	}
	c := s.closure(w.st.offset != nil || w.st.column != nil)
	ratio, fits := c.mirrored/c.least, c.mirrored <= closes*c.step
	if full := c.direct <= closes*c.step; s.Fan != nil || full && (!fits || c.direct*wayOut < c.mirrored) {
		arc, ratio, fits = 360, c.direct/c.least, full
	}
	steps := s.Views
	if ratio < sameView {
		steps--
		w.note("the last view repeats the first: both ends of the arc were measured")
	}
	w.spread(arc, steps)
	w.note("angles assumed: %d views over %g degrees; --view-angles or --arc says better", s.Views, arc)
	if !fits {
		w.note("the first and the last view do not close that arc (they differ by %.3g, neighbours by %.3g): the views may cover another", min(c.direct, c.mirrored), c.step)
	}
}

// closure are RMS differences of views in the middle row.
type closure struct {
	step     float64 // neighbours, the mean of both ends
	least    float64 // neighbours, the end that changes less
	direct   float64 // first and last
	mirrored float64 // first and last with the detector reversed about the axis
}

// The first and last view of an arc without its end point differ about as much
// as neighbours do; the same rays measured twice differ by noise only.
const (
	closes   = 1.6
	sameView = 0.75
)

// closure compares the ends of the scan; the axis is searched unless it is known.
func (s *Scan) closure(known bool) closure {
	get := func(v int) []float64 { return s.smooth(s.middle(), v) }
	first, second, before, last := get(0), get(1), get(s.Views-2), get(s.Views-1)
	a, b := rms(first, second), rms(before, last)
	c := closure{step: max((a+b)/2, 1e-12), least: max(min(a, b), 1e-12), direct: rms(first, last)}
	flipped := make([]float64, s.Bins)
	at := func(offset float64) float64 {
		mirror(flipped, last, offset)
		return rms(first, flipped)
	}
	if known {
		c.mirrored = at(s.Offset)
		return c
	}
	c.mirrored = math.Inf(1)
	reach := float64(s.Bins) / 4
	for o := -reach; o <= reach; o += .25 {
		c.mirrored = min(c.mirrored, at(o))
	}
	return c
}
