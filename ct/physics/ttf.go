package physics

import (
	"fmt"
	"math"
)

// TTF is the task transfer function of a round insert, with what is needed to
// judge it.
type TTF struct {
	Curve            // 1 at frequency 0
	Contrast float64 // HU, inside minus outside, as measured
	CNR      float64 // |Contrast| over the deviation of pixels of the mean image beside the edge
}

// Trusted is the CNR from which a TTF is taken as measured: white noise of this
// level moves f50 by 3 to 6 % (one standard error; TestTTFInNoise).
const Trusted = 15.0

// F50 and F10 are where the TTF falls to a half and to a tenth, in 1/cm.
func (t TTF) F50() float64 { return t.Fall(0.5) }
func (t TTF) F10() float64 { return t.Fall(0.1) }

const (
	oversample = 8    // points of the edge profile a pixel
	edgeShare  = 0.8  // of the radius: how far the profile goes from the edge
	flatShare  = 0.5  // of that: where the window on the line profile begins to fall
	ttfStep    = 0.05 // 1/cm
	minRadius  = 5.0  // pixels
)

// TTF measures the edge of the insert d on the mean of the repeats. Surroundings
// must be uniform to 1.8 radii. The pixels' values by their distance from the
// centre, eight to a pixel, are the edge profile; its derivative is the line
// spread function, which is windowed (flat to half of its reach, then a cosine)
// and Fourier transformed; the transfer of the finite difference is divided out
// (Cunningham and Fenster, Med. Phys. 14 (1987), 533). Frequencies go to the
// sampling frequency, twice that of Nyquist, since the profile is oversampled.
//
// The edge of a disc is bent: with blur of deviation s it differs from a straight
// one by the order of (s/R)^2. An insert below five pixels of radius, or one whose
// profile does not rise or fall, is an error.
func (r *Repeats) TTF(d Disc) (TTF, error) {
	pixel := math.Sqrt(r.grid.DX * r.grid.DY)
	if d.R < minRadius*pixel {
		return TTF{}, fmt.Errorf("insert of %.3g mm radius: %g pixels of %.3g mm are needed", d.R, minRadius, pixel)
	}
	reach, step := edgeShare*d.R, pixel/oversample
	profile := r.profile(d, reach, step)
	lsf := make([]float64, len(profile)-1)
	sum := 0.0
	for i := range lsf {
		t := -reach + step*float64(i+1)
		lsf[i] = (profile[i+1] - profile[i]) * taper(math.Abs(t)/reach)
		sum += lsf[i]
	}
	inside, outside := r.ring(d.X, d.Y, 0, 0.65*d.R), r.ring(d.X, d.Y, d.R+flatShare*reach, d.R+reach)
	out := TTF{Contrast: inside.Mean - outside.Mean}
	out.CNR = math.Abs(out.Contrast) / math.Sqrt((r.variance(inside)+r.variance(outside))/2)
	if sum == 0 || math.Signbit(sum) == math.Signbit(out.Contrast) { // outwards a positive insert falls
		return out, fmt.Errorf("insert of %.3g HU at (%.3g, %.3g): its edge cannot be seen", out.Contrast, d.X, d.Y)
	}
	out.Curve = spectrum(lsf, sum, step, -reach+step, 10/pixel)
	return out, nil
}

// variance of a pixel of the mean image about its region's mean.
func (r *Repeats) variance(n Number) float64 {
	return n.Pattern*n.Pattern + n.Noise*n.Noise/float64(len(r.images))
}

// taper is 1 to flatShare and falls to 0 at 1.
func taper(x float64) float64 {
	if x <= flatShare {
		return 1
	}
	c := math.Cos(math.Pi / 2 * (x - flatShare) / (1 - flatShare))
	return c * c
}

// profile is the mean value by the distance from the edge, at -reach + step/2 and
// so on. The pixels of a bin stand at their own mean distance, and points between
// are interpolated: a bin's pixels need not lie about its middle.
func (r *Repeats) profile(d Disc, reach, step float64) []float64 {
	n := int(2 * reach / step)
	at, value, count := make([]float64, n), make([]float64, n), make([]float64, n)
	for row := range r.grid.H {
		for col := range r.grid.W {
			x, y := r.grid.XY(row, col)
			t := math.Hypot(x-d.X, y-d.Y) - d.R
			if i := int(math.Floor((t + reach) / step)); i >= 0 && i < n {
				at[i] += t
				value[i] += r.mean[row*r.grid.W+col]
				count[i]++
			}
		}
	}
	var ts, vs []float64
	for i, c := range count {
		if c > 0 {
			ts, vs = append(ts, at[i]/c), append(vs, value[i]/c)
		}
	}
	out := make([]float64, n)
	k := 0
	for i := range out {
		t := -reach + step*(float64(i)+0.5)
		for k+2 < len(ts) && ts[k+1] < t {
			k++
		}
		w := min(1, max(0, (t-ts[k])/(ts[k+1]-ts[k]))) // beyond the ends the last value
		out[i] = vs[k] + w*(vs[k+1]-vs[k])
	}
	return out
}

// spectrum is |FT| over its value at 0 of samples step mm apart from t0 mm on, to
// the frequency top in 1/cm.
func spectrum(lsf []float64, sum, step, t0, top float64) Curve {
	c := Curve{Step: ttfStep}
	for k := 0; float64(k)*ttfStep <= top; k++ {
		f := float64(k) * ttfStep / 10 // 1/mm
		var re, im float64
		for i, v := range lsf {
			sin, cos := math.Sincos(2 * math.Pi * f * (t0 + float64(i)*step))
			re, im = re+v*cos, im+v*sin
		}
		c.Values = append(c.Values, math.Hypot(re, im)/math.Abs(sum)/sinc(f*step))
	}
	return c
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}
