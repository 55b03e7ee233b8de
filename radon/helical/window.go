package helical

import "math"

// window is the part of a spot's views that a slice is made of.
type window struct {
	scan     *Scan
	p        *spot
	from, to int         // list places
	data     [][]float32 // of the places from first on
	photons  [][]float32
	first    int
	away     []float64 // of the slice from the focal spot, places from first on, mm
}

// window fetches the views that see the slice, and one more on either side for the
// interpolation.
func (r *Rebinner) window(p *spot, z float64) (*window, error) {
	w := &window{scan: r.scan, p: p}
	w.from, w.to = p.near(z, r.reach)
	if w.to-w.from < 2 {
		w.to = w.from
		return w, nil
	}
	w.first = max(0, w.from-1)
	for i := w.first; i < min(len(p.views), w.to+1); i++ {
		d, err := r.scan.Data(p.views[i])
		if err != nil {
			return nil, err
		}
		if len(d) != r.scan.Rows*r.scan.Cols {
			panic("helical: a view of the wrong length")
		}
		w.data, w.away = append(w.data, d), append(w.away, z-p.z[i])
		if r.counted() {
			w.photons = append(w.photons, r.scan.Photons(p.views[i]))
		}
	}
	return w, nil
}

// columns makes the rays of all columns for the parallel view at theta.
func (w *window) columns(c *columns, theta float64) {
	p := w.p
	first, last := 0.0, -1.0
	if w.to > w.from {
		first, last = p.beta[w.from], p.beta[w.to-1]
	}
	for k := range c.value {
		var value, weight, spread float64
		b := theta - p.theta[k]
		for b += 360 * math.Ceil((first-b)/360); b <= last; b += 360 {
			i, t := p.at(b)
			j := i - w.first
			dz := w.away[j] + t*(w.away[j+1]-w.away[j])
			g := w.scan.weigh(p.rowOf(dz, k, w.scan))
			if g == 0 {
				continue
			}
			v, inside := w.inner(j, t, k)
			if !inside {
				v = w.ray(j, t, k)
			}
			value += g * v * level(dz*p.tilt[k])
			weight += g
			if w.photons != nil {
				spread += g * g * w.spread(j, t, dz, k)
			}
		}
		c.value[k], c.weight[k], c.spread[k] = 0, weight, 0
		if weight > 0 {
			c.value[k], c.spread[k] = value/weight, spread/(weight*weight)
		}
	}
}

// level is the cosine of an inclination, 1/sqrt(1+x^2).
func level(x float64) float64 {
	x *= x
	if x < 0.01 {
		return 1 - x*(0.5-x*(0.375-x*(0.3125-x*0.2734375))) // its series, to 3e-11
	}
	return 1 / math.Sqrt(1+x)
}

// cubic are the weights of four neighbours at t between the second and the third.
func cubic(t float64) (a, b, c, d float64) {
	return ((2-t)*t - 1) * t / 2, (t*t*(3*t-5) + 2) / 2, ((4-3*t)*t + 1) * t / 2, (t - 1) * t * t / 2
}

// inner is ray where four views have the row, as nearly always, and rows rise evenly
// with z.
func (w *window) inner(j int, t float64, k int) (float64, bool) {
	if j < 1 || j+2 >= len(w.data) || w.scan.Shape == Spherical {
		return 0, false
	}
	away, data, n := w.away[j-1:j+3], w.data[j-1:j+3], w.scan.Cols
	a, b, most := w.p.row0, w.p.row[k], float64(w.scan.Rows-1)
	r0, r1, r2, r3 := a+away[0]*b, a+away[1]*b, a+away[2]*b, a+away[3]*b
	if !(min(r0, r1, r2, r3) >= 0 && max(r0, r1, r2, r3) < most) {
		return 0, false
	}
	f0, f1, f2, f3 := cubic(t)
	return f0*between(data[0], r0, n, k) + f1*between(data[1], r1, n, k) + f2*between(data[2], r2, n, k) + f3*between(data[3], r3, n, k), true
}

// between is the datum of column k at a fraction of a row.
func between(d []float32, row float64, cols, k int) float64 {
	r := int(row)
	at := r*cols + k
	lo := float64(d[at])
	return lo + (row-float64(r))*(float64(d[at+cols])-lo)
}

// ray interpolates between rows, and between views j and j+1 and their neighbours: a
// cubic through four (Catmull and Rom), a line where there are two. A row beside the
// detector counts as the last one.
func (w *window) ray(j int, t float64, k int) float64 {
	f := [4]float64{0, 1 - t, t, 0}
	from, to := 1, 3
	if j > 0 && j+2 < len(w.data) {
		f[0], f[1], f[2], f[3] = cubic(t)
		from, to = 0, 4
	}
	s, sum := w.scan, 0.0
	most := float64(s.Rows - 1)
	for n := from; n < to; n++ {
		v := j + n - 1
		row := max(0, min(most, w.p.rowOf(w.away[v], k, s)))
		r := min(s.Rows-2, int(row))
		d := w.data[v][r*s.Cols+k:]
		lo, hi := float64(d[0]), float64(d[s.Cols])
		sum += f[n] * (lo + (row-float64(r))*(hi-lo))
	}
	return sum
}

// spread is the variance of a ray for one photon, from a line between views: the
// cubic's is the same within a tenth.
func (w *window) spread(j int, t, dz float64, k int) float64 {
	row := max(0, min(float64(w.scan.Rows-1), w.p.rowOf(dz, k, w.scan)))
	f := row - math.Floor(row)
	return (f*f + (1-f)*(1-f)) * ((1-t)*(1-t)/float64(w.photons[j][k]) + t*t/float64(w.photons[j+1][k]))
}
