package main

import (
	"fmt"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"ctrecon/ct"
	"ctrecon/ct/recon"
	"ctrecon/ct/report"
	"ctrecon/dicomio"
	"ctrecon/dicomio/sinofile"
	"ctrecon/radon/helical"
)

// saidByFiles are flags that projections in DICOM leave no room for.
var saidByFiles = []string{"sidecar", "detector-spacing", "center", "arc", "view-angles", "clockwise", "fan", "axes", "flat", "dark", "photons"}

// waterLeast and waterMost are what the attenuation of water can be in 1/mm, from
// 150 to 30 keV.
const waterLeast, waterMost = 0.014, 0.038

// openProjections makes a study of a helical scan in DICOM-CT-PD: parallel views of
// slices are made of the projections.
func openProjections(c *cli.Context, path string) (*study, error) {
	for _, f := range saidByFiles {
		if c.IsSet(f) {
			return nil, usagef("--%s: projections in DICOM say it themselves", f)
		}
	}
	p, err := dicomio.ReadProjections(path, workers(c))
	if err != nil {
		return nil, inputErr(err)
	}
	st := &study{muWater: muWater(c, p.MuWater), sha256: p.Digest, notes: p.Notes, template: p.Header}
	if err := st.projectedWater(p); err != nil {
		return nil, err
	}
	if name := c.String("template"); name != "" {
		if st.template, err = dicomio.ReadHeader(name); err != nil {
			return nil, inputErr(err)
		}
	}
	scan := helicalScan(p)
	scan.Noise = ct.Noise{Sigma: c.Float64("noise-sigma"), Source: "given"}
	r, err := helical.NewRebinner(scan)
	if err != nil {
		return nil, inputErr(fmt.Errorf("%s: %w", filepath.Base(path), err))
	}
	if err := st.fromHelix(c, p, scan, r); err != nil {
		return nil, err
	}
	st.fan = &report.Fan{
		Rebinned: true, SourceAxisMM: p.Views[0].Radius, SourceDetectorMM: p.Distance, Curved: scan.Shape != helical.Flat,
		Views: len(p.Views), Bins: p.Cols, BinSizeMM: p.ColSize, ArcDegrees: scan.Step() * float64(len(p.Views)),
	}
	return st, nil
}

// projectedWater settles the attenuation of water.
func (st *study) projectedWater(p *dicomio.Projections) error {
	switch {
	case st.muWater == 0:
		st.muWater = ct.MuWater
		st.notes = append(st.notes, fmt.Sprintf("the projections do not say the attenuation of water: %g/mm is assumed (--mu-water sets it)", ct.MuWater))
	case st.muWater == p.MuWater && (p.MuWater < waterLeast || p.MuWater > waterMost):
		return inputErr(fmt.Errorf("%s: (7041,1001) WaterAttenuationCoefficient %g is not that of water in 1/mm; --mu-water sets it", filepath.Base(p.Name), p.MuWater))
	}
	return nil
}

// helicalScan has the scan in the words of the rebinning.
func helicalScan(p *dicomio.Projections) *helical.Scan {
	shape := map[string]helical.Shape{"CYLINDRICAL": helical.Cylindrical, "SPHERICAL": helical.Spherical, "FLAT": helical.Flat}[p.Shape]
	s := &helical.Scan{
		Detector: helical.Detector{Shape: shape, Rows: p.Rows, Cols: p.Cols, RowSize: p.RowSize, ColSize: p.ColSize, Distance: p.Distance, CenterRow: p.CenterRow, CenterCol: p.CenterCol},
		Data:     p.Data,
	}
	if p.Photons {
		s.Photons = p.Quanta
	}
	for _, v := range p.Views {
		s.Views = append(s.Views, helical.View{Beta: v.Beta, Z: v.Z, Radius: v.Radius, DBeta: v.DBeta, DZ: v.DZ, DRadius: v.DRadius})
	}
	return s
}

// fromHelix chooses slices, views and grid, and says how to get a slice.
func (st *study) fromHelix(c *cli.Context, p *dicomio.Projections, scan *helical.Scan, r *helical.Rebinner) error {
	name := filepath.Base(p.Name)
	if c.IsSet("slice-spacing") && !(c.Float64("slice-spacing") > 0) {
		return usagef("--slice-spacing %g: it must be positive", c.Float64("slice-spacing"))
	}
	all := r.Slices(c.Float64("slice-spacing"))
	if len(all) == 0 {
		return inputErr(fmt.Errorf("%s: %d views over %.3g degrees, %.3g mm a turn: no slice is seen from all sides", name, len(p.Views), scan.Step()*float64(len(p.Views)), scan.Feed()))
	}
	var err error
	if st.pick, err = sliceRange(c.String("slices"), len(all)); err != nil {
		return err
	}
	for _, i := range st.pick {
		st.heights = append(st.heights, all[i])
	}
	geo := scan.Parallel()
	st.available = geo.Views()
	if c.IsSet("angles") {
		views, err := pickViews(geo.Angles, c.Int("angles"))
		if err != nil {
			return withInput(name, err)
		}
		geo = geo.Subset(views)
	}
	st.geometry = geo
	st.grid = sinogramGrid(&sinofile.Scan{PixelSize: c.Float64("pixel-size"), ImageSize: c.Int("image-size")}, geo)
	if err := st.grid.Check(); err != nil {
		return inputErr(err)
	}
	st.notes = append(st.notes, fmt.Sprintf("helical scan of %d projections (%d rows, %d columns, %s, %.4g mm a turn) rebinned to %d parallel views; %d slices from %.4g to %.4g mm; each view is made of projections over the whole fan angle",
		len(p.Views), p.Rows, p.Cols, p.FocalSpot, scan.Feed(), st.available, len(all), all[0], all[len(all)-1]))
	st.input = report.Input{Kind: "sinogram", Name: name, SHA256: p.Digest, Slices: len(st.pick)}
	st.label = func(i int) string { return fmt.Sprintf("%.1f mm", st.heights[i]) }
	return st.rebinned(c, name, r, len(all))
}

// rebinned says how the data of a slice are made.
func (st *study) rebinned(c *cli.Context, name string, r *helical.Rebinner, slices int) error {
	read := func(i int) (ct.Sinogram, error) {
		s, err := r.Rebin(st.heights[i], st.geometry)
		if err != nil {
			return s, inputErr(fmt.Errorf("%s: %w", name, err))
		}
		return s, nil
	}
	s, err := read(0)
	if err != nil {
		return err
	}
	st.noise = recon.Noisy(s).Noise
	seed := c.Uint64("seed")
	st.measure = func(i int) (recon.Slice, error) {
		s, err := read(i)
		return recon.Slice{Index: st.pick[i], Grid: st.grid, Sino: s, MuWater: st.muWater, Seed: seed}, err
	}
	return st.setReference(c, slices)
}
