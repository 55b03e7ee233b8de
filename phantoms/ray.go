package phantoms

import "math"

// Solid is a phantom in three dimensions, made ready for many rays.
type Solid struct {
	mu     float64 // 1/mm a step of 1 HU
	frames []frame
	middle []section
}

// section is what a shape is at its own middle: half axes and height.
type section struct{ a, b, z, c float64 }

// Solid is the object whose slice at height z is At(z), without a limit in z.
func (p *Phantom) Solid() *Solid {
	s := &Solid{mu: p.MuWater / 1000, frames: p.frames(), middle: make([]section, len(p.Shapes))}
	for i, sh := range p.Shapes {
		m := section{sh.A, sh.B, sh.Z, sh.C}
		if sh.C > 0 && sh.Kind == Ellipse {
			k := 1 / math.Sqrt(1-sh.Z*sh.Z/(sh.C*sh.C))
			m.a, m.b = m.a*k, m.b*k
		}
		s.middle[i] = m
	}
	return s
}

// Line is the integral of mu (nepers) between two points in mm, exact.
func (s *Solid) Line(from, to [3]float64) float64 {
	d := [3]float64{to[0] - from[0], to[1] - from[1], to[2] - from[2]}
	sum := 0.0
	for i := range s.frames {
		sum += s.frames[i].HU * s.frames[i].part(&s.middle[i], from, d)
	}
	return s.mu * sum * math.Sqrt(d[0]*d[0]+d[1]*d[1]+d[2]*d[2])
}

// part is the share of the way from p along d, 0 to 1, that lies in the shape. Every
// bound of a shape is linear or a ball in coordinates that lean with it.
func (f *frame) part(m *section, p, d [3]float64) float64 {
	x, y := p[0]-f.X-p[2]*f.LeanX, p[1]-f.Y-p[2]*f.LeanY
	dx, dy := d[0]-d[2]*f.LeanX, d[1]-d[2]*f.LeanY
	u, v := (x*f.cos+y*f.sin)/m.a, (y*f.cos-x*f.sin)/m.b
	du, dv := (dx*f.cos+dy*f.sin)/m.a, (dy*f.cos-dx*f.sin)/m.b
	h, dh := 0.0, 0.0
	if m.c > 0 {
		h, dh = (p[2]-m.z)/m.c, d[2]/m.c
	}
	t0, t1 := 0.0, 1.0
	if f.Kind == Ellipse {
		t0, t1 = ball(u, v, h, du, dv, dh)
	} else {
		for _, l := range [...]line{{1, 0, 1}, {-1, 0, 1}, {0, 1, 1}, {0, -1, 1}} {
			t0, t1 = l.shorten(t0, t1, u, v, du, dv)
		}
		if m.c > 0 {
			t0, t1 = line{1, 0, 1}.shorten(t0, t1, h, 0, dh, 0)
			t0, t1 = line{-1, 0, 1}.shorten(t0, t1, h, 0, dh, 0)
		}
	}
	if t0 >= t1 {
		return 0
	}
	for _, l := range f.lines {
		t0, t1 = l.shorten(t0, t1, x, y, dx, dy)
	}
	return max(0, t1-t0)
}

// ball is where a way of parameter 0 to 1 lies in the unit ball.
func ball(u, v, h, du, dv, dh float64) (t0, t1 float64) {
	l2 := du*du + dv*dv + dh*dh
	if l2 == 0 {
		if u*u+v*v+h*h <= 1 {
			return 0, 1
		}
		return 0, 0
	}
	mid := u*du + v*dv + h*dh
	cx, cy, cz := v*dh-h*dv, h*du-u*dh, u*dv-v*du // the distance keeps its digits so
	q := l2 - cx*cx - cy*cy - cz*cz
	if q <= 0 {
		return 0, 0
	}
	half := math.Sqrt(q)
	return max(0, (-mid-half)/l2), min(1, (-mid+half)/l2)
}
