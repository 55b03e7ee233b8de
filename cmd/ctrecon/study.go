package main

import (
	"time"

	"github.com/suyashkumar/dicom"

	"ctrecon/ct"
	"ctrecon/ct/recon"
	"ctrecon/ct/report"
	"ctrecon/dicomio"
	"ctrecon/radon"
)

// study is what a job reconstructs: the measurement of each slice, the truth
// where there is one, and the patient that the result belongs to.
type study struct {
	input    report.Input
	geometry ct.Geometry // of the measurement, after --angles
	grid     ct.Grid
	muWater  float64
	noise    ct.Noise
	label    func(i int) string
	notes    []string

	// measure gives the data of slice i, ready for the methods.
	measure func(i int) (recon.Slice, error)
	// truth writes the reference image of slice i in HU, nil when there is none.
	truth func(i int, dst []float32) error

	pick      []int // the index of each slice in the input
	available int   // views of the input, before a subset was taken
	fan       *report.Fan
	beam      *radon.Fan // of the data that the methods get, nil for parallel views
	sha256    string
	heights   []float64 // mm of each slice, where neither a series nor 1 mm between slices says it

	series    *dicomio.Series               // the source series, nil for a sinogram
	template  *dicom.Dataset                // patient of a sinogram, or nil
	private   []string                      // options of the de-identification, nil when there was none
	stamp     func(now time.Time) time.Time // of results of a de-identified input, or nil
	simulated bool                          // the data were made from the series by ctrecon
}
