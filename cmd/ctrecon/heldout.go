package main

import (
	"context"
	"fmt"

	"ctrecon/ct/recon"
	"ctrecon/ct/report"
)

// leastViews is what must be left of a measurement when views are held out.
const leastViews = 4

// checkViews is the number of views to hold out.
func (j *job) checkViews() (int, error) {
	n := j.c.Int("check-views")
	if !j.c.IsSet("check-views") && needsModel(j.methods) {
		n = 2
	}
	if n < 0 {
		return 0, usagef("--check-views %d: 0 or more", n)
	}
	if left := j.st.geometry.Views() - n; n > 0 && left < leastViews {
		if j.c.IsSet("check-views") {
			return 0, usagef("--check-views %d leaves %d views of %d: %d at least are needed", n, left, left+n, leastViews)
		}
		return 0, nil
	}
	return n, nil
}

// holdOut keeps a few views of the middle slice from every method and compares
// them with what the methods predict.
func (j *job) holdOut(ctx context.Context) error {
	n, err := j.checkViews()
	if err != nil || n == 0 {
		return err
	}
	i := len(j.st.pick) / 2
	s, err := j.st.measure(i)
	if err != nil {
		return err
	}
	bar := newMeter(j.c.App.ErrWriter, "held-out views", len(j.methods), j.c.Bool("quiet"))
	defer bar.end()
	for k, name := range j.methods {
		o := j.options
		o.Threads = cores() // one slice, nothing beside it
		m, err := recon.New(name, o)
		if err != nil {
			return err
		}
		list, err := recon.HoldOut(ctx, m, s, recon.HeldOutViews(s.Sino.Views(), n))
		if err != nil {
			return jobErr(fmt.Errorf("held-out views, %s: %w", name, err))
		}
		for _, h := range list {
			j.results[k].Slices[i].HeldOut = append(j.results[k].Slices[i].HeldOut, report.HeldOutView{View: h.View, Angle: h.Angle, ZMean: h.ZMean, ZSD: h.ZSD, RMS: h.RMS, Bins: h.Bins})
		}
		bar.step(name)
	}
	return nil
}
