package helical

import (
	"fmt"
	"math"

	"ctrecon/ct"
)

// A ray up to a row beside the detector is replaced by the last row's, where there
// is no other; its weight is small enough not to count beside others.
const (
	beside = 1e-4
	none   = 1e-7
)

// Rebinner makes slices of a scan. Its methods may be called from several
// goroutines.
type Rebinner struct {
	scan  *Scan
	spots []*spot
	reach float64 // mm that a slice may lie from a focal spot that sees it
}

// NewRebinner checks the scan.
func NewRebinner(s *Scan) (*Rebinner, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	all, err := s.spots()
	if err != nil {
		return nil, err
	}
	r := &Rebinner{scan: s, spots: all}
	for _, p := range all {
		for _, k := range []int{0, s.Cols / 2, s.Cols - 1} {
			top, bottom := p.slice(float64(s.Rows), k, s.Shape, s), p.slice(-1, k, s.Shape, s)
			r.reach = math.Max(r.reach, math.Max(math.Abs(top), math.Abs(bottom)))
		}
	}
	return r, nil
}

// Spots is the number of places of the focal spot.
func (r *Rebinner) Spots() int { return len(r.spots) }

// rowOf is the row of column k whose ray crosses the slice, dz mm above the focal
// spot, at its place nearest to the axis.
func (p *spot) rowOf(dz float64, k int, s *Scan) float64 {
	if s.Shape == Spherical {
		return s.CenterRow + math.Atan(dz*p.tilt[k])*s.Distance/s.RowSize
	}
	return p.row0 + dz*p.row[k]
}

// slice is the inverse of rowOf.
func (p *spot) slice(row float64, k int, shape Shape, s *Scan) float64 {
	if shape == Spherical {
		return math.Tan((row-s.CenterRow)*s.RowSize/s.Distance) / p.tilt[k]
	}
	return (row - p.row0) / p.row[k]
}

// weigh is the weight of a ray at a row: the square of its distance from the
// detector's end. The steeper it falls, the smaller the inclination of what is
// used, and the fewer of the photons.
func (s *Scan) weigh(row float64) float64 {
	half := float64(s.Rows-1) / 2
	d := math.Abs(row - half)
	switch {
	case d > half+1:
		return 0
	case d > half:
		return beside * (half + 1 - d)
	}
	d = 1 - d/(half+1)
	return beside + d*d
}

// Range is where slices are measured from all sides; lo > hi says nowhere.
func (r *Rebinner) Range() (lo, hi float64) {
	first, last := math.Inf(1), math.Inf(-1)
	for _, p := range r.spots {
		for _, z := range []float64{p.z[0], p.z[len(p.z)-1]} {
			first, last = math.Min(first, z), math.Max(last, z)
		}
	}
	step := r.scan.RowAtAxis() / 2
	lo, hi = first-r.reach, last+r.reach
	for lo <= hi && !r.covered(lo) {
		lo += step
	}
	for lo <= hi && !r.covered(hi) {
		hi -= step
	}
	return lo, hi
}

// covered says whether rays of every direction see the slice at the edges and the
// middle of the detector.
func (r *Rebinner) covered(z float64) bool {
	const directions = 48
	for d := range directions {
		theta := float64(d) * 180 / directions
		for _, f := range []float64{0, 0.5, 1} {
			w := 0.0
			for _, p := range r.spots {
				k := int(f * float64(r.scan.Cols-1))
				w += r.weightAt(p, z, theta, k) + r.weightAt(p, z, theta+180, r.scan.Cols-1-k)
			}
			if w < beside {
				return false
			}
		}
	}
	return true
}

// weightAt is the weight that the rays of a column have in a view at theta.
func (r *Rebinner) weightAt(p *spot, z, theta float64, k int) float64 {
	from, to := p.near(z, r.reach)
	sum := 0.0
	p.turns(theta-p.theta[k], from, to, func(i int, t float64) {
		zs := p.z[i] + t*(p.z[i+1]-p.z[i])
		sum += r.scan.weigh(p.rowOf(z-zs, k, r.scan))
	})
	return sum
}

// turns calls f for every turn's place of angle b in the list between from and to.
func (p *spot) turns(b float64, from, to int, f func(i int, t float64)) {
	if to-from < 2 {
		return
	}
	first, last := p.beta[from], p.beta[to-1]
	for b += 360 * math.Ceil((first-b)/360); b <= last; b += 360 {
		i, t := p.at(b)
		f(i, t)
	}
}

// Rebin makes the sinogram of the slice at z mm. Bins that no ray saw have Sigma
// +Inf. Where the scan knows its photons, Sigma holds the deviation of every datum:
// of a mean of interpolated rays, as if neighbouring data were independent.
func (r *Rebinner) Rebin(z float64, target ct.Geometry) (ct.Sinogram, error) {
	if err := target.Check(); err != nil {
		return ct.Sinogram{}, err
	}
	out := newSums(target)
	for _, p := range r.spots {
		w, err := r.window(p, z)
		if err != nil {
			return ct.Sinogram{}, err
		}
		direct, opposite := newRadial(p.edges, target, false), newRadial(p.edges, target, true)
		c := newColumns(r.scan.Cols)
		for v, theta := range target.Angles {
			w.columns(c, theta)
			direct.integrate(c)
			out.add(v, direct, c)
			w.columns(c, theta+180)
			opposite.integrate(c)
			out.add(v, opposite, c)
		}
	}
	s := out.sinogram()
	if s.Live() == 0 {
		lo, hi := r.Range()
		return s, fmt.Errorf("slice at %.4g mm: no ray of the scan sees it; %.4g to %.4g mm are measured", z, lo, hi)
	}
	r.level(&s)
	return s, nil
}

// counted says whether deviations come from photons.
func (r *Rebinner) counted() bool { return r.scan.Photons != nil && !r.scan.Noise.Known() }

// level settles the deviations where photons do not say them.
func (r *Rebinner) level(s *ct.Sinogram) {
	if r.counted() {
		s.Noise.Source = "photon statistics"
		return
	}
	s.Noise = r.scan.Noise
	if s.Live() == len(s.Data) {
		s.Sigma = nil
		return
	}
	if !(s.Noise.Sigma > 0) { // bins without a ray need a finite deviation beside them
		s.Noise = ct.Noise{Sigma: math.Max(1e-4, ct.EstimateSigma(s)), Source: "estimated"}
	}
	for i := range s.Sigma {
		if !s.Dead(i) {
			s.Sigma[i] = float32(s.Noise.Sigma)
		}
	}
}

// sums are the weighted means of a sinogram in the making.
type sums struct {
	geo                   ct.Geometry
	value, weight, spread []float64
}

func newSums(g ct.Geometry) *sums {
	n := g.Len()
	return &sums{g, make([]float64, n), make([]float64, n), make([]float64, n)}
}

func (o *sums) add(v int, r *radial, c *columns) {
	n := o.geo.Bins
	value, weight, spread := o.value[v*n:][:n], o.weight[v*n:][:n], o.spread[v*n:][:n]
	for k := range value {
		m, w, q := r.bin(k, c)
		value[k] += w * m
		weight[k] += w
		spread[k] += w * w * q
	}
}

// sinogram ends the means. The variance of a line integral p is e^p over the
// photons.
func (o *sums) sinogram() ct.Sinogram {
	s := ct.NewSinogram(o.geo)
	s.Sigma = make([]float32, len(s.Data))
	for i, w := range o.weight {
		if w < none {
			s.Sigma[i] = float32(math.Inf(1))
			continue
		}
		p := o.value[i] / w
		s.Data[i] = float32(p)
		s.Sigma[i] = float32(math.Sqrt(o.spread[i] / (w * w) * math.Exp(p)))
	}
	return s
}

// Slices are heights within Range, evenly spaced about its middle; a spacing of 0 is
// that of the detector's rows at the axis.
func (r *Rebinner) Slices(spacing float64) []float64 {
	lo, hi := r.Range()
	if spacing == 0 {
		spacing = r.scan.RowAtAxis()
	}
	if !(lo <= hi) || !(spacing > 0) {
		return nil
	}
	n := int(math.Min((hi-lo)/spacing+1e-9, 1<<20)) + 1
	out := make([]float64, n)
	for i := range out {
		out[i] = (lo+hi)/2 + (float64(i)-float64(n-1)/2)*spacing
	}
	return out
}
