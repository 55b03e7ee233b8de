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

// Ramp is lag n of the band-limited ramp filter at unit spacing; at spacing ds it is
// that over ds^2 (Kak and Slaney, Principles of Computerized Tomographic Imaging,
// 1988, chapter 3, eq. 61).
func Ramp(n int) float64 {
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
			taps[n] = Ramp(n)
		}
		return taps
	}
	size := 1024
	for size < 8*bins {
		size *= 2
	}
	h := make([]float64, size)
	for n := range size {
		h[n] = Ramp(min(n, size-n))
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

// together is the number of views that are filtered together.
const together = 4

// filter convolves views of a sinogram with the taps of a ramp, directly: the
// vector units do that faster than a Fourier transform for a thousand bins and
// more, and nothing wraps. The taps are read once for four views.
type filter struct {
	kern kernel
	bins int
	// Every second tap of the plain ramp is 0: even bins need the odd ones only,
	// and conversely. A window fills these taps, then full is used.
	even, odd, full []float32
	out             int       // outputs of a view, padded
	in, other       []float32 // [bin][view] even and odd, or all, bins times scale
	outer           []float32 // [view][out]
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
	n := f.bins
	if !plain(taps) {
		f.out = roundUp(n, 4*vec)
		f.full = alloc(n + f.out)
		for i := range f.full {
			f.full[i] = tap(i - n + 1)
		}
	} else {
		// even[t+n-1] is lag 2t-1 (even outputs from odd bins), odd[t+n-1] is 2t+1.
		n = (n + 1) / 2
		f.out = roundUp(n, 4*vec)
		f.even, f.odd = alloc(n+f.out), alloc(n+f.out)
		for i := range f.even {
			f.even[i], f.odd[i] = tap(2*(i-n+1)-1), tap(2*(i-n+1)+1)
		}
	}
	f.in, f.other, f.outer = alloc(together*n), alloc(together*n), alloc(together*f.out)
	return f
}

// plain says whether the taps are the plain ramp's at even lags: 1/4 and zeros.
func plain(taps []float64) bool {
	for n := 2; n < len(taps); n += 2 {
		if taps[n] != 0 {
			return false
		}
	}
	return taps[0] == 0.25
}

// clone shares the taps.
func (f *filter) clone() *filter {
	c := *f
	c.in, c.other, c.outer = alloc(len(f.in)), alloc(len(f.other)), alloc(len(f.outer))
	return &c
}

// apply writes the filtered views src, one for each scale and times it, to dst,
// which may be src.
func (f *filter) apply(dst, src, scale []float32) {
	for len(scale) > 0 {
		n := min(together, len(scale))
		if f.full != nil {
			f.applyFull(dst[:n*f.bins], src, scale[:n])
		} else {
			f.applyHalves(dst[:n*f.bins], src, scale[:n])
		}
		dst, src, scale = dst[n*f.bins:], src[n*f.bins:], scale[n:]
	}
}

func (f *filter) applyFull(dst, src, scale []float32) {
	for v, s := range scale {
		for i, x := range src[v*f.bins : (v+1)*f.bins] {
			f.in[together*i+v] = x * s
		}
	}
	f.kern.tapSum(f.outer, f.out, f.full, f.in)
	for v := range scale {
		copy(dst[v*f.bins:(v+1)*f.bins], f.outer[v*f.out:])
	}
}

func (f *filter) applyHalves(dst, src, scale []float32) {
	half := f.bins / 2
	for v, s := range scale {
		x := src[v*f.bins : (v+1)*f.bins]
		even, odd := f.in[v:], f.other[v:]
		for i := range half {
			even[together*i], odd[together*i] = x[2*i]*s, x[2*i+1]*s
		}
		if f.bins%2 == 1 {
			even[together*half] = x[2*half] * s
		}
	}
	f.kern.tapSum(f.outer, f.out, f.even, f.other)
	for v := range scale {
		merge(dst[v*f.bins:(v+1)*f.bins], f.in[v:], f.outer[v*f.out:])
	}
	f.kern.tapSum(f.outer, f.out, f.odd, f.in)
	for v := range scale {
		merge(dst[v*f.bins+1:(v+1)*f.bins], f.other[v:], f.outer[v*f.out:])
	}
}

// merge sets every second bin: the tap of lag 0 and the sum of the others.
func merge(dst, in, sum []float32) {
	for i := 0; 2*i < len(dst); i++ {
		dst[2*i] = 0.25*in[together*i] + sum[i]
	}
}
