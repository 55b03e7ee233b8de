package physics

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/dsp/fourier"
)

// NPS is a noise power spectrum.
type NPS struct {
	// Plane is in HU^2 cm^2 [fy][fx] on N x N frequencies in the order of a Fourier
	// transform: index i is i/(N DX), or (i-N)/(N DX) from N/2 on.
	Plane  []float64
	N      int
	DX, DY float64 // pixel, mm
	// Radial is the mean over directions, to the lower of the Nyquist frequencies.
	Radial Curve
}

// NPS is the noise power of the square of n x n pixels about (x, y) mm, which need
// not be uniform: each draw's difference from the mean of draws is transformed,
// and the lost degree of freedom is given back (K/(K-1)). Nothing is windowed or
// detrended, hence the integral over the plane is the variance of a pixel. A
// square outside the image is an error.
func (r *Repeats) NPS(x, y float64, n int) (NPS, error) {
	g := r.grid
	row, col, err := r.square(x, y, n)
	if err != nil {
		return NPS{}, err
	}
	out := NPS{Plane: make([]float64, n*n), N: n, DX: g.DX, DY: g.DY}
	fft, square, line := fourier.NewCmplxFFT(n), make([]complex128, n*n), make([]complex128, n)
	k := float64(len(r.images))
	scale := g.DX * g.DY / 100 / float64(n*n) / (k - 1) // mean over draws times K/(K-1)
	for _, im := range r.images {
		for i := range square {
			p := (row+i/n)*g.W + col + i%n
			square[i] = complex(float64(im[p])-r.mean[p], 0)
		}
		transform(fft, square, line)
		for i, v := range square {
			out.Plane[i] += scale * (real(v)*real(v) + imag(v)*imag(v))
		}
	}
	out.radial()
	return out, nil
}

// square is the first row and column of n x n pixels about (x, y) mm.
func (r *Repeats) square(x, y float64, n int) (row, col int, err error) {
	g := r.grid
	col = int(math.Round(x/g.DX + float64(g.W-n)/2))
	row = int(math.Round(float64(g.H-n)/2 - y/g.DY))
	if n < 4 || col < 0 || row < 0 || col+n > g.W || row+n > g.H {
		return 0, 0, fmt.Errorf("square of %d x %d pixels at (%.3g, %.3g): not within the image of %d x %d", n, n, x, y, g.W, g.H)
	}
	return row, col, nil
}

// transform replaces the square by its Fourier transform.
func transform(fft *fourier.CmplxFFT, square, line []complex128) {
	n := len(line)
	for i := range n {
		fft.Coefficients(square[i*n:(i+1)*n], square[i*n:(i+1)*n])
	}
	for i := range n {
		for j := range n {
			line[j] = square[j*n+i]
		}
		fft.Coefficients(line, line)
		for j := range n {
			square[j*n+i] = line[j]
		}
	}
}

// radial averages the plane over rings one frequency wide.
func (s *NPS) radial() {
	wide := math.Max(s.DX, s.DY)
	bins := s.N/2 + 1
	sum, count := make([]float64, bins), make([]float64, bins)
	step := 10 / (float64(s.N) * wide) // 1/cm
	for i, v := range s.Plane {
		f := math.Hypot(s.frequency(i%s.N, s.DX), s.frequency(i/s.N, s.DY))
		if b := int(f/step + 0.5); b < bins {
			sum[b] += v
			count[b]++
		}
	}
	for b := range sum {
		sum[b] /= count[b]
	}
	s.Radial = Curve{Step: step, Values: sum}
}

// frequency of index i in 1/cm.
func (s *NPS) frequency(i int, pixel float64) float64 {
	if i >= (s.N+1)/2 {
		i -= s.N
	}
	return float64(i) * 10 / (float64(s.N) * pixel)
}

// Variance is the integral over the plane in HU^2.
func (s *NPS) Variance() float64 {
	sum := 0.0
	for _, v := range s.Plane {
		sum += v
	}
	return sum * 100 / (float64(s.N*s.N) * s.DX * s.DY)
}

// MeanFrequency is the centroid of the radial curve in 1/cm, TG-233's f_av: half
// of Nyquist's frequency for white noise. NaN without noise.
func (s *NPS) MeanFrequency() float64 {
	var sum, first float64
	for i, v := range s.Radial.Values {
		sum += v
		first += v * float64(i) * s.Radial.Step
	}
	return first / sum
}

// PeakFrequency is where the radial curve is highest, in 1/cm.
func (s *NPS) PeakFrequency() float64 {
	best := 0
	for i, v := range s.Radial.Values {
		if v > s.Radial.Values[best] {
			best = i
		}
	}
	return float64(best) * s.Radial.Step
}
