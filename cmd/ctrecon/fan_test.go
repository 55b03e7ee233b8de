package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ctrecon/ct"
	"ctrecon/ct/report"
	"ctrecon/dicomio/sinofile"
	"ctrecon/phantoms"
)

// fanScan writes a fan-beam scan of the head phantom: a file and its sidecar.
func fanScan(t *testing.T, views int, change func(view int, data []float32)) string {
	t.Helper()
	p, err := phantoms.New("head", 0)
	if err != nil {
		t.Fatal(err)
	}
	geo := ct.Geometry{Bins: 91, BinSize: 2 * p.Field / 64}
	for i := range views {
		geo.Angles = append(geo.Angles, 360*float64(i)/float64(views))
	}
	s := p.Fan(phantoms.Fan{SOD: 500, SDD: 1000}, geo)
	for v := range views {
		change(v, s.View(v))
	}
	name := filepath.Join(t.TempDir(), "fan.npy")
	if err := sinofile.WriteNPY(name, s.Data, views, geo.Bins); err != nil {
		t.Fatal(err)
	}
	sidecar := fmt.Sprintf(`{"geometry": "fan-flat", "axes": ["view", "bin"], "data": "line integrals", "angles_deg": {"start": 0, "step": %g, "count": %d},
		"source_to_origin_mm": 500, "source_to_detector_mm": 1000, "detector_spacing_mm": %g, "center_offset_bins": 0, "noise_sigma_nepers": 0.05}`,
		360/float64(views), views, geo.BinSize)
	if err := os.WriteFile(name+".json", []byte(sidecar), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// runFan reconstructs a file and gives its report and the folder of the result.
func runFan(t *testing.T, file string, args ...string) (report.Report, string) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	var errs bytes.Buffer
	all := append([]string{"ctrecon", "--quiet", "--keep-arrays", "--method", "fbp,tv", "--out", out}, args...)
	if code := run(context.Background(), append(all, file), io.Discard, &errs); code != exitOK {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	b, err := os.ReadFile(filepath.Join(out, "report.json"))
	var r report.Report
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r, out
}

// TestFanSubset: with --angles, a fan's other source positions are not used: their
// data may be anything.
func TestFanSubset(t *testing.T) {
	whole := fanScan(t, 100, func(int, []float32) {})
	spoiled := fanScan(t, 100, func(v int, data []float32) {
		for k := range data {
			if v%4 != 0 {
				data[k] = 7
			}
		}
	})
	r, out := runFan(t, whole, "--angles", "25")
	_, out2 := runFan(t, spoiled, "--angles", "25")
	for _, m := range []string{"fbp", "tv"} {
		a, b := array(t, filepath.Join(out, m+".npy")), array(t, filepath.Join(out2, m+".npy"))
		for i := range a {
			if a[i] != b[i] {
				t.Fatalf("%s: pixel %d is %g, and %g with other data in views that were not chosen", m, i, a[i], b[i])
			}
		}
	}
	g := r.Geometry
	if g.Beam != "fan" || g.Views != 25 || g.ViewsAvailable != 100 || g.Bins != 91 || g.Angles[1] != 14.4 || g.ArcDegrees != 360 {
		t.Errorf("geometry %+v", g)
	}
	if g.Fan == nil || g.Fan.Rebinned || g.Fan.Views != 100 {
		t.Errorf("fan %+v", g.Fan)
	}
	if !strings.Contains(strings.Join(r.Input.Notes, "\n"), "nothing but the source positions named here is used") {
		t.Errorf("notes %q", r.Input.Notes)
	}
}

// TestFanWays: which scans are rebinned. Either way the picture is that of the
// phantom.
func TestFanWays(t *testing.T) {
	p, err := phantoms.New("head", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		positions int
		args      []string
		views     int
		rebinned  bool
	}{
		{100, nil, 75, true},
		{80, nil, 80, false},
		{100, []string{"--angles", "100"}, 100, false},
	} {
		r, out := runFan(t, fanScan(t, tt.positions, func(int, []float32) {}), tt.args...)
		g := r.Geometry
		if g.Views != tt.views || g.Fan == nil || g.Fan.Rebinned != tt.rebinned || g.Width != 91 || g.PixelXMM != p.Field/64 {
			t.Errorf("%d positions %v: geometry %+v, fan %+v", tt.positions, tt.args, g, g.Fan)
		}
		var want []float64
		for _, v := range p.HU(ct.Square(g.Width, g.PixelXMM)) {
			want = append(want, float64(v))
		}
		for _, m := range []string{"fbp", "tv"} {
			if c := correlation(array(t, filepath.Join(out, m+".npy")), want); c < 0.95 {
				t.Errorf("%d positions %v: %s correlates %.3f with the phantom", tt.positions, tt.args, m, c)
			}
		}
	}
}
