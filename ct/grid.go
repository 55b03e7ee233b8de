package ct

import (
	"fmt"
	"math"
)

// Grid is a raster of W columns and H rows of pixels DX by DY millimetres,
// centred on the axis of rotation.
type Grid struct {
	W, H   int
	DX, DY float64
}

// Square is a grid of n x n square pixels of the given size in millimetres.
func Square(n int, pixel float64) Grid { return Grid{W: n, H: n, DX: pixel, DY: pixel} }

// Len is the number of pixels.
func (g Grid) Len() int { return g.W * g.H }

// XY gives the centre of pixel (row, col) in millimetres.
func (g Grid) XY(row, col int) (x, y float64) {
	return (float64(col) - float64(g.W-1)/2) * g.DX, (float64(g.H-1)/2 - float64(row)) * g.DY
}

// Check reports a grid that no operator can work on.
func (g Grid) Check() error {
	switch {
	case g.W < 1 || g.H < 1 || g.W > maxSide || g.H > maxSide:
		return fmt.Errorf("image of %d x %d pixels: each side must be 1 to %d", g.W, g.H, maxSide)
	case !positive(g.DX) || !positive(g.DY):
		return fmt.Errorf("pixels of %g x %g mm: both must be positive and finite", g.DX, g.DY)
	}
	return nil
}

// maxSide bounds an image side: 16384 x 16384 float32 are 1 GiB.
const maxSide = 1 << 14

// DefaultBins is the number of detector bins for a grid when nothing else is
// said, at one bin a pixel: the smallest odd number that exceeds the diagonal
// by four bins or more (367 for 256 x 256, 729 for 512 x 512).
func DefaultBins(g Grid) int {
	d := math.Hypot(float64(g.W)*g.DX, float64(g.H)*g.DY) / math.Min(g.DX, g.DY)
	return (int(math.Ceil(d)) + 4) | 1
}

// Image is one slice of mu in 1/mm on a Grid.
type Image struct {
	Grid
	Pix []float32 // H*W, row-major
}

// NewImage allocates an image of zeros (vacuum).
func NewImage(g Grid) Image { return Image{Grid: g, Pix: make([]float32, g.Len())} }

func positive(v float64) bool { return v > 0 && !math.IsInf(v, 1) }
func finite(v float64) bool   { return !math.IsNaN(v) && !math.IsInf(v, 0) }
