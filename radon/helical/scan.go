package helical

import (
	"fmt"
	"math"

	"ctrecon/ct"
)

// Shape is the form of the detector.
type Shape int

// The detector is a part of a cylinder or sphere about the focal centre, or flat.
const (
	Cylindrical Shape = iota
	Spherical
	Flat
)

// Detector is what all views of a scan have in common.
type Detector struct {
	Shape                Shape
	Rows, Cols           int
	RowSize, ColSize     float64 // spacing in mm, measured at the detector
	Distance             float64 // focal centre to detector, mm
	CenterRow, CenterCol float64 // where the line from the focal centre through the axis meets the detector; the first row and column are 0
}

// View is where one reading was made.
type View struct {
	Beta               float64 // degrees, running on over turns
	Z                  float64 // mm
	Radius             float64 // focal centre to axis, mm
	DBeta, DZ, DRadius float64 // of the focal spot, from the focal centre: degrees, mm, mm
}

// Scan is a helical scan.
type Scan struct {
	Detector
	Views []View // in the order of measurement
	// Data gives view i: line integrals in nepers [row][col], which nobody changes. It
	// is called from several goroutines.
	Data func(i int) ([]float32, error)
	// Photons gives the photons of view i that would reach each column through air, nil
	// where they are not known. Data must have been asked for first.
	Photons func(i int) []float32
	// Noise is that of a rebinned datum, where somebody says it. Photons are not asked
	// then.
	Noise ct.Noise
}

// Check reports a scan that cannot be rebinned.
func (s *Scan) Check() error {
	switch {
	case s.Rows < 2 || s.Cols < 4 || s.Rows > 1<<12 || s.Cols > 1<<14:
		return fmt.Errorf("a detector of %d rows and %d columns: 2 to 4096 rows and 4 to 16384 columns are possible", s.Rows, s.Cols)
	case !positive(s.RowSize) || !positive(s.ColSize):
		return fmt.Errorf("detector elements of %g x %g mm", s.ColSize, s.RowSize)
	case !positive(s.Distance):
		return fmt.Errorf("%g mm from focal centre to detector", s.Distance)
	case !(math.Abs(s.CenterCol-float64(s.Cols-1)/2) < float64(s.Cols)/2) || !(math.Abs(s.CenterRow-float64(s.Rows-1)/2) < float64(s.Rows)/2):
		return fmt.Errorf("the central element (column %g, row %g) is not on the detector", s.CenterCol, s.CenterRow)
	case s.half() > math.Pi/3:
		return fmt.Errorf("a fan of more than 120 degrees")
	case len(s.Views) < 4:
		return fmt.Errorf("%d view(s): a scan has more", len(s.Views))
	}
	for i, v := range s.Views {
		if err := s.checkView(v); err != nil {
			return fmt.Errorf("view %d: %w", i, err)
		}
	}
	return nil
}

// half is the larger half fan angle.
func (s *Scan) half() float64 {
	w := math.Max(s.CenterCol+0.5, float64(s.Cols)-0.5-s.CenterCol) * s.ColSize / s.Distance
	if s.Shape == Flat {
		return math.Atan(w)
	}
	return w
}

func (s *Scan) checkView(v View) error {
	for _, x := range []float64{v.Beta, v.Z, v.Radius, v.DBeta, v.DZ, v.DRadius} {
		if math.IsNaN(x) || math.Abs(x) > 1e7 {
			return fmt.Errorf("a position of %g", x)
		}
	}
	switch first := s.Views[0].Radius; {
	case !positive(v.Radius) || v.Radius >= s.Distance:
		return fmt.Errorf("the focal centre is %g mm from the axis, %g mm from the detector", v.Radius, s.Distance)
	case math.Abs(v.Radius-first) > 0.002*first:
		return fmt.Errorf("the focal centre is %g mm from the axis, that of the first view %g mm", v.Radius, first)
	case math.Abs(v.DBeta) > 3 || math.Abs(v.DZ) > 20 || math.Abs(v.DRadius) > 50:
		return fmt.Errorf("the focal spot is displaced by %g degrees, %g mm along the axis and %g mm radially", v.DBeta, v.DZ, v.DRadius)
	case s.Shape == Spherical && (v.DBeta != 0 || v.DZ != 0 || v.DRadius != 0):
		return fmt.Errorf("a flying focal spot before a spherical detector is not supported")
	}
	return nil
}

func positive(v float64) bool { return v > 0 && !math.IsInf(v, 1) }

// Feed is the table feed in mm a turn, signed: z against beta.
func (s *Scan) Feed() float64 {
	a, b := s.Views[0], s.Views[len(s.Views)-1]
	if a.Beta == b.Beta {
		return 0
	}
	return (b.Z - a.Z) / math.Abs(b.Beta-a.Beta) * 360
}

// Step is the angle between neighbouring views in degrees.
func (s *Scan) Step() float64 {
	return math.Abs(s.Views[len(s.Views)-1].Beta-s.Views[0].Beta) / float64(len(s.Views)-1)
}

// RowAtAxis is the height of a row at the axis in mm.
func (s *Scan) RowAtAxis() float64 { return s.RowSize * s.Views[0].Radius / s.Distance }

// Parallel is the sinogram that the scan supports: as many views a half turn as
// were measured, bins of a column's width at the axis, as far out as both sides of
// the detector see together.
func (s *Scan) Parallel() ct.Geometry {
	size := s.ColSize * s.Views[0].Radius / s.Distance
	reach := s.Views[0].Radius * math.Sin(s.half())
	views := max(1, int(math.Round(180/s.Step())))
	return ct.Uniform(views, 2*max(1, int(reach/size-0.5))+1, size)
}

// Ray is the ray from the focal spot of view i to a place on the detector: row and
// column may be fractions.
func (s *Scan) Ray(i int, row, col float64) (from, to [3]float64) {
	v := s.Views[i]
	src, dst := s.plane(v, col)
	sin, cos := math.Sincos(v.Beta * math.Pi / 180)
	turn := func(p [2]float64, z float64) [3]float64 {
		return [3]float64{p[0]*cos - p[1]*sin, p[0]*sin + p[1]*cos, z}
	}
	z := (row - s.CenterRow) * s.RowSize
	if s.Shape == Spherical {
		sin, cos := math.Sincos(z / s.Distance)
		z = s.Distance * sin
		dst[0], dst[1] = dst[0]*cos, (dst[1]+v.Radius)*cos-v.Radius
	}
	return turn(src, v.Z+v.DZ), turn(dst, v.Z+z)
}

// plane gives focal spot and detector column in the frame where beta is 0.
func (s *Scan) plane(v View, col float64) (src, dst [2]float64) {
	sin, cos := math.Sincos(v.DBeta * math.Pi / 180)
	src = [2]float64{(v.Radius + v.DRadius) * sin, -(v.Radius + v.DRadius) * cos}
	u := (col - s.CenterCol) * s.ColSize
	if s.Shape == Flat {
		return src, [2]float64{u, s.Distance - v.Radius}
	}
	sin, cos = math.Sincos(u / s.Distance)
	return src, [2]float64{s.Distance * sin, s.Distance*cos - v.Radius}
}

// Measure is view i of an object whose line integrals are known: the mean over
// across x down rays that are spread over each element of the detector.
func (s *Scan) Measure(i, across, down int, line func(from, to [3]float64) float64) []float32 {
	out := make([]float32, s.Rows*s.Cols)
	for r := range s.Rows {
		for c := range s.Cols {
			sum := 0.0
			for a := range across {
				for d := range down {
					sum += line(s.Ray(i, float64(r)+(float64(d)+0.5)/float64(down)-0.5, float64(c)+(float64(a)+0.5)/float64(across)-0.5))
				}
			}
			out[r*s.Cols+c] = float32(sum / float64(across*down))
		}
	}
	return out
}
