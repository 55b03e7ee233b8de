package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"text/tabwriter"

	"ctrecon/ct"
	"ctrecon/ct/recon"
	"ctrecon/ct/report"
	"ctrecon/ct/solve"
)

// writeReport writes report.html, montage.png and report.json of a job.
func (j *job) writeReport(ctx context.Context, r *report.Report) error {
	return j.writePages(ctx, r, j.pictures())
}

// writePages writes the three files of a report.
func (j *job) writePages(ctx context.Context, r *report.Report, pics report.Pictures) error {
	f, err := os.OpenFile(j.out.path(reportHTML), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return outputErr(err)
	}
	defer f.Close()
	if err := report.WriteHTML(ctx, f, r, pics); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return outputErr(err)
	}
	if err := f.Sync(); err != nil {
		return outputErr(err)
	}
	if err := j.writeMontage(ctx, r, pics); err != nil {
		return err
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return outputErr(os.WriteFile(j.out.path(reportJSON), append(b, '\n'), 0o644))
}

func (j *job) writeMontage(ctx context.Context, r *report.Report, pics report.Pictures) error {
	f, err := os.OpenFile(j.out.path(montageFile), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return outputErr(err)
	}
	defer f.Close()
	if err := report.WriteMontage(ctx, f, r, pics); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return outputErr(err)
	}
	return outputErr(f.Sync())
}

// pictures gives the report the slices that it shows.
func (j *job) pictures() report.Pictures {
	var a solve.LinearOperator
	return func(i int) (report.Picture, error) {
		s, err := j.st.measure(i)
		if err != nil {
			return report.Picture{}, err
		}
		if a == nil {
			if a, err = recon.NewProjector(j.st.grid, s.Sino.Geometry, s.Fan); err != nil {
				return report.Picture{}, err
			}
		}
		p := report.Picture{Sinogram: s.Sino.Data}
		n := j.st.grid.Len()
		if j.st.truth != nil {
			p.Reference = make([]float32, n)
			if err := j.st.truth(i, p.Reference); err != nil {
				return p, err
			}
		}
		mu := make([]float32, n)
		for k := range j.methods {
			m := report.MethodPicture{HU: make([]float32, n), Residual: make([]float32, s.Sino.Len())}
			if err := j.stores[k].get(i, m.HU); err != nil {
				return p, err
			}
			for q, v := range m.HU {
				mu[q] = float32(j.st.muWater * (1 + float64(v)/1000))
			}
			a.Apply(m.Residual, mu)
			whitened(m.Residual, &s.Sino, j.st.noise)
			if m.Maps, err = j.readMaps(k, i); err != nil {
				return p, err
			}
			p.Methods = append(p.Methods, m)
		}
		return p, nil
	}
}

// whitened turns a projection into (A mu - y)/sigma; it is 0/0 = NaN where nothing
// was measured.
func whitened(r []float32, s *ct.Sinogram, noise ct.Noise) {
	for i := range r {
		sd := float32(noise.Sigma)
		if s.Sigma != nil {
			sd = s.Sigma[i]
		}
		if s.Dead(i) {
			r[i] = float32(math.NaN())
			continue
		}
		r[i] = (r[i] - s.Data[i]) / sd
	}
}

// print ends a job on standard output: the numbers, and where they lie.
func (j *job) print(r *report.Report) error {
	return j.printReport(r, fmt.Sprintf("%d slice(s), %d views", len(j.st.pick), j.st.geometry.Views()))
}

// printReport prints a table, and what was done.
func (j *job) printReport(r *report.Report, what string) error {
	w := j.c.App.Writer
	if j.c.Bool("json") {
		b, err := os.ReadFile(j.out.final + "/" + reportJSON)
		if err != nil {
			return outputErr(err)
		}
		_, err = w.Write(b)
		return outputErr(err)
	}
	if j.c.Bool("quiet") {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "method\tPSNR dB\tSSIM\tRMSE HU\tchi2\ts a slice")
	for _, m := range r.Methods {
		s := m.Summary
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", m.Label, mean(s.PSNR, "%.2f"), mean(s.SSIM, "%.3f"), mean(s.RMSEHU, "%.1f"), mean(s.Chi2, "%.2f"), mean(s.Seconds, "%.3f"))
	}
	if err := t.Flush(); err != nil {
		return outputErr(err)
	}
	_, err := fmt.Fprintf(w, "%s; %s/report.html compares them. %s\n", what, j.out.final, researchUse)
	return outputErr(err)
}

func mean(s *report.Stat, format string) string {
	if s == nil {
		return "-"
	}
	return fmt.Sprintf(format, s.Mean)
}
