package ldm

import (
	"context"
	"errors"
	"math"

	"ctrecon/ct"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// toy is a Gaussian prior in a linear latent model: x = D z, z ~ N(0, diag s),
// y = A x + sigma n, H = A D. Every step of a sampler is affine in it, so the law
// of a sample given y is N(G y, V) and can be computed (law_test.go).
type toy struct {
	s       []float64
	d, a, h *mat.Dense
	sigma   float64
	post    law // N(Gp y, Vp), the posterior
}

// law is the distribution N(g y, v) of a latent given the data y.
type law struct{ g, v *mat.Dense }

func newToy(s []float64, d, a *mat.Dense, sigma float64) *toy {
	t := &toy{s: s, d: d, a: a, h: mul(a, d), sigma: sigma}
	g := t.gain(t.h, diag(s))
	t.post = law{g, add(diag(s), -1, mul(g, t.h, diag(s)))}
	return t
}

// modesToy has twelve modes, prior variance {2, 0.5, 0.05} x gain {1, 0.2, 0.02,
// 0}, and D = I.
func modesToy() *toy {
	var s, a []float64
	for _, v := range []float64{2, 0.5, 0.05} {
		for _, g := range []float64{1, 0.2, 0.02, 0} {
			s, a = append(s, v), append(a, g)
		}
	}
	return newToy(s, eye(12), diag(a), 0.05)
}

// flatToy has one prior variance, where the scalar error of a level is the true
// one: the sampler must then draw from the posterior itself.
func flatToy(s, sigma float64) *toy {
	return newToy([]float64{s, s, s, s, s, s}, eye(6), diag([]float64{1, 0.5, 0.2, 0.05, 0, 0}), sigma)
}

// radonToy is an 8 x 8 image in its 4 x 4 lowest DCT-II modes (orthonormal,
// column 4u+v), measured in 4 views (0, 45, 90, 135 degrees) of 13 unit bins.
func radonToy() *toy {
	const n, low = 8, 4
	d := mat.NewDense(n*n, low*low, nil)
	s, sum := make([]float64, low*low), 0.0
	for u := range low {
		for v := range low {
			for i := range n {
				for j := range n {
					d.Set(i*n+j, u*low+v, dct(i, u, n)*dct(j, v, n))
				}
			}
			s[u*low+v] = math.Pow(float64(1+u*u+v*v), -1.5)
			sum += s[u*low+v]
		}
	}
	for i := range s {
		s[i] *= low * low / sum
	}
	return newToy(s, d, strips(n, 13, []float64{0, 45, 90, 135}), 0.05)
}

func dct(i, u, n int) float64 {
	c := math.Sqrt(2 / float64(n))
	if u == 0 {
		c = math.Sqrt(1 / float64(n))
	}
	return c * math.Cos(math.Pi*(float64(i)+0.5)*float64(u)/float64(n))
}

// strips is the exact area of each unit pixel in each unit bin.
func strips(n, bins int, degrees []float64) *mat.Dense {
	a := mat.NewDense(len(degrees)*bins, n*n, nil)
	for v, deg := range degrees {
		sin, cos := math.Sincos(deg * math.Pi / 180)
		for p := range n * n {
			x, y := float64(p%n)-float64(n-1)/2, float64(n-1)/2-float64(p/n)
			for k := range bins {
				t := float64(k) - float64(bins-1)/2 - (x*cos + y*sin)
				if area := leftOf(t+0.5, cos, sin) - leftOf(t-0.5, cos, sin); area > 1e-12 {
					a.Set(v*bins+k, p, area)
				}
			}
		}
	}
	return a
}

// leftOf is the share of a centred unit square with x cos + y sin < t.
func leftOf(t, cos, sin float64) float64 {
	a, b := max(math.Abs(cos), math.Abs(sin)), min(math.Abs(cos), math.Abs(sin))
	if b < 1e-12 {
		return min(1, max(0, t/a+0.5))
	}
	ramp := func(v float64) float64 { return max(v, 0) * max(v, 0) / 2 }
	return (ramp(t+(a+b)/2) - ramp(t+(a-b)/2) - ramp(t-(a-b)/2) + ramp(t-(a+b)/2)) / (a * b)
}

// gain is R h'(h R h' + sigma^2 I)^-1, what the data term with error covariance r
// does to a residual.
func (t *toy) gain(h, r mat.Matrix) *mat.Dense {
	m, _ := h.Dims()
	noise := make([]float64, m)
	for i := range noise {
		noise[i] = t.sigma * t.sigma
	}
	rh := mul(r, h.T())
	var inv mat.Dense
	if err := inv.Inverse(add(mul(h, rh), 1, diag(noise))); err != nil {
		panic(err)
	}
	return mul(rh, &inv)
}

// errors are the variances of each mode given a latent at level l.
func (t *toy) errors(l float64) []float64 {
	a, r := Alpha(l), make([]float64, len(t.s))
	for i, s := range t.s {
		r[i] = s * (1 - a) / (a*s + 1 - a)
	}
	return r
}

// table is what would be measured on held-out slices at the given levels.
func (t *toy) table(levels []float64) (e ErrorTable) {
	for i := range levels {
		l := levels[len(levels)-1-i]
		r := mean(t.errors(l))
		e.L, e.R2, e.RZ2 = append(e.L, l), append(e.R2, r*unit*unit), append(e.RZ2, r)
	}
	return e
}

// unit is the normalised value of 1 in x: so small that the sampler never clips,
// which would end its linearity, and a power of two, so that no bit is lost.
const unit = 1.0 / 32

// toyModel shows the toy to a sampler with its exact denoiser.
type toyModel struct {
	*toy
	dt   *mat.Dense
	wide []float64 // work space
}

func newToyModel(t *toy) *toyModel {
	pixels, _ := t.d.Dims()
	return &toyModel{toy: t, dt: mat.DenseCopyOf(t.d.T()), wide: make([]float64, pixels)}
}

func (m *toyModel) Dims() Dims {
	pixels, k := m.d.Dims()
	return Dims{H: 1, W: pixels, Channels: 1, LH: 1, LW: k}
}

var errClipped = errors.New("toy: an image left (-1, 1), where clipping is not linear")

func (m *toyModel) Encode(_ context.Context, z, u []float32) error {
	for _, v := range u {
		if !(v > -1 && v < 1) {
			return errClipped
		}
	}
	m.apply(z, m.dt, u, 1/unit)
	return nil
}

func (m *toyModel) Decode(_ context.Context, u, z []float32) error {
	m.apply(u, m.d, z, unit)
	return nil
}

func (m *toyModel) Velocity(_ context.Context, v, z []float32, l float64, _ *Condition) error {
	a := Alpha(l)
	for i, s := range m.s {
		v[i] = float32(math.Sqrt(a*(1-a)) * (1 - s) / (a*s + 1 - a) * float64(z[i]))
	}
	return nil
}

// prox says where the data term measures the distance from its start.
type prox int

const (
	pixel  prox = iota // in the image, error covariance r2 I
	latent             // in the decoder's range, r2 D D'
)

// toyData is the toy's measurement y. It solves by a gain computed once a level.
type toyData struct {
	*toy
	where prox
	y     []float64
	gains map[float64]*mat.Dense
	res   []float64 // work space
	wide  []float64
}

func newToyData(t *toy, where prox) *toyData {
	m, pixels := t.a.Dims()
	return &toyData{toy: t, where: where, y: make([]float64, m), gains: map[float64]*mat.Dense{}, res: make([]float64, m), wide: make([]float64, pixels)}
}

func (d *toyData) Len() int { return len(d.y) }

func (d *toyData) Solve(_ context.Context, u, u0, dy []float32, r2, _ float64, _ int) error {
	b := d.gains[r2]
	if b == nil {
		b = d.gain(d.a, d.covariance(r2/(unit*unit)))
		d.gains[r2] = b
	}
	start := widen(d.wide, u0)
	for j := range d.res {
		d.res[j] = d.y[j] - inner(d.a.RawRowView(j), start)/unit
	}
	for j, n := range dy {
		d.res[j] += d.sigma * float64(n)
	}
	for i := range u {
		u[i] = u0[i] + float32(unit*inner(b.RawRowView(i), d.res))
	}
	return nil
}

func (d *toyData) covariance(r2 float64) *mat.Dense {
	pixels, _ := d.d.Dims()
	r := eye(pixels)
	if d.where == latent {
		r = mul(d.d, d.d.T())
	}
	r.Scale(r2, r)
	return r
}

func (d *toyData) Chi2(u []float32) float64 {
	sum, x := 0.0, widen(d.wide, u)
	for j := range d.y {
		r := (d.y[j] - inner(d.a.RawRowView(j), x)/unit) / d.sigma
		sum += r * r
	}
	return sum / float64(len(d.y))
}

// rig is a sampler on a toy.
type rig struct {
	toy     *toy
	data    *toyData
	r       Resampler
	warm, u []float32
	seed    uint64
}

func newRig(t *toy, where prox, opt Options) *rig {
	m := newToyModel(t)
	g := &rig{toy: t, data: newToyData(t, where), warm: make([]float32, m.Dims().Pixels()), u: make([]float32, m.Dims().Pixels())}
	g.r = Resampler{Model: m, Opt: opt, Table: t.table(Levels(opt.Start, opt.End, opt.Steps))}
	return g
}

// sample draws from the warm start that stands for TV: Tikhonov with the mean
// prior variance. The latent, before the last refinement in pixels, is r.zy.
func (g *rig) sample() error {
	ctx := context.Background()
	clear(g.u)
	if err := g.data.Solve(ctx, g.warm, g.u, nil, mean(g.toy.s)*unit*unit, 0, 0); err != nil {
		return err
	}
	return g.r.Sample(ctx, g.u, g.data, g.warm, nil, g.stream, nil)
}

func (g *rig) stream(step uint32) ct.Stream { return ct.NewStream(g.seed, 0, 0, step) }

func (m *toyModel) apply(dst []float32, a *mat.Dense, x []float32, scale float64) {
	wide := widen(m.wide, x)
	for i := range dst {
		dst[i] = float32(scale * inner(a.RawRowView(i), wide))
	}
}

// inner is the assembly of gonum: most of a test's time is spent here.
func inner(a, b []float64) float64 { return floats.Dot(a, b) }

// widen copies x to float64.
func widen(dst []float64, x []float32) []float64 {
	dst = dst[:len(x)]
	for i, v := range x {
		dst[i] = float64(v)
	}
	return dst
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

func eye(n int) *mat.Dense {
	d := mat.NewDense(n, n, nil)
	for i := range n {
		d.Set(i, i, 1)
	}
	return d
}

func diag(v []float64) *mat.Dense {
	d := mat.NewDense(len(v), len(v), nil)
	for i, x := range v {
		d.Set(i, i, x)
	}
	return d
}

func mul(first mat.Matrix, rest ...mat.Matrix) *mat.Dense {
	p := mat.DenseCopyOf(first)
	for _, m := range rest {
		var q mat.Dense
		q.Mul(p, m)
		p = &q
	}
	return p
}

// add is a + scale*b.
func add(a mat.Matrix, scale float64, b mat.Matrix) *mat.Dense {
	var s mat.Dense
	s.Scale(scale, b)
	s.Add(a, &s)
	return &s
}
