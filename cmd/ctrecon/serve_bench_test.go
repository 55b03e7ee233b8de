package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ctrecon/dicomio/dimse"
)

// noRule takes series and makes nothing of them.
const noRule = "[[rule]]\nname = \"never\"\nmodality = \"XX\"\nviews = 8\nmethods = [\"tv\"]\n"

// copies writes n objects of 512 x 512 pixels that differ in their UID alone.
func copies(b testing.TB, n, round int) (files []string) {
	b.Helper()
	dir := b.TempDir()
	if code := command(b.Context(), io.Discard, os.Stderr, "phantom", "--size", "512", "--out", filepath.Join(dir, "one"), "thorax"); code != exitOK {
		b.Fatalf("phantom: exit code %d", code)
	}
	objects, _, err := sendable([]string{filepath.Join(dir, "one")})
	if err != nil || len(objects) != 1 {
		b.Fatalf("%d objects of a phantom, %v", len(objects), err)
	}
	data, err := os.ReadFile(objects[0].Path)
	if err != nil {
		b.Fatal(err)
	}
	uid := []byte(objects[0].SOPInstance)
	for i := range n {
		other := slices.Clone(uid)
		end := fmt.Sprintf("%03d%06d", round, i)
		copy(other[len(other)-len(end):], end)
		path := filepath.Join(dir, strconv.Itoa(i)+".dcm")
		if err := os.WriteFile(path, bytes.ReplaceAll(data, uid, other), 0o600); err != nil {
			b.Fatal(err)
		}
		files = append(files, path)
	}
	return files
}

// BenchmarkServe: how many objects of 512 x 512 pixels a node takes in a second, each acknowledged when it is on the disk:
// from this program's sender over 1, 4 and 50 associations, and from dcmtk.
func BenchmarkServe(b *testing.B) {
	const objects = 400
	ours := func(associations int) func(*testing.B, *running, []string) {
		return func(b *testing.B, n *running, files []string) {
			var wg sync.WaitGroup
			for part := range slices.Chunk(files, (len(files)+associations-1)/associations) {
				wg.Go(func() {
					for i, s := range n.send("BENCH", part...) {
						if s.Code != dimse.Success {
							b.Errorf("%s: %v", part[i], s)
						}
					}
				})
			}
			wg.Wait()
		}
	}
	for _, c := range []struct {
		name string
		send func(*testing.B, *running, []string)
	}{
		{"associations=1", ours(1)},
		{"associations=4", ours(4)},
		{"associations=50", ours(50)},
		{"storescu", func(b *testing.B, n *running, files []string) {
			program := installed(b, "storescu")
			args := append([]string{"-aet", "BENCH", "-aec", "CTRECON", "127.0.0.1", strconv.Itoa(n.peer.Port)}, files...)
			if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
				b.Fatalf("%v: %s", err, out)
			}
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			n := startNode(b, nodeOptions(b, b.TempDir(), noRule))
			var spent time.Duration
			round := 0
			for b.Loop() {
				b.StopTimer()
				files := copies(b, objects, round)
				round++
				b.StartTimer()
				began := time.Now()
				c.send(b, n, files)
				spent += time.Since(began)
			}
			b.ReportMetric(objects*float64(round)/spent.Seconds(), "objects/s")
			b.ReportMetric(float64(peakMemory(b))/(1<<20), "peak-MiB")
		})
	}
}

// peakMemory of this process in bytes; 0 where the system does not say.
func peakMemory(testing.TB) int64 {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
			kb, _ := strconv.ParseInt(f[1], 10, 64)
			return kb << 10
		}
	}
	return 0
}
