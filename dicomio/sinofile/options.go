package sinofile

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"ctrecon/ct"
)

// Options are the facts that the user gives on the command line. They win over
// the sidecar, which wins over the file. The zero value says nothing.
type Options struct {
	Sidecar    string // path; "" reads <file>.json when it is there
	NoSidecar  bool   // do not look for <file>.json
	Convention string // the tool that wrote the file, one of Conventions
	Array      string // which array of an .npz, .mat or HDF5 file
	Axes       string // "view,bin", "bin,view", "view,row,bin", ...
	Row        *int   // the only row of interest

	Angles    string  // file with one angle a view
	AngleUnit string  // "degree", "radian"; "" looks at the values
	Arc       float64 // degrees; views evenly from 0, end excluded; Angles wins
	Clockwise bool

	DetectorSpacing float64  // mm
	Offset          *float64 // bins
	FindCenter      bool     // find the offset in the data
	Fan             *Fan
	PixelSize       float64 // mm
	ImageSize       int

	Data          string // "counts", "line integrals"; "" looks at the values
	Flat, Dark    string // names inside the file, or files
	Mask          string // array, not zero where nothing was measured
	MaskNaN       bool   // values that are not finite were not measured
	Photons       float64
	NoiseSigma    float64 // nepers
	AirCorrection bool    // subtract the mean of the air bins from every view
	MuWater       float64 // 1/mm

	Raw      Raw   // of a file without a header
	MaxBytes int64 // what compressed data may inflate to; 0: 8 GiB
}

// Fan is a fan-beam geometry in mm; package comment and docs/formats.md give
// the formula.
type Fan struct {
	SOD    float64 // source to axis
	SDD    float64 // source to detector
	Curved bool    // the detector is an arc around the source, bins at equal angles
}

// axis names what an index of an array counts.
type axis byte

const (
	rowAxis  axis = 'r'
	viewAxis axis = 'v'
	binAxis  axis = 'b'
)

func (a axis) String() string {
	return map[axis]string{rowAxis: "row", viewAxis: "view", binAxis: "bin"}[a]
}

// parseAxes reads "view,bin" and the like; "" gives nil.
func parseAxes(s string) ([]axis, error) {
	if s == "" {
		return nil, nil
	}
	var out []axis
	for _, w := range strings.Split(s, ",") {
		a := axis(0)
		switch strings.TrimSpace(w) {
		case "row", "slice":
			a = rowAxis
		case "view", "angle":
			a = viewAxis
		case "bin", "column", "detector":
			a = binAxis
		default:
			return nil, fmt.Errorf("%q: row, view and bin are possible", w)
		}
		if slices.Contains(out, a) {
			return nil, fmt.Errorf("%s stands twice in %q", a, s)
		}
		out = append(out, a)
	}
	if !slices.Contains(out, viewAxis) || !slices.Contains(out, binAxis) {
		return nil, fmt.Errorf("%q: view and bin are needed", s)
	}
	return out, nil
}

// content says what the values are.
type content byte

const (
	contentUnknown content = iota
	counts
	lineIntegrals
)

func (c content) String() string { return [...]string{"", "counts", "line integrals"}[c] }

func parseContent(s string) (content, error) {
	switch s {
	case "":
		return contentUnknown, nil
	case "counts":
		return counts, nil
	case "line integrals", "line-integrals":
		return lineIntegrals, nil
	}
	return 0, fmt.Errorf("%q: counts and line integrals are possible", s)
}

func parseUnit(s string) (string, error) {
	switch s {
	case "":
		return "", nil
	case "degree", "degrees", "deg":
		return "degree", nil
	case "radian", "radians", "rad":
		return "radian", nil
	}
	return "", fmt.Errorf("%q: degree and radian are possible", s)
}

// ref names an array: inside the data file, or a file of its own. A name from a
// sidecar may only point into the sidecar's folder.
type ref struct {
	name string
	dir  string // folder that the name is relative to; "" the working folder
	from string // the flag or field that gave it
	own  bool   // given by the user, so that any path is allowed
}

// settings are options, sidecar and convention after the order of precedence.
type settings struct {
	array            string
	axes             []axis
	row              *int
	angles           ref
	angleList        []float64
	unit             string
	arc              float64
	clockwise        bool
	spacing          float64
	offset, column   *float64
	findCenter       bool
	fan              *Fan
	pixel            float64
	image            int
	content          content
	flat, dark, mask ref
	maskNaN          bool
	scale            float64
	photons, noise   float64
	noiseSource      string
	air              bool
	airBins          [][2]int
	muWater          float64
	raw              Raw
	conv             convention
	from             fileName // what messages about wrong settings name
}

// settle merges the options with the sidecar (nil when there is none).
func settle(f fileName, opt *Options, sc *Sidecar, scName fileName, scDir string) (*settings, error) {
	if sc == nil {
		sc, scName = new(Sidecar), f
	}
	st := &settings{scale: 1, muWater: ct.MuWater, from: scName}
	name := cmpOr(opt.Convention, sc.Convention)
	conv, ok := conventions[name]
	if !ok {
		return nil, f.cannot("convention", "%q is not known; there is %s", name, strings.Join(Conventions(), ", "))
	}
	st.conv = conv
	if err := opt.check(f); err != nil {
		return nil, err
	}
	st.takeArrays(opt, sc, scDir)
	st.takeGeometry(opt, sc)
	st.takeValues(opt, sc)
	var err error
	if st.axes, err = parseAxes(cmpOr(opt.Axes, strings.Join(sc.Axes, ","))); err != nil {
		return nil, f.bad("axes", "%v", err)
	}
	return st, nil
}

// check refuses options that cannot be.
func (o *Options) check(f fileName) error {
	for _, c := range []struct {
		name string
		v    float64
	}{
		{"arc", o.Arc}, {"detector spacing", o.DetectorSpacing}, {"pixel size", o.PixelSize}, {"photons", o.Photons},
		{"noise sigma", o.NoiseSigma}, {"mu of water", o.MuWater}, {"image size", float64(o.ImageSize)},
	} {
		if c.v < 0 || math.IsNaN(c.v) || math.IsInf(c.v, 0) {
			return f.bad(c.name, "%g: it must be positive", c.v)
		}
	}
	if _, err := parseContent(o.Data); err != nil {
		return f.bad("data", "%v", err)
	}
	if _, err := parseUnit(o.AngleUnit); err != nil {
		return f.bad("angle unit", "%v", err)
	}
	if o.Offset != nil && (math.IsNaN(*o.Offset) || math.IsInf(*o.Offset, 0)) {
		return f.bad("center", "%g is not a place on the detector", *o.Offset)
	}
	return o.Fan.check(f)
}

// check refuses distances that cannot be; a nil Fan is a parallel beam.
func (g *Fan) check(f fileName) error {
	if g == nil || g.SOD > 0 && g.SDD >= g.SOD && !math.IsInf(g.SDD, 0) {
		return nil
	}
	return f.bad("fan", "source to axis %g mm and source to detector %g mm: the axis lies between source and detector", g.SOD, g.SDD)
}

func (st *settings) takeArrays(opt *Options, sc *Sidecar, scDir string) {
	pick := func(own, side, what string) ref {
		if own != "" {
			return ref{name: own, from: "--" + what, own: true}
		}
		return ref{name: side, dir: scDir, from: what}
	}
	st.array = cmpOr(opt.Array, cmpOr(sc.Dataset, sc.Array))
	st.flat = pick(opt.Flat, sc.Flat, "flat")
	st.dark = pick(opt.Dark, sc.Dark, "dark")
	st.mask = pick(opt.Mask, sc.Mask, "mask")
	st.row = firstPtr(opt.Row, sc.Row, sc.Slice)
	st.raw = opt.Raw
	if st.raw.DType == "" {
		st.raw = Raw{DType: sc.DType, Shape: sc.Shape, BigEndian: sc.ByteOrder == "big", HeaderBytes: sc.HeaderBytes}
	}
	switch {
	case opt.Angles != "":
		st.angles = ref{name: opt.Angles, from: "--view-angles", own: true}
	case opt.Arc > 0:
	case sc.AnglesDeg != nil:
		st.angleList = sc.AnglesDeg.Values()
	case sc.Angles != "":
		st.angles = ref{name: sc.Angles, dir: scDir, from: "angles"}
	}
	st.arc = cmpOr(opt.Arc, value(sc.ArcDeg))
}

func (st *settings) takeGeometry(opt *Options, sc *Sidecar) {
	st.unit, _ = parseUnit(cmpOr(opt.AngleUnit, cmpOr(sc.AngleUnit, st.conv.unit)))
	st.clockwise = opt.Clockwise || sc.Direction == "cw"
	st.spacing = cmpOr(opt.DetectorSpacing, value(sc.Spacing))
	st.findCenter = opt.FindCenter
	switch {
	case opt.Offset != nil:
		st.offset = opt.Offset
	default:
		st.offset, st.column = sc.Offset, sc.Column
	}
	st.fan = opt.Fan
	if st.fan == nil {
		st.fan = sc.fan()
	}
	st.pixel = cmpOr(opt.PixelSize, value(sc.PixelSize))
	st.image = cmpOr(opt.ImageSize, value(sc.ImageSize))
}

func (st *settings) takeValues(opt *Options, sc *Sidecar) {
	st.content, _ = parseContent(cmpOr(opt.Data, sc.Data))
	if st.content == contentUnknown {
		st.content = st.conv.content
	}
	st.maskNaN = opt.MaskNaN
	st.scale = cmpOr(value(sc.ValueScale), 1)
	st.photons, st.noise, st.noiseSource = opt.Photons, opt.NoiseSigma, "given"
	if st.photons == 0 && st.noise == 0 {
		st.photons, st.noise, st.noiseSource = value(sc.Photons), value(sc.Noise), "sidecar"
	}
	st.air = opt.AirCorrection || sc.Air
	st.airBins = sc.AirBins
	st.muWater = cmpOr(opt.MuWater, cmpOr(value(sc.MuWater), ct.MuWater))
}

// cmpOr is a unless that is zero, else b.
func cmpOr[T comparable](a, b T) T {
	var zero T
	if a != zero {
		return a
	}
	return b
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func firstPtr[T any](list ...*T) *T {
	for _, p := range list {
		if p != nil {
			return p
		}
	}
	return nil
}
