package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"gonum.org/v1/gonum/optimize"
	"gonum.org/v1/gonum/stat"
)

// coverage gathers errors against the spread of samples and the deviation that the
// data of the slice told of, to calibrate the error's deviation and to count how often
// an interval covers the truth.
type coverage struct {
	slices []*spreadTable
}

// spreadTable counts the pixels of a slice by the logarithm of spread and of
// absolute error.
type spreadTable struct {
	patient string
	dev     float64 // HU, recon.Result.Deviation
	err, sd float64 // HU, root mean square over the pixels of errors and of spreads
	n       [coverBins][coverBins]float64
}

// calibration is the law sd^2 = (c s)^2 + (g d)^2 + f^2 of a pixel with the spread s
// in a slice with the deviation d.
type calibration struct{ c, g, f float64 }

func (v calibration) variance(s, d float64) float64 {
	return max(1, v.c*v.c*s*s+v.g*v.g*d*d+v.f*v.f)
}

const (
	coverBins = 80
	coverLow  = 0.1  // HU
	coverHigh = 1500 // HU
	// z90 is the half width of a Gaussian's central 90 %.
	z90 = 1.6448536
)

func coverBin(v float64) int {
	return min(coverBins-1, int(coverAt(v)))
}

// coverAt is where v lies among the bins: bin k is from k to k+1.
func coverAt(v float64) float64 {
	return coverBins * math.Log(max(v, coverLow)/coverLow) / math.Log(coverHigh/coverLow)
}

func coverValue(k int) float64 {
	return coverLow * math.Pow(coverHigh/coverLow, (float64(k)+0.5)/coverBins)
}

// add takes a slice: hu and truth in HU, sd and dev times scale in HU, inside the
// mask.
func (v *coverage) add(patient string, hu, truth, sd []float32, dev, scale float64, mask []bool) {
	t := &spreadTable{patient: patient, dev: scale * dev}
	v.slices = append(v.slices, t)
	n := 0.0
	for i, in := range mask {
		if !in {
			continue
		}
		e, s := math.Abs(float64(hu[i])-float64(truth[i])), scale*float64(sd[i])
		t.n[coverBin(s)][coverBin(e)]++
		t.err, t.sd, n = t.err+e*e, t.sd+s*s, n+1
	}
	t.err, t.sd = math.Sqrt(t.err/max(1, n)), math.Sqrt(t.sd/max(1, n))
}

// fit finds the calibration with which the intervals of 90 % come nearest to
// covering 90 % of every patient but one ("" for all): the sum of squared differences
// is least. The likelihood would do for many patients; of few it gives the one whose
// slices are unlike the others' away.
func (v *coverage) fit(without string) calibration {
	loss := func(x []float64) float64 {
		sum, shares := 0.0, v.shares(exponential(x), z90)
		for _, p := range slices.Sorted(maps.Keys(shares)) {
			if p != without {
				sum += math.Pow(100*shares[p]-90, 2)
			}
		}
		return sum
	}
	best, least := calibration{c: 1}, math.Inf(1)
	for _, start := range []calibration{{1.5, 0.5, 3}, {0.7, 1.5, 3}, {1, 1, 10}} {
		r, _ := optimize.Minimize(optimize.Problem{Func: loss}, []float64{math.Log(start.c), math.Log(start.g), math.Log(start.f)},
			&optimize.Settings{FuncEvaluations: 300}, &optimize.NelderMead{})
		if r != nil && r.F < least { // also where it stopped at the limit
			best, least = exponential(r.X), r.F
		}
	}
	return best
}

// exponential is the calibration of three logarithms, none of which need be small.
func exponential(x []float64) calibration {
	at := func(i int) float64 { return math.Exp(max(-7, min(7, x[i]))) }
	return calibration{at(0), at(1), at(2)}
}

// covered counts the pixels whose error lies within z calibrated deviations, and
// all; a bin of errors that the limit cuts counts in part.
func (t *spreadTable) covered(l calibration, z float64) (in, all float64) {
	for k := range t.n {
		at := coverAt(z * math.Sqrt(l.variance(coverValue(k), t.dev)))
		for e, n := range t.n[k] {
			all += n
			in += n * max(0, min(1, at-float64(e)))
		}
	}
	return in, all
}

// shares are the covered shares of the patients' pixels.
func (v *coverage) shares(l calibration, z float64) map[string]float64 {
	in, all := map[string]float64{}, map[string]float64{}
	for _, t := range v.slices {
		a, b := t.covered(l, z)
		in[t.patient] += a
		all[t.patient] += b
	}
	for p, n := range all {
		in[p] /= math.Max(n, 1)
	}
	return in
}

// correlations over the slices of their error with their deviation and with their
// spread, each root mean square.
func (v *coverage) correlations() (dev, spread float64) {
	var e, d, s []float64
	for _, t := range v.slices {
		e, d, s = append(e, t.err), append(d, t.dev), append(s, t.sd)
	}
	return stat.Correlation(e, d, nil), stat.Correlation(e, s, nil)
}

// write prints the calibration and the coverage of 90 % intervals by patient.
func (v *coverage) write(w io.Writer) {
	l := v.fit("")
	fmt.Fprintf(w, "\nspread of samples s, deviation of the restored image by its projections d, error of the mean: sd^2 = (%.2f s)^2 + (%.2f d)^2 + (%.1f HU)^2, fitted on these slices, inside the body\n\n| patient | covered by 90 %% | fitted without the patient | without calibration |\n|---|---|---|---|\n", l.c, l.g, l.f)
	with, without := v.shares(l, z90), v.shares(calibration{c: 1}, z90)
	for _, p := range slices.Sorted(maps.Keys(with)) {
		fmt.Fprintf(w, "| %s | %.1f %% | %.1f %% | %.1f %% |\n", p, 100*with[p], 100*v.shares(v.fit(p), z90)[p], 100*without[p])
	}
	dev, spread := v.correlations()
	fmt.Fprintf(w, "\nerror of a slice: correlation with d %.3f, with s %.3f (%d slices)\n", dev, spread, len(v.slices))
}
