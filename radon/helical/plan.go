package helical

import (
	"fmt"
	"math"
	"strings"

	"ctrecon/ct"
)

// Distances of a clinical scanner in mm, the pitch of its table feed (of the
// collimation at the axis), and the slope of its anode, which ties a shift of the
// focal spot along z to one in radius.
const (
	planRadius   = 595.0
	planDistance = 1085.6
	planPitch    = 0.75
	planAnode    = 7.0 // degrees
)

// Modes are the flying focal spots of DICOM-CT-PD.
var Modes = []string{"FFSNONE", "FFSZ", "FFSXY", "FFSXYZ"}

// Plan is a simulated scan.
type Plan struct {
	Field    float64 // diameter in mm of what is to be seen
	Element  float64 // column width and row height at the axis, mm
	Rows     int
	PerTurn  int     // views a turn
	From, To float64 // heights of the first and the last slice, mm
	Mode     string  // one of Modes
}

// Scan has the geometry of the plan and no data: a cylindrical detector with a
// quarter offset, slices From to To within its Range.
func (p Plan) Scan() (*Scan, error) {
	spots := p.spots()
	switch {
	case spots == nil:
		return nil, fmt.Errorf("flying focal spot %q: there is %s", p.Mode, strings.Join(Modes, ", "))
	case !positive(p.Field) || p.Field > planRadius:
		return nil, fmt.Errorf("a field of %g mm: up to %g mm are possible", p.Field, planRadius)
	case !positive(p.Element) || p.Rows < 2 || p.PerTurn < 16*len(spots) || p.PerTurn > 1<<15 || !(p.From <= p.To):
		return nil, fmt.Errorf("elements of %g mm, %d rows, %d views a turn, slices from %g to %g mm", p.Element, p.Rows, p.PerTurn, p.From, p.To)
	}
	size := p.Element * planDistance / planRadius
	gamma := math.Asin(p.Field / 2 / planRadius)
	cols := 2*int(math.Ceil(gamma*planDistance/size)) + 4
	s := &Scan{Detector: Detector{Rows: p.Rows, Cols: cols, RowSize: size, ColSize: size, Distance: planDistance, CenterRow: float64(p.Rows-1) / 2, CenterCol: float64(cols)/2 - 0.75}}
	width := p.Element * float64(p.Rows)
	feed := planPitch * width
	way := math.Max(p.To-p.From+0.3*width, 1.1*feed) // half a turn and the fan, less half the collimation, at both ends
	n := int(math.Ceil(way/feed*float64(p.PerTurn))) + 1
	if n > 1<<17 {
		return nil, fmt.Errorf("a scan of %d views: up to %d are possible", n, 1<<17)
	}
	for i := range n {
		v := spots[i%len(spots)]
		v.Beta, v.Radius = 360*float64(i)/float64(p.PerTurn), planRadius
		v.Z = (p.From+p.To)/2 + feed*(float64(i)-float64(n-1)/2)/float64(p.PerTurn)
		s.Views = append(s.Views, v)
	}
	return s, s.Check()
}

// spots are the places of the focal spot. The rays through two of them lie half an
// element apart at the axis.
func (p Plan) spots() []View {
	shift := p.Element / 4 / (1 - planRadius/planDistance) // mm of the spot
	plane := View{DBeta: shift / planRadius * 180 / math.Pi}
	up := View{DZ: shift, DRadius: -shift / math.Tan(planAnode*math.Pi/180)}
	minus := func(v View) View { return View{DBeta: -v.DBeta, DZ: -v.DZ, DRadius: -v.DRadius} }
	both := func(a, b View) View { return View{DBeta: a.DBeta, DZ: b.DZ, DRadius: b.DRadius} }
	switch p.Mode {
	case "FFSNONE":
		return []View{{}}
	case "FFSZ":
		return []View{up, minus(up)}
	case "FFSXY":
		return []View{plane, minus(plane)}
	case "FFSXYZ":
		return []View{both(plane, up), both(minus(plane), up), both(plane, minus(up)), both(minus(plane), minus(up))}
	}
	return nil
}

// Simulate gives the scan data: line integrals along three rays across and two down
// each element, and Gaussian noise of sigma nepers.
func (s *Scan) Simulate(line func(from, to [3]float64) float64, sigma float64, seed uint64) {
	s.Data = func(i int) ([]float32, error) {
		out := s.Measure(i, 3, 2, line)
		if sigma > 0 {
			z := make([]float32, len(out))
			ct.NewStream(seed, i&0xffff, i>>16, 0).Normals(z, 0)
			for k := range z {
				out[k] += float32(sigma) * z[k]
			}
		}
		return out, nil
	}
}
