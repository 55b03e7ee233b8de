package phantoms

import "math"

type point struct{ x, y float64 }

// maxCorners bounds a polygon: 4 corners, and one more for each line that cuts it
// (maxClips of a shape, four sides of a rectangle).
const (
	maxClips   = 8
	maxCorners = 4 + maxClips + 4
)

// polygon is a convex polygon, counter-clockwise, without allocation.
type polygon struct {
	p [maxCorners]point
	n int
}

func box(x0, x1, y0, y1 float64) polygon {
	return polygon{p: [maxCorners]point{{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}}, n: 4}
}

// cut keeps what lies on the side nx x + ny y <= d (Sutherland and Hodgman 1974).
func (g *polygon) cut(nx, ny, d float64) {
	if g.n == 0 {
		return
	}
	src, n := g.p, g.n
	g.n = 0
	a := src[n-1]
	fa := nx*a.x + ny*a.y - d
	for _, b := range src[:n] {
		fb := nx*b.x + ny*b.y - d
		if fa < 0 && fb > 0 || fa > 0 && fb < 0 {
			t := fa / (fa - fb)
			g.add(point{a.x + t*(b.x-a.x), a.y + t*(b.y-a.y)})
		}
		if fb <= 0 {
			g.add(b)
		}
		a, fa = b, fb
	}
}

// add ignores a corner beyond the bound: a convex polygon gains one corner a cut,
// so that only rounding at a coincident corner could ask for another.
func (g *polygon) add(p point) {
	if g.n < maxCorners {
		g.p[g.n] = p
		g.n++
	}
}

// area by the sum of cross products about the first corner, which keeps the
// digits of a small polygon far from the origin.
func (g *polygon) area() float64 {
	sum := 0.0
	for i := 2; i < g.n; i++ {
		a, b, o := g.p[i-1], g.p[i], g.p[0]
		sum += (a.x-o.x)*(b.y-o.y) - (a.y-o.y)*(b.x-o.x)
	}
	return sum / 2
}

// discArea is the area of the polygon within the unit disc about the origin: the
// signed sum, over edges a-b, of the disc's part of the triangle 0-a-b.
func (g *polygon) discArea() float64 {
	if g.n < 3 {
		return 0
	}
	sum := 0.0
	a := g.p[g.n-1]
	for _, b := range g.p[:g.n] {
		sum += wedge(a, b)
		a = b
	}
	return max(0, sum)
}

// wedge is the signed area of the triangle 0-a-b within the unit disc: a triangle
// where the edge runs inside, sectors before and after.
func wedge(a, b point) float64 {
	dx, dy := b.x-a.x, b.y-a.y
	l2 := dx*dx + dy*dy
	if l2 == 0 {
		return 0
	}
	cr := a.x*b.y - a.y*b.x
	q := l2 - cr*cr // discriminant: |ab|^2 (1 - distance^2)
	if q <= 0 {
		return sector(a, b)
	}
	mid, half := -(a.x*dx+a.y*dy)/l2, math.Sqrt(q)/l2
	t0, t1 := max(0, mid-half), min(1, mid+half)
	if t0 >= t1 {
		return sector(a, b)
	}
	sum := (t1 - t0) * cr / 2
	if t0 > 0 {
		sum += sector(a, point{a.x + t0*dx, a.y + t0*dy})
	}
	if t1 < 1 {
		sum += sector(point{a.x + t1*dx, a.y + t1*dy}, b)
	}
	return sum
}

// sector is the signed area of the unit disc between the directions of a and b.
func sector(a, b point) float64 {
	return math.Atan2(a.x*b.y-a.y*b.x, a.x*b.x+a.y*b.y) / 2
}
