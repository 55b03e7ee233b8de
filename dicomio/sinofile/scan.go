package sinofile

import (
	"fmt"
	"math"

	"ctrecon/ct"
)

// Scan is a measurement in our words, before any rebinning.
type Scan struct {
	File   string // base name
	Kind   string // "npy", "npz", "raw", "tiff", "mat5", "mat7.3", "hdf5", "png", "mha", "nrrd"
	SHA256 string // of the file, hexadecimal

	Rows, Views, Bins int

	Angles         []float64 // degrees, one a view; of the source for a fan beam
	BinSize        float64   // mm, on the detector
	BinSizeAssumed bool      // nothing said the spacing: lengths are in bins
	Offset         float64   // bins: bin k is centred at (k-(Bins-1)/2-Offset)*BinSize
	Fan            *Fan      // nil: parallel beam

	Noise   ct.Noise
	MuWater float64 // 1/mm

	ImageSize int     // pixels of a side; 0: not said
	PixelSize float64 // mm; 0: not said
	Row       int     // the only row of interest; -1: all

	Notes []string // every guess and every correction

	data   []float32
	stride strides
	dead   bitmap // data that were not measured; nil when all were
}

// strides say how far apart neighbours lie in Scan.data.
type strides struct{ row, view, bin, start int }

// at is the place of a datum.
func (s *Scan) at(row, view, bin int) int {
	return s.stride.start + row*s.stride.row + view*s.stride.view + bin*s.stride.bin
}

// Slice returns the line integrals (nepers) of one row, [view][bin], and the
// standard deviation of each, +Inf where nothing was measured. sigma is nil when
// every bin was measured and the noise is the same everywhere or not known.
// data shares the scan's memory where the file has that order; keep it as it
// is. A row that does not exist panics.
func (s *Scan) Slice(row int) (data, sigma []float32) {
	if row < 0 || row >= s.Rows {
		panic(fmt.Sprintf("sinofile: row %d of %d", row, s.Rows))
	}
	n := s.Views * s.Bins
	if s.stride.bin == 1 && s.stride.view == s.Bins {
		base := s.at(row, 0, 0)
		data = s.data[base : base+n : base+n]
	} else {
		data = make([]float32, n)
		for v := range s.Views {
			s.view(data[v*s.Bins:(v+1)*s.Bins], row, v)
		}
	}
	return data, s.sigma(row, data)
}

// Sinogram is row of a parallel-beam scan in the words of package ct. A
// fan-beam scan, which must be rebinned first, panics.
func (s *Scan) Sinogram(row int) ct.Sinogram {
	if s.Fan != nil {
		panic("sinofile: a fan-beam scan is not a parallel sinogram")
	}
	out := ct.Sinogram{Geometry: ct.Geometry{Angles: s.Angles, Bins: s.Bins, BinSize: s.BinSize, Offset: s.Offset}, Noise: s.Noise}
	out.Data, out.Sigma = s.Slice(row)
	if out.Sigma != nil && !out.Noise.Known() {
		out.Noise = ct.Noise{Sigma: estimateSigma(out.Data, s.Views, s.Bins), Source: "estimated"}
	}
	return out
}

// view copies one view into dst (Bins values).
func (s *Scan) view(dst []float32, row, view int) {
	i := s.at(row, view, 0)
	for k := range dst[:s.Bins] {
		dst[k] = s.data[i]
		i += s.stride.bin
	}
}

// sigma is the deviation of each datum of a row, or nil. Photon noise is
// Poisson: a ray of p nepers is counted I0*exp(-p) times.
func (s *Scan) sigma(row int, data []float32) []float32 {
	if s.dead == nil && s.Noise.Photons == 0 {
		return nil
	}
	out := make([]float32, len(data))
	live := float32(s.Noise.Sigma)
	if s.Noise.Photons == 0 && live == 0 {
		live = float32(estimateSigma(data, s.Views, s.Bins))
	}
	for i := range out {
		out[i] = live
		if s.Noise.Photons > 0 {
			out[i] = float32(math.Exp(float64(data[i])/2) / math.Sqrt(s.Noise.Photons))
		}
		if s.dead != nil && s.dead.has(s.at(row, i/s.Bins, i%s.Bins)) {
			out[i] = float32(math.Inf(1))
		}
	}
	return out
}

// middle is the row that tests look at.
func (s *Scan) middle() int {
	if s.Row >= 0 {
		return s.Row
	}
	return s.Rows / 2
}
