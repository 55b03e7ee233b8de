package main

import (
	"encoding/csv"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strconv"

	"github.com/urfave/cli/v2"

	"ctrecon/ct"
	"ctrecon/radon"
)

// readIndex reads the slices of a split from index.csv.
func readIndex(dir, split string, limit int) ([]reference, error) {
	f, err := os.Open(filepath.Join(dir, "index.csv"))
	if err != nil {
		return nil, fmt.Errorf("%s: no index.csv in it", dir)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) == 0 {
		return nil, fmt.Errorf("index.csv: not a table: %v", err)
	}
	col := map[string]int{}
	for i, n := range rows[0] {
		col[n] = i
	}
	for _, n := range []string{"file", "split", "site", "pixel_mm"} {
		if _, ok := col[n]; !ok {
			return nil, fmt.Errorf("index.csv: no column %q", n)
		}
	}
	var out []reference
	for i, r := range rows[1:] {
		if r[col["split"]] != split {
			continue
		}
		px, err := strconv.ParseFloat(r[col["pixel_mm"]], 64)
		if err != nil || !(px > 0) || math.IsInf(px, 0) {
			return nil, fmt.Errorf("index.csv: row %d: pixel_mm %q", i+2, r[col["pixel_mm"]])
		}
		ref := reference{file: r[col["file"]], site: r[col["site"]], pixel: px}
		if k, ok := col["patient"]; ok {
			ref.patient = r[k]
		}
		out = append(out, ref)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("index.csv: no row with split %q", split)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].file < out[j].file })
	for i := range out {
		out[i].number = i
	}
	if limit > 0 && limit < len(out) {
		all := out
		out = nil
		for i := range limit {
			out = append(out, all[i*(len(all)-1)/max(1, limit-1)])
		}
	}
	return out, nil
}

// readPNG reads a slice in HU; value = HU + 1024, not below -1000 HU.
func readPNG(name string) ([]float32, int, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: cannot be opened", name)
	}
	defer f.Close()
	im, err := png.Decode(f)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", name, err)
	}
	g, ok := im.(*image.Gray16)
	if !ok {
		return nil, 0, fmt.Errorf("%s: a 16-bit grey picture is needed", name)
	}
	b := g.Bounds()
	hu := make([]float32, 0, b.Dx()*b.Dy())
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			hu = append(hu, max(-1000, float32(g.At(x, y).(color.Gray16).Y)-1024))
		}
	}
	return hu, b.Dx(), nil
}

// scanOf measures a slice by the flags of evaluate: views, arc, detector, noise.
func scanOf(c *cli.Context, grid ct.Grid, hu []float32, i int) (ct.Sinogram, error) {
	geo := ct.Uniform(c.Int("angles"), ct.DefaultBins(grid), grid.DX)
	for k := range geo.Angles {
		geo.Angles[k] *= c.Float64("arc") / 180
	}
	geo.Offset = c.Float64("offset")
	if n := c.Int("bins"); n > 0 && n < geo.Bins {
		geo.Bins -= (geo.Bins - n) / 2 * 2 // the middle stays where it is
	}
	m, err := radon.NewMeter(grid, geo)
	if err != nil {
		return ct.Sinogram{}, inputErr(err)
	}
	noise := ct.Noise{Sigma: c.Float64("noise-sigma"), Photons: c.Float64("photons")}
	if c.IsSet("photons") {
		noise.Sigma = 0
	}
	s, err := m.Measure(hu, ct.MuWater, noise, ct.NewStream(c.Uint64("seed"), i, 0, 0))
	if err == nil {
		kill(&s, c.Float64("dead"), ct.NewStream(c.Uint64("seed"), i, 1, 0))
	}
	return s, err
}

// kill makes a share of the detector's bins measure nothing, in every view.
func kill(s *ct.Sinogram, share float64, stream ct.Stream) {
	if share <= 0 {
		return
	}
	if s.Sigma == nil {
		s.Sigma = make([]float32, len(s.Data))
		for i := range s.Sigma {
			s.Sigma[i] = float32(s.Noise.Sigma)
		}
	}
	for b := range s.Bins {
		if stream.Uniform(uint64(b)) < share {
			for v := range s.Views() {
				s.Data[v*s.Bins+b], s.Sigma[v*s.Bins+b] = 0, float32(math.Inf(1))
			}
		}
	}
}
