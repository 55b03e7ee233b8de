package main

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/urfave/cli/v2"

	"ctrecon/ct"
	"ctrecon/ct/metrics"
	"ctrecon/ct/physics"
	"ctrecon/ct/recon"
	"ctrecon/phantoms"
)

// lesionTest reconstructs each slice twice, from data with and without small discs,
// and measures both at the discs' places. Random numbers go with the slice's number
// in the split, so that a run of fewer slices can be gone on with.
type lesionTest struct {
	c       *cli.Context
	dir     string
	refs    []reference
	methods []string
	task    physics.Task
	file    *rowFile
	done    map[string][]finding // by file and method, as key; referenceRow too

	mu    sync.Mutex
	plans map[int]*lesionPlan // by slice, while it is worked on
}

// lesionPlan is what a slice waits with until both of its images are made.
type lesionPlan struct {
	hu      []float32
	grid    ct.Grid
	discs   []physics.Disc
	spots   []physics.Spot
	results [2][]recon.Result // without, with
	left    int
}

// finding is what a method's two images show at one place, in HU.
type finding struct {
	ref           reference
	slice, place  int
	method        string
	x, y          float64 // mm
	truth         float64 // what an exact image would show of the disc
	own           float64 // what the reference shows without it
	without, with float64
	seconds       float64 // mean of both reconstructions
}

// lesionColumns are those of --csv with --lesion.
var lesionColumns = []string{"file", "site", "method", "place", "x_mm", "y_mm", "true_hu", "reference_hu", "without_hu", "with_hu", "seconds"}

// parseTask reads "6,30": mm and HU.
func parseTask(text string) (physics.Task, error) {
	a, b, ok := strings.Cut(text, ",")
	d, err := strconv.ParseFloat(strings.TrimSpace(a), 64)
	h, err2 := strconv.ParseFloat(strings.TrimSpace(b), 64)
	if !ok || err != nil || err2 != nil || !(d > 0 && d <= 100) || !(math.Abs(h) <= 3000) || h == 0 {
		return physics.Task{}, usagef("--lesion %q: diameter in mm, at most 100, and contrast in HU, not 0, are expected, as in 6,30", text)
	}
	return physics.Task{Diameter: d, Contrast: h}, nil
}

func evaluateLesion(c *cli.Context) error {
	for _, name := range []string{"max-rmse", "partial", "worst", "coverage", "photons", "draws", "size"} {
		if c.IsSet(name) {
			return usagef("--%s does not go with --lesion", name)
		}
	}
	task, err := parseTask(c.String("lesion"))
	if err != nil {
		return err
	}
	if n := c.Int("places"); n < 1 || n > 100 {
		return usagef("--places %d: 1 to 100 in a slice", n)
	}
	dir, methods, refs, err := toEvaluate(c)
	if err != nil {
		return err
	}
	t := &lesionTest{c: c, dir: dir, refs: refs, methods: methods, task: task, done: map[string][]finding{}, plans: map[int]*lesionPlan{}}
	if err := t.run(); err != nil {
		return err
	}
	t.write(c.App.Writer)
	return nil
}

// run reconstructs the slices that are not done yet, each without and with.
func (t *lesionTest) run() error {
	options, _, err := modelOptions(t.c, t.methods)
	if err != nil {
		return err
	}
	if t.file, err = openRows(t.c, lesionColumns, t.take); err != nil {
		return err
	}
	defer t.file.close()
	todo, err := t.todo()
	if err != nil {
		return inputErr(err)
	}
	bar := newMeter(t.c.App.ErrWriter, "evaluating", 2*len(todo)*len(t.methods), t.c.Bool("quiet"))
	defer bar.end()
	err = recon.Run(t.c.Context, recon.Job{
		Slices: 2 * len(todo), Methods: t.methods, Options: options, Workers: workers(t.c),
		Step:   func(i int, m string) { bar.step(t.refs[todo[i/2]].file + ", " + m) },
		Source: func(i int) (recon.Slice, error) { return t.measure(todo[i/2], i%2 == 1) },
		Done: func(i int, s recon.Slice, results []recon.Result) error {
			return t.keep(todo[i/2], i%2, results)
		},
	})
	return jobErr(err)
}

// todo lists the slices with a fit place that lack a finding of a method.
func (t *lesionTest) todo() ([]int, error) {
	var out []int
	for i, r := range t.refs {
		p, err := t.plan(i)
		if err != nil {
			return nil, err
		}
		have := true
		for _, m := range append([]string{referenceRow}, t.methods...) {
			list := t.done[key(r.file, m)]
			have = have && len(list) == len(p.discs)
			for n, f := range list {
				if n >= len(p.discs) || !t.sameAs(p, n, f) {
					return nil, fmt.Errorf("%s: its rows of %s are of other lesions: --lesion, --places and --seed must be those of the run that wrote it", filepath.Base(t.c.String("csv")), r.file)
				}
			}
		}
		if !have {
			out = append(out, i)
		}
	}
	return out, nil
}

// sameAs tells whether f is of place n of p, to the digits that a file holds.
func (t *lesionTest) sameAs(p *lesionPlan, n int, f finding) bool {
	want := finding{x: p.discs[n].X, y: p.discs[n].Y, truth: t.task.Contrast * p.spots[n].Unit()}
	return figure(f.x) == figure(want.x) && figure(f.y) == figure(want.y) && figure(f.truth) == figure(want.truth)
}

// places of a slice are drawn by a step of its random numbers that nothing else uses.
const placesStep = 7

// plan reads a slice and chooses the places.
func (t *lesionTest) plan(i int) (*lesionPlan, error) {
	hu, w, err := readPNG(filepath.Join(t.dir, t.refs[i].file))
	if err != nil {
		return nil, err
	}
	p := &lesionPlan{hu: hu, grid: ct.Grid{W: w, H: len(hu) / w, DX: t.refs[i].pixel, DY: t.refs[i].pixel}, left: 2}
	p.discs = physics.Places(p.grid, hu, metrics.Body(hu, w), t.task.Diameter/2, t.c.Int("places"), ct.NewStream(t.c.Uint64("seed"), t.refs[i].number, 0, placesStep))
	for _, d := range p.discs {
		p.spots = append(p.spots, physics.NewSpot(p.grid, d))
	}
	return p, nil
}

// measure simulates a slice's scan; the exact line integrals of the discs, averaged
// over the bins, come on top of it. The noise is the same with and without.
func (t *lesionTest) measure(i int, with bool) (recon.Slice, error) {
	t.mu.Lock()
	p, err := t.plans[i], error(nil)
	if p == nil {
		if p, err = t.plan(i); err == nil {
			t.plans[i] = p
		}
	}
	t.mu.Unlock()
	if err != nil {
		return recon.Slice{}, inputErr(err)
	}
	s, err := scanOf(t.c, p.grid, p.hu, t.refs[i].number)
	if err == nil && with {
		for k, v := range t.phantom(p).Sinogram(s.Geometry, true).Data {
			s.Data[k] += v
		}
	}
	return recon.Slice{Index: t.refs[i].number, Grid: p.grid, Sino: s, MuWater: ct.MuWater, Seed: t.c.Uint64("seed")}, err
}

// phantom is the discs alone.
func (t *lesionTest) phantom(p *lesionPlan) *phantoms.Phantom {
	q := &phantoms.Phantom{Name: "lesions", Field: float64(p.grid.W) * p.grid.DX, MuWater: ct.MuWater}
	for _, d := range p.discs {
		q.Shapes = append(q.Shapes, phantoms.Shape{X: d.X, Y: d.Y, A: d.R, B: d.R, HU: t.task.Contrast})
	}
	return q
}

// keep takes the images of a slice; when both are there they are measured.
func (t *lesionTest) keep(i, with int, results []recon.Result) error {
	t.mu.Lock()
	p := t.plans[i]
	p.results[with] = results
	p.left--
	ready := p.left == 0
	if ready {
		delete(t.plans, i)
	}
	t.mu.Unlock()
	if !ready {
		return nil
	}
	for k := -1; k < len(t.methods); k++ {
		if err := t.measured(i, p, k); err != nil {
			return err
		}
	}
	return nil
}

// measured keeps the findings of method k, of the reference for -1.
func (t *lesionTest) measured(i int, p *lesionPlan, k int) error {
	name, seconds := referenceRow, math.NaN()
	var hu [2][]float32
	if k >= 0 {
		name, seconds = t.methods[k], 0
		for w := range hu {
			r := p.results[w][k]
			hu[w] = make([]float32, len(r.Image.Pix))
			ct.ImageToHU(hu[w], r.Image.Pix, ct.MuWater)
			seconds += r.Elapsed.Seconds() / 2
		}
	}
	var list []finding
	for n, spot := range p.spots {
		f := finding{ref: t.refs[i], method: name, x: p.discs[n].X, y: p.discs[n].Y, place: n, slice: i, seconds: seconds,
			truth: t.task.Contrast * spot.Unit(), own: spot.Contrast(p.hu)}
		f.without, f.with = f.own, f.own+f.truth
		if k >= 0 {
			f.without, f.with = spot.Contrast(hu[0]), spot.Contrast(hu[1])
		}
		list = append(list, f)
		if err := t.file.add(f.row()); err != nil {
			return outputErr(err)
		}
	}
	t.done[key(t.refs[i].file, name)] = list
	return nil
}

func (f finding) row() []string {
	return []string{f.ref.file, f.ref.site, f.method, strconv.Itoa(f.place), figure(f.x), figure(f.y),
		figure(f.truth), figure(f.own), figure(f.without), figure(f.with), figure(f.seconds)}
}

// take reads a row of a former run.
func (t *lesionTest) take(row []string) {
	i := slices.IndexFunc(t.refs, func(r reference) bool { return r.file == row[0] })
	v, ok := figures(row[3:])
	if i < 0 || !ok {
		return
	}
	f := finding{ref: t.refs[i], slice: i, method: row[2], place: int(v[0]), x: v[1], y: v[2], truth: v[3], own: v[4], without: v[5], with: v[6], seconds: v[7]}
	k := key(f.ref.file, f.method)
	list := t.done[k]
	if f.place < len(list) { // made again by a later run
		list = list[:f.place]
	}
	if f.place == len(list) {
		t.done[k] = append(list, f)
	}
}
