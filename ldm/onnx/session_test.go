package onnx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func needRuntime(t testing.TB) {
	t.Helper()
	if os.Getenv(LibraryEnv) == "" {
		if p, _ := filepath.Abs("../../lib/libonnxruntime.so.1.31.1"); isFile(p) {
			os.Setenv(LibraryEnv, p) // before the only search for it
		}
	}
	if _, err := Open(); err != nil {
		t.Skip(err)
	}
}

// decoder is tiny's: 4 x 16 x 16 to 64 x 64.
func decoder(t testing.TB) *Session {
	t.Helper()
	needRuntime(t)
	graph, err := os.ReadFile("../models/testdata/tiny/decoder.onnx")
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSession(graph, []Port{{"z", []int64{1, 4, 16, 16}}}, []Port{{"x", []int64{1, 1, 64, 64}}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestCancelled(t *testing.T) {
	s := decoder(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v", err)
	}
	if err := s.Run(t.Context()); err != nil {
		t.Errorf("after a cancelled run: %v", err)
	}
}

// TestCancelling: cancelling at any moment of many runs ends them within a
// second, and the session works on.
func TestCancelling(t *testing.T) {
	s := decoder(t)
	for k := range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(k)*100*time.Microsecond)
		start := time.Now()
		var err error
		for err == nil {
			err = s.Run(ctx)
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Run = %v", err)
		}
		if d := time.Since(start); d > time.Second {
			t.Errorf("%v to stop", d)
		}
		cancel()
	}
	s.In(0)[0] = 1
	if err := s.Run(t.Context()); err != nil || s.Out(0)[0] == 0 {
		t.Errorf("Run = %v, first value %g", err, s.Out(0)[0])
	}
}

// TestNothingLeaks: the process does not grow over 1,000 runs and 200 sessions.
// Leaking the tensors of each would be 20 MiB.
func TestNothingLeaks(t *testing.T) {
	s := decoder(t)
	graph, err := os.ReadFile("../models/testdata/tiny/decoder.onnx")
	if err != nil {
		t.Fatal(err)
	}
	work := func(runs, sessions int) {
		for range runs {
			if err := s.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for range sessions {
			n, err := NewSession(graph, []Port{{"z", []int64{1, 4, 16, 16}}}, []Port{{"x", []int64{1, 1, 64, 64}}}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			n.Close()
		}
	}
	work(200, 100)
	before := resident(t)
	work(1000, 200)
	if grown := resident(t) - before; grown > 5<<20 {
		t.Errorf("grew by %d bytes", grown)
	}
}

// resident is the process's memory in bytes.
func resident(t *testing.T) int64 {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("no /proc")
	}
	f := bytes.Fields(b)
	n := int64(0)
	for _, c := range f[1] {
		n = 10*n + int64(c-'0')
	}
	return n * int64(os.Getpagesize())
}

func TestBadGraphs(t *testing.T) {
	needRuntime(t)
	good, err := os.ReadFile("../models/testdata/tiny/decoder.onnx")
	if err != nil {
		t.Fatal(err)
	}
	z, x := []Port{{"z", []int64{1, 4, 16, 16}}}, []Port{{"x", []int64{1, 1, 64, 64}}}
	for _, c := range []struct {
		name    string
		graph   []byte
		in, out []Port
		o       Options
	}{
		{"rubbish", []byte("not a graph"), z, x, Options{}},
		{"cut", good[:len(good)/2], z, x, Options{}},
		{"unknown operator", bytes.Replace(good, []byte("ConvTranspose"), []byte("ConvTransposX"), 1), z, x, Options{}},
		{"another device", good, z, x, Options{Device: "tpu"}},
		{"no such GPU", good, z, x, Options{Device: "cuda:99"}},
		{"another input", good, []Port{{"y", z[0].Shape}}, x, Options{}},
		{"another shape", good, []Port{{"z", []int64{1, 4, 8, 8}}}, x, Options{}},
	} {
		s, err := NewSession(c.graph, c.in, c.out, c.o)
		if err == nil {
			err = s.Run(t.Context())
			s.Close()
		}
		if err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want an error of one line", c.name, err)
		}
	}
}

func TestDevice(t *testing.T) {
	needRuntime(t)
	if name, why, err := Device("auto"); err != nil || name != "cpu" && name != "cuda:0" || why == "" {
		t.Errorf("auto: %q, %q, %v", name, why, err)
	}
	if name, _, err := Device("cpu"); err != nil || name != "cpu" {
		t.Errorf("cpu: %q, %v", name, err)
	}
	if _, _, err := Device("abacus"); err == nil {
		t.Error("abacus is a device")
	}
}

// TestCUDA: a GPU gives the CPU's image, in any session the same bits, and stops
// when told to. Skipped by the name of what is missing.
func TestCUDA(t *testing.T) {
	cpu := decoder(t)
	if err := usable("cuda:0"); err != nil {
		t.Skip(err)
	}
	graph, err := os.ReadFile("../models/testdata/tiny/decoder.onnx")
	if err != nil {
		t.Fatal(err)
	}
	for i := range cpu.In(0) {
		cpu.In(0)[i] = float32(math.Sin(float64(i)))
	}
	if err := cpu.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var first []float32
	for range 2 {
		gpu, err := NewSession(graph, []Port{{"z", []int64{1, 4, 16, 16}}}, []Port{{"x", []int64{1, 1, 64, 64}}}, Options{Device: "cuda:0"})
		if err != nil {
			t.Fatal(err)
		}
		defer gpu.Close()
		copy(gpu.In(0), cpu.In(0))
		for range 3 {
			if err := gpu.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = slices.Clone(gpu.Out(0))
			}
			if !slices.Equal(first, gpu.Out(0)) {
				t.Error("two runs differ in bits")
			}
		}
		if e := distance(gpu.Out(0), cpu.Out(0)); e > 1e-5 {
			t.Errorf("relative distance to the CPU %g", e)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Millisecond)
		for err == nil {
			err = gpu.Run(ctx)
		}
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("stopped by %v", err)
		}
		if err := gpu.Run(t.Context()); err != nil {
			t.Errorf("after a stop: %v", err)
		}
	}
}

// distance is |a - b| / |b|.
func distance(a, b []float32) float64 {
	d, n := 0.0, 0.0
	for i := range b {
		d += math.Pow(float64(a[i])-float64(b[i]), 2)
		n += math.Pow(float64(b[i]), 2)
	}
	return math.Sqrt(d / n)
}

// TestCUDAOptions: what results depend on is never the provider's default.
func TestCUDAOptions(t *testing.T) {
	o := cudaOptions("3")
	for key, want := range map[string]string{"device_id": "3", "use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"} {
		if o[key] != want {
			t.Errorf("%s = %q, want %q", key, o[key], want)
		}
	}
}

func TestProviders(t *testing.T) {
	needRuntime(t)
	names, missing, err := Providers()
	if err != nil || !slices.Contains(names, "cpu") {
		t.Errorf("%v, %v: the CPU is always there", names, err)
	}
	if slices.Contains(names, "cuda") != (missing == "") || strings.Contains(missing, "\n") {
		t.Errorf("%v, CUDA is missing because %q", names, missing)
	}
}

// TestRunError: what the runtime says is one line of a kind of its own, and no
// memory is called so.
func TestRunError(t *testing.T) {
	for text, want := range map[string]string{
		"Failed to allocate memory for requested buffer\n of size 9": "memory ran out: .*9 bytes were asked for at once",
		"CUDA failure 2: out of memory":                              "memory ran out: ",
		"Got invalid dimensions\n for input":                         "^Got invalid dimensions for input$",
	} {
		err := oneLine(errors.New(text))
		if !IsRunError(fmt.Errorf("bundle: %w", err)) || !regexp.MustCompile(want).MatchString(err.Error()) {
			t.Errorf("%q became %v", text, err)
		}
	}
	if oneLine(nil) != nil || IsRunError(context.Canceled) {
		t.Error("no error, or the context's, is one of the runtime")
	}
}
