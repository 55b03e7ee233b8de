package report

import (
	"strings"
	"testing"
)

// TestWarnMisfit: a learned method is warned of where a classical one is better
// by more than the margins, and only then.
func TestWarnMisfit(t *testing.T) {
	for _, c := range []struct {
		name             string
		rms, tvRMS       float64
		psnr, tvPSNR     *float64
		heldOut, further bool
	}{
		{"better in both", .010, .012, Number(34), Number(31), false, false},
		{"worse by the margin of noise", .0104, .010, Number(30.96), Number(31), false, false},
		{"kept views", .0110, .010, Number(34), Number(31), true, false},
		{"reference", .010, .010, Number(30.9), Number(31), false, true},
		{"kept views, no reference", .02, .010, nil, nil, true, false},
		{"nothing known", 0, 0, nil, nil, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			slice := func(rms float64, psnr *float64) []Slice {
				s := Slice{Metrics: Metrics{PSNR: psnr}}
				if rms > 0 { // the root of the mean over 300 bins is rms
					s.HeldOut = []HeldOutView{{View: 3, RMS: rms * 1.2, Bins: 100}, {View: 9, RMS: rms * 0.8831761, Bins: 200}}
				}
				return []Slice{s}
			}
			r := &Report{Methods: []Method{{Name: "tv", Label: "TV", Slices: slice(c.tvRMS, c.tvPSNR)}, {Name: "resample", Slices: slice(c.rms, c.psnr)}}}
			r.Finish()
			r.WarnMisfit("resample", "tv")
			r.WarnMisfit("resample", "tv")
			r.WarnMisfit("resample", "sirt")
			all := strings.Join(r.Methods[1].Warnings, "\n")
			if got := strings.Contains(all, "kept from both"); got != c.heldOut {
				t.Errorf("held-out warning %v: %q", got, all)
			}
			if got := strings.Contains(all, "further from the reference"); got != c.further {
				t.Errorf("reference warning %v: %q", got, all)
			}
			if n := len(r.Methods[1].Warnings); n > 2 || len(r.Methods[0].Warnings) > 0 {
				t.Errorf("%d warnings of resample, %d of tv", n, len(r.Methods[0].Warnings))
			}
		})
	}
}
