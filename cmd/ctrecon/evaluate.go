package main

import (
	"encoding/csv"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"ctrecon/ct"
	"ctrecon/ct/metrics"
	"ctrecon/ct/recon"
	"ctrecon/radon"
)

func evaluateCommand() *cli.Command {
	return &cli.Command{
		Name: "evaluate", Usage: "make a table of methods over a folder of reference slices, or measure a phantom", ArgsUsage: "[FOLDER]",
		Description: "FOLDER holds 16-bit PNG slices (HU + 1024) and index.csv with the columns file, split, site, pixel_mm. Each slice is measured\n" +
			"without the inverse crime and reconstructed by each method; the table is Markdown, mean and standard deviation over slices by site.\n" +
			"With --phantom there is no FOLDER: exact data of the phantom, with noise drawn again and again, give CT numbers, noise power, the task transfer\n" +
			"function by insert and the detectability of discs, by method.\n\n" + examples(
			"ctrecon evaluate --split val ctdata", "25 views, .01 nepers: all methods",
			"ctrecon evaluate --angles 50 --method tv --csv tv50.csv ctdata", "one method, every slice into a CSV file",
			"ctrecon evaluate --method tv --max-rmse 80 ctdata", "a check for scripts: exit code 1 when the mean HU RMSE is above",
			"ctrecon evaluate --phantom acr --method fbp,fbp-hann,tv", "image quality as a medical physicist measures it"),
		Flags: flagGroups([]cli.Flag{
			&cli.StringFlag{Name: "split", Usage: "rows of index.csv with this split", Value: "val"},
			&cli.StringFlag{Name: "method", Usage: "comma-separated `LIST`", Value: "fbp,fbp-hann,cgls,sirt,tikhonov,tv"},
			&cli.IntFlag{Name: "angles", Usage: "`N` views", Value: defaultAngles},
			&cli.Float64Flag{Name: "noise-sigma", Usage: "`NEPERS`", Value: defaultSigma},
			&cli.Float64Flag{Name: "photons", Usage: "`I0` photons a bin instead"},
			&cli.IntFlag{Name: "limit", Usage: "at most `N` slices, evenly picked"},
			&cli.Uint64Flag{Name: "seed", Usage: "of the noise", Value: 1},
			&cli.IntFlag{Name: "workers", Usage: "slices at a time"},
			&cli.StringFlag{Name: "phantom", Usage: "measure the phantom `NAME`, " + strings.Join(measuredPhantoms, " or ")},
			&cli.IntFlag{Name: "draws", Usage: "`K` draws of the noise, with --phantom", Value: 30},
			&cli.IntFlag{Name: "size", Usage: "`N` x N pixels, with --phantom", Value: 256},
			&cli.StringFlag{Name: "csv", Usage: "also write every slice, or every figure and curve of a phantom, to `FILE`"},
			&cli.Float64Flag{Name: "max-rmse", Usage: "fail when the mean HU RMSE in the body of the last method is above"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "no progress"},
		}, modelFlags()),
		Action: evaluateAction,
	}
}

// reference is one slice of the folder.
type reference struct {
	file, site string
	pixel      float64
}

// score is one row of the result.
type score struct {
	ref                             reference
	method                          string
	psnr, ssim, rmse, chi2, seconds float64
}

func evaluateAction(c *cli.Context) error {
	if c.IsSet("phantom") {
		return evaluatePhantom(c)
	}
	for _, name := range []string{"draws", "size"} {
		if c.IsSet(name) {
			return usagef("--%s belongs to --phantom: a folder's slices are measured once, as large as they are", name)
		}
	}
	dir, err := onlyArgument(c, "folder")
	if err != nil {
		return err
	}
	methods, err := methodList(c.String("method"))
	if err != nil {
		return err
	}
	refs, err := readIndex(dir, c.String("split"), c.Int("limit"))
	if err != nil {
		return inputErr(err)
	}
	scores, err := evaluate(c, dir, refs, methods)
	if err != nil {
		return err
	}
	if name := c.String("csv"); name != "" {
		if err := writeScores(name, scores); err != nil {
			return outputErr(err)
		}
	}
	writeTable(c.App.Writer, scores, methods)
	return checkRMSE(c, scores, methods[len(methods)-1])
}

func checkRMSE(c *cli.Context, scores []score, method string) error {
	limit := c.Float64("max-rmse")
	if limit <= 0 {
		return nil
	}
	var v []float64
	for _, s := range scores {
		if s.method == method {
			v = append(v, s.rmse)
		}
	}
	if m, _ := meanSD(v); !(m <= limit) {
		return &coded{exitBug, fmt.Errorf("%s: mean HU RMSE %.1f is above %.1f", method, m, limit)}
	}
	return nil
}

// readIndex reads the slices of a split from index.csv.
func readIndex(dir, split string, limit int) ([]reference, error) {
	f, err := os.Open(filepath.Join(dir, "index.csv"))
	if err != nil {
		return nil, fmt.Errorf("%s: no index.csv in it", dir)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) == 0 {
		return nil, fmt.Errorf("index.csv: not a table: %v", err)
	}
	col := map[string]int{}
	for i, n := range rows[0] {
		col[n] = i
	}
	for _, n := range []string{"file", "split", "site", "pixel_mm"} {
		if _, ok := col[n]; !ok {
			return nil, fmt.Errorf("index.csv: no column %q", n)
		}
	}
	var out []reference
	for i, r := range rows[1:] {
		if r[col["split"]] != split {
			continue
		}
		px, err := strconv.ParseFloat(r[col["pixel_mm"]], 64)
		if err != nil || !(px > 0) || math.IsInf(px, 0) {
			return nil, fmt.Errorf("index.csv: row %d: pixel_mm %q", i+2, r[col["pixel_mm"]])
		}
		out = append(out, reference{r[col["file"]], r[col["site"]], px})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("index.csv: no row with split %q", split)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].file < out[j].file })
	if limit > 0 && limit < len(out) {
		all := out
		out = nil
		for i := range limit {
			out = append(out, all[i*(len(all)-1)/max(1, limit-1)])
		}
	}
	return out, nil
}

// readPNG reads a slice in HU; value = HU + 1024, not below -1000 HU.
func readPNG(name string) ([]float32, int, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: cannot be opened", name)
	}
	defer f.Close()
	im, err := png.Decode(f)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", name, err)
	}
	g, ok := im.(*image.Gray16)
	if !ok {
		return nil, 0, fmt.Errorf("%s: a 16-bit grey picture is needed", name)
	}
	b := g.Bounds()
	hu := make([]float32, 0, b.Dx()*b.Dy())
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			hu = append(hu, max(-1000, float32(g.At(x, y).(color.Gray16).Y)-1024))
		}
	}
	return hu, b.Dx(), nil
}

func evaluate(c *cli.Context, dir string, refs []reference, methods []string) ([]score, error) {
	noise := ct.Noise{Sigma: c.Float64("noise-sigma"), Photons: c.Float64("photons")}
	if c.IsSet("photons") {
		noise.Sigma = 0
	}
	options, _, err := modelOptions(c, methods)
	if err != nil {
		return nil, err
	}
	truths := make([][]float32, len(refs))
	bar := newMeter(c.App.ErrWriter, "evaluating", len(refs)*len(methods), c.Bool("quiet"))
	defer bar.end()
	scores := make([]score, len(refs)*len(methods))
	err = recon.Run(c.Context, recon.Job{
		Slices: len(refs), Methods: methods, Options: options, Workers: workers(c),
		Step: func(i int, m string) { bar.step(refs[i].file + ", " + m) },
		Source: func(i int) (recon.Slice, error) {
			hu, w, err := readPNG(filepath.Join(dir, refs[i].file))
			if err != nil {
				return recon.Slice{}, inputErr(err)
			}
			truths[i] = hu
			grid := ct.Grid{W: w, H: len(hu) / w, DX: refs[i].pixel, DY: refs[i].pixel}
			geo := ct.Uniform(c.Int("angles"), ct.DefaultBins(grid), grid.DX)
			m, err := radon.NewMeter(grid, geo)
			if err != nil {
				return recon.Slice{}, inputErr(err)
			}
			s, err := m.Measure(hu, ct.MuWater, noise, ct.NewStream(c.Uint64("seed"), i, 0, 0))
			return recon.Slice{Index: i, Grid: grid, Sino: s, MuWater: ct.MuWater, Seed: c.Uint64("seed")}, err
		},
		Done: func(i int, s recon.Slice, results []recon.Result) error {
			hu := make([]float32, s.Grid.Len())
			body := metrics.Body(truths[i], s.Grid.W)
			for k, r := range results {
				ct.ImageToHU(hu, r.Image.Pix, ct.MuWater)
				scores[i*len(methods)+k] = score{refs[i], methods[k], metrics.PSNR(hu, truths[i]), metrics.SSIM(hu, truths[i], s.Grid.W),
					metrics.RMSE(hu, truths[i], body), r.Chi2, r.Elapsed.Seconds()}
			}
			truths[i] = nil
			return nil
		},
	})
	return scores, jobErr(err)
}

func writeScores(name string, scores []score) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w := csv.NewWriter(f)
	w.Write([]string{"file", "site", "method", "psnr_db", "ssim", "rmse_hu", "chi2", "seconds"})
	g := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	for _, s := range scores {
		w.Write([]string{s.ref.file, s.ref.site, s.method, g(s.psnr), g(s.ssim), g(s.rmse), g(s.chi2), g(s.seconds)})
	}
	w.Flush()
	if err = w.Error(); err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// writeTable writes Markdown: a block a site, and all of them.
func writeTable(w io.Writer, scores []score, methods []string) {
	sites := map[string]bool{}
	for _, s := range scores {
		sites[s.ref.site] = true
	}
	var list []string
	for s := range sites {
		list = append(list, s)
	}
	sort.Strings(list)
	if len(list) > 1 {
		list = append(list, "all")
	}
	fmt.Fprintln(w, "| site | n | method | PSNR dB | SSIM | HU RMSE in body | chi2 | s | worst slice |\n|---|---|---|---|---|---|---|---|---|")
	for _, site := range list {
		for _, m := range methods {
			writeRow(w, site, m, scores)
		}
	}
}

func writeRow(w io.Writer, site, method string, scores []score) {
	var v [5][]float64
	worst, at := math.Inf(1), ""
	for _, s := range scores {
		if s.method != method || site != "all" && s.ref.site != site {
			continue
		}
		for k, x := range []float64{s.psnr, s.ssim, s.rmse, s.chi2, s.seconds} {
			v[k] = append(v[k], x)
		}
		if s.psnr < worst {
			worst, at = s.psnr, filepath.Base(s.ref.file)
		}
	}
	cell := func(k int, format string) string {
		m, sd := meanSD(v[k])
		return fmt.Sprintf(format+" ± "+format, m, sd)
	}
	chi, _ := meanSD(v[3])
	sec, _ := meanSD(v[4])
	fmt.Fprintf(w, "| %s | %d | %s | %s | %s | %s | %.3g | %.3g | %s %.2f |\n", site, len(v[0]), method, cell(0, "%.2f"), cell(1, "%.3f"), cell(2, "%.1f"), chi, sec, strings.TrimSuffix(at, ".png"), worst)
}

// meanSD are the mean and the population standard deviation.
func meanSD(v []float64) (m, sd float64) {
	for _, x := range v {
		m += x / float64(len(v))
	}
	for _, x := range v {
		sd += (x - m) * (x - m) / float64(len(v))
	}
	return m, math.Sqrt(sd)
}
