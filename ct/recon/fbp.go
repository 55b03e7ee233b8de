package recon

import (
	"context"
	"time"

	"ctrecon/ct"
	"ctrecon/radon"
)

// fbp is filtered backprojection with one window.
type fbp struct {
	plan
	name   string
	window radon.Window
	f      backprojection
}

// backprojection is FBP of parallel beams or of a fan, planned for one geometry.
type backprojection struct {
	reconstruct func(dst []float32, s ct.Sinogram)
	coverage    string // how the views cover what is needed
	limited     bool   // whether something is missing
}

// newBackprojection plans FBP of the slice's geometry.
func newBackprojection(job *Slice, w radon.Window) (backprojection, error) {
	if job.Fan != nil {
		f, err := radon.NewFanFBP(job.Grid, job.Sino.Geometry, *job.Fan, radon.FBPOptions{Window: w})
		if err != nil {
			return backprojection{}, err
		}
		return backprojection{f.Reconstruct, f.Coverage().String(), f.Coverage().Limited()}, nil
	}
	f, err := radon.NewFBP(job.Grid, job.Sino.Geometry, radon.FBPOptions{Window: w})
	if err != nil {
		return backprojection{}, err
	}
	return backprojection{f.Reconstruct, f.Coverage().String(), f.Coverage().Limited()}, nil
}

func newFBP(name string, w radon.Window) *fbp { return &fbp{name: name, window: w} }

func (m *fbp) Name() string { return m.name }

func (m *fbp) Reconstruct(ctx context.Context, job Slice, _ Progress) (Result, error) {
	start := time.Now()
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	fresh, err := m.prepare(&job)
	if err != nil {
		return Result{}, err
	}
	if fresh {
		if m.f, err = newBackprojection(&job, m.window); err != nil {
			return Result{}, err
		}
	}
	img := ct.NewImage(job.Grid)
	m.f.reconstruct(img.Pix, job.Sino)
	r := Result{Settings: []Setting{{"filter", string(m.window)}, {"coverage", m.f.coverage}}}
	if m.f.limited {
		r.Warnings = append(r.Warnings, m.f.coverage)
	}
	return m.finish(&job, img, start, r), nil
}
