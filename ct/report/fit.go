package report

import (
	"fmt"
	"math"
)

// Margins below which two methods count as equal: held-out views of one slice
// differ by a few percent with the noise alone, PSNR by hundredths.
const (
	heldOutMargin = 1.05
	psnrMargin    = 0.05
)

// WarnMisfit writes into the warnings of learned where the measurement, or the
// reference, speaks against what it knows: a classical method predicts held-out
// views better, or is nearer to the reference. Call it after Finish.
func (r *Report) WarnMisfit(learned, classical string) {
	m, c := r.method(learned), r.method(classical)
	if m == nil || c == nil {
		return
	}
	if a, b := m.heldOutRMS(), c.heldOutRMS(); b > 0 && a > heldOutMargin*b {
		m.warn(fmt.Sprintf("views that were kept from both are predicted worse than by %s (off by %.3g and %.3g nepers): the model does not fit this object, prefer %s", c.Label, a, b, c.Label))
	}
	if a, b := m.Summary.PSNR, c.Summary.PSNR; a != nil && b != nil && a.Mean < b.Mean-psnrMargin {
		m.warn(fmt.Sprintf("%.2f dB further from the reference than %s: the model does not fit this object", b.Mean-a.Mean, c.Label))
	}
}

func (r *Report) method(name string) *Method {
	for i := range r.Methods {
		if r.Methods[i].Name == name {
			return &r.Methods[i]
		}
	}
	return nil
}

// warn adds a warning once.
func (m *Method) warn(text string) {
	for _, w := range m.Warnings {
		if w == text {
			return
		}
	}
	m.Warnings = append(m.Warnings, text)
}

// heldOutRMS is the root mean square of prediction minus datum over all held-out
// bins, 0 without any.
func (m *Method) heldOutRMS() float64 {
	sum, n := 0.0, 0
	for _, s := range m.Slices {
		for _, h := range s.HeldOut {
			sum, n = sum+h.RMS*h.RMS*float64(h.Bins), n+h.Bins
		}
	}
	return math.Sqrt(sum / float64(max(1, n)))
}
