package sinofile

import (
	"math"
	"slices"
)

// estimateSigma is the standard deviation of the noise of a sinogram in nepers:
// the median of the second differences d = a-2b+c, whose deviation is sqrt(6)
// times that of a datum, along the bins or the views, whichever is smaller. The
// object's own curvature adds to it, so it is an upper bound on coarse data.
func estimateSigma(data []float32, views, bins int) float64 {
	along := func(step, n, lines, lineStep int) float64 {
		var d []float64
		skip := 1 + (n-2)*lines/maxSample
		for l := 0; l < lines; l++ {
			for i := 1 + l%skip; i < n-1; i += skip {
				p := l*lineStep + i*step
				v := float64(data[p-step]) - 2*float64(data[p]) + float64(data[p+step])
				if v != 0 && !math.IsNaN(v) {
					d = append(d, math.Abs(v))
				}
			}
		}
		if len(d) == 0 {
			return math.Inf(1)
		}
		slices.Sort(d)
		return d[len(d)/2] / (0.6745 * math.Sqrt(6))
	}
	s := min(along(1, bins, views, bins), along(bins, views, bins, 1))
	if math.IsInf(s, 1) {
		return minSigma
	}
	return max(s, minSigma)
}

const (
	maxSample = 1 << 20
	// minSigma keeps weights finite where the data show no noise at all.
	minSigma = 1e-6
)
