package phantoms

import (
	"fmt"
	"math"
	"strings"

	"ctrecon/ct"
)

// Phantom is a sum of shapes in air.
type Phantom struct {
	Name    string
	Field   float64 // side of the square field of view in mm
	Depth   float64 // At is meant for -Depth..Depth mm
	MuWater float64 // 1/mm
	Shapes  []Shape

	regions []ROI
}

// ROI is a disc of one value, for the metrics.
type ROI struct {
	Name string
	X, Y float64 // centre, mm
	R    float64 // radius, mm
	HU   float64 // true value
	Edge float64 // radius in mm of the round insert that the region lies in, 0 = not round
}

// Names lists what New can make.
func Names() []string {
	names := make([]string, len(catalogue))
	for i, e := range catalogue {
		names[i] = e.name
	}
	return names
}

// New makes a phantom scaled to a square field of view of the given side in mm;
// 0 keeps the object's own size. An unknown name is an error that lists what
// exists.
func New(name string, field float64) (*Phantom, error) {
	if !(field >= 0) || math.IsInf(field, 1) {
		return nil, fmt.Errorf("phantom %s: field of view %g mm: it must be positive, or 0 for the object's own size", name, field)
	}
	for _, e := range catalogue {
		if e.name != name {
			continue
		}
		p := e.make()
		p.Name, p.MuWater = name, ct.MuWater
		if field == 0 {
			return p, nil
		}
		return p.moved(0, field/p.Field), nil
	}
	return nil, fmt.Errorf("phantom %q: not known (there are %s)", name, strings.Join(Names(), ", "))
}

// moved turns about the axis by deg and scales, depth included.
func (p *Phantom) moved(deg, scale float64) *Phantom {
	q := *p
	q.Field, q.Depth = p.Field*scale, p.Depth*scale
	q.Shapes = make([]Shape, len(p.Shapes))
	for i, s := range p.Shapes {
		q.Shapes[i] = s.moved(deg, scale)
	}
	q.regions = make([]ROI, len(p.regions))
	for i, r := range p.regions {
		s := Shape{X: r.X, Y: r.Y}.moved(deg, scale)
		q.regions[i] = ROI{r.Name, s.X, s.Y, r.R * scale, r.HU, r.Edge * scale}
	}
	return &q
}

// Rotate is the phantom turned about the axis, counter-clockwise. Its view at
// theta is the view of p at theta - deg.
func (p *Phantom) Rotate(deg float64) *Phantom { return p.moved(deg, 1) }

// At is the slice at height z in mm (positive towards the head). At(0) is the
// object as published; within Depth its mu is nowhere negative. A slice is a
// cylinder: At of a slice is the same slice.
func (p *Phantom) At(z float64) *Phantom {
	q := *p
	q.Shapes = make([]Shape, 0, len(p.Shapes))
	for _, s := range p.Shapes {
		if t, ok := s.at(z); ok {
			q.Shapes = append(q.Shapes, t)
		}
	}
	return &q
}

// ROIs are the discs of one value in this slice, with their true HU. A region that
// an outline crosses at this height is left out.
func (p *Phantom) ROIs() []ROI {
	frames := p.frames()
	var out []ROI
	for _, r := range p.regions {
		r.HU = huAt(frames, r.X, r.Y)
		if uniform(frames, r) {
			out = append(out, r)
		}
	}
	return out
}

// uniform looks at three rings of 32 points; regions are large against the
// smallest shape beside them.
func uniform(frames []frame, r ROI) bool {
	for i := range 96 {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / 32)
		k := float64(i/32+1) / 3 * r.R
		if math.Abs(huAt(frames, r.X+k*cos, r.Y+k*sin)-r.HU) > rounding {
			return false
		}
	}
	return true
}

// HUAt is the value at a point in mm.
func (p *Phantom) HUAt(x, y float64) float64 { return huAt(p.frames(), x, y) }

func huAt(frames []frame, x, y float64) float64 {
	sum := 0.0
	for i := range frames {
		if frames[i].inside(x, y) {
			sum += frames[i].HU
		}
	}
	if math.Abs(sum) < rounding {
		sum = 0
	}
	return sum - 1000
}

// Mass is the integral of mu over the slice in mm: the sum of every view's bins
// times the bin size.
func (p *Phantom) Mass() float64 {
	sum := 0.0
	for _, f := range p.frames() {
		sum += f.HU * f.whole()
	}
	return p.mu(sum)
}

// mu turns a sum of steps above air (HU) into mu, whatever it was integrated over.
func (p *Phantom) mu(steps float64) float64 { return p.MuWater * steps / 1000 }

func (p *Phantom) frames() []frame {
	out := make([]frame, len(p.Shapes))
	for i, s := range p.Shapes {
		out[i] = s.frame()
	}
	return out
}
