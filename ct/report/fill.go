package report

import (
	"bufio"
	"bytes"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"

	"ctrecon/ct"
)

// Number is v rounded to six significant digits, nil when it is not finite:
// JSON knows no infinities, and a metric that does not exist is left out.
func Number(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	v = round(v)
	return &v
}

func round(v float64) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 6, 64), 64)
	if err != nil {
		return v
	}
	return r
}

// GeometryOf describes a parallel scan and a grid; muWater is in 1/mm.
func GeometryOf(g ct.Geometry, grid ct.Grid, muWater float64) Geometry {
	return Geometry{
		Beam: "parallel", Views: g.Views(), Angles: append([]float64{}, g.Angles...),
		ArcDegrees: round(g.Arc()), Bins: g.Bins, BinSizeMM: g.BinSize, OffsetBins: g.Offset,
		Width: grid.W, Height: grid.H, PixelXMM: grid.DX, PixelYMM: grid.DY, MuWater: muWater,
	}
}

// NoiseOf describes a noise level; the zero value is "unknown".
func NoiseOf(n ct.Noise) Noise {
	out := Noise{Source: n.Source}
	if n.Sigma > 0 {
		out.SigmaNepers = Number(n.Sigma)
	}
	if n.Photons > 0 {
		out.Photons = Number(n.Photons)
	}
	if out.Source == "" {
		out.Source = "unknown"
	}
	return out
}

// Here describes this machine.
func Here() Environment {
	return Environment{
		OS: runtime.GOOS, Arch: runtime.GOARCH, CPU: cpuName(), Cores: runtime.NumCPU(), Go: runtime.Version(),
	}
}

// cpuName is the processor's name where Linux tells it, else "".
func cpuName() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		name, value, ok := strings.Cut(s.Text(), ":")
		if ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
