package dimse

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ctrecon/dicomio/uid"
)

func TestEcho(t *testing.T) {
	h := &folder{}
	p := serve(t, &Server{AETitle: "CTRECON", Handler: h, Limits: Limits{PDU: 32768}})
	e, err := (&Client{AETitle: "TESTER", Peer: p}).Echo(testContext(t))
	if err != nil || !e.Status.OK() || e.Implementation != uid.ImplementationVersion || e.MaxPDU != 32768 || e.Time <= 0 {
		t.Errorf("%+v, %v", e, err)
	}
	waitFor(t, "the end of the association", func() bool { return slices.Equal(h.ends(), []bool{true}) })
}

// waitFor waits for what happens at the other end.
func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for until := time.Now().Add(10 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%s did not come", what)
		}
	}
}

// TestStore: objects of all transfer syntaxes and sizes arrive bit by bit, in a file
// that can be sent on, and the handler hears who sent them.
func TestStore(t *testing.T) {
	h := &folder{dir: t.TempDir()}
	p := serve(t, &Server{Handler: h})
	dir := t.TempDir()
	var objects []Object
	for i, syntax := range storageSyntaxes {
		if syntax == ExplicitBig || syntax == Deflated {
			continue
		}
		objects = append(objects, object(t, dir, instance(i), syntax, 1<<(i+5)))
	}
	deflated := deflate(t, dataSet(instance(50), ExplicitLittle, 3000))
	if len(deflated)%2 == 1 {
		deflated = append(deflated, 0)
	}
	objects = append(objects, objectOf(t, dir, StoreRequest{ctClass, instance(50), Deflated}, deflated))
	for i, s := range send(t, p, objects...) {
		if s.Code != Success {
			t.Errorf("%s: %v", objects[i].TransferSyntax, s)
		}
	}
	for _, o := range objects {
		if h.stored[o.SOPInstance] != sum(t, o) {
			t.Errorf("%s: arrived changed", o.TransferSyntax)
		}
		back, err := ReadObject(filepath.Join(h.dir, o.SOPInstance+".dcm"))
		if err != nil || back.StoreRequest != o.StoreRequest || sum(t, back) != sum(t, o) {
			t.Errorf("%s: the file that was written: %+v, %v", o.TransferSyntax, back, err)
		}
	}
	r := h.remote[0]
	if r.Calling != "CTRECON" || r.Called != "ANY-SCP" || !r.Addr.Addr().IsLoopback() || r.TLS || r.ID == "" {
		t.Errorf("remote: %+v", r)
	}
}

// TestStatuses: the sender sees the status that the handler gave, with its comment,
// and the association goes on.
func TestStatuses(t *testing.T) {
	want := []Status{{}, {OutOfResources, "disk is full"}, {DataSetMismatch, "no"}, {CannotUnderstand, ""}, {CoercedElements, "warned"}, {InvalidInstance, ""}, {SOPClassNotSupported, ""}, {0xC123, strings.Repeat("x", 64)}, {}}
	n := 0
	h := &folder{dir: t.TempDir()}
	h.read = func(_ StoreRequest, data io.Reader) (Status, bool) {
		n++
		if n%2 == 0 { // a refusal need not read
			return want[n-1], !want[n-1].OK()
		}
		_, err := io.Copy(io.Discard, data)
		return want[n-1], err == nil
	}
	p := serve(t, &Server{Handler: h})
	dir := t.TempDir()
	var objects []Object
	for i := range want {
		objects = append(objects, object(t, dir, instance(i), ExplicitLittle, 300000))
	}
	if got := send(t, p, objects...); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestUnread: a success for an object that was not read to its end is no success.
func TestUnread(t *testing.T) {
	h := &folder{read: func(_ StoreRequest, data io.Reader) (Status, bool) {
		_, err := io.CopyN(io.Discard, data, 100)
		return Status{}, err == nil
	}}
	p := serve(t, &Server{Handler: h})
	dir := t.TempDir()
	for _, n := range []int{200, 500000} {
		if s := send(t, p, object(t, dir, instance(n), ExplicitLittle, n)); s[0].Code != ProcessingFailure {
			t.Errorf("%d bytes: %v", n, s[0])
		}
	}
}

// TestMismatch: UIDs of command and data set differ: A900, and the handler is not asked.
func TestMismatch(t *testing.T) {
	h := &folder{dir: t.TempDir()}
	p := serve(t, &Server{Handler: h})
	dir := t.TempDir()
	for _, r := range []StoreRequest{{ctClass, "1.2.9", ExplicitLittle}, {storageRoot + "4", "1.2.3", ExplicitLittle}} {
		if s := send(t, p, objectOf(t, dir, r, dataSet("1.2.3", ExplicitLittle, 100000))); s[0].Code != DataSetMismatch {
			t.Errorf("%+v: %v", r, s[0])
		}
	}
	if h.calls != 0 {
		t.Errorf("the handler was called %d times", h.calls)
	}
}

func TestRejected(t *testing.T) {
	loopback, other := netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")
	tests := []struct {
		name           string
		server         Server
		calling, title string
		want           Rejected // zero: accepted
	}{
		{"right", Server{AETitle: "NODE"}, "CT1", "NODE", Rejected{}},
		{"any called title", Server{}, "CT1", "WHATEVER", Rejected{}},
		{"called title", Server{AETitle: "NODE"}, "CT1", "OTHER", Rejected{1, 1, 7}},
		{"called title in lower case", Server{AETitle: "NODE"}, "CT1", "node", Rejected{1, 1, 7}},
		{"allowed title", Server{Allow: []Allowed{{AETitle: "CT2"}, {AETitle: "CT1"}}}, "CT1", "NODE", Rejected{}},
		{"other title", Server{Allow: []Allowed{{AETitle: "CT2"}}}, "CT1", "NODE", Rejected{1, 1, 3}},
		{"allowed address", Server{Allow: []Allowed{{Prefix: loopback}}}, "CT1", "NODE", Rejected{}},
		{"other address", Server{Allow: []Allowed{{Prefix: other}}}, "CT1", "NODE", Rejected{1, 1, 3}},
		{"title from another address", Server{Allow: []Allowed{{"CT1", other}, {"CT2", loopback}}}, "CT1", "NODE", Rejected{1, 1, 3}},
		{"title and address", Server{Allow: []Allowed{{"CT1", loopback}}}, "CT1", "NODE", Rejected{}},
		{"congested", Server{Congested: func() bool { return true }}, "CT1", "NODE", Rejected{2, 3, 1}},
		{"not congested", Server{Congested: func() bool { return false }}, "CT1", "NODE", Rejected{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.server.Handler = &folder{}
			p := serve(t, &tt.server)
			p.AETitle = tt.title
			_, err := (&Client{AETitle: tt.calling, Peer: p}).Echo(testContext(t))
			var r *Rejected
			if errors.As(err, &r); r == nil {
				r = &Rejected{}
			}
			if *r != tt.want || (err == nil) != (tt.want == Rejected{}) {
				t.Errorf("got %v, want %+v", err, tt.want)
			}
			if err != nil && !strings.Contains(err.Error(), p.String()) {
				t.Errorf("%v does not name the peer", err)
			}
		})
	}
}

// TestAssociationLimit: as many as may be, and a place is free again afterwards.
func TestAssociationLimit(t *testing.T) {
	p := serve(t, &Server{Handler: &folder{}, Limits: Limits{Associations: 2}})
	c := &Client{AETitle: "CT1", Peer: p}
	ctx := testContext(t)
	objects := []Object{{StoreRequest: StoreRequest{ctClass, "1.2", ExplicitLittle}}}
	var open []*Association
	for range 2 {
		a, err := c.Open(ctx, objects)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, a)
	}
	_, err := c.Open(ctx, objects)
	var r *Rejected
	if !errors.As(err, &r) || *r != (Rejected{2, 3, 2}) || !r.Transient() {
		t.Fatalf("third association: %v", err)
	}
	if err := open[0].Release(ctx); err != nil {
		t.Fatal(err)
	}
	open[1].Abort()
	waitFor(t, "a free place", func() bool { _, err := c.Echo(ctx); return err == nil })
}

// TestNotAccepted: a class or syntax that the server does not take.
func TestNotAccepted(t *testing.T) {
	p := serve(t, &Server{Handler: &folder{dir: t.TempDir()}})
	ctx := testContext(t)
	good := object(t, t.TempDir(), "1.2.3", ExplicitLittle, 100)
	query := Object{StoreRequest: StoreRequest{"1.2.840.10008.5.1.4.1.2.1.1", "1.2.4", ExplicitLittle}, Path: good.Path}
	video := Object{StoreRequest: StoreRequest{ctClass, "1.2.5", "1.2.840.10008.1.2.4.102"}, Path: good.Path}
	c := &Client{AETitle: "CT1", Peer: p}
	var no *NotAccepted
	if _, err := c.Open(ctx, []Object{query, video}); !errors.As(err, &no) {
		t.Errorf("only what is not taken: %v", err)
	}
	a, err := c.Open(ctx, []Object{query, video, good})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []Object{query, video} {
		if _, err := a.Store(ctx, o); !errors.As(err, &no) || a.Lost() || a.Takes(o.StoreRequest) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if s, err := a.Store(ctx, good); err != nil || !s.OK() {
		t.Errorf("after a refusal: %v, %v", s, err)
	}
	if err := a.Release(ctx); err != nil {
		t.Error(err)
	}
	if _, err := a.Store(ctx, good); err == nil || !a.Lost() {
		t.Errorf("Store after Release: %v", err)
	}
}

// TestPanic: a handler that panics costs its association, not the process, and the
// panic's value stays out of the log.
func TestPanic(t *testing.T) {
	var log syncBuffer
	h := &folder{read: func(r StoreRequest, _ io.Reader) (Status, bool) { panic("Nobody^Test") }}
	p := serve(t, &Server{Handler: h, Log: textLog(&log)})
	ctx := testContext(t)
	o := object(t, t.TempDir(), "1.2.3", ExplicitLittle, 100)
	c := &Client{AETitle: "CT1", Peer: p}
	a, err := c.Open(ctx, []Object{o})
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Store(ctx, o)
	var aborted *Aborted
	if !errors.As(err, &aborted) || !a.Lost() {
		t.Errorf("Store: %v", err)
	}
	if _, err := c.Echo(ctx); err != nil {
		t.Errorf("after the panic: %v", err)
	}
	waitFor(t, "the end", func() bool { return len(h.ends()) == 2 })
	if h.ends()[0] {
		t.Error("the association counts as released")
	}
	if s := log.String(); strings.Contains(s, "Nobody") || !strings.Contains(s, "panic") {
		t.Errorf("log: %s", s)
	}
}

// TestBreakOff: the sender goes away at every stage of a message. The handler sees
// an error, its success counts nothing, and the server goes on.
func TestBreakOff(t *testing.T) {
	h := &folder{dir: t.TempDir()}
	p := serve(t, &Server{Handler: h})
	store := command{field: cStore, id: 1, class: ctClass, instance: "1.2.3", data: true}.encode()
	data := dataSet("1.2.3", ExplicitLittle, 60000)
	rq := request().encode()
	wire := append(bytes.Clone(rq), pdata(pdvOf(3, 3, store))...)
	wire = append(wire, pdata(pdvOf(3, 0, data[:30000]))...)
	wire = append(wire, pdata(pdvOf(3, 2, data[30000:]))...)
	stages := []int{0, 3, 6, 50, len(rq) - 1, len(rq), len(rq) + 3, len(rq) + 20, len(rq) + 18 + len(store), len(rq) + 22 + len(store), len(wire) - 30001, len(wire) - 1}
	for _, how := range []string{"close", "reset", "abort"} {
		for _, at := range stages {
			c := dialRaw(t, p)
			c.Write(wire[:at])
			switch how {
			case "reset":
				c.SetLinger(0)
			case "abort":
				c.Write(abortPDU(0, 0))
			}
			c.Close()
		}
	}
	// Whole, but the sender does not wait for the answer: stored, and harmless.
	c := dialRaw(t, p)
	c.Write(wire)
	c.SetLinger(0)
	waitFor(t, "the object", func() bool { return h.count() == 1 })
	c.Close()
	waitFor(t, "an echo", func() bool { _, err := (&Client{AETitle: "CT1", Peer: p}).Echo(testContext(t)); return err == nil })
	// A broken association may be putting its file away still.
	var files []string
	waitFor(t, "one file", func() bool {
		files, _ = filepath.Glob(filepath.Join(h.dir, "*"))
		return len(files) == 1
	})
	if filepath.Base(files[0]) != "1.2.3.dcm" || h.count() != 1 {
		t.Errorf("%d objects, files %v", h.count(), files)
	}
}

func dialRaw(t testing.TB, p Peer) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return c.(*net.TCPConn)
}

// TestStrangers: 300 connections of random bytes and 200 without any cost nothing
// that stays.
func TestStrangers(t *testing.T) {
	p := serve(t, &Server{Handler: &folder{}, Limits: Limits{ARTIM: 300 * time.Millisecond}})
	goroutines, memory := runtime.NumGoroutine(), heap()
	peak := memory
	var wait sync.WaitGroup
	slots := make(chan struct{}, 50)
	for i := range 500 {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			c, err := net.Dial("tcp", p.Addr())
			if err != nil {
				return
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(2 * time.Second))
			if i < 300 {
				c.Write(garbage(i))
			}
			if i%2 == 0 {
				io.Copy(io.Discard, c)
			}
		})
		if i%50 == 0 {
			peak = max(peak, heap())
		}
	}
	wait.Wait()
	if grown := int64(peak) - int64(memory); grown > 32<<20 {
		t.Errorf("memory grew by %d MB", grown>>20)
	}
	waitFor(t, "the end of the goroutines", func() bool { return runtime.NumGoroutine() <= goroutines+2 })
	if _, err := (&Client{AETitle: "CT1", Peer: p}).Echo(testContext(t)); err != nil {
		t.Error(err)
	}
}

// garbage is random bytes, mostly behind the head of a PDU with any length.
func garbage(seed int) []byte {
	b := make([]byte, 3000)
	for i := range b {
		b[i] = byte((i*i*31 + seed*7919 + i*seed) >> 3)
	}
	switch {
	case seed%3 != 0:
		b[0], b[1] = byte(seed%8), 0
	case seed%2 == 0: // a good beginning
		return append(request().encode(), b...)
	}
	return b
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// TestWire sends what no client of ours would, and looks at the answer.
func TestWire(t *testing.T) {
	p := serve(t, &Server{AETitle: "CALLED", Handler: &folder{dir: t.TempDir()}})
	rq := request().encode()
	change := func(f func(*associate)) []byte {
		a := request()
		f(a)
		return a.encode()
	}
	echo := pdata(pdvOf(1, 3, command{field: cEcho, id: 7, class: verificationClass}.encode()))
	on := func(more []byte) []byte { return append(bytes.Clone(rq), more...) }
	cmd := func(id byte, c command) []byte { return on(pdata(pdvOf(id, 3, c.encode()))) }
	release := smallPDU(pduReleaseRQ, 0, 0, 0)
	head := func(kind byte, n uint32) []byte {
		return []byte{kind, 0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
	}
	tests := []struct {
		name string
		send []byte
		want string // kinds of PDUs that come back; of an abort or rejection, its last bytes
	}{
		{"release at once", on(release), "AC RP"},
		{"echo and release", on(append(bytes.Clone(echo), release...)), "AC 0000 RP"},
		{"two echoes in one write", on(append(bytes.Clone(echo), append(echo, release...)...)), "AC 0000 0000 RP"},
		{"second A-ASSOCIATE", on(rq), "AC ABORT-2-2"},
		{"A-ASSOCIATE-AC first", change(func(a *associate) { a.kind = pduAssociateAC; a.contexts = nil }), "ABORT-2-2"},
		{"release before the association", release, "ABORT-2-2"},
		{"unknown PDU", head(0x99, 4), "ABORT-2-1"},
		{"HTTP", []byte("GET / HTTP/1.1\r\n\r\n"), "ABORT-2-1"},
		{"A-ASSOCIATE of 4 GiB", head(1, 0xFFFFFFFF), "ABORT-2-6"},
		{"A-ASSOCIATE of 0 bytes", head(1, 0), "ABORT-2-6"},
		{"P-DATA of 0 bytes", on(head(4, 0)), "AC ABORT-2-6"},
		{"P-DATA of 1 byte", on(head(4, 1)), "AC ABORT-2-6"},
		{"P-DATA of 4 GiB", on(head(4, 0xFFFFFFFF)), "AC ABORT-2-6"},
		{"P-DATA over what was announced", on(head(4, 262145)), "AC ABORT-2-6"},
		{"PDV longer than its PDU", on(pdata([]byte{0, 0, 9, 0, 1, 3})), "AC ABORT-2-6"},
		{"129 contexts", change(func(a *associate) {
			for i := range 129 {
				a.contexts = append(a.contexts, presentation{id: byte(2*i + 5), abstract: ctClass, transfer: []string{ImplicitLittle}})
			}
		}), "ABORT-2-6"},
		{"even number", change(func(a *associate) { a.contexts[0].id = 2 }), "ABORT-2-6"},
		{"application context", change(func(a *associate) { a.application = "1.2.3" }), "RJ-1-1-2"},
		{"protocol version", change(func(a *associate) { a.version = 2 }), "RJ-1-2-2"},
		{"newer protocol too", append(change(func(a *associate) { a.version = 3 }), release...), "AC RP"},
		{"no calling title", change(func(a *associate) { a.calling = "" }), "RJ-1-1-3"},
		{"calling title with control characters", change(func(a *associate) { a.calling = "A\x1b[31m" }), "RJ-1-1-3"},
		{"context that was not proposed", cmd(5, command{field: cEcho, id: 1, class: verificationClass}), "AC ABORT-2-6"},
		{"echo in a context of storage", append(cmd(3, command{field: cEcho, id: 1, class: verificationClass}), release...), "AC 0122 RP"},
		{"C-STORE in a context of verification", append(cmd(1, command{field: cStore, id: 1, class: ctClass, instance: "1.2"}), release...), "AC 0122 RP"},
		{"C-STORE of another class", append(cmd(3, command{field: cStore, id: 1, class: storageRoot + "4", instance: "1.2"}), release...), "AC 0122 RP"},
		{"C-STORE without a data set", append(cmd(3, command{field: cStore, id: 1, class: ctClass, instance: "1.2"}), release...), "AC C000 RP"},
		{"C-STORE of a path", append(cmd(3, command{field: cStore, id: 1, class: ctClass, instance: "../../x"}), release...), "AC 0117 RP"},
		{"C-FIND", append(cmd(1, command{field: 0x0020, id: 1, class: verificationClass}), release...), "AC 0211 RP"},
		{"response without a request", cmd(1, command{field: cEcho | isResponse, respondedTo: 1}), "AC ABORT-2-6"},
		{"abort", on(abortPDU(0, 0)), "AC"},
		{"broken command set", on(pdata(pdvOf(1, 3, []byte("12345678")))), "AC ABORT-2-6"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := dialRaw(t, p)
			c.Write(tt.send)
			c.CloseWrite()
			if got := answers(t, c); got != tt.want {
				t.Errorf("answered %q, want %q", got, tt.want)
			}
		})
	}
}

// answers names the PDUs that come until the connection is closed.
func answers(t *testing.T, c net.Conn) string {
	t.Helper()
	b, err := io.ReadAll(c)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && len(b) == 0 {
		t.Fatal(err)
	}
	var out []string
	for r := bytes.NewReader(b); r.Len() > 0; {
		kind, n, err := readHeader(r, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		body := make([]byte, n)
		io.ReadFull(r, body)
		out = append(out, pduName(t, kind, body))
	}
	return strings.Join(out, " ")
}

func pduName(t *testing.T, kind byte, body []byte) string {
	digits := func(b ...byte) (s string) {
		for _, v := range b {
			s += "-" + string('0'+v)
		}
		return s
	}
	switch kind {
	case pduAssociateAC:
		return "AC"
	case pduAssociateRJ:
		return "RJ" + digits(body[1:]...)
	case pduAbort:
		return "ABORT" + digits(body[2:]...)
	case pduReleaseRP:
		return "RP"
	}
	c, err := parseCommand(body[6:])
	if err != nil {
		t.Fatal(err)
	}
	return c.status.String()[:4]
}

// TestAccepting: what the A-ASSOCIATE-AC says about windows, roles and contexts.
func TestAccepting(t *testing.T) {
	p := serve(t, &Server{Handler: &folder{}})
	rq := request()
	rq.contexts = append(rq.contexts, presentation{id: 5, abstract: commitmentClass, transfer: []string{ImplicitLittle}},
		presentation{id: 7, abstract: "1.2.3", transfer: []string{ImplicitLittle}}, presentation{id: 9, abstract: ctClass, transfer: []string{"1.2.3"}})
	rq.roles = []role{{commitmentClass, false, true}, {ctClass, true, true}, {"1.2.3", true, true}}
	c := dialRaw(t, p)
	c.Write(rq.encode())
	ac, err := (&link{conn: c}).readAssociate(pduAssociateAC)
	if err != nil {
		t.Fatal(err)
	}
	if ac.called != "CALLED" || ac.calling != "CALLING" || ac.maxPDU != 262144 || *ac.async != [2]uint16{1, 1} {
		t.Errorf("%+v", ac)
	}
	if want := []role{{commitmentClass, false, true}, {ctClass, true, false}}; !slices.Equal(ac.roles, want) {
		t.Errorf("roles %+v, want %+v", ac.roles, want)
	}
	var results []byte
	for _, c := range ac.contexts {
		results = append(results, c.id, c.result)
	}
	if want := []byte{1, 0, 3, 0, 5, 0, 7, 3, 9, 4}; !bytes.Equal(results, want) {
		t.Errorf("contexts and results %v, want %v", results, want)
	}
}

// TestPeerPDU: the peer's limit on PDUs is kept from 64 bytes to none.
func TestPeerPDU(t *testing.T) {
	for _, n := range []int{64, 4096, 16 << 20} {
		h := &folder{dir: t.TempDir()}
		p := serve(t, &Server{Handler: h, Limits: Limits{PDU: n}})
		o := object(t, t.TempDir(), "1.2.3", ExplicitLittle, 100000)
		if s := send(t, p, o); !s[0].OK() || h.stored["1.2.3"] != sum(t, o) {
			t.Errorf("PDU of %d: %v", n, s[0])
		}
	}
	p := serve(t, &Server{Handler: &folder{}})
	c := dialRaw(t, p)
	rq := request()
	rq.maxPDU = 0
	c.Write(append(rq.encode(), pdata(pdvOf(1, 3, unhex(t, echoRQ)))...))
	c.CloseWrite()
	if got := answers(t, c); !strings.HasPrefix(got, "AC 0000") {
		t.Errorf("a peer without a limit: %q", got)
	}
}

// TestTimers: a peer that is silent, or sends a byte now and then, at any stage
// loses the connection when its timer ends, not earlier and not much later.
func TestTimers(t *testing.T) {
	limits := Limits{ARTIM: 150 * time.Millisecond, DIMSE: 300 * time.Millisecond, Idle: 450 * time.Millisecond}
	p := serve(t, &Server{Handler: &folder{dir: t.TempDir()}, Limits: limits})
	rq := request().encode()
	store := pdata(pdvOf(3, 3, command{field: cStore, id: 1, class: ctClass, instance: "1.2", data: true}.encode()))
	tests := []struct {
		name string
		send []byte
		drip []byte // a byte each 20 ms
		want time.Duration
	}{
		{"nothing", nil, nil, limits.ARTIM},
		{"half an A-ASSOCIATE", rq[:30], nil, limits.ARTIM},
		{"A-ASSOCIATE byte by byte", nil, rq, limits.ARTIM},
		{"no message", rq, nil, limits.Idle},
		{"message without its data set", append(bytes.Clone(rq), store...), nil, limits.DIMSE},
		{"data set byte by byte", append(append(bytes.Clone(rq), store...), 4, 0, 0, 0, 4, 6, 0, 0, 4, 2, 3, 0), make([]byte, 1000), limits.DIMSE},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := dialRaw(t, p)
			c.Write(tt.send)
			start := time.Now()
			go func() {
				for _, b := range tt.drip {
					if _, err := c.Write([]byte{b}); err != nil {
						return
					}
					time.Sleep(20 * time.Millisecond)
				}
			}()
			io.Copy(io.Discard, c)
			if took := time.Since(start); took < tt.want-20*time.Millisecond || took > tt.want+2*time.Second {
				t.Errorf("ended after %v, want %v", took, tt.want)
			}
		})
	}
}

// TestSlowHandler: time that the handler takes is not the peer's.
func TestSlowHandler(t *testing.T) {
	h := &folder{read: func(_ StoreRequest, data io.Reader) (Status, bool) {
		b := make([]byte, 200000)
		for {
			if _, err := io.ReadFull(data, b); err != nil {
				return Status{}, true
			}
			time.Sleep(150 * time.Millisecond)
		}
	}}
	p := serve(t, &Server{Handler: h, Limits: Limits{DIMSE: 100 * time.Millisecond}})
	if s := send(t, p, object(t, t.TempDir(), "1.2.3", ExplicitLittle, 1<<20)); !s[0].OK() {
		t.Error(s[0])
	}
}

func TestObjectBytes(t *testing.T) {
	h := &folder{dir: t.TempDir()}
	p := serve(t, &Server{Handler: h, Limits: Limits{ObjectBytes: 100000}})
	dir := t.TempDir()
	large, small := object(t, dir, "1.2.1", ExplicitLittle, 1<<20), object(t, dir, "1.2.2", ExplicitLittle, 1000)
	ctx := testContext(t)
	a, err := (&Client{AETitle: "CT1", Peer: p}).Open(ctx, []Object{large})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := a.Store(ctx, large); err == nil {
		t.Errorf("an object over the limit: %v", s)
	}
	if s := send(t, p, small); !s[0].OK() || h.count() != 1 {
		t.Errorf("%v, %d stored", s, h.count())
	}
}

// TestDrain: when the server is told to end, the object in progress is finished,
// new associations are refused, idle ones end soon.
func TestDrain(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	started, goOn := make(chan bool), make(chan bool)
	h := &folder{dir: t.TempDir()}
	h.read = func(StoreRequest, io.Reader) (Status, bool) { started <- true; <-goOn; return Status{}, false }
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- (&Server{Handler: h, Limits: Limits{Drain: 10 * time.Second}}).Serve(ctx, l) }()
	p := Peer{"NODE", "127.0.0.1", l.Addr().(*net.TCPAddr).Port}
	o := object(t, t.TempDir(), "1.2.3", ExplicitLittle, 100000)
	c := &Client{AETitle: "CT1", Peer: p}
	idle, err := c.Open(testContext(t), []Object{o})
	if err != nil {
		t.Fatal(err)
	}
	result := make(chan Status)
	go func() {
		a, err := c.Open(testContext(t), []Object{o})
		if err != nil {
			t.Error(err)
		}
		s, err := a.Store(testContext(t), o)
		if err != nil {
			t.Error(err)
		}
		result <- s
	}()
	<-started
	stop()
	waitFor(t, "the end of the listener", func() bool { _, err := c.Echo(testContext(t)); return err != nil })
	close(goOn)
	if s := <-result; !s.OK() || h.count() != 1 {
		t.Errorf("the object in progress: %v", s)
	}
	begin := time.Now()
	if err := <-done; err != nil || time.Since(begin) > 5*time.Second {
		t.Errorf("Serve ended after %v: %v", time.Since(begin), err)
	}
	if _, err := idle.Store(testContext(t), o); err == nil {
		t.Error("an association outlived the server")
	}
}

// TestDrainEnds: a handler that hangs on its data is broken off when Drain is over.
func TestDrainEnds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &folder{dir: t.TempDir()}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- (&Server{Handler: h, Limits: Limits{Drain: 50 * time.Millisecond}}).Serve(ctx, l) }()
	c := dialRaw(t, Peer{"NODE", "127.0.0.1", l.Addr().(*net.TCPAddr).Port})
	c.Write(append(request().encode(), pdata(pdvOf(3, 3, command{field: cStore, id: 1, class: ctClass, instance: "1.2.3", data: true}.encode()), pdvOf(3, 0, dataSet("1.2.3", ExplicitLittle, 20000)))...))
	waitFor(t, "the object", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return h.calls == 1 })
	stop()
	select {
	case err := <-done:
		if err != nil || h.count() != 0 {
			t.Errorf("%v, %d stored", err, h.count())
		}
	case <-time.After(5 * time.Second):
		t.Fatal("Serve does not end")
	}
}

func TestServeRefused(t *testing.T) {
	for name, s := range map[string]*Server{"no handler": {}, "title": {AETitle: "A\\B", Handler: &folder{}}} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Serve(testContext(t), l); err == nil {
			t.Errorf("%s: no error", name)
		}
		if l.Close() == nil {
			t.Errorf("%s: the listener was left open", name)
		}
	}
}
