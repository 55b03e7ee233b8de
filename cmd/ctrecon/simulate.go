package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"ctrecon/ct"
	"ctrecon/dicomio/sinofile"
	"ctrecon/radon"
)

func simulateCommand() *cli.Command {
	return &cli.Command{
		Name: "simulate", Usage: "measure images: a sinogram file from a CT series or from HU in an array file", ArgsUsage: "INPUT",
		Description: "The images are projected on a grid three times finer than their own, with four rays a bin, so that a reconstruction on their grid\n" +
			"has no easier task than with a real scanner. The file gets a sidecar with all that ctrecon needs to read it.\n\n" + examples(
			"ctrecon simulate --angles 180 study/", "study-sino.npy: [slice][view][bin] nepers, and study-sino.npy.json",
			"ctrecon simulate --angles 25 --photons 1e5 --pixel-size 1.4 --out s.npy image.npy", "Poisson counts, as line integrals"),
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "angles", Usage: "`N` views over 180 degrees", Value: 180},
			&cli.Float64Flag{Name: "noise-sigma", Usage: "Gaussian noise, `NEPERS`"},
			&cli.Float64Flag{Name: "photons", Usage: "`I0` photons a bin: Poisson noise"},
			&cli.Float64Flag{Name: "pixel-size", Usage: "of an array file, `MM`"},
			&cli.Float64Flag{Name: "mu-water", Usage: "attenuation of water, 1/`MM` (default: .0195)"},
			&cli.StringFlag{Name: "slices", Usage: "only these slices: `A:B`, A:B:STEP or I"},
			&cli.Uint64Flag{Name: "seed", Usage: "of the noise", Value: 1},
			&cli.IntFlag{Name: "workers", Usage: "slices at a time (default: one a core)"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FILE` (default: <input>-sino.npy)"},
			&cli.BoolFlag{Name: "force", Aliases: []string{"f"}, Usage: "replace the file"},
		},
		Action: simulateAction,
	}
}

func simulateAction(c *cli.Context) error {
	path, err := onlyArgument(c, "input")
	if err != nil {
		return err
	}
	v, err := openVolume(c, path)
	if err != nil {
		return err
	}
	if !(v.grid.DX > 0) {
		return usagef("%s does not say how large a pixel is: --pixel-size MM", v.name)
	}
	pick, err := sliceRange(c.String("slices"), v.slices)
	if err != nil {
		return err
	}
	out := c.String("out")
	if out == "" {
		clean := filepath.Clean(path)
		out = strings.TrimSuffix(clean, filepath.Ext(clean)) + "-sino.npy"
	}
	if _, err := os.Stat(out); err == nil && !c.Bool("force") {
		return outputErr(fmt.Errorf("%s: exists; --force replaces it, --out chooses another name", out))
	}
	if n := c.Int("angles"); n < 1 || n > 100_000 {
		return usagef("--angles %d: 1 to 100000 views can be simulated", n)
	}
	geo := ct.Uniform(c.Int("angles"), ct.DefaultBins(v.grid), min(v.grid.DX, v.grid.DY))
	data, noise, err := measureVolume(c, v, pick, geo)
	if err != nil {
		return err
	}
	if err := sinofile.WriteStack(out, data, len(pick), geo, noise, v.grid, muWater(c, ct.MuWater)); err != nil {
		return outputErr(err)
	}
	fmt.Fprintf(c.App.Writer, "%s: %d slice(s), %d views of %d bins of %.3g mm\n", out, len(pick), geo.Views(), geo.Bins, geo.BinSize)
	return nil
}

// measureVolume measures the picked slices beside one another.
func measureVolume(c *cli.Context, v *volume, pick []int, geo ct.Geometry) ([]float32, ct.Noise, error) {
	noise := ct.Noise{Sigma: c.Float64("noise-sigma"), Photons: c.Float64("photons"), Source: "simulated"}
	data := make([]float32, len(pick)*geo.Len())
	g, ctx := errgroup.WithContext(c.Context)
	next := make(chan int)
	g.Go(func() error {
		defer close(next)
		for i := range pick {
			select {
			case next <- i:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range min(workers(c), len(pick)) {
		g.Go(func() error {
			return measureSlices(ctx, v, pick, geo, noise, muWater(c, ct.MuWater), c.Uint64("seed"), next, data)
		})
	}
	return data, noise, g.Wait()
}

func measureSlices(ctx context.Context, v *volume, pick []int, geo ct.Geometry, noise ct.Noise, mu float64, seed uint64, next <-chan int, data []float32) error {
	m, err := radon.NewMeter(v.grid, geo)
	if err != nil {
		return inputErr(err)
	}
	hu := make([]float32, v.grid.Len())
	for i := range next {
		v.read(pick[i], hu)
		for k, x := range hu {
			hu[k] = max(x, -1000)
		}
		s, err := m.Measure(hu, mu, noise, ct.NewStream(seed, pick[i], 0, 0))
		if err != nil {
			return inputErr(err)
		}
		copy(data[i*geo.Len():], s.Data)
	}
	return ctx.Err()
}
