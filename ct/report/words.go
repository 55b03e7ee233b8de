package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// sentences say in plain words what the numbers say.
func (r *Report) sentences() []string {
	if len(r.Methods) == 0 {
		return []string{"No method gave a result."}
	}
	out := []string{r.scope()}
	best := &r.Methods[r.ranking()[0]]
	switch {
	case best.Summary.PSNR != nil:
		out = append(out, r.bestByReference(best)...)
	case best.Summary.Chi2 != nil:
		out = append(out, r.bestByMisfit(best)...)
	default:
		out = append(out, "There is neither a reference nor a known noise level: nothing here ranks the methods.")
	}
	return out
}

func (r *Report) scope() string {
	n := len(r.indices())
	if r.Geometry.Views == 0 {
		return fmt.Sprintf("%s of %d series, compared as they are.", plural(n, "slice"), len(r.Methods))
	}
	made := "measured"
	if r.Input.Simulated {
		made = "simulated"
	}
	noise := "unknown noise"
	switch {
	case r.Noise.Photons != nil:
		noise = fmt.Sprintf("%s photons a bin (%s)", digits(*r.Noise.Photons, 4), r.Noise.Source)
	case r.Noise.SigmaNepers != nil:
		noise = fmt.Sprintf("noise of %s nepers a datum (%s)", digits(*r.Noise.SigmaNepers, 3), r.Noise.Source)
	}
	return fmt.Sprintf("%s from %s over %s degrees, %s data, %s; %s.", plural(n, "slice"), plural(r.Geometry.Views, "view"),
		digits(r.Geometry.ArcDegrees, 4), made, noise, plural(len(r.Methods), "method"))
}

func (r *Report) bestByReference(best *Method) []string {
	s := best.Summary
	out := []string{fmt.Sprintf("Against the reference, %s comes closest: PSNR %s dB%s.", best.Label, digits(s.PSNR.Mean, 3), meanOver(s.PSNR))}
	if s.RMSEHU != nil {
		out[0] = fmt.Sprintf("Against the reference, %s comes closest: PSNR %s dB, error %s HU (RMSE inside the body)%s.",
			best.Label, digits(s.PSNR.Mean, 3), digits(s.RMSEHU.Mean, 3), meanOver(s.PSNR))
	}
	if c := r.against(best.Name); c != nil && c.PSNR != nil {
		out = append(out, fmt.Sprintf("That is %s dB %s %s%s.", digits(math.Abs(c.PSNR.Mean), 2), aboveBelow(c.PSNR.Mean),
			r.label(c.Baseline), interval(c.PSNR, "dB")))
	}
	if tie := r.tiedWith(best); tie != "" {
		out = append(out, fmt.Sprintf("Its lead over %s is within the slice-to-slice variation.", tie))
	}
	out = append(out, worstOf(r, best, s.PSNR, "PSNR", "dB"))
	return append(out, misfitOf(best)...)
}

func (r *Report) bestByMisfit(best *Method) []string {
	s := best.Summary.Chi2
	out := []string{
		"There is no reference image: how far a method is from the truth cannot be told.",
		fmt.Sprintf("The misfit of %s to the data is nearest to what the noise allows: chi-square per datum %s%s, where 1 is expected.",
			best.Label, digits(s.Mean, 3), meanOver(s)),
	}
	return append(out, worstOf(r, best, s, "chi-square", ""),
		"A good misfit does not make an image right: what the data did not measure is filled by the method.")
}

func misfitOf(m *Method) []string {
	s := m.Summary.Chi2
	switch {
	case s == nil:
		return nil
	case s.Mean > 1.5:
		return []string{fmt.Sprintf("It does not explain the data fully: chi-square per datum %s, where 1 is expected.", digits(s.Mean, 3))}
	case s.Mean < .5:
		return []string{fmt.Sprintf("It follows the data more closely than their noise allows: chi-square per datum %s, where 1 is expected.", digits(s.Mean, 3))}
	}
	return []string{fmt.Sprintf("It agrees with the data within their noise: chi-square per datum %s, where 1 is expected.", digits(s.Mean, 3))}
}

func worstOf(r *Report, m *Method, s *Stat, what, unit string) string {
	if s.N < 2 {
		return "One slice says nothing about others."
	}
	if unit != "" {
		unit = " " + unit
	}
	return fmt.Sprintf("Its worst slice is %s (%s %s%s).", m.sliceLabel(s.WorstSlice), what, digits(s.Worst, 3), unit)
}

func (m *Method) sliceLabel(index int) string {
	for _, s := range m.Slices {
		if s.Index == index && s.Label != "" {
			return s.Label
		}
	}
	return strconv.Itoa(index)
}

func meanOver(s *Stat) string {
	if s.N < 2 {
		return ""
	}
	return fmt.Sprintf(", mean over %d slices", s.N)
}

func interval(d *Diff, unit string) string {
	if d.Interval95 == nil {
		return ""
	}
	return fmt.Sprintf(" (95 %% interval %s to %s %s)", digits(d.Interval95[0], 2), digits(d.Interval95[1], 2), unit)
}

func aboveBelow(v float64) string {
	if v < 0 {
		return "below"
	}
	return "above"
}

func (r *Report) against(method string) *Comparison {
	for i := range r.Comparison {
		if r.Comparison[i].Method == method {
			return &r.Comparison[i]
		}
	}
	return nil
}

func (r *Report) label(name string) string {
	for _, m := range r.Methods {
		if m.Name == name {
			return m.Label
		}
	}
	return name
}

// tiedWith names the methods whose paired PSNR difference to best cannot be
// told from zero.
func (r *Report) tiedWith(best *Method) string {
	var tied []string
	for i := range r.Methods {
		m := &r.Methods[i]
		if m == best {
			continue
		}
		if d := diffOf(best, m, psnr); d != nil && d.Interval95 != nil && d.Interval95[0] <= 0 {
			tied = append(tied, m.Label)
		}
	}
	return strings.Join(tied, " and ")
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return strconv.Itoa(n) + " " + word + "s"
}

// digits writes v with n significant digits, without an exponent where a person
// would not write one.
func digits(v float64, n int) string {
	if v == 0 {
		return "0"
	}
	a := math.Abs(v)
	if a >= 1e7 || a < 1e-4 {
		return minus(strconv.FormatFloat(v, 'g', n, 64))
	}
	return minus(strconv.FormatFloat(v, 'f', max(0, n-1-int(math.Floor(math.Log10(a)))), 64))
}

// minus uses the sign that typography has for negative numbers.
func minus(s string) string { return strings.ReplaceAll(s, "-", "−") }

// shellLine joins arguments so that a POSIX shell splits them the same way.
func shellLine(args []string) string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = a
		if a == "" || strings.ContainsFunc(a, needsQuote) {
			out[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
	}
	return strings.Join(out, " ")
}

func needsQuote(c rune) bool {
	return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_./,:=@%+", c))
}
