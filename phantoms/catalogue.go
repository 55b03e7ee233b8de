package phantoms

import "math"

// catalogue is what New knows, each at its own size.
var catalogue = []struct {
	name string
	make func() *Phantom
}{
	{"shepp-logan", func() *Phantom { return sheppLogan(0, 1000) }},
	{"shepp-logan-modified", func() *Phantom { return sheppLogan(1, 2000) }},
	{"head", head},
	{"thorax", thorax},
	{"water", water},
	{"acr", acr},
	{"line-pairs", linePairs},
}

// sheppLoganTable in units of half the field: centre, half axes, degrees, value
// (original, modified), half height. The heights are ours: all middles lie at z = 0,
// so that the slice there is the published one.
var sheppLoganTable = []struct {
	x, y, a, b, deg float64
	v               [2]float64
	c               float64
}{
	{0, 0, .69, .92, 0, [2]float64{2, 1}, .81},
	{0, -.0184, .6624, .874, 0, [2]float64{-.98, -.8}, .78},
	{.22, 0, .11, .31, -18, [2]float64{-.02, -.2}, .22},
	{-.22, 0, .16, .41, 18, [2]float64{-.02, -.2}, .28},
	{0, .35, .21, .25, 0, [2]float64{.01, .1}, .41},
	{0, .1, .046, .046, 0, [2]float64{.01, .1}, .25},
	{0, -.1, .046, .046, 0, [2]float64{.01, .1}, .25},
	{-.08, -.605, .046, .023, 0, [2]float64{.01, .1}, .15},
	{0, -.606, .023, .023, 0, [2]float64{.01, .1}, .15},
	{.06, -.605, .023, .046, 0, [2]float64{.01, .1}, .15},
}

// sheppLogan takes a column of values; one unit is hu above air.
func sheppLogan(column int, hu float64) *Phantom {
	const u = 110 // mm
	p := &Phantom{Field: 2 * u, Depth: .6 * u}
	for _, e := range sheppLoganTable {
		p.add(Shape{X: e.x * u, Y: e.y * u, A: e.a * u, B: e.b * u, Deg: e.deg, HU: e.v[column] * hu, C: e.c * u})
	}
	p.region("brain", .3*u, -.45*u, .1*u, 0)
	p.region("small ventricle", .22*u, 0, .07*u, 0)
	p.region("large ventricle", -.22*u, 0, .1*u, 0)
	p.region("tumour", 0, .4*u, .1*u, 0)
	p.region("lesion", 0, -.1*u, .03*u, .046*u)
	return p
}

func (p *Phantom) add(s ...Shape) { p.Shapes = append(p.Shapes, s...) }

// region names a disc of one value; its HU follows from the shapes.
func (p *Phantom) region(name string, x, y, r, edge float64) {
	p.regions = append(p.regions, ROI{Name: name, X: x, Y: y, R: r, Edge: edge})
}

// rod is a round cylinder.
func rod(x, y, r, hu float64) Shape { return Shape{X: x, Y: y, A: r, B: r, HU: hu} }

// insert adds a rod of radius r with a region of 0.65 r in it.
func (p *Phantom) insert(name string, x, y, r, hu float64) {
	p.add(rod(x, y, r, hu))
	p.region(name, x, y, 0.65*r, r)
}

// slantedWire runs up the rim, at patient right; its height tells the slice.
func slantedWire() Shape {
	s := rod(-88, 0, 1.5, 800)
	s.LeanY = 0.5
	return s
}

func water() *Phantom {
	p := &Phantom{Field: 230, Depth: 40}
	marker := rod(70, 35, 3, 200)
	marker.LeanX, marker.LeanY = -0.25, 0.5
	p.add(rod(0, 0, 100, 1000), marker)
	p.region("centre", 0, 0, 25, 0)
	p.region("front", 0, 75, 12, 0)
	p.region("back", 0, -75, 12, 0)
	p.region("patient left", 75, 0, 12, 0)
	p.region("patient right", -75, 0, 12, 0)
	return p
}

// acr has the four materials of module 1 of the Gammex 464 on the diagonals, its
// 6 HU rod of 25 mm (module 2) on the left, and two sets of rods of falling size.
func acr() *Phantom {
	p := &Phantom{Field: 230, Depth: 40}
	p.add(rod(0, 0, 100, 1000), slantedWire())
	p.region("background", 0, 0, 25, 0)
	p.region("water", -62, 0, 8, 0)
	const d = 44.5
	p.insert("polyethylene", -d, d, 12.5, -95)
	p.insert("acrylic", -d, -d, 12.5, 120)
	p.insert("bone", d, d, 12.5, 955)
	p.insert("air", d, -d, 12.5, -1000)
	p.insert("6 HU, 25 mm", 62, 0, 12.5, 6)
	sizes := []struct {
		name    string
		x, y, r float64
	}{
		{"12 mm", -14, -62, 6}, {"8 mm", 2, -62, 4}, {"6 mm", 14, -62, 3},
		{"4 mm", -10, -78, 2}, {"3 mm", 0, -78, 1.5}, {"2 mm", 8, -78, 1},
	}
	for _, s := range sizes {
		p.insert("20 HU, "+s.name, s.x, s.y, s.r, 20)
		p.insert("100 HU, "+s.name, s.x, -s.y, s.r, 100)
	}
	return p
}

// linePairs has patterns 20 mm square on a ring, bars along the radius, and a rod
// of the bars' material in the middle as the full contrast.
func linePairs() *Phantom {
	p := &Phantom{Field: 230, Depth: 40}
	p.add(rod(0, 0, 100, 1000), slantedWire())
	p.insert("bar material", 0, 20, 12.5, barHU)
	p.region("background", 0, -20, 10, 0)
	for i, f := range LinePairs {
		p.bars(float64(i)*45+22.5, f)
	}
	return p
}

// LinePairs are the frequencies in line pairs a cm of the line-pairs phantom at its
// own size. Pattern i is centred at 65 mm along 45 i + 22.5 degrees.
var LinePairs = []int{1, 2, 3, 4, 5, 6, 8, 10}

const barHU = 1000

func (p *Phantom) bars(deg float64, perCM int) {
	const ring, side = 65.0, 20.0
	period := 10 / float64(perCM)
	n := 2 * perCM
	for i := range n {
		off := (float64(i) - float64(n-1)/2) * period
		bar := Shape{Kind: Rectangle, X: ring, Y: off, A: side / 2, B: period / 4, HU: barHU}
		p.add(bar.moved(deg, 1))
	}
}

// mirrored is the shape on the other side of x = 0.
func (s Shape) mirrored() Shape {
	s.X, s.LeanX, s.Deg = -s.X, -s.LeanX, -s.Deg
	clip := make([]Clip, len(s.Clip))
	for i, c := range s.Clip {
		clip[i] = Clip{180 - c.Deg, c.D}
	}
	s.Clip = clip
	return s
}

// onEllipse is the point at parameter t (degrees) and the tangent's direction.
func onEllipse(a, b, t float64) (x, y, deg float64) {
	sin, cos := math.Sincos(t * math.Pi / 180)
	return a * cos, b * sin, math.Atan2(b*cos, -a*sin) * 180 / math.Pi
}
