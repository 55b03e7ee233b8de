package recon

import (
	"context"
	"fmt"
	"time"

	"ctrecon/ct"
	"ctrecon/ct/solve"
)

// tvIterations grow with the views: 300 are enough for 25, but of 360 they leave
// slow waves, 4 dB (docs/results.md).
func tvIterations(views int) int { return min(1500, max(300, 12*views)) }

// tvLambda is the weight of TV for a number of views, chosen on held-out slices
// (docs/results.md). The more data a pixel has, the more of their noise TV has to
// hold down: with one weight for all, TV at 360 views is noisier than FBP.
func tvLambda(views int) float64 { return max(1, float64(views)/12.5) }

// tv is min 1/2 sum((A mu - y)/sigma)^2 + lambda TV(mu/mu_water), mu >= 0.
type tv struct {
	plan
	solver *solve.TV
	lambda float64 // 0: tvLambda
}

func (m *tv) Name() string { return "tv" }

func (m *tv) Reconstruct(ctx context.Context, job Slice, p Progress) (Result, error) {
	start := time.Now()
	fresh, err := m.prepare(&job)
	if err != nil {
		return Result{}, err
	}
	if fresh {
		m.solver = solve.NewTV(m.A, job.Grid.W, job.Grid.H)
	}
	lambda := m.lambda
	if lambda == 0 {
		lambda = tvLambda(job.Sino.Views())
	}
	img := ct.NewImage(job.Grid)
	rep, err := m.solver.Solve(ctx, img.Pix, whiten(&job.Sino, m.w), solve.TVOptions{Lambda: lambda, Scale: job.MuWater, MaxIter: tvIterations(job.Sino.Views())})
	if err != nil {
		return Result{}, err
	}
	r := Result{Iterations: rep.Iterations, Settings: []Setting{{"lambda", fmt.Sprint(lambda)}, {"iterations", fmt.Sprint(rep.Iterations)}, {"box", "mu >= 0"}}}
	return m.finish(&job, img, start, r), nil
}
