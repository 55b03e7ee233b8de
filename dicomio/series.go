package dicomio

import (
	"github.com/suyashkumar/dicom"

	"ctrecon/ct"
)

// Series is a CT series in memory: slices of one size and orientation, sorted
// by position along the normal (caudal first for axial supine scans).
type Series struct {
	UID         string // SeriesInstanceUID
	Description string
	Grid        ct.Grid // rows, columns and pixel spacing of every slice
	Spacing     float64 // mm between neighbouring slices along the normal, 0 for one slice
	Tilt        float64 // degrees between the row-column plane and the patient axis
	Slices      []Slice
	Notes       []string // what was left out, guessed or corrected, for the report
}

// Slice is one CT image in Hounsfield units.
type Slice struct {
	HU          []float32  // [row][col]; padding pixels are -1000
	Units       string     // of the values where these are not HU (RescaleType): only ReadObject gives such
	Padding     []bool     // true outside the scanner's field; nil when there is none
	Position    [3]float64 // ImagePositionPatient, mm
	Orientation [6]float64 // ImageOrientationPatient
	SOPClass    string
	SOPInstance string
	Number      int    // InstanceNumber
	Frame       int    // of an Enhanced CT object, from 1; 0 for an object of one image
	File        string // name inside the folder or archive, and the frame, for messages
	// Header is the data set without pixel data; all text is UTF-8. That of a frame
	// has the attributes of its functional groups at the top level.
	Header *dicom.Dataset
}
