package models

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ctrecon/ldm/onnx"
)

// changed is tiny with a graph and the description changed, checksum corrected.
func changed(t *testing.T, file string, graph func([]byte) []byte, from, to string) *Bundle {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "b")
	if err := os.CopyFS(dir, os.DirFS(tiny)); err != nil {
		t.Fatal(err)
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	sum := func(b []byte) string { h := sha256.Sum256(b); return hex.EncodeToString(h[:]) }
	text := strings.ReplaceAll(string(read("bundle.json")), from, to)
	if graph != nil {
		old := read(file)
		now := graph(old)
		write(file, now)
		text = strings.Replace(text, sum(old), sum(now), 1)
	}
	write("bundle.json", []byte(text))
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func replace(from, to string) func([]byte) []byte {
	return func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(from), []byte(to)) }
}

// TestBadGraphs: checksums are right, the graphs are not what the description
// says. Each fault is found before anything runs, and its graph is named.
func TestBadGraphs(t *testing.T) {
	needRuntime(t)
	huge, err := os.ReadFile("testdata/huge.onnx")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, file string
		graph      func([]byte) []byte
		from, to   string
		want       string
	}{
		{"another latent size", "", nil, `"channels": 4`, `"channels": 3`, "encoder: output z has the shape [1 4 16 16], bundle.json asks for [1 3 16 16]"},
		{"another image size", "", nil, `"height": 64`, `"height": 128`, "encoder: input x has the shape [1 1 64 64], bundle.json asks for [1 1 128 64]"},
		{"another name", "decoder.onnx", replace("\x01z", "\x01q"), "", "", "decoder: has no input z"},
		{"an operator that nobody knows", "decoder.onnx", replace("ConvTranspose", "ConvTransposX"), "", "", "decoder: graph cannot be opened: .*ConvTransposX"},
		{"rubbish", "unet.onnx", func([]byte) []byte { return []byte("rubbish") }, "", "", "unet: onnx: "},
		{"two files changed places", "encoder.onnx", func([]byte) []byte { return huge }, "", "", "encoder: has no input x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, err := Load(changed(t, tt.file, tt.graph, tt.from, tt.to), onnx.Options{})
			if err == nil {
				n.Close()
			}
			for _, part := range strings.Split(tt.want, ".*") {
				if err == nil || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "\n") {
					t.Errorf("%v, want one line with %q", err, part)
				}
			}
		})
	}
}

// TestOutOfMemory: a network that wants more than there is ends with an error,
// and others work on.
func TestOutOfMemory(t *testing.T) {
	needRuntime(t)
	huge, err := os.ReadFile("testdata/huge.onnx")
	if err != nil {
		t.Fatal(err)
	}
	n, err := Load(changed(t, "unet.onnx", func([]byte) []byte { return huge }, "", ""), onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if err := n.Try(t.Context()); err == nil || !strings.Contains(err.Error(), "memory ran out") || !onnx.IsRunError(err) {
		t.Errorf("%v, want that memory ran out", err)
	}
	if err := n.Decode(t.Context(), make([]float32, n.dims.Pixels()), make([]float32, n.dims.Latent())); err != nil {
		t.Error(err)
	}
}

// TestBuiltInStops: a run of the built-in UNet that is cancelled in its middle
// ends within a second, and the session gives the same bits after it.
func TestBuiltInStops(t *testing.T) {
	needRuntime(t)
	b, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	g, err := LoadGradients(b, onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	d := g.Dims()
	z, dv := normals(d.Latent(), 0), normals(d.Latent(), 1)
	velocity := func(ctx context.Context) (dz []float32, err error) {
		dz = make([]float32, d.Latent())
		return dz, g.VelocityVJP(ctx, make([]float32, d.Latent()), dz, z, 0, nil, dv)
	}
	want, err := velocity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stopped := 0
	for _, after := range []time.Duration{time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		start := time.Now()
		_, err := velocity(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			stopped++
		} else if err != nil {
			t.Errorf("after %v: %v", after, err)
		}
		if took := time.Since(start) - after; took > time.Second {
			t.Errorf("%v to stop", took)
		}
		cancel()
	}
	if stopped == 0 {
		t.Error("no run was stopped in its middle")
	}
	again, err := velocity(t.Context())
	if err != nil || !bytes.Equal(raw(want), raw(again)) {
		t.Errorf("after cancelled runs: %v, or other bits", err)
	}
}

func raw(v []float32) []byte {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}
