package models

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ctrecon/ldm/onnx"
)

// TestRestorer: tiny's takes .6 of the attenuation of u and .3 of that of FBP, which
// is -1 + .6 (u + 1) + .3 (f + 1) in units of the model.
func TestRestorer(t *testing.T) {
	needRuntime(t)
	b, err := Open(tiny)
	if err != nil {
		t.Fatal(err)
	}
	r, err := LoadRestorer(b, onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f, u := normals(b.Dims().Pixels(), 0), normals(b.Dims().Pixels(), 1)
	want := make([]float64, len(u))
	for i := range u {
		want[i] = -1 + 0.6*float64(u[i]+1) + 0.3*float64(f[i]+1)
	}
	if err := r.Run(t.Context(), u, f); err != nil {
		t.Fatal(err)
	}
	for i, v := range u {
		if math.Abs(float64(v)-want[i]) > 2e-6 {
			t.Fatalf("pixel %d: %g, want %g", i, v, want[i])
		}
	}
	if r.Rounds != 2 || r.Kappa != 1 || r.Range != b.Range() {
		t.Errorf("described as %+v", r)
	}
}

// TestRestorerMirror: a network that is the same for every pixel gives the mean of
// itself; a session whose inputs are turned back wrongly would not.
func TestRestorerMirror(t *testing.T) {
	needRuntime(t)
	b, err := Open(tiny)
	if err != nil {
		t.Fatal(err)
	}
	r, err := LoadRestorer(b, onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f, plain, both := normals(b.Dims().Pixels(), 0), normals(b.Dims().Pixels(), 1), normals(b.Dims().Pixels(), 1)
	if err := r.Run(t.Context(), plain, f); err != nil {
		t.Fatal(err)
	}
	if r.Mirror = true; r.Run(t.Context(), both, f) != nil {
		t.Fatal("no run in the mirror")
	}
	for i, v := range both {
		if math.Abs(float64(v-plain[i])) > 2e-6 {
			t.Fatalf("pixel %d: %g, want %g", i, v, plain[i])
		}
	}
}

// TestRestorerFaults: what a description says of the network is checked.
func TestRestorerFaults(t *testing.T) {
	text, err := os.ReadFile(tiny + "/bundle.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, to, want string }{
		{`"rounds": 2`, `"rounds": 0`, "restorer.rounds 0"}, {`"kappa": 1.0`, `"kappa": -1`, "restorer.kappa -1"},
		{`"steps": 20`, `"steps": 2000`, "sampler: "}, {`"end": -7.0`, `"end": 3.0`, "sampler: "},
		{`"role": "restorer"`, `"role": "other"`, "no file has the role restorer"},
	} {
		dir := t.TempDir()
		if !strings.Contains(string(text), c.from) {
			t.Fatalf("no %s in the description", c.from)
		}
		if err := os.WriteFile(filepath.Join(dir, "bundle.json"), []byte(strings.Replace(string(text), c.from, c.to, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.to, err, c.want)
		}
	}
}

// TestErrorLaw: 3, 4 and 12 add up to 13; without a law the spread stands for itself.
func TestErrorLaw(t *testing.T) {
	law := &ErrorLaw{Spread: 1.5, Deviation: 0.2, FloorHU: 12}
	if got := law.SD(2, 20); math.Abs(got-13) > 1e-12 {
		t.Errorf("law gives %g", got)
	}
	if got := (*ErrorLaw)(nil).SD(2, 20); got != 2 {
		t.Errorf("no law gives %g", got)
	}
	if err := (&ErrorLaw{Spread: -1}).check(); err == nil {
		t.Error("a negative factor is taken")
	}
}

// TestStartOfSamples: a bundle whose samples start from the restorer's image needs
// no TV, and one that names an unknown start is refused.
func TestStartOfSamples(t *testing.T) {
	text, err := os.ReadFile("testdata/tiny/bundle.json")
	if err != nil {
		t.Fatal(err)
	}
	const none = `"conditioning": null`
	for _, c := range []struct{ start, want string }{
		{`{"kind": "pnp-unet"}`, ""}, {`{"kind": "tv"}`, ""}, {`{"kind": "sirt"}`, `conditioning.start.kind "sirt"`},
	} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(tiny)); err != nil {
			t.Fatal(err)
		}
		changed := strings.Replace(string(text), none, `"conditioning": {"cond": {"kind": "fbp", "window": "hann"}, "start": `+c.start+`}`, 1)
		if err := os.WriteFile(filepath.Join(dir, "bundle.json"), []byte(changed), 0o644); err != nil {
			t.Fatal(err)
		}
		b, err := Open(dir)
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", c.start, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if b.StartKind() != strings.Split(c.start, `"`)[3] {
			t.Errorf("%s: starts from %s", c.start, b.StartKind())
		}
	}
}
