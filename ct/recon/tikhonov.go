package recon

import (
	"context"
	"fmt"
	"time"

	"ctrecon/ct"
	"ctrecon/ct/solve"
	"ctrecon/radon"
)

// The settings of Tikhonov: a prior deviation of 100 HU around FBP with a
// Hann window.
const (
	tikhonovHU         = 100.0
	tikhonovIterations = 100
	tikhonovTol        = 1e-3
)

// tikhonov is min sum((A mu - y)/sigma)^2 + |mu - mu0|^2/r^2, mu0 a smooth FBP.
type tikhonov struct {
	plan
	solver *solve.Ridge
	f      backprojection
}

func (m *tikhonov) Name() string { return "tikhonov" }

func (m *tikhonov) Reconstruct(ctx context.Context, job Slice, p Progress) (Result, error) {
	start := time.Now()
	fresh, err := m.prepare(&job)
	if err != nil {
		return Result{}, err
	}
	if fresh {
		m.solver = solve.NewRidge(m.A)
		if m.f, err = newBackprojection(&job, radon.Hann); err != nil {
			return Result{}, err
		}
	}
	img := ct.NewImage(job.Grid)
	m.f.reconstruct(img.Pix, job.Sino)
	r0 := tikhonovHU / 1000 * job.MuWater
	rep, err := m.solver.Solve(ctx, img.Pix, whiten(&job.Sino, m.w), img.Pix, solve.RidgeOptions{Rho: 1 / (r0 * r0), Tol: tikhonovTol, MaxIter: tikhonovIterations, Watch: watch(p, tikhonovIterations)})
	if err != nil {
		return Result{}, err
	}
	r := Result{Iterations: rep.Iterations, Settings: []Setting{{"prior deviation", fmt.Sprintf("%g HU around FBP Hann", tikhonovHU)}, {"iterations", fmt.Sprint(rep.Iterations)}}}
	return m.finish(&job, img, start, r), nil
}
