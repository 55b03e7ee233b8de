package main

import (
	"context"
	"os"
	"path"
	"sort"
	"strings"

	"ctrecon/ct"
	"ctrecon/ct/metrics"
	"ctrecon/ct/report"
)

// worstShown is the number of slices on the montage of evaluate.
const worstShown = 3

// worstList keeps the slices on which the last method is worst.
type worstList struct {
	slices []worstSlice
}

type worstSlice struct {
	file  string
	psnr  float64
	pixel float64
	width int
	truth []float32
	hu    [][]float32 // a method each
}

// add keeps s when it is among the worst of its size.
func (w *worstList) add(s worstSlice) {
	if len(w.slices) > 0 && len(w.slices[0].truth) != len(s.truth) {
		return
	}
	w.slices = append(w.slices, s)
	sort.SliceStable(w.slices, func(a, b int) bool { return w.slices[a].psnr < w.slices[b].psnr })
	w.slices = w.slices[:min(len(w.slices), worstShown)]
}

// write draws them, with differences to the truth.
func (w *worstList) write(ctx context.Context, name string, methods []string, views int) error {
	if len(w.slices) == 0 {
		return usagef("--worst %s: no slice was reconstructed in this run", name)
	}
	first := w.slices[0]
	grid := ct.Grid{W: first.width, H: len(first.truth) / first.width, DX: first.pixel, DY: first.pixel}
	r := &report.Report{Input: report.Input{Name: "worst slices of " + methods[len(methods)-1]}, Geometry: report.GeometryOf(ct.Uniform(views, 1, 1), grid, ct.MuWater)}
	for k, m := range methods {
		method := report.Method{Name: m, Label: m}
		for i, s := range w.slices {
			method.Slices = append(method.Slices, report.Slice{Index: i, Label: strings.TrimSuffix(path.Base(s.file), ".png"), Metrics: report.Metrics{PSNR: report.Number(metrics.PSNR(s.hu[k], s.truth))}})
		}
		r.Methods = append(r.Methods, method)
	}
	r.Finish()
	f, err := os.Create(name)
	if err != nil {
		return outputErr(err)
	}
	defer f.Close()
	err = report.WriteMontage(ctx, f, r, func(i int) (report.Picture, error) {
		p := report.Picture{Reference: w.slices[i].truth}
		for _, hu := range w.slices[i].hu {
			p.Methods = append(p.Methods, report.MethodPicture{HU: hu})
		}
		return p, nil
	})
	if err == nil {
		err = f.Sync()
	}
	return outputErr(err)
}
