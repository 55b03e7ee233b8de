package dimse

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
)

const (
	benchObjects = 400
	benchBytes   = 512 * 512 * 2
)

// BenchmarkReceive is the rate at which a peer's objects become files on disk, each
// written, fsynced and renamed before its success is sent. The table of
// docs/node.md comes from it:
//
//	go test -run '^$' -bench Receive -benchtime 1x ./dicomio/dimse
func BenchmarkReceive(b *testing.B) {
	for _, sender := range []struct {
		name string
		run  func(*testing.B, Peer, []Object)
	}{
		{"storescu", dcmtkSender()},
		{"storescu-nodelay", dcmtkSender("TCP_NODELAY=1")},
		{"ctrecon", ourSender},
	} {
		for _, n := range []int{1, 4} {
			b.Run(fmt.Sprintf("%s/associations=%d", sender.name, n), func(b *testing.B) { benchReceive(b, n, sender.run) })
		}
	}
}

func benchReceive(b *testing.B, n int, run func(*testing.B, Peer, []Object)) {
	objects := benchData(b)
	for b.Loop() {
		b.StopTimer()
		h := &folder{dir: b.TempDir()}
		p := serve(b, &Server{Handler: h})
		b.StartTimer()
		var wait sync.WaitGroup
		for i := range n {
			wait.Go(func() { run(b, p, objects[i*len(objects)/n:(i+1)*len(objects)/n]) })
		}
		wait.Wait()
		if h.count() != benchObjects {
			b.Fatalf("%d of %d objects arrived", h.count(), benchObjects)
		}
	}
	b.ReportMetric(float64(benchObjects*b.N)/b.Elapsed().Seconds(), "objects/s")
	b.ReportMetric(0, "ns/op")
}

func benchData(b *testing.B) []Object {
	dir := b.TempDir()
	out := make([]Object, benchObjects)
	for i := range out {
		out[i] = object(b, dir, instance(i), ExplicitLittle, benchBytes)
	}
	return out
}

func ourSender(b *testing.B, p Peer, objects []Object) { send(b, p, objects...) }

func dcmtkSender(env ...string) func(*testing.B, Peer, []Object) {
	return func(b *testing.B, p Peer, objects []Object) {
		if _, err := exec.LookPath("storescu"); err != nil {
			b.Skip("storescu is missing")
		}
		args := []string{"-aec", p.AETitle, p.Host, strconv.Itoa(p.Port)}
		for _, o := range objects {
			args = append(args, o.Path)
		}
		c := exec.Command("storescu", args...)
		c.Env = append(os.Environ(), env...)
		if out, err := c.CombinedOutput(); err != nil {
			b.Errorf("storescu: %v\n%s", err, out)
		}
	}
}
