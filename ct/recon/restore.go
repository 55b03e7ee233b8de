package recon

import (
	"context"
	"fmt"
	"math"
	"time"

	"ctrecon/ct"
	"ctrecon/ct/solve"
	"ctrecon/ldm/models"
	"ctrecon/ldm/onnx"
	"ctrecon/radon"
)

// The data step of the restorer, and what it may believe of the network.
const (
	restoreIterations = 100
	restoreTol        = 1e-3
	restoreLeastHU    = 5.0 // an image that fits the data to their noise is not exact
	restoreMostHU     = 500.0
)

// restorer runs a bundle's restoring network in turn with data steps:
//
//	u = f(FBP, u); u = argmin |A x - y|^2/sigma^2 + |x - u|^2/r^2
//
// from u = FBP (Hann window). sigma is noise and discretisation error together; r,
// the deviation of the network's image, is estimated from how badly the first one
// fits the data, so that other views, arcs and objects than those of training get
// their own. Later images deviate little less, but where the data cannot tell.
type restorer struct {
	net   *models.Restorer
	probe []float32 // white noise of variance 1
	u     []float32
}

// estimate is how far the network's first image is from the object, told twice.
type estimate struct {
	r2        float64 // mean square in units of the model, for the data step
	deviation float64 // Result.Deviation, for people and the law of errors
}

// openRestorer opens the network of a bundle.
func openRestorer(b *models.Bundle, o onnx.Options) (*restorer, error) {
	n, err := models.LoadRestorer(b, o)
	if err != nil {
		return nil, &ModelError{err}
	}
	d := b.Dims()
	r := &restorer{net: n, probe: make([]float32, d.Pixels()), u: make([]float32, d.Pixels())}
	ct.NewStream(1, 0, 0, 0).Normals(r.probe, 0)
	return r, nil
}

// restore writes the image after so many rounds to u, all in units of the model
// and not clipped. rounds 0 is the network alone.
func (m *restorer) restore(ctx context.Context, u, fbp []float32, d *linearData, rounds int, p Progress) (e estimate, err error) {
	copy(u, fbp)
	for k := 0; k == 0 || k < rounds; k++ {
		if p != nil {
			p(k, max(1, rounds), math.NaN())
		}
		if err := ctx.Err(); err != nil {
			return e, err
		}
		if err := m.net.Run(ctx, u, fbp); err != nil {
			return e, modelErr(err)
		}
		if k == 0 {
			e = estimate{m.deviation(d.Chi2(u), d.response(m.probe)), d.Deviation(u)}
		}
		if rounds == 0 {
			break
		}
		if err := d.Solve(ctx, u, u, nil, e.r2, restoreTol, restoreIterations); err != nil {
			return e, err
		}
	}
	return e, nil
}

// deviation is the mean square error of an image whose residual has the chi-square
// chi2: beyond the data's own noise it is kappa times that of white noise of this
// size, white times r2.
func (m *restorer) deviation(chi2, white float64) float64 {
	least, most := restoreLeastHU/m.net.Range.Half, restoreMostHU/m.net.Range.Half
	return max(least*least, min(most*most, (chi2-1)/(m.net.Kappa*white)))
}

// restored is the method of that network; rounds < 0 takes as many as the bundle
// says.
type restored struct {
	plan   // on the model's grid
	name   string
	rounds int
	opt    Options
	bundle *models.Bundle
	r      *restorer
	ridge  *solve.Ridge
	f      backprojection
	fine   finePlan
}

func newRestored(name string, rounds int, o Options) *restored {
	return &restored{name: name, rounds: rounds, opt: o}
}

func (m *restored) Name() string { return m.name }

// open opens the model once.
func (m *restored) open() (err error) {
	if m.r != nil {
		return nil
	}
	if m.bundle, err = m.opt.bundle(); err != nil {
		return err
	}
	m.r, err = openRestorer(m.bundle, onnx.Options{Threads: max(1, m.opt.Threads), Device: m.opt.Device})
	if err == nil && m.rounds < 0 {
		m.rounds = m.r.net.Rounds
	}
	return err
}

func (m *restored) Reconstruct(ctx context.Context, job Slice, p Progress) (Result, error) {
	start := time.Now()
	coarse, err := m.ready(&job)
	if err != nil {
		return Result{}, err
	}
	rng := m.bundle.Range()
	d := newLinearData(m.A, m.ridge, &coarse.Sino, job.MuWater, coarse.Grid.DX, rng)
	img := ct.NewImage(coarse.Grid)
	m.f.reconstruct(img.Pix, coarse.Sino)
	d.toUnit(m.r.u, img.Pix)
	e, err := m.r.restore(ctx, img.Pix, m.r.u, d, m.rounds, p)
	if err != nil {
		return Result{}, err
	}
	about := m.describe(coarse.Sino.Geometry, e)
	if coarse.Grid == job.Grid {
		d.toMu(img.Pix, img.Pix)
		return m.finish(&job, img, start, about), nil
	}
	return m.fine.refine(ctx, &job, coarse.Grid, img.Pix, rng, e.r2, start, about)
}

// ready checks the slice and plans for its geometry; it returns the slice on the
// grid of the model.
func (m *restored) ready(job *Slice) (Slice, error) {
	if err := m.open(); err != nil {
		return Slice{}, err
	}
	coarse, err := coarsened(job, m.bundle.Dims())
	if err != nil {
		return Slice{}, err
	}
	fresh, err := m.prepare(&coarse)
	if err == nil && fresh {
		m.ridge = solve.NewRidge(m.A)
		m.f, err = newBackprojection(&coarse, radon.Hann)
	}
	return coarse, err
}

// describe names what was used, and what of the measurement the network has not
// seen.
func (m *restored) describe(g ct.Geometry, e estimate) Result {
	return Result{Iterations: max(1, m.rounds), Deviation: e.deviation, Warnings: unlikeTraining(m.bundle, g), Settings: []Setting{
		{"model", fmt.Sprintf("%s %s (%.12s)", m.bundle.Name, m.bundle.Version, m.bundle.SHA256)}, {"rounds", fmt.Sprint(m.rounds)}, {"network off by about HU", fmt.Sprintf("%.1f", math.Sqrt(e.r2)*m.r.net.Range.Half)},
	}}
}
