// Package metrics measures images in Hounsfield units against a reference, by
// the protocol of docs/results.md: both images clipped to [-1000, 1000] HU for
// PSNR and SSIM, R = 2000.
package metrics

import (
	"fmt"
	"math"

	"ctrecon/ct"
)

// The range of the protocol in HU.
const (
	Low, High = -1000.0, 1000.0
	Range     = High - Low
)

func clip(v float32) float64 { return math.Max(Low, math.Min(High, float64(v))) }

func same(a, b int) {
	if a != b {
		panic(fmt.Sprintf("metrics: images of %d and %d pixels", a, b))
	}
}

// PSNR is the peak signal-to-noise ratio 10 log10(R^2/MSE) in dB of hu against
// ref, both clipped. Equal images give 186 dB (an MSE of 1e-12 HU^2).
func PSNR(hu, ref []float32) float64 {
	same(len(hu), len(ref))
	sum := 0.0
	for i, v := range hu {
		d := clip(v) - clip(ref[i])
		sum += d * d
	}
	return 10 * math.Log10(Range*Range/math.Max(sum/float64(len(hu)), 1e-12))
}

// Constants of SSIM (Wang, Bovik, Sheikh and Simoncelli 2004).
const (
	ssimRadius = 5
	ssimSigma  = 1.5
	ssimC1     = (0.01 * Range) * (0.01 * Range)
	ssimC2     = (0.03 * Range) * (0.03 * Range)
)

// SSIM is the structural similarity of two images of w columns, both clipped:
// Gaussian window 11 x 11 with sigma 1.5, population covariance, the mean
// without the border of 5 pixels. NaN for images with no such inside.
func SSIM(hu, ref []float32, w int) float64 {
	same(len(hu), len(ref))
	h := len(hu) / w
	if w <= 2*ssimRadius || h <= 2*ssimRadius {
		return math.NaN()
	}
	n := len(hu)
	a, b, aa, bb, ab := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range hu {
		x, y := clip(hu[i]), clip(ref[i])
		a[i], b[i], aa[i], bb[i], ab[i] = x, y, x*x, y*y, x*y
	}
	tmp := make([]float64, n)
	for _, f := range [][]float64{a, b, aa, bb, ab} {
		blur(f, tmp, w, h)
	}
	sum, count := 0.0, 0
	for r := ssimRadius; r < h-ssimRadius; r++ {
		for c := ssimRadius; c < w-ssimRadius; c++ {
			i := r*w + c
			ma, mb := a[i], b[i]
			va, vb, vab := aa[i]-ma*ma, bb[i]-mb*mb, ab[i]-ma*mb
			sum += (2*ma*mb + ssimC1) * (2*vab + ssimC2) / ((ma*ma + mb*mb + ssimC1) * (va + vb + ssimC2))
			count++
		}
	}
	return sum / float64(count)
}

// blur convolves with the Gaussian in place. Only pixels 5 and more from the
// border are right afterwards, which are all that SSIM reads.
func blur(f, tmp []float64, w, h int) {
	var k [2*ssimRadius + 1]float64
	sum := 0.0
	for i := range k {
		d := float64(i-ssimRadius) / ssimSigma
		k[i] = math.Exp(-d * d / 2)
		sum += k[i]
	}
	for i := range k {
		k[i] /= sum
	}
	for r := range h {
		row := f[r*w : (r+1)*w]
		for c := ssimRadius; c < w-ssimRadius; c++ {
			s := 0.0
			for i, v := range row[c-ssimRadius : c+ssimRadius+1] {
				s += k[i] * v
			}
			tmp[r*w+c] = s
		}
	}
	for r := ssimRadius; r < h-ssimRadius; r++ {
		for c := ssimRadius; c < w-ssimRadius; c++ {
			s := 0.0
			for i, kv := range k {
				s += kv * tmp[(r-ssimRadius+i)*w+c]
			}
			f[r*w+c] = s
		}
	}
}

// RMSE is the root mean square difference in HU inside mask (all pixels when it
// is nil), without clipping. NaN for an empty mask.
func RMSE(hu, ref []float32, mask []bool) float64 {
	same(len(hu), len(ref))
	sum, n := 0.0, 0
	for i, v := range hu {
		if mask != nil && !mask[i] {
			continue
		}
		d := float64(v) - float64(ref[i])
		sum += d * d
		n++
	}
	return math.Sqrt(sum / float64(n))
}

// Chi2 is the mean of (residual/sigma)^2 over the measured bins of s; residual is
// A mu - y in nepers. It needs s.Sigma or s.Noise.Sigma.
func Chi2(residual []float32, s *ct.Sinogram) float64 {
	same(len(residual), len(s.Data))
	sum, n := 0.0, 0
	for i, r := range residual {
		sd := s.Noise.Sigma
		if s.Sigma != nil {
			if sd = float64(s.Sigma[i]); math.IsInf(sd, 1) {
				continue
			}
		}
		z := float64(r) / sd
		sum += z * z
		n++
	}
	return sum / float64(n)
}
