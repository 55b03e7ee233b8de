package recon

import (
	"context"
	"fmt"
	"time"

	"ctrecon/ct"
	"ctrecon/ct/solve"
)

// cglsIterations bounds CGLS; on 25 views the noise level comes after about 10.
const cglsIterations = 60

// cgls is weighted least squares from zero, stopped by the discrepancy
// principle.
type cgls struct {
	plan
	solver *solve.CGLS
}

func (m *cgls) Name() string { return "cgls" }

func (m *cgls) Reconstruct(ctx context.Context, job Slice, p Progress) (Result, error) {
	start := time.Now()
	fresh, err := m.prepare(&job)
	if err != nil {
		return Result{}, err
	}
	if fresh {
		m.solver = solve.NewCGLS(m.A)
	}
	img := ct.NewImage(job.Grid)
	rep, err := m.solver.Solve(ctx, img.Pix, whiten(&job.Sino, m.w), solve.CGLSOptions{MaxIter: cglsIterations, Misfit: 1, Watch: watch(p, cglsIterations)})
	if err != nil {
		return Result{}, err
	}
	r := Result{Iterations: rep.Iterations, Settings: []Setting{{"iterations", fmt.Sprintf("%d of at most %d", rep.Iterations, cglsIterations)}, {"stop", "chi-square 1"}}}
	return m.finish(&job, img, start, r), nil
}
