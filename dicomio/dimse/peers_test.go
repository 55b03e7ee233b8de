package dimse

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// program is the path of somebody else's program; a test without it is skipped.
func program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is missing", name)
	}
	return path
}

// freePort is a port that nobody listened on a moment ago.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// background runs a program until the test ends and waits until it answers C-ECHO.
func background(t *testing.T, p Peer, name string, args ...string) {
	t.Helper()
	c := exec.Command(program(t, name), args...)
	var out syncBuffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		e, err := (&Client{AETitle: "CTRECON", Peer: p}).Echo(testContext(t))
		if err == nil && e.Status.OK() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not answer: %v\n%s", name, err, out.String())
		}
	}
}

// TestEchoSCU: dcmtk's echoscu is answered under our title and refused under
// another.
func TestEchoSCU(t *testing.T) {
	echoscu := program(t, "echoscu")
	p := serve(t, &Server{AETitle: "CTRECON", Handler: &folder{}})
	for _, c := range []struct {
		title string
		ok    bool
	}{{"CTRECON", true}, {"OTHER", false}} {
		out, err := exec.Command(echoscu, "-aec", c.title, p.Host, strconv.Itoa(p.Port)).CombinedOutput()
		if (err == nil) != c.ok {
			t.Errorf("%s: %v\n%s", c.title, err, out)
		}
		if !c.ok && !strings.Contains(string(out), "Called AE Title Not Recognized") {
			t.Errorf("%s: no reason in %q", c.title, out)
		}
	}
}

// TestStoreSCU: dcmtk's storescu brings objects in every transfer syntax that it
// proposes, and again and again, and many at once; every data set arrives as it was
// sent.
func TestStoreSCU(t *testing.T) {
	storescu := program(t, "storescu")
	for i, c := range []struct{ name, flag, syntax string }{
		{"implicit", "-xi", ImplicitLittle},
		{"explicit", "-xe", ExplicitLittle},
		{"JPEG lossless", "-xs", "1.2.840.10008.1.2.4.70"},
		{"JPEG 8 bit", "-xy", "1.2.840.10008.1.2.4.50"},
		{"JPEG 12 bit", "-xx", "1.2.840.10008.1.2.4.51"},
		{"JPEG-LS lossless", "-xt", "1.2.840.10008.1.2.4.80"},
		{"JPEG-LS", "-xu", "1.2.840.10008.1.2.4.81"},
		{"JPEG 2000 lossless", "-xv", "1.2.840.10008.1.2.4.90"},
		{"JPEG 2000", "-xw", "1.2.840.10008.1.2.4.91"},
		{"RLE", "-xr", "1.2.840.10008.1.2.5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &folder{dir: t.TempDir()}
			p := serve(t, &Server{AETitle: "CTRECON", Handler: h})
			o := object(t, t.TempDir(), instance(i), c.syntax, 64<<10)
			if out, err := exec.Command(storescu, c.flag, "-aec", p.AETitle, p.Host, strconv.Itoa(p.Port), o.Path).CombinedOutput(); err != nil {
				t.Fatalf("storescu: %v\n%s", err, out)
			}
			got, err := ReadObject(filepath.Join(h.dir, o.SOPInstance+".dcm"))
			if err != nil || got.TransferSyntax != c.syntax {
				t.Fatalf("stored as %q: %v", got.TransferSyntax, err)
			}
			if h.sum(o.SOPInstance) != sum(t, o) {
				t.Error("the data set is not what was sent")
			}
		})
	}
	t.Run("ten associations of five", func(t *testing.T) {
		h := &folder{dir: t.TempDir()}
		p := serve(t, &Server{AETitle: "CTRECON", Handler: h})
		dir, want := t.TempDir(), map[string][32]byte{}
		var wait sync.WaitGroup
		for a := range 10 {
			args := []string{"-aec", p.AETitle, p.Host, strconv.Itoa(p.Port)}
			for i := range 5 {
				o := object(t, dir, instance(100+5*a+i), ExplicitLittle, 32<<10)
				args, want[o.SOPInstance] = append(args, o.Path), sum(t, o)
			}
			wait.Go(func() {
				if out, err := exec.Command(storescu, args...).CombinedOutput(); err != nil {
					t.Errorf("storescu: %v\n%s", err, out)
				}
			})
		}
		wait.Wait()
		for id, s := range want {
			if h.sum(id) != s {
				t.Errorf("%s is missing or another", id)
			}
		}
	})
	t.Run("abort", func(t *testing.T) {
		h := &folder{dir: t.TempDir()}
		p := serve(t, &Server{AETitle: "CTRECON", Handler: h})
		o := object(t, t.TempDir(), instance(200), ExplicitLittle, 32<<10)
		exec.Command(storescu, "--abort", "-aec", p.AETitle, p.Host, strconv.Itoa(p.Port), o.Path).Run()
		for end := time.Now().Add(5 * time.Second); len(h.ends()) == 0 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		}
		if e := h.ends(); len(e) != 1 || e[0] || h.count() != 1 {
			t.Errorf("ended as %v with %d objects, want one abort after one object", e, h.count())
		}
	})
}

// TestStoreSCP: what we send to dcmtk's storescp is there, and a peer that refuses,
// breaks off or sleeps is told apart from one that stored.
func TestStoreSCP(t *testing.T) {
	program(t, "storescp")
	dir := t.TempDir()
	o := object(t, t.TempDir(), instance(300), ExplicitLittle, 64<<10)
	start := func(t *testing.T, args ...string) Peer {
		p := Peer{"STORE", "127.0.0.1", freePort(t)}
		background(t, p, "storescp", append(args, "-od", dir, "-aet", p.AETitle, strconv.Itoa(p.Port))...)
		return p
	}
	t.Run("stored", func(t *testing.T) {
		if s := send(t, start(t, "-B"), o)[0]; s.Code != Success {
			t.Fatalf("status %v", s)
		}
		files, _ := filepath.Glob(filepath.Join(dir, "*"+o.SOPInstance))
		if len(files) != 1 {
			t.Fatalf("files %v", files)
		}
		got, err := ReadObject(files[0])
		if err != nil || sum(t, got) != sum(t, o) {
			t.Errorf("not the data set that was sent: %v", err)
		}
	})
	for _, flag := range []string{"--abort-after", "--abort-during"} {
		t.Run(flag, func(t *testing.T) {
			c := &Client{AETitle: "CTRECON", Peer: start(t, flag)}
			a, err := c.Open(testContext(t), []Object{o})
			if err != nil {
				t.Fatal(err)
			}
			if s, err := a.Store(testContext(t), o); err == nil {
				t.Errorf("status %v of a peer that broke off", s)
			}
			a.Abort()
		})
	}
	t.Run("--sleep-during", func(t *testing.T) {
		p := start(t, "--sleep-during", "5")
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		a, err := (&Client{AETitle: "CTRECON", Peer: p}).Open(ctx, []Object{o})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Abort()
		if s, err := a.Store(ctx, o); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("status %v, error %v: want the context's", s, err)
		}
	})
	t.Run("--refuse", func(t *testing.T) {
		p := Peer{"STORE", "127.0.0.1", freePort(t)}
		c := exec.Command(program(t, "storescp"), "--refuse", "-od", dir, strconv.Itoa(p.Port))
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { c.Process.Kill(); c.Wait() }()
		var rejected *Rejected
		for end := time.Now().Add(10 * time.Second); rejected == nil; time.Sleep(50 * time.Millisecond) {
			_, err := (&Client{AETitle: "CTRECON", Peer: p}).Echo(testContext(t))
			if !errors.As(err, &rejected) && time.Now().After(end) {
				t.Fatalf("not rejected: %v", err)
			}
		}
	})
}

// TestOrthanc: Orthanc takes what we send, sends it back bit by bit the same, and
// reports storage commitment, for what it has and what it has not, on an association
// of its own.
func TestOrthanc(t *testing.T) {
	program(t, "Orthanc")
	h := &folder{dir: t.TempDir()}
	us := serve(t, &Server{AETitle: "CTRECON", Handler: h})
	dir := t.TempDir()
	p := Peer{"ORTHANC", "127.0.0.1", freePort(t)}
	http := freePort(t)
	config := filepath.Join(dir, "orthanc.json")
	text := fmt.Sprintf(`{"Name": "PEER", "StorageDirectory": %q, "IndexDirectory": %q, "RemoteAccessAllowed": false, "AuthenticationEnabled": false,
	"HttpPort": %d, "DicomPort": %d, "DicomAet": "ORTHANC", "DicomAlwaysAllowStore": true, "Plugins": [],
	"DicomModalities": {"us": {"AET": "CTRECON", "Host": "127.0.0.1", "Port": %d, "AllowEcho": true, "AllowStore": true, "AllowStorageCommitment": true}}}`,
		filepath.Join(dir, "db"), filepath.Join(dir, "db"), http, p.Port, us.Port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	background(t, p, "Orthanc", config)
	files, objects := t.TempDir(), []Object{}
	for i := range 3 {
		objects = append(objects, object(t, files, instance(400+i), ExplicitLittle, 64<<10))
	}
	for i, s := range send(t, p, objects...) {
		if s.Code != Success {
			t.Fatalf("object %d: %v", i, s)
		}
	}
	t.Run("commitment", func(t *testing.T) {
		r := Commitment{Transaction: "1.2.826.0.1.3680043.10.9", Instances: []Reference{{ctClass, instance(400)}, {ctClass, instance(401)}, {ctClass, instance(499)}}}
		s, err := (&Client{AETitle: "CTRECON", Peer: p}).RequestCommitment(testContext(t), r)
		if err != nil || !s.OK() {
			t.Fatalf("request: %v, %v", s, err)
		}
		told := func() []CommitmentReport { h.mu.Lock(); defer h.mu.Unlock(); return h.told }
		for end := time.Now().Add(15 * time.Second); len(told()) == 0 && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		}
		got := told()
		if len(got) != 1 || got[0].Transaction != r.Transaction || len(got[0].Stored) != 2 || len(got[0].Failed) != 1 || got[0].Failed[0].SOPInstance != instance(499) {
			t.Fatalf("reports %+v", got)
		}
	})
	t.Run("sends back", func(t *testing.T) {
		curl := program(t, "curl")
		base := fmt.Sprintf("http://127.0.0.1:%d", http)
		ids, err := exec.Command(curl, "-s", base+"/instances").Output()
		if err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(curl, "-s", "-f", "-X", "POST", base+"/modalities/us/store", "-d", string(ids)).CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
		for _, o := range objects {
			if h.sum(o.SOPInstance) != sum(t, o) {
				t.Errorf("%s is missing or another", o.SOPInstance)
			}
		}
	})
}
