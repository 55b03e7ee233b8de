// Command conditions measures CT slices and reconstructs them by TV and FBP, with
// the projectors and methods of ctrecon, so that a network is trained on exactly
// the images that it will be given. conditions.py calls it:
//
//	conditions --size 256 [--workers N] JOBS SLICES RESULTS
//
// JOBS is a text file with a line "pixel_mm views sigma seed" a slice. SLICES holds
// their float32 little-endian HU [n][size][size]; RESULTS receives
// [n][2][size][size]: TV, then FBP with a Hann window, in HU.
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
	"sync"

	"ctrecon/ct"
	"ctrecon/ct/recon"
	"ctrecon/radon"
)

// methods whose images are written, in this order.
var methods = []string{"tv", "fbp-hann"}

func main() {
	size := flag.Int("size", 256, "pixels a side")
	workers := flag.Int("workers", runtime.NumCPU(), "slices at a time")
	flag.Parse()
	if flag.NArg() != 3 {
		fmt.Fprintln(os.Stderr, "conditions: JOBS, SLICES and RESULTS are needed")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), flag.Arg(1), flag.Arg(2), *size, *workers); err != nil {
		fmt.Fprintln(os.Stderr, "conditions:", err)
		os.Exit(1)
	}
}

func run(jobs, slices, results string, size, workers int) error {
	list, err := readJobs(jobs)
	if err != nil {
		return err
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
	p := planner{size: size, meters: map[int]*meter{}}
	n := int64(size * size * 4)
	err = recon.Run(context.Background(), recon.Job{
		Options: recon.Options{TVWeight: 1}, // what the bundle says of its start
		Slices:  len(list), Methods: methods, Workers: workers,
		Source: func(i int) (recon.Slice, error) {
			hu := make([]float32, size*size)
			if err := binary.Read(io.NewSectionReader(in, int64(i)*n, n), binary.LittleEndian, hu); err != nil {
				return recon.Slice{}, fmt.Errorf("%s: slice %d: %w", slices, i, err)
			}
			return p.measure(i, list[i], hu)
		},
		Done: func(i int, s recon.Slice, results []recon.Result) error {
			w := io.NewOffsetWriter(out, int64(i)*n*int64(len(methods)))
			hu := make([]float32, size*size)
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
	views int
	sigma float64
	seed  uint64
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
		if _, err := fmt.Sscan(s.Text(), &j.pixel, &j.views, &j.sigma, &j.seed); err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", name, len(list)+1, err)
		}
		list = append(list, j)
	}
	return list, nil
}

// planner keeps one meter for each number of views. All slices are measured on
// pixels of 1 mm: attenuation takes their size instead, which gives the same line
// integrals and saves planning.
type planner struct {
	size   int
	mu     sync.Mutex
	meters map[int]*meter
}

type meter struct {
	mu sync.Mutex
	m  *radon.Meter
}

func (p *planner) measure(i int, j job, hu []float32) (recon.Slice, error) {
	grid := ct.Grid{W: p.size, H: p.size, DX: 1, DY: 1}
	m, err := p.meter(grid, j.views)
	if err != nil {
		return recon.Slice{}, err
	}
	water := ct.MuWater * j.pixel
	m.mu.Lock()
	defer m.mu.Unlock()
	s, err := m.m.Measure(hu, water, ct.Noise{Sigma: j.sigma}, ct.NewStream(j.seed, i, 0, 0))
	return recon.Slice{Index: i, Grid: grid, Sino: s, MuWater: water, Seed: j.seed}, err
}

func (p *planner) meter(grid ct.Grid, views int) (*meter, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.meters[views]; m != nil {
		return m, nil
	}
	geo := ct.Uniform(views, ct.DefaultBins(grid), grid.DX)
	m, err := radon.NewMeter(grid, geo)
	if err != nil {
		return nil, err
	}
	p.meters[views] = &meter{m: m}
	return p.meters[views], nil
}
