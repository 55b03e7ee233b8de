package phantoms

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"ctrecon/ct"
)

func TestNames(t *testing.T) {
	want := []string{"shepp-logan", "shepp-logan-modified", "head", "thorax", "water", "acr", "line-pairs"}
	if got := Names(); !slices.Equal(got, want) {
		t.Errorf("names %q, want %q", got, want)
	}
	for _, n := range want {
		p, err := New(n, 123)
		if err != nil {
			t.Fatal(err)
		}
		if p.Name != n || math.Abs(p.Field-123) > 1e-9 || p.MuWater != ct.MuWater {
			t.Errorf("%s: name %q, field %g, water %g", n, p.Name, p.Field, p.MuWater)
		}
	}
}

func TestNewErrors(t *testing.T) {
	tests := []struct {
		name  string
		field float64
		want  []string
	}{
		{"hed", 0, append(Names(), `"hed"`)},
		{"head", -1, []string{"field of view -1 mm"}},
		{"head", math.NaN(), []string{"field of view NaN mm"}},
		{"head", math.Inf(1), []string{"field of view +Inf mm"}},
	}
	for _, tt := range tests {
		_, err := New(tt.name, tt.field)
		if err == nil {
			t.Errorf("%s, %g mm: no error", tt.name, tt.field)
			continue
		}
		for _, w := range tt.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("error %q does not say %q", err, w)
			}
		}
	}
}

// Everything lies in the inscribed circle of the field: no phantom is truncated by
// a detector as wide as the field.
func TestFitsField(t *testing.T) {
	for _, n := range Names() {
		p, _ := New(n, 0)
		r := p.Field / 2
		for deg := 0.0; deg < 180; deg += 7.5 {
			if a, b := p.LineIntegral(deg, r), p.LineIntegral(deg, -r); a != 0 || b != 0 {
				t.Errorf("%s: %g and %g nepers at the rim, view %g", n, a, b, deg)
			}
		}
	}
}

// Published values at points: what the table's sums must come to.
func TestValues(t *testing.T) {
	const u = 110
	tests := []struct {
		name    string
		x, y    float64
		want    float64
		comment string
	}{
		{"shepp-logan", 0, .9 * u, 1000, "skull"},
		{"shepp-logan", .4 * u, -.4 * u, 20, "brain"},
		{"shepp-logan", .22 * u, 0, 0, "ventricle"},
		{"shepp-logan", 0, .4 * u, 30, "upper lesion"},
		{"shepp-logan", .06 * u, -.62 * u, 30, "lower lesion"},
		{"shepp-logan", .7 * u, 0, -1000, "air"},
		{"shepp-logan-modified", 0, .9 * u, 1000, "skull, 1"},
		{"shepp-logan-modified", .4 * u, -.4 * u, -600, "brain, .2"},
		{"shepp-logan-modified", -.22 * u, 0, -1000, "ventricle, 0"},
		{"shepp-logan-modified", 0, .4 * u, -400, "lesion, .3"},
		{"head", 0, 117, 800, "skull"},
		{"head", -40, -30, 50, "brain"},
		{"head", 0, 70, -1000, "sinus"},
		{"head", 0, 96, 800, "bone in the sinus"},
		{"head", 47, 43, 60, "eye"},
		{"head", -10.8, -90, 52.5, "low contrast"},
		{"head", 10.8, -90, 47.5, "low contrast"},
		{"head", 0, -36, 45, "ventricle"},
		{"head", 64, -64, 55, "haematoma"},
		{"head", 0, 36, 800, "clipped disc"},
		{"head", 0, 39, 50, "above its clip"},
		{"head", 0, -108, 800, "occipital spur"},
		{"head", 0, -103, 50, "before the spur"},
		{"head", 2.4, -110.5, 800, "left flank of the spur"},
		{"head", -2.4, -110.5, 800, "right flank of the spur"},
		{"head", 2.9, -110.5, 50, "beside the left flank"},
		{"head", -2.9, -110.5, 50, "beside the right flank"},
		{"head", 1.9, 96, 800, "clipped ellipse"},
		{"head", 2.1, 96, -1000, "beside its clip"},
		{"head", 0, 89.8, -1000, "below its clip"},
		{"head", 60, 0, -1000, "air cell"},
		{"head", 62, 0, 800, "bone between cells"},
		{"head", -60, 0, 50, "no ear on the other side"},
		{"head", -70, -10, 800, "first dot of the pattern"},
		{"thorax", 0, 98, -100, "fat"},
		{"thorax", -103, 10, -790, "lung"},
		{"thorax", 12, 46, 220, "left ventricle"},
		{"thorax", 0, -34, 1100, "vertebral cortex"},
		{"thorax", 0, -50, 180, "spongy bone"},
		{"thorax", 0, 83, -30, "sternal marrow"},
		{"acr", 44.5, 44.5, 955, "bone"},
		{"acr", 44.5, -44.5, -1000, "air"},
		{"acr", -44.5, 44.5, -95, "polyethylene"},
		{"acr", -44.5, -44.5, 120, "acrylic"},
		{"acr", 62, 0, 6, "low contrast"},
		{"water", 70, 35, 200, "marker"},
		{"line-pairs", 0, 20, 1000, "bar material"},
	}
	for _, tt := range tests {
		p, _ := New(tt.name, 0)
		if got := p.HUAt(tt.x, tt.y); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("%s, %s at (%g, %g): %g HU, want %g", tt.name, tt.comment, tt.x, tt.y, got, tt.want)
		}
	}
}

// A bar is as wide as the gap: a line across the bars of pattern i has the stated
// number of pairs a cm.
func TestLinePairFrequency(t *testing.T) {
	p, _ := New("line-pairs", 0)
	for i, perCM := range LinePairs {
		sin, cos := math.Sincos((float64(i)*45 + 22.5) * math.Pi / 180)
		rises, in := 0, false
		for s := -9.9999; s < 10; s += .001 {
			bar := p.HUAt(65*cos-s*sin, 65*sin+s*cos) > 500
			if bar && !in {
				rises++
			}
			in = bar
		}
		if rises != 2*perCM {
			t.Errorf("pattern %d: %d bars in 20 mm, want %d", i, rises, 2*perCM)
		}
	}
}

// The eight flips and quarter turns of each phantom differ from it and from each
// other: an orientation error shows.
func TestAsymmetry(t *testing.T) {
	const n = 64
	for _, name := range Names() {
		p, _ := New(name, 0)
		hu := p.HU(ct.Square(n, p.Field/n))
		var seen [][]float32
		for k := range 8 {
			img := make([]float32, n*n)
			for r := range n {
				for c := range n {
					y, x := r, c
					if k&1 != 0 {
						y = n - 1 - y
					}
					if k&2 != 0 {
						x = n - 1 - x
					}
					if k&4 != 0 {
						x, y = y, x
					}
					img[r*n+c] = hu[y*n+x]
				}
			}
			for j, other := range seen {
				if d := worst(img, other); d < 5 {
					t.Errorf("%s: symmetries %d and %d differ by %g HU only", name, j, k, d)
				}
			}
			seen = append(seen, img)
		}
	}
}

func worst(a, b []float32) float64 {
	d := 0.0
	for i := range a {
		d = max(d, math.Abs(float64(a[i])-float64(b[i])))
	}
	return d
}

func TestROIs(t *testing.T) {
	for _, name := range Names() {
		p, _ := New(name, 0)
		if got, want := len(p.ROIs()), len(p.regions); got != want {
			t.Errorf("%s: %d regions are of one value, %d are named", name, got, want)
		}
		for _, z := range []float64{0, .1, .4, .7, 1} {
			q := p.At(z * p.Depth)
			g := ct.Square(512, p.Field/512)
			hu := q.HU(g)
			for _, r := range q.ROIs() {
				pixels := 0
				for i, v := range hu {
					x, y := g.XY(i/g.W, i%g.W)
					if math.Hypot(x-r.X, y-r.Y)+g.DX > r.R {
						continue
					}
					pixels++
					if math.Abs(float64(v)-r.HU) > 1e-3 {
						t.Fatalf("%s, %s at z %g: %g HU at (%g, %g), want %g", name, r.Name, z, v, x, y, r.HU)
					}
				}
				if pixels == 0 && r.R > 2*g.DX {
					t.Errorf("%s, %s: no pixel", name, r.Name)
				}
			}
		}
	}
}

// An insert's edge is where the value changes.
func TestROIEdge(t *testing.T) {
	for _, name := range Names() {
		p, _ := New(name, 0)
		for _, r := range p.ROIs() {
			if r.Edge == 0 {
				continue
			}
			in, out := p.HUAt(r.X+.999*r.Edge, r.Y), p.HUAt(r.X+1.001*r.Edge, r.Y)
			if in != r.HU || out == in {
				t.Errorf("%s, %s: %g HU inside the edge, %g outside, %g stated", name, r.Name, in, out, r.HU)
			}
		}
	}
}

func TestAtZeroIsThePhantom(t *testing.T) {
	for _, name := range Names() {
		p, _ := New(name, 0)
		g := ct.Square(128, p.Field/128)
		if !reflect.DeepEqual(p.HU(g), p.At(0).HU(g)) {
			t.Errorf("%s: the slice at 0 differs from the phantom", name)
		}
		q := p.At(p.Depth / 3)
		if !reflect.DeepEqual(q.HU(g), q.At(5).HU(g)) {
			t.Errorf("%s: a slice of a slice differs from it", name)
		}
	}
}

// A section of an ellipsoid is an ellipse smaller by sqrt(1 - ((z-Z)/C)^2).
func TestAtEllipsoid(t *testing.T) {
	ball := rod(5, 0, 6, 1000)
	ball.Z, ball.C = 8, 10 // of radius 10: 6 at z = 0
	lean := rod(0, 0, 3, 1000)
	lean.LeanX, lean.LeanY = .5, -.25
	slab := Shape{Kind: Rectangle, A: 4, B: 2, HU: 1000, C: 7}
	tests := []struct {
		name    string
		s       Shape
		z       float64
		x, y, a float64 // a = 0: nothing there
	}{
		{"sphere as given", ball, 0, 5, 0, 6},
		{"sphere's equator", ball, 8, 5, 0, 10},
		{"sphere's other side", ball, 14, 5, 0, 8},
		{"above the sphere", ball, 18, 0, 0, 0},
		{"below the sphere", ball, -2, 0, 0, 0},
		{"leaning rod", lean, 20, 10, -5, 3},
		{"box", slab, -6.9, 0, 0, 4},
		{"above the box", slab, 7, 0, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := one(tt.s).At(tt.z).Shapes
			if tt.a == 0 {
				if len(got) != 0 {
					t.Errorf("%+v, want nothing", got)
				}
				return
			}
			if len(got) != 1 || math.Abs(got[0].X-tt.x) > 1e-12 || math.Abs(got[0].Y-tt.y) > 1e-12 || math.Abs(got[0].A-tt.a) > 1e-12 {
				t.Errorf("%+v, want centre (%g, %g) and half axis %g", got, tt.x, tt.y, tt.a)
			}
		})
	}
}

// The slices of a ball add up to its volume, and scaling scales the height too.
func TestAtVolume(t *testing.T) {
	ball := rod(5, 0, 6, 1000)
	ball.Z, ball.C = 8, 10
	for _, k := range []float64{1, 2.5} {
		p := one(ball).moved(30, k)
		sum, h := 0.0, .01*k
		for z := -5 * k; z < 20*k; z += h {
			sum += p.At(z).Mass() * h
		}
		want := ct.MuWater * 4 / 3 * math.Pi * 1000 * k * k * k
		if math.Abs(sum-want) > 1e-4*want {
			t.Errorf("size %g: volume integral %g, want %g", k, sum, want)
		}
	}
}

// Within Depth no slice has negative mu or bone beyond 1200 HU (two shapes that
// should not meet), and slices tell their height.
func TestSlicesAreBodies(t *testing.T) {
	for _, name := range Names() {
		p, _ := New(name, 0)
		g := ct.Square(300, p.Field/300)
		last := p.At(-p.Depth).HU(g)
		for i := -9; i <= 10; i++ {
			z := p.Depth * float64(i) / 10
			hu := p.At(z).HU(g)
			if lo, hi := slices.Min(hu), slices.Max(hu); lo < -1000 || hi > 1200 {
				t.Errorf("%s at %g mm: %g to %g HU", name, z, lo, hi)
			}
			if worst(hu, last) < 1 {
				t.Errorf("%s at %g mm: the same as the slice before", name, z)
			}
			last = hu
		}
	}
}

// Turning and scaling leave the original alone, and carry the regions along.
func TestRotateKeepsOriginal(t *testing.T) {
	p, _ := New("head", 0)
	before := p.HUAt(0, 39)
	q := p.Rotate(90)
	if p.HUAt(0, 39) != before || p.Shapes[1].Clip[0].Deg != 0 {
		t.Error("the original changed")
	}
	for i, r := range q.ROIs() {
		o := p.ROIs()[i]
		if math.Abs(r.X+o.Y) > 1e-9 || math.Abs(r.Y-o.X) > 1e-9 || r.HU != o.HU {
			t.Errorf("%s: %+v after a quarter turn of %+v", r.Name, r, o)
		}
	}
}
