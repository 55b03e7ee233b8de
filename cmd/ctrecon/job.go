package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"ctrecon/ct"
	"ctrecon/ct/metrics"
	"ctrecon/ct/recon"
	"ctrecon/ct/report"
	"ctrecon/dicomio"
	"ctrecon/dicomio/sinofile"
	"ctrecon/radon"
)

func cores() int { return runtime.GOMAXPROCS(0) }

// job is one reconstruction on its way into a folder.
type job struct {
	c       *cli.Context
	st      *study
	methods []string
	out     *outDir
	stores  []*store
	maps    map[string]*store // by method.map
	options recon.Options
	model   *report.Model
	results []report.Method
	start   time.Time // of the job, for what it writes
	clock   time.Time // when this process began
	also    []string  // objects beside the series
	packing string    // transfer syntax of their pixels
}

// runJob reconstructs the study by the methods and writes the result folder.
func runJob(ctx context.Context, c *cli.Context, st *study, methods []string) error {
	options, model, err := modelOptions(c, methods)
	if err != nil {
		return err
	}
	also, err := alsoList(c.String("also"))
	if err != nil {
		return err
	}
	packing, err := compression(c.String("compress"))
	if err != nil {
		return err
	}
	out, err := newOutDir(outName(c), c.Bool("force"))
	if err != nil {
		return err
	}
	defer out.discard()
	j := &job{c: c, st: st, methods: methods, out: out, start: began(c), clock: time.Now(), options: options, model: model, maps: map[string]*store{}, also: also, packing: packing}
	if c.Bool("verbose") {
		for _, n := range st.notes {
			fmt.Fprintln(c.App.ErrWriter, n)
		}
	}
	if err := j.reconstruct(ctx); err != nil {
		return err
	}
	defer j.closeStores()
	if err := j.holdOut(ctx); err != nil {
		return err
	}
	if err := j.writeSeries(ctx); err != nil {
		return err
	}
	r := j.report()
	if err := j.writeReport(ctx, r); err != nil {
		return err
	}
	if err := j.writeObjects(ctx, r); err != nil {
		return err
	}
	j.closeStores()
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := out.commit(); err != nil {
		return err
	}
	return j.print(r)
}

// outName is the result folder: --out, or the input's name with -ctrecon.
func outName(c *cli.Context) string {
	if o := c.String("out"); o != "" {
		return o
	}
	in := filepath.Clean(c.Args().First())
	if c.Bool("deidentify") {
		return neutralOut(in)
	}
	if info, err := os.Stat(in); err == nil && !info.IsDir() {
		in = strings.TrimSuffix(in, filepath.Ext(in))
	}
	if in == "." || in == ".." || in == "/" {
		in = "study"
	}
	return in + "-ctrecon"
}

// reconstruct runs the methods over all slices; the images go to the stores.
func (j *job) reconstruct(ctx context.Context) error {
	n := j.st.grid.Len()
	for _, m := range j.methods {
		s, err := newStore(j.out.path("."+m+".f32"), n)
		if err != nil {
			return err
		}
		info, err := recon.Find(m)
		if err != nil {
			return err
		}
		j.stores = append(j.stores, s)
		j.results = append(j.results, report.Method{Name: m, Label: info.Label, Settings: []report.Setting{}, Warnings: []string{}, Slices: make([]report.Slice, len(j.st.pick))})
	}
	total := len(j.st.pick) * len(j.methods)
	bar := newMeter(j.c.App.ErrWriter, "reconstructing", total, j.c.Bool("quiet"))
	defer bar.end()
	err := recon.Run(ctx, recon.Job{
		Slices: len(j.st.pick), Source: j.st.measure, Methods: j.methods, Options: j.options, Workers: workers(j.c), Done: j.slice,
		Step: func(i int, method string) { bar.step(fmt.Sprintf("%s, %s", j.st.label(i), method)) },
	})
	return jobErr(err)
}

// jobErr finds the exit code of an error of the methods.
func jobErr(err error) error {
	var m *recon.ModelError
	if errors.As(err, &m) {
		return withCode(exitModel, err)
	}
	return withCode(exitInput, err)
}

// slice takes the results of slice i.
func (j *job) slice(i int, s recon.Slice, results []recon.Result) error {
	hu := make([]float32, j.st.grid.Len())
	var truth []float32
	var body []bool
	if j.st.truth != nil {
		truth = make([]float32, len(hu))
		if err := j.st.truth(i, truth); err != nil {
			return err
		}
		body = metrics.Body(truth, j.st.grid.W)
	}
	for k, r := range results {
		ct.ImageToHU(hu, r.Image.Pix, j.st.muWater)
		if err := j.stores[k].put(i, hu); err != nil {
			return err
		}
		m := &j.results[k]
		if i == 0 { // not of the slice that is done first: UIDs and descriptions name them
			for _, s := range r.Settings {
				m.Settings = append(m.Settings, report.Setting{Name: s.Name, Value: s.Value})
			}
		}
		extra, err := j.keepMaps(k, i, r, hu)
		if err != nil {
			return err
		}
		row := report.Slice{Extra: extra, Index: i, Label: j.st.label(i), Seconds: math.Round(r.Elapsed.Seconds()*1e4) / 1e4, Warnings: r.Warnings}
		row.Metrics.Chi2 = report.Number(r.Chi2)
		if truth != nil {
			row.Metrics.PSNR = report.Number(metrics.PSNR(hu, truth))
			row.Metrics.SSIM = report.Number(metrics.SSIM(hu, truth, j.st.grid.W))
			row.Metrics.RMSEHU = report.Number(metrics.RMSE(hu, truth, body))
		}
		m.Slices[i] = row
	}
	return nil
}

// writeSeries writes a DICOM series a method, and the arrays when asked for.
func (j *job) writeSeries(ctx context.Context) error {
	for k, name := range j.methods {
		w, err := dicomio.WriteSeries(j.out.path(name), j.derived(ctx, k))
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return outputErr(err)
		}
		if w.Clipped > 0 {
			j.results[k].Warnings = append(j.results[k].Warnings, fmt.Sprintf("%d values outside -32768 to 32767 HU were clipped in the DICOM files", w.Clipped))
		}
		if j.c.Bool("keep-arrays") {
			if err := j.writeArray(k, name); err != nil {
				return outputErr(err)
			}
		}
	}
	return j.writeUncertainty(ctx)
}

func (j *job) writeArray(k int, name string) error {
	n := j.st.grid.Len()
	all := make([]float32, n*len(j.st.pick))
	for i := range j.st.pick {
		if err := j.stores[k].get(i, all[i*n:(i+1)*n]); err != nil {
			return err
		}
	}
	return sinofile.WriteNPY(j.out.path(name+".npy"), all, len(j.st.pick), j.st.grid.H, j.st.grid.W)
}

// derived describes the series of method k.
func (j *job) derived(ctx context.Context, k int) dicomio.Derived {
	st, m := j.st, j.results[k]
	var set []string
	for _, s := range m.Settings {
		set = append(set, s.Name+" "+s.Value)
	}
	made := fmt.Sprintf("%s from %d views", m.Label, st.geometry.Views())
	if st.simulated {
		made += " simulated from the source series"
	}
	d := dicomio.Derived{
		Source: st.series, Template: st.template, Subject: st.sha256, Grid: st.grid, Slices: st.pick,
		Method: fmt.Sprintf("%s %dv", m.Label, st.geometry.Views()), Number: k + 1, Software: version,
		Description: fmt.Sprintf("%s; %s. Seed %d.", made, strings.Join(set, ", "), j.c.Uint64("seed")),
		Config:      j.config(m), Time: j.st.dated(j.start.UTC()), Compression: j.packing, Images: len(st.pick),
		Image: func(i int, dst []float32) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return j.stores[k].get(i, dst)
		},
	}
	if st.series == nil {
		d.Spacing, d.Heights = 1, st.heights
	}
	if strings.HasPrefix(m.Name, "fbp") {
		d.Kernel = map[string]string{"fbp": "RAMP", "fbp-hann": "HANN"}[m.Name]
	}
	return d
}

// config names everything that shapes the pixels of a method; its settings name
// the model.
func (j *job) config(m report.Method) string {
	all := []any{version, m.Name, m.Settings, j.st.geometry, j.st.grid, j.st.muWater, j.st.noise, j.c.Uint64("seed"), j.st.sha256}
	if j.st.beam != nil {
		all = append(all, j.st.beam)
	}
	if j.st.heights != nil {
		all = append(all, j.st.heights)
	}
	if j.st.private != nil { // other headers, so other objects
		all = append(all, "de-identified", j.st.private)
	}
	if id := j.c.String("input-id"); id != "" {
		all = append(all, "input", id)
	}
	b, err := json.Marshal(all)
	if err != nil {
		panic(err) // finite numbers and strings only
	}
	return string(b)
}

func (j *job) closeStores() {
	for _, s := range j.stores {
		s.close()
	}
	for _, s := range j.maps {
		s.close()
	}
	j.stores, j.maps = nil, nil
}

// report is the model of report.json, without what the pictures add.
func (j *job) report() *report.Report {
	st := j.st
	st.input.Notes = st.notes
	r := &report.Report{
		Schema: report.SchemaID, Notice: report.ResearchUse, Created: st.dated(j.start.UTC()).Format(time.RFC3339),
		Tool: report.Tool{Name: "ctrecon", Version: version, Commit: commit()}, Command: repeat(j.c),
		Input: st.input, Geometry: report.GeometryOf(st.geometry, st.grid, st.muWater), Noise: report.NoiseOf(st.noise), Model: j.model,
		Protocol: report.DefaultProtocol(), Methods: j.results, Warnings: []string{}, Environment: report.Here(),
	}
	if len(j.maps) > 0 {
		r.Measures = measures
	}
	r.Geometry.ViewsAvailable = st.available
	if st.fan != nil {
		r.Geometry.Beam, r.Geometry.Fan = "fan", st.fan
	}
	r.Environment.Workers = workers(j.c)
	r.Environment.Kernel = radon.Kernels()[0] // the preferred one is used
	r.Environment.Seconds = math.Round(time.Since(j.clock).Seconds()*100) / 100
	r.Finish()
	for _, name := range j.methods {
		if info, err := recon.Find(name); err == nil && info.Model {
			r.WarnMisfit(name, "tv")
		}
	}
	return r
}

// began is the time of a job in what it writes: now, or what the node says, so that
// a job that is made again makes the same bytes.
func began(c *cli.Context) time.Time {
	if t, err := time.Parse(time.RFC3339, c.String("time")); err == nil {
		return t
	}
	return time.Now()
}

// placing are the flags that change nothing of a result but its place and names.
var placing = []string{"out", "o", "force", "f", "input-id", "time"}

// repeat are the arguments that were given; folders are reduced to their names.
func repeat(c *cli.Context) []string {
	out := []string{"ctrecon"}
	for _, n := range c.FlagNames() {
		if c.IsSet(n) && !slices.Contains(placing, n) {
			v := c.Value(n)
			if c.Bool("deidentify") && slices.Contains(named, n) {
				v = "FILE"
			}
			out = append(out, fmt.Sprintf("--%s=%v", n, v))
		}
	}
	if c.Bool("deidentify") {
		return append(out, "INPUT")
	}
	return append(out, filepath.Base(c.Args().First()))
}
