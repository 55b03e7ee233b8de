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

// modelError is the discretisation error of data against pixels, in nepers: the
// residual of true images on held-out slices (docs/results.md).
const modelError = 0.004

// ModelError says that the network or its runtime cannot be used.
type ModelError struct{ Err error }

func (e *ModelError) Error() string { return e.Err.Error() }
func (e *ModelError) Unwrap() error { return e.Err }

// resample averages samples of a latent diffusion model under data consistency;
// TV is its warm start, FBP with a Hann window the network's condition.
type resample struct {
	plan
	tv     *solve.TV
	ridge  *solve.Ridge
	f      *radon.FBP
	bundle *models.Bundle
	net    *models.Network
	r      ldm.Resampler
}

func (m *resample) Name() string { return "resample" }

// load opens the model once.
func (m *resample) load(job *Slice) (err error) {
	if m.net == nil {
		if m.bundle, err = models.Default(); err != nil {
			return &ModelError{err}
		}
	}
	if d := m.bundle.Dims(); d.W != job.Grid.W || d.H != job.Grid.H {
		return &ModelError{fmt.Errorf("the model %s works on %d x %d pixels, the image has %d x %d (other sizes are not supported yet)", m.bundle.Name, d.H, d.W, job.Grid.H, job.Grid.W)}
	}
	if m.net == nil {
		if m.net, err = models.Load(m.bundle, onnx.Options{Threads: 1}); err != nil {
			return &ModelError{err}
		}
		m.r = ldm.Resampler{Model: m.net, Table: m.bundle.Errors(m.bundle.Conditioned()), Opt: ldm.DefaultOptions()}
	}
	return nil
}

func (m *resample) Reconstruct(ctx context.Context, job Slice, p Progress) (Result, error) {
	start := time.Now()
	fresh, err := m.prepare(&job)
	if err == nil {
		err = m.load(&job)
	}
	if err != nil {
		return Result{}, err
	}
	if fresh {
		m.tv, m.ridge = solve.NewTV(m.A, job.Grid.W, job.Grid.H), solve.NewRidge(m.A)
		if m.f, err = radon.NewFBP(job.Grid, job.Sino.Geometry, radon.FBPOptions{Window: radon.Hann}); err != nil {
			return Result{}, err
		}
	}
	n := job.Grid.Len()
	d := m.dataTerm(&job)
	cond, warm := make([]float32, n), make([]float32, n)
	m.f.Reconstruct(cond, job.Sino)
	if _, err := m.tv.Solve(ctx, warm, whiten(&job.Sino, m.w), solve.TVOptions{Lambda: tvLambda, Scale: job.MuWater, MaxIter: tvIterations}); err != nil {
		return Result{}, err
	}
	d.toUnit(cond, cond)
	d.toUnit(warm, warm)
	clip(cond)
	clip(warm)
	whitenModel(&job.Sino, d.w)
	k := m.r.Opt.Samples
	sum, square, u := make([]float64, n), make([]float64, n), make([]float32, n)
	for s := range k {
		stream := func(step uint32) ct.Stream { return ct.NewStream(job.Seed, job.Index, s, step+1) }
		step := func(i int) {
			if p != nil {
				p(s*m.r.Opt.Steps+i, k*m.r.Opt.Steps, math.NaN())
			}
		}
		if err := m.r.Sample(ctx, u, d, warm, cond, stream, step); err != nil {
			return Result{}, err
		}
		for i, v := range u {
			sum[i] += float64(v)
			square[i] += float64(v) * float64(v)
		}
	}
	r := m.result(&job, d, sum, square)
	return m.finish(&job, r.Image, start, r), nil
}

func clip(u []float32) {
	for i, v := range u {
		u[i] = max(-1, min(1, v))
	}
}

// result is the mean and spread of the samples.
func (m *resample) result(job *Slice, d *linearData, sum, square []float64) Result {
	k := float64(m.r.Opt.Samples)
	r := Result{Image: ct.NewImage(job.Grid), Iterations: m.r.Opt.Samples * m.r.Opt.Steps}
	r.SD = make([]float32, len(sum))
	for i, s := range sum {
		mean := s / k
		r.Image.Pix[i] = float32(d.gain * (mean + d.shift)) // not clipped at air: that would bias every ray
		if k > 1 {
			r.SD[i] = float32(d.gain * math.Sqrt(max(0, (square[i]-k*mean*mean)/(k-1))))
		}
	}
	o := m.r.Opt
	r.Settings = []Setting{
		{"model", fmt.Sprintf("%s %s (%.12s)", m.bundle.Name, m.bundle.Version, m.bundle.SHA256)},
		{"samples", fmt.Sprint(o.Samples)}, {"steps", fmt.Sprintf("%d from log-NSR %g to %g", o.Steps, o.Start, o.End)}, {"seed", fmt.Sprint(job.Seed)},
	}
	if px := m.bundle.PixelMM; px.Max > 0 && (job.Grid.DX < px.Min*0.95 || job.Grid.DX > px.Max*1.05) {
		r.Warnings = append(r.Warnings, fmt.Sprintf("pixels of %.3g mm: the model was trained on %.3g to %.3g mm", job.Grid.DX, px.Min, px.Max))
	}
	return r
}

// linearData is the data term of a linear measurement with Gaussian noise:
// mu = gain*(u+shift), rho = W(A mu - y).
type linearData struct {
	m           *resample
	gain, shift float64
	y, w, yd    []float32
	mu          []float32
	sino        []float32
}

func (m *resample) dataTerm(job *Slice) *linearData {
	rng := m.bundle.Range()
	return &linearData{m: m, gain: job.MuWater * rng.Half / 1000, shift: (1000 + rng.Mid) / rng.Half, y: job.Sino.Data,
		w: make([]float32, job.Sino.Len()), yd: make([]float32, job.Sino.Len()), mu: make([]float32, job.Grid.Len()), sino: make([]float32, job.Sino.Len())}
}

// whitenModel writes weights of noise and discretisation error together.
func whitenModel(s *ct.Sinogram, w []float32) {
	whiten(s, w)
	for i, v := range w {
		if v > 0 {
			w[i] = float32(1 / math.Hypot(1/float64(v), modelError))
		}
	}
}

func (d *linearData) toUnit(u, mu []float32) {
	for i, v := range mu {
		u[i] = float32(float64(v)/d.gain - d.shift)
	}
}

func (d *linearData) toMu(mu, u []float32) {
	for i, v := range u {
		mu[i] = float32(d.gain * (float64(v) + d.shift))
	}
}

// Len is the number of data.
func (d *linearData) Len() int { return len(d.y) }

// Solve is regularised least squares in mu.
func (d *linearData) Solve(ctx context.Context, u, u0, dy []float32, r2, tol float64, iters int) error {
	copy(d.yd, d.y)
	for i, z := range dy {
		if w := d.w[i]; w > 0 {
			d.yd[i] += z / w
		}
	}
	d.toMu(d.mu, u0)
	_, err := d.m.ridge.Solve(ctx, d.mu, solve.Data{Y: d.yd, W: d.w}, d.mu, solve.RidgeOptions{Rho: 1 / (r2 * d.gain * d.gain), Tol: tol, MaxIter: iters})
	d.toUnit(u, d.mu)
	return err
}

// Chi2 is the mean square of the weighted residual.
func (d *linearData) Chi2(u []float32) float64 {
	d.toMu(d.mu, u)
	d.m.A.Apply(d.sino, d.mu)
	sum, n := 0.0, 0
	for i, w := range d.w {
		if w > 0 {
			z := float64(w) * float64(d.sino[i]-d.y[i])
			sum, n = sum+z*z, n+1
		}
	}
	return sum / float64(max(1, n))
}
