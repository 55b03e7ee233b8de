package physics

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"ctrecon/ct"
)

// The ring that a spot is compared with, in radii of its disc: a gap of half a
// radius keeps most of the blur out.
const (
	ringFrom = 1.5
	ringTo   = 2.5
)

// spotFine points a pixel side sample the disc.
const spotFine = 16

// Spot measures the contrast of one small disc in an image.
type Spot struct {
	disc, ring []int
	share      []float64 // of each pixel of disc that the disc covers
}

// NewSpot plans the disc d on g; disc and ring must lie on the grid.
func NewSpot(g ct.Grid, d Disc) Spot {
	var s Spot
	reach := ringTo*d.R + math.Max(g.DX, g.DY)
	for i := range g.Len() {
		x, y := g.XY(i/g.W, i%g.W)
		x, y = x-d.X, y-d.Y
		r := math.Hypot(x, y)
		if r > reach {
			continue
		}
		if a := covered(x, y, g.DX, g.DY, d.R); a > 0 {
			s.disc, s.share = append(s.disc, i), append(s.share, a)
		} else if r >= ringFrom*d.R && r <= ringTo*d.R {
			s.ring = append(s.ring, i)
		}
	}
	return s
}

// covered is the share of the pixel at (x, y) from the middle of a disc of radius
// r that the disc covers, to 1 in 256.
func covered(x, y, dx, dy, r float64) float64 {
	n := 0
	for k := range spotFine * spotFine {
		px := x + dx*((float64(k%spotFine)+.5)/spotFine-.5)
		py := y + dy*((float64(k/spotFine)+.5)/spotFine-.5)
		if px*px+py*py <= r*r {
			n++
		}
	}
	return float64(n) / (spotFine * spotFine)
}

// Contrast is the mean of hu over the disc, each pixel by the share that the disc
// covers, minus the mean over a ring from 1.5 to 2.5 radii.
func (s Spot) Contrast(hu []float32) float64 {
	var in, weight, out float64
	for k, i := range s.disc {
		in += s.share[k] * float64(hu[i])
		weight += s.share[k]
	}
	for _, i := range s.ring {
		out += float64(hu[i])
	}
	return in/weight - out/float64(len(s.ring))
}

// Unit is the Contrast of a disc of 1 HU in an image whose pixels hold the mean
// over their area: below 1, as pixels on the disc's edge hold part of it.
func (s Spot) Unit() float64 {
	var sum, square float64
	for _, a := range s.share {
		sum, square = sum+a, square+a*a
	}
	return square / sum
}

// Soft tissue, in which places for a spot are sought: mean over disc and ring, and
// the largest deviation of a pixel from it, in HU. rimmed is how far the ring stays
// from the body's edge, apart how far places are from each other, in radii.
const (
	softLow, softHigh = 0.0, 150.0
	softSD            = 40.0
	rimmed            = 5.0 // mm
	apart             = 10.0
)

// Places chooses up to n places for discs of radius r mm in hu (a reference on g),
// within body: soft tissue (mean of 0 to 150 HU over disc and ring, standard
// deviation at most 40 HU) whose ring is 5 mm and more from the body's edge, ten radii
// and more from each other. Of all such places the quarter with the smallest deviation
// is drawn from. Centres are anywhere in a pixel. The result is a function of the
// arguments; it is empty where no place is fit.
func Places(g ct.Grid, hu []float32, body []bool, r float64, n int, stream ct.Stream) []Disc {
	fit := smoothest(g, hu, body, r)
	var out []Disc
	for draw := uint64(0); len(fit) > 0 && len(out) < n; draw += 3 {
		k := min(len(fit)-1, int(stream.Uniform(draw)*float64(len(fit))))
		x, y := g.XY(fit[k]/g.W, fit[k]%g.W)
		out = append(out, Disc{X: x + (stream.Uniform(draw+1)-.5)*g.DX, Y: y + (stream.Uniform(draw+2)-.5)*g.DY, R: r})
		fit = slices.DeleteFunc(fit, func(i int) bool {
			px, py := g.XY(i/g.W, i%g.W)
			return math.Hypot(px-x, py-y) < apart*r
		})
	}
	return out
}

// smoothest lists the quarter of fit pixels with the smallest deviation about them,
// in the order of the image.
func smoothest(g ct.Grid, hu []float32, body []bool, r float64) []int {
	near, rim := within(g, ringTo*r), within(g, ringTo*r+rimmed)
	var fit []int
	sd := map[int]float64{}
	for i := range g.Len() {
		if !body[i] || !inside(g, i, rim, body) {
			continue
		}
		if m, d := spread(g, i, near, hu); m >= softLow && m <= softHigh && d <= softSD {
			fit, sd[i] = append(fit, i), d
		}
	}
	slices.SortFunc(fit, func(a, b int) int { return cmp.Or(cmp.Compare(sd[a], sd[b]), a-b) })
	fit = fit[:(len(fit)+3)/4]
	slices.Sort(fit)
	return fit
}

// within lists the pixels, as row and column from the middle one, up to r mm off.
func within(g ct.Grid, r float64) [][2]int {
	var out [][2]int
	h, w := int(r/g.DY), int(r/g.DX)
	for a := -h; a <= h; a++ {
		for b := -w; b <= w; b++ {
			if math.Hypot(float64(b)*g.DX, float64(a)*g.DY) <= r {
				out = append(out, [2]int{a, b})
			}
		}
	}
	return out
}

func inside(g ct.Grid, i int, about [][2]int, body []bool) bool {
	for _, o := range about {
		r, c := i/g.W+o[0], i%g.W+o[1]
		if r < 0 || r >= g.H || c < 0 || c >= g.W || !body[r*g.W+c] {
			return false
		}
	}
	return true
}

// spread is the mean and the standard deviation about pixel i, all on the grid.
func spread(g ct.Grid, i int, about [][2]int, hu []float32) (mean, sd float64) {
	var sum, square float64
	for _, o := range about {
		v := float64(hu[i+o[0]*g.W+o[1]])
		sum, square = sum+v, square+v*v
	}
	n := float64(len(about))
	mean = sum / n
	return mean, math.Sqrt(max(0, square/n-mean*mean))
}

// AUC is the area under the receiver operating characteristic.
type AUC struct{ Value, SE float64 }

// TwoAlternative is how often an observer who is shown one value of with and one of
// without, of different groups, takes the larger one rightly; ties count half. group
// names the image of each value: with[i] and without[i] are of one image, and values of
// one group vary together. The standard error is that of the structural components
// (DeLong, DeLong and Clarke-Pearson, Biometrics 44, 1988) summed over each group
// (Obuchowski, Biometrics 53, 1997); zero when nothing is ever mistaken. NaN where
// there are no two groups.
func TwoAlternative(with, without []float64, group []int) AUC {
	var wins, pairs float64
	part, seen := map[int]float64{}, map[int]float64{} // both values of a pair
	for i, a := range with {
		for j, b := range without {
			if group[i] == group[j] {
				continue
			}
			w := 0.5
			if a != b {
				w = 0
				if a > b {
					w = 1
				}
			}
			wins, pairs = wins+w, pairs+1
			part[group[i]], part[group[j]] = part[group[i]]+w, part[group[j]]+w
			seen[group[i]], seen[group[j]] = seen[group[i]]+1, seen[group[j]]+1
		}
	}
	auc := AUC{Value: wins / pairs}
	sum := 0.0
	for _, g := range slices.Sorted(maps.Keys(part)) { // in order: the sum's rounding too
		d := part[g] - auc.Value*seen[g]
		sum += d * d
	}
	n := float64(len(part))
	auc.SE = math.Sqrt(sum*n/(n-1)) / pairs
	return auc
}
