package phantoms

import "math"

// head is the FORBILD head of Yu and others 2012 (their table in cm and g/cm^3),
// with their shapes' numbers. Half heights follow the three-dimensional FORBILD
// head where its shape is an ellipsoid and are ours elsewhere.
func head() *Phantom {
	p := &Phantom{Field: 260, Depth: 90}
	p.add(
		Shape{A: 96, B: 120, HU: 1800, C: 125},                                     // 5: skull
		Shape{A: 90, B: 114, HU: -750, C: 119, Clip: []Clip{{0, earEdge}}},         // 6: brain
		Shape{X: -47, Y: 43, A: 17.9989, B: 17.9989, HU: 10, Z: 8.72, C: 20},       // 1, 2: eyes
		Shape{X: 47, Y: 43, A: 17.9989, B: 17.9989, HU: 10, Z: 8.72, C: 20},        //
		Shape{X: -10.8, Y: -90, A: 4, B: 4, HU: 2.5, C: 4},                         // 3, 4: low contrast
		Shape{X: 10.8, Y: -90, A: 4, B: 4, HU: -2.5, C: 4},                         //
		Shape{Y: 84, A: 18, B: 30, HU: -1050, C: 30},                               // 7: frontal sinus
		Shape{X: 19, Y: 54, A: 4.1633, B: 11.7425, Deg: -31.07698, HU: 750, C: 30}, // 8, 9
		Shape{X: -19, Y: 54, A: 4.1633, B: 11.7425, Deg: 31.07698, HU: 750, C: 30},
		Shape{X: -43, Y: 68, A: 18, B: 2.4, Deg: -30, HU: 750, C: 30}, // 10, 11
		Shape{X: 43, Y: 68, A: 18, B: 2.4, Deg: 30, HU: 750, C: 30},
		Shape{Y: -36, A: 18, B: 36, HU: -5, C: 36},                                                                          // 12: ventricle
		Shape{X: 63.9395, Y: -63.9395, A: 12, B: 4.2, Deg: 58.1, HU: 5, C: 12},                                              // 13: haematoma
		Shape{Y: 36, A: 20, B: 20, HU: 750, C: 40, Clip: slab(12, 2.7884)},                                                  // 14
		Shape{Y: 96, A: 18, B: 30, HU: 1800, C: 18, Clip: slab(2, 6.0687)},                                                  // 15: nose bone
		Shape{A: 90, B: 114, HU: 750, C: 119, Clip: []Clip{{15, -26.05}, {165, -26.05}, {90, -107.1177}}},                   // 16a
		Shape{Y: spineY, A: 4.43194085308632, B: 38.92760834372886, HU: 750, C: 20, Clip: []Clip{{270, spineY + 107.1177}}}, // 16b
		Shape{X: 91, A: 42, B: 18, HU: 750, C: 18, Clip: []Clip{{0, earEdge - 91}}},                                         // petrous bone
	)
	p.add(airCells()...)
	p.add(earPattern()...)
	p.region("brain", -40, -30, 15, 0)
	p.region("eye right", -47, 43, 10, 17.9989)
	p.region("eye left", 47, 43, 10, 17.9989)
	p.region("ventricle", 0, -36, 10, 0)
	p.region("sinus", 0, 72, 7, 0)
	p.region("haematoma", 63.9395, -63.9395, 3, 0)
	return p
}

const (
	earEdge = 88.8740             // where the inner table of the skull meets the ear
	spineY  = -142.94530834372887 // centre of shape 16b
)

// slab keeps |x| <= dx and |y| <= dy about the centre.
func slab(dx, dy float64) []Clip { return []Clip{{0, dx}, {180, dx}, {90, dy}, {270, dy}} }

// airCells are the 53 bubbles of the ear, in seven rows of a hexagonal grid.
func airCells() []Shape {
	rows := []struct {
		n     int
		first float64
	}{{9, 88}, {8, 86}, {8, 88}, {6, 86}}
	var out []Shape
	for j := -3; j <= 3; j++ {
		row := rows[max(j, -j)]
		for i := range row.n {
			s := rod(row.first-4*float64(i), float64(j)*2*math.Sqrt(3), 1.5, -1800)
			s.C = 6
			out = append(out, s)
		}
	}
	return out
}

// earPattern are four groups of 4 x 5 bone dots; dots and their spacing in y shrink
// from 0.357 to 0.25 mm, columns are 0.8 mm apart.
func earPattern() []Shape {
	var out []Shape
	for group, d := range []float64{.357, .312, .278, .25} {
		for col := range 4 {
			for row := range 5 {
				s := rod(-70+.8*float64(col), -10+4.8*float64(group)+2*d*float64(row), d/2, 750)
				s.C = 6
				out = append(out, s)
			}
		}
	}
	return out
}

// thorax is after the FORBILD thorax at z = 0; see the package comment.
func thorax() *Phantom {
	p := &Phantom{Field: 420, Depth: 40}
	p.add(
		Shape{A: 200, B: 100, HU: 900},                             // fat -100
		Shape{A: 192, B: 92, HU: 145},                              // muscle 45
		Shape{X: -103, A: 73, B: 55, HU: -835, C: 150},             // lungs -790
		Shape{X: 103, A: 73, B: 55, HU: -835, C: 150},              //
		Shape{X: 5, Y: 42, A: 32, B: 30, HU: 55, C: 45},            // heart muscle 100
		Shape{X: 12, Y: 46, A: 14, B: 9, Deg: -35, HU: 120, C: 30}, // left ventricle 220
		Shape{X: -11, Y: 38, A: 9, B: 12, Deg: -20, HU: 80, C: 26}, // right heart 180
		Shape{X: 25, Y: -25, A: 11, B: 11, HU: 175, LeanX: -.05},   // descending aorta 220
		Shape{X: -7, Y: -8, A: 7, B: 6, HU: -1045, LeanX: .04},     // trachea, air
		Shape{Kind: Rectangle, Y: 83, A: 12.5, B: 4, HU: 355},      // sternum 400
		Shape{Kind: Rectangle, Y: 83, A: 10, B: 2.5, HU: -430},     // its marrow -30
	)
	p.vertebra(0, -50)
	for _, t := range []float64{-62, -37, -12, 12, 37, 62} {
		p.ribs(t)
	}
	p.lungMarks()
	p.region("lung right", -120, 20, 15, 0)
	p.region("lung left", 120, -20, 15, 0)
	p.region("left ventricle", 12, 46, 6, 0)
	p.region("aorta", 25, -25, 7, 11)
	p.region("vertebra", 0, -50, 10, 15)
	p.region("muscle", -50, -64, 6, 0)
	p.region("nodule 16 mm", -85, -20, 5, 8)
	return p
}

// vertebra: FORBILD's body (cortical 17.5 mm, spongy 15 mm, flat at the back), with
// canal, laminae and spinous process simplified.
func (p *Phantom) vertebra(x, y float64) {
	lamina := Shape{X: x + 11, Y: y - 25, A: 9, B: 2.5, Deg: 30, HU: 1055}
	p.add(
		Shape{X: x, Y: y, A: 17.5, B: 17.5, HU: 1055, Clip: []Clip{{270, 16}}}, // cortical 1100
		Shape{X: x, Y: y, A: 15, B: 15, HU: -920},                              // spongy 180
		Shape{X: x, Y: y - 22, A: 5.5, B: 5.5, HU: -35},                        // canal 10
		lamina, lamina.mirrored(),
		Shape{Kind: Rectangle, X: x, Y: y - 33.5, A: 2, B: 4.8, HU: 1055},
	)
}

// ribs adds a pair at parameter t of the wall's ellipse: cortical 900, marrow 200.
func (p *Phantom) ribs(t float64) {
	x, y, deg := onEllipse(184, 83, t)
	rib := Shape{X: x, Y: y, A: 13, B: 3.5, Deg: deg, HU: 855}
	marrow := rib
	marrow.A, marrow.B, marrow.HU = 10.5, 1.8, -700
	p.add(rib, rib.mirrored(), marrow, marrow.mirrored())
}

// lungMarks are nodules (spheres, 45 HU) and vessels (leaning rods), different on
// the two sides.
func (p *Phantom) lungMarks() {
	ball := func(x, y, r float64) Shape { return Shape{X: x, Y: y, A: r, B: r, HU: 835, C: r} }
	vessel := func(x, y, a, b, deg, lx, ly float64) Shape {
		return Shape{X: x, Y: y, A: a, B: b, Deg: deg, HU: 835, LeanX: lx, LeanY: ly}
	}
	p.add(
		ball(-85, -20, 8), ball(-140, -12, 3), ball(-105, 36, 1.5), ball(140, 14, 5), ball(100, -38, 2),
		vessel(-60, 8, 12, 2.5, 10, -.2, .1), vessel(-92, 14, 2.2, 2.2, 0, -.3, .2), vessel(-118, -22, 1.5, 1.5, 0, -.2, -.2),
		vessel(66, -6, 11, 2.2, -15, .2, -.1), vessel(98, 12, 2, 2, 0, .3, .2), vessel(84, 30, 1.2, 1.2, 0, .1, .2),
	)
}
