package helical

import (
	"sort"

	"ctrecon/ct"
)

// radial resamples columns at uneven distances from the axis to even bins.
type radial struct {
	width  []float64 // mm of each column
	lo, hi []cut     // the ends of each bin
	size   float64
}

// cut is a place on the detector: which column it lies in, and the weights of the
// cubic Hermite polynomial there for the integrals up to the column's two edges and
// the values at them.
type cut struct {
	col            int
	c0, c1, v0, v1 float64
	out            bool // beside the detector
}

// newRadial takes the columns' edges in rising order. flip is for complementary
// rays: bin k then lies at -s.
func newRadial(edges []float64, g ct.Geometry, flip bool) *radial {
	r := &radial{width: make([]float64, len(edges)-1), size: g.BinSize}
	for i := range r.width {
		r.width[i] = edges[i+1] - edges[i]
	}
	for k := range g.Bins {
		s := g.S(k)
		if flip {
			s = -s
		}
		r.lo = append(r.lo, newCut(edges, s-g.BinSize/2))
		r.hi = append(r.hi, newCut(edges, s+g.BinSize/2))
	}
	return r
}

func newCut(edges []float64, s float64) cut {
	n := len(edges) - 1
	j := sort.SearchFloat64s(edges, s) - 1
	j = max(0, min(n-1, j))
	h := edges[j+1] - edges[j]
	t := (s - edges[j]) / h
	c := cut{col: j, out: t < -0.5 || t > 1.5}
	if t < 0 || t > 1 { // the value at the edge goes on
		if t < 0 {
			c.c0, c.v0 = 1, t*h
		} else {
			c.c1, c.v1 = 1, (t-1)*h
		}
		return c
	}
	c.c0, c.c1 = (1+2*t)*(1-t)*(1-t), t*t*(3-2*t)
	c.v0, c.v1 = t*(1-t)*(1-t)*h, t*t*(t-1)*h
	return c
}

// columns are the rays of one parallel view, before they become bins.
type columns struct {
	value, weight, spread []float64 // of the columns: mean, weight, and the variance for one photon
	sum, edge             []float64 // integral up to each edge, value at it
}

func newColumns(n int) *columns {
	return &columns{make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n+1), make([]float64, n+1)}
}

// integrate fills columns without a ray with their neighbour's value and makes the
// running integral. The value at an edge is the fourth-order one of Colella and
// Woodward, J. Comput. Phys. 54, 174, 1984, one-sided beside the ends.
func (r *radial) integrate(c *columns) {
	n := len(c.value)
	c.fill()
	for j := range n {
		c.sum[j+1] = c.sum[j] + c.value[j]*r.width[j]
	}
	v := c.value
	c.edge[0], c.edge[n] = (3*v[0]-v[1])/2, (3*v[n-1]-v[n-2])/2
	c.edge[1], c.edge[n-1] = (3*v[0]+13*v[1]-5*v[2]+v[3])/12, (3*v[n-1]+13*v[n-2]-5*v[n-3]+v[n-4])/12
	for j := 2; j < n-1; j++ {
		c.edge[j] = (7*(v[j-1]+v[j]) - (v[j-2] + v[j+1])) / 12
	}
}

func (c *columns) fill() {
	last := -1
	for j, w := range c.weight {
		if w > 0 {
			if last < 0 {
				for i := range j {
					c.value[i] = c.value[j]
				}
			}
			last = j
		} else if last >= 0 {
			c.value[j] = c.value[last]
		}
	}
}

// bin is the mean over bin k, its weight, and the variance for one photon. Noise: a
// bin of several columns averages them.
func (r *radial) bin(k int, c *columns) (mean, weight, spread float64) {
	a, b := &r.lo[k], &r.hi[k]
	if a.out || b.out {
		return 0, 0, 0
	}
	mean = (c.at(b) - c.at(a)) / r.size
	j := (a.col + b.col) / 2
	weight = min(c.weight[a.col], c.weight[b.col])
	return mean, weight, c.spread[j] * min(1, r.width[j]/r.size)
}

func (c *columns) at(k *cut) float64 {
	return c.sum[k.col]*k.c0 + c.sum[k.col+1]*k.c1 + c.edge[k.col]*k.v0 + c.edge[k.col+1]*k.v1
}
