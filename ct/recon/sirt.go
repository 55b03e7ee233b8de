package recon

import (
	"context"
	"fmt"
	"time"

	"ctrecon/ct"
	"ctrecon/ct/solve"
)

// sirtIterations bounds SIRT.
const sirtIterations = 200

// sirt is SIRT from zero with mu >= 0, stopped by the discrepancy principle.
type sirt struct {
	plan
	solver *solve.SIRT
}

func (m *sirt) Name() string { return "sirt" }

func (m *sirt) Reconstruct(ctx context.Context, job Slice, p Progress) (Result, error) {
	start := time.Now()
	fresh, err := m.prepare(&job)
	if err != nil {
		return Result{}, err
	}
	if fresh {
		m.solver = solve.NewSIRT(m.A)
	}
	img := ct.NewImage(job.Grid)
	rep, err := m.solver.Solve(ctx, img.Pix, whiten(&job.Sino, m.w), solve.SIRTOptions{MaxIter: sirtIterations, Misfit: 1, Lo: 0, Hi: 1e30, Watch: watch(p, sirtIterations)})
	if err != nil {
		return Result{}, err
	}
	r := Result{Iterations: rep.Iterations, Settings: []Setting{{"iterations", fmt.Sprintf("%d of at most %d", rep.Iterations, sirtIterations)}, {"box", "mu >= 0"}, {"stop", "chi-square 1"}}}
	return m.finish(&job, img, start, r), nil
}
