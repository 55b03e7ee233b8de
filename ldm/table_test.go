package ldm

import (
	"math"
	"testing"
)

// TestPrintedTable: the rows of the design in the exact table of its derivation,
// as printed there (four figures after the point, chi-square to four figures).
func TestPrintedTable(t *testing.T) {
	modes, radon := modesToy(), radonToy()
	tests := []struct {
		name         string
		row          design
		modes, radon ratios
	}{
		{"mean only", rowOf(func(d *design) { d.Perturb, d.where = 0, pixel }), ratios{1.0128, 1.4685, 0.4557, 0.6682}, ratios{1.0012, 1.4407, 0.4395, 0.7841}},
		{"perturbed, pixel", rowOf(func(d *design) { d.where = pixel }), ratios{1.0128, 1.8728, 0.8600, 1.017}, ratios{1.0012, 2.0595, 1.0582, 1.018}},
		{"perturbed, latent", rowOf(nil), ratios{1.0128, 1.8728, 0.8600, 1.017}, ratios{1.0000, 2.0548, 1.0548, 1.000}},
		{"perturbed, by mode", rowOf(func(d *design) { d.byMode = true }), ratios{1.0000, 2.0000, 1.0000, 1.000}, ratios{1.0000, 2.0000, 1.0000, 1.000}},
	}
	for _, tt := range tests {
		for _, x := range []struct {
			toy       string
			got, want ratios
		}{{"modes", modes.ratios(modes.recursion(tt.row)), tt.modes}, {"radon", radon.ratios(radon.recursion(tt.row)), tt.radon}} {
			name := tt.name + ", " + x.toy
			printed(t, name+": error", x.got.err, x.want.err, 4)
			printed(t, name+": single", x.got.single, x.want.single, 4)
			printed(t, name+": spread", x.got.spread, x.want.spread, 4)
			digits := 4
			if x.want.chi2 >= 1 {
				digits = 3
			}
			printed(t, name+": chi2", x.got.chi2, x.want.chi2, digits)
		}
	}
}

// TestPrintedSweeps: start, end, number of levels, perturbation, as printed in the
// design's list of choices. 0: not printed.
func TestPrintedSweeps(t *testing.T) {
	modes, radon := modesToy(), radonToy()
	start := func(l float64) design { return rowOf(func(d *design) { d.Start = l }) }
	steps := func(n int) design { return rowOf(func(d *design) { d.Steps = n }) }
	tests := []struct {
		name               string
		row                design
		err, spread, radon float64 // toy 1 error and spread, toy 2 spread
		errDigits          int
	}{
		{"start -4", start(-4), 1.026, 0.19, 0, 3},
		{"start -2", start(-2), 1.018, 0.50, 0, 3},
		{"start 0", start(0), 1.012, 0.84, 0, 3},
		{"start 2", start(2), 1.013, 0.86, 0, 3},
		{"end -4", rowOf(func(d *design) { d.End = -4 }), 1.011, 0.88, 0, 3},
		{"end -8", rowOf(nil), 1.013, 0.86, 0, 3},
		{"5 levels", steps(5), 1.022, 0, 1.46, 3},
		{"10 levels", steps(10), 1.017, 0, 1.15, 3},
		{"20 levels", steps(20), 1.013, 0, 1.05, 3},
		{"40 levels", steps(40), 1.009, 0, 1.02, 3},
		{"no perturbation", rowOf(func(d *design) { d.Perturb = 0 }), 0, 0.46, 0.44, 0},
	}
	for _, tt := range tests {
		m, r := modes.ratios(modes.recursion(tt.row)), radon.ratios(radon.recursion(tt.row))
		for _, x := range []struct {
			name      string
			got, want float64
			digits    int
		}{{"error", m.err, tt.err, tt.errDigits}, {"spread", m.spread, tt.spread, 2}, {"spread of toy 2", r.spread, tt.radon, 2}} {
			if x.want > 0 {
				printed(t, tt.name+": "+x.name, x.got, x.want, x.digits)
			}
		}
	}
}

// printed wants a number that rounds to want at the given number of decimals.
func printed(t *testing.T, what string, got, want float64, decimals int) {
	t.Helper()
	if !(math.Abs(got-want) <= 0.5000001*math.Pow(10, -float64(decimals))) {
		t.Errorf("%s: %.8f does not round to %.*f", what, got, decimals, want)
	}
}

// reference are ratios to ten figures. They were computed once by the design's
// Python reference (its own recursion, toy.default; numpy 2.4.6), which shares no
// code with this one. Left is toy 1, right toy 2.
var reference = []struct {
	name         string
	row          design
	modes, radon ratios
}{
	{"pixel", rowOf(func(d *design) { d.where = pixel }), ratios{1.012807139, 1.872830972, 0.8600238327, 1.017300067}, ratios{1.001244644, 2.059480103, 1.058235459, 1.018338181}},
	{"pixel, 5 levels", rowOf(func(d *design) { d.where, d.Steps = pixel, 5 }), ratios{1.022147971, 1.810075453, 0.7879274821, 1.003424076}, ratios{1.004307893, 2.47389148, 1.469583587, 1.048506319}},
	{"pixel, p 0", rowOf(func(d *design) { d.where, d.Perturb = pixel, 0 }), ratios{1.012807139, 1.468466062, 0.4556589225, 0.6681954186}, ratios{1.001244644, 1.440701629, 0.4394569848, 0.7840965089}},
	{"5 levels", rowOf(func(d *design) { d.Steps = 5 }), ratios{1.022147971, 1.810075453, 0.7879274821, 1.003424076}, ratios{1.00000038, 2.461296047, 1.461295667, 0.9998806811}},
	{"10 levels", rowOf(func(d *design) { d.Steps = 10 }), ratios{1.017119675, 1.841134685, 0.82401501, 1.014327024}, ratios{1.000000029, 2.14752506, 1.147525031, 0.9999433226}},
	{"20 levels", rowOf(nil), ratios{1.012807139, 1.872830972, 0.8600238327, 1.017300067}, ratios{1.000000005, 2.054836969, 1.054836964, 0.9999666368}},
	{"40 levels", rowOf(func(d *design) { d.Steps = 40 }), ratios{1.008862708, 1.901155887, 0.8922931796, 1.015987296}, ratios{1.000000002, 2.022798453, 1.022798451, 0.9999775477}},
	{"start -4", rowOf(func(d *design) { d.Start = -4 }), ratios{1.0260294, 1.216318411, 0.1902890109, 0.9701207403}, ratios{1.000000002, 1.661426674, 0.6614266724, 0.9999794396}},
	{"start -2", rowOf(func(d *design) { d.Start = -2 }), ratios{1.01795054, 1.522442306, 0.5044917661, 1.004890133}, ratios{1.000000002, 2.017681995, 1.017681993, 0.9999751186}},
	{"start 0", rowOf(func(d *design) { d.Start = 0 }), ratios{1.012420807, 1.848905814, 0.8364850074, 1.016827853}, ratios{1.000000004, 2.041446444, 1.041446441, 0.9999708566}},
	{"start 4", rowOf(func(d *design) { d.Start = 4 }), ratios{1.013844746, 1.8652689, 0.8514241537, 1.017090557}, ratios{1.000000008, 2.069296374, 1.069296366, 0.999962444}},
	{"end -4", rowOf(func(d *design) { d.End = -4 }), ratios{1.010671419, 1.890574146, 0.8799027277, 1.016606962}, ratios{1.000001051, 2.045278048, 1.045276997, 0.9998212257}},
	{"end -7", rowOf(func(d *design) { d.End = -7 }), ratios{1.012227902, 1.87710452, 0.864876618, 1.017274516}, ratios{1.00000001, 2.048499904, 1.048499894, 0.9999468002}},
	{"eta 0.85", rowOf(func(d *design) { d.Eta = 0.85 }), ratios{1.016135093, 1.939136561, 0.9230014672, 1.022466241}, ratios{1.000000028, 2.060952048, 1.06095202, 0.9998986919}},
	{"eta 0.5", rowOf(func(d *design) { d.Eta = 0.5 }), ratios{1.020247022, 1.942547628, 0.9223006066, 1.020385903}, ratios{1.000000369, 2.066704539, 1.06670417, 0.9996568535}},
	{"eta 0", rowOf(func(d *design) { d.Eta = 0 }), ratios{1.023413581, 1.88193826, 0.8585246789, 1.011928686}, ratios{1.000001679, 2.048650468, 1.048648789, 0.9991302452}},
	{"p 0", rowOf(func(d *design) { d.Perturb = 0 }), ratios{1.012807139, 1.468466062, 0.4556589225, 0.6681954186}, ratios{1.000000005, 1.437663181, 0.4376631753, 0.7718611146}},
	{"p 0, eta 0.85", rowOf(func(d *design) { d.Perturb, d.Eta = 0, 0.85 }), ratios{1.016135093, 1.710553042, 0.6944179483, 0.8032985313}, ratios{1.000000028, 1.664068582, 0.6640685538, 0.8093195567}},
	{"p 0, eta 0", rowOf(func(d *design) { d.Perturb, d.Eta = 0, 0 }), ratios{1.023413581, 1.8050467, 0.7816331183, 0.9042028037}, ratios{1.000001679, 1.845731941, 0.8457302622, 0.836026024}},
}

// TestRecursion holds this recursion to the reference's, to 1e-6.
func TestRecursion(t *testing.T) {
	modes, radon := modesToy(), radonToy()
	for _, tt := range reference {
		for _, x := range []struct {
			toy       string
			got, want ratios
		}{{"modes", modes.ratios(modes.recursion(tt.row)), tt.modes}, {"radon", radon.ratios(radon.recursion(tt.row)), tt.radon}} {
			name := tt.name + ", " + x.toy
			near(t, name+": error", x.got.err, x.want.err, 1e-6)
			near(t, name+": single", x.got.single, x.want.single, 1e-6)
			near(t, name+": spread", x.got.spread, x.want.spread, 1e-6)
			near(t, name+": chi2", x.got.chi2, x.want.chi2, 1e-6)
		}
	}
}
