package helical

import (
	"math"
	"testing"
	"time"

	"ctrecon/ct"
	"ctrecon/phantoms"
)

// flying are the places of the focal spot of the modes of DICOM-CT-PD: half a
// column at the axis in the plane, half a row along z, with the radial shift of an
// anode of 7 degrees.
var flying = map[string][]View{
	"FFSNONE": {{}},
	"FFSZ":    {{DZ: .6, DRadius: -2.4}, {DZ: -.6, DRadius: 2.4}},
	"FFSXY":   {{DBeta: .0375}, {DBeta: -.0375}},
	"FFSXYZ":  {{DBeta: .0375, DZ: .6, DRadius: -2.4}, {DBeta: -.0375, DZ: .6, DRadius: -2.4}, {DBeta: .0375, DZ: -.6, DRadius: 2.4}, {DBeta: -.0375, DZ: -.6, DRadius: 2.4}},
}

// clinical is a scan with the distances and columns of a clinical scanner, in a
// field of view of 250 mm, with a quarter offset.
func clinical(rows, views int, turns, feed float64, spots []View) *Scan {
	s := &Scan{Detector: Detector{Rows: rows, Cols: 360, RowSize: 2.2, ColSize: 1.2858, Distance: 1085.6, CenterRow: float64(rows-1) / 2, CenterCol: 179.75}}
	for i := range int(turns * float64(views)) {
		v := spots[i%len(spots)]
		v.Beta, v.Radius = 30+360*float64(i)/float64(views), 595
		v.Z = feed * (float64(i)/float64(views) - turns/2)
		s.Views = append(s.Views, v)
	}
	return s
}

// scanned measures a phantom: every datum is the mean of three rays over its
// column.
func scanned(s *Scan, p *phantoms.Phantom) *Scan {
	o := p.Solid()
	data := make([][]float32, len(s.Views))
	for i := range data {
		data[i] = s.Measure(i, 3, 1, o.Line)
	}
	s.Data = func(i int) ([]float32, error) { return data[i], nil }
	return s
}

// distance is |a-b|/|b| over what was measured.
func distance(a, b *ct.Sinogram) float64 {
	var d, n float64
	for i, v := range b.Data {
		if !a.Dead(i) {
			d += math.Pow(float64(a.Data[i]-v), 2)
			n += float64(v) * float64(v)
		}
	}
	return math.Sqrt(d / n)
}

func sheppLogan(t *testing.T, field float64) *phantoms.Phantom {
	t.Helper()
	p, err := phantoms.New("shepp-logan", field)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRebin(t *testing.T) {
	for mode, spots := range flying {
		t.Run(mode, func(t *testing.T) {
			p := sheppLogan(t, 230).At(0) // does not change along z
			s := scanned(clinical(4, 1000*len(spots)/max(1, len(spots)-1), 2, 4, spots), p)
			r, err := NewRebinner(s)
			if err != nil {
				t.Fatal(err)
			}
			if r.Spots() != len(spots) {
				t.Errorf("%d places of the focal spot, want %d", r.Spots(), len(spots))
			}
			geo := s.Parallel()
			start := time.Now()
			got, err := r.Rebin(.3, geo)
			if err != nil {
				t.Fatal(err)
			}
			want := p.Sinogram(geo, true)
			t.Logf("%d views of %d bins: relative L2 %.3g, %v, live %d of %d", geo.Views(), geo.Bins, distance(&got, &want), time.Since(start), got.Live(), got.Len())
			if d := distance(&got, &want); d > 3e-3 {
				t.Errorf("relative L2 %.3g, at most .003 is wanted", d)
			}
		})
	}
}
