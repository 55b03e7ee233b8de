package ldm

import (
	"context"
	"fmt"
	"math"
	"testing"
)

// bent is a small model whose decoder and network are curved.
type bent struct{ decode, noise [][]float64 }

func newBent() *bent {
	w := func(rows, cols int, phase float64) [][]float64 {
		m := make([][]float64, rows)
		for i := range m {
			for j := range cols {
				m[i] = append(m[i], 0.6*math.Sin(phase+1.7*float64(i)+2.3*float64(j)*float64(i+1)))
			}
		}
		return m
	}
	return &bent{w(7, 5, 0.3), w(5, 5, 1.1)}
}

func (b *bent) Dims() Dims { return Dims{H: 1, W: 7, Channels: 1, LH: 1, LW: 5} }

func (b *bent) Encode(context.Context, []float32, []float32) error { panic("nothing to encode") }

// image is D: 0.9 tanh(W z).
func (b *bent) image(z []float64) []float64 {
	u := make([]float64, len(b.decode))
	for i, w := range b.decode {
		u[i] = 0.9 * math.Tanh(inner(w, z))
	}
	return u
}

// velocity is sin(B z + l/3).
func (b *bent) velocity(z []float64, l float64) []float64 {
	v := make([]float64, len(b.noise))
	for i, w := range b.noise {
		v[i] = math.Sin(inner(w, z) + l/3)
	}
	return v
}

func (b *bent) Decode(_ context.Context, u, z []float32) error {
	narrow(u, b.image(widen(make([]float64, len(z)), z)))
	return nil
}

func (b *bent) Velocity(_ context.Context, v, z []float32, l float64, _ *Condition) error {
	narrow(v, b.velocity(widen(make([]float64, len(z)), z), l))
	return nil
}

func (b *bent) DecodeVJP(ctx context.Context, u, dz, z, du []float32) error {
	g := make([]float64, len(dz))
	for i, x := range b.image(widen(make([]float64, len(z)), z)) {
		for j, w := range b.decode[i] {
			g[j] += float64(du[i]) * w * 0.9 * (1 - square(x/0.9))
		}
	}
	narrow(dz, g)
	return b.Decode(ctx, u, z)
}

func (b *bent) VelocityVJP(ctx context.Context, v, dz, z []float32, l float64, cond *Condition, dv []float32) error {
	g, wide := make([]float64, len(dz)), widen(make([]float64, len(z)), z)
	for i, w := range b.noise {
		slope := math.Cos(inner(w, wide) + l/3)
		for j, x := range w {
			g[j] += float64(dv[i]) * slope * x
		}
	}
	narrow(dz, g)
	return b.Velocity(ctx, v, z, l, cond)
}

func narrow(dst []float32, x []float64) {
	for i, v := range x {
		dst[i] = float32(v)
	}
}

// bentData measures the image u of bent; a unit of rho is 0.02 of u.
func bentData() *gradData {
	a := eye(7)
	for j := range 7 {
		for i := range 7 {
			a.Set(j, i, math.Cos(float64(j*i+j)))
		}
	}
	d := newGradData(newToy([]float64{1, 1, 1, 1, 1, 1, 1}, eye(7), a, 0.02/unit))
	for j := range d.y {
		d.y[j] = math.Sin(float64(3*j)) / unit
	}
	return d
}

// slopeOf is the gradient of f at z by central differences.
func slopeOf(f func(z []float64) float64, z []float64) []float64 {
	const h = 1e-5
	g, at := make([]float64, len(z)), append([]float64(nil), z...)
	for i := range z {
		at[i] = z[i] + h
		up := f(at)
		at[i] = z[i] - h
		g[i] = (up - f(at)) / (2 * h)
		at[i] = z[i]
	}
	return g
}

// away is the norm of y - A u in units of u times pixels.
func away(d *gradData, u []float64) float64 {
	sum := 0.0
	for j, y := range d.y {
		sum += square(inner(d.a.RawRowView(j), u) - y*unit)
	}
	return math.Sqrt(sum)
}

// chainOf runs p and returns the latents before the first step and after each.
func chainOf(t *testing.T, p Sampler, z *[]float32, d DataTerm) (at [][]float64) {
	t.Helper()
	first := make([]float32, 5)
	steps(4)(0).Normals(first, 0)
	at = append(at, widen(make([]float64, 5), first))
	note := func(int) { at = append(at, widen(make([]float64, 5), *z)) }
	if err := p.Sample(context.Background(), make([]float32, 7), d, nil, nil, steps(4), note); err != nil {
		t.Fatal(err)
	}
	return at
}

// stepped compares a step with the DDIM step less shift, to float32: the network's
// estimates and the gradient are rounded some ten times.
func stepped(t *testing.T, name string, got, ddim, shift []float64) (length float64) {
	t.Helper()
	for i, x := range got {
		tol := 10 * (math.Abs(ddim[i]) + math.Sqrt(inner(shift, shift)) + 1) / (1 << 24)
		if off := math.Abs(x - (ddim[i] - shift[i])); !(off <= tol) {
			t.Errorf("%s: latent %d is %.8g, want %.8g - %.8g (off by %.2g, allowed %.2g)", name, i, x, ddim[i], shift[i], off, tol)
		}
	}
	return math.Sqrt(inner(shift, shift))
}

// split is what the network makes of z at the signal's share a.
func (b *bent) split(z []float64, a float64) (clean, noise []float64) {
	clean, noise = make([]float64, len(z)), make([]float64, len(z))
	for i, v := range b.velocity(z, LogNSR(a)) {
		clean[i] = math.Sqrt(a)*z[i] - math.Sqrt(1-a)*v
		noise[i] = math.Sqrt(a)*v + math.Sqrt(1-a)*z[i]
	}
	return clean, noise
}

func mixed(s float64, x []float64, n float64, e []float64) []float64 {
	out := make([]float64, len(x))
	for i := range x {
		out[i] = s*x[i] + n*e[i]
	}
	return out
}

// TestLatentDPSStep: each step is DDIM less zeta a times the gradient, by finite
// differences through decoder and network, of the residual's norm over the root of
// the number of data.
func TestLatentDPSStep(t *testing.T) {
	const n = 8
	b, d, all := newBent(), bentData(), LDMAlphas(1000)
	p := &LatentDPS{Model: b, Opt: LatentDPSOptions{N: n, Zeta: 2.5}}
	at, longest := chainOf(t, p, &p.z, d), 0.0
	for i := range n {
		a, to := all[999-125*i], 1.0
		if i+1 < n {
			to = all[999-125*(i+1)]
		}
		g := slopeOf(func(z []float64) float64 {
			clean, _ := b.split(z, a)
			return away(d, b.image(clean)) / math.Sqrt(7)
		}, at[i])
		clean, noise := b.split(at[i], a)
		shift := mixed(2.5*a, g, 0, g)
		longest = max(longest, stepped(t, fmt.Sprintf("step %d", i), at[i+1], mixed(math.Sqrt(to), clean, math.Sqrt(1-to), noise), shift))
	}
	if longest < 0.1 {
		t.Errorf("the longest step against the gradient is %g: too short to tell", longest)
	}
}

// TestPaperGuide: the latent DPS term of the released program is 0.5 a times the
// gradient of the residual's norm, not squared, through the decoder at its own
// clean estimate, with the network held fixed.
func TestPaperGuide(t *testing.T) {
	const n = 8
	b, d, all := newBent(), bentData(), LDMAlphas(1000)
	for _, old := range []bool{false, true} {
		p := &Paper{Model: b, Opt: PaperOptions{Steps: n, Pixel: -1, Every: 10, DPS: 0.5, OldTweedie: old}}
		at, longest := chainOf(t, p, &p.z, d), 0.0
		for i := range n {
			a, to := all[999-125*i], 1.0
			if i+1 < n {
				to = all[999-125*(i+1)]
			}
			clean, noise := b.split(at[i], a)
			subtract := math.Sqrt(1 - a)
			if old {
				subtract = 1 - a
			}
			g := slopeOf(func(z []float64) float64 {
				return away(d, b.image(mixed(1/math.Sqrt(a), z, -subtract/math.Sqrt(a), noise)))
			}, at[i])
			name := fmt.Sprintf("old Tweedie %t, step %d", old, i)
			longest = max(longest, stepped(t, name, at[i+1], mixed(math.Sqrt(to), clean, math.Sqrt(1-to), noise), mixed(0.5*a, g, 0, g)))
		}
		if longest < 0.1 {
			t.Errorf("the longest step against the gradient is %g: too short to tell", longest)
		}
	}
}

// TestLatentDPSWithoutWeight is DDIM: on the toy each mode follows the closed form
// z <- (sqrt(a a') s + sqrt((1-a)(1-a'))) / (a s + 1-a) z.
func TestLatentDPSWithoutWeight(t *testing.T) {
	toy := modesToy()
	p := &LatentDPS{Model: newToyModel(toy), Opt: LatentDPSOptions{N: 1000}}
	if err := p.Sample(context.Background(), make([]float32, 12), newGradData(toy), nil, nil, steps(4), nil); err != nil {
		t.Fatal(err)
	}
	all, start := LDMAlphas(1000), make([]float32, 12)
	steps(4)(0).Normals(start, 0)
	for i, s := range toy.s {
		want, to := float64(start[i]), 1.0
		for k := 999; k >= 0; k-- {
			a := all[k]
			if to = 1; k > 0 {
				to = all[k-1]
			}
			want *= (math.Sqrt(a*to)*s + math.Sqrt((1-a)*(1-to))) / (a*s + 1 - a)
		}
		near(t, fmt.Sprintf("mode %d", i), float64(p.z[i]), want, 8*math.Sqrt(1000)/(1<<24))
	}
}
