package radon

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/dsp/fourier"
)

// Window tapers the ramp filter towards high frequencies.
type Window string

// The windows, as functions of nu = frequency / (cut-off * Nyquist); above nu = 1
// all are 0.
const (
	RamLak     Window = "ram-lak"     // 1
	SheppLogan Window = "shepp-logan" // sinc(nu/2)
	Cosine     Window = "cosine"      // cos(pi nu/2)
	Hamming    Window = "hamming"     // 0.54 + 0.46 cos(pi nu)
	Hann       Window = "hann"        // 0.5 + 0.5 cos(pi nu)
)

// Windows lists the windows from the sharpest to the smoothest.
func Windows() []Window { return []Window{RamLak, SheppLogan, Cosine, Hamming, Hann} }

// at is the window at nu >= 0.
func (w Window) at(nu float64) float64 {
	if nu > 1 {
		return 0
	}
	switch w {
	case SheppLogan:
		if nu == 0 {
			return 1
		}
		return math.Sin(math.Pi*nu/2) / (math.Pi * nu / 2)
	case Cosine:
		return math.Cos(math.Pi * nu / 2)
	case Hamming:
		return 0.54 + 0.46*math.Cos(math.Pi*nu)
	case Hann:
		return 0.5 + 0.5*math.Cos(math.Pi*nu)
	}
	return 1
}

func (w Window) check() error {
	for _, x := range Windows() {
		if w == x {
			return nil
		}
	}
	return fmt.Errorf("radon: no window %q; there are %v", string(w), Windows())
}

// ramp is lag n of the band-limited ramp at unit spacing (Kak and Slaney,
// Principles of Computerized Tomographic Imaging, 1988, chapter 3, eq. 61).
func ramp(n int) float64 {
	switch {
	case n == 0:
		return 0.25
	case n%2 == 0:
		return 0
	}
	return -1 / (math.Pi * math.Pi * float64(n) * float64(n))
}

// rampTaps gives lags 0..bins-1 of the windowed ramp. The window multiplies the
// Fourier transform of the ramp's taps; sampling |omega| instead would set the
// zero frequency to 0 and shift the image by a constant. Long padding keeps the
// window's own tails from wrapping.
func rampTaps(bins int, w Window, cutoff float64) []float64 {
	taps := make([]float64, bins)
	if w == RamLak && cutoff == 1 {
		for n := range taps {
			taps[n] = ramp(n)
		}
		return taps
	}
	size := 1024
	for size < 8*bins {
		size *= 2
	}
	h := make([]float64, size)
	for n := range size {
		h[n] = ramp(min(n, size-n))
	}
	fft := fourier.NewFFT(size)
	spectrum := fft.Coefficients(nil, h)
	for i := range spectrum {
		nu := float64(i) / float64(size/2) / cutoff
		spectrum[i] *= complex(w.at(nu)/float64(size), 0)
	}
	copy(taps, fft.Sequence(h, spectrum))
	return taps
}

// filter convolves views of a sinogram with the taps of a ramp, directly: for
// some hundred bins that is faster than a Fourier transform, and nothing wraps.
type filter struct {
	kern kernel
	bins int
	// Every second tap of the plain ramp is 0: even bins need the odd ones only,
	// and conversely. A window fills these taps, then full is used.
	even, odd, full  []float32
	in, other, outer []float32
}

// newFilter plans the convolution with taps 0..bins-1 of an even filter.
func newFilter(k kernel, taps []float64) *filter {
	f := &filter{kern: k, bins: len(taps)}
	tap := func(lag int) float32 {
		if lag = max(lag, -lag); lag < len(taps) {
			return float32(taps[lag])
		}
		return 0
	}
	// The plain ramp is 1/4 at lag 0 and 0 at every other even lag.
	for n := 0; n < len(taps); n += 2 {
		if n == 0 && taps[0] != 0.25 || n > 0 && taps[n] != 0 {
			f.full = alloc(f.bins + roundUp(f.bins, block))
			for i := range f.full {
				f.full[i] = tap(i - f.bins + 1)
			}
			break
		}
	}
	n := (f.bins + 1) / 2
	if f.full == nil {
		// even[t+n-1] is lag 2t-1 (even outputs from odd bins), odd[t+n-1] is 2t+1.
		f.even, f.odd = alloc(n+roundUp(n, block)), alloc(n+roundUp(n, block))
		for i := range f.even {
			f.even[i], f.odd[i] = tap(2*(i-n+1)-1), tap(2*(i-n+1)+1)
		}
	} else {
		n = f.bins
	}
	f.in, f.other, f.outer = alloc(n), alloc(n), alloc(roundUp(n, block))
	return f
}

// clone shares the taps.
func (f *filter) clone() *filter {
	c := *f
	c.in, c.other, c.outer = alloc(len(f.in)), alloc(len(f.other)), alloc(len(f.outer))
	return &c
}

// apply writes scale times the filtered view src to dst.
func (f *filter) apply(dst, src []float32, scale float32) {
	if f.full != nil {
		for i, v := range src {
			f.in[i] = v * scale
		}
		f.kern.tapSum(f.outer, f.full, f.in)
		copy(dst, f.outer)
		return
	}
	even, odd := f.in, f.other
	clear(odd)
	for i := range even {
		even[i] = src[2*i] * scale
		if 2*i+1 < len(src) {
			odd[i] = src[2*i+1] * scale
		}
	}
	f.kern.tapSum(f.outer, f.even, odd)
	for i, v := range even {
		dst[2*i] = 0.25*v + f.outer[i]
	}
	f.kern.tapSum(f.outer, f.odd, even)
	for i := range len(src) / 2 {
		dst[2*i+1] = 0.25*odd[i] + f.outer[i]
	}
}
