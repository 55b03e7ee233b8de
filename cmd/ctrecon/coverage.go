package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
)

// coverage gathers errors against the spread of samples and the deviation that the
// data of the slice told of, to calibrate the error's deviation by maximum Gaussian
// likelihood and to count how often an interval covers the truth.
type coverage struct {
	slices []*spreadTable
}

// spreadTable counts the pixels of a slice by the logarithm of spread and of
// absolute error.
type spreadTable struct {
	patient string
	dev     float64 // HU, recon.Result.Deviation
	n       [coverBins][coverBins]float64
	square  [coverBins]float64 // sum of squared errors by spread
	count   [coverBins]float64
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
	k := int(coverBins * math.Log(max(v, coverLow)/coverLow) / math.Log(coverHigh/coverLow))
	return min(coverBins-1, k)
}

func coverValue(k int) float64 {
	return coverLow * math.Pow(coverHigh/coverLow, (float64(k)+0.5)/coverBins)
}

// add takes a slice: hu and truth in HU, sd and dev times scale in HU, inside the
// mask.
func (v *coverage) add(patient string, hu, truth, sd []float32, dev, scale float64, mask []bool) {
	t := &spreadTable{patient: patient, dev: scale * dev}
	v.slices = append(v.slices, t)
	for i, in := range mask {
		if !in {
			continue
		}
		e := math.Abs(float64(hu[i]) - float64(truth[i]))
		k := coverBin(scale * float64(sd[i]))
		t.n[k][coverBin(e)]++
		t.square[k] += e * e
		t.count[k]++
	}
}

// fit finds the calibration over all slices, from coarse steps to fine ones.
func (v *coverage) fit() calibration {
	best := calibration{1, 0.3, 10}
	least := v.unlikelihood(best)
	for _, step := range []calibration{{0.5, 0.2, 10}, {0.2, 0.08, 4}, {0.05, 0.02, 1}} {
		for moved := true; moved; {
			moved = false
			for _, to := range best.neighbours(step) {
				if l := v.unlikelihood(to); l < least {
					best, least, moved = to, l, true
				}
			}
		}
	}
	return best
}

// neighbours are one step up and down in each number, not below zero.
func (v calibration) neighbours(step calibration) (out []calibration) {
	for _, sign := range []float64{-1, 1} {
		for _, n := range []calibration{{v.c + sign*step.c, v.g, v.f}, {v.c, v.g + sign*step.g, v.f}, {v.c, v.g, v.f + sign*step.f}} {
			out = append(out, calibration{max(0, n.c), max(0, n.g), max(0, n.f)})
		}
	}
	return out
}

// unlikelihood is the negative logarithm of the likelihood.
func (v *coverage) unlikelihood(l calibration) float64 {
	sum := 0.0
	for _, t := range v.slices {
		for k, n := range t.count {
			if n > 0 {
				variance := l.variance(coverValue(k), t.dev)
				sum += n*math.Log(variance) + t.square[k]/variance
			}
		}
	}
	return sum
}

// covered counts the pixels whose error lies within z calibrated deviations, and all.
func (t *spreadTable) covered(l calibration, z float64) (in, all float64) {
	for k := range t.n {
		limit := z * math.Sqrt(l.variance(coverValue(k), t.dev))
		for e, n := range t.n[k] {
			all += n
			if coverValue(e) <= limit {
				in += n
			}
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

// write prints the calibration and the coverage of 90 % intervals by patient.
func (v *coverage) write(w io.Writer) {
	l := v.fit()
	fmt.Fprintf(w, "\nspread of samples s, deviation of the restored image by its residual d, error of the mean: sd^2 = (%.2f s)^2 + (%.2f d)^2 + (%.0f HU)^2, fitted on these slices, inside the body\n\n| patient | covered by 90 %% | without calibration |\n|---|---|---|\n", l.c, l.g, l.f)
	with, without := v.shares(l, z90), v.shares(calibration{c: 1}, z90)
	for _, p := range slices.Sorted(maps.Keys(with)) {
		fmt.Fprintf(w, "| %s | %.1f %% | %.1f %% |\n", p, 100*with[p], 100*without[p])
	}
}
