package ldm

import (
	"context"
	"fmt"
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// change is o with f done to it.
func change(o PaperOptions, f func(*PaperOptions)) PaperOptions {
	f(&o)
	return o
}

// TestPaperOnToys: a sample of Paper is, number by number, what the recursion of
// its row in the table makes of the same random numbers. All gains and all noise
// count. Latent optimisations run until the misfit is below 1e-8, which leaves each
// latent within |row of pinv(H)| sqrt(m 1e-8) sigma of least squares.
func TestPaperOnToys(t *testing.T) {
	code, _ := DefaultPaper().Compat("code")
	code.DPS = 0
	paper, _ := DefaultPaper().Compat("paper")
	tests := []struct {
		name  string
		opt   PaperOptions
		steps func(*toy) []affine
	}{
		{"paper", paper, recipe(published{paperS2: true})},
		{"paper, no latent stage", change(paper, func(o *PaperOptions) { o.Fit.Iters = 0 }), recipe(published{paperS2: true, stage: none})},
		{"paper, final", change(paper, func(o *PaperOptions) { o.Final = true }), recipe(published{paperS2: true, final: true})},
		{"default", DefaultPaper(), recipe(published{final: true})},
		{"default, not final", change(DefaultPaper(), func(o *PaperOptions) { o.Final = false }), recipe(published{})},
		{"right noise, no latent stage", change(paper, func(o *PaperOptions) { o.PaperS2, o.RightNoise, o.Fit.Iters = false, true, 0 }), recipe(published{stage: none, rightNoise: true})},
		{"code", code, released(program{true, true, true, hard})},
		{"code, Tweedie right", change(code, func(o *PaperOptions) { o.OldTweedie = false }), released(program{false, true, true, hard})},
		{"code, Tweedie and index right", change(code, func(o *PaperOptions) { o.OldTweedie, o.LateIndex = false, false }), released(program{false, false, true, hard})},
		{"code, no latent stage", change(code, func(o *PaperOptions) { o.Final, o.Fit.Iters = false, 0 }), released(program{true, true, false, none})},
		{"code, not final", change(code, func(o *PaperOptions) { o.Final = false }), released(program{true, true, false, hard})},
	}
	for _, toy := range []*toy{modesToy(), radonToy()} {
		for _, tt := range tests {
			name := fmt.Sprintf("%s, %d modes", tt.name, len(toy.s))
			d := newGradData(toy)
			slack := make([]float64, len(toy.s))
			toy.solvable(d.y)
			if tt.opt.Fit.Iters > 0 {
				const stop = 1e-8
				tt.opt.Fit = LatentOptions{Iters: 20000, Rate: 0.02, Stop: stop}
				inverse := pinv(toy.h)
				for i := range slack {
					slack[i] = mat.Norm(inverse.RowView(i), 2) * math.Sqrt(float64(len(d.y))*stop) * toy.sigma
				}
			} else { // the data need no fit, so let them be noisy
				for j, n := range normals(len(d.y), 31) {
					d.y[j] += toy.sigma * float64(n)
				}
			}
			p := &Paper{Model: newToyModel(toy), Opt: tt.opt}
			u := make([]float32, p.Model.Dims().Pixels())
			if err := p.Sample(context.Background(), u, d, nil, nil, steps(3), nil); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			want, bound := follow(tt.steps(toy), d.y, slack, steps(3))
			for i, w := range want {
				if off := math.Abs(float64(p.z[i]) - w); !(off <= bound[i]) {
					t.Errorf("%s: latent %d is %g, the recursion's %g: off by %.2g, allowed %.2g", name, i, p.z[i], w, off, bound[i])
				}
				image := inner(mat.Col(nil, i, toy.d), widen(make([]float64, len(u)), u)) / unit
				if off := math.Abs(image - float64(p.z[i])); off > 3e-6 { // rounding of 64 pixels
					t.Errorf("%s: image shows latent %d as %g, it is %g", name, i, image, p.z[i])
				}
			}
		}
	}
}

// TestPrintedWeights: the share of the data by both rules, and the share of the
// noise that the paper's variance leaves, as printed.
func TestPrintedWeights(t *testing.T) {
	code := DefaultPaper()
	paper := change(code, func(o *PaperOptions) { o.PaperS2 = true })
	for _, tt := range []struct {
		t                              int
		paper, leftPaper, code, leftBy float64
	}{
		{750, 0.984, 0.985, 0.346, 0.774},
		{500, 0.735, 0.805, 0.265, 0.805},
		{300, 0.319, 0.783, 0.243, 0.816},
		{100, 0.104, 0.907, 0.350, 0.772},
		{50, 0.077, 0.929, 0.479, 0.750},
		{10, 0.060, 0.943, 0.790, 0.834},
	} {
		p, c := paper.Weight(tt.t), code.Weight(tt.t)
		name := fmt.Sprintf("time %d: ", tt.t)
		printed(t, name+"paper", p, tt.paper, 3)
		printed(t, name+"left by the paper", 1-p+p*p, tt.leftPaper, 3)
		printed(t, name+"code", c, tt.code, 3)
		printed(t, name+"left by the code", 1-c+c*c, tt.leftBy, 3)
	}
}

// TestResamplingNoise: eq. 13 keeps w of the new latent and 1-w of the old and adds
// the variance w(1-a), or w(2-w)(1-a), which with the (1-w)^2 (1-a) of the old
// noise makes the 1-a that the network is told.
func TestResamplingNoise(t *testing.T) {
	const n = 50
	fresh := normals(n, 40)
	for _, right := range []bool{false, true} {
		for _, w := range []float64{0, 0.06, 0.5, 1} {
			for _, a := range []float64{0.01, 0.5, 0.9985} {
				p := Paper{Opt: PaperOptions{RightNoise: right}}
				p.allocate(Dims{H: 1, W: n, Channels: 1, LH: 1, LW: n})
				for i := range p.z {
					p.z[i], p.zy[i] = float32(i), -2
				}
				noise := steps(5)(1)
				noise.Normals(fresh, 0)
				p.resample(w, a, noise)
				variance := w * (1 - a)
				if right {
					variance = (1 - a) - square(1-w)*(1-a)
				}
				for i, z := range p.z {
					want := -2*w*math.Sqrt(a) + (1-w)*float64(i) + math.Sqrt(variance)*float64(fresh[i])
					if math.Abs(float64(z)-want) > float64(n)/(1<<23) {
						t.Fatalf("right %t, w %g, a %g: number %d is %g, want %g", right, w, a, i, z, want)
					}
				}
			}
		}
	}
}

// TestOldTweedie: the program's estimate keeps noise of s sqrt((1-s)/(1+s)), s^2 =
// 1-a, which is 0.300 at most; without the switch nothing changes.
func TestOldTweedie(t *testing.T) {
	top := 0.0
	for s := 0.002; s < 0.9999; s += 0.002 {
		p := Paper{Opt: PaperOptions{OldTweedie: true}}
		p.z0, p.eps = []float32{0.25, 0}, []float32{0, 1}
		p.estimate(1 - s*s)
		if p.z0[0] != 0.25 {
			t.Fatalf("s %g: an estimate without noise moved to %g", s, p.z0[0])
		}
		near(t, fmt.Sprintf("s %.3f", s), float64(p.z0[1]), s*math.Sqrt((1-s)/(1+s)), 1e-6)
		top = max(top, float64(p.z0[1]))
		p.Opt.OldTweedie, p.z0[1] = false, 3
		if p.estimate(1 - s*s); p.z0[1] != 3 {
			t.Fatalf("s %g: the right estimate moved to %g", s, p.z0[1])
		}
	}
	printed(t, "largest", top, 0.300, 3)
}

// TestWhenPaperOptimises: at every tenth time from 750 on, in pixels above 300, and
// once for each ten times when steps are longer; the program has 17 and 16.
func TestWhenPaperOptimises(t *testing.T) {
	code, _ := DefaultPaper().Compat("code")
	code.DPS = 0
	by := func(n int) PaperOptions { return change(DefaultPaper(), func(o *PaperOptions) { o.Steps = n }) }
	for _, tt := range []struct {
		name          string
		opt           PaperOptions
		pixel, latent int
	}{
		{"1000 steps", by(1000), 45, 30},
		{"500 steps", by(500), 45, 29}, // times 741, 731, ..., 301 and 291, ..., 11
		{"50 steps", by(50), 22, 15},   // times 739, 719, ..., 319 and 299, ..., 19
		{"10 steps", by(10), 4, 3},     // times 699, 599, 499, 399 and 299, 199, 99
		{"every time", change(by(1000), func(o *PaperOptions) { o.Every = 1 }), 450, 300},
		{"code", code, 17, 16},
	} {
		tt.opt.Fit.Iters, tt.opt.Final = 0, false
		toy := flatToy(0.5, 0.05)
		d := newGradData(toy)
		p := &Paper{Model: newToyModel(toy), Opt: tt.opt}
		if err := p.Sample(context.Background(), make([]float32, 6), d, nil, nil, steps(1), nil); err != nil {
			t.Fatal(err)
		}
		if d.solved != tt.pixel || d.asked != tt.latent {
			t.Errorf("%s: %d optimisations in pixels and %d in the latent, want %d and %d", tt.name, d.solved, d.asked, tt.pixel, tt.latent)
		}
	}
}

func TestCompat(t *testing.T) {
	for what, known := range map[string]bool{"": true, "paper": true, "code": true, "other": false, "Paper": false} {
		o, ok := DefaultPaper().Compat(what)
		if ok != known {
			t.Errorf("compat %q: known %t, want %t", what, ok, known)
		}
		if same := o == DefaultPaper(); same != (what == "" || !known) {
			t.Errorf("compat %q: as the default: %t", what, same)
		}
	}
}
