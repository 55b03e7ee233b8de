package dicomio

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"
)

// cpuTime is what this process has used, which other processes do not disturb.
func cpuTime(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peak is the largest resident memory of this process in MiB, 0 where /proc is not.
func peak() float64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(b), "VmHWM:")
	var kib float64
	fmt.Sscan(after, &kib)
	return kib / 1024
}

// manyFiles writes a series of n files of 512 x 512 words.
func manyFiles(t testing.TB, dir string, n int) {
	t.Helper()
	px := make([]byte, 2*512*512)
	for k := 0; k < len(px); k += 2 {
		binary.LittleEndian.PutUint16(px[k:], uint16(k%2000))
	}
	for i := range n {
		small := slab{number: i + 1, z: float64(i), acquisition: 1}.bytes()
		at := strings.LastIndex(string(small), "\xE0\x7F\x10\x00OW")
		b := append(small[:at:at], el(0x7FE0, 0x10, "OW", px)...)
		for _, e := range []uint16{0x10, 0x11} { // rows and columns
			k := strings.Index(string(b), string([]byte{0x28, 0, byte(e), 0, 'U', 'S'}))
			binary.LittleEndian.PutUint16(b[k+8:], 512)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%04d.dcm", i)), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSpeed bounds the processor time of a file and of a frame, three times above what
// 300 files a second and 1.5 s for 1,000 frames on two cores allow.
func TestSpeed(t *testing.T) {
	const n = 60
	dir := t.TempDir()
	manyFiles(t, dir, n)
	name := filepath.Join(t.TempDir(), "large.dcm")
	large(t, name, n)
	for _, tt := range []struct {
		path string
		each time.Duration
	}{{dir, 3 * 2 * time.Second / 300}, {name, 3 * 2 * 1500 * time.Millisecond / 1000}} {
		start := cpuTime(t)
		all, err := ReadSeries(tt.path, 2)
		if err != nil || len(all[0].Slices) != n {
			t.Fatalf("%v", err)
		}
		if each := (cpuTime(t) - start) / n; each > tt.each {
			t.Errorf("%s: %v of processor time a slice, %v at most", filepath.Base(tt.path), each, tt.each)
		}
	}
}

// BenchmarkReadSeries/512x512x1000 reads 1,000 files and says how many a second, and
// the peak of memory.
func BenchmarkReadSeries(b *testing.B) {
	b.Run("512x512x1000", func(b *testing.B) {
		dir := b.TempDir()
		manyFiles(b, dir, 1000)
		b.SetBytes(1000 * 512 * 512 * 2)
		n := 0
		for b.Loop() {
			if _, err := ReadSeries(dir, 2); err != nil {
				b.Fatal(err)
			}
			n += 1000
			b.StopTimer()
			debug.FreeOSMemory()
			b.StartTimer()
		}
		b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "files/s")
		b.ReportMetric(peak(), "MiB-peak")
	})
}

// BenchmarkWriteSeries/512x512x50 writes files, checked and synced.
func BenchmarkWriteSeries(b *testing.B) {
	b.Run("512x512x50", func(b *testing.B) {
		d := derived(50)
		d.Grid.W, d.Grid.H = 512, 512
		root := b.TempDir()
		for i := 0; b.Loop(); i++ {
			if _, err := WriteSeries(filepath.Join(root, fmt.Sprint(i)), d); err != nil {
				b.Fatal(err)
			}
		}
	})
}
