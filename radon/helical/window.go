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
	for k := range c.value {
		var value, weight, spread float64
		w.p.turns(theta-w.p.theta[k], w.from, w.to, func(i int, t float64) {
			v, g, q := w.ray(i, t, k)
			value += g * v
			weight += g
			spread += g * g * q
		})
		c.value[k], c.weight[k], c.spread[k] = 0, weight, 0
		if weight > 0 {
			c.value[k], c.spread[k] = value/weight, spread/(weight*weight)
		}
	}
}

// ray interpolates between rows, and between views i and i+1 and their neighbours:
// a cubic through four (Catmull and Rom), a line where there are two.
func (w *window) ray(i int, t float64, k int) (value, weight, spread float64) {
	j := i - w.first
	f := [4]float64{0, 1 - t, t, 0}
	if j > 0 && j+2 < len(w.data) {
		f[0], f[1] = ((2-t)*t-1)*t/2, (t*t*(3*t-5)+2)/2
		f[2], f[3] = ((4-3*t)*t+1)*t/2, (t-1)*t*t/2
	}
	for n, g := range f {
		if g == 0 {
			continue
		}
		dz := w.z - w.p.z[i+n-1]
		row := w.p.rowOf(dz, k, w.scan)
		v, q := w.at(j+n-1, row, k)
		slope := dz * w.p.tilt[k]
		value += g * v / math.Sqrt(1+slope*slope)
		weight += g * w.scan.weigh(row)
		spread += g * g * q
	}
	return value, max(0, weight), spread
}

// at is the datum of a view at a fraction of a row, and its variance for one photon.
func (w *window) at(j int, row float64, k int) (value, spread float64) {
	s := w.scan
	row = max(0, min(float64(s.Rows-1), row))
	r := min(s.Rows-2, int(row))
	f := row - float64(r)
	d := w.data[j]
	value = (1-f)*float64(d[r*s.Cols+k]) + f*float64(d[(r+1)*s.Cols+k])
	if w.photons != nil {
		spread = (f*f + (1-f)*(1-f)) / float64(w.photons[j][k])
	}
	return value, spread
}
