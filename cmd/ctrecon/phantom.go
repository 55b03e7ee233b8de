package main

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"ctrecon/ct"
	"ctrecon/dicomio"
	"ctrecon/dicomio/sinofile"
	"ctrecon/phantoms"
)

func phantomCommand() *cli.Command {
	return &cli.Command{
		Name: "phantom", Usage: "write an analytic phantom as a DICOM series, .npy and PNG, with its sinogram", ArgsUsage: "NAME",
		Description: "NAME is one of " + strings.Join(phantoms.Names(), ", ") + ".\n\n" + examples(
			"ctrecon phantom thorax", "thorax/: a DICOM series of one slice, image.npy, image.png",
			"ctrecon phantom --slices 20 --spacing 3 head", "a series of 20 slices, 3 mm apart",
			"ctrecon phantom --angles 180 --noise-sigma .01 acr", "with acr/sino.npy, 180 exact views and noise, and its sidecar",
			"ctrecon phantom --slices 10 --helix FFSZ head", "with head/projections/, a helical scan in DICOM-CT-PD"),
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "size", Usage: "`N` x N pixels", Value: 256},
			&cli.Float64Flag{Name: "field", Usage: "field of view in `MM` (default: the object's own)"},
			&cli.IntFlag{Name: "slices", Usage: "slices of the series", Value: 1},
			&cli.Float64Flag{Name: "spacing", Usage: "`MM` between slices", Value: 5},
			&cli.IntFlag{Name: "angles", Usage: "also write a sinogram of `N` views (of the middle slice)"},
			&cli.StringFlag{Name: "helix", Usage: "also write a helical scan of 16 rows as DICOM-CT-PD, with the flying focal spot `MODE`: FFSNONE, FFSZ, FFSXY or FFSXYZ; twice --angles views a turn (default: 720)"},
			&cli.Float64Flag{Name: "noise-sigma", Usage: "Gaussian noise of sinogram and scan, `NEPERS`"},
			&cli.Uint64Flag{Name: "seed", Usage: "of the noise", Value: 1},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FOLDER` (default: NAME)"},
			&cli.BoolFlag{Name: "force", Aliases: []string{"f"}, Usage: "replace the folder when it holds a phantom"},
		},
		Action: phantomAction,
	}
}

func phantomAction(c *cli.Context) error {
	name, err := onlyArgument(c, "phantom name")
	if err != nil {
		return err
	}
	p, err := phantoms.New(name, c.Float64("field"))
	if err != nil {
		return usagef("%v", err)
	}
	n, size := c.Int("slices"), c.Int("size")
	if n < 1 || n > 10_000 || size < 8 || size > 4096 {
		return usagef("--slices %d --size %d: 1 to 10000 slices of 8 to 4096 pixels can be made", n, size)
	}
	dir := c.String("out")
	if dir == "" {
		dir = name
	}
	if err := phantomPlace(dir, c.Bool("force")); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(filepath.Clean(dir)), ".phantom-")
	if err != nil {
		return outputErr(err)
	}
	defer os.RemoveAll(tmp)
	if err := writePhantom(c, p, tmp); err != nil {
		return outputErr(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		return outputErr(err)
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return outputErr(err)
	}
	if err := os.Rename(tmp, dir); err != nil {
		return outputErr(err)
	}
	fmt.Fprintf(c.App.Writer, "%s: %d slice(s) of %d x %d pixels, %.3g mm\n", dir, n, size, size, p.Field/float64(size))
	return nil
}

// phantomPlace refuses a folder that something else lives in.
func phantomPlace(dir string, force bool) error {
	entries, err := os.ReadDir(dir)
	switch {
	case os.IsNotExist(err), err == nil && len(entries) == 0:
		return nil
	case err != nil:
		return outputErr(err)
	}
	_, err = os.Stat(filepath.Join(dir, "image.npy"))
	if err == nil && force {
		return nil
	}
	return outputErr(fmt.Errorf("%s: exists; --force replaces a phantom, --out chooses another folder", dir))
}

func writePhantom(c *cli.Context, p *phantoms.Phantom, dir string) error {
	n, size := c.Int("slices"), c.Int("size")
	grid := ct.Square(size, p.Field/float64(size))
	at := func(i int) *phantoms.Phantom {
		if n == 1 {
			return p.At(0)
		}
		return p.At((float64(i) - float64(n-1)/2) * c.Float64("spacing"))
	}
	all := make([]float32, 0, n*grid.Len())
	for i := range n {
		all = append(all, at(i).HU(grid)...)
	}
	d := dicomio.Derived{
		Subject: fmt.Sprintf("%x", dicomio.UID("phantom", p.Name))[:16], Grid: grid, Spacing: c.Float64("spacing"), Method: p.Name + " phantom", Number: 1,
		Software: version, Equipment: dicomio.PhantomModel, Config: fmt.Sprint(p.Name, p.Field, size, n, c.Float64("spacing")), Description: "Analytic phantom " + p.Name, Images: n,
		Time:  time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC), // a phantom has no date; the same command gives the same bytes
		Image: func(i int, dst []float32) error { copy(dst, all[i*grid.Len():]); return nil },
	}
	if _, err := dicomio.WriteSeries(filepath.Join(dir, "dicom"), d); err != nil {
		return err
	}
	if err := sinofile.WriteNPY(filepath.Join(dir, "image.npy"), all, n, size, size); err != nil {
		return err
	}
	if err := writePNG(filepath.Join(dir, "image.png"), all[n/2*grid.Len():][:grid.Len()], size); err != nil {
		return err
	}
	if c.IsSet("helix") {
		if err := writeHelix(c, p, filepath.Join(dir, "projections")); err != nil {
			return err
		}
	}
	if views := c.Int("angles"); views > 0 {
		s := at(n/2).Sinogram(ct.Uniform(views, ct.DefaultBins(grid), grid.DX), true)
		addNoise(&s, c.Float64("noise-sigma"), c.Uint64("seed"))
		return sinofile.WriteSinogram(filepath.Join(dir, "sino.npy"), &s)
	}
	return nil
}

// addNoise adds Gaussian noise to a sinogram.
func addNoise(s *ct.Sinogram, sigma float64, seed uint64) {
	if sigma <= 0 {
		return
	}
	z := make([]float32, len(s.Data))
	ct.NewStream(seed, 0, 0, 0).Normals(z, 0)
	for i := range z {
		s.Data[i] += float32(sigma) * z[i]
	}
	s.Noise = ct.Noise{Sigma: sigma, Source: "simulated"}
}

// writePNG writes a slice in the soft-tissue window, 400 HU around 40.
func writePNG(name string, hu []float32, w int) error {
	im := image.NewGray(image.Rect(0, 0, w, len(hu)/w))
	for i, v := range hu {
		im.SetGray(i%w, i/w, color.Gray{Y: uint8(max(0, min(255, (v+160)/400*255)))})
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err = png.Encode(f, im); err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}
