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
	f      *radon.FBP
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
		if m.f, err = radon.NewFBP(job.Grid, job.Sino.Geometry, radon.FBPOptions{Window: m.window}); err != nil {
			return Result{}, err
		}
	}
	img := ct.NewImage(job.Grid)
	m.f.Reconstruct(img.Pix, job.Sino)
	r := Result{Settings: []Setting{{"filter", string(m.window)}, {"coverage", m.f.Coverage().String()}}}
	if m.f.Coverage().Limited() {
		r.Warnings = append(r.Warnings, m.f.Coverage().String())
	}
	return m.finish(&job, img, start, r), nil
}
