// Command conditions measures CT slices and reconstructs them with the projectors
// and methods of ctrecon, so that a network is trained on exactly the images that
// it will be given. conditions.py calls it:
//
//	conditions --size 256 [--methods fbp-hann] [--model BUNDLE] [--workers N] JOBS SLICES RESULTS
//
// JOBS is a text file with a line "pixel_mm views first arc bins sigma photons seed"
// a slice: views of equal step from first over arc degrees; the middle bins of the
// detector, 0 for all; the noise in nepers, or photons a bin where these are not 0.
// SLICES holds their float32
// little-endian HU [n][size][size]; RESULTS receives [n][methods][size][size] in HU.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"

	"ctrecon/ct"
	"ctrecon/ct/recon"
	"ctrecon/ldm/models"
	"ctrecon/radon"
)

func main() {
	size := flag.Int("size", 256, "pixels a side")
	methods := flag.String("methods", "fbp-hann", "names of the images that are written, in this order")
	model := flag.String("model", "", "bundle whose network pnp-unet uses")
	workers := flag.Int("workers", runtime.NumCPU(), "slices at a time")
	flag.Parse()
	if flag.NArg() != 3 {
		fmt.Fprintln(os.Stderr, "conditions: JOBS, SLICES and RESULTS are needed")
		os.Exit(2)
	}
	p := planner{size: *size, workers: *workers, methods: strings.Split(*methods, ","), model: *model, meters: map[geometry]*meter{}}
	if err := p.run(flag.Arg(0), flag.Arg(1), flag.Arg(2)); err != nil {
		fmt.Fprintln(os.Stderr, "conditions:", err)
		os.Exit(1)
	}
}

func (p *planner) run(jobs, slices, results string) error {
	list, err := readJobs(jobs)
	if err != nil {
		return err
	}
	o := recon.Options{TVWeight: 1}
	if p.model != "" {
		if o.Model, err = models.Open(p.model); err != nil {
			return err
		}
	}
	in, err := os.Open(slices)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(results)
	if err != nil {
		return err
	}
	defer out.Close()
	n := int64(p.size * p.size * 4)
	err = recon.Run(context.Background(), recon.Job{
		Options: o,
		Slices:  len(list), Methods: p.methods, Workers: p.workers,
		Source: func(i int) (recon.Slice, error) {
			hu := make([]float32, p.size*p.size)
			if err := binary.Read(io.NewSectionReader(in, int64(i)*n, n), binary.LittleEndian, hu); err != nil {
				return recon.Slice{}, fmt.Errorf("%s: slice %d: %w", slices, i, err)
			}
			return p.measure(i, list[i], hu)
		},
		Done: func(i int, s recon.Slice, results []recon.Result) error {
			w := io.NewOffsetWriter(out, int64(i)*n*int64(len(p.methods)))
			hu := make([]float32, p.size*p.size)
			for _, r := range results {
				ct.ImageToHU(hu, r.Image.Pix, s.MuWater)
				if err := binary.Write(w, binary.LittleEndian, hu); err != nil {
					return err
				}
			}
			return nil
		},
	})
	if err != nil {
		return err
	}
	return out.Close()
}

// job is how one slice is measured.
type job struct {
	pixel float64
	geometry
	ct.Noise
	seed uint64
}

// geometry is where the views lie.
type geometry struct {
	views      int
	first, arc float64 // degrees
	bins       int     // 0: all
}

func readJobs(name string) ([]job, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list []job
	for s := bufio.NewScanner(f); s.Scan(); {
		var j job
		if _, err := fmt.Sscan(s.Text(), &j.pixel, &j.views, &j.first, &j.arc, &j.bins, &j.Sigma, &j.Photons, &j.seed); err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", name, len(list)+1, err)
		}
		list = append(list, j)
	}
	return list, nil
}

// planner keeps one meter for each geometry. All slices are measured on
// pixels of 1 mm: attenuation takes their size instead, which gives the same line
// integrals and saves planning.
type planner struct {
	size    int
	workers int
	methods []string
	model   string
	mu      sync.Mutex
	meters  map[geometry]*meter
}

type meter struct {
	mu sync.Mutex
	m  *radon.Meter
}

func (p *planner) measure(i int, j job, hu []float32) (recon.Slice, error) {
	grid := ct.Grid{W: p.size, H: p.size, DX: 1, DY: 1}
	m, err := p.meter(grid, j.geometry)
	if err != nil {
		return recon.Slice{}, err
	}
	water := ct.MuWater * j.pixel
	m.mu.Lock()
	defer m.mu.Unlock()
	s, err := m.m.Measure(hu, water, j.Noise, ct.NewStream(j.seed, i, 0, 0))
	return recon.Slice{Index: i, Grid: grid, Sino: s, MuWater: water, Seed: j.seed}, err
}

func (p *planner) meter(grid ct.Grid, at geometry) (*meter, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.meters[at]; m != nil {
		return m, nil
	}
	geo := ct.Uniform(at.views, ct.DefaultBins(grid), grid.DX)
	if at.bins > 0 && at.bins < geo.Bins {
		geo.Bins -= (geo.Bins - at.bins) / 2 * 2 // the middle stays where it is
	}
	for k := range geo.Angles {
		geo.Angles[k] = at.first + geo.Angles[k]*at.arc/180
	}
	m, err := radon.NewMeter(grid, geo)
	if err != nil {
		return nil, err
	}
	p.meters[at] = &meter{m: m}
	return p.meters[at], nil
}
