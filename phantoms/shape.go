package phantoms

import (
	"fmt"
	"math"
)

// Kind is the outline of a shape.
type Kind int

const (
	Ellipse   Kind = iota // half axes A, B
	Rectangle             // half sides A, B
)

// Clip keeps the part of a shape on one side of a line: the points whose distance
// from the shape's centre along direction Deg is at most D mm. Deg does not turn
// with the shape's own Deg.
type Clip struct{ Deg, D float64 }

// Shape adds HU to every point inside it.
type Shape struct {
	Kind Kind
	X, Y float64 // centre, mm
	A, B float64 // half axes or half sides, mm
	Deg  float64 // A points along Deg, counter-clockwise
	HU   float64 // step; -1000 takes a water background to air
	Clip []Clip  // at most 8

	// The third dimension, seen by Phantom.At. X, Y, A and B describe the section at
	// z = 0. C = 0 is a cylinder without ends; else an ellipse is a section of an
	// ellipsoid whose middle is at Z and whose half height is C mm, |Z| < C (a
	// rectangle: of a box). The axis leans by LeanX, LeanY mm a mm of height.
	Z, C         float64
	LeanX, LeanY float64
}

// at is the section at height z as a cylinder, and whether there is one.
func (s Shape) at(z float64) (Shape, bool) {
	if s.C > 0 {
		q := 1 - (z-s.Z)*(z-s.Z)/(s.C*s.C)
		if q <= 0 {
			return s, false
		}
		if s.Kind == Ellipse {
			k := math.Sqrt(q / (1 - s.Z*s.Z/(s.C*s.C)))
			s.A, s.B = s.A*k, s.B*k
		}
	}
	s.X, s.Y = s.X+z*s.LeanX, s.Y+z*s.LeanY
	s.Z, s.C, s.LeanX, s.LeanY = 0, 0, 0, 0
	return s, true
}

// moved is the shape turned about the origin and then scaled, z included.
func (s Shape) moved(deg, scale float64) Shape {
	sin, cos := math.Sincos(deg * math.Pi / 180)
	turn := func(x, y, k float64) (float64, float64) { return (x*cos - y*sin) * k, (x*sin + y*cos) * k }
	s.X, s.Y = turn(s.X, s.Y, scale)
	s.LeanX, s.LeanY = turn(s.LeanX, s.LeanY, 1)
	s.A, s.B, s.Z, s.C = s.A*scale, s.B*scale, s.Z*scale, s.C*scale
	s.Deg += deg
	clip := make([]Clip, len(s.Clip))
	for i, c := range s.Clip {
		clip[i] = Clip{c.Deg + deg, c.D * scale}
	}
	s.Clip = clip
	return s
}

// line is nx x + ny y <= d, about the shape's centre.
type line struct{ nx, ny, d float64 }

// frame is a shape made ready for evaluation.
type frame struct {
	Shape
	sin, cos float64
	lines    []line
}

func (s Shape) frame() frame {
	if len(s.Clip) > maxClips {
		panic(fmt.Sprintf("phantoms: a shape has %d clips, %d are possible", len(s.Clip), maxClips))
	}
	f := frame{Shape: s}
	f.sin, f.cos = math.Sincos(s.Deg * math.Pi / 180)
	for _, c := range s.Clip {
		ny, nx := math.Sincos(c.Deg * math.Pi / 180)
		f.lines = append(f.lines, line{nx, ny, c.D})
	}
	return f
}

// unit maps a point, given from the centre, to the frame in which the ellipse is
// the unit disc and the rectangle is [-1, 1] squared.
func (f *frame) unit(x, y float64) (u, v float64) {
	return (x*f.cos + y*f.sin) / f.A, (y*f.cos - x*f.sin) / f.B
}

// inside says whether a point (mm) belongs to the shape.
func (f *frame) inside(x, y float64) bool {
	x, y = x-f.X, y-f.Y
	for _, l := range f.lines {
		if l.nx*x+l.ny*y > l.d {
			return false
		}
	}
	u, v := f.unit(x, y)
	if f.Kind == Rectangle {
		return math.Abs(u) <= 1 && math.Abs(v) <= 1
	}
	return u*u+v*v <= 1
}

// area is the area in mm^2 of the shape within g, which is given from the centre.
// It overwrites g.
func (f *frame) area(g *polygon) float64 {
	for _, l := range f.lines {
		g.cut(l.nx, l.ny, l.d)
	}
	for i := range g.n {
		g.p[i].x, g.p[i].y = f.unit(g.p[i].x, g.p[i].y)
	}
	if f.Kind == Ellipse {
		return g.discArea() * f.A * f.B
	}
	g.cut(1, 0, 1)
	g.cut(-1, 0, 1)
	g.cut(0, 1, 1)
	g.cut(0, -1, 1)
	return g.area() * f.A * f.B
}

// whole is the area of the shape in mm^2.
func (f *frame) whole() float64 {
	r := f.radius()
	g := box(-r, r, -r, r)
	return f.area(&g)
}

// radius of a circle about the centre that holds the shape, with room to spare.
func (f *frame) radius() float64 { return 1.001 * math.Hypot(f.A, f.B) }

// extent is the half width of the unclipped shape along (nx, ny).
func (f *frame) extent(nx, ny float64) float64 {
	p, q := f.A*(nx*f.cos+ny*f.sin), f.B*(ny*f.cos-nx*f.sin)
	if f.Kind == Rectangle {
		return math.Abs(p) + math.Abs(q)
	}
	return math.Hypot(p, q)
}
