package vjp

import (
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ctrecon/ldm/models"
	"ctrecon/ldm/onnx"
)

var write = flag.String("write", "", "folder for the built-in graphs and their gradient graphs, for testdata/compare.py")

func bundled(t testing.TB, role string) []byte {
	t.Helper()
	b, err := models.Default()
	if err != nil {
		t.Fatal(err)
	}
	model, err := b.Graph(role)
	if err != nil {
		t.Fatal(err)
	}
	return model
}

// The gradients of the built-in graphs against differences along the gradient
// and along a random direction. Single precision leaves about four digits.
func TestBundle(t *testing.T) {
	library(t)
	for _, tt := range []struct{ role, x, y string }{{"decoder", "z", "x"}, {"encoder", "x", "z"}, {"unet", "z", "v"}} {
		t.Run(tt.role, func(t *testing.T) {
			r := newRunner(t, bundled(t, tt.role), tt.x)
			rng := rand.New(rand.NewPCG(11, 12))
			for i := range r.info.Inputs {
				fillNormal(rng, r.s.In(i))
			}
			r.run()
			g := append([]float32(nil), r.out("d_"+tt.x)...)
			random := make([]float32, len(g))
			fillNormal(rng, random)
			norm := math.Sqrt(dot(g, g))
			along := make([]float32, len(g))
			for i, v := range g {
				along[i] = v / float32(norm) * float32(math.Sqrt(float64(len(g))))
			}
			for name, v := range map[string][]float32{"gradient": along, "random": random} {
				got, want := dot(g, v), r.derivative(tt.x, v, 0.004)
				size := norm * math.Sqrt(dot(v, v)/float64(len(g))) // of the derivative along a typical direction
				t.Logf("along the %s direction %.6g, by differences %.6g: %.1e", name, got, want, math.Abs(got-want)/max(size, math.Abs(want)))
				if !(math.Abs(got-want) <= 1e-3*max(size, math.Abs(want))) {
					t.Errorf("along the %s direction %.6g, by differences %.6g", name, got, want)
				}
			}
		})
	}
}

// The gradient of the built-in UNet by all of its real inputs at once.
func TestBundleAllInputs(t *testing.T) {
	model := bundled(t, "unet")
	var wrt []string
	for _, p := range parse(model).inputs {
		wrt = append(wrt, p.name)
	}
	_, info, err := Build(model, wrt)
	if err != nil {
		t.Fatal(err)
	}
	if len(info.Outputs) != 1+len(wrt) || len(info.Inputs) != 1+len(wrt) {
		t.Errorf("inputs %v, outputs %v", info.Inputs, info.Outputs)
	}
}

// TestWrite writes what testdata/compare.py reads; it needs -write.
func TestWrite(t *testing.T) {
	if *write == "" {
		t.Skip("nothing is written without -write DIR")
	}
	for role, x := range map[string]string{"decoder": "z", "encoder": "x", "unet": "z"} {
		model := bundled(t, role)
		grad, _, err := Build(model, []string{x})
		if err != nil {
			t.Fatal(err)
		}
		for name, b := range map[string][]byte{role + ".onnx": model, role + "_vjp.onnx": grad} {
			if err := os.WriteFile(filepath.Join(*write, name), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// BenchmarkDecoderGradient reports the time of decoder and gradient, and the
// gradient graph's in forwards (it holds the forward pass too).
func BenchmarkDecoderGradient(b *testing.B) {
	library(b)
	benchmarkGradient(b, "decoder", "z")
}

// BenchmarkUNetGradient is the same for the UNet.
func BenchmarkUNetGradient(b *testing.B) {
	library(b)
	benchmarkGradient(b, "unet", "z")
}

func benchmarkGradient(b *testing.B, role, x string) {
	model := bundled(b, role)
	r := newRunner(b, model, x)
	var in, out []Port
	for _, p := range r.info.Inputs {
		if p.Name[:2] != "d_" {
			in = append(in, p)
		}
	}
	for _, p := range r.info.Outputs {
		if p.Name[:2] != "d_" {
			out = append(out, p)
		}
	}
	s, err := onnx.NewSession(model, ports(in), ports(out), onnx.Options{Threads: 1})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range r.info.Inputs {
		fillNormal(rng, r.s.In(i))
	}
	for i := range in {
		fillNormal(rng, s.In(i))
	}
	f := &runner{t: b, s: s}
	forward, gradient := math.Inf(1), math.Inf(1)
	for b.Loop() {
		forward = min(forward, seconds(f.run))
		gradient = min(gradient, seconds(r.run))
	}
	b.ReportMetric(1e3*forward, "ms/forward")
	b.ReportMetric(1e3*gradient, "ms/gradient")
	b.ReportMetric(gradient/forward, "forwards")
}

func seconds(f func()) float64 {
	t := time.Now()
	f()
	return time.Since(t).Seconds()
}
