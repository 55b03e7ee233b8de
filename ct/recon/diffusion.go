package recon

import (
	"context"
	"fmt"
	"math"
	"time"

	"ctrecon/ct"
	"ctrecon/ct/solve"
	"ctrecon/ldm"
	"ctrecon/ldm/models"
	"ctrecon/ldm/onnx"
	"ctrecon/radon"
)

// diffusion averages samples of a latent diffusion model under data consistency,
// drawn by one of the samplers of package ldm.
// TV or the image of the bundle's restorer is the warm start; it and FBP with a
// Hann window are what the network is conditioned on. The model works on its own grid (modelGrid).
type diffusion struct {
	plan   // on the model's grid
	name   string
	opt    Options
	tv     *solve.TV // made when first used
	start  *restorer // nil where TV is the start
	f      backprojection
	fine   finePlan
	bundle *models.Bundle
	lanes  []lane
	about  []Setting
	acc    moments
	dev    float64 // Result.Deviation of the slice at hand
}

func newDiffusion(name string, o Options) *diffusion { return &diffusion{name: name, opt: o} }

func (m *diffusion) Name() string { return m.name }

// load opens the model once.
func (m *diffusion) load() (err error) {
	if m.lanes != nil {
		return nil
	}
	if m.bundle, err = m.opt.bundle(); err != nil {
		return err
	}
	if m.bundle.StartKind() == models.StartRestored {
		if m.start, err = openRestorer(m.bundle, onnx.Options{Threads: max(1, m.opt.Threads), Device: m.opt.Device}); err != nil {
			return err
		}
	}
	if err = m.openLanes(); err != nil {
		return &ModelError{err}
	}
	return nil
}

// ready makes everything that slices of equal geometry share.
func (m *diffusion) ready(coarse *Slice) error {
	fresh, err := m.prepare(coarse)
	if err != nil || !fresh {
		return err
	}
	m.tv = nil // of another geometry
	if m.f, err = newBackprojection(coarse, radon.Hann); err != nil {
		return err
	}
	return m.planLanes(coarse)
}

func (m *diffusion) Reconstruct(ctx context.Context, job Slice, p Progress) (Result, error) {
	r, err := m.reconstruct(ctx, job, p)
	return r, modelErr(err)
}

func (m *diffusion) reconstruct(ctx context.Context, job Slice, p Progress) (Result, error) {
	start := time.Now()
	if err := m.load(); err != nil {
		return Result{}, err
	}
	coarse, err := coarsened(&job, m.bundle.Dims())
	if err != nil {
		return Result{}, err
	}
	if err := m.ready(&coarse); err != nil {
		return Result{}, err
	}
	for i := range m.lanes {
		l := &m.lanes[i]
		l.data = newLinearData(l.A, l.ridge, &coarse.Sino, job.MuWater, coarse.Grid.DX, m.bundle.Range())
	}
	d := m.lanes[0].data
	fbp, warm, err := m.conditions(ctx, &coarse, d)
	if err != nil {
		return Result{}, err
	}
	if err := m.sample(ctx, &coarse, fbp, warm, p); err != nil {
		return Result{}, err
	}
	r := m.describe(&coarse)
	if r.Prior, err = m.prior(ctx, &coarse, d); err != nil {
		return Result{}, err
	}
	r.SD = m.uncertainty(job.MuWater, d.gain)
	if coarse.Grid == job.Grid {
		img := ct.Image{Grid: job.Grid, Pix: make([]float32, job.Grid.Len())}
		d.toMu(img.Pix, m.acc.mean())
		return m.finish(&job, img, start, r), nil
	}
	o := ldm.DefaultOptions()
	r2, _ := m.bundle.Errors(m.bundle.Conditioned()).At(o.End)
	return m.fine.refine(ctx, &job, coarse.Grid, m.acc.mean(), m.bundle.Range(), r2*o.R2Scale, start, r)
}

// conditions are FBP and the warm start as normalised images.
func (m *diffusion) conditions(ctx context.Context, job *Slice, d *linearData) (fbp, warm []float32, err error) {
	fbp, warm = make([]float32, job.Grid.Len()), make([]float32, job.Grid.Len())
	m.f.reconstruct(fbp, job.Sino)
	d.toUnit(fbp, fbp)
	if m.start != nil {
		var e estimate
		e, err = m.start.restore(ctx, warm, fbp, d, m.start.net.Rounds, nil)
		m.dev = e.deviation
	} else {
		err = m.totalVariation(ctx, warm, job, d)
	}
	if err != nil {
		return nil, nil, err
	}
	for _, u := range [][]float32{fbp, warm} {
		for i, v := range u {
			u[i] = max(-1, min(1, v))
		}
	}
	return fbp, warm, nil
}

// uncertainty is the deviation of the mean's error that the bundle's law foretells
// from the spread of the samples, in 1/mm; nil for one sample.
func (m *diffusion) uncertainty(muWater, gain float64) []float32 {
	sd := m.acc.sd(gain)
	if m.opt.RawSpread || m.bundle.Error == nil {
		return sd
	}
	hu := 1000 / muWater
	for i, s := range sd {
		sd[i] = float32(m.bundle.Error.SD(hu*float64(s), hu*m.dev) / hu)
	}
	return sd
}

// totalVariation is the TV image that a network without a restored start was
// trained with.
func (m *diffusion) totalVariation(ctx context.Context, u []float32, job *Slice, d *linearData) error {
	if m.tv == nil {
		m.tv = solve.NewTV(m.A, job.Grid.W, job.Grid.H)
	}
	o := solve.TVOptions{Scale: job.MuWater}
	o.Lambda, o.MaxIter = m.bundle.StartTV()
	_, err := m.tv.Solve(ctx, u, whiten(&job.Sino, m.w), o)
	d.toUnit(u, u)
	return err
}

// describe names what was used, and what speaks against trusting it.
func (m *diffusion) describe(job *Slice) Result {
	b := m.bundle
	r := Result{Iterations: m.samples() * m.lanes[0].s.Steps(), Deviation: m.dev, Settings: []Setting{
		{"model", fmt.Sprintf("%s %s (%.12s)", b.Name, b.Version, b.SHA256)}, {"samples", fmt.Sprint(m.samples())}, {"seed", fmt.Sprint(job.Seed)},
	}}
	r.Settings = append(r.Settings, m.about...)
	if px := b.PixelMM; px.Max > 0 && (job.Grid.DX < px.Min*0.95 || job.Grid.DX > px.Max*1.05) {
		r.Warnings = append(r.Warnings, fmt.Sprintf("pixels of %.3g mm: the model was trained on %.3g to %.3g mm", job.Grid.DX, px.Min, px.Max))
	}
	if m.conditioned() {
		r.Warnings = append(r.Warnings, unlikeTraining(m.bundle, job.Sino.Geometry)...)
	}
	return r
}

// unlikeTraining says what of a measurement the networks have not seen.
func unlikeTraining(b *models.Bundle, g ct.Geometry) (out []string) {
	fewest, most, arc := b.TrainedOn()
	switch n := g.Views(); {
	case most > 0 && (n < fewest || n > most):
		out = append(out, fmt.Sprintf("%d views: the model was trained on %d to %d", n, fewest, most))
	case b.TVFrom() > 0 && n >= b.TVFrom():
		out = append(out, fmt.Sprintf("%d views: from about %d TV is as good as the model, prefer it", n, b.TVFrom()))
	}
	if a := g.Arc(); arc > 0 && a < arcMargin*arc {
		out = append(out, fmt.Sprintf("an arc of %.0f degrees: the model was trained on %.0f and gains little over TV on less", a, arc))
	}
	return out
}

// arcMargin is the share of the training's arc below which a warning is given.
const arcMargin = 0.9

// moments are the mean and the spread of images.
type moments struct {
	n           int
	sum, square []float64
	buf         []float32
}

func (m *moments) reset(n int) {
	if len(m.sum) != n {
		m.sum, m.square, m.buf = make([]float64, n), make([]float64, n), make([]float32, n)
	}
	clear(m.sum)
	clear(m.square)
	m.n = 0
}

func (m *moments) add(u []float32) {
	for i, v := range u {
		m.sum[i] += float64(v)
		m.square[i] += float64(v) * float64(v)
	}
	m.n++
}

// mean is valid until the next call.
func (m *moments) mean() []float32 {
	for i, s := range m.sum {
		m.buf[i] = float32(s / float64(m.n)) // not clipped at air: that would bias every ray
	}
	return m.buf
}

// sd is gain times the standard deviation, nil for one image.
func (m *moments) sd(gain float64) []float32 {
	if m.n < 2 {
		return nil
	}
	k, out := float64(m.n), make([]float32, len(m.sum))
	for i, s := range m.sum {
		mean := s / k
		out[i] = float32(gain * math.Sqrt(max(0, (m.square[i]-k*mean*mean)/(k-1))))
	}
	return out
}
