package helical

import (
	"fmt"
	"testing"

	"ctrecon/ct"
)

// siemens is a scan as clinical as they come: 64 rows of .6 mm, 736 columns, 2304
// views and 23 mm a turn. All views are the same: their values do not change the time.
func siemens(spots []View) *Scan {
	s := &Scan{Detector: Detector{Rows: 64, Cols: 736, RowSize: 1.0947, ColSize: 1.2858, Distance: 1085.6, CenterRow: 31.5, CenterCol: 366.375}}
	for i := range 3 * 2304 {
		v := spots[i%len(spots)]
		v.Beta, v.Radius, v.Z = 360*float64(i)/2304, 595, 23*float64(i)/2304
		s.Views = append(s.Views, v)
	}
	data := make([][]float32, 64)
	for i := range data {
		data[i] = make([]float32, s.Rows*s.Cols)
		ct.NewStream(1, i, 0, 0).Normals(data[i], 0)
	}
	s.Data = func(i int) ([]float32, error) { return data[i%len(data)], nil }
	return s
}

// BenchmarkRebin is a slice of a clinical scan: all parallel views, and the 25 of a
// usual job.
func BenchmarkRebin(b *testing.B) {
	for _, mode := range []string{"FFSNONE", "FFSZ", "FFSXYZ"} {
		s := siemens(flying[mode])
		r, err := NewRebinner(s)
		if err != nil {
			b.Fatal(err)
		}
		full := s.Parallel()
		for _, geo := range []ct.Geometry{full, ct.Uniform(25, full.Bins, full.BinSize)} {
			b.Run(fmt.Sprintf("%s/views=%d/bins=%d", mode, geo.Views(), geo.Bins), func(b *testing.B) {
				for b.Loop() {
					if _, err := r.Rebin(34.5, geo); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
