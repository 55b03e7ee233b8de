package recon

import (
	"fmt"

	"ctrecon/ct"
	"ctrecon/ct/solve"
)

// floorSigma keeps noise-free data solvable: 1e-4 nepers is a hundredth of the
// noise of 1e4 photons.
const floorSigma = 1e-4

// Noisy returns s with a known noise level: its own, or the estimate.
func Noisy(s ct.Sinogram) ct.Sinogram {
	if s.Sigma != nil || s.Noise.Sigma > 0 {
		return s
	}
	s.Noise = ct.Noise{Sigma: max(floorSigma, ct.EstimateSigma(&s)), Source: "estimated"}
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
