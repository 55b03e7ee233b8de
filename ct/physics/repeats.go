package physics

import (
	"fmt"
	"math"

	"ctrecon/ct"
)

// Repeats are images of one object that differ by their noise.
type Repeats struct {
	grid   ct.Grid
	images [][]float32 // HU [draw][row*W+col]
	mean   []float64   // HU [row*W+col]
}

// NewRepeats takes two images or more, in HU on grid, and keeps them. It panics
// when a length is wrong.
func NewRepeats(grid ct.Grid, images [][]float32) *Repeats {
	if len(images) < 2 {
		panic(fmt.Sprintf("physics: %d images, repeats are two or more", len(images)))
	}
	r := &Repeats{grid: grid, images: images, mean: make([]float64, grid.Len())}
	for _, im := range images {
		if len(im) != grid.Len() {
			panic(fmt.Sprintf("physics: image of %d pixels, want %d", len(im), grid.Len()))
		}
		for i, v := range im {
			r.mean[i] += float64(v)
		}
	}
	for i := range r.mean {
		r.mean[i] /= float64(len(images))
	}
	return r
}

// Draws is the number of images.
func (r *Repeats) Draws() int { return len(r.images) }

// Disc is a round region or a round insert: centre and radius in mm.
type Disc struct{ X, Y, R float64 }

// Number is what a region shows, all in HU.
type Number struct {
	Pixels  int     // with their centre in the region; 0 = nothing was measured
	Mean    float64 // over pixels and draws
	SE      float64 // standard error of Mean, from its spread over draws
	Noise   float64 // standard deviation of a pixel over draws
	Pattern float64 // standard deviation over pixels of what all draws share
}

// CTNumber measures the pixels whose centre lies in d. A region without one gives
// the zero value.
func (r *Repeats) CTNumber(d Disc) Number {
	return r.number(r.pixels(func(x, y float64) bool { return math.Hypot(x-d.X, y-d.Y) <= d.R }))
}

// ring measures the pixels from r0 to r1 mm about (x, y).
func (r *Repeats) ring(x, y, r0, r1 float64) Number {
	return r.number(r.pixels(func(px, py float64) bool {
		d := math.Hypot(px-x, py-y)
		return d >= r0 && d <= r1
	}))
}

func (r *Repeats) pixels(in func(x, y float64) bool) []int {
	var list []int
	for row := range r.grid.H {
		for col := range r.grid.W {
			if in(r.grid.XY(row, col)) {
				list = append(list, row*r.grid.W+col)
			}
		}
	}
	return list
}

func (r *Repeats) number(pixels []int) Number {
	n, k := float64(len(pixels)), float64(len(r.images))
	if n == 0 {
		return Number{}
	}
	out := Number{Pixels: len(pixels)}
	for _, i := range pixels {
		out.Mean += r.mean[i] / n
	}
	var noise, spread, pattern float64
	for _, im := range r.images {
		shift := 0.0
		for _, i := range pixels {
			d := float64(im[i]) - r.mean[i]
			shift += d / n
			noise += d * d
		}
		spread += shift * shift
	}
	noise /= n * (k - 1)
	for _, i := range pixels {
		pattern += (r.mean[i] - out.Mean) * (r.mean[i] - out.Mean) / n
	}
	out.SE, out.Noise = math.Sqrt(spread/(k*(k-1))), math.Sqrt(noise)
	out.Pattern = math.Sqrt(max(0, pattern-noise/k)) // the mean of k draws still has noise
	return out
}

// Uniformity is the largest difference in HU of a region's mean from the
// centre's, sign kept; 0 without regions.
func Uniformity(centre Number, others []Number) float64 {
	worst := 0.0
	for _, o := range others {
		if d := o.Mean - centre.Mean; o.Pixels > 0 && math.Abs(d) > math.Abs(worst) {
			worst = d
		}
	}
	return worst
}
