package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"os"
	"slices"
	"strings"

	"ctrecon/ct/report"
	"ctrecon/dicomio"
	"ctrecon/dicomio/codec"
)

const (
	objectsDir = "objects"
	reportPDF  = "report.pdf"
)

// alsoKinds are the values of --also.
var alsoKinds = []string{"enhanced", "map", "sc", "pdf", "sr"}

// Series numbers of the objects beside the methods, whose series count from 1.
const (
	numberEnhanced = 101
	numberMap      = 201
	numberMontage  = 202
	numberReport   = 203
	numberMeasured = 204
)

// list reads a comma-separated flag whose values are known.
func list(name, text string, known []string) ([]string, error) {
	var out []string
	for _, v := range strings.Split(text, ",") {
		if v = strings.TrimSpace(v); v == "" || slices.Contains(out, v) {
			continue
		}
		if !slices.Contains(known, v) {
			return nil, usagef("--%s %s: there is %s", name, v, strings.Join(known, ", "))
		}
		out = append(out, v)
	}
	return out, nil
}

// alsoList reads --also.
func alsoList(text string) ([]string, error) {
	if text == "all" {
		return alsoKinds, nil
	}
	return list("also", text, alsoKinds)
}

// compression reads --compress.
func compression(name string) (string, error) {
	switch name {
	case "", "none":
		return "", nil
	case "rle":
		return codec.RLE, nil
	case "jpegls":
		return codec.JPEGLS, nil
	}
	return "", usagef("--compress %s: there is rle, jpegls, none", name)
}

func (j *job) wants(kind string) bool { return slices.Contains(j.also, kind) }

// writeObjects writes what --also asks for; report and montage were written before.
func (j *job) writeObjects(ctx context.Context, r *report.Report) error {
	if len(j.also) == 0 {
		return nil
	}
	if err := os.Mkdir(j.out.path(objectsDir), 0o755); err != nil {
		return outputErr(err)
	}
	err := j.writeVolumes(ctx)
	if err == nil {
		err = j.writeDocuments(ctx, r)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return outputErr(err)
}

// writeVolumes writes the multi-frame objects.
func (j *job) writeVolumes(ctx context.Context) error {
	if j.wants("enhanced") {
		for k, name := range j.methods {
			d := j.derived(ctx, k)
			d.Method += " multi-frame"
			d.Number = numberEnhanced + k
			if _, err := dicomio.WriteEnhanced(j.out.path(objectsDir, name+".dcm"), d); err != nil {
				return err
			}
		}
	}
	if d, ok := j.uncertainty(ctx); ok && j.wants("map") {
		d.Number = numberMap
		return dicomio.WriteMap(j.out.path(objectsDir, uncertaintyDir+".dcm"), d)
	}
	return nil
}

// writeDocuments writes what shows or says something of the whole job.
func (j *job) writeDocuments(ctx context.Context, r *report.Report) error {
	var montage image.Image
	if j.wants("sc") || j.wants("pdf") {
		var err error
		if montage, err = readImage(j.out.path(montageFile)); err != nil {
			return err
		}
	}
	if j.wants("sc") {
		if err := dicomio.WriteCapture(j.out.path(objectsDir, "montage.dcm"), j.document(ctx, "montage", numberMontage), montage); err != nil {
			return err
		}
	}
	if j.wants("pdf") {
		var b bytes.Buffer
		if err := report.WritePDF(&b, r, montage); err != nil {
			return err
		}
		if err := os.WriteFile(j.out.path(reportPDF), b.Bytes(), 0o644); err != nil {
			return err
		}
		if err := dicomio.WritePDF(j.out.path(objectsDir, "report.dcm"), j.document(ctx, "report", numberReport), b.Bytes()); err != nil {
			return err
		}
	}
	if j.wants("sr") {
		return dicomio.WriteMeasurements(j.out.path(objectsDir, "measurements.dcm"), j.document(ctx, "measurements", numberMeasured), j.measured(ctx, r))
	}
	return nil
}

func readImage(name string) (image.Image, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return png.Decode(f)
}

// document describes an object about all methods.
func (j *job) document(ctx context.Context, name string, number int) dicomio.Derived {
	d := j.derived(ctx, 0)
	var all []string
	for _, m := range j.results {
		all = append(all, j.config(m))
	}
	d.Method, d.Number, d.Config = name, number, name+strings.Join(all, "\n")
	d.Description = fmt.Sprintf("Comparison of %s from %d views.", strings.Join(j.methods, ", "), j.st.geometry.Views())
	return d
}

// measured are the numbers of the report by series. Times are not among them: they
// differ between two runs of a job, whose objects have the same UIDs.
func (j *job) measured(ctx context.Context, r *report.Report) []dicomio.Measured {
	var out []dicomio.Measured
	for k, m := range r.Methods {
		d := j.derived(ctx, k)
		g := dicomio.Measured{Series: &d, Parameters: d.Description}
		add := func(c, unit dicomio.Code, s *report.Stat) {
			if s != nil {
				g.Measurements = append(g.Measurements, dicomio.Measurement{Concept: c, Unit: unit, Value: s.Mean, Mean: s.N > 1, SD: s.SD})
			}
		}
		add(dicomio.ConceptPSNR, dicomio.UnitDB, m.Summary.PSNR)
		add(dicomio.ConceptSSIM, dicomio.UnitNone, m.Summary.SSIM)
		add(dicomio.ConceptRMSE, dicomio.UnitHU, m.Summary.RMSEHU)
		add(dicomio.ConceptChi2, dicomio.UnitNone, m.Summary.Chi2)
		if v := r.Noise.SigmaNepers; v != nil {
			add(dicomio.ConceptSigma, dicomio.UnitNeper, &report.Stat{Mean: *v, N: 1})
		}
		if v := r.Noise.Photons; v != nil {
			add(dicomio.ConceptPhotons, dicomio.UnitPhoton, &report.Stat{Mean: *v, N: 1})
		}
		add(dicomio.ConceptViews, dicomio.UnitViews, &report.Stat{Mean: float64(r.Geometry.Views), N: 1})
		out = append(out, g)
	}
	return out
}
