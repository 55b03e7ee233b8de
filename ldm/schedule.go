package ldm

import "math"

// Alpha is the signal's share a = 1/(1+e^l) of the variance at log
// noise-to-signal ratio l.
func Alpha(l float64) float64 { return 1 / (1 + math.Exp(l)) }

// amplitudes are sqrt(a) and sqrt(1-a), each computed without cancellation.
func amplitudes(l float64) (signal, noise float64) {
	return math.Sqrt(Alpha(l)), math.Sqrt(Alpha(-l))
}

// Levels are n log noise-to-signal ratios, uniform from start to end.
func Levels(start, end float64, n int) []float64 {
	return appendLevels(make([]float64, 0, n), start, end, n)
}

func appendLevels(l []float64, start, end float64, n int) []float64 {
	for i := range n {
		v := start
		if n > 1 {
			v += (end - start) * float64(i) / float64(n-1)
		}
		l = append(l, v)
	}
	return l
}

// LDMAlphas are the signal shares a_t of the latent diffusion model's schedule
// (Rombach et al. 2022): beta linear in its root from 0.0015 to 0.0195 over n
// steps.
func LDMAlphas(n int) []float64 {
	a, prod := make([]float64, n), 1.0
	lo, hi := math.Sqrt(0.0015), math.Sqrt(0.0195)
	for t := range a {
		b := lo
		if n > 1 {
			b += float64(t) / float64(n-1) * (hi - lo)
		}
		prod *= 1 - b*b
		a[t] = prod
	}
	return a
}

// LogNSR is the level l of a signal share a.
func LogNSR(a float64) float64 { return math.Log((1 - a) / a) }
