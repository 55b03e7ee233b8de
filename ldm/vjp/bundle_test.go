package vjp_test

import (
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ctrecon/ldm/models"
	"ctrecon/ldm/vjp"
)

var (
	write = flag.String("write", "", "folder for the built-in graphs and their gradient graphs, for testdata/compare.py")
	other = flag.String("model", "", "with -write: other models as FILE=INPUT,...; their gradient graphs are written instead. With -bench: one such model")
)

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
	vjp.Library(t)
	for _, tt := range []struct{ role, x, y string }{{"decoder", "z", "x"}, {"encoder", "x", "z"}, {"unet", "z", "v"}} {
		t.Run(tt.role, func(t *testing.T) {
			r := vjp.NewRunner(t, bundled(t, tt.role), tt.x)
			rng := rand.New(rand.NewPCG(11, 12))
			for i := range r.Info.Inputs {
				vjp.FillNormal(rng, r.S.In(i))
			}
			r.Run()
			g := append([]float32(nil), r.Out("d_"+tt.x)...)
			random := make([]float32, len(g))
			vjp.FillNormal(rng, random)
			norm := math.Sqrt(vjp.Dot(g, g))
			along := make([]float32, len(g))
			for i, v := range g {
				along[i] = v / float32(norm) * float32(math.Sqrt(float64(len(g))))
			}
			for name, v := range map[string][]float32{"gradient": along, "random": random} {
				got, want := vjp.Dot(g, v), r.Derivative(tt.x, v, 0.004)
				size := norm * math.Sqrt(vjp.Dot(v, v)/float64(len(g))) // of the derivative along a typical direction
				t.Logf("along the %s direction %.6g, by differences %.6g: %.1e", name, got, want, math.Abs(got-want)/max(size, math.Abs(want)))
				if !(math.Abs(got-want) <= 3e-4*max(size, math.Abs(want))) {
					t.Errorf("along the %s direction %.6g, by differences %.6g", name, got, want)
				}
			}
		})
	}
}

// The gradient of the built-in UNet by all of its real inputs at once.
func TestBundleAllInputs(t *testing.T) {
	model := bundled(t, "unet")
	wrt := vjp.Inputs(model)
	_, info, err := vjp.Build(model, wrt)
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
	save := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(*write, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	gradient := func(name string, model []byte, x string) {
		grad, info, err := vjp.Build(model, []string{x})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		t.Logf("%s: %d nodes, %d for the gradient", name, info.Forward, info.Reverse)
		save(name+"_vjp.onnx", grad)
	}
	for _, m := range strings.FieldsFunc(*other, func(r rune) bool { return r == ',' }) {
		file, x, _ := strings.Cut(m, "=")
		model, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		gradient(strings.TrimSuffix(filepath.Base(file), ".onnx"), model, x)
	}
	if *other != "" {
		return
	}
	for role, x := range map[string]string{"decoder": "z", "encoder": "x", "unet": "z"} {
		model := bundled(t, role)
		save(role+".onnx", model)
		gradient(role, model, x)
	}
}
