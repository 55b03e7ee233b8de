package main

import (
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"ctrecon/ct"
	"ctrecon/ct/metrics"
	"ctrecon/ct/recon"
)

func evaluateCommand() *cli.Command {
	return &cli.Command{
		Name: "evaluate", Usage: "make a table of methods over a folder of reference slices, or measure a phantom", ArgsUsage: "[FOLDER]",
		Description: "FOLDER holds 16-bit PNG slices (HU + 1024) and index.csv with the columns file, split, site, pixel_mm. Each slice is measured\n" +
			"without the inverse crime and reconstructed by each method; the table is Markdown, mean and standard deviation over slices by site.\n" +
			"With --phantom there is no FOLDER: exact data of the phantom, with noise drawn again and again, give CT numbers, noise power, the task transfer\n" +
			"function by insert and the detectability of discs, by method.\n\n" + examples(
			"ctrecon evaluate --split val ctdata", "25 views, .01 nepers: all methods",
			"ctrecon evaluate --angles 50 --method tv --csv tv50.csv --resume ctdata", "one method, every slice into a CSV file; again after an interruption",
			"ctrecon evaluate --arc 90 --dead .02 --method tv,resample ctdata", "a short arc and dead bins",
			"ctrecon evaluate --method tv --max-rmse 80 ctdata", "a check for scripts: exit code 1 when the mean HU RMSE is above",
			"ctrecon evaluate --lesion 6,30 --method tv,resample ctdata", "discs of 6 mm and 30 HU in soft tissue: how much of them is shown, and how often one that is not there",
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
			&cli.StringFlag{Name: "lesion", Usage: "put discs of `MM,HU` (diameter, contrast) into each slice, as 6,30: are they shown, is any invented"},
			&cli.IntFlag{Name: "places", Usage: "at most `N` discs in a slice, with --lesion", Value: 3},
			&cli.IntFlag{Name: "draws", Usage: "`K` draws of the noise, with --phantom", Value: 30},
			&cli.IntFlag{Name: "size", Usage: "`N` x N pixels, with --phantom", Value: 256},
			&cli.StringFlag{Name: "csv", Usage: "also write every slice, or every figure and curve of a phantom, to `FILE`"},
			&cli.Float64Flag{Name: "arc", Usage: "the views cover `DEGREES`", Value: 180},
			&cli.IntFlag{Name: "bins", Usage: "only the middle `N` bins measure: a truncated detector (default: all)"},
			&cli.Float64Flag{Name: "dead", Usage: "this `SHARE` of the bins is dead"},
			&cli.Float64Flag{Name: "offset", Usage: "the axis of rotation lies `BINS` off the detector's middle"},
			&cli.StringFlag{Name: "partial", Usage: "also score the mean of the first `K,K...` samples, as methods named resample/K"},
			&cli.StringFlag{Name: "worst", Usage: "draw the three slices on which the last method is worst into the PNG `FILE`"},
			&cli.BoolFlag{Name: "resume", Usage: "go on after the slices in --csv"},
			&cli.BoolFlag{Name: "coverage", Usage: "calibrate the spread of samples, and how often it covers the truth, by patient"},
			&cli.Float64Flag{Name: "max-rmse", Usage: "fail when the mean HU RMSE in the body of the last method is above"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "no progress"},
		}, modelFlags()),
		Action: evaluateAction,
	}
}

// reference is one slice of the folder.
type reference struct {
	file, site, patient string
	pixel               float64
	number              int // among all slices of the split
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
	if c.IsSet("lesion") {
		return evaluateLesion(c)
	}
	if c.IsSet("places") {
		return usagef("--places belongs to --lesion")
	}
	for _, name := range []string{"draws", "size"} {
		if c.IsSet(name) {
			return usagef("--%s belongs to --phantom: a folder's slices are measured once, as large as they are", name)
		}
	}
	dir, methods, refs, err := toEvaluate(c)
	if err != nil {
		return err
	}
	partial, err := intList(c.String("partial"))
	if err != nil {
		return usagef("--partial: %v", err)
	}
	e := &evaluation{partial: partial, means: make([]*partialMeans, len(refs)), c: c, dir: dir, refs: refs, methods: methods, done: map[string]score{}, truths: make([][]float32, len(refs)), cover: &coverage{}}
	if err := e.run(); err != nil {
		return err
	}
	scores := e.scores()
	writeTable(c.App.Writer, scores, e.rows())
	e.writeReferences(c.App.Writer)
	if c.Bool("coverage") {
		e.cover.write(c.App.Writer)
	}
	if name := c.String("worst"); name != "" {
		if err := e.worst.write(c.Context, name, methods, c.Int("angles")); err != nil {
			return err
		}
	}
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

// toEvaluate is what the arguments name: a folder, methods, slices of its index.
func toEvaluate(c *cli.Context) (dir string, methods []string, refs []reference, err error) {
	if dir, err = onlyArgument(c, "folder"); err != nil {
		return "", nil, nil, err
	}
	if methods, err = methodList(c.String("method")); err != nil {
		return "", nil, nil, err
	}
	if refs, err = readIndex(dir, c.String("split"), c.Int("limit")); err != nil {
		return "", nil, nil, inputErr(err)
	}
	return dir, methods, refs, nil
}

// evaluation is a run over the slices of a folder.
type evaluation struct {
	c       *cli.Context
	dir     string
	refs    []reference
	methods []string
	truths  [][]float32
	done    map[string]score // by file and method
	cover   *coverage
	worst   worstList
	partial []int
	means   []*partialMeans // a slice each, while it is worked on
	file    *rowFile
}

func key(file, method string) string { return file + "," + method }

// run reconstructs the slices that are not done yet.
func (e *evaluation) run() (err error) {
	options, _, err := modelOptions(e.c, e.methods)
	options.RawSpread = e.c.Bool("coverage")
	if err != nil {
		return err
	}
	take := func(row []string) {
		if s, ok := parseScore(row); ok {
			e.done[key(s.ref.file, s.method)] = s
		}
	}
	if e.file, err = openRows(e.c, scoreColumns, take); err != nil {
		return err
	}
	defer e.file.close()
	todo := e.todo()
	bar := newMeter(e.c.App.ErrWriter, "evaluating", len(todo)*len(e.methods), e.c.Bool("quiet"))
	defer bar.end()
	err = recon.Run(e.c.Context, recon.Job{
		Slices: len(todo), Methods: e.methods, Options: options, Workers: workers(e.c),
		Step:   func(i int, m string) { bar.step(e.refs[todo[i]].file + ", " + m) },
		Source: func(i int) (recon.Slice, error) { return e.measure(todo[i]) },
		Done:   func(i int, s recon.Slice, results []recon.Result) error { return e.score(todo[i], s, results) },
	})
	return jobErr(err)
}

// todo lists the slices without a score of every method.
func (e *evaluation) todo() []int {
	var out []int
	for i, r := range e.refs {
		for _, m := range e.methods {
			if _, ok := e.done[key(r.file, m)]; !ok {
				out = append(out, i)
				break
			}
		}
	}
	return out
}

// measure reads a slice and simulates its scan.
func (e *evaluation) measure(i int) (recon.Slice, error) {
	hu, w, err := readPNG(filepath.Join(e.dir, e.refs[i].file))
	if err != nil {
		return recon.Slice{}, inputErr(err)
	}
	e.truths[i] = hu
	grid := ct.Grid{W: w, H: len(hu) / w, DX: e.refs[i].pixel, DY: e.refs[i].pixel}
	s, err := scanOf(e.c, grid, hu, e.refs[i].number) // with --limit a slice has the noise that it has without
	e.means[i] = &partialMeans{at: e.partial}
	return recon.Slice{Index: e.refs[i].number, Grid: grid, Sino: s, MuWater: ct.MuWater, Seed: e.c.Uint64("seed"), Sample: e.means[i].add}, err
}

// score compares the results of a slice with the truth.
func (e *evaluation) score(i int, s recon.Slice, results []recon.Result) error {
	truth := e.truths[i]
	worst := worstSlice{file: e.refs[i].file, pixel: s.Grid.DX, width: s.Grid.W, truth: truth}
	e.truths[i] = nil
	body := metrics.Body(truth, s.Grid.W)
	mu := make([]float32, len(truth))
	ct.ImageFromHU(mu, truth, ct.MuWater)
	images := [][]float32{mu}
	partial := slices.DeleteFunc(e.means[i].out, func(p partialMean) bool { return len(p.mu) != len(truth) }) // where the model has a grid of its own
	for _, p := range partial {
		images = append(images, p.mu)
	}
	chi2, err := recon.Residuals(s, images...)
	if err != nil {
		return err
	}
	if err := e.keep(score{e.refs[i], referenceRow, math.NaN(), math.NaN(), 0, chi2[0], math.NaN()}); err != nil {
		return err
	}
	for k, p := range partial {
		ct.ImageToHU(p.mu, p.mu, ct.MuWater)
		if err := e.keep(score{e.refs[i], p.method, metrics.PSNR(p.mu, truth), metrics.SSIM(p.mu, truth, s.Grid.W), metrics.RMSE(p.mu, truth, body), chi2[k+1], math.NaN()}); err != nil {
			return err
		}
	}
	e.means[i] = nil
	for k, r := range results {
		hu := make([]float32, s.Grid.Len())
		ct.ImageToHU(hu, r.Image.Pix, ct.MuWater)
		sc := score{e.refs[i], e.methods[k], metrics.PSNR(hu, truth), metrics.SSIM(hu, truth, s.Grid.W), metrics.RMSE(hu, truth, body), r.Chi2, r.Elapsed.Seconds()}
		if err := e.keep(sc); err != nil {
			return err
		}
		if e.c.Bool("coverage") && r.SD != nil {
			e.cover.add(e.refs[i].patient, hu, truth, r.SD, r.Deviation, 1000/ct.MuWater, body)
		}
		worst.hu, worst.psnr = append(worst.hu, hu), sc.psnr
	}
	e.worst.add(worst)
	return nil
}

// keep notes a score, in the file too.
func (e *evaluation) keep(s score) error {
	e.done[key(s.ref.file, s.method)] = s
	return outputErr(e.file.add(s.row()))
}

// rows are the methods of the table: each after its partial means.
func (e *evaluation) rows() []string {
	var out []string
	for _, m := range e.methods {
		for _, k := range e.partial {
			name := partialName(m, k)
			if _, ok := e.done[key(e.refs[0].file, name)]; ok {
				out = append(out, name)
			}
		}
		out = append(out, m)
	}
	return out
}

// referenceRow is the method of the reference itself in the CSV file: what is left
// of the data when the image is right.
const referenceRow = "reference"

func (e *evaluation) writeReferences(w io.Writer) {
	var v []float64
	for _, r := range e.refs {
		if s, ok := e.done[key(r.file, referenceRow)]; ok {
			v = append(v, s.chi2)
		}
	}
	if mean, sd := meanSD(v); len(v) > 0 {
		fmt.Fprintf(w, "\nchi2 of the references themselves: %.3g ± %.2g (n = %d)\n", mean, sd, len(v))
	}
}

// scores lists all, by slice and method.
func (e *evaluation) scores() []score {
	var out []score
	for _, r := range e.refs {
		for _, m := range e.rows() {
			s := e.done[key(r.file, m)]
			s.ref = r // a resumed row knows the file only
			out = append(out, s)
		}
	}
	return out
}
