package recon

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"ctrecon/ldm"
)

// tuned are the options of resample, and the step sizes of latent-dps and psld, that
// can be set by name, for ablations.
func tuned(o *ldm.Options, dps *ldm.LatentDPSOptions, psld *ldm.PSLDOptions) map[string]any {
	return map[string]any{
		"start": &o.Start, "end": &o.End, "perturb": &o.Perturb, "eta": &o.Eta, "r2-scale": &o.R2Scale, "iters": &o.Iters, "tol": &o.Tol,
		"end-iters": &o.EndIters, "end-scale": &o.EndScale, "end-perturb": &o.EndPerturb, "end-chi2": &o.EndChi2, "end-tol": &o.EndTol, "plain-encoding": &o.Plain, "poses": &o.Poses,
		"dps-zeta": &dps.Zeta, "psld-omega": &psld.Omega, "psld-gamma": &psld.Gamma,
	}
}

// Tune sets options of resample from "name=value" texts; those of other samplers are
// checked only.
func Tune(o *ldm.Options, set []string) error {
	return tune(tuned(o, new(ldm.LatentDPSOptions), new(ldm.PSLDOptions)), set)
}

func tune(known map[string]any, set []string) error {
	for _, s := range set {
		name, value, _ := strings.Cut(s, "=")
		var err error
		switch p := known[name].(type) {
		case *float64:
			*p, err = strconv.ParseFloat(value, 64)
		case *int:
			*p, err = strconv.Atoi(value)
		case *bool:
			*p, err = strconv.ParseBool(value)
		default:
			var names []string
			for n := range known {
				names = append(names, n)
			}
			sort.Strings(names)
			return fmt.Errorf("%q: there is %s", s, strings.Join(names, ", "))
		}
		if err != nil {
			return fmt.Errorf("%q: %w", s, err)
		}
	}
	return nil
}
