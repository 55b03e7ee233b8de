package phantoms

import (
	"math"

	"ctrecon/ct"
)

// Raster is the mean of mu (1/mm) over each pixel, exact but for rounding: the
// pixels' sum times their area is the mass of what lies within the grid.
func (p *Phantom) Raster(grid ct.Grid) ct.Image {
	img := ct.NewImage(grid)
	for i, hu := range p.steps(grid) {
		img.Pix[i] = float32(p.mu(hu))
	}
	return img
}

// HU is the mean in Hounsfield units over each pixel [row][col], exact but for
// rounding; it does not depend on MuWater.
func (p *Phantom) HU(grid ct.Grid) []float32 {
	out := make([]float32, grid.Len())
	for i, hu := range p.steps(grid) {
		out[i] = float32(hu - 1000)
	}
	return out
}

// steps is the sum of the shapes' steps, HU above air.
func (p *Phantom) steps(grid ct.Grid) []float64 {
	if err := grid.Check(); err != nil {
		panic("phantoms: " + err.Error())
	}
	sum := make([]float64, grid.Len())
	for _, f := range p.frames() {
		f.addPixels(sum, grid)
	}
	for i, v := range sum {
		if math.Abs(v) < rounding { // steps that cancel leave air, not 1e-13 HU
			sum[i] = 0
		}
	}
	return sum
}

// rounding in HU of a sum of steps.
const rounding = 1e-9

// addPixels adds the shape to the pixels. A pixel whose circumscribed circle (in
// the unit frame) lies inside or outside needs no area; only those on the outline
// do.
func (f *frame) addPixels(sum []float64, grid ct.Grid) {
	ex, ey := f.extent(1, 0), f.extent(0, 1)
	c0, c1 := pixels(f.X-ex, f.X+ex, grid.DX, grid.W)
	r0, r1 := pixels(-f.Y-ey, -f.Y+ey, grid.DY, grid.H)
	hx, hy := grid.DX/2, grid.DY/2
	part := 1 / (grid.DX * grid.DY)
	reach := f.reach(hx, hy)
	for r := r0; r < r1; r++ {
		for c := c0; c < c1; c++ {
			x, y := grid.XY(r, c)
			x, y = x-f.X, y-f.Y
			switch f.side(x, y, hx, hy, reach) {
			case within:
				sum[r*grid.W+c] += f.HU
			case across:
				g := box(x-hx, x+hx, y-hy, y+hy)
				sum[r*grid.W+c] += f.HU * f.area(&g) * part
			}
		}
	}
}

// pixels is the range of n pixels of width d, centred on 0, that lo..hi touches.
func pixels(lo, hi, d float64, n int) (int, int) {
	mid := float64(n) / 2
	a, b := math.Floor(lo/d+mid), math.Floor(hi/d+mid)+1
	return int(min(max(a, 0), float64(n))), int(min(max(b, 0), float64(n)))
}

const (
	outside = iota
	across
	within
)

// reach bounds how far a pixel's corners lie from its centre in the unit frame.
func (f *frame) reach(hx, hy float64) [2]float64 {
	u := math.Abs(hx*f.cos/f.A) + math.Abs(hy*f.sin/f.A)
	v := math.Abs(hx*f.sin/f.B) + math.Abs(hy*f.cos/f.B)
	return [2]float64{u, v}
}

// side says where a pixel about (x, y) lies; across when in doubt.
func (f *frame) side(x, y, hx, hy float64, reach [2]float64) int {
	u, v := f.unit(x, y)
	u, v = math.Abs(u), math.Abs(v)
	lo, hi := [2]float64{max(0, u-reach[0]), max(0, v-reach[1])}, [2]float64{u + reach[0], v + reach[1]}
	res := within
	if f.Kind == Ellipse {
		if lo[0]*lo[0]+lo[1]*lo[1] >= 1 {
			return outside
		}
		if hi[0]*hi[0]+hi[1]*hi[1] > 1 {
			res = across
		}
	} else {
		if lo[0] >= 1 || lo[1] >= 1 {
			return outside
		}
		if hi[0] > 1 || hi[1] > 1 {
			res = across
		}
	}
	for _, l := range f.lines {
		room, half := l.d-l.nx*x-l.ny*y, math.Abs(l.nx)*hx+math.Abs(l.ny)*hy
		if room <= -half {
			return outside
		}
		if room < half {
			res = across
		}
	}
	return res
}
