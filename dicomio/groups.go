package dicomio

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/suyashkumar/dicom/pkg/tag"
)

// samePlace is the distance in mm below which two slices have one place.
const samePlace = 1e-3

// group is the files of one SeriesInstanceUID.
type group struct {
	uid   string
	files []*file
	notes []string
}

// groupsOf puts files together by series, the largest first.
func groupsOf(files []*file) []*group {
	by := map[string]*group{}
	var out []*group
	for _, f := range files {
		if f.skip != "" {
			continue
		}
		g := by[f.series]
		if g == nil {
			g = &group{uid: f.series}
			by[f.series] = g
			out = append(out, g)
		}
		g.files = append(g.files, f)
	}
	sort.SliceStable(out, func(i, j int) bool {
		if len(out[i].files) != len(out[j].files) {
			return len(out[i].files) > len(out[j].files)
		}
		return out[i].uid < out[j].uid
	})
	return out
}

// patients counts the patients of groups.
func patients(all []*group) int {
	seen := map[string]bool{}
	for _, g := range all {
		h := g.files[0].slice.Header
		seen[textOf(h, tag.PatientID)+"\x00"+textOf(h, tag.PatientName)] = true
	}
	return len(seen)
}

// one checks that all files of a series have one patient, study and frame of
// reference. Its errors name no patient.
func (g *group) one(path string) error {
	first := g.files[0].slice
	for _, f := range g.files[1:] {
		for _, t := range []struct {
			tag  tag.Tag
			what string
		}{{tag.PatientID, "patients"}, {tag.PatientName, "patients"}, {tag.StudyInstanceUID, "studies"}, {tag.FrameOfReferenceUID, "frames of reference"}} {
			a, b := textOf(first.Header, t.tag), textOf(f.slice.Header, t.tag)
			if a != b && (a != "" && b != "" || t.what == "patients") {
				return &FormatError{path, fmt.Sprintf("slices of different %s have one series UID (%s, %s)", t.what, first.File, f.slice.File)}
			}
		}
	}
	return nil
}

// mixed refuses a series of which some images are in HU and others are not: a part of
// it may be no whole.
func (g *group) mixed(path string, all []*file) error {
	for _, f := range all {
		if f.skip != "" && f.series == g.uid && f.slice.Units != "" {
			return &UnsupportedError{path, fmt.Sprintf("one series has images in HU and others with %s %q (%s, %s)", nameOf(tag.RescaleType), f.slice.Units, g.files[0].slice.File, f.slice.File)}
		}
	}
	return nil
}

// alike says whether two files hold the same image.
func alike(a, b *file) bool {
	return a.slice.Position == b.slice.Position && a.slice.Orientation == b.slice.Orientation && a.pixel == b.pixel && slices.Equal(a.slice.HU, b.slice.HU)
}

// unique drops files that hold an object a second time. The same UID for two images is
// an error.
func (g *group) unique(path string) error {
	seen, dropped := map[string]*file{}, 0
	kept := g.files[:0:0]
	for _, f := range g.files {
		key := fmt.Sprintf("%s %d", f.slice.SOPInstance, f.slice.Frame)
		first := seen[key]
		switch {
		case first == nil:
			seen[key] = f
			kept = append(kept, f)
		case !alike(first, f):
			return &FormatError{path, fmt.Sprintf("two different images have one SOP instance UID (%s, %s)", first.slice.File, f.slice.File)}
		default:
			dropped++
		}
	}
	if dropped > 0 {
		g.notes = append(g.notes, fmt.Sprintf("%d slice(s) left out: copies of others", dropped))
	}
	g.files = kept
	return nil
}

// order sorts files along a normal.
func order(files []*file, n [3]float64) {
	sort.SliceStable(files, func(i, j int) bool {
		a, b := along(files[i].slice.Position, n), along(files[j].slice.Position, n)
		if a != b {
			return a < b
		}
		return files[i].slice.Number < files[j].slice.Number
	})
}

// crowded gives the first pair of sorted files at one place.
func crowded(files []*file, n [3]float64) (a, b *file) {
	for i := 1; i < len(files); i++ {
		if along(files[i].slice.Position, n)-along(files[i-1].slice.Position, n) < samePlace {
			return files[i-1], files[i]
		}
	}
	return nil, nil
}

// aspects may tell the images apart that a series has at one place.
var aspects = []struct {
	name string
	of   func(f *file) string
}{
	{"acquisition", func(f *file) string { return textOf(f.slice.Header, tag.AcquisitionNumber) }},
	{"temporal position", func(f *file) string {
		h := &header{ds: f.slice.Header}
		if v := h.ints(tag.TemporalPositionIndex); len(v) > 0 {
			return fmt.Sprint(v[0])
		}
		return h.text(tag.TemporalPositionIdentifier)
	}},
	{"stack", func(f *file) string { return textOf(f.slice.Header, tag.StackID) }},
	{"image type", func(f *file) string {
		return strings.Join(append(textsOf(f.slice.Header, tag.ImageType), textsOf(f.slice.Header, tag.FrameType)...), "\\")
	}},
}

// parts splits a series that has several images at one place, sorted along n, by
// acquisition or phase. Where nothing tells them apart, copies are dropped and all
// else is refused.
func (g *group) parts(path string, n [3]float64) ([]*group, error) {
	if a, _ := crowded(g.files, n); a == nil {
		return []*group{g}, nil
	}
	for _, k := range aspects {
		if out := g.splitBy(k.name, k.of, n); out != nil {
			return out, nil
		}
	}
	kept, dropped := g.files[:1:1], 0
	for _, f := range g.files[1:] {
		if alike(kept[len(kept)-1], f) {
			dropped++
			continue
		}
		kept = append(kept, f)
	}
	if a, b := crowded(kept, n); a != nil {
		return nil, &UnsupportedError{path, fmt.Sprintf("two slices at one position (%s, %s): several phases or copies in one series, and neither acquisition nor temporal position tells them apart", a.slice.File, b.slice.File)}
	}
	g.files = kept
	g.notes = append(g.notes, fmt.Sprintf("%d slice(s) left out: copies of others under other UIDs", dropped))
	return []*group{g}, nil
}

// splitBy gives parts without two slices at one place, nil when an aspect does not
// make such. A part of one slice is none, but for a series of one place.
func (g *group) splitBy(name string, of func(*file) string, n [3]float64) []*group {
	by := map[string][]*file{}
	var values []string
	for _, f := range g.files {
		v := of(f)
		if by[v] == nil {
			values = append(values, v)
		}
		by[v] = append(by[v], f)
	}
	if len(values) < 2 {
		return nil
	}
	sort.Slice(values, func(i, j int) bool {
		if len(values[i]) != len(values[j]) {
			return len(values[i]) < len(values[j]) // numbers without zeros in front
		}
		return values[i] < values[j]
	})
	place := math.Abs(along(g.files[0].slice.Position, n)-along(g.files[len(g.files)-1].slice.Position, n)) < samePlace
	var out []*group
	for _, v := range values {
		if a, _ := crowded(by[v], n); a != nil || len(by[v]) < 2 && !place {
			return nil
		}
		out = append(out, &group{g.uid, by[v], append(slices.Clone(g.notes), fmt.Sprintf("%s %q of a series that has %d at the same places", name, v, len(values)))})
	}
	return out
}

// reason is the text of a parser's error without its file.
func reason(err error) string {
	var f *FormatError
	var u *UnsupportedError
	switch {
	case errors.As(err, &f):
		return f.What
	case errors.As(err, &u):
		return u.What
	}
	return err.Error()
}
