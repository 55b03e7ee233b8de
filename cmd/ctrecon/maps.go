package main

import (
	"context"
	"fmt"
	"math"

	"ctrecon/ct/metrics"
	"ctrecon/ct/recon"
	"ctrecon/ct/report"
	"ctrecon/dicomio"
)

// Images that a method gives beside its reconstruction, in HU.
var mapInfos = []report.MapInfo{
	{Name: "sd", Label: "uncertainty", Unit: "HU", Scale: "positive", Note: "standard deviation of the error, foretold from how far the samples differ; where it is large the model guesses"},
	{Name: "prior", Label: "added by the model", Unit: "HU", Scale: "signed",
		Note: "the image minus what the measurement alone determines with less than 100 HU of noise"},
}

// measures describe the values of keepMaps.
var measures = []report.Measure{
	{Name: "sd", Label: "uncertainty in body", Unit: "HU", Better: "lower", Note: "root mean square of the foretold error"},
	{Name: "prior", Label: "added in body", Unit: "HU", Note: "root mean square of what the model added to the measurement"},
	{Name: "data_share", Label: "data share", Note: "part of the variance inside the body that the measurement determines"},
}

// keepMaps stores the maps of a result and gives their figures.
func (j *job) keepMaps(k, i int, r recon.Result, hu []float32) (map[string]float64, error) {
	extra := map[string]float64{}
	var body []bool
	for n, pix := range [][]float32{r.SD, r.Prior} {
		if pix == nil {
			continue
		}
		if body == nil {
			body = metrics.Body(hu, j.st.grid.W)
		}
		info := mapInfos[n]
		s, err := j.mapStore(k, info)
		if err != nil {
			return nil, err
		}
		scaled := make([]float32, len(pix))
		for q, v := range pix {
			scaled[q] = float32(1000 / j.st.muWater * float64(v))
		}
		if err := s.put(i, scaled); err != nil {
			return nil, err
		}
		square, variance := within(scaled, hu, body)
		extra[info.Name] = math.Sqrt(square)
		if info.Name == "prior" && variance > 0 {
			extra["data_share"] = max(0, 1-square/variance)
		}
	}
	return extra, nil
}

// within is the mean square of v, and the variance of hu, inside the mask.
func within(v, hu []float32, mask []bool) (square, variance float64) {
	n, sum, sumSquare := 0.0, 0.0, 0.0
	for i, in := range mask {
		if in {
			h := float64(hu[i])
			n, sum, sumSquare, square = n+1, sum+h, sumSquare+h*h, square+float64(v[i])*float64(v[i])
		}
	}
	return square / n, sumSquare/n - sum/n*sum/n
}

// mapStore is the store of a map of method k, made when first used.
func (j *job) mapStore(k int, info report.MapInfo) (*store, error) {
	name := j.methods[k] + "." + info.Name
	if s := j.maps[name]; s != nil {
		return s, nil
	}
	s, err := newStore(j.out.path("."+name+".f32"), j.st.grid.Len())
	if err != nil {
		return nil, err
	}
	j.maps[name] = s
	j.results[k].Maps = append(j.results[k].Maps, info)
	return s, nil
}

// readMaps gives a report the maps of method k.
func (j *job) readMaps(k, i int) (map[string][]float32, error) {
	out := map[string][]float32{}
	for _, info := range j.results[k].Maps {
		v := make([]float32, j.st.grid.Len())
		if err := j.maps[j.methods[k]+"."+info.Name].get(i, v); err != nil {
			return nil, err
		}
		out[info.Name] = v
	}
	return out, nil
}

// uncertainty describes the spread of the last method that has one.
func (j *job) uncertainty(ctx context.Context) (dicomio.Derived, bool) {
	for k := len(j.methods) - 1; k >= 0; k-- {
		s := j.maps[j.methods[k]+".sd"]
		if s == nil {
			continue
		}
		d := j.derived(ctx, k)
		d.Number, d.SD = len(j.methods)+1, true
		d.Method += " SD"
		d.Description = "Standard deviation of the error in HU, foretold from samples, not an image of the patient. " + d.Description
		d.Config = "sd " + d.Config
		d.Image = func(i int, dst []float32) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return s.get(i, dst)
		}
		return d, true
	}
	return dicomio.Derived{}, false
}

// writeUncertainty writes it as a series.
func (j *job) writeUncertainty(ctx context.Context) error {
	d, ok := j.uncertainty(ctx)
	if !ok {
		return nil
	}
	if _, err := dicomio.WriteSeries(j.out.path(uncertaintyDir), d); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return outputErr(fmt.Errorf("%s: %w", uncertaintyDir, err))
	}
	return nil
}
