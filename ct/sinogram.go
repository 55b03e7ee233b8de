package ct

import (
	"fmt"
	"math"
)

// Sinogram is the measurement of one slice: line integrals of mu in nepers.
type Sinogram struct {
	Geometry
	Data []float32 // [view][bin]
	// Sigma is the standard deviation of each datum in nepers, +Inf where the bin
	// measured nothing (dead, masked, outside a truncated detector). Nil means
	// that every datum has the deviation Noise.Sigma.
	Sigma []float32
	Noise Noise
}

// NewSinogram allocates a sinogram of zeros.
func NewSinogram(g Geometry) Sinogram {
	return Sinogram{Geometry: g, Data: make([]float32, g.Len())}
}

// View is the data of view v; it shares memory.
func (s *Sinogram) View(v int) []float32 { return s.Data[v*s.Bins : (v+1)*s.Bins] }

// Dead says whether datum i (view*Bins+bin) was not measured.
func (s *Sinogram) Dead(i int) bool { return s.Sigma != nil && math.IsInf(float64(s.Sigma[i]), 1) }

// Live counts the data that were measured.
func (s *Sinogram) Live() int {
	n := 0
	for i := range s.Data {
		if !s.Dead(i) {
			n++
		}
	}
	return n
}

// Subset keeps the views with the given indices; the data are copied.
func (s *Sinogram) Subset(views []int) Sinogram {
	out := Sinogram{Geometry: s.Geometry.Subset(views), Noise: s.Noise}
	out.Data = pick(s.Data, views, s.Bins)
	if s.Sigma != nil {
		out.Sigma = pick(s.Sigma, views, s.Bins)
	}
	return out
}

func pick(src []float32, views []int, bins int) []float32 {
	out := make([]float32, 0, len(views)*bins)
	for _, v := range views {
		out = append(out, src[v*bins:(v+1)*bins]...)
	}
	return out
}

// Check reports data that do not fit their geometry, are not finite, or were
// not measured at all.
func (s *Sinogram) Check() error {
	if err := s.Geometry.Check(); err != nil {
		return err
	}
	if len(s.Data) != s.Len() {
		return fmt.Errorf("%d data for %d views of %d bins", len(s.Data), s.Views(), s.Bins)
	}
	if s.Sigma != nil && len(s.Sigma) != len(s.Data) {
		return fmt.Errorf("%d deviations for %d data", len(s.Sigma), len(s.Data))
	}
	for i, v := range s.Data {
		if !finite(float64(v)) && !s.Dead(i) {
			return fmt.Errorf("view %d, bin %d: value %g is not finite", i/s.Bins, i%s.Bins, v)
		}
	}
	if s.Live() == 0 {
		return fmt.Errorf("every bin of the sinogram is masked")
	}
	return nil
}

// Noise is what is known about the noise of a sinogram. The zero value means
// unknown: it is then estimated from the data.
type Noise struct {
	Sigma   float64 // standard deviation of a datum in nepers, 0 = not Gaussian or unknown
	Photons float64 // photons a bin without an object (I0), 0 = not counted
	Source  string  // "given", "sidecar", "simulated", "estimated"
}

// Known says whether a level was given.
func (n Noise) Known() bool { return n.Sigma > 0 || n.Photons > 0 }
