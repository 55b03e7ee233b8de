package ldm

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// step follows z <- p z + q y + N(0, n).
func (a law) step(p, q, n *mat.Dense) law {
	return law{add(mul(p, a.g), 1, q), add(mul(p, a.v, p.T()), 1, n)}
}

// design is what a row of the tables varies.
type design struct {
	Options
	where  prox
	byMode bool // the error variance of each mode, not their mean
}

// rowOf is the design of the tables: 20 levels from 2 to -8, the error variance
// as measured.
func rowOf(change func(*design)) design {
	d := design{where: latent, Options: Options{Steps: 20, Start: 2, End: -8, Perturb: 1, Eta: 1, R2Scale: 1, EndScale: 1}}
	if change != nil {
		change(&d)
	}
	return d
}

// recursion is the exact law of a sample's latent, without random numbers.
func (t *toy) recursion(d design) law {
	k := len(t.s)
	levels := Levels(d.Start, d.End, d.Steps)
	a := Alpha(levels[0])
	_, q, _ := t.consistency(d, mean(t.s), nil)
	state := law{mat.NewDense(k, len(t.a.RawMatrix().Data)/t.a.RawMatrix().Cols, nil), mat.NewDense(k, k, nil)}
	state = state.step(eye(k), scaled(math.Sqrt(a), q), scaled(1-a, eye(k)))
	for i, l := range levels {
		p, q, c := t.consistency(d, mean(t.errors(l))*d.R2Scale, t.errors(l))
		z0 := mul(p, t.tweedie(l))
		if i+1 == len(levels) {
			return state.step(z0, q, c)
		}
		state = t.renoised(state, z0, q, c, l, levels[i+1], d.Eta)
	}
	panic("no levels")
}

// renoised is the step z <- sqrt(a') zy + sqrt(1-a') (sqrt(1-eta^2) e + eta n),
// e = (z - sqrt(a) zy)/sqrt(1-a), for zy = z0 z + q y + N(0, c).
func (t *toy) renoised(s law, z0, q, c *mat.Dense, from, to, eta float64) law {
	k := len(t.s)
	a, b := Alpha(from), Alpha(to)
	old := math.Sqrt((1 - b) / (1 - a) * (1 - eta*eta))
	own := math.Sqrt(b) - old*math.Sqrt(a)
	p := add(scaled(old, eye(k)), own, z0)
	n := add(scaled(own*own, c), eta*eta*(1-b), eye(k))
	return s.step(p, scaled(own, q), n)
}

// consistency is the data step zy = p z0 + q y + N(0, c) with error variance r2;
// c holds a draw of variances rz around z0 and one of the data's noise.
func (t *toy) consistency(d design, r2 float64, rz []float64) (p, q, c *mat.Dense) {
	k := len(t.s)
	r, draw := scaled(r2, eye(k)), eye(k)
	if rz != nil {
		draw = scaled(mean(rz), eye(k))
	}
	switch {
	case d.byMode && rz != nil:
		r, draw = diag(rz), diag(rz)
		q = t.gain(t.h, r)
	case d.where == pixel:
		pixels, _ := t.d.Dims()
		q = mul(t.d.T(), t.gain(t.a, scaled(r2, eye(pixels))))
	default:
		q = t.gain(t.h, r)
	}
	p = add(eye(k), -1, mul(q, t.h))
	c = add(mul(p, draw, p.T()), t.sigma*t.sigma, mul(q, q.T()))
	return p, q, scaled(d.Perturb*d.Perturb, c)
}

func (t *toy) tweedie(l float64) *mat.Dense {
	a, w := Alpha(l), make([]float64, len(t.s))
	for i, s := range t.s {
		w[i] = math.Sqrt(a) * s / (a*s + 1 - a)
	}
	return diag(w)
}

// end is the law of the latent after the last refinement in pixels, which adds at
// most noise of the data. It needs D = I, for else the image leaves the decoder's range.
func (t *toy) end(s law, d design) law {
	noise := square(d.EndPerturb * t.sigma)
	d.Perturb = 0
	p, q, _ := t.consistency(d, mean(t.errors(d.End))*d.EndScale, nil)
	return s.step(p, q, scaled(noise, mul(q, q.T())))
}

// ratios compare a law with the posterior N(Gp y, Vp): the error of the mean of
// many samples E|G y - z|^2/tr Vp, the spread tr V/tr Vp, their sum, which is the
// error of one sample, and its chi-square over the rows that measure something.
// The exact sampler has 1, 1, 2, 1.
type ratios struct{ err, single, spread, chi2 float64 }

func (t *toy) ratios(s law) ratios {
	live := t.live()
	m, _ := t.h.Dims()
	best := mat.Trace(t.post.v)
	r := ratios{err: t.meanError(s.g) / best, spread: mat.Trace(s.v) / best}
	r.single = r.err + r.spread
	sy := add(mul(t.h, diag(t.s), t.h.T()), t.sigma*t.sigma, eye(m))
	q := add(eye(m), -1, mul(t.h, s.g))
	c := add(mul(q, sy, q.T()), 1, mul(t.h, s.v, t.h.T()))
	for _, j := range live {
		r.chi2 += c.At(j, j) / (float64(len(live)) * t.sigma * t.sigma)
	}
	return r
}

// meanError is E|G y - z|^2 over the prior and the noise.
func (t *toy) meanError(g *mat.Dense) float64 {
	b := add(mul(g, t.h), -1, eye(len(t.s)))
	return mat.Trace(mul(b, diag(t.s), b.T())) + t.sigma*t.sigma*mat.Trace(mul(g, g.T()))
}

// live are the data that measure something.
func (t *toy) live() (rows []int) {
	m, _ := t.h.Dims()
	for j := range m {
		if mat.Norm(t.h.RowView(j), 1) > 1e-9 {
			rows = append(rows, j)
		}
	}
	return rows
}

func scaled(x float64, m *mat.Dense) *mat.Dense {
	var s mat.Dense
	s.Scale(x, m)
	return &s
}

// TestToys holds the toys to what the Python reference computes for its own.
func TestToys(t *testing.T) {
	tests := []struct {
		name                 string
		toy                  *toy
		posterior, signal    float64 // tr Vp, tr H diag(s) H'
		latent, data, living int
	}{
		{"modes", modesToy(), 4.729022440128427, 2.65302, 12, 12, 9},
		{"radon", radonToy(), 0.19043283640418132, 278.04927072111377, 16, 52, 44},
	}
	for _, tt := range tests {
		m, k := tt.toy.h.Dims()
		if k != tt.latent || m != tt.data || len(tt.toy.live()) != tt.living {
			t.Errorf("%s: %d latents, %d data, %d live, want %d, %d, %d", tt.name, k, m, len(tt.toy.live()), tt.latent, tt.data, tt.living)
		}
		near(t, tt.name+": trace of the posterior", mat.Trace(tt.toy.post.v), tt.posterior, 1e-9)
		near(t, tt.name+": trace of the signal", mat.Trace(mul(tt.toy.h, diag(tt.toy.s), tt.toy.h.T())), tt.signal, 1e-9)
		r := tt.toy.ratios(tt.toy.post)
		for _, x := range []struct {
			name      string
			got, want float64
		}{{"error", r.err, 1}, {"single", r.single, 2}, {"spread", r.spread, 1}, {"chi2", r.chi2, 1}} {
			near(t, tt.name+": exact posterior: "+x.name, x.got, x.want, 1e-7) // sigma^2 is 1e5 times below the signal
		}
	}
}

// near wants a relative error of at most tol.
func near(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol*math.Abs(want)) {
		t.Errorf("%s: %.10g, want %.10g (relative error %.2g, allowed %.2g)", what, got, want, math.Abs(got/want-1), tol)
	}
}
