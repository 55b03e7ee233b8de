package sinofile

import (
	"math"
	"os"
	"path/filepath"
	"testing"
)

// ctdata is the folder of measured scans, named by CTRECON_CTDATA; it is too
// large for the repository. docs/formats.md says what must lie there.
func ctdata(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("CTRECON_CTDATA")
	if dir == "" {
		t.Skip("CTRECON_CTDATA names no folder with measured scans: not tested on real files")
	}
	return filepath.Join(dir, "sinograms")
}

// The measured scans read with no flag beyond their sidecar, and the axis that
// the data show agrees with the one that was found by reconstruction.
func TestReal(t *testing.T) {
	dir := ctdata(t)
	tests := []struct {
		file              string
		kind              string
		rows, views, bins int
		first, last       float64 // angles
		offset, within    float64 // of the axis found in the data; within 0: not looked for
	}{
		{"walnut/walnut.npy", "npy", 1, 120, 328, 180, -177, .77, .3},
		{"walnut/walnut_parallel.npy", "npy", 1, 180, 328, 0, 179, 0, .3},
		{"dls24737/sino_row67.npy", "npy", 1, 91, 160, -88.2, 91.8, 6.375, .3},
		{"htc2022/tb_parallel_arc.npy", "npy", 1, 150, 489, 10, 159, 0, 0},
		{"tooth/tooth.h5", "hdf5", 2, 181, 640, 0, 179.0055, -23.5, .7},
		{"dls24737/projections_rows.tif", "tiff", 20, 91, 160, -88.2, 91.8, 6.375, .3},
		{"htc2022/ta_30deg_v5.mat", "mat5", 1, 61, 560, 269, 299, 0, 0},
		{"htc2022/ta_30deg_v73.mat", "mat7.3", 1, 61, 560, 299, 329, 0, 0},
		{"htc2022/tb_90deg_v5.mat", "mat5", 1, 181, 560, 75, 165, 0, 0},
		{"htc2022/solid_disc_30deg_v73.mat", "mat7.3", 1, 61, 560, 181, 211, 0, 0},
		{"htc2022/tb_549views.npz", "npz", 1, 549, 560, 27, 334, -.25, .3},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			s, err := Read(filepath.Join(dir, tt.file), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if s.Kind != tt.kind || s.Rows != tt.rows || s.Views != tt.views || s.Bins != tt.bins {
				t.Errorf("%s of %d x %d x %d, want %s of %d x %d x %d", s.Kind, s.Rows, s.Views, s.Bins, tt.kind, tt.rows, tt.views, tt.bins)
			}
			a, b := s.Angles[0], s.Angles[s.Views-1]
			if math.Abs(a-tt.first) > 1e-3 || math.Abs(b-tt.last) > 1e-3 {
				t.Errorf("angles %g to %g, want %g to %g", a, b, tt.first, tt.last)
			}
			if tt.within > 0 {
				c, err := s.FindCenter(s.middle())
				if err != nil || math.Abs(c.Offset-tt.offset) > tt.within {
					t.Errorf("centre %+v (%v), want %g within %g", c, err, tt.offset, tt.within)
				}
				t.Logf("centre %+v", c)
			}
			for _, n := range s.Notes {
				t.Log(n)
			}
		})
	}
}
