package ldm

import (
	"context"
	"math"
	"sort"
)

// Model is a latent diffusion model of images of one size. Calls overwrite
// their first argument and keep the others; lengths are those of Dims. A Model
// is used by one goroutine at a time and returns ctx's error within a second of
// its end.
type Model interface {
	Dims() Dims
	// Encode writes the latent of the normalised image u.
	Encode(ctx context.Context, z, u []float32) error
	// Decode writes the normalised image of the latent z.
	Decode(ctx context.Context, u, z []float32) error
	// Velocity writes the network's v at level l, with what the network is
	// conditioned on, nil for the unconditional prior.
	Velocity(ctx context.Context, v, z []float32, l float64, cond *Condition) error
}

// Condition is what the network is told about the slice beside its noisy latent.
// A model uses what it was trained with.
type Condition struct {
	Image []float32 // filtered backprojection as a normalised image
	Start []float32 // latent of the warm start (TV)
}

// Dims are the sizes of a model's images and latents.
type Dims struct {
	H, W             int // image
	Channels, LH, LW int // latent
}

// Pixels is the length of an image.
func (d Dims) Pixels() int { return d.H * d.W }

// Latent is the length of a latent.
func (d Dims) Latent() int { return d.Channels * d.LH * d.LW }

// Range maps normalised values to Hounsfield units: HU = Half*u + Mid.
type Range struct{ Mid, Half float64 }

// HU of a normalised value.
func (r Range) HU(u float64) float64 { return r.Half*u + r.Mid }

// Unit is the normalised value of hu, clipped to [-1, 1].
func (r Range) Unit(hu float64) float64 { return max(-1, min(1, (hu-r.Mid)/r.Half)) }

// ErrorTable is what was measured on held-out slices: the mean square error of
// the decoded estimate D(z0(z_l)) (R2, normalised units) and of the latent
// estimate z0(z_l) (RZ2) at levels L, in increasing order.
type ErrorTable struct{ L, R2, RZ2 []float64 }

// At interpolates both errors, linear in l and in their logarithm; outside the
// table the end values hold.
func (t ErrorTable) At(l float64) (r2, rz2 float64) {
	return interpolateLog(t.L, t.R2, l), interpolateLog(t.L, t.RZ2, l)
}

func interpolateLog(x, y []float64, at float64) float64 {
	i := sort.SearchFloat64s(x, at)
	switch {
	case i == 0:
		return y[0]
	case i == len(x):
		return y[len(y)-1]
	}
	w := (at - x[i-1]) / (x[i] - x[i-1])
	return math.Exp((1-w)*math.Log(y[i-1]) + w*math.Log(y[i]))
}
