package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"ctrecon/ct"
	"ctrecon/dicomio"
	"ctrecon/dicomio/sinofile"
)

// volume is a stack of images in HU.
type volume struct {
	name   string
	grid   ct.Grid // DX 0 where the file does not say
	slices int
	read   func(i int, dst []float32)
	notes  []string
}

// openVolume reads a DICOM series, or an array file whose values are HU.
func openVolume(c *cli.Context, path string) (*volume, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, inputErr(fmt.Errorf("%s: no such file or folder", path))
	}
	if info.IsDir() || strings.EqualFold(filepath.Ext(path), ".zip") || isDICOM(path) {
		all, err := dicomio.ReadSeries(path, workers(c))
		if err != nil {
			return nil, inputErr(err)
		}
		s := all[0]
		return &volume{name: filepath.Base(path), grid: s.Grid, slices: len(s.Slices), notes: s.Notes, read: func(i int, dst []float32) { copy(dst, s.Slices[i].HU) }}, nil
	}
	data, n, h, w, err := sinofile.ReadImages(path)
	if err != nil {
		return nil, inputErr(err)
	}
	px := c.Float64("pixel-size")
	return &volume{name: filepath.Base(path), grid: ct.Grid{W: w, H: h, DX: px, DY: px}, slices: n, read: func(i int, dst []float32) { copy(dst, data[i*h*w:]) }}, nil
}

// setReference makes the images at --reference the truth of a sinogram's slices.
func (st *study) setReference(c *cli.Context, rows int) error {
	path := c.String("reference")
	if path == "" {
		return nil
	}
	v, err := openVolume(c, path)
	if err != nil {
		return err
	}
	if v.grid.W != st.grid.W || v.grid.H != st.grid.H {
		return inputErr(fmt.Errorf("%s: images of %d x %d pixels, the reconstruction has %d x %d; --image-size and --pixel-size set its grid", v.name, v.grid.H, v.grid.W, st.grid.H, st.grid.W))
	}
	if v.grid.DX > 0 && (v.grid.DX < 0.99*st.grid.DX || v.grid.DX > 1.01*st.grid.DX) {
		return inputErr(fmt.Errorf("%s: pixels of %.4g mm, the reconstruction has %.4g mm; --pixel-size sets them", v.name, v.grid.DX, st.grid.DX))
	}
	if v.slices != rows && v.slices != len(st.pick) {
		return inputErr(fmt.Errorf("%s: %d images for a sinogram of %d rows", v.name, v.slices, rows))
	}
	st.input.Reference = v.name
	st.truth = func(i int, dst []float32) error {
		if v.slices == rows {
			i = st.pick[i]
		}
		v.read(i, dst)
		return nil
	}
	return nil
}
