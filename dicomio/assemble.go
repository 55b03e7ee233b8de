package dicomio

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"github.com/suyashkumar/dicom/pkg/tag"

	"ctrecon/ct"
)

// assemble groups slices into series, sorts and checks them. The largest series
// comes first, and must be right; another one that is not is left out with a note.
func assemble(path string, files []*file, more []string) ([]*Series, error) {
	left := append(notes(files), more...)
	groups := groupsOf(files)
	if len(groups) == 0 {
		return nil, &UnsupportedError{path, "no CT image in it (" + strings.Join(left, "; ") + ")"}
	}
	if n := patients(groups); n > 1 {
		left = append(left, fmt.Sprintf("series of %d patients: a result belongs to the patient of its series", n))
	}
	var out []*Series
	for i, g := range groups {
		s, err := g.assemble(path)
		if why := g.mixed(path, files); why != nil {
			err = why
		}
		switch {
		case err != nil && i == 0:
			return nil, err
		case err != nil:
			left = append(left, fmt.Sprintf("a series of %d slice(s) left out: %s", len(g.files), reason(err)))
		}
		out = append(out, s...)
	}
	for _, s := range out {
		s.Notes = append(s.Notes, left...)
	}
	sort.SliceStable(out, func(i, j int) bool {
		if len(out[i].Slices) != len(out[j].Slices) {
			return len(out[i].Slices) > len(out[j].Slices)
		}
		return out[i].UID < out[j].UID
	})
	return out, nil
}

// assemble makes series of a group: one, or one for each acquisition or phase.
func (g *group) assemble(path string) ([]*Series, error) {
	if err := g.one(path); err != nil {
		return nil, err
	}
	if err := g.unique(path); err != nil {
		return nil, err
	}
	if err := g.uniform(path); err != nil {
		return nil, err
	}
	n := normal(g.files[0].slice.Orientation)
	order(g.files, n)
	parts, err := g.parts(path, n)
	if err != nil {
		return nil, err
	}
	out := make([]*Series, len(parts))
	for i, p := range parts {
		out[i] = p.series(n)
		if err := out[i].spacing(path, n); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// uniform checks that all slices have one size, pixel size and orientation.
func (g *group) uniform(path string) error {
	first := g.files[0]
	for _, f := range g.files[1:] {
		switch {
		case f.image.rows != first.image.rows || f.image.cols != first.image.cols:
			return &UnsupportedError{path, fmt.Sprintf("slices of %d x %d and of %d x %d in one series (%s, %s)", first.image.rows, first.image.cols, f.image.rows, f.image.cols, first.slice.File, f.slice.File)}
		case math.Abs(f.pixel[0]-first.pixel[0]) > 1e-4 || math.Abs(f.pixel[1]-first.pixel[1]) > 1e-4:
			return &UnsupportedError{path, fmt.Sprintf("pixel sizes %g and %g mm in one series (%s, %s)", first.pixel[0], f.pixel[0], first.slice.File, f.slice.File)}
		case differ(f.slice.Orientation, first.slice.Orientation):
			return &UnsupportedError{path, fmt.Sprintf("slices of different orientation in one series (%s, %s)", first.slice.File, f.slice.File)}
		}
	}
	return nil
}

// series puts sorted files together.
func (g *group) series(n [3]float64) *Series {
	first := g.files[0]
	s := &Series{UID: g.uid, Description: first.desc, Notes: g.notes,
		Grid: ct.Grid{W: first.image.cols, H: first.image.rows, DY: first.pixel[0], DX: first.pixel[1]}}
	lost, odd := 0, 0
	for _, f := range g.files {
		s.Slices = append(s.Slices, f.slice)
		if f.lossy {
			lost++
		}
		if f.text {
			odd++
		}
	}
	if textOf(first.slice.Header, tag.PatientID) == "" {
		s.Notes = append(s.Notes, "the slices have no patient ID")
	}
	if odd > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("%d slice(s) have text outside their character set, which was guessed", odd))
	}
	if lost > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("%d slice(s) were compressed with loss", lost))
	}
	s.Notes = append(s.Notes, oddNotes(g.files)...)
	s.Tilt = tilt(n)
	if math.Abs(s.Tilt) > 0.1 {
		s.Notes = append(s.Notes, fmt.Sprintf("gantry tilt of %.1f degrees: each slice is reconstructed in its own plane", s.Tilt))
	}
	return s
}

// spacing sets the distance of neighbours and refuses a stack with missing slices.
func (s *Series) spacing(path string, n [3]float64) error {
	if len(s.Slices) < 2 {
		return nil
	}
	gaps := make([]float64, len(s.Slices)-1)
	for i := range gaps {
		gaps[i] = along(s.Slices[i+1].Position, n) - along(s.Slices[i].Position, n)
	}
	s.Spacing = middle(gaps)
	jumps, usual := s.jumps()
	odd := false
	for i, g := range gaps {
		if near(g, s.Spacing) {
			continue
		}
		odd = true
		if k := missing(gaps, i, s.Spacing, jumps, usual); k > 0 {
			return &FormatError{path, fmt.Sprintf("%d slice(s) are missing between %s and %s: %.3g mm where %.3g mm are usual", k, s.Slices[i].File, s.Slices[i+1].File, g, s.Spacing)}
		}
	}
	if odd {
		s.Notes = append(s.Notes, "the distance of slices varies: "+stretches(gaps))
	}
	return nil
}

// middle is the lower median.
func middle[T float64 | int](v []T) T {
	sorted := append([]T(nil), v...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i] < sorted[j] })
	return sorted[(len(sorted)-1)/2]
}

// near says whether a distance is the usual one, within 1 % and rounding.
func near(g, usual float64) bool { return math.Abs(g-usual) <= 0.01*usual+0.01 }

// jumps are the steps of the instance numbers from slice to slice, and the usual one;
// nil when the numbers do not rise or fall along the stack.
func (s *Series) jumps() ([]int, int) {
	out := make([]int, len(s.Slices)-1)
	sign := 1
	if s.Slices[1].Number < s.Slices[0].Number {
		sign = -1
	}
	for i := range out {
		if out[i] = sign * (s.Slices[i+1].Number - s.Slices[i].Number); out[i] <= 0 {
			return nil, 0
		}
	}
	return out, middle(out)
}

// missing tells how many slices are missing in gap i, which is not the usual one. Where
// instance numbers count the slices they decide: protocols for heads go from 5 to 10 mm
// without leaving any out. Where they do not, a whole multiple in an even stack does.
func missing(gaps []float64, i int, usual float64, jumps []int, step int) int {
	k := math.Round(gaps[i] / usual)
	if jumps != nil {
		beside := math.Inf(1)
		for _, j := range []int{i - 1, i + 1} {
			if j >= 0 && j < len(gaps) {
				beside = min(beside, gaps[j])
			}
		}
		if jumps[i] > step && gaps[i] > 1.5*beside {
			return max(1, jumps[i]/step-1)
		}
		return 0
	}
	for _, g := range gaps {
		if g < usual && !near(g, usual) {
			return 0
		}
	}
	if k < 2 || math.Abs(gaps[i]/usual-k) > 0.05 {
		return 0
	}
	return int(k) - 1
}

// stretches writes distances as "4 x 5 mm, 10 x 10 mm", or their range where they
// change often.
func stretches(gaps []float64) string {
	var out []string
	for i := 0; i < len(gaps); {
		j := i + 1
		for j < len(gaps) && near(gaps[j], gaps[i]) {
			j++
		}
		out = append(out, fmt.Sprintf("%d x %.3g mm", j-i, gaps[i]))
		i = j
	}
	if len(out) <= 6 {
		return strings.Join(out, ", ")
	}
	lo, hi := gaps[0], gaps[0]
	for _, g := range gaps {
		lo, hi = min(lo, g), max(hi, g)
	}
	return fmt.Sprintf("%.3g to %.3g mm, median %.3g mm", lo, hi, middle(gaps))
}

func differ(a, b [6]float64) bool {
	for i := range a {
		if math.Abs(a[i]-b[i]) > 1e-3 {
			return true
		}
	}
	return false
}

// normal of the plane of rows and columns; upwards where the plane is axial, so that
// caudal slices come first whichever way an image is turned.
func normal(o [6]float64) [3]float64 {
	n := [3]float64{o[1]*o[5] - o[2]*o[4], o[2]*o[3] - o[0]*o[5], o[0]*o[4] - o[1]*o[3]}
	if n[2] < -0.7 {
		n = [3]float64{-n[0], -n[1], -n[2]}
	}
	return n
}

func along(p, n [3]float64) float64 { return p[0]*n[0] + p[1]*n[1] + p[2]*n[2] }

// tilt is the angle of an axial plane against the patient's axis, in degrees; 0
// for planes that are not axial.
func tilt(n [3]float64) float64 {
	if n[2] < 0.7 {
		return 0
	}
	return math.Atan2(n[1], n[2]) * 180 / math.Pi
}
