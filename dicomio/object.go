package dicomio

import (
	"fmt"
	"path/filepath"
	"sort"
)

// ReadObject reads the images of one DICOM file whatever they are good for: those of
// a CT class that ReadSeries leaves out, since no job can be made of them, too. A note
// says why: localizers, which are no cross-sections, and values that are not HU, which
// Slice.Units names. Slices are the frames in their order, not sorted by place; Grid is
// that of the first.
// Errors are FormatError or UnsupportedError.
func ReadObject(path string, workers int) (*Series, error) {
	in, err := sources(path)
	if err != nil {
		return nil, err
	}
	defer in.close()
	if len(in.sources) != 1 {
		return nil, &UnsupportedError{path, "not one DICOM file; ReadSeries reads folders, archives and a DICOMDIR"}
	}
	s, r, marked, err := begin(in.sources[0])
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if !marked {
		return nil, &FormatError{s.name, "not a DICOM file: no DICM at byte 128"}
	}
	s.all = true
	files, err := readObject(s, max(1, workers))
	if err != nil {
		return nil, err
	}
	if files[0].skip != "" {
		return nil, &UnsupportedError{filepath.Base(path), files[0].skip}
	}
	g := &group{uid: files[0].series, files: files, notes: unfitNotes(files)}
	return g.series(normal(files[0].slice.Orientation)), nil
}

// unfitNotes counts the reasons why no job takes an image.
func unfitNotes(files []*file) []string {
	count := map[string]int{}
	for _, f := range files {
		if f.unfit != "" {
			count[f.unfit]++
		}
	}
	var out []string
	for why, n := range count {
		out = append(out, fmt.Sprintf("%d image(s) that no reconstruction is made from: %s", n, why))
	}
	sort.Strings(out)
	return out
}
