package ct

import (
	"math"
	"testing"
)

// TestEstimateSigma: within a tenth on white noise over a smooth object, dead
// bins and many views or few.
func TestEstimateSigma(t *testing.T) {
	for _, sigma := range []float64{0.002, 0.01, 0.05} {
		for _, views := range []int{60, 360} {
			s := NewSinogram(Uniform(views, 301, 1))
			s.Sigma = make([]float32, len(s.Data))
			NewStream(3, 0, 0, 0).Normals(s.Data, 0)
			for i := range s.Data {
				x := s.S(i%s.Bins) / 100
				s.Data[i] = float32(sigma)*s.Data[i] + float32(4*math.Sqrt(math.Max(0, 1-x*x)))
				if i%s.Bins == 40 {
					s.Data[i], s.Sigma[i] = 99, float32(math.Inf(1))
				}
			}
			if got := EstimateSigma(&s); math.Abs(got/sigma-1) > 0.1 {
				t.Errorf("%d views: noise of %g estimated as %g", views, sigma, got)
			}
		}
	}
	flat := NewSinogram(Uniform(10, 10, 1))
	if got := EstimateSigma(&flat); got != 0 {
		t.Errorf("no noise estimated as %g", got)
	}
}
