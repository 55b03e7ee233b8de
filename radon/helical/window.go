package helical

import "math"

// window is the part of a spot's views that a slice is made of.
type window struct {
	scan     *Scan
	p        *spot
	z        float64
	from, to int         // list places
	data     [][]float32 // of the places from first on
	photons  [][]float32
	first    int
}

// window fetches the views that see the slice, and one more on either side for the
// interpolation.
func (r *Rebinner) window(p *spot, z float64) (*window, error) {
	w := &window{scan: r.scan, p: p, z: z}
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
		w.data = append(w.data, d)
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
			dz := w.z - p.z[i] - t*(p.z[i+1]-p.z[i])
			g := w.scan.weigh(p.rowOf(dz, k, w.scan))
			if g == 0 {
				continue
			}
			slope := dz * p.tilt[k]
			value += g * w.ray(i-w.first, t, k) / math.Sqrt(1+slope*slope)
			weight += g
			if w.photons != nil {
				spread += g * g * w.spread(i-w.first, t, dz, k)
			}
		}
		c.value[k], c.weight[k], c.spread[k] = 0, weight, 0
		if weight > 0 {
			c.value[k], c.spread[k] = value/weight, spread/(weight*weight)
		}
	}
}

// ray interpolates between rows, and between views j and j+1 and their neighbours: a
// cubic through four (Catmull and Rom), a line where there are two. A row beside the
// detector counts as the last one.
func (w *window) ray(j int, t float64, k int) float64 {
	f := [4]float64{0, 1 - t, t, 0}
	from, to := 1, 3
	if j > 0 && j+2 < len(w.data) {
		f[0], f[1] = ((2-t)*t-1)*t/2, (t*t*(3*t-5)+2)/2
		f[2], f[3] = ((4-3*t)*t+1)*t/2, (t-1)*t*t/2
		from, to = 0, 4
	}
	s, sum := w.scan, 0.0
	most := float64(s.Rows - 1)
	for n := from; n < to; n++ {
		v := j + n - 1
		row := max(0, min(most, w.p.rowOf(w.z-w.p.z[w.first+v], k, s)))
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
