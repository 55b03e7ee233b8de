package ldm

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// latentStage is what the latent optimisation of a published row does.
type latentStage int

const (
	hard  latentStage = iota // to the least squares nearest to its start
	early                    // 50 gradient steps of length 1/|H|^2
	ridge                    // no optimisation but the prior's weight, in pixels too
	none                     // nothing
)

// published is a row of the table of the published algorithm.
type published struct {
	stage      latentStage
	paperS2    bool
	rightNoise bool
	final      bool
}

// recipe is the paper's: 1000 DDIM steps; pixel optimisation (kappa 0.9) at each
// tenth time from 750 on, latent optimisation from 300 on, resampling with gamma
// 40. Written from the paper; it shares nothing with Paper but the schedule.
func (t *toy) recipe(row published) (out []affine) {
	a := LDMAlphas(1000)
	fit := t.fits(row.stage)
	for i := 999; i >= 0; i-- {
		to := 1.0
		if i > 0 {
			to = a[i-1]
		}
		z0, ddim := t.ddim(a[i], to, t.epsOf(a[i]))
		if i == 0 || i > 750 || i%10 != 0 {
			out = append(out, affine{p: ddim, q: t.blank()})
			continue
		}
		p, q := fit(i > 300, a[i])
		rule := 1 - a[i]
		if row.paperS2 {
			rule = a[i]
		}
		step := resampling(mul(p, z0), ddim, q, 40*(1-to)/rule*(1-a[i]/to), to, row.rightNoise)
		if i > 300 {
			step.fit = 0
		}
		out = append(out, step)
	}
	if row.final {
		p, q := t.leastSquares(false, 1)
		out = append(out, affine{p: p, q: q, fit: 1})
	}
	return out
}

// resampling is eq. 13 with a data-consistent latent p z + q y, which was optimised
// in the latent.
func resampling(p, former, q *mat.Dense, s2, to float64, right bool) affine {
	w := s2 / (s2 + 1 - to)
	variance := w * (1 - to)
	if right {
		variance = w * (2 - w) * (1 - to)
	}
	own := w * math.Sqrt(to)
	return affine{add(scaled(own, p), 1-w, former), scaled(own, q), math.Sqrt(variance), own}
}

// fits are the data steps z0 -> p z0 + q y of a stage.
func (t *toy) fits(s latentStage) func(pixels bool, a float64) (p, q *mat.Dense) {
	k := len(t.s)
	pixelP, pixelQ := t.leastSquares(true, 0.9)
	p, q := t.leastSquares(false, 1)
	switch s {
	case early:
		p, q = t.landweber(50)
	case none:
		p, q = eye(k), scaled(0, q)
	}
	return func(pixels bool, a float64) (*mat.Dense, *mat.Dense) {
		switch {
		case s == ridge:
			where := latent
			if pixels {
				where = pixel
			}
			p, q, _ := t.consistency(design{where: where}, mean(t.errors(LogNSR(a))), nil)
			return p, q
		case pixels:
			return pixelP, pixelQ
		}
		return p, q
	}
}

// leastSquares is z0 + kappa pinv (y - H z0), pinv in pixels or in the latent.
func (t *toy) leastSquares(pixels bool, kappa float64) (p, q *mat.Dense) {
	q = pinv(t.h)
	if pixels {
		q = mul(t.d.T(), pinv(t.a))
	}
	q = scaled(kappa, q)
	return add(eye(len(t.s)), -1, mul(q, t.h)), q
}

// landweber is so many steps against the gradient of |y - H z|^2/2.
func (t *toy) landweber(n int) (p, q *mat.Dense) {
	var svd mat.SVD
	svd.Factorize(t.h, mat.SVDNone)
	one := add(eye(len(t.s)), -1/square(svd.Values(nil)[0]), mul(t.h.T(), t.h))
	p = eye(len(t.s))
	for range n {
		p = mul(p, one)
	}
	return p, mul(add(eye(len(t.s)), -1, p), pinv(t.h))
}

// epsOf is the exact estimate of the noise at the signal's share a.
func (t *toy) epsOf(a float64) *mat.Dense {
	w := make([]float64, len(t.s))
	for i, s := range t.s {
		w[i] = math.Sqrt(1-a) / (a*s + 1 - a)
	}
	return diag(w)
}

// ddim is the clean estimate and the DDIM step from a to to of a network's e.
func (t *toy) ddim(a, to float64, e *mat.Dense) (z0, step *mat.Dense) {
	z0 = scaled(1/math.Sqrt(a), add(eye(len(t.s)), -math.Sqrt(1-a), e))
	return z0, add(scaled(math.Sqrt(to), z0), math.Sqrt(1-to), e)
}

// program is a row of the released program.
type program struct {
	oldTweedie, lateIndex, final bool
	stage                        latentStage
}

// released is the program at its 500 steps, without its latent DPS term and with
// optimisations that run to their end: every tenth step looks five steps ahead.
func (t *toy) released(row program) (out []affine) {
	all := LDMAlphas(1000)
	share := func(i int) float64 { // of step i; what a step goes to is share(i-1)
		return all[max(0, 2*i+1)]
	}
	pixelP, pixelQ := t.leastSquares(true, 1)
	latentP, latentQ := t.fits(row.stage)(false, 0)
	for i := 499; i >= 0; i-- {
		a, to := share(i), share(i-1)
		_, step := t.ddim(a, to, t.epsOf(a))
		if i > 334 || i == 0 || i%10 != 0 {
			out = append(out, affine{p: step, q: t.blank()})
			continue
		}
		p, q := latentP, latentQ
		if i >= 166 {
			p, q = pixelP, pixelQ
		}
		z0 := mul(t.lookAhead(row, share, i), step)
		optimised := resampling(mul(p, z0), step, q, 40*(1-to)/(1-a)*(1-a/to), to, false)
		if i >= 166 {
			optimised.fit = 0
		}
		out = append(out, optimised)
	}
	if row.final {
		out = append(out, affine{p: latentP, q: latentQ, fit: 1})
	}
	return out
}

// lookAhead is the clean estimate five DDIM steps after step i.
func (t *toy) lookAhead(row program, share func(int) float64, i int) (z0 *mat.Dense) {
	ahead := eye(len(t.s))
	for j := range 5 {
		level := i - 1 - j
		e := t.epsOf(share(level))
		if row.lateIndex {
			level++
		}
		a := share(level)
		subtract := math.Sqrt(1 - a)
		if row.oldTweedie {
			subtract = 1 - a
		}
		z0 = mul(scaled(1/math.Sqrt(a), add(eye(len(t.s)), -subtract, e)), ahead)
		_, step := t.ddim(a, share(level-1), e)
		ahead = mul(step, ahead)
	}
	return z0
}

// TestPublishedTable: the rows of the published algorithm in the exact table, as
// printed there. Chi-square has four figures.
func TestPublishedTable(t *testing.T) {
	for _, toy := range []struct {
		name string
		*toy
		column int
	}{{"modes", modesToy(), 0}, {"radon", radonToy(), 1}} {
		for _, tt := range publishedRows {
			got, want := toy.ratios(toy.lawOf(tt.steps(toy.toy))), tt.want[toy.column]
			name := tt.name + ", " + toy.name
			printed(t, name+": error", got.err, want.err, 4)
			printed(t, name+": single", got.single, want.single, 4)
			printed(t, name+": spread", got.spread, want.spread, 4)
			printed(t, name+": chi2", got.chi2, want.chi2, 3-int(math.Floor(math.Log10(max(0.1, want.chi2)))))
		}
	}
}

var publishedRows = []struct {
	name  string
	steps func(*toy) []affine
	want  [2]ratios
}{
	{"paper", recipe(published{paperS2: true}), [2]ratios{{2.9690, 3.3285, 0.3595, 7.750}, {2.0285, 6.1239, 4.0954, 67.31}}},
	{"s2 of the code", recipe(published{}), [2]ratios{{4.0497, 4.3472, 0.2975, 1.743}, {1.0285, 2.5068, 1.4783, 14.11}}},
	{"final latent optimisation", recipe(published{paperS2: true, final: true}), [2]ratios{{4.5453, 4.8221, 0.2768, 0}, {1.0003, 1.4842, 0.4840, 0.6591}}},
	{"stopped after 50 gradient steps", recipe(published{paperS2: true, stage: early}), [2]ratios{{1.0095, 1.5961, 0.5866, 8.121}, {2.0831, 6.2231, 4.1400, 67.60}}},
	{"stopped, s2 of the code", recipe(published{stage: early}), [2]ratios{{1.0052, 1.5192, 0.5140, 2.056}, {1.0323, 2.5202, 1.4880, 14.15}}},
	{"released", released(program{true, true, true, hard}), [2]ratios{{4.5453, 5.0500, 0.5047, 0}, {1.0003, 2.2041, 1.2038, 0.6591}}},
	{"released, Tweedie right", released(program{false, true, true, hard}), [2]ratios{{4.5453, 4.8443, 0.2990, 0}, {1.0003, 1.5608, 0.5605, 0.6591}}},
	{"released, Tweedie and index right", released(program{false, false, true, hard}), [2]ratios{{4.5453, 4.8425, 0.2971, 0}, {1.0003, 1.5702, 0.5699, 0.6591}}},
	{"released, no final optimisation", released(program{true, true, false, hard}), [2]ratios{{3.8109, 4.3597, 0.5489, 3.446}, {1.0902, 4.2398, 3.1496, 28.09}}},
	{"corrected", recipe(published{stage: ridge, rightNoise: true}), [2]ratios{{1.0207, 1.9075, 0.8868, 3.098}, {1.0350, 2.9842, 1.9492, 17.29}}},
}

func recipe(row published) func(*toy) []affine { return func(t *toy) []affine { return t.recipe(row) } }
func released(row program) func(*toy) []affine {
	return func(t *toy) []affine { return t.released(row) }
}
