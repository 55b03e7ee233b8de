package recon

import (
	"math"

	"ctrecon/ct"
	"ctrecon/ldm"
	"ctrecon/radon"
)

// modelGrid is the grid on which a model of d's size sees the image: the image's
// own when it has that size, else square pixels that just hold it. Few views
// determine no more than that; the last step goes back to the image's grid.
func modelGrid(g ct.Grid, d ldm.Dims) ct.Grid {
	if g.W == d.W && g.H == d.H {
		return g
	}
	px := math.Max(float64(g.W)*g.DX/float64(d.W), float64(g.H)*g.DY/float64(d.H))
	return ct.Grid{W: d.W, H: d.H, DX: px, DY: px}
}

// coarsened checks a slice and brings it to the grid of a model, with bins to
// match.
func coarsened(job *Slice, d ldm.Dims) (Slice, error) {
	if err := job.Grid.Check(); err != nil {
		return Slice{}, err
	}
	if err := job.Sino.Check(); err != nil {
		return Slice{}, err
	}
	job.Sino = Noisy(job.Sino)
	coarse := *job
	if coarse.Grid = modelGrid(job.Grid, d); coarse.Grid != job.Grid {
		coarse.Sino = binned(job.Sino, coarse.Grid, job.Fan)
	}
	return coarse, nil
}

// binned averages groups of bins so that they come near the pixels of g, whose
// discretisation would else be taken for noise. Bins at the edges that fill no
// group are dropped: half a group at most on each side. Bins of a fan beam count as wide
// as they are at the axis.
func binned(s ct.Sinogram, g ct.Grid, fan *radon.Fan) ct.Sinogram {
	size := s.BinSize
	if fan != nil {
		size *= fan.SOD / fan.SDD
	}
	f := int(math.Min(g.DX, g.DY)/size + 1e-6)
	if f < 2 || s.Bins < 2*f {
		return s
	}
	n := s.Bins / f
	first := (s.Bins - n*f) / 2
	geo := ct.Geometry{Angles: s.Angles, Bins: n, BinSize: s.BinSize * float64(f)}
	geo.Offset = -float64(n-1)/2 - (float64(first)+float64(f-1)/2-float64(s.Bins-1)/2-s.Offset)/float64(f)
	out := ct.NewSinogram(geo)
	out.Noise = s.Noise
	out.Noise.Sigma /= math.Sqrt(float64(f))
	if s.Sigma != nil {
		out.Sigma = make([]float32, len(out.Data))
	}
	for v := range s.Views() {
		for j := range n {
			group(&s, &out, v*s.Bins+first+j*f, f, v*n+j)
		}
	}
	return out
}

// group averages f data from at on into datum to, by their variances; a group
// without a live bin is dead.
func group(s, out *ct.Sinogram, at, f, to int) {
	sum, weight := 0.0, 0.0
	for i := at; i < at+f; i++ {
		w := 1.0
		if s.Sigma != nil {
			if w = 1 / (float64(s.Sigma[i]) * float64(s.Sigma[i])); w == 0 {
				continue
			}
		}
		sum, weight = sum+w*float64(s.Data[i]), weight+w
	}
	if weight > 0 {
		out.Data[to] = float32(sum / weight)
	}
	if out.Sigma != nil {
		out.Sigma[to] = float32(1 / math.Sqrt(weight))
	}
}

// enlarge interpolates src on grid from at the pixel centres of grid to, by
// cubic convolution (Keys, IEEE Trans. Acoust. 29, 1981). Outside from the edge
// value holds.
func enlarge(dst []float32, to ct.Grid, src []float32, from ct.Grid) {
	cols, cw := taps(to.W, to.DX, from.W, from.DX)
	rows, rw := taps(to.H, to.DY, from.H, from.DY)
	for r := range to.H {
		for c := range to.W {
			sum := 0.0
			for a := range 4 {
				line := src[rows[r][a]*from.W:]
				part := 0.0
				for b := range 4 {
					part += cw[c][b] * float64(line[cols[c][b]])
				}
				sum += rw[r][a] * part
			}
			dst[r*to.W+c] = float32(sum)
		}
	}
}

// taps are the four samples and weights for each of n places d apart on a line
// of m samples e apart; both lines have the same middle.
func taps(n int, d float64, m int, e float64) ([][4]int, [][4]float64) {
	at, w := make([][4]int, n), make([][4]float64, n)
	for i := range n {
		x := (float64(i)-float64(n-1)/2)*d/e + float64(m-1)/2
		k := math.Floor(x)
		t := x - k
		w[i] = [4]float64{t * (-0.5 + t*(1-0.5*t)), 1 + t*t*(-2.5+1.5*t), t * (0.5 + t*(2-1.5*t)), t * t * (-0.5 + 0.5*t)}
		for j := range at[i] {
			at[i][j] = max(0, min(m-1, int(k)-1+j))
		}
	}
	return at, w
}
