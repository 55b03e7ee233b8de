package dicomio

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
)

// pdFile is one file of a scan: a view, or the reason why it is none.
type pdFile struct {
	view   Projection
	phi    float64 // rad
	common pdCommon
	skip   string // no DICOM file
	other  string // a DICOM object that is no projection
}

// pdCommon is what all views of a scan must have alike.
type pdCommon struct {
	study, series, patient string
	manufacturer, position string
	shape, spot            string
	rows, cols, steps      int
	rowSize, colSize       float64
	distance               float64
	central                [2]float64
	spectrum               string
	water                  float64
	photons                bool
	flags                  [2]string // beam hardening, scatter
}

// readProjection reads all of a view but its pixels.
func readProjection(s source) (*pdFile, error) {
	in, r, marked, err := begin(s)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if !marked {
		if s.due {
			return nil, &FormatError{s.name, "not a DICOM file: no DICM at byte 128"}
		}
		return &pdFile{skip: "no DICOM file"}, nil
	}
	f, err := parseProjection(in)
	if err == nil {
		f.view.source = s
	}
	return f, err
}

// parseProjection reads the elements of a view through the preflight walk. Nothing
// of it goes to a library.
func parseProjection(in *stream) (*pdFile, error) {
	t := &pdTags{file: in.name, value: map[uint32]pdValue{}}
	l, err := walkSeeing(in, t.collect)
	if err != nil {
		return nil, err
	}
	if l.metaClass == directory {
		return &pdFile{skip: "a DICOMDIR"}, nil
	}
	if !t.has(pdDetectorRows) {
		return &pdFile{other: in.name}, nil
	}
	if why := t.unsupported(); why != "" {
		return nil, &UnsupportedError{in.name, why}
	}
	if l.encapsulated || l.syntax == deflated {
		return nil, &UnsupportedError{in.name, "compressed projections are not supported; decompress them, for instance with gdcmconv --raw"}
	}
	f := &pdFile{common: t.common()}
	t.place(f)
	t.pixels(f, l)
	if t.err != nil {
		return nil, t.err
	}
	return f, nil
}

func (t *pdTags) common() pdCommon {
	c := pdCommon{
		study: t.text(0x0020000D), series: t.text(0x0020000E), patient: t.text(0x00100020) + "\x00" + t.text(0x00100010),
		manufacturer: t.text(0x00080070), position: t.text(0x00185100), shape: t.text(pdShape), spot: t.text(pdSpotMode),
		rows: t.count(pdDetectorRows, 'U', 1, 4096), cols: t.count(pdDetectorCols, 'U', 1, 16384),
		rowSize: t.length(pdRowSize, 0.01, 100), colSize: t.length(pdColSize, 0.01, 100), distance: t.length(pdDistance, 1, 10_000),
		spectrum: string(t.value[pdSpectrum].b), photons: t.has(pdPhotons), flags: [2]string{t.text(pdBeamHardening), t.text(pdScatter)},
	}
	copy(c.central[:], t.exactly(pdCentral, 'F', 2))
	if t.has(pdSteps) {
		c.steps = t.count(pdSteps, 'U', 1, 65535)
	}
	for _, tag := range []uint32{pdWater, pdWaterOld} {
		if c.water == 0 && t.has(tag) {
			c.water = t.exactly(tag, 'D', 1)[0]
		}
	}
	return c
}

// place reads where the view was measured.
func (t *pdTags) place(f *pdFile) {
	v := &f.view
	v.File, v.Number = t.file, t.count(0x00200013, 'D', 0, math.MaxInt32)
	v.SOPInstance = t.text(0x00080018)
	o, known := poses[f.common.position]
	if !known {
		if o = poses["HFS"]; f.common.position != "" {
			t.fail(0x00185100, "%q is no position of a patient that is known", clean(f.common.position, 16))
		}
	}
	f.phi = t.length(pdAngle, -1e6, 1e6)
	v.Radius = t.length(pdRadial, 1, 10_000)
	v.DRadius = t.shift(pdSpotRadial, 50)
	o.place(v, f.phi, t.length(pdAxial, -1e5, 1e5), t.shift(pdSpotAngle, 0.05), t.shift(pdSpotAxial, 20))
	if t.err == nil && v.Radius >= f.common.distance {
		t.fail(pdDistance, "%g mm from focal centre to detector, the axis is %g mm away", f.common.distance, v.Radius)
	}
}

// pixels reads how the view is stored. GE's and Siemens' files differ in which side
// of the detector a row of the image is.
func (t *pdTags) pixels(f *pdFile, l *layout) {
	v, c := &f.view, &f.common
	rows, cols := t.count(0x00280010, 'U', 1, 16384), t.count(0x00280011, 'U', 1, 16384)
	switch {
	case rows == c.rows && cols == c.cols:
	case rows == c.cols && cols == c.rows:
		v.transposed = true
	default:
		t.fail(0x00280010, "an image of %d x %d for a detector of %d rows and %d columns", rows, cols, c.rows, c.cols)
	}
	t.count(0x00280002, 'U', 1, 1)
	t.count(0x00280100, 'U', 16, 16)
	t.count(0x00280103, 'U', 0, 0)
	v.bits = t.count(0x00280101, 'U', 1, 16)
	v.slope, v.intercept = t.exactly(0x00281053, 'D', 1)[0], t.exactly(0x00281052, 'D', 1)[0]
	if !(v.slope > 0) || v.slope*65535 > 1e6 || math.Abs(v.intercept) > 1e6 {
		t.fail(0x00281053, "slope %g, intercept %g: no line integrals", v.slope, v.intercept)
	}
	if !l.pixels {
		t.fail(tagPixels, "is missing: the file is cut")
	} else if need := 2 * rows * cols; l.length < need || l.length > need+1 {
		t.fail(tagPixels, "%d bytes, a view of %d x %d needs %d", l.length, rows, cols, need)
	}
	v.pixels, v.big = l.at, l.order == binary.BigEndian
	if !c.photons {
		return
	}
	for _, n := range t.exactly(pdPhotons, 'F', c.cols) {
		if n < 0 {
			t.fail(pdPhotons, "%g photons", n)
		}
	}
	if vr := t.value[pdPhotons].vr; vr != "FL" && vr != "UN" && vr != "OF" && vr != "OB" {
		t.fail(pdPhotons, "VR %s, 32-bit floats are expected", vr)
	}
	v.photons = t.value[pdPhotons].at
}

// load reads line integrals [row][col] and photons of a view.
func (p *Projections) load(v *Projection) ([]float32, []float32, error) {
	r, err := v.source.open()
	if err != nil {
		return nil, nil, &FormatError{v.File, "cannot be read: " + plain(err)}
	}
	defer r.Close()
	var photons []float32
	done := 0
	read := func(at, n int) ([]byte, error) {
		b := make([]byte, n)
		if err := skip(r, at-done); err != nil {
			return nil, &FormatError{v.File, "it was cut since it was first read"}
		}
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, &FormatError{v.File, "it was cut since it was first read"}
		}
		done = at + n
		return b, nil
	}
	if v.photons > 0 {
		b, err := read(v.photons, 4*p.Cols)
		if err != nil {
			return nil, nil, err
		}
		photons = v.quanta(b)
	}
	b, err := read(v.pixels, 2*p.Rows*p.Cols)
	if err != nil {
		return nil, nil, err
	}
	data, err := v.integrals(b, p.Rows, p.Cols)
	return data, photons, err
}

func skip(r io.Reader, n int) error {
	if f, ok := r.(*os.File); ok {
		_, err := f.Seek(int64(n), io.SeekCurrent)
		return err
	}
	_, err := io.CopyN(io.Discard, r, int64(n))
	return err
}

func (v *Projection) order() binary.ByteOrder {
	if v.big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// quanta are the photons of each column, one at least.
func (v *Projection) quanta(b []byte) []float32 {
	n, order := len(b)/4, v.order()
	out := make([]float32, n)
	for i := range out {
		k := i
		if v.mirrorCol {
			k = n - 1 - i
		}
		out[k] = max(1, math.Float32frombits(order.Uint32(b[4*i:])))
	}
	return out
}

// mostNepers bounds a line integral: e^-60 of the photons is none.
const mostNepers = 60

// integrals puts the stored words of a view in our order.
func (v *Projection) integrals(b []byte, rows, cols int) ([]float32, error) {
	out, order := make([]float32, rows*cols), v.order()
	mask := uint16(1<<v.bits - 1)
	row, col := cols, 1 // steps in the stored order
	if v.transposed {
		row, col = 1, rows
	}
	first := 0
	if v.mirrorRow {
		first, row = first+(rows-1)*row, -row
	}
	if v.mirrorCol {
		first, col = first+(cols-1)*col, -col
	}
	for r := range rows {
		at := first + r*row
		for c := range cols {
			x := float64(order.Uint16(b[2*at:])&mask)*v.slope + v.intercept
			if x > mostNepers || x < -mostNepers {
				return nil, &FormatError{v.File, fmt.Sprintf("row %d, column %d: a line integral of %.4g nepers; rescale slope or intercept is wrong", r+1, c+1, x)}
			}
			out[r*cols+c] = float32(x)
			at += col
		}
	}
	return out, nil
}
