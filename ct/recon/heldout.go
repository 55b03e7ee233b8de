package recon

import (
	"context"
	"math"

	"ctrecon/ct"
	"ctrecon/ct/solve"
	"ctrecon/radon"
)

// HeldOut compares a view that a method did not see with what its image
// predicts for it: z = (A x - y)/s, s^2 = sigma^2 + model error^2 + (1 + 1/K)
// times the variance of K samples' projections (0 for methods without samples).
type HeldOut struct {
	View       int     // index in the sinogram
	Angle      float64 // degrees
	ZMean, ZSD float64 // about 0 and 1 when the method knows what it does not know
	RMS        float64 // root mean square of A x - y, nepers
	Bins       int     // live bins that see the object
}

// HeldOutViews are n views spread over a sinogram of v views, none of them at
// the ends: a missing end view would be a shorter arc.
func HeldOutViews(v, n int) []int {
	var out []int
	for i := range n {
		out = append(out, (2*i+1)*v/(2*n))
	}
	return out
}

// HoldOut reconstructs job without the given views and predicts them.
func HoldOut(ctx context.Context, m Method, job Slice, views []int) ([]HeldOut, error) {
	job.Sino = Noisy(job.Sino)
	held := job.Sino.Subset(views)
	job.Sino = job.Sino.Subset(others(job.Sino.Views(), views))
	p := projections{geo: held.Geometry, fan: job.Fan}
	job.Sample = func(_ string, img ct.Image) { p.add(img) }
	r, err := m.Reconstruct(ctx, job, nil)
	if err != nil {
		return nil, err
	}
	if p.m.n == 0 {
		p.add(r.Image)
	}
	if p.err != nil {
		return nil, p.err
	}
	return p.scores(&held, views), nil
}

// others lists 0..n-1 without some.
func others(n int, without []int) []int {
	drop := map[int]bool{}
	for _, i := range without {
		drop[i] = true
	}
	var out []int
	for i := range n {
		if !drop[i] {
			out = append(out, i)
		}
	}
	return out
}

// projections are the moments of images projected along some views.
type projections struct {
	geo  ct.Geometry
	fan  *radon.Fan
	grid ct.Grid
	a    solve.LinearOperator
	sino []float32
	m    moments
	err  error
}

// add takes one image, mu in 1/mm.
func (p *projections) add(img ct.Image) {
	if p.a == nil || p.grid != img.Grid {
		if p.a, p.err = NewProjector(img.Grid, p.geo, p.fan); p.err != nil {
			return
		}
		p.grid, p.sino = img.Grid, make([]float32, p.geo.Len())
		p.m.reset(len(p.sino))
	}
	p.a.Apply(p.sino, img.Pix)
	p.m.add(p.sino)
}

// objectNepers separates bins that see the object from air, where every method
// predicts 0.
const objectNepers = 0.05

func (p *projections) scores(held *ct.Sinogram, views []int) []HeldOut {
	mean, sd := p.m.mean(), p.m.sd(1)
	var out []HeldOut
	for v, view := range views {
		h := HeldOut{View: view, Angle: held.Angles[v]}
		sum, square, off := 0.0, 0.0, 0.0
		for i := v * held.Bins; i < (v+1)*held.Bins; i++ {
			if held.Dead(i) || mean[i] < objectNepers {
				continue
			}
			s := held.Noise.Sigma
			if held.Sigma != nil {
				s = float64(held.Sigma[i])
			}
			s = math.Hypot(s, modelError)
			if sd != nil {
				s = math.Hypot(s, float64(sd[i])*math.Sqrt(1+1/float64(p.m.n)))
			}
			d := float64(mean[i] - held.Data[i])
			z := d / s
			sum, square, off, h.Bins = sum+z, square+z*z, off+d*d, h.Bins+1
		}
		if h.Bins > 1 {
			n := float64(h.Bins)
			h.ZMean, h.RMS = sum/n, math.Sqrt(off/n)
			h.ZSD = math.Sqrt(max(0, (square-n*h.ZMean*h.ZMean)/(n-1)))
			out = append(out, h)
		}
	}
	return out
}
