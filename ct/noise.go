package ct

import (
	"math"
	"slices"
)

// EstimateSigma is the standard deviation of white noise in a sinogram, in
// nepers: the median of |a-2b+c| over 0.6745 sqrt 6, for neighbouring bins or
// neighbouring views, whichever is smaller. Edges hardly move a median; the
// object's own curvature adds to it, so it is an upper bound on coarse data.
// Dead data and differences of exactly 0 (padding) are left out. It is 0 where
// no difference is left.
func EstimateSigma(s *Sinogram) float64 {
	best := math.Inf(1)
	for _, d := range [][]float64{s.curvature(1, s.Bins), s.curvature(s.Bins, s.Views())} {
		if len(d) > 0 {
			slices.Sort(d)
			best = math.Min(best, d[len(d)/2]/(0.6745*math.Sqrt(6)))
		}
	}
	if math.IsInf(best, 1) {
		return 0
	}
	return best
}

// maxCurvature bounds the differences that a median is taken of.
const maxCurvature = 1 << 20

// curvature lists |a-2b+c| of data that lie step apart, on lines of n.
func (s *Sinogram) curvature(step, n int) []float64 {
	var out []float64
	skip := 1 + len(s.Data)/maxCurvature
	for i := 0; i < len(s.Data); i += skip {
		if at := i / step % n; at == 0 || at == n-1 || s.Dead(i-step) || s.Dead(i) || s.Dead(i+step) {
			continue
		}
		if d := math.Abs(float64(s.Data[i-step]) - 2*float64(s.Data[i]) + float64(s.Data[i+step])); d > 0 {
			out = append(out, d)
		}
	}
	return out
}
