package main

import (
	"fmt"
	"io"
	"slices"

	"ctrecon/dicomio"
)

// describeFiles prints what the images of DICOM files are, and why no job can be made
// of some. It names no patient.
func describeFiles(w io.Writer, names []string) error {
	for _, name := range names {
		s, err := dicomio.ReadObject(name, cores())
		if err != nil {
			return inputErr(err)
		}
		first := s.Slices[0]
		units := first.Units
		if units == "" {
			units = "HU"
		}
		low, high := first.HU[0], first.HU[0]
		for _, f := range s.Slices {
			low, high = min(low, slices.Min(f.HU)), max(high, slices.Max(f.HU))
		}
		fmt.Fprintf(w, "%s: %d image(s) of %d x %d pixels of %.4g x %.4g mm, %g to %g %s\n", name, len(s.Slices), s.Grid.H, s.Grid.W, s.Grid.DY, s.Grid.DX, low, high, units)
		for _, note := range s.Notes {
			fmt.Fprintf(w, "  %s\n", note)
		}
	}
	return nil
}
