package dicomio

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"ctrecon/ct"
)

// assemble groups slices into series, sorts and checks them. The largest series
// comes first.
func assemble(path string, files []*file, more []string) ([]*Series, error) {
	left := append(notes(files), more...)
	groups := map[string][]*file{}
	for _, f := range files {
		if f.skip == "" {
			groups[f.series] = append(groups[f.series], f)
		}
	}
	if len(groups) == 0 {
		return nil, &UnsupportedError{path, "no CT image in it (" + strings.Join(left, "; ") + ")"}
	}
	var out []*Series
	for uid, g := range groups {
		s, err := oneSeries(path, uid, g)
		if err != nil {
			return nil, err
		}
		s.Notes = append(s.Notes, left...)
		out = append(out, s)
	}
	sort.Slice(out, func(i, j int) bool {
		if len(out[i].Slices) != len(out[j].Slices) {
			return len(out[i].Slices) > len(out[j].Slices)
		}
		return out[i].UID < out[j].UID
	})
	return out, nil
}

func oneSeries(path, uid string, g []*file) (*Series, error) {
	first := g[0]
	s := &Series{UID: uid, Description: first.desc,
		Grid: ct.Grid{W: first.image.cols, H: first.image.rows, DY: first.pixel[0], DX: first.pixel[1]}}
	for _, f := range g[1:] {
		switch {
		case f.image.rows != first.image.rows || f.image.cols != first.image.cols:
			return nil, &UnsupportedError{path, fmt.Sprintf("slices of %d x %d and of %d x %d in one series (%s, %s)", first.image.rows, first.image.cols, f.image.rows, f.image.cols, first.slice.File, f.slice.File)}
		case math.Abs(f.pixel[0]-first.pixel[0]) > 1e-4 || math.Abs(f.pixel[1]-first.pixel[1]) > 1e-4:
			return nil, &UnsupportedError{path, fmt.Sprintf("pixel sizes %g and %g mm in one series (%s, %s)", first.pixel[0], f.pixel[0], first.slice.File, f.slice.File)}
		case differ(f.slice.Orientation, first.slice.Orientation):
			return nil, &UnsupportedError{path, fmt.Sprintf("slices of different orientation in one series (%s, %s)", first.slice.File, f.slice.File)}
		}
	}
	n := normal(first.slice.Orientation)
	sort.SliceStable(g, func(i, j int) bool {
		a, b := along(g[i].slice.Position, n), along(g[j].slice.Position, n)
		if a != b {
			return a < b
		}
		return g[i].slice.Number < g[j].slice.Number
	})
	lost, odd := 0, 0
	for _, f := range g {
		s.Slices = append(s.Slices, f.slice)
		if f.lossy {
			lost++
		}
		if f.text {
			odd++
		}
	}
	if odd > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("%d slice(s) have text outside their character set, which was guessed", odd))
	}
	if lost > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("%d slice(s) were compressed with loss", lost))
	}
	s.Tilt = tilt(n)
	if math.Abs(s.Tilt) > 0.1 {
		s.Notes = append(s.Notes, fmt.Sprintf("gantry tilt of %.1f degrees: each slice is reconstructed in its own plane", s.Tilt))
	}
	return s, s.spacing(path, n)
}

// spacing sets the distance of neighbours and refuses what is no regular stack.
func (s *Series) spacing(path string, n [3]float64) error {
	if len(s.Slices) < 2 {
		return nil
	}
	gaps := make([]float64, len(s.Slices)-1)
	for i := range gaps {
		gaps[i] = along(s.Slices[i+1].Position, n) - along(s.Slices[i].Position, n)
		if gaps[i] < 1e-3 {
			return &UnsupportedError{path, fmt.Sprintf("two slices at one position (%s, %s): several phases or copies in one series", s.Slices[i].File, s.Slices[i+1].File)}
		}
	}
	sorted := append([]float64(nil), gaps...)
	sort.Float64s(sorted)
	s.Spacing = sorted[len(sorted)/2]
	odd := 0
	for i, g := range gaps {
		if math.Abs(g-s.Spacing) <= 0.01*s.Spacing+0.01 {
			continue
		}
		odd++
		if k := g / s.Spacing; k > 1.5 && math.Abs(k-math.Round(k)) < 0.05 && sorted[0] > 0.99*s.Spacing-0.01 {
			return &FormatError{path, fmt.Sprintf("%d slice(s) are missing between %s and %s: %.3g mm where %.3g mm are usual", int(math.Round(k))-1, s.Slices[i].File, s.Slices[i+1].File, g, s.Spacing)}
		}
	}
	if odd > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("the distance of slices varies (%.3g to %.3g mm, median %.3g)", sorted[0], sorted[len(sorted)-1], s.Spacing))
	}
	return nil
}

func differ(a, b [6]float64) bool {
	for i := range a {
		if math.Abs(a[i]-b[i]) > 1e-3 {
			return true
		}
	}
	return false
}

// normal is the cross product of the row and column directions.
func normal(o [6]float64) [3]float64 {
	return [3]float64{o[1]*o[5] - o[2]*o[4], o[2]*o[3] - o[0]*o[5], o[0]*o[4] - o[1]*o[3]}
}

func along(p, n [3]float64) float64 { return p[0]*n[0] + p[1]*n[1] + p[2]*n[2] }

// tilt is the angle of an axial plane against the patient's axis, in degrees; 0
// for planes that are not axial.
func tilt(n [3]float64) float64 {
	if math.Abs(n[2]) < 0.7 {
		return 0
	}
	return math.Atan2(n[1], n[2]) * 180 / math.Pi
}
