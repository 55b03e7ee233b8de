package recon

import (
	"fmt"
	"math"
	"slices"

	"ctrecon/ct"
	"ctrecon/ct/solve"
)

// EstimateSigma is the standard deviation of white noise in the sinogram, in
// nepers, from second differences along the detector: MAD/(0.6745 sqrt 6),
// which smooth data do not disturb and edges hardly. Dead bins are left out. It
// is 0 for views of fewer than three bins.
func EstimateSigma(s *ct.Sinogram) float64 {
	var d []float64
	for v := range s.Views() {
		row := s.View(v)
		for k := 1; k+1 < len(row); k++ {
			i := v*s.Bins + k
			if s.Dead(i-1) || s.Dead(i) || s.Dead(i+1) {
				continue
			}
			d = append(d, math.Abs(float64(row[k-1])-2*float64(row[k])+float64(row[k+1])))
		}
	}
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[len(d)/2] / (0.6745 * math.Sqrt(6))
}

// floorSigma keeps noise-free data solvable: 1e-4 nepers is a hundredth of the
// noise of 1e4 photons.
const floorSigma = 1e-4

// Noisy returns s with a known noise level: its own, or the estimate.
func Noisy(s ct.Sinogram) ct.Sinogram {
	if s.Sigma != nil || s.Noise.Sigma > 0 {
		return s
	}
	s.Noise = ct.Noise{Sigma: max(floorSigma, EstimateSigma(&s)), Source: "estimated"}
	return s
}

// whiten makes the data of a solver, with weights in w.
func whiten(s *ct.Sinogram, w []float32) solve.Data {
	if s.Sigma != nil {
		solve.Weights(w, s.Sigma)
	} else {
		for i := range w {
			w[i] = float32(1 / s.Noise.Sigma)
		}
	}
	return solve.Data{Y: s.Data, W: w}
}

// noiseSetting describes the level that was used.
func noiseSetting(s *ct.Sinogram) Setting {
	if s.Noise.Sigma > 0 {
		return Setting{"noise", fmt.Sprintf("%.3g nepers (%s)", s.Noise.Sigma, s.Noise.Source)}
	}
	return Setting{"noise", "per datum (" + s.Noise.Source + ")"}
}
