package report

import (
	"math"
	"sort"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Finish completes r: Schema, Notice, the summary of each method and the
// comparison with the baseline. Values that JSON cannot hold are left out, nil
// lists become empty ones. Call it once all slices are in; a second call gives
// the same report.
func (r *Report) Finish() {
	r.Schema, r.Notice = SchemaID, ResearchUse
	if r.Warnings == nil {
		r.Warnings = []string{}
	}
	if r.Geometry.Angles == nil {
		r.Geometry.Angles = []float64{}
	}
	for i := range r.Methods {
		r.finishMethod(&r.Methods[i])
	}
	r.Comparison = []Comparison{}
	base := r.baseline()
	for i := range r.Methods {
		if i != base {
			r.Comparison = append(r.Comparison, compare(&r.Methods[i], &r.Methods[base]))
		}
	}
}

func (r *Report) finishMethod(m *Method) {
	if m.Settings == nil {
		m.Settings = []Setting{}
	}
	if m.Warnings == nil {
		m.Warnings = []string{}
	}
	if m.Slices == nil {
		m.Slices = []Slice{}
	}
	if m.Label == "" {
		m.Label = m.Name
	}
	sort.SliceStable(m.Slices, func(i, j int) bool { return m.Slices[i].Index < m.Slices[j].Index })
	for i := range m.Slices {
		m.Slices[i].clean()
	}
	m.Summary = Summary{
		PSNR: statOf(m.values(psnr), psnr.better), SSIM: statOf(m.values(ssim), ssim.better),
		RMSEHU: statOf(m.values(rmse), rmse.better), Chi2: statOf(m.values(chi2), chi2.better),
		Seconds: statOf(m.values(seconds), seconds.better),
	}
	for _, x := range r.Measures {
		f := field{better: x.Better, of: func(s *Slice) *float64 { return extra(s, x.Name) }}
		if st := statOf(m.values(f), f.better); st != nil {
			if m.Summary.Extra == nil {
				m.Summary.Extra = map[string]*Stat{}
			}
			m.Summary.Extra[x.Name] = st
		}
	}
}

// clean rounds and drops what JSON cannot hold.
func (s *Slice) clean() {
	for _, p := range []**float64{&s.Metrics.PSNR, &s.Metrics.SSIM, &s.Metrics.RMSEHU, &s.Metrics.Chi2} {
		if *p != nil {
			*p = Number(**p)
		}
	}
	for k, v := range s.Extra {
		if n := Number(v); n != nil {
			s.Extra[k] = *n
		} else {
			delete(s.Extra, k)
		}
	}
	if math.IsNaN(s.Seconds) || math.IsInf(s.Seconds, 0) {
		s.Seconds = 0
	}
	s.Seconds = round(s.Seconds)
}

// baseline is the place of the method that others are compared with: FBP, or
// the first.
func (r *Report) baseline() int {
	for i, m := range r.Methods {
		if m.Name == "fbp" {
			return i
		}
	}
	return 0
}

// field is a number of a slice and the side on which it is good: "higher",
// "lower", "one" (nearest to 1), "" (neither).
type field struct {
	better string
	of     func(*Slice) *float64
}

var (
	psnr    = field{"higher", func(s *Slice) *float64 { return s.Metrics.PSNR }}
	ssim    = field{"higher", func(s *Slice) *float64 { return s.Metrics.SSIM }}
	rmse    = field{"lower", func(s *Slice) *float64 { return s.Metrics.RMSEHU }}
	chi2    = field{"one", func(s *Slice) *float64 { return s.Metrics.Chi2 }}
	seconds = field{"lower", func(s *Slice) *float64 { return &s.Seconds }}
)

func extra(s *Slice, name string) *float64 {
	if v, ok := s.Extra[name]; ok {
		return &v
	}
	return nil
}

type value struct {
	slice int
	v     float64
}

// values are the numbers of one field over the slices that have it.
func (m *Method) values(f field) []value {
	var out []value
	for i := range m.Slices {
		if p := f.of(&m.Slices[i]); p != nil {
			out = append(out, value{m.Slices[i].Index, *p})
		}
	}
	return out
}

// badness orders values: larger is worse.
func badness(v float64, better string) float64 {
	switch better {
	case "higher":
		return -v
	case "one":
		return math.Abs(v - 1)
	}
	return v
}

func statOf(vs []value, better string) *Stat {
	if len(vs) == 0 {
		return nil
	}
	x := make([]float64, len(vs))
	worst := vs[0]
	for i, v := range vs {
		x[i] = v.v
		if badness(v.v, better) > badness(worst.v, better) {
			worst = v
		}
	}
	s := &Stat{N: len(vs), Worst: round(worst.v), WorstSlice: worst.slice}
	if len(x) == 1 {
		s.Mean = round(x[0])
		return s
	}
	mean, sd := stat.MeanStdDev(x, nil)
	s.Mean, s.SD = round(mean), Number(sd)
	return s
}

func compare(m, base *Method) Comparison {
	return Comparison{
		Method: m.Name, Baseline: base.Name,
		PSNR: diffOf(m, base, psnr), SSIM: diffOf(m, base, ssim), RMSEHU: diffOf(m, base, rmse),
		Chi2: diffOf(m, base, chi2), Seconds: diffOf(m, base, seconds),
	}
}

// diffOf pairs two methods by slice. The worst slice of a misfit is where the
// method moves furthest above the baseline.
func diffOf(m, base *Method, f field) *Diff {
	other := map[int]float64{}
	for _, v := range base.values(f) {
		other[v.slice] = v.v
	}
	var d []value
	for _, v := range m.values(f) {
		if b, ok := other[v.slice]; ok {
			d = append(d, value{v.slice, v.v - b})
		}
	}
	better := f.better
	if better == "one" {
		better = "lower"
	}
	st := statOf(d, better)
	if st == nil {
		return nil
	}
	return &Diff{Stat: *st, Interval95: interval95(st)}
}

// interval95 is Student's interval of a mean of n independent values.
func interval95(s *Stat) *[2]float64 {
	if s.SD == nil {
		return nil
	}
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(s.N - 1)}.Quantile(.975)
	h := t * *s.SD / math.Sqrt(float64(s.N))
	return &[2]float64{round(s.Mean - h), round(s.Mean + h)}
}
