package main

import (
	"math"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"ctrecon/ct"
	"ctrecon/ct/physics"
	"ctrecon/ct/recon"
	"ctrecon/phantoms"
)

// measuredPhantoms have regions and surroundings that the measurements need.
var measuredPhantoms = []string{"acr", "water"}

// tasks of the model observer, and where their discs stand in the second object,
// in mm of a field of 230: in water, apart from each other.
var (
	tasks  = []physics.Task{{Diameter: 6, Contrast: 30}, {Diameter: 5, Contrast: 100}}
	places = [][2]float64{{-16, 0}, {16, 0}}
)

// sought is how far from its middle a disc is looked for, in diameters.
const sought = 1.5

// insert is a round insert of a phantom.
type insert struct {
	phantoms.ROI
	contrast float64 // nominal, HU above what is around it
}

// trial is one evaluation of a phantom.
type trial struct {
	phantom *phantoms.Phantom
	grid    ct.Grid
	sino    ct.Sinogram // exact, without noise
	discs   ct.Sinogram // the same with the discs of the tasks
	sigma   float64     // nepers
	draws   int
	seed    uint64
	regions []phantoms.ROI
	inserts []insert
}

// quality is what one method made of the trial.
type quality struct {
	method     string
	regions    []physics.Number // as trial.regions
	nps        physics.NPS
	centre     physics.Number // noise of the first region
	uniformity float64
	ttf        []measuredTTF // as trial.inserts
	found      []detection   // as tasks
	seconds    float64       // mean of a reconstruction
}

// measuredTTF is an insert's transfer, and how much of its contrast is left.
type measuredTTF struct {
	physics.TTF
	kept float64
	err  error // why there is none
}

func (m measuredTTF) trusted() bool { return m.err == nil && m.CNR >= physics.Trusted }

// detection is d' without and with the eye: of a disc that was reconstructed, and
// as foretold by the transfer of an insert.
type detection struct {
	seen, seenEye float64
	npw, npwe     float64
	by            *insert // nil: no transfer could be trusted
}

func evaluatePhantom(c *cli.Context) error {
	t, methods, err := newTrial(c)
	if err != nil {
		return err
	}
	images, seconds, err := t.reconstruct(c, methods)
	if err != nil {
		return err
	}
	var all []quality
	for k, m := range methods {
		q, err := t.measure(m, images[k][:t.draws], images[k][t.draws:])
		if err != nil {
			return err
		}
		q.seconds = seconds[k] / float64(2*t.draws)
		all = append(all, q)
	}
	if name := c.String("csv"); name != "" {
		if err := writeQuality(name, t, all); err != nil {
			return outputErr(err)
		}
	}
	t.write(c.App.Writer, all)
	return nil
}

// maxImages bounds the memory of all repeats: 4 GiB.
const maxImages = 1 << 30

func newTrial(c *cli.Context) (*trial, []string, error) {
	if c.NArg() > 0 {
		return nil, nil, usagef("--phantom makes its own data: no folder is read, but %q was given", c.Args().First())
	}
	for _, name := range []string{"split", "limit", "max-rmse", "arc", "bins", "dead", "offset", "partial", "worst", "resume", "coverage", "lesion", "places"} {
		if c.IsSet(name) {
			return nil, nil, usagef("--%s belongs to a folder of slices, which --phantom does not read", name)
		}
	}
	if c.IsSet("photons") {
		return nil, nil, usagef("--photons: the exact data of a phantom take Gaussian noise only: --noise-sigma NEPERS")
	}
	name, size, draws, views, sigma := c.String("phantom"), c.Int("size"), c.Int("draws"), c.Int("angles"), c.Float64("noise-sigma")
	methods, err := methodList(c.String("method"))
	switch {
	case err != nil:
		return nil, nil, err
	case !slices.Contains(measuredPhantoms, name):
		return nil, nil, usagef("--phantom %s: %s can be measured", name, strings.Join(measuredPhantoms, " and "))
	case draws < 2 || draws > 1000 || size < 32 || size > 1024 || views < 1 || views > 100_000:
		return nil, nil, usagef("--draws %d --size %d --angles %d: 2 to 1000 draws of 32 to 1024 pixels and 1 to 100000 views are possible", draws, size, views)
	case !(sigma > 0) || math.IsInf(sigma, 1):
		return nil, nil, usagef("--noise-sigma %g: draws differ by their noise, which must be above 0", sigma)
	case 2*len(methods)*draws*size*size > maxImages:
		return nil, nil, usagef("--draws %d --size %d: the images of %d methods would take more than 4 GiB", draws, size, len(methods))
	}
	p, err := phantoms.New(name, 0)
	if err != nil {
		return nil, nil, err
	}
	p = p.At(0)
	grid := ct.Square(size, p.Field/float64(size))
	geo := ct.Uniform(views, ct.DefaultBins(grid), grid.DX)
	t := &trial{phantom: p, grid: grid, sigma: sigma, draws: draws, seed: c.Uint64("seed"), regions: p.ROIs(),
		sino: p.Sinogram(geo, true), discs: withDiscs(p).Sinogram(geo, true)}
	for _, r := range t.regions {
		if r.Edge > 0 {
			t.inserts = append(t.inserts, insert{r, r.HU - p.HUAt(r.X+1.3*r.Edge, r.Y)})
		}
	}
	return t, methods, nil
}

// withDiscs is the phantom with the discs of the tasks in its middle.
func withDiscs(p *phantoms.Phantom) *phantoms.Phantom {
	q := *p
	q.Shapes = slices.Clone(p.Shapes)
	for i, task := range tasks {
		q.Shapes = append(q.Shapes, phantoms.Shape{X: places[i][0], Y: places[i][1], A: task.Diameter / 2, B: task.Diameter / 2, HU: task.Contrast})
	}
	return &q
}

// draw is an exact sinogram with the noise of draw i.
func (t *trial) draw(exact ct.Sinogram, i int) ct.Sinogram {
	s := ct.NewSinogram(exact.Geometry)
	ct.NewStream(t.seed, i, 0, 0).Normals(s.Data, 0)
	for k, v := range exact.Data {
		s.Data[k] = v + float32(t.sigma)*s.Data[k]
	}
	s.Noise = ct.Noise{Sigma: t.sigma, Source: "simulated"}
	return s
}

// reconstruct gives the images in HU [method][draw], those with the discs after the
// others, and the seconds of each method. Draws with and without discs have the
// same noise, in the data and in a sampler.
func (t *trial) reconstruct(c *cli.Context, methods []string) ([][][]float32, []float64, error) {
	options, _, err := modelOptions(c, methods)
	if err != nil {
		return nil, nil, err
	}
	images, seconds := make([][][]float32, len(methods)), make([]float64, len(methods))
	for k := range images {
		images[k] = make([][]float32, 2*t.draws)
	}
	bar := newMeter(c.App.ErrWriter, "measuring "+t.phantom.Name, 2*t.draws*len(methods), c.Bool("quiet"))
	defer bar.end()
	err = recon.Run(c.Context, recon.Job{
		Slices: 2 * t.draws, Methods: methods, Options: options, Workers: workers(c),
		Step: func(_ int, m string) { bar.step(m) },
		Source: func(i int) (recon.Slice, error) {
			exact := t.sino
			if i >= t.draws {
				exact = t.discs
			}
			k := i % t.draws
			return recon.Slice{Index: k, Grid: t.grid, Sino: t.draw(exact, k), MuWater: t.phantom.MuWater, Seed: t.seed}, nil
		},
		Done: func(i int, s recon.Slice, results []recon.Result) error {
			for k, r := range results {
				images[k][i] = make([]float32, s.Grid.Len())
				ct.ImageToHU(images[k][i], r.Image.Pix, s.MuWater)
				seconds[k] += r.Elapsed.Seconds()
			}
			return nil
		},
	})
	return images, seconds, jobErr(err)
}

// measure does all that is measured of one method's repeats. The noise power is
// that of the middle quarter of the field, which holds no insert.
func (t *trial) measure(method string, images, discs [][]float32) (quality, error) {
	r := physics.NewRepeats(t.grid, images)
	q := quality{method: method}
	var water []physics.Number
	for _, roi := range t.regions {
		n := r.CTNumber(physics.Disc{X: roi.X, Y: roi.Y, R: roi.R})
		q.regions = append(q.regions, n)
		if roi.Edge == 0 && roi.HU == t.regions[0].HU {
			water = append(water, n)
		}
	}
	q.centre = q.regions[0]
	q.uniformity = physics.Uniformity(q.centre, water)
	var err error
	if q.nps, err = r.NPS(0, 0, t.grid.W/4); err != nil {
		return q, err
	}
	for _, in := range t.inserts {
		ttf, err := r.TTF(physics.Disc{X: in.X, Y: in.Y, R: in.Edge})
		q.ttf = append(q.ttf, measuredTTF{ttf, ttf.Contrast / in.contrast, err})
	}
	with := physics.NewRepeats(t.grid, discs)
	for i, task := range tasks {
		d := t.foretell(&q, task)
		for eye, dst := range map[physics.Eye]*float64{{}: &d.seen, t.eye(): &d.seenEye} {
			if *dst, err = physics.Seen(with, r, places[i][0], places[i][1], sought*task.Diameter, q.nps, eye); err != nil {
				return q, err
			}
		}
		q.found = append(q.found, d)
	}
	return q, nil
}

// linear methods have one transfer for all contrasts. Of the others an insert
// answers for a task within a factor of nearContrast.
var linear = []string{"fbp", "fbp-hann"}

const nearContrast = 4.0

func (t *trial) eye() physics.Eye { return physics.DefaultEye(t.phantom.Field) }

// foretell takes the transfer and the loss of contrast of the trusted insert whose
// contrast is nearest to the task's.
func (t *trial) foretell(q *quality, task physics.Task) detection {
	best, near := -1, math.Log(nearContrast)
	if slices.Contains(linear, q.method) {
		near = math.Inf(1)
	}
	for i, m := range q.ttf {
		if d := math.Abs(math.Log(math.Abs(t.inserts[i].contrast) / task.Contrast)); m.trusted() && d < near {
			best, near = i, d
		}
	}
	if best < 0 {
		return detection{}
	}
	m := q.ttf[best]
	task.Contrast *= m.kept
	at := func(eye physics.Eye) float64 {
		return physics.Detectability(task.Spectrum, m.At, q.nps.Radial.At, eye, 10/(2*t.grid.DX))
	}
	return detection{npw: at(physics.Eye{}), npwe: at(t.eye()), by: &t.inserts[best]}
}
