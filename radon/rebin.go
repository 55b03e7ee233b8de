package radon

import (
	"fmt"
	"math"
	"sort"

	"ctrecon/ct"
)

// Fan is a fan-beam geometry in mm. At source angle beta (degrees) the source
// stands at (SOD sin beta, -SOD cos beta) and the detector's axis is (cos beta,
// sin beta); a flat detector has its bins at SDD tan(gamma) = (k-(K-1)/2-
// offset)*BinSize, a curved one at SDD gamma. The ray (beta, gamma) is the
// parallel ray theta = beta - gamma, s = SOD sin(gamma).
type Fan struct {
	SOD, SDD float64
	Curved   bool
}

// angle is gamma at detector position u (mm).
func (f Fan) angle(u float64) float64 {
	if f.Curved {
		return u / f.SDD
	}
	return math.Atan(u / f.SDD)
}

// position is the inverse of angle.
func (f Fan) position(gamma float64) float64 {
	if f.Curved {
		return gamma * f.SDD
	}
	return f.SDD * math.Tan(gamma)
}

// ParallelOf is a parallel geometry for a fan-beam scan: bins of the detector's
// spacing at the axis, as many as the fan has, and views over the half turn, one
// and a half times as many as source positions a half turn (a fan of positions
// fills in between), over the arc alone when less than a half turn was measured.
func ParallelOf(g ct.Geometry, f Fan) ct.Geometry {
	arc := g.Arc()
	half := f.angle(float64(g.Bins-1) / 2 * g.BinSize)
	views := int(math.Round(1.5 * float64(g.Views()) * 180 / math.Max(arc, 180) * math.Min(1, arc/180)))
	start, span := 0.0, 180.0
	if short := arc - 2*half*180/math.Pi; arc < 180 {
		start, span = minimum(g.Angles)+half*180/math.Pi, math.Max(short, arc/4)
	} else if arc < 359 && arc < 180+2*half*180/math.Pi {
		start = minimum(g.Angles)
	}
	out := ct.Geometry{Angles: make([]float64, max(1, views)), Bins: g.Bins, BinSize: g.BinSize * f.SOD / f.SDD}
	for i := range out.Angles {
		out.Angles[i] = start + span*float64(i)/float64(len(out.Angles))
	}
	return out
}

func minimum(a []float64) float64 {
	lo := math.Inf(1)
	for _, v := range a {
		lo = math.Min(lo, v)
	}
	return lo
}

// RebinFan resamples a fan-beam sinogram (angles of the source) to parallel
// views: each datum is interpolated linearly in source angle and bin, averaged
// over rays spread over the target bin, and over the ray and its conjugate where
// both were measured. Neighbouring source positions further apart than twice the
// usual step are a gap that is not bridged. A bin without a measured ray gets
// Sigma = +Inf. Noise: a mean of interpolated data is taken to have 0.7 of the
// deviation of a datum.
func RebinFan(s ct.Sinogram, f Fan, target ct.Geometry) (ct.Sinogram, error) {
	switch {
	case !(f.SOD > 0) || !(f.SDD >= f.SOD):
		return ct.Sinogram{}, fmt.Errorf("fan beam with source to axis %g mm and source to detector %g mm: both must be positive, the second not smaller", f.SOD, f.SDD)
	case s.Views() < 2:
		return ct.Sinogram{}, fmt.Errorf("fan beam of %d source position(s): two are needed", s.Views())
	}
	if err := target.Check(); err != nil {
		return ct.Sinogram{}, err
	}
	if s.Noise.Sigma == 0 && s.Sigma == nil {
		// Bins without a ray need a finite deviation beside them.
		s.Noise = ct.Noise{Sigma: math.Max(1e-4, ct.EstimateSigma(&s)), Source: "estimated"}
	}
	r := newRebinner(&s, f)
	out := ct.NewSinogram(target)
	out.Sigma = make([]float32, len(out.Data))
	out.Noise = s.Noise
	sub := max(1, int(math.Ceil(target.BinSize/(s.BinSize*f.SOD/f.SDD))))
	missing := false
	for v, deg := range target.Angles {
		for k := range target.Bins {
			i := v*target.Bins + k
			val, sd, ok := r.bin(deg, target.S(k), target.BinSize, sub)
			out.Data[i], out.Sigma[i] = float32(val), float32(sd)
			if !ok {
				out.Data[i], out.Sigma[i], missing = 0, float32(math.Inf(1)), true
			}
		}
	}
	out.Noise.Sigma *= rebinNoise
	if s.Sigma == nil && !missing {
		out.Sigma = nil
	}
	return out, nil
}

const rebinNoise = 0.7

// rebinner looks up rays of a fan-beam scan.
type rebinner struct {
	s     *ct.Sinogram
	f     Fan
	beta  []float64 // sorted, degrees in [0, 360)
	order []int
	step  float64
}

func newRebinner(s *ct.Sinogram, f Fan) *rebinner {
	n := s.Views()
	r := &rebinner{s: s, f: f, order: make([]int, n), beta: make([]float64, n)}
	for i := range r.order {
		r.order[i] = i
	}
	turn := func(i int) float64 { return math.Mod(math.Mod(s.Angles[i], 360)+360, 360) }
	sort.SliceStable(r.order, func(a, b int) bool { return turn(r.order[a]) < turn(r.order[b]) })
	gaps := make([]float64, n)
	for i, v := range r.order {
		r.beta[i] = turn(v)
	}
	for i := range gaps {
		gaps[i] = r.gap(i)
	}
	sort.Float64s(gaps)
	r.step = gaps[n/2]
	return r
}

// gap is the distance from source position i to the next, round the turn.
func (r *rebinner) gap(i int) float64 {
	if i+1 < len(r.beta) {
		return r.beta[i+1] - r.beta[i]
	}
	return r.beta[0] + 360 - r.beta[i]
}

// bin averages sub rays over a target bin.
func (r *rebinner) bin(deg, s, width float64, sub int) (val, sd float64, ok bool) {
	var sum, vars, n float64
	for j := range sub {
		x := s + (float64(j)+0.5)/float64(sub)*width - width/2
		for _, ray := range [2][2]float64{{deg, x}, {deg + 180, -x}} {
			if v, e, live := r.ray(ray[0], ray[1]); live {
				sum, vars, n = sum+v, vars+e*e, n+1
			}
		}
	}
	if n == 0 {
		return 0, 0, false
	}
	return sum / n, rebinNoise * math.Sqrt(vars/n), true
}

// ray interpolates the datum of the parallel ray (deg, s).
func (r *rebinner) ray(deg, s float64) (val, sd float64, ok bool) {
	if math.Abs(s) >= r.f.SOD {
		return 0, 0, false
	}
	gamma := math.Asin(s / r.f.SOD)
	k := r.f.position(gamma)/r.s.BinSize + float64(r.s.Bins-1)/2 + r.s.Offset
	beta := math.Mod(math.Mod(deg+gamma*180/math.Pi, 360)+360, 360)
	k0 := int(math.Floor(k))
	if k < -0.5 || k > float64(r.s.Bins)-0.5 {
		return 0, 0, false
	}
	k0 = max(0, min(r.s.Bins-2, k0))
	i := sort.SearchFloat64s(r.beta, beta+1e-9) - 1
	if i < 0 {
		i = len(r.beta) - 1
	}
	t := math.Mod(beta-r.beta[i]+360, 360)
	if t > 360-1e-6 {
		t = 0 // on the position, but for rounding: not a turn after it
	}
	g := r.gap(i)
	next := (i + 1) % len(r.beta)
	if g > 2*r.step {
		if t > 1e-6 {
			return 0, 0, false
		}
		next, g = i, 1
	}
	wt, wk := 0.0, math.Max(0, math.Min(1, k-float64(k0)))
	if g > 0 {
		wt = t / g
	}
	for _, c := range [4]struct {
		view, bin int
		w         float64
	}{{i, k0, (1 - wt) * (1 - wk)}, {i, k0 + 1, (1 - wt) * wk}, {next, k0, wt * (1 - wk)}, {next, k0 + 1, wt * wk}} {
		if c.w == 0 {
			continue
		}
		at := r.order[c.view]*r.s.Bins + c.bin
		if r.s.Dead(at) {
			return 0, 0, false
		}
		val += c.w * float64(r.s.Data[at])
		if r.s.Sigma != nil {
			sd += c.w * float64(r.s.Sigma[at])
		} else {
			sd += c.w * r.s.Noise.Sigma
		}
	}
	return val, sd, true
}
