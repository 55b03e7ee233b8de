//go:build unix

package models

import (
	"syscall"
	"testing"
	"time"

	"ctrecon/ldm/onnx"
)

// TestOpensQuickly: the sessions of the built-in bundle (33 MB) are open after
// less than two seconds of a core, checksums included. The time of the process is
// counted, so that others on the machine do not matter.
func TestOpensQuickly(t *testing.T) {
	needRuntime(t)
	b, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	wall, before := time.Now(), spent(t)
	n, err := Load(b, onnx.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	n.Close()
	cpu := spent(t) - before
	t.Logf("%v of a core, %v by the clock", cpu, time.Since(wall))
	if cpu > 2*time.Second {
		t.Errorf("%v of a core to open the sessions", cpu)
	}
}

// spent is the processor time of this process.
func spent(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
