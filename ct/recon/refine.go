package recon

import (
	"context"
	"time"

	"ctrecon/ct"
	"ctrecon/ct/solve"
	"ctrecon/ldm"
)

// finePlan is the image's own grid where it is not the model's.
type finePlan struct {
	plan
	ridge *solve.Ridge
}

// refine brings an image in units of the model to the slice's grid: it is
// interpolated, and a data step with the deviation r2 adds what the finer grid and
// the original bins determine.
func (f *finePlan) refine(ctx context.Context, job *Slice, from ct.Grid, u []float32, rng ldm.Range, r2 float64, start time.Time, r Result) (Result, error) {
	fresh, err := f.prepare(job)
	if err != nil {
		return Result{}, err
	}
	if fresh {
		f.ridge = solve.NewRidge(f.A)
	}
	img := ct.NewImage(job.Grid)
	enlarge(img.Pix, job.Grid, u, from)
	fine := newLinearData(f.A, f.ridge, &job.Sino, job.MuWater, job.Grid.DX, rng)
	o := ldm.DefaultOptions()
	if err := fine.Solve(ctx, img.Pix, img.Pix, nil, r2, o.EndTol, o.EndIters); err != nil {
		return Result{}, err
	}
	fine.toMu(img.Pix, img.Pix)
	for _, p := range []*[]float32{&r.Prior, &r.SD} {
		if *p != nil {
			big := make([]float32, job.Grid.Len())
			enlarge(big, job.Grid, *p, from)
			*p = big
		}
	}
	return f.finish(job, img, start, r), nil
}

// The part of an image that the data determine is R x with
// R = (A'A/s^2 + 1/r^2)^-1 A'A/s^2 and r = determinedHU: components that the
// measurement alone would give with less noise than that.
const (
	determinedHU = 100.0
	priorIters   = 60
	priorTol     = 1e-3
)

// prior is the rest, x - R x, of the mean image in 1/mm: what the model added.
func (m *diffusion) prior(ctx context.Context, job *Slice, d *linearData) ([]float32, error) {
	x := make([]float32, job.Grid.Len())
	d.toMu(x, m.acc.mean())
	m.A.Apply(d.sino, x)
	r := determinedHU / 1000 * job.MuWater
	data := make([]float32, len(x))
	_, err := d.ridge.Solve(ctx, data, solve.Data{Y: d.sino, W: d.w}, data, solve.RidgeOptions{Rho: 1 / (r * r), Tol: priorTol, MaxIter: priorIters})
	for i, v := range data {
		x[i] -= v
	}
	return x, err
}
