package main

import (
	"fmt"
	"math"
	"sort"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"ctrecon/ct/recon"
	"ctrecon/ct/report"
	"ctrecon/ldm"
	"ctrecon/ldm/models"
	"ctrecon/ldm/onnx"
)

// modelFlags belong to every command that reconstructs.
func modelFlags() []cli.Flag {
	return []cli.Flag{
		&cli.Float64Flag{Name: "tv-weight", Usage: "`WEIGHT` of total variation (default: views/12.5, at least 1)", Category: catJob},
		&cli.StringFlag{Name: "model", Usage: "bundle, a folder or ZIP, at `PATH` (default: the built-in one)", Category: catModel},
		&cli.StringFlag{Name: "device", Usage: "`auto`, cpu, cuda or cuda:N", Value: "auto", Category: catModel},
		&cli.IntFlag{Name: "samples", Usage: "average `K` samples (default: 8)", Category: catModel},
		&cli.IntFlag{Name: "steps", Usage: "`N` noise levels of a sample (default: the bundle's, 10; 1000 for resample-paper and latent-dps)", Category: catModel},
		&cli.StringFlag{Name: "compat", Usage: "resample-paper exactly as the `paper` says or as its released code does (default: the paper with its errors corrected)", Category: catModel},
		&cli.StringSliceFlag{Name: "set", Usage: "option of resample, latent-dps or psld, `NAME=VALUE` (r2-scale, start, end, eta, perturb, dps-zeta ...), for ablations", Category: catModel},
		&cli.BoolFlag{Name: "unconditional", Usage: "the network is told nothing but its noisy latent", Category: catModel},
	}
}

// modelOptions reads the flags, and opens what they name when a method needs it.
func modelOptions(c *cli.Context, methods []string) (recon.Options, *report.Model, error) {
	o := recon.Options{Samples: c.Int("samples"), Steps: c.Int("steps"), Compat: c.String("compat"), Set: c.StringSlice("set"), Unconditional: c.Bool("unconditional")}
	if o.TVWeight = c.Float64("tv-weight"); !(o.TVWeight >= 0 && o.TVWeight <= 1e6) {
		return o, nil, usagef("--tv-weight %g: a positive number up to a million", o.TVWeight)
	}
	if o.Samples < 0 || o.Samples > 1000 || o.Steps < 0 || o.Steps > 1000 {
		return o, nil, usagef("--samples %d --steps %d: 1 to 1000 are possible", o.Samples, o.Steps)
	}
	if _, ok := (ldm.PaperOptions{}).Compat(o.Compat); !ok {
		return o, nil, usagef("--compat %s: there is paper and code", o.Compat)
	}
	if err := recon.Tune(&ldm.Options{}, o.Set); err != nil {
		return o, nil, usagef("--set %v", err)
	}
	if !needsModel(methods) {
		return o, nil, nil
	}
	lib, err := onnx.Open()
	if err != nil {
		return o, nil, withCode(exitModel, err)
	}
	b, err := openBundle(c.String("model"))
	if err != nil {
		return o, nil, err
	}
	device, why, err := onnx.Device(c.String("device"))
	if err != nil {
		return o, nil, withCode(exitModel, fmt.Errorf("--device %s: %w", c.String("device"), err))
	}
	o.Model, o.Device = b, device
	rng := b.Range()
	m := &report.Model{Name: b.Name, Version: b.Version, SHA256: b.SHA256, Licence: b.Licence, Provider: device, Runtime: "ONNX Runtime " + lib.Version,
		RangeHU: []float64{rng.HU(-1), rng.HU(1)}, Notes: []string{fmt.Sprintf("device %s: %s", device, why)}}
	if b.PixelMM.Max > 0 {
		m.PixelSizeMM = []float64{b.PixelMM.Min, b.PixelMM.Max}
	}
	return o, m, nil
}

func needsModel(methods []string) bool {
	for _, name := range methods {
		if m, err := recon.Find(name); err == nil && m.Model {
			return true
		}
	}
	return false
}

// openBundle reads the bundle at path, or the built-in one.
func openBundle(path string) (*models.Bundle, error) {
	if path == "" {
		b, err := models.Default()
		return b, withCode(exitModel, err)
	}
	b, err := models.Open(path)
	return b, withCode(exitModel, err)
}

func modelCommand() *cli.Command {
	return &cli.Command{
		Name: "model", Usage: "describe or check a bundle of networks",
		Subcommands: []*cli.Command{
			{Name: "info", Usage: "what a bundle is: networks, training, errors", ArgsUsage: "[BUNDLE]", Action: modelInfo,
				Description: "Without BUNDLE (a folder or ZIP) the built-in one.\n\n" + examples("ctrecon model info mine/", "a bundle of ldm/train/export.py")},
			{Name: "verify", Usage: "compare checksums and run every network once", ArgsUsage: "[BUNDLE]", Action: modelVerify,
				Description: "Exit code 4 when something is wrong.\n\n" + examples("ctrecon model verify mine/", "before a bundle is put to use")},
		},
	}
}

// bundleArgument opens the bundle that a model command names.
func bundleArgument(c *cli.Context) (*models.Bundle, error) {
	if c.NArg() > 1 {
		return nil, usagef("%d arguments given, one bundle expected", c.NArg())
	}
	return openBundle(c.Args().First())
}

func modelInfo(c *cli.Context) error {
	b, err := bundleArgument(c)
	if err != nil {
		return err
	}
	d, rng := b.Dims(), b.Range()
	w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	row := func(name, format string, a ...any) { fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, a...)) }
	row("name", "%s %s", b.Name, b.Version)
	row("sha256", "%s", b.SHA256)
	row("licence", "%s", b.Licence)
	row("images", "%d x %d pixels, %g to %g HU, pixels of %.2f to %.2f mm in training", d.H, d.W, rng.HU(-1), rng.HU(1), b.PixelMM.Min, b.PixelMM.Max)
	row("latents", "%d x %d x %d", d.Channels, d.LH, d.LW)
	row("conditions", "%s", strings.Join(b.Conditions(), ", "))
	row("training", "%d slices of %d patients; %s", b.Training.Slices, b.Training.Patients, b.Training.Hardware)
	t := b.Errors(b.Conditioned())
	row("error HU rms", "%s", errorsText(t.L, t.R2, rng.Half))
	names := make([]string, 0, len(b.Files))
	for n := range b.Files {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		row("file", "%s, %s, %.2f MB", n, b.Files[n].Role, float64(b.Files[n].Bytes)/1e6)
	}
	return w.Flush()
}

// errorsText lists the root of the measured error by noise level.
func errorsText(l, r2 []float64, half float64) string {
	var s []string
	for i := range l {
		s = append(s, fmt.Sprintf("%.0f at %g", half*math.Sqrt(r2[i]), l[i]))
	}
	return strings.Join(s, ", ")
}

func modelVerify(c *cli.Context) error {
	b, err := bundleArgument(c)
	if err != nil {
		return err
	}
	if err := b.Verify(); err != nil {
		return withCode(exitModel, err)
	}
	n, err := models.Load(b, onnx.Options{Threads: cores()})
	if err != nil {
		return withCode(exitModel, err)
	}
	defer n.Close()
	if err := n.Try(c.Context); err != nil {
		return withCode(exitModel, err)
	}
	ran := "encoder, decoder and UNet"
	if b.Restorer != nil {
		if err := models.TryRestorer(c.Context, b, onnx.Options{Threads: cores()}); err != nil {
			return withCode(exitModel, err)
		}
		ran = "encoder, decoder, UNet and restorer"
	}
	fmt.Fprintf(c.App.Writer, "%s %s: %d files as described, %s run\n", b.Name, b.Version, len(b.Files), ran)
	return nil
}
