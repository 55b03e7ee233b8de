package phantoms

import (
	"math"

	"ctrecon/ct"
)

// chord is the length in mm of the shape on the line x nx + y ny = s, given s from
// the centre.
func (f *frame) chord(nx, ny, s float64) float64 {
	if math.Abs(s) >= f.extent(nx, ny) {
		return 0
	}
	t0, t1 := math.Inf(-1), math.Inf(1)
	u, v := f.unit(nx*s, ny*s) // the line is (u, v) + t (du, dv)
	du, dv := f.unit(-ny, nx)
	if f.Kind == Ellipse {
		l2, mid := du*du+dv*dv, u*du+v*dv
		cr := u*dv - v*du
		h := math.Sqrt(max(0, l2-cr*cr))
		t0, t1 = (-mid-h)/l2, (-mid+h)/l2
	} else {
		for _, l := range [...]line{{1, 0, 1}, {-1, 0, 1}, {0, 1, 1}, {0, -1, 1}} {
			t0, t1 = l.shorten(t0, t1, u, v, du, dv)
		}
	}
	for _, l := range f.lines {
		t0, t1 = l.shorten(t0, t1, nx*s, ny*s, -ny, nx)
	}
	return max(0, t1-t0)
}

// shorten keeps the part of (x, y) + t (dx, dy), t0 <= t <= t1, on the line's side.
func (l line) shorten(t0, t1, x, y, dx, dy float64) (float64, float64) {
	slope, room := l.nx*dx+l.ny*dy, l.d-l.nx*x-l.ny*y
	switch {
	case slope > 0:
		t1 = min(t1, room/slope)
	case slope < 0:
		t0 = max(t0, room/slope)
	case room < 0:
		return 0, 0
	}
	return t0, t1
}

// strip is the area in mm^2 of the shape between s0 and s1 along (nx, ny).
func (f *frame) strip(nx, ny, s0, s1 float64) float64 {
	r := f.radius()
	g := box(s0, s1, -r, r)
	for i := range g.n {
		p := g.p[i]
		g.p[i] = point{p.x*nx - p.y*ny, p.x*ny + p.y*nx}
	}
	return f.area(&g)
}

// LineIntegral is the integral of mu (nepers) along the line
// x cos(deg) + y sin(deg) = s, exact.
func (p *Phantom) LineIntegral(deg, s float64) float64 {
	ny, nx := math.Sincos(deg * math.Pi / 180)
	sum := 0.0
	for _, sh := range p.Shapes {
		f := sh.frame()
		sum += f.HU * f.chord(nx, ny, s-f.X*nx-f.Y*ny)
	}
	return p.mu(sum)
}

// Sinogram gives the line integrals in nepers [view][bin]: the mean over each bin
// when averaged is set (what a detector measures), else the value at the bin's
// centre. Both are exact. It panics when the geometry does not pass its Check.
func (p *Phantom) Sinogram(geo ct.Geometry, averaged bool) ct.Sinogram {
	if err := geo.Check(); err != nil {
		panic("phantoms: " + err.Error())
	}
	frames := p.frames()
	out, sum := ct.NewSinogram(geo), make([]float64, geo.Bins)
	for v, deg := range geo.Angles {
		ny, nx := math.Sincos(deg * math.Pi / 180)
		clear(sum)
		for i := range frames {
			if averaged {
				frames[i].addBins(sum, geo, nx, ny)
			} else {
				frames[i].addPoints(sum, geo, nx, ny)
			}
		}
		for k, hu := range sum {
			out.Data[v*geo.Bins+k] = float32(p.mu(hu))
		}
	}
	return out
}

// span is the range of bins k0 <= k < k1 that the shape's shadow can touch, and
// the shadow's centre.
func (f *frame) span(geo ct.Geometry, nx, ny float64) (k0, k1 int, s0 float64) {
	s0 = f.X*nx + f.Y*ny
	w := f.extent(nx, ny)
	first := geo.S(0)
	lo := math.Floor((s0-w-first)/geo.BinSize + 0.5)
	hi := math.Floor((s0+w-first)/geo.BinSize+0.5) + 1
	bins := float64(geo.Bins)
	return int(min(max(lo, 0), bins)), int(min(max(hi, 0), bins)), s0
}

func (f *frame) addPoints(sum []float64, geo ct.Geometry, nx, ny float64) {
	k0, k1, s0 := f.span(geo, nx, ny)
	for k := k0; k < k1; k++ {
		sum[k] += f.HU * f.chord(nx, ny, geo.S(k)-s0)
	}
}

// addBins adds bin means: for a whole ellipse the difference of the antiderivative
// F(x) = A B (x sqrt(1-x^2) + asin x), x = s/extent; else the area of a strip.
func (f *frame) addBins(sum []float64, geo ct.Geometry, nx, ny float64) {
	k0, k1, s0 := f.span(geo, nx, ny)
	if k0 >= k1 {
		return
	}
	half := geo.BinSize / 2
	if f.Kind != Ellipse || len(f.lines) > 0 {
		for k := k0; k < k1; k++ {
			s := geo.S(k) - s0
			sum[k] += f.HU * f.strip(nx, ny, s-half, s+half) / geo.BinSize
		}
		return
	}
	w := f.extent(nx, ny)
	scale := f.HU * f.A * f.B / geo.BinSize
	before := discBelow((geo.S(k0) - half - s0) / w)
	for k := k0; k < k1; k++ {
		below := discBelow((geo.S(k) + half - s0) / w)
		sum[k] += scale * (below - before)
		before = below
	}
}

// discBelow is the area of the unit disc left of x, less pi/2.
func discBelow(x float64) float64 {
	x = max(-1, min(1, x))
	return x*math.Sqrt((1-x)*(1+x)) + math.Asin(x)
}

// Fan is a fan beam in mm: distances from the source to the axis and to the
// detector, which is flat, or curved about the source.
type Fan struct {
	SOD, SDD float64
	Curved   bool
}

// Ray is the parallel ray (degrees, mm) of the fan's source angle and detector
// position u in mm: gamma = atan(u/SDD), or u/SDD when curved,
// theta = beta - gamma, s = SOD sin(gamma). The source stands at
// (SOD sin beta, -SOD cos beta), as in ASTRA's fanflat.
func (f Fan) Ray(beta, u float64) (deg, s float64) {
	gamma := u / f.SDD
	if !f.Curved {
		gamma = math.Atan(gamma)
	}
	return beta - gamma*180/math.Pi, f.SOD * math.Sin(gamma)
}

// Fan gives the exact line integrals in nepers of a fan beam: geo has the source
// angles, and the bins on the detector; values belong to the bin centres.
func (p *Phantom) Fan(fan Fan, geo ct.Geometry) ct.Sinogram {
	if err := geo.Check(); err != nil {
		panic("phantoms: " + err.Error())
	}
	frames, out := p.frames(), ct.NewSinogram(geo)
	for v, beta := range geo.Angles {
		for k := range geo.Bins {
			deg, s := fan.Ray(beta, geo.S(k))
			ny, nx := math.Sincos(deg * math.Pi / 180)
			sum := 0.0
			for i := range frames {
				f := &frames[i]
				sum += f.HU * f.chord(nx, ny, s-f.X*nx-f.Y*ny)
			}
			out.Data[v*geo.Bins+k] = float32(p.mu(sum))
		}
	}
	return out
}
