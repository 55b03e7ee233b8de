package helical

import (
	"fmt"
	"math"
	"sort"
)

// Focal spots closer than this are one.
const (
	sameAngle  = 0.002 // degrees: .02 mm at 600 mm
	samePlace  = 0.05  // mm
	mostSpots  = 8
	fewViews   = 4    // of a spot
	unevenStep = 0.25 // of the usual step between views
)

// spot is the part of a scan with one place of the focal spot.
type spot struct {
	views []int     // of the scan
	beta  []float64 // of them, always rising
	z     []float64 // of the focal spot
	sign  int       // -1: beta falls in the scan, views are listed backwards
	step  float64   // mean of beta
	each  []float64 // 1 over each step
	view  View      // its displacement

	theta []float64 // degrees that a column's ray is turned from beta
	edges []float64 // distance from the axis of the rays to the columns' edges, mm
	row   []float64 // rows for a mm of distance between slice and spot
	tilt  []float64 // inclination for the same
	row0  float64   // row that the spot's own height has on the detector
}

// spots takes a scan apart.
func (s *Scan) spots() ([]*spot, error) {
	var all []*spot
	for i, v := range s.Views {
		p := find(all, v)
		if p == nil {
			if len(all) == mostSpots {
				return nil, fmt.Errorf("the focal spot has more than %d places: no flying focal spot does that", mostSpots)
			}
			p = &spot{view: v}
			all = append(all, p)
		}
		p.views = append(p.views, i)
	}
	for _, p := range all {
		if len(p.views) < fewViews {
			return nil, fmt.Errorf("a place of the focal spot has %d view(s) only", len(p.views))
		}
		if err := p.order(s); err != nil {
			return nil, err
		}
		p.geometry(s)
	}
	return all, nil
}

func find(all []*spot, v View) *spot {
	for _, p := range all {
		if math.Abs(p.view.DBeta-v.DBeta) < sameAngle && math.Abs(p.view.DZ-v.DZ) < samePlace && math.Abs(p.view.DRadius-v.DRadius) < samePlace {
			return p
		}
	}
	return nil
}

// order lists the views by rising angle and checks that none is missing.
func (p *spot) order(s *Scan) error {
	n := len(p.views)
	p.sign = 1
	if s.Views[p.views[n-1]].Beta < s.Views[p.views[0]].Beta {
		p.sign = -1
		for i, j := 0, n-1; i < j; i, j = i+1, j-1 {
			p.views[i], p.views[j] = p.views[j], p.views[i]
		}
	}
	for _, i := range p.views {
		v := s.Views[i]
		p.beta, p.z = append(p.beta, v.Beta), append(p.z, v.Z+v.DZ)
	}
	p.step = (p.beta[n-1] - p.beta[0]) / float64(n-1)
	if !(p.step > 0) {
		return fmt.Errorf("the source does not turn")
	}
	for i := 1; i < n; i++ {
		p.each = append(p.each, 1/(p.beta[i]-p.beta[i-1]))
		if d := p.beta[i] - p.beta[i-1]; math.Abs(d-p.step) > unevenStep*p.step {
			return fmt.Errorf("views %d and %d lie %.4g degrees apart, %.4g are usual: views are missing or in disorder", min(p.views[i-1], p.views[i]), max(p.views[i-1], p.views[i]), d, p.step)
		}
	}
	return nil
}

// geometry of each column's ray in the frame where beta is 0.
func (p *spot) geometry(s *Scan) {
	p.row0 = s.CenterRow + p.view.DZ/s.RowSize
	for k := range s.Cols {
		src, dst := s.plane(p.view, float64(k))
		dx, dy := dst[0]-src[0], dst[1]-src[1]
		l := math.Hypot(dx, dy)
		foot := -(src[0]*dx + src[1]*dy) / l
		p.theta = append(p.theta, math.Atan2(-dx, dy)*180/math.Pi)
		p.row = append(p.row, l/foot/s.RowSize)
		p.tilt = append(p.tilt, 1/foot)
	}
	for k := range s.Cols + 1 {
		src, dst := s.plane(p.view, float64(k)-0.5)
		dx, dy := dst[0]-src[0], dst[1]-src[1]
		p.edges = append(p.edges, (src[0]*dy-src[1]*dx)/math.Hypot(dx, dy))
	}
}

// at is the place of angle b in the list: index and the fraction to the next.
func (p *spot) at(b float64) (int, float64) {
	i := int((b - p.beta[0]) / p.step)
	i = max(0, min(len(p.beta)-2, i))
	for i > 0 && b < p.beta[i] {
		i--
	}
	for i < len(p.beta)-2 && b >= p.beta[i+1] {
		i++
	}
	return i, (b - p.beta[i]) * p.each[i]
}

// near is the range of list places whose spot lies within d mm of z.
func (p *spot) near(z, d float64) (from, to int) {
	rising := p.z[len(p.z)-1] >= p.z[0]
	in := func(i int, v float64) bool { // whether place i lies at or behind v on the way
		if rising {
			return p.z[i] >= v
		}
		return p.z[i] <= v
	}
	lo, hi := z-d, z+d
	if !rising {
		lo, hi = hi, lo
	}
	from = sort.Search(len(p.z), func(i int) bool { return in(i, lo) })
	to = sort.Search(len(p.z), func(i int) bool { return in(i, hi) })
	return from, to
}
