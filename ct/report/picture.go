package report

import (
	"fmt"
	"math"
)

// Pictures gives the pixels of the slice with the given Slice.Index. Its
// buffers may be used again in the next call, so that one slice is in memory at
// a time. A report asks each slice at most once.
type Pictures func(index int) (Picture, error)

// Picture is the pixels of one slice.
type Picture struct {
	Reference []float32       // HU, height*width of Geometry; nil without ground truth
	Sinogram  []float32       // nepers, [view][bin], the data that the methods saw; nil = not shown
	Methods   []MethodPicture // in the order of Report.Methods
}

// MethodPicture is what one method made of a slice.
type MethodPicture struct {
	HU       []float32            // height*width
	Residual []float32            // (A mu - y)/sigma, [view][bin], NaN where not measured; nil = not shown
	Maps     map[string][]float32 // by MapInfo.Name, height*width, in its unit; NaN = no value
}

// check panics when a length is wrong: that is the caller's bug.
func (p *Picture) check(r *Report) {
	n, data := r.Geometry.Width*r.Geometry.Height, r.Geometry.Views*r.Geometry.Bins
	if len(p.Methods) != len(r.Methods) {
		panic(fmt.Sprintf("report: pictures of %d methods for %d", len(p.Methods), len(r.Methods)))
	}
	wrong := func(what string, got, want int) {
		if got != 0 && got != want {
			panic(fmt.Sprintf("report: %s of %d values, want %d", what, got, want))
		}
	}
	wrong("reference", len(p.Reference), n)
	wrong("sinogram", len(p.Sinogram), data)
	for i, m := range p.Methods {
		if len(m.HU) != n {
			panic(fmt.Sprintf("report: image of %d pixels, want %d", len(m.HU), n))
		}
		wrong("residual", len(m.Residual), data)
		for _, info := range r.Methods[i].Maps {
			wrong("map "+info.Name, len(m.Maps[info.Name]), n)
		}
	}
}

// viewChi2 is the mean square of a residual's finite values in each view, NaN
// for a view without any.
func viewChi2(residual []float32, views, bins int) []float64 {
	out := make([]float64, views)
	for v := range out {
		var sum float64
		n := 0
		for _, x := range residual[v*bins : (v+1)*bins] {
			if e := float64(x); !math.IsNaN(e) && !math.IsInf(e, 0) {
				sum += e * e
				n++
			}
		}
		out[v] = sum / float64(n)
	}
	return out
}

// raster is a picture of any kind on its way to the file.
type raster struct {
	w, h int
	pix  []float32
}

// reduced averages blocks of fx columns and fy rows; values that are not finite
// are left out of the mean. What does not fill a block at the right and lower
// edge is dropped.
func (r raster) reduced(fx, fy int) raster {
	if fx <= 1 && fy <= 1 {
		return r
	}
	out := raster{w: r.w / fx, h: r.h / fy}
	out.pix = make([]float32, out.w*out.h)
	for y := range out.h {
		for x := range out.w {
			out.pix[y*out.w+x] = r.blockMean(x*fx, y*fy, fx, fy)
		}
	}
	return out
}

func (r raster) blockMean(x0, y0, fx, fy int) float32 {
	var sum float64
	n := 0
	for y := y0; y < y0+fy; y++ {
		for _, v := range r.pix[y*r.w+x0 : y*r.w+x0+fx] {
			if f := float64(v); !math.IsNaN(f) && !math.IsInf(f, 0) {
				sum += f
				n++
			}
		}
	}
	return float32(sum / float64(n))
}

// limits are the smallest and the largest finite value; 0, 0 without any.
func (r raster) limits() (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, v := range r.pix {
		if f := float64(v); !math.IsNaN(f) && !math.IsInf(f, 0) {
			lo, hi = math.Min(lo, f), math.Max(hi, f)
		}
	}
	if lo > hi {
		return 0, 0
	}
	return lo, hi
}
