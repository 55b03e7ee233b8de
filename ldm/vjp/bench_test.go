//go:build unix

package vjp_test

import (
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ctrecon/ldm/onnx"
	"ctrecon/ldm/vjp"
)

// BenchmarkDecoderGradient reports the shortest CPU times of decoder and gradient,
// and the median of the gradient graph's in forwards (it holds the forward pass
// too); with -model FILE=INPUT those of another model.
func BenchmarkDecoderGradient(b *testing.B) {
	vjp.Library(b)
	benchmarkGradient(b, "decoder", "z")
}

// BenchmarkUNetGradient is the same for the UNet.
func BenchmarkUNetGradient(b *testing.B) {
	vjp.Library(b)
	benchmarkGradient(b, "unet", "z")
}

func benchmarkGradient(b *testing.B, role, x string) {
	model := bundled(b, role)
	if file, in, given := strings.Cut(*other, "="); given {
		var err error
		if model, err = os.ReadFile(file); err != nil {
			b.Fatal(err)
		}
		x = in
	}
	r := vjp.NewRunner(b, model, x)
	var in, out []vjp.Port
	for _, p := range r.Info.Inputs {
		if !strings.HasPrefix(p.Name, "d_") {
			in = append(in, p)
		}
	}
	for _, p := range r.Info.Outputs {
		if !strings.HasPrefix(p.Name, "d_") {
			out = append(out, p)
		}
	}
	s, err := onnx.NewSession(model, vjp.Ports(in), vjp.Ports(out), onnx.Options{Threads: 1})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range r.Info.Inputs {
		vjp.FillNormal(rng, r.S.In(i))
	}
	for i := range in {
		vjp.FillNormal(rng, s.In(i))
	}
	f := vjp.NewForward(b, s)
	forward, gradient := math.Inf(1), math.Inf(1)
	var ratios []float64 // of neighbours, since the machine may be slower by turns
	for b.Loop() {
		t, u := seconds(b, f.Run), seconds(b, r.Run)
		forward, gradient, ratios = min(forward, t), min(gradient, u), append(ratios, u/t)
	}
	slices.Sort(ratios)
	b.ReportMetric(1e3*forward, "ms/forward")
	b.ReportMetric(1e3*gradient, "ms/gradient")
	b.ReportMetric(ratios[len(ratios)/2], "forwards")
}

// seconds is the CPU time of f, which other processes disturb little.
func seconds(b *testing.B, f func()) float64 {
	start := cpuTime(b)
	f()
	return (cpuTime(b) - start).Seconds()
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
