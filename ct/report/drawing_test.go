package report

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// TestFanDrawing: rays of a fan leave one point, parallel ones do not, and the
// covered circle has the detector's width at the axis.
func TestFanDrawing(t *testing.T) {
	fan := func(rebinned bool) *Fan {
		return &Fan{Rebinned: rebinned, SourceAxisMM: 110, SourceDetectorMM: 330, Views: 120, Bins: 300, BinSizeMM: .3, ArcDegrees: 360}
	}
	for _, tt := range []struct {
		name  string
		fan   *Fan
		width float64 // of the circle over that of the image
		point bool
		views string
		says  string
	}{
		{"parallel", nil, 3, false, "Views", ""},
		{"rebinned", fan(true), 3, false, "Views", "Rebinned from: fan beam: source to axis 110.00 mm, source to flat detector 330.00 mm, 120 views"},
		{"fan", fan(false), 1, true, "Source positions", "Measured: fan beam: source to axis 110.00 mm"},
	} {
		r := &Report{Geometry: Geometry{Beam: tt.name, Views: 25, ViewsAvailable: 120, Angles: []float64{30, 60}, Bins: 300, BinSizeMM: .3, Width: 300, Height: 300, PixelXMM: .1, PixelYMM: .1, Fan: tt.fan}}
		d := r.drawing()
		if got := 2 * d.Radius / d.W; math.Abs(got-tt.width) > 1e-9 {
			t.Errorf("%s: circle of %g image widths, want %g", tt.name, got, tt.width)
		}
		point := true
		for _, l := range d.Rays {
			point = point && math.Hypot(l.X1-d.Rays[0].X1, l.Y1-d.Rays[0].Y1) < 1e-9
		}
		if point != tt.point || len(d.Rays) != 11 {
			t.Errorf("%s: rays from one point: %v, want %v", tt.name, point, tt.point)
		}
		var facts []string
		for _, f := range r.geometryFacts() {
			facts = append(facts, fmt.Sprintf("%s: %s", f.Name, f.Value))
		}
		text := strings.Join(facts, "\n")
		if !strings.Contains(text, tt.says) || !strings.Contains(text, tt.views+": 25 of 120") {
			t.Errorf("%s: facts\n%s", tt.name, text)
		}
	}
}
