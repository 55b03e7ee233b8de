package sinofile

import "ctrecon/ct"

// maxSample bounds the values that a quantile is taken of.
const maxSample = 1 << 20

// minSigma keeps weights finite where the data show no noise at all.
const minSigma = 1e-6

// estimateSigma is the noise of a row in nepers, at least minSigma. Dead bins
// were filled from their neighbours, so that they hardly count.
func estimateSigma(data []float32, views, bins int) float64 {
	s := ct.Sinogram{Geometry: ct.Geometry{Angles: make([]float64, views), Bins: bins}, Data: data}
	return max(minSigma, ct.EstimateSigma(&s))
}
