package physics

import (
	"math"

	"gonum.org/v1/gonum/dsp/fourier"
)

// Task is a disc to be found in a uniform background.
type Task struct {
	Diameter float64 // mm
	Contrast float64 // HU
}

// Spectrum is the Fourier transform of the disc at f 1/cm, in HU cm^2.
func (t Task) Spectrum(f float64) float64 {
	d := t.Diameter / 10
	area := math.Pi * d * d / 4
	x := math.Pi * d * f
	if x < 1e-6 {
		return t.Contrast * area
	}
	return t.Contrast * area * 2 * math.J1(x) / x
}

// Eye says how the image is looked at. The zero value is no eye: the observer
// sees all frequencies alike.
type Eye struct {
	Distance float64 // of the viewer, mm
	Zoom     float64 // mm on the display for each mm in the object
}

// DefaultEye looks from 500 mm at an image drawn 300 mm wide.
func DefaultEye(field float64) Eye { return Eye{Distance: 500, Zoom: 300 / field} }

// Response is the visual response at f 1/cm, largest value 1:
// (rho^1.5 exp(-.98 rho^.68))^2, rho in cycles a degree, which is highest at 3.3
// (the form of Eckstein and others, Opt. Express 11 (2003), 460, with the constants
// of CT practice; other programs have others, so NPWE compares within a table).
func (e Eye) Response(f float64) float64 {
	if e == (Eye{}) {
		return 1
	}
	rho := f / 10 / e.Zoom * e.Distance * math.Pi / 180
	return response(rho) / response(eyePeak)
}

// eyePeak is where the derivative of response is 0.
var eyePeak = math.Pow(1.5/(0.98*0.68), 1/0.68)

func response(rho float64) float64 {
	v := math.Pow(rho, 1.5) * math.Exp(-0.98*math.Pow(rho, 0.68))
	return v * v
}

// detectSteps of the integral over frequency.
const detectSteps = 2000

// Detectability is d' of the non-prewhitening observer with the eye's response E
// (NPWE; without, NPW), of a signal of spectrum W (HU cm^2) seen through a transfer T
// in noise of power N (HU^2 cm^2), all round:
//
//	d'^2 = (int W^2 T^2 E^2 2 pi f df)^2 / int W^2 T^2 E^4 N 2 pi f df
//
// to the frequency top in 1/cm: beyond Nyquist's the image has no noise that could be
// measured, and the signal there is not counted either. The observer knows the
// background: a fixed pattern costs it nothing, though it does a reader.
func Detectability(signal, transfer, noise func(f float64) float64, eye Eye, top float64) float64 {
	var num, den float64
	for i := range detectSteps {
		f := top * (float64(i) + 0.5) / detectSteps
		wt, e := signal(f)*transfer(f), eye.Response(f)
		s := wt * wt * e * e * f
		num += s
		den += s * e * e * noise(f)
	}
	return math.Sqrt(2*math.Pi*top/detectSteps) * num / math.Sqrt(den)
}

// Seen is d' of the non-prewhitening observer for a thing that was itself
// reconstructed: with and without are repeats of the object with and without it,
// (x, y) is its middle and reach a radius beyond which it is not looked for, all mm.
// Its spectrum takes the place of W T above, so that loss of contrast and blur are
// those of this very thing: no transfer function is assumed. All frequencies of
// noise's plane count. The spectrum is the product of those of the even and of the
// odd draws, which noise that is left does not bias. A thing that is not seen at
// all gives 0. A square outside the image is an error, as of NPS.
func Seen(with, without *Repeats, x, y, reach float64, noise NPS, eye Eye) (float64, error) {
	even, err := difference(with, without, x, y, reach, noise.N, 0)
	if err != nil {
		return 0, err
	}
	odd, err := difference(with, without, x, y, reach, noise.N, 1)
	if err != nil {
		return 0, err
	}
	area := noise.DX * noise.DY / 100 // of a pixel, cm^2
	var num, den float64
	for i, n := range noise.Plane {
		f := math.Hypot(noise.frequency(i%noise.N, noise.DX), noise.frequency(i/noise.N, noise.DY))
		e := eye.Response(f)
		s := area * area * (real(even[i])*real(odd[i]) + imag(even[i])*imag(odd[i])) * e * e
		num += s
		den += s * e * e * n
	}
	if num <= 0 || den <= 0 {
		return 0, nil
	}
	return num / math.Sqrt(den*area*float64(len(noise.Plane))), nil // d^2 f is 1/(area n^2)
}

// difference is the spectrum of the mean difference of every second draw, in the
// square of n x n pixels about (x, y), 0 beyond reach.
func difference(with, without *Repeats, x, y, reach float64, n, first int) ([]complex128, error) {
	row, col, err := with.square(x, y, n)
	if err != nil {
		return nil, err
	}
	out := make([]complex128, n*n)
	for i := range out {
		px, py := with.grid.XY(row+i/n, col+i%n)
		if math.Hypot(px-x, py-y) > reach {
			continue
		}
		p, sum, count := (row+i/n)*with.grid.W+col+i%n, 0.0, 0.0
		for k := first; k < len(with.images); k += 2 {
			sum += float64(with.images[k][p]) - float64(without.images[k][p])
			count++
		}
		out[i] = complex(sum/count, 0)
	}
	transform(fourier.NewCmplxFFT(n), out, make([]complex128, n))
	return out, nil
}
