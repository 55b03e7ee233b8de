package radon

import (
	"fmt"
	"math"

	"ctrecon/ct"
)

// The finer grid of a simulated measurement: pixels a pixel side, rays a bin.
const (
	finer    = 3
	raysABin = 4
	edgePad  = 8
)

// Meter simulates measurements of images on one grid without the inverse crime:
// the image is interpolated by cubic splines to a grid three times finer,
// projected by Joseph's method (IEEE Trans. Med. Imaging 1, 1982) along four rays
// a bin, and averaged over the bin. The reconstruction has another grid and
// another projector. One goroutine uses it at a time.
type Meter struct {
	grid  ct.Grid
	geo   ct.Geometry
	p     *Projector
	fine  []float32
	rays  []float32
	coeff []float64
	wide  []float64
}

// NewMeter plans measurements of images on grid along geo.
func NewMeter(grid ct.Grid, geo ct.Geometry) (*Meter, error) {
	if err := geo.Check(); err != nil {
		return nil, err
	}
	fineGrid := ct.Grid{W: grid.W * finer, H: grid.H * finer, DX: grid.DX / finer, DY: grid.DY / finer}
	fineGeo := ct.Geometry{Angles: geo.Angles, Bins: geo.Bins * raysABin, BinSize: geo.BinSize / raysABin, Offset: geo.Offset * raysABin}
	p, err := New(fineGrid, fineGeo, Options{Footprint: Joseph, Phases: 16})
	if err != nil {
		return nil, err
	}
	return &Meter{grid: grid, geo: geo, p: p, fine: make([]float32, fineGrid.Len()), rays: make([]float32, fineGeo.Len())}, nil
}

// Measure gives the sinogram of hu (Hounsfield units on the meter's grid) with
// noise: Gaussian in nepers when noise.Sigma is given, Poisson counts of
// noise.Photons otherwise, none when neither is. stream names the random numbers.
func (m *Meter) Measure(hu []float32, muWater float64, noise ct.Noise, stream ct.Stream) (ct.Sinogram, error) {
	if len(hu) != m.grid.Len() {
		panic(fmt.Sprintf("radon: image of %d pixels, want %d", len(hu), m.grid.Len()))
	}
	m.refine(hu)
	for i, v := range m.fine {
		m.fine[i] = float32(ct.FromHU(float64(v), muWater))
	}
	m.p.Apply(m.rays, m.fine)
	s := ct.NewSinogram(m.geo)
	s.Noise = noise
	s.Noise.Source = "simulated"
	if noise.Photons > 0 && noise.Sigma == 0 {
		m.count(&s, stream)
		return s, nil
	}
	for i := range s.Data {
		sum := 0.0
		for _, l := range m.rays[i*raysABin : (i+1)*raysABin] {
			sum += float64(l)
		}
		s.Data[i] = float32(sum / raysABin)
	}
	if noise.Sigma > 0 {
		n := make([]float32, len(s.Data))
		stream.Normals(n, 0)
		for i := range n {
			s.Data[i] += float32(noise.Sigma) * n[i]
		}
	}
	return s, nil
}

// count draws Poisson counts: a detector averages intensities over a bin, not
// line integrals. A bin without a photon counts as half of one.
func (m *Meter) count(s *ct.Sinogram, stream ct.Stream) {
	i0 := s.Noise.Photons
	s.Sigma = make([]float32, len(s.Data))
	for i := range s.Data {
		sum := 0.0
		for _, l := range m.rays[i*raysABin : (i+1)*raysABin] {
			sum += math.Exp(-float64(l))
		}
		n := math.Max(0.5, poisson(stream, uint64(i), i0*sum/raysABin))
		s.Data[i] = float32(math.Log(i0 / n))
		s.Sigma[i] = float32(1 / math.Sqrt(n))
	}
}

// poisson is a Poisson number of the given mean, by inversion for small means
// and by transformed rejection (Hormann, Insurance: Math. and Economics 12, 1993,
// algorithm PTRS) for large ones. It uses the numbers from 1024 i on.
func poisson(s ct.Stream, i uint64, mean float64) float64 {
	at := i << 10
	if mean < 10 {
		u, k, p := s.Uniform(at), 0.0, math.Exp(-mean)
		for u > p && k < 1000 {
			u -= p
			k++
			p *= mean / k
		}
		return k
	}
	b := 0.931 + 2.53*math.Sqrt(mean)
	a := -0.059 + 0.02483*b
	inv := 1.1239 + 1.1328/(b-3.4)
	vr := 0.9277 - 3.6224/(b-2)
	for trial := range uint64(500) {
		u, v := s.Uniform(at+2*trial)-0.5, s.Uniform(at+2*trial+1)
		us := 0.5 - math.Abs(u)
		k := math.Floor((2*a/us+b)*u + mean + 0.43)
		if us >= 0.07 && v <= vr {
			return k
		}
		if k < 0 || us < 0.013 && v > us {
			continue
		}
		lg, _ := math.Lgamma(k + 1)
		if math.Log(v)+math.Log(inv)-math.Log(a/(us*us)+b) <= -mean+k*math.Log(mean)-lg {
			return k
		}
	}
	return math.Round(mean) // not reached in practice: each trial accepts with probability above 0.8
}

// refine interpolates hu by cubic B-splines at the centres of the finer pixels;
// the border is continued by its own values.
func (m *Meter) refine(hu []float32) {
	w, h := m.grid.W, m.grid.H
	if m.coeff == nil {
		m.coeff = make([]float64, max(w, h)+2*edgePad)
		m.wide = make([]float64, h*w*finer)
	}
	line := make([]float64, max(w, h)*finer)
	for r := range h {
		for c := range w {
			line[c] = float64(hu[r*w+c])
		}
		m.spline(m.wide[r*w*finer:(r+1)*w*finer], line[:w])
	}
	out := make([]float64, h*finer)
	for c := range w * finer {
		for r := range h {
			line[r] = m.wide[r*w*finer+c]
		}
		m.spline(out, line[:h])
		for r, v := range out {
			m.fine[r*w*finer+c] = float32(v)
		}
	}
}

// spline writes src, interpolated at i-1/3, i and i+1/3 for each i, to dst.
func (m *Meter) spline(dst, src []float64) {
	n := len(src) + 2*edgePad
	c := m.coeff[:n]
	for i := range c {
		c[i] = src[max(0, min(len(src)-1, i-edgePad))]
	}
	prefilter(c)
	for i := range src {
		k := c[i+edgePad-2 : i+edgePad+3]
		dst[finer*i] = weights(2.0/3, k[0:4])
		dst[finer*i+1] = (k[1] + 4*k[2] + k[3]) / 6
		dst[finer*i+2] = weights(1.0/3, k[1:5])
	}
}

// weights is the cubic B-spline of four coefficients at t past the second.
func weights(t float64, c []float64) float64 {
	u := 1 - t
	return (u*u*u*c[0] + (4-6*t*t+3*t*t*t)*c[1] + (4-6*u*u+3*u*u*u)*c[2] + t*t*t*c[3]) / 6
}

// prefilter turns samples into cubic B-spline coefficients (Unser, Aldroubi and
// Eden 1991), mirrored at both ends.
func prefilter(c []float64) {
	z := math.Sqrt(3) - 2
	n := len(c)
	sum, zk := c[0], z
	for k := 1; k < min(n, 40); k++ {
		sum += zk * c[k]
		zk *= z
	}
	c[0] = sum
	for k := 1; k < n; k++ {
		c[k] += z * c[k-1]
	}
	c[n-1] = z / (z*z - 1) * (c[n-1] + z*c[n-2])
	for k := n - 2; k >= 0; k-- {
		c[k] = z * (c[k+1] - c[k])
	}
	for k := range c {
		c[k] *= 6
	}
}
