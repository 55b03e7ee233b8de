package ldm

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"ctrecon/ct"
)

// tracer shows gradients too, of what it wraps.
func (s *tracer) DecodeVJP(ctx context.Context, u, dz, z, du []float32) error {
	if err := s.note(ctx, call{what: "decode gradient"}); err != nil {
		return err
	}
	return s.Model.(Differentiable).DecodeVJP(ctx, u, dz, z, du)
}

func (s *tracer) VelocityVJP(ctx context.Context, v, dz, z []float32, l float64, cond *Condition, dv []float32) error {
	if err := s.note(ctx, call{what: "velocity gradient", level: l, cond: copyOf(cond)}); err != nil {
		return err
	}
	return s.Model.(Differentiable).VelocityVJP(ctx, v, dz, z, l, cond, dv)
}

func (s *tracer) Gradient(g, u []float32) float64 {
	s.note(context.Background(), call{what: "gradient"})
	return s.DataTerm.(GradientTerm).Gradient(g, u)
}

func (s *tracer) LeastSquares(ctx context.Context, u, u0 []float32, iters int) error {
	if err := s.note(ctx, call{what: "least squares", iters: iters}); err != nil {
		return err
	}
	return s.DataTerm.(GradientTerm).LeastSquares(ctx, u, u0, iters)
}

func (s *tracer) Unit() float64 { return s.DataTerm.(GradientTerm).Unit() }

var (
	_ Differentiable = (*tracer)(nil)
	_ GradientTerm   = (*tracer)(nil)
)

// every are the samplers of this package with few steps, on a model.
var every = []struct {
	name  string
	draws bool // random numbers
	keeps bool // the image until it is whole
	of    func(m Differentiable) Sampler
}{
	{"resample", true, true, func(m Differentiable) Sampler {
		opt := DefaultOptions()
		opt.Steps = 3
		return &Resampler{Model: m, Table: modesToy().table(Levels(2, -7, 5)), Opt: opt}
	}},
	{"paper", true, true, func(m Differentiable) Sampler {
		opt := DefaultPaper()
		opt.Steps, opt.Fit.Iters = 10, 3
		return &Paper{Model: m, Opt: opt}
	}},
	{"paper by its code", true, true, func(m Differentiable) Sampler {
		opt, _ := DefaultPaper().Compat("code")
		opt.Steps, opt.Fit.Iters = 10, 3
		return &Paper{Model: m, Opt: opt}
	}},
	{"latent DPS", true, true, func(m Differentiable) Sampler {
		return &LatentDPS{Model: m, Opt: LatentDPSOptions{N: 4, Zeta: 2.5}}
	}},
	{"DDS", true, true, func(m Differentiable) Sampler {
		opt := DDSOptions()
		opt.N = 4
		return &Proximal{Model: m, Opt: opt}
	}},
	{"DiffPIR", true, true, func(m Differentiable) Sampler {
		opt := DiffPIROptions()
		opt.N = 4
		return &Proximal{Model: m, Opt: opt}
	}},
	{"PnP", false, false, func(m Differentiable) Sampler {
		opt := DefaultPnP()
		opt.N = 3
		return &PnP{Model: m, Opt: opt}
	}},
}

// scene is what a sampler is given: the toy of twelve modes and a measurement.
type scene struct {
	model *toyModel
	data  *gradData
	warm  []float32
}

func newScene() scene {
	toy := modesToy()
	s := scene{newToyModel(toy), newGradData(toy), make([]float32, 12)}
	toy.solvable(s.data.y)
	for i := range s.warm {
		s.warm[i] = unit * float32(i%5-2)
	}
	return s
}

// drawn are the bits of one sample.
func (s scene) drawn(t *testing.T, p Sampler, seed uint64, progress func(int)) string {
	t.Helper()
	u := make([]float32, len(s.warm))
	if err := p.Sample(context.Background(), u, s.data, s.warm, nil, steps(seed), progress); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", u)
}

// TestEverySamplerRepeats: a seed fixes the bits, whatever the sampler did before
// and whoever listens; another seed gives others where numbers are drawn.
func TestEverySamplerRepeats(t *testing.T) {
	for _, tt := range every {
		s := newScene()
		p := tt.of(s.model)
		first := s.drawn(t, p, 7, nil)
		if other := s.drawn(t, p, 8, nil); (other != first) != tt.draws {
			t.Errorf("%s: seeds 7 and 8 differ: %t, want %t", tt.name, other != first, tt.draws)
		}
		if s.drawn(t, p, 7, func(int) {}) != first {
			t.Errorf("%s: again, with progress: other bits", tt.name)
		}
		if s.drawn(t, tt.of(s.model), 7, nil) != first {
			t.Errorf("%s: by a fresh sampler: other bits", tt.name)
		}
		s.data.y[0] += 0.1
		if s.drawn(t, p, 7, nil) == first {
			t.Errorf("%s: the data do not count", tt.name)
		}
	}
}

// TestEverySamplerReports: each step once, in order, up to Steps.
func TestEverySamplerReports(t *testing.T) {
	for _, tt := range every {
		s := newScene()
		p := tt.of(s.model)
		var seen, want []int
		s.drawn(t, p, 1, func(i int) { seen = append(seen, i) })
		for i := range p.Steps() {
			want = append(want, i+1)
		}
		if fmt.Sprint(seen) != fmt.Sprint(want) {
			t.Errorf("%s: progress %v, want %v", tt.name, seen, want)
		}
	}
}

// traced runs a sampler under a tracer that ends the context at call fail.
func traced(of func(Differentiable) Sampler, s scene, u, fbp []float32, fail int) (*tracer, error) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	tr := &tracer{Model: s.model, DataTerm: s.data, fail: fail, stop: stop}
	return tr, of(tr).Sample(ctx, u, tr, s.warm, fbp, steps(1), nil)
}

// TestEverySamplerStops: whichever call sees the context end, Sample returns its
// error with at most one call more (a gradient of the data cannot say it), and all
// but PnP, which works in the image itself, leave the image as it was.
func TestEverySamplerStops(t *testing.T) {
	for _, tt := range every {
		s := newScene()
		u := make([]float32, 12)
		whole, err := traced(tt.of, s, u, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for i := range u {
			u[i] = 42
		}
		before := fmt.Sprint(u)
		for at := 1; at <= len(whole.calls); at++ {
			what := fmt.Sprintf("%s: ended at call %d (%s)", tt.name, at, whole.calls[at-1].what)
			allowed := at
			if whole.calls[at-1].what == "gradient" {
				allowed++
			}
			tr, err := traced(tt.of, s, u, nil, at)
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("%s: error %v", what, err)
			}
			if len(tr.calls) != allowed {
				t.Errorf("%s: %d calls were made, want %d", what, len(tr.calls), allowed)
			}
			if tt.keeps && fmt.Sprint(u) != before {
				t.Fatalf("%s: the image was written", what)
			}
		}
	}
}

// TestEverySamplerConditions: with fbp each call of the network is told it and the
// latent of the warm start, without it nothing.
func TestEverySamplerConditions(t *testing.T) {
	for _, tt := range every {
		s := newScene()
		start := make([]float32, 12)
		if err := s.model.Encode(context.Background(), start, s.warm); err != nil {
			t.Fatal(err)
		}
		fbp := []float32{0.1, 0.2}
		for _, cond := range []*Condition{nil, {Image: fbp, Start: start}} {
			want := describe(call{cond: cond})
			var image []float32
			if cond != nil {
				image = fbp
			}
			tr, err := traced(tt.of, s, make([]float32, 12), image, 0)
			if err != nil {
				t.Fatal(err)
			}
			told := 0
			for _, c := range tr.calls {
				if c.what == "velocity" || c.what == "velocity gradient" {
					told++
					if got := describe(call{cond: c.cond}); got != want {
						t.Fatalf("%s: the network was told %s, want %s", tt.name, got, want)
					}
				}
			}
			if told < 3 {
				t.Errorf("%s: %d calls of the network", tt.name, told)
			}
		}
	}
}

// TestNoGradient: samplers that need a gradient of the data say so before they
// start; the others do without.
func TestNoGradient(t *testing.T) {
	for _, tt := range every {
		s := newScene()
		p := tt.of(s.model)
		u := make([]float32, 12)
		asked := 0
		stream := func(step uint32) ct.Stream { asked++; return steps(1)(step) }
		err := p.Sample(context.Background(), u, s.data.toyData, s.warm, nil, stream, nil)
		var want error
		switch p.(type) {
		case *Paper, *LatentDPS:
			want = ErrNoGradient
		}
		if !errors.Is(err, want) {
			t.Errorf("%s: error %v, want %v", tt.name, err, want)
		}
		if want != nil && (asked > 0 || fmt.Sprint(u) != fmt.Sprint(make([]float32, 12))) {
			t.Errorf("%s: it started: %d streams, image %v", tt.name, asked, u)
		}
	}
}

// TestEveryStreamOnce: no two steps share random numbers.
func TestEveryStreamOnce(t *testing.T) {
	for _, tt := range every {
		s := newScene()
		seen := map[uint32]int{}
		stream := func(step uint32) ct.Stream { seen[step]++; return steps(1)(step) }
		if err := tt.of(s.model).Sample(context.Background(), make([]float32, 12), s.data, s.warm, nil, stream, nil); err != nil {
			t.Fatal(err)
		}
		for step, n := range seen {
			if n != 1 {
				t.Errorf("%s: step %d was used %d times", tt.name, step, n)
			}
		}
		if tt.draws == (len(seen) == 0) {
			t.Errorf("%s: %d streams", tt.name, len(seen))
		}
	}
}

// TestResamplerOptions: with Plain the latent is that of the data step's result, bias
// of the encoder and all; without EndIters the image is the decoded latent and no
// data step follows.
func TestResamplerOptions(t *testing.T) {
	const n, bias = 8, 3
	for _, plain := range []bool{false, true} {
		opt := DefaultOptions()
		opt.Plain, opt.EndIters, opt.Steps = plain, 0, 3
		s := newSlice(n, opt)
		s.r.Model = biased{repeats{0.5, n}, bias}
		tr, err := trace(s, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		encodes := 2
		if plain {
			encodes = 1
		}
		count := map[string]int{}
		for _, c := range tr.calls {
			count[c.what]++
		}
		if last := tr.calls[len(tr.calls)-1].what; last != "decode" || count["solve"] != 3 || count["encode"] != 1+3*encodes {
			t.Errorf("plain %t: calls %v, the last is %s", plain, count, last)
		}
		s.sample(t, 1, nil)
		for i, u := range s.u {
			if u != s.r.zy[i]*unit {
				t.Errorf("plain %t: image %d is %g, its latent says %g", plain, i, u, s.r.zy[i]*unit)
			}
			want := float64(s.r.x[i])/unit + bias
			if !plain { // zt + E(x) - E(D(zt)): the bias cancels
				want = float64(s.r.x[i]) / unit
			}
			if off := float64(s.r.zy[i]) - want; off > 2e-6 || off < -2e-6 {
				t.Errorf("plain %t: latent %d is %g, want %g", plain, i, s.r.zy[i], want)
			}
		}
	}
}
