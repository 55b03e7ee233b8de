package ldm

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"ctrecon/ct"
)

// slice is a small slice for the sampler: its mode repeated, half of it measured.
type slice struct {
	r       Resampler
	data    DataTerm
	warm, u []float32
}

func newSlice(n int, opt Options) *slice {
	d := blind(n)
	for i := range d.y {
		d.gain[i], d.y[i] = float64(i%2), math.Sin(float64(i))
	}
	s := &slice{data: d, warm: make([]float32, n), u: make([]float32, n)}
	for i := range s.warm {
		s.warm[i] = float32(i%7) * unit / 4
	}
	s.r = Resampler{Model: repeats{0.5, n}, Opt: opt, Table: flatToy(0.5, 1).table(Levels(2, -8, 20))}
	return s
}

// sample returns the bits of one sample.
func (s *slice) sample(t *testing.T, seed uint64, progress func(int)) string {
	t.Helper()
	stream := func(step uint32) ct.Stream { return ct.NewStream(seed, 0, 0, step) }
	if err := s.r.Sample(context.Background(), s.u, s.data, s.warm, nil, stream, progress); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", s.u)
}

func TestSameSeedSameBits(t *testing.T) {
	opt := DefaultOptions()
	s := newSlice(33, opt)
	first := s.sample(t, 7, nil)
	other := s.sample(t, 8, nil)
	if first == other {
		t.Error("seeds 7 and 8 gave the same sample")
	}
	tests := []struct {
		name string
		got  string
	}{
		{"again, after another seed", s.sample(t, 7, nil)},
		{"with progress", s.sample(t, 7, func(int) {})},
		{"by a fresh sampler", newSlice(33, opt).sample(t, 7, nil)},
	}
	for _, tt := range tests {
		if tt.got != first {
			t.Errorf("%s: other bits", tt.name)
		}
	}
	small := newSlice(10, opt)
	want := small.sample(t, 7, nil)
	s.r.Model, s.data, s.warm, s.u = small.r.Model, small.data, small.warm, make([]float32, 10)
	if s.sample(t, 7, nil) != want {
		t.Error("a sampler that worked on another size before: other bits")
	}
}

// TestEveryOptionCounts: each option of the sampler changes its samples.
func TestEveryOptionCounts(t *testing.T) {
	base := newSlice(33, DefaultOptions()).sample(t, 7, nil)
	for name, change := range map[string]func(*Options){
		"steps":   func(o *Options) { o.Steps = 19 },
		"start":   func(o *Options) { o.Start = 1.5 },
		"end":     func(o *Options) { o.End = -6 },
		"perturb": func(o *Options) { o.Perturb = 0.5 },
		"eta":     func(o *Options) { o.Eta = 0.85 },
		"r2":      func(o *Options) { o.R2Scale = 1 },
		"end r2":  func(o *Options) { o.EndScale = 3 },
		"end p":   func(o *Options) { o.EndPerturb = 0 },
	} {
		opt := DefaultOptions()
		change(&opt)
		if newSlice(33, opt).sample(t, 7, nil) == base {
			t.Errorf("%s: the same bits as by default", name)
		}
	}
}

func TestProgress(t *testing.T) {
	var seen []int
	opt := DefaultOptions()
	opt.Steps = 5
	newSlice(4, opt).sample(t, 1, func(i int) { seen = append(seen, i) })
	if got := fmt.Sprint(seen); got != "[1 2 3 4 5]" {
		t.Errorf("progress %s, want each of the five steps once", got)
	}
}

// call is one call of the model or of the data term.
type call struct {
	what  string
	level float64
	cond  *Condition
	r2    float64
	tol   float64
	iters int
	drawn bool
}

// tracer records calls; from call number fail on it answers as a model does whose
// context ended.
type tracer struct {
	Model
	DataTerm
	calls []call
	fail  int
	stop  context.CancelFunc
}

func (s *tracer) note(ctx context.Context, c call) error {
	s.calls = append(s.calls, c)
	if len(s.calls) == s.fail {
		s.stop()
	}
	return ctx.Err()
}

func (s *tracer) Encode(ctx context.Context, z, u []float32) error {
	if err := s.note(ctx, call{what: "encode"}); err != nil {
		return err
	}
	return s.Model.Encode(ctx, z, u)
}

func (s *tracer) Decode(ctx context.Context, u, z []float32) error {
	if err := s.note(ctx, call{what: "decode"}); err != nil {
		return err
	}
	return s.Model.Decode(ctx, u, z)
}

func (s *tracer) Velocity(ctx context.Context, v, z []float32, l float64, cond *Condition) error {
	if err := s.note(ctx, call{what: "velocity", level: l, cond: copyOf(cond)}); err != nil {
		return err
	}
	return s.Model.Velocity(ctx, v, z, l, cond)
}

func (s *tracer) Solve(ctx context.Context, u, u0, dy []float32, r2, tol float64, iters int) error {
	if err := s.note(ctx, call{what: "solve", r2: r2, tol: tol, iters: iters, drawn: dy != nil}); err != nil {
		return err
	}
	return s.DataTerm.Solve(ctx, u, u0, dy, r2, tol, iters)
}

func copyOf(c *Condition) *Condition {
	if c == nil {
		return nil
	}
	return &Condition{Image: append([]float32(nil), c.Image...), Start: append([]float32(nil), c.Start...)}
}

// trace runs a sample under a tracer that ends the context at call fail (0: never).
func trace(s *slice, fbp []float32, fail int) (*tracer, error) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	tr := &tracer{Model: s.r.Model, DataTerm: s.data, fail: fail, stop: stop}
	r := Resampler{Model: tr, Table: s.r.Table, Opt: s.r.Opt}
	stream := func(step uint32) ct.Stream { return ct.NewStream(1, 0, 0, step) }
	return tr, r.Sample(ctx, s.u, tr, s.warm, fbp, stream, nil)
}

// TestCalls: what a step costs, and that network and solver are told the level,
// the condition, the scaled error variance and the options.
func TestCalls(t *testing.T) {
	opt := DefaultOptions()
	opt.Steps, opt.EndChi2 = 4, 0
	levels := Levels(opt.Start, opt.End, opt.Steps)
	for _, tt := range []struct {
		name    string
		perturb float64
		fbp     []float32
	}{
		{"conditioned", 1, []float32{0.1, 0.2, 0.3}},
		{"unconditional, mode", 0, nil},
	} {
		opt.Perturb = tt.perturb
		s := newSlice(3, opt)
		tr, err := trace(s, tt.fbp, 0)
		if err != nil {
			t.Fatal(err)
		}
		var want []call
		want = append(want, call{what: "encode"})
		for _, l := range levels {
			r2, _ := s.r.Table.At(l)
			v := call{what: "velocity", level: l}
			if tt.fbp != nil {
				start := make([]float32, 3)
				s.r.Model.Encode(context.Background(), start, s.warm)
				v.cond = &Condition{Image: tt.fbp, Start: start}
			}
			want = append(want, v, call{what: "decode"},
				call{what: "solve", r2: 3 * r2, tol: 1e-2, iters: 30, drawn: tt.perturb > 0}, call{what: "encode"}, call{what: "encode"})
		}
		end, _ := s.r.Table.At(opt.End)
		want = append(want, call{what: "decode"}, call{what: "solve", r2: opt.EndScale * end, tol: 1e-3, iters: 60, drawn: opt.EndPerturb > 0})
		if len(tr.calls) != len(want) {
			t.Fatalf("%s: %d calls, want %d", tt.name, len(tr.calls), len(want))
		}
		for i, w := range want {
			if got := describe(tr.calls[i]); got != describe(w) {
				t.Errorf("%s: call %d is %s, want %s", tt.name, i, got, describe(w))
			}
		}
	}
}

func describe(c call) string {
	cond := "none"
	if c.cond != nil {
		cond = fmt.Sprint(*c.cond)
	}
	c.cond = nil
	return fmt.Sprintf("%+v, condition %s", c, cond)
}

// TestEndChi2: where the decoded image does not fit the data, the last step gives
// them more weight until it does, and no more often than it must.
func TestEndChi2(t *testing.T) {
	for _, tt := range []struct {
		limit  float64
		solves int // of the last step
	}{{0, 1}, {1e9, 1}, {1.1, 5}, {1e-9, 1 + endTries}} {
		opt := DefaultOptions()
		opt.Steps, opt.EndChi2, opt.EndPerturb, opt.EndScale = 3, tt.limit, 0, 67
		s := newSlice(33, opt)
		d := s.data.(*points)
		for i, g := range d.gain {
			d.y[i] = 1.2 * g / unit // the decoder ends at 1
		}
		tr, err := trace(s, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		var r2 []float64
		for _, c := range tr.calls {
			if c.what == "solve" && c.tol == opt.EndTol {
				r2 = append(r2, c.r2)
			}
		}
		chi2 := s.data.Chi2(s.u)
		t.Logf("limit %g: r2 %g, chi-square %g", tt.limit, r2, chi2)
		if len(r2) != tt.solves {
			t.Errorf("limit %g: %d last solves, want %d", tt.limit, len(r2), tt.solves)
		}
		for i := 1; i < len(r2); i++ {
			if r2[i] != endFactor*r2[i-1] {
				t.Errorf("limit %g: r2 %g", tt.limit, r2)
			}
		}
		if enough := chi2 <= tt.limit; enough != (tt.limit >= 1) {
			t.Errorf("limit %g: chi-square %g", tt.limit, chi2)
		}
	}
}

// TestCancel: whichever call sees the context end first, Sample returns its error,
// calls nothing more and leaves the image as it was.
func TestCancel(t *testing.T) {
	opt := DefaultOptions()
	opt.Steps = 3
	s := newSlice(4, opt)
	whole, err := trace(s, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.u {
		s.u[i] = 42
	}
	for at := 1; at <= len(whole.calls); at++ {
		tr, err := trace(s, nil, at)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("ended at call %d (%s): error %v", at, whole.calls[at-1].what, err)
		}
		if len(tr.calls) != at {
			t.Errorf("ended at call %d (%s): %d calls were made", at, whole.calls[at-1].what, len(tr.calls))
		}
		if fmt.Sprint(s.u) != "[42 42 42 42]" {
			t.Fatalf("ended at call %d (%s): the image was written: %v", at, whole.calls[at-1].what, s.u)
		}
	}
}

// TestStreams: no two uses of random numbers share a step, and the starting noise
// is the first.
func TestStreams(t *testing.T) {
	opt := DefaultOptions()
	opt.Steps = 6
	s := newSlice(4, opt)
	seen := map[uint32]int{}
	stream := func(step uint32) ct.Stream {
		seen[step]++
		return ct.NewStream(1, 0, 0, step)
	}
	if err := s.r.Sample(context.Background(), s.u, s.data, s.warm, nil, stream, nil); err != nil {
		t.Fatal(err)
	}
	if want := 1 + 3*opt.Steps - 1 + 1; len(seen) != want {
		t.Errorf("%d streams, want %d: one to start, three a step but the last, which adds no noise, one to end", len(seen), want)
	}
	for step, n := range seen {
		if n != 1 {
			t.Errorf("step %d was used %d times", step, n)
		}
	}
}

// biased is an autoencoder whose encoder is off by a constant.
type biased struct {
	repeats
	by float32
}

func (b biased) Encode(ctx context.Context, z, u []float32) error {
	err := b.repeats.Encode(ctx, z, u)
	for i := range z {
		z[i] += b.by
	}
	return err
}

// TestDifferentialEncoding: the encoder's own error does not reach the latent,
// because only a difference of two encoded images does.
func TestDifferentialEncoding(t *testing.T) {
	const n = 8
	latentOf := func(by float32) []float32 {
		s := newSlice(n, DefaultOptions())
		r := Resampler{Model: biased{repeats{0.5, n}, by}, Opt: Options{Perturb: 1}}
		r.allocate(n)
		copy(r.z0, s.warm)
		if err := r.consistent(context.Background(), s.data, unit*unit, 1, ct.NewStream(1, 0, 0, 1), ct.NewStream(1, 0, 0, 2)); err != nil {
			t.Fatal(err)
		}
		return r.zy
	}
	want := latentOf(0)
	for i, got := range latentOf(3) {
		if math.Abs(float64(got-want[i])) > 2e-6 { // rounding of numbers about 4
			t.Errorf("latent %d is %g with a biased encoder, %g without", i, got, want[i])
		}
	}
}

// TestEncoderSeesNormalisedImages: what the data ask beyond the range of images
// that the encoder was trained on is clipped, in both images of the difference.
func TestEncoderSeesNormalisedImages(t *testing.T) {
	const n = 4
	r := Resampler{Model: repeats{0.5, n}}
	r.allocate(n)
	d := &points{gain: []float64{1, 1, 1, 0}, y: []float64{5 / unit, -5 / unit, 0.5 / unit, 0}, sigma: 1e-3}
	copy(r.z0, []float32{0.25 / unit, 0.25 / unit, 0.25 / unit, 2 / unit})
	if err := r.consistent(context.Background(), d, 1, 0, ct.Stream{}, ct.Stream{}); err != nil {
		t.Fatal(err)
	}
	// the last is not measured: it keeps its latent, for both images clip alike
	for i, want := range []float64{1, -1, 0.5, 2} {
		near(t, fmt.Sprintf("image %d", i), float64(r.zy[i])*unit, want, 1e-5)
	}
}

// TestSecondSampleAllocatesNothing: the work space is kept.
func TestSecondSampleAllocatesNothing(t *testing.T) {
	s := newSlice(64, DefaultOptions())
	ctx := context.Background()
	stream := func(step uint32) ct.Stream { return ct.NewStream(1, 0, 0, step) }
	steps := 0
	progress := func(int) { steps++ }
	for name, fbp := range map[string][]float32{"unconditional": nil, "conditioned": make([]float32, 64)} {
		got := testing.AllocsPerRun(3, func() {
			if err := s.r.Sample(ctx, s.u, s.data, s.warm, fbp, stream, progress); err != nil {
				t.Fatal(err)
			}
		})
		if got != 0 {
			t.Errorf("%s: %g allocations in a later call", name, got)
		}
	}
	if steps != 2*4*s.r.Opt.Steps {
		t.Errorf("%d steps were made, want %d", steps, 2*4*s.r.Opt.Steps)
	}
}
