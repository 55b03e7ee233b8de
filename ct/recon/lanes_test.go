package recon

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"

	"ctrecon/ct"
	"ctrecon/ldm"
)

// TestLanes: any number of threads gives the same bits and the same samples in
// the same order, and progress counts every step.
func TestLanes(t *testing.T) {
	needRuntime(t)
	var want [][]float32
	for _, c := range []struct{ threads, lanes, inside int }{{1, 1, 1}, {2, 2, 1}, {3, 3, 1}, {7, 3, 2}} {
		m := newDiffusion("resample", Options{Model: tinyModel(t), Threads: c.threads, Samples: 3, Steps: 4})
		if n, inside := m.laneCount(); n != c.lanes || inside != c.inside {
			t.Errorf("%d threads: %d lanes of %d", c.threads, n, inside)
		}
		job, _ := measured(t, 32, 12, ct.Noise{Sigma: 0.02})
		var got [][]float32
		job.Sample = func(_ string, img ct.Image) { got = append(got, slices.Clone(img.Pix)) }
		steps := 0
		r, err := m.Reconstruct(t.Context(), job, func(done, all int, _ float64) {
			if steps++; done != steps || all != 12 {
				t.Errorf("%d threads: step %d is called %d of %d", c.threads, steps, done, all)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, r.Image.Pix, r.SD, r.Prior); steps != 12 || len(got) != 6 {
			t.Fatalf("%d threads: %d steps, %d images", c.threads, steps, len(got))
		}
		if want == nil {
			want = got
		}
		for i := range want {
			if !slices.Equal(want[i], got[i]) {
				t.Errorf("%d threads: image %d differs", c.threads, i)
			}
		}
	}
}

// TestLanesDevice: a GPU is not shared.
func TestLanesDevice(t *testing.T) {
	m := newDiffusion("resample", Options{Device: "cuda:0", Threads: 4})
	if n, inside := m.laneCount(); n != 1 || inside != 4 {
		t.Errorf("%d lanes of %d threads", n, inside)
	}
}

// TestLanePanics: a bug in a lane is an error like one elsewhere.
func TestLanePanics(t *testing.T) {
	needRuntime(t)
	m := newDiffusion("resample", Options{Model: tinyModel(t), Threads: 2, Samples: 2, Steps: 2})
	job, _ := measured(t, 32, 12, ct.Noise{Sigma: 0.02})
	if _, err := m.Reconstruct(t.Context(), job, nil); err != nil {
		t.Fatal(err)
	}
	m.lanes[1].s = nil
	m.lanes[0].s = nil
	if _, err := m.Reconstruct(t.Context(), job, nil); err == nil {
		t.Error("no error")
	}
}

// BenchmarkResample is a slice of the built-in model at 256/25/367 and its stages
// on one thread: what is spent where, in time and in memory (peak-MB, that of the
// whole process while the stage runs).
func BenchmarkResample(b *testing.B) {
	needRuntime(b)
	job, _ := measured(b, 256, 25, ct.Noise{Sigma: 0.01})
	m := newDiffusion("resample", Options{Samples: 1})
	if _, err := m.Reconstruct(b.Context(), job, nil); err != nil { // opens and plans
		b.Fatal(err)
	}
	d, net := m.lanes[0].data, m.lanes[0].s.(*ldm.Resampler).Model
	dims := net.Dims()
	u, z, v := make([]float32, dims.Pixels()), make([]float32, dims.Latent()), make([]float32, dims.Latent())
	fbp, warm, err := m.conditions(b.Context(), &job, d)
	if err != nil {
		b.Fatal(err)
	}
	cond := &ldm.Condition{Image: fbp, Start: z}
	o := ldm.DefaultOptions()
	for _, c := range []struct {
		name string
		f    func() error
	}{
		{"conditions", func() error { _, _, err := m.conditions(b.Context(), &job, d); return err }},
		{"encode", func() error { return net.Encode(b.Context(), z, warm) }},
		{"decode", func() error { return net.Decode(b.Context(), u, z) }},
		{"velocity", func() error { return net.Velocity(b.Context(), v, z, 0, cond) }},
		{"datastep", func() error { return d.Solve(b.Context(), u, warm, nil, o.R2Scale*1e-3, o.Tol, o.Iters) }},
		{"prior", func() error { _, err := m.prior(b.Context(), &job, d); return err }},
		{"sample", func() error { _, err := m.Reconstruct(b.Context(), job, nil); return err }},
	} {
		b.Run(c.name, func(b *testing.B) { stage(b, c.f) })
	}
	for _, threads := range []int{1, 2} {
		whole := newDiffusion("resample", Options{Threads: threads})
		b.Run(fmt.Sprintf("slice/threads=%d", threads), func(b *testing.B) {
			stage(b, func() error { _, err := whole.Reconstruct(b.Context(), job, nil); return err })
		})
	}
}

// stage repeats f and reports the most memory that the process held meanwhile.
func stage(b *testing.B, f func() error) {
	os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // forgets the earlier peak; not everywhere
	for b.Loop() {
		if err := f(); err != nil {
			b.Fatal(err)
		}
	}
	if mb := peakMB(); mb > 0 {
		b.ReportMetric(mb, "peak-MB")
	}
}

// peakMB is the highest resident memory of the process, 0 where it isn't told.
func peakMB() float64 {
	status, _ := os.ReadFile("/proc/self/status")
	_, after, _ := bytes.Cut(status, []byte("VmHWM:"))
	fields := bytes.Fields(after)
	if len(fields) == 0 {
		return 0
	}
	kb, _ := strconv.ParseFloat(string(fields[0]), 64)
	return kb / 1024
}
