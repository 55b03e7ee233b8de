package main

import (
	"fmt"
	"io"
	"math"
	"sort"
)

// coverage gathers errors against the spread of samples, to calibrate
// sd^2 = c^2 s^2 + f^2 by maximum Gaussian likelihood and to count how often an
// interval covers the truth.
type coverage struct {
	patients map[string]*spreadTable
}

// spreadTable counts pixels by the logarithm of spread and of absolute error.
type spreadTable struct {
	n      [coverBins][coverBins]float64
	square [coverBins]float64 // sum of squared errors by spread
	count  [coverBins]float64
}

const (
	coverBins = 80
	coverLow  = 0.1  // HU
	coverHigh = 1500 // HU
	// z90 is the half width of a Gaussian's central 90 %.
	z90 = 1.6448536
)

func newCoverage() *coverage { return &coverage{patients: map[string]*spreadTable{}} }

func coverBin(v float64) int {
	k := int(coverBins * math.Log(max(v, coverLow)/coverLow) / math.Log(coverHigh/coverLow))
	return min(coverBins-1, k)
}

func coverValue(k int) float64 {
	return coverLow * math.Pow(coverHigh/coverLow, (float64(k)+0.5)/coverBins)
}

// add takes a slice: hu and truth in HU, sd times scale in HU, inside the mask.
func (v *coverage) add(patient string, hu, truth, sd []float32, scale float64, mask []bool) {
	t := v.patients[patient]
	if t == nil {
		t = &spreadTable{}
		v.patients[patient] = t
	}
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

// fit finds c and f over all patients.
func (v *coverage) fit() (c, f float64) {
	var all spreadTable
	for _, t := range v.patients {
		for k := range all.count {
			all.count[k] += t.count[k]
			all.square[k] += t.square[k]
		}
	}
	best := math.Inf(1)
	for cc := 0.0; cc <= 6; cc += 0.05 {
		for ff := 0.0; ff <= 120; ff += 1 {
			if l := all.likelihood(cc, ff); l < best {
				best, c, f = l, cc, ff
			}
		}
	}
	return c, f
}

// likelihood is the negative logarithm.
func (t *spreadTable) likelihood(c, f float64) float64 {
	sum := 0.0
	for k, n := range t.count {
		if n > 0 {
			s := c * coverValue(k)
			variance := max(1, s*s+f*f)
			sum += n*math.Log(variance) + t.square[k]/variance
		}
	}
	return sum
}

// share of the pixels whose error lies within z calibrated deviations.
func (t *spreadTable) share(c, f, z float64) float64 {
	in, all := 0.0, 0.0
	for k := range t.n {
		s := c * coverValue(k)
		limit := z * math.Sqrt(s*s+f*f)
		for e, n := range t.n[k] {
			all += n
			if coverValue(e) <= limit {
				in += n
			}
		}
	}
	return in / math.Max(all, 1)
}

// write prints the calibration and the coverage of 90 % intervals by patient.
func (v *coverage) write(w io.Writer) {
	c, f := v.fit()
	fmt.Fprintf(w, "\nspread of samples s, error of their mean: sd^2 = (%.2f s)^2 + (%.0f HU)^2, fitted on these slices, inside the body\n\n| patient | covered by 90 %% | without calibration |\n|---|---|---|\n", c, f)
	var names []string
	for p := range v.patients {
		names = append(names, p)
	}
	sort.Strings(names)
	for _, p := range names {
		t := v.patients[p]
		fmt.Fprintf(w, "| %s | %.1f %% | %.1f %% |\n", p, 100*t.share(c, f, z90), 100*t.share(1, 0, z90))
	}
}
