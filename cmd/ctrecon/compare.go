package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"ctrecon/ct"
	"ctrecon/ct/metrics"
	"ctrecon/ct/report"
)

func reportCommand() *cli.Command {
	return &cli.Command{
		Name: "report", Usage: "compare finished images, of ctrecon or of anyone, against a baseline and a reference", ArgsUsage: "BASELINE OTHER...",
		Description: "Each argument is a DICOM series (file, folder, ZIP) or an array of HU; all have the same size and slices. The first is the baseline.\n\n" + examples(
			"ctrecon report --reference study/ fbp/ vendor/", "how far two reconstructions are from a study: report.html, report.json, montage.png",
			"ctrecon report --out cmp x-ctrecon/fbp x-ctrecon/tv other.npy", "without a reference: differences to the baseline"),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "reference", Usage: "ground truth at `PATH`"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "result `FOLDER`", Value: "comparison"},
			&cli.BoolFlag{Name: "force", Aliases: []string{"f"}, Usage: "replace a former result"},
			&cli.Float64Flag{Name: "pixel-size", Usage: "of arrays, `MM`"},
			&cli.IntFlag{Name: "workers", Usage: "files at a time (default: one a core)"},
			&cli.BoolFlag{Name: "json", Usage: "report.json on standard output, nothing else there"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "only errors"},
		},
		Action: reportAction,
	}
}

func reportAction(c *cli.Context) error {
	if c.NArg() < 1 {
		return usagef("no images given; see ctrecon report --help")
	}
	cmp := comparison{}
	for _, path := range c.Args().Slice() {
		v, err := openVolume(c, path)
		if err != nil {
			return err
		}
		cmp.volumes = append(cmp.volumes, v)
	}
	if path := c.String("reference"); path != "" {
		v, err := openVolume(c, path)
		if err != nil {
			return err
		}
		cmp.truth = v
	}
	if err := cmp.check(); err != nil {
		return err
	}
	out, err := newOutDir(c.String("out"), c.Bool("force"))
	if err != nil {
		return err
	}
	defer out.discard()
	j := &job{c: c, out: out, start: time.Now(), clock: time.Now(), st: &study{}}
	r := cmp.report(c)
	if err := j.writePages(c.Context, r, cmp.picture); err != nil {
		return err
	}
	if err := out.commit(); err != nil {
		return err
	}
	return j.printReport(r, fmt.Sprintf("%d slice(s)", len(r.Methods[0].Slices)))
}

// comparison is images beside one another.
type comparison struct {
	volumes []*volume
	truth   *volume
}

// check refuses images that do not belong together.
func (p *comparison) check() error {
	first := p.volumes[0]
	all := p.volumes
	if p.truth != nil {
		all = append(all[:len(all):len(all)], p.truth)
	}
	for _, v := range all {
		if v.grid.W != first.grid.W || v.grid.H != first.grid.H || v.slices != first.slices {
			return inputErr(fmt.Errorf("%s: %d images of %d x %d pixels, %s has %d of %d x %d", v.name, v.slices, v.grid.H, v.grid.W, first.name, first.slices, first.grid.H, first.grid.W))
		}
	}
	return nil
}

// report makes the numbers.
func (p *comparison) report(c *cli.Context) *report.Report {
	first := p.volumes[0]
	grid := first.grid
	for _, v := range append(p.volumes[1:], p.truth) {
		if grid.DX == 0 && v != nil {
			grid = v.grid
		}
	}
	if grid.DX == 0 {
		grid.DX, grid.DY = 1, 1
	}
	r := &report.Report{
		Schema: report.SchemaID, Notice: report.ResearchUse, Created: time.Now().UTC().Format(time.RFC3339), Command: repeat(c),
		Tool: report.Tool{Name: "ctrecon", Version: version, Commit: commit()}, Input: report.Input{Kind: "images", Name: first.name, Slices: first.slices},
		Geometry: report.GeometryOf(ct.Geometry{}, grid, ct.MuWater), Noise: report.NoiseOf(ct.Noise{}), Protocol: report.DefaultProtocol(), Warnings: []string{}, Environment: report.Here(),
	}
	if p.truth != nil {
		r.Input.Reference = p.truth.name
	}
	for k, v := range p.volumes {
		r.Methods = append(r.Methods, p.method(k, v))
	}
	r.Finish()
	return r
}

// method is one column: its name is that of the file or folder.
func (p *comparison) method(k int, v *volume) report.Method {
	name := strings.TrimSuffix(v.name, filepath.Ext(v.name))
	for i, other := range p.volumes[:k] {
		if other.name == v.name {
			name = fmt.Sprintf("%s (%d)", name, k-i+1)
		}
	}
	m := report.Method{Name: name, Label: name, Settings: []report.Setting{}, Warnings: append([]string{}, v.notes...)}
	hu, truth := make([]float32, v.grid.Len()), make([]float32, v.grid.Len())
	for i := range v.slices {
		s := report.Slice{Index: i, Label: fmt.Sprint(i)}
		if p.truth != nil {
			v.read(i, hu)
			p.truth.read(i, truth)
			s.Metrics = report.Metrics{PSNR: report.Number(metrics.PSNR(hu, truth)), SSIM: report.Number(metrics.SSIM(hu, truth, v.grid.W)),
				RMSEHU: report.Number(metrics.RMSE(hu, truth, metrics.Body(truth, v.grid.W)))}
		}
		m.Slices = append(m.Slices, s)
	}
	return m
}

// picture gives the pages the pixels of slice i.
func (p *comparison) picture(i int) (report.Picture, error) {
	var out report.Picture
	get := func(v *volume) []float32 {
		hu := make([]float32, v.grid.Len())
		v.read(i, hu)
		return hu
	}
	if p.truth != nil {
		out.Reference = get(p.truth)
	}
	for _, v := range p.volumes {
		out.Methods = append(out.Methods, report.MethodPicture{HU: get(v)})
	}
	return out, nil
}
