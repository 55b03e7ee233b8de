package report

import (
	"fmt"
	"math"
	"strings"
)

// drawing holds the coordinates of the geometry picture, in an SVG of 400 x 400
// units with y down: the image grid to scale, a mark where each view's detector
// stands, and the first view with its rays. A fan's source and detector stand
// where there is room.
type drawing struct {
	X, Y, W, H float64 // image grid
	Radius     float64 // of the circle that the detector covers
	Ring       float64 // where the marks stand
	Marks      []segment
	Rays       []segment
	Detector   segment
	Label      string // of the first view
	LabelX     float64
	LabelY     float64
	Every      int // each mark stands for so many views
}

type segment struct{ X1, Y1, X2, Y2 float64 }

const (
	drawCentre = 200.0
	drawRing   = 165.0
	maxMarks   = 180
)

func (r *Report) drawing() drawing {
	g := &r.Geometry
	half := math.Hypot(float64(g.Width)*g.PixelXMM, float64(g.Height)*g.PixelYMM) / 2
	covered := float64(g.Bins) * g.BinSizeMM / 2
	if g.direct() {
		covered *= g.Fan.SourceAxisMM / g.Fan.SourceDetectorMM
	}
	scale := 135 / math.Max(math.Max(half, covered), 1e-9)
	d := drawing{W: float64(g.Width) * g.PixelXMM * scale, H: float64(g.Height) * g.PixelYMM * scale, Ring: drawRing, Every: 1}
	d.X, d.Y, d.Radius = drawCentre-d.W/2, drawCentre-d.H/2, covered*scale
	if len(g.Angles) == 0 {
		return d
	}
	d.Every = (len(g.Angles) + maxMarks - 1) / maxMarks
	for i := 0; i < len(g.Angles); i += d.Every {
		d.Marks = append(d.Marks, mark(g.Angles[i]))
	}
	d.first(g)
	return d
}

// mark is a short radial stroke where the rays of a view arrive: they run along
// (-sin, cos) with y up.
func mark(angle float64) segment {
	sin, cos := math.Sincos(angle * math.Pi / 180)
	at := func(r float64) (float64, float64) { return drawCentre - r*sin, drawCentre - r*cos }
	var s segment
	s.X1, s.Y1 = at(drawRing - 5)
	s.X2, s.Y2 = at(drawRing + 5)
	return s
}

// first draws the detector and eleven rays of the first view.
func (d *drawing) first(g *Geometry) {
	sin, cos := math.Sincos(g.Angles[0] * math.Pi / 180)
	at := func(s, t float64) (float64, float64) { // s along the detector, t along the rays
		return drawCentre + s*cos - t*sin, drawCentre - (s*sin + t*cos)
	}
	shift := -g.OffsetBins * 2 * d.Radius / float64(max(1, g.Bins))
	line := func(s0, t0, s1, t1 float64) segment {
		var l segment
		l.X1, l.Y1 = at(s0, t0)
		l.X2, l.Y2 = at(s1, t1)
		return l
	}
	d.Detector = line(shift-d.Radius, drawRing+14, shift+d.Radius, drawRing+14)
	for k := -5; k <= 5; k++ {
		s := shift + d.Radius*float64(k)/5.5
		from := s
		if g.direct() {
			from = 0
		}
		d.Rays = append(d.Rays, line(from, -drawRing+8, s, drawRing+10))
	}
	d.LabelX, d.LabelY = at(shift, drawRing+26)
	d.Label = fmt.Sprintf("detector of view 0, θ = %s°", digits(g.Angles[0], 4))
	if g.direct() {
		d.Label = fmt.Sprintf("detector of source position 0, β = %s°", digits(g.Angles[0], 4))
	}
}

// angleText says the angles as a rule where they follow one.
func (g *Geometry) angleText() string {
	a := g.Angles
	if len(a) < 2 {
		return listed(a)
	}
	step := (a[len(a)-1] - a[0]) / float64(len(a)-1)
	for i, v := range a {
		if math.Abs(v-(a[0]+float64(i)*step)) > 1e-3*math.Abs(step)+1e-9 {
			return listed(a)
		}
	}
	return fmt.Sprintf("%s° to %s° in steps of %s°", digits(a[0], 4), digits(a[len(a)-1], 5), digits(step, 4))
}

func listed(a []float64) string {
	var s []string
	for i, v := range a {
		if i == 12 && len(a) > 13 {
			s = append(s, fmt.Sprintf("… (%d in all)", len(a)))
			break
		}
		s = append(s, digits(v, 5)+"°")
	}
	return strings.Join(s, ", ")
}

// fact is a line of a parameter list.
type fact struct{ Name, Value string }

func (r *Report) geometryFacts() []fact {
	g := &r.Geometry
	out := []fact{{"Beam", g.Beam}, {"Views", fmt.Sprint(g.Views)}}
	if g.direct() {
		out[1].Name = "Source positions"
	}
	if g.ViewsAvailable > g.Views {
		out[1].Value += fmt.Sprintf(" of %d in the input", g.ViewsAvailable)
	}
	offset := digits(g.OffsetBins, 4) + " bins"
	if g.OffsetSD != nil {
		offset += " ± " + digits(*g.OffsetSD, 2)
	}
	if g.OffsetSource != "" {
		offset += " (" + g.OffsetSource + ")"
	}
	out = append(out,
		fact{"Angles", g.angleText()}, fact{"Arc", digits(g.ArcDegrees, 5) + "°"},
		fact{"Detector", fmt.Sprintf("%d bins of %s mm", g.Bins, digits(g.BinSizeMM, 5))}, fact{"Centre offset", offset},
		fact{"Image", fmt.Sprintf("%d × %d pixels of %s × %s mm", g.Width, g.Height, digits(g.PixelXMM, 5), digits(g.PixelYMM, 5))},
		fact{"Water", digits(g.MuWater, 5) + " /mm (0 HU)"})
	if f := g.Fan; f != nil {
		name, shape := "Measured", "flat"
		if f.Rebinned {
			name = "Rebinned from"
		}
		if f.Curved {
			shape = "curved"
		}
		out = append(out, fact{name, fmt.Sprintf("fan beam: source to axis %s mm, source to %s detector %s mm, %d views over %s°, %d bins of %s mm",
			digits(f.SourceAxisMM, 5), shape, digits(f.SourceDetectorMM, 5), f.Views, digits(f.ArcDegrees, 5), f.Bins, digits(f.BinSizeMM, 4))})
	}
	return out
}

func (r *Report) noiseFacts() []fact {
	out := []fact{{"Source of the level", r.Noise.Source}}
	if r.Noise.SigmaNepers != nil {
		out = append(out, fact{"Standard deviation", digits(*r.Noise.SigmaNepers, 4) + " nepers a datum"})
	}
	if r.Noise.Photons != nil {
		out = append(out, fact{"Photons (I0)", digits(*r.Noise.Photons, 6) + " a bin"})
	}
	if r.Noise.DeadBins > 0 {
		out = append(out, fact{"Bins not measured", fmt.Sprint(r.Noise.DeadBins)})
	}
	made := "measured"
	if r.Input.Simulated {
		made = "simulated by ctrecon from the input"
	}
	return append(out, fact{"Data", made})
}
