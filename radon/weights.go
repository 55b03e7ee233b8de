package radon

import (
	"fmt"
	"math"
	"sort"
)

// Coverage says how the views of a scan cover the half turn.
type Coverage struct {
	Step   float64 // degrees: the usual distance between neighbouring views
	Arc    float64 // degrees that the weights cover: 180 when nothing is missing
	Gap    float64 // degrees: the largest distance between neighbouring views
	Capped int     // views beside a missing arc, which are given half a Step towards it
}

// Limited says whether an arc is missing.
func (c Coverage) Limited() bool { return c.Capped > 0 }

// String is a sentence for a report.
func (c Coverage) String() string {
	if !c.Limited() {
		return fmt.Sprintf("views cover the half turn, %.3g degrees apart", c.Step)
	}
	return fmt.Sprintf("views cover %.4g of 180 degrees, %.3g apart: the largest gap is %.4g degrees and stays empty", c.Arc, c.Step, c.Gap)
}

// missing is the gap, in usual steps, from which on an arc counts as missing.
// The distances between golden-angle views differ by a factor of 2.62.
const missing = 3

// ViewWeights gives each angle (degrees) its share of the half turn in radians:
// half the distance to either neighbour, modulo 180 degrees. Coincident angles
// share, so a full turn needs no special care. Beside a missing arc, a gap of
// more than three usual steps, a view gets half a usual step: an image from a
// limited arc is not to be weighted with views that it has not got. The weights
// of a complete scan sum to pi.
//
// The usual step is the median of the distances, each counted by its length but
// at most 180/n degrees, the largest left out: jitter between the turns of a
// scan does not make it small, a missing arc does not make it large.
func ViewWeights(deg []float64) ([]float64, Coverage) {
	if len(deg) == 0 {
		return nil, Coverage{}
	}
	angle, order, count := distinct(deg)
	n := len(angle)
	gaps := make([]float64, n) // from angle i to the next
	for i := range angle {
		gaps[i] = angle[(i+1)%n] - angle[i]
	}
	gaps[n-1] += 180
	cov := Coverage{Step: usualStep(gaps)}
	half := make([]float64, n)
	for i, g := range gaps {
		cov.Gap = math.Max(cov.Gap, g)
		if n > 1 && g > missing*cov.Step {
			g = cov.Step
			cov.Capped += count[i] + count[(i+1)%n]
		}
		half[i] = g / 2
	}
	cov.Capped = min(cov.Capped, len(deg))
	w := make([]float64, len(deg))
	k := 0
	for i := range angle {
		share := half[i] + half[(i+n-1)%n]
		cov.Arc += share
		for range count[i] {
			w[order[k]] = share / float64(count[i]) * math.Pi / 180
			k++
		}
	}
	return w, cov
}

// distinct sorts the angles modulo 180 and merges those that coincide.
func distinct(deg []float64) (angle []float64, order, count []int) {
	a := make([]float64, len(deg))
	order = make([]int, len(deg))
	for i, d := range deg {
		order[i] = i
		a[i] = math.Mod(math.Mod(d, 180)+180, 180)
		if a[i] > 180-1e-6 {
			a[i] -= 180 // 179.9999999 is 0
		}
	}
	sort.SliceStable(order, func(i, j int) bool { return a[order[i]] < a[order[j]] })
	for _, i := range order {
		if n := len(angle); n > 0 && a[i]-angle[n-1] < 1e-6 {
			count[n-1]++
			continue
		}
		angle, count = append(angle, a[i]), append(count, 1)
	}
	return angle, order, count
}

// usualStep is the median that ViewWeights describes.
func usualStep(gaps []float64) float64 {
	g := append([]float64(nil), gaps...)
	sort.Float64s(g)
	if len(g) > 1 {
		g = g[:len(g)-1]
	}
	total, most := 0.0, 180/float64(len(gaps))
	for _, v := range g {
		total += math.Min(v, most)
	}
	sum := 0.0
	for _, v := range g {
		if sum += math.Min(v, most); sum >= total/2 {
			return v
		}
	}
	return g[len(g)-1]
}
