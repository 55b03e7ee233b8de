package dimse

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

const ctClass = storageRoot + "2"

// folder is a handler that keeps objects as a node does: a file is whole and on
// disk before success is said.
type folder struct {
	dir    string
	read   func(StoreRequest, io.Reader) (Status, bool) // in place of storing, when it says so
	commit func(Remote, Commitment) Status              // nil: success
	report func(Remote, CommitmentReport) Status        // nil: success

	mu     sync.Mutex
	stored map[string][32]byte // SHA-256 of the data set by instance
	calls  int
	ended  []bool // released?
	remote []Remote
	asked  []Commitment
	told   []CommitmentReport
}

func (f *folder) Store(_ context.Context, from Remote, r StoreRequest, data io.Reader) Status {
	f.mu.Lock()
	f.calls++
	f.remote = append(f.remote, from)
	f.mu.Unlock()
	if f.read != nil {
		if s, done := f.read(r, data); done {
			return s
		}
	}
	sum, err := keep(f.dir, r, data)
	if err != nil {
		return Status{OutOfResources, "cannot store"}
	}
	f.note(r, sum)
	return Status{}
}

func (f *folder) note(r StoreRequest, sum [32]byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stored == nil {
		f.stored = map[string][32]byte{}
	}
	f.stored[r.SOPInstance] = sum
}

// keep writes file, fsync, rename, fsync of the folder.
func keep(dir string, r StoreRequest, data io.Reader) (sum [32]byte, err error) {
	tmp, err := os.CreateTemp(dir, ".part-")
	if err != nil {
		return sum, err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	if _, err := tmp.Write(FileHeader(r)); err != nil {
		return sum, err
	}
	h := sha256.New()
	if _, err := io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(tmp, h)}, struct{ io.Reader }{data}, make([]byte, 128<<10)); err != nil {
		return sum, err
	}
	if err := tmp.Sync(); err != nil {
		return sum, err
	}
	if err := os.Rename(tmp.Name(), filepath.Join(dir, r.SOPInstance+".dcm")); err != nil {
		return sum, err
	}
	d, err := os.Open(dir)
	if err != nil {
		return sum, err
	}
	defer d.Close()
	return [32]byte(h.Sum(nil)), d.Sync()
}

func (f *folder) Commit(_ context.Context, from Remote, r Commitment) Status {
	f.mu.Lock()
	f.asked = append(f.asked, r)
	f.mu.Unlock()
	if f.commit != nil {
		return f.commit(from, r)
	}
	return Status{}
}

func (f *folder) Report(_ context.Context, from Remote, r CommitmentReport) Status {
	f.mu.Lock()
	f.told = append(f.told, r)
	f.mu.Unlock()
	if f.report != nil {
		return f.report(from, r)
	}
	return Status{}
}

func (f *folder) Ended(_ Remote, released bool) {
	f.mu.Lock()
	f.ended = append(f.ended, released)
	f.mu.Unlock()
}

func (f *folder) ends() []bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]bool(nil), f.ended...)
}

func (f *folder) sum(instance string) [32]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stored[instance]
}

func (f *folder) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.stored)
}

// serve runs a server on a free port until the test ends, and holds it to ending.
func serve(t testing.TB, s *Server) Peer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if s.Limits.Drain == 0 {
		s.Limits.Drain = 2 * time.Second
	}
	if s.Log == nil && os.Getenv("DIMSE_LOG") != "" {
		s.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("Serve does not end")
		}
	})
	title := s.AETitle
	if title == "" {
		title = "ANY-SCP"
	}
	a := l.Addr().(*net.TCPAddr)
	return Peer{AETitle: title, Host: "127.0.0.1", Port: a.Port}
}

// dataSet is a small CT object with pixels of n bytes, in any of the transfer
// syntaxes; in a compressed one, the pixels are fragments that nobody decodes.
func dataSet(instance, syntax string, n int) []byte {
	w := writer{explicit: syntax != ImplicitLittle}
	w.uid(tagSOPClass, ctClass)
	w.uid(tagSOPInstance, instance)
	w.element(0x0008_0060, "CS", []byte("CT"))
	w.element(0x0010_0010, "PN", []byte("Nobody^Test "))
	w.element(0x0010_0020, "LO", []byte("TEST"))
	w.uid(0x0020_000D, instance+".1")
	w.uid(0x0020_000E, instance+".2")
	u16 := func(v int) []byte { return binary.LittleEndian.AppendUint16(nil, uint16(v)) }
	w.element(0x0028_0002, "US", u16(1))
	w.element(0x0028_0004, "CS", []byte("MONOCHROME2 "))
	w.element(0x0028_0010, "US", u16(512))
	w.element(0x0028_0011, "US", u16(n/1024))
	w.element(0x0028_0100, "US", u16(16))
	w.element(0x0028_0101, "US", u16(16))
	w.element(0x0028_0102, "US", u16(15))
	w.element(0x0028_0103, "US", u16(0))
	pixels := make([]byte, n)
	rng := rand.New(rand.NewPCG(uint64(n), uint64(len(instance))))
	for i := 0; i+8 <= n; i += 8 {
		binary.LittleEndian.PutUint64(pixels[i:], rng.Uint64())
	}
	if syntax == ImplicitLittle || syntax == ExplicitLittle {
		w.long(0x7FE0_0010, "OW", uint32(n))
		w.b.Write(pixels)
		return w.b.Bytes()
	}
	w.long(0x7FE0_0010, "OB", undefined)
	w.element(tagItem, "", nil)
	w.element(tagItem, "", pixels)
	w.head(tagSequenceEnd, "", 0)
	return w.b.Bytes()
}

func (w *writer) long(tag uint32, vr string, n uint32) {
	if !w.explicit {
		w.head(tag, vr, n)
		return
	}
	w.head(tag, "OB", n)
	b := w.b.Bytes()
	copy(b[len(b)-8:], vr)
}

// object writes a file and returns it as ReadObject sees it.
func object(t testing.TB, dir, instance, syntax string, n int) Object {
	t.Helper()
	return objectOf(t, dir, StoreRequest{ctClass, instance, syntax}, dataSet(instance, syntax, n))
}

func objectOf(t testing.TB, dir string, r StoreRequest, data []byte) Object {
	t.Helper()
	path := filepath.Join(dir, r.SOPInstance+".dcm")
	if err := os.WriteFile(path, append(FileHeader(r), data...), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := ReadObject(path)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// sum is the SHA-256 of an object's data set.
func sum(t testing.TB, o Object) [32]byte {
	t.Helper()
	b, err := os.ReadFile(o.Path)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(b[o.Offset:])
}

// ctx ends with a test that hangs, well before the test binary does.
func testContext(t testing.TB) context.Context {
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(stop)
	return ctx
}

func instance(i int) string { return fmt.Sprintf("1.2.826.0.1.3680043.10.1.%d", i+1) }

func send(t testing.TB, p Peer, objects ...Object) []Status {
	t.Helper()
	ctx := testContext(t)
	a, err := (&Client{AETitle: "CTRECON", Peer: p}).Open(ctx, objects)
	if err != nil {
		t.Fatal(err)
	}
	var out []Status
	for _, o := range objects {
		s, err := a.Store(ctx, o)
		if err != nil {
			t.Fatalf("%s: %v", o.Path, err)
		}
		out = append(out, s)
	}
	if err := a.Release(ctx); err != nil {
		t.Fatal(err)
	}
	return out
}

// syncBuffer is a buffer for logs.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func textLog(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
