package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/urfave/cli/v2"

	"ctrecon/ct"
	"ctrecon/ct/recon"
	"ctrecon/ct/report"
	"ctrecon/dicomio"
	"ctrecon/radon"
)

// defaultAngles and defaultSigma are the simulated measurement of a CT series
// where nothing else is said.
const (
	defaultAngles = 25
	defaultSigma  = 0.01
)

// openStudy reads the input of a job, whatever it is.
func openStudy(ctx context.Context, c *cli.Context, path string) (*study, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, inputErr(fmt.Errorf("%s: no such file or folder", path))
	}
	if info.IsDir() || strings.EqualFold(filepath.Ext(path), ".zip") || isDICOM(path) {
		if dicomio.HoldsProjections(path) {
			return openProjections(c, path)
		}
		return openSeries(ctx, c, path)
	}
	return openSinogram(c, path)
}

// isDICOM looks for the mark at byte 128.
func isDICOM(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var head [132]byte
	_, err = io.ReadFull(f, head[:])
	return err == nil && bytes.Equal(head[128:], []byte("DICM"))
}

// openSeries makes a study of a CT series that is measured again.
func openSeries(ctx context.Context, c *cli.Context, path string) (*study, error) {
	all, err := dicomio.ReadSeries(path, workers(c))
	if err != nil {
		return nil, inputErr(err)
	}
	if c.IsSet("reference") {
		return nil, usagef("--reference: a CT series is its own reference")
	}
	s := all[0]
	st := &study{series: s, simulated: true, grid: s.Grid, muWater: muWater(c, ct.MuWater), notes: s.Notes}
	if len(all) > 1 {
		st.notes = append(st.notes, fmt.Sprintf("%d series found; the longest, of %d slices, is used", len(all), len(s.Slices)))
	}
	pick, err := sliceRange(c.String("slices"), len(s.Slices))
	if err != nil {
		return nil, err
	}
	st.pick = pick
	views := defaultAngles
	if c.IsSet("angles") {
		views = c.Int("angles")
	}
	if views < 1 || views > 100_000 {
		return nil, usagef("--angles %d: 1 to 100000 views can be simulated", views)
	}
	st.geometry = ct.Uniform(views, ct.DefaultBins(s.Grid), min(s.Grid.DX, s.Grid.DY))
	st.noise = ct.Noise{Sigma: c.Float64("noise-sigma"), Photons: c.Float64("photons"), Source: "simulated"}
	if !c.IsSet("noise-sigma") && !c.IsSet("photons") {
		st.noise.Sigma = defaultSigma
	}
	st.input = report.Input{Kind: "dicom", Name: filepath.Base(path), Slices: len(pick), Simulated: true, Reference: "the series itself"}
	st.label = func(i int) string { return s.Slices[pick[i]].File }
	st.truth = func(i int, dst []float32) error {
		for k, v := range s.Slices[pick[i]].HU {
			dst[k] = max(v, -1000)
		}
		return nil
	}
	st.simulate(c.Uint64("seed"))
	return st, ctx.Err()
}

// simulate measures slices when they are asked for, with a meter a worker.
func (st *study) simulate(seed uint64) {
	meters := sync.Pool{New: func() any {
		m, err := radon.NewMeter(st.grid, st.geometry)
		if err != nil {
			return err
		}
		return m
	}}
	st.measure = func(i int) (recon.Slice, error) {
		v := meters.Get()
		if err, bad := v.(error); bad {
			return recon.Slice{}, inputErr(err)
		}
		m := v.(*radon.Meter)
		defer meters.Put(m)
		hu := make([]float32, st.grid.Len())
		if err := st.truth(i, hu); err != nil {
			return recon.Slice{}, err
		}
		s, err := m.Measure(hu, st.muWater, st.noise, ct.NewStream(seed, st.pick[i], 0, 0))
		return recon.Slice{Index: st.pick[i], Grid: st.grid, Sino: s, MuWater: st.muWater, Seed: seed}, err
	}
}

func workers(c *cli.Context) int {
	if n := c.Int("workers"); n > 0 {
		return n
	}
	return cores()
}

func muWater(c *cli.Context, fallback float64) float64 {
	if v := c.Float64("mu-water"); v > 0 {
		return v
	}
	return fallback
}

// sliceRange reads --slices.
func sliceRange(text string, n int) ([]int, error) {
	from, to, step := 0, n, 1
	if text != "" {
		f := strings.Split(text, ":")
		v := []int{0, n, 1}
		for i, s := range f {
			if i > 2 {
				return nil, usagef("--slices %q: A:B, A:B:STEP or a number is expected", text)
			}
			if s == "" {
				continue
			}
			k, err := strconv.Atoi(s)
			if err != nil || k < 0 {
				return nil, usagef("--slices %q: A:B, A:B:STEP or a number is expected", text)
			}
			v[i] = k
		}
		if len(f) == 1 {
			v[1] = v[0] + 1
		}
		from, to, step = v[0], min(v[1], n), max(1, v[2])
	}
	if from >= to {
		return nil, usagef("--slices %q: there are slices 0 to %d", text, n-1)
	}
	var out []int
	for i := from; i < to; i += step {
		out = append(out, i)
	}
	return out, nil
}
