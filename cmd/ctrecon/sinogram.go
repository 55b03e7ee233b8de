package main

import (
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"ctrecon/ct"
	"ctrecon/ct/recon"
	"ctrecon/ct/report"
	"ctrecon/dicomio"
	"ctrecon/dicomio/sinofile"
	"ctrecon/radon"
)

// openSinogram makes a study of a sinogram file.
func openSinogram(c *cli.Context, path string) (*study, error) {
	opt, err := sinogramOptions(c)
	if err != nil {
		return nil, err
	}
	scan, err := sinofile.Read(path, opt)
	if err != nil {
		return nil, inputErr(err)
	}
	st := &study{muWater: muWater(c, scan.MuWater), notes: scan.Notes, sha256: scan.SHA256}
	if st.muWater == 0 {
		st.muWater = ct.MuWater
	}
	if name := c.String("template"); name != "" {
		if st.template, err = dicomio.ReadHeader(name); err != nil {
			return nil, inputErr(err)
		}
	}
	rows := scan.Rows
	first := 0
	if scan.Row >= 0 {
		rows, first = 1, scan.Row
	}
	if st.pick, err = sliceRange(c.String("slices"), rows); err != nil {
		return nil, err
	}
	st.label = func(i int) string { return fmt.Sprintf("row %d", first+st.pick[i]) }
	st.input = report.Input{Kind: "sinogram", Name: filepath.Base(path), SHA256: scan.SHA256, Slices: len(st.pick)}
	if scan.BinSizeAssumed {
		st.notes = append(st.notes, "no detector spacing is known: 1 mm is assumed, so attenuation and HU have no scale (--detector-spacing sets it)")
	}
	read := func(i int) (ct.Sinogram, error) { return scan.Sinogram(first + st.pick[i]), nil }
	if scan.Fan != nil {
		read = st.fanData(scan, first, c.IsSet("angles"))
	}
	if err := st.fromSinogram(c, scan, read); err != nil {
		return nil, err
	}
	return st, st.setReference(c, rows)
}

// sparse is the distance of source positions in degrees from which on a fan is not
// rebinned: between positions so far apart there is nothing to interpolate. TV of
// the walnut at 3, 6 and 15 degrees correlates .982, .981 and .967 without
// rebinning, .976, .953 and .881 with it (docs/results.md).
const sparse = 4.0

// fanData gives the data of a fan-beam scan. When few of its source positions are
// to be used, or it has few, methods get them as they are: parallel views are made
// of all positions, and a subset of them would know more than it says.
func (st *study) fanData(scan *sinofile.Scan, first int, subset bool) func(i int) (ct.Sinogram, error) {
	fan := radon.Fan{SOD: scan.Fan.SOD, SDD: scan.Fan.SDD, Curved: scan.Fan.Curved}
	geo := ct.Geometry{Angles: scan.Angles, Bins: scan.Bins, BinSize: scan.BinSize, Offset: scan.Offset}
	direct := subset || scan.Views < 2 || geo.Arc() > sparse*float64(scan.Views)
	st.fan = &report.Fan{Rebinned: !direct, SourceAxisMM: fan.SOD, SourceDetectorMM: fan.SDD, Curved: fan.Curved, Views: scan.Views, Bins: scan.Bins, BinSizeMM: scan.BinSize, ArcDegrees: geo.Arc()}
	raw := func(i int) (ct.Sinogram, error) {
		s := ct.Sinogram{Geometry: geo, Noise: scan.Noise}
		s.Data, s.Sigma = scan.Slice(first + st.pick[i])
		return s, nil
	}
	if direct {
		st.beam = &fan
		st.notes = append(st.notes, "the methods work on the fan beam itself: nothing but the source positions named here is used")
		return raw
	}
	target := radon.ParallelOf(geo, fan)
	st.notes = append(st.notes, fmt.Sprintf("fan beam of %d source positions rebinned to %d parallel views", scan.Views, target.Views()))
	return func(i int) (ct.Sinogram, error) {
		s, _ := raw(i)
		return radon.RebinFan(s, fan, target)
	}
}

// fromSinogram chooses views and grid, and says how to get a slice.
func (st *study) fromSinogram(c *cli.Context, scan *sinofile.Scan, read func(i int) (ct.Sinogram, error)) error {
	s, err := read(0)
	if err != nil {
		return inputErr(err)
	}
	if err := s.Check(); err != nil {
		return inputErr(fmt.Errorf("%s: %w", st.input.Name, err))
	}
	views := make([]int, s.Views())
	for i := range views {
		views[i] = i
	}
	st.available = s.Views()
	if c.IsSet("angles") {
		if views, err = st.pickViews(s.Angles, c.Int("angles")); err != nil {
			return withInput(st.input.Name, err)
		}
	}
	st.geometry = s.Geometry.Subset(views)
	st.grid = sinogramGrid(scan, st.atAxis(s.Geometry))
	if err := st.grid.Check(); err != nil {
		return inputErr(err)
	}
	sub := s.Subset(views)
	sub = recon.Noisy(sub)
	st.noise = sub.Noise
	seed := c.Uint64("seed")
	st.measure = func(i int) (recon.Slice, error) {
		s, err := read(i)
		if err != nil {
			return recon.Slice{}, inputErr(err)
		}
		return recon.Slice{Index: st.pick[i], Grid: st.grid, Sino: s.Subset(views), Fan: st.beam, MuWater: st.muWater, Seed: seed}, nil
	}
	return nil
}

// pickViews chooses n of the views; a source's positions lie on a turn.
func (st *study) pickViews(angles []float64, n int) ([]int, error) {
	if st.beam != nil {
		return pickWithin(angles, n, 360)
	}
	return pickViews(angles, n)
}

// atAxis has the bins as wide as they are at the axis.
func (st *study) atAxis(g ct.Geometry) ct.Geometry {
	if st.beam != nil {
		g.BinSize *= st.beam.SOD / st.beam.SDD
	}
	return g
}

// withInput puts the input's name before an error and keeps its code.
func withInput(name string, err error) error {
	return &coded{exitCode(err), fmt.Errorf("%s: %w", name, err)}
}

// sinogramGrid is the image grid: what the file or the user said, else square
// pixels of a bin's size over the width of the detector.
func sinogramGrid(scan *sinofile.Scan, g ct.Geometry) ct.Grid {
	pixel := scan.PixelSize
	n := scan.ImageSize
	width := float64(g.Bins) * g.BinSize
	switch {
	case pixel == 0 && n == 0:
		pixel, n = g.BinSize, g.Bins
	case pixel == 0:
		pixel = width / float64(n)
	case n == 0:
		n = int(math.Ceil(width/pixel - 1e-6))
	}
	return ct.Square(n, pixel)
}

// sinogramOptions are the flags in the reader's words.
func sinogramOptions(c *cli.Context) (sinofile.Options, error) {
	o := sinofile.Options{
		Sidecar: c.String("sidecar"), Axes: c.String("axes"), Angles: c.String("view-angles"), Arc: c.Float64("arc"), Clockwise: c.Bool("clockwise"),
		DetectorSpacing: c.Float64("detector-spacing"), PixelSize: c.Float64("pixel-size"), ImageSize: c.Int("image-size"),
		Flat: c.String("flat"), Dark: c.String("dark"), Photons: c.Float64("photons"), NoiseSigma: c.Float64("noise-sigma"), MuWater: c.Float64("mu-water"),
	}
	switch s := c.String("center"); s {
	case "":
	case "auto":
		o.FindCenter = true
	default:
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return o, usagef("--center %q: a number of bins or auto is expected", s)
		}
		o.Offset = &v
	}
	if s := c.String("fan"); s != "" {
		a, b, ok := strings.Cut(s, ",")
		sod, err1 := strconv.ParseFloat(a, 64)
		sdd, err2 := strconv.ParseFloat(b, 64)
		if !ok || err1 != nil || err2 != nil || !(sod > 0) || !(sdd >= sod) {
			return o, usagef("--fan %q: SOD,SDD in mm is expected, SDD not below SOD", s)
		}
		o.Fan = &sinofile.Fan{SOD: sod, SDD: sdd}
	}
	return o, nil
}
