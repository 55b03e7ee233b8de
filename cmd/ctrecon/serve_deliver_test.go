package main

import (
	"os"
	"strings"
	"testing"

	db "ctrecon/cmd/ctrecon/internal/node/store"
	"ctrecon/dicomio/dimse"
)

// delivering runs a node with one finished job for the given peers.
func delivering(t *testing.T, more string, to ...*pacs) *running {
	t.Helper()
	rules, names := "", ""
	for _, p := range to {
		rules += p.rules(more)
		names += `"` + p.title + `",`
	}
	n := startNode(t, nodeOptions(t, t.TempDir(), quickRules+"destinations = ["+names+"]\n"+rules))
	for _, p := range to {
		p.back = func() dimse.Peer { return n.peer }
	}
	n.sendAll("SCANNER", phantomSeries(t, 3, 4)...)
	n.inState(1, db.Done)
	return n
}

// objectsOfAJob is fbp and tv of three slices, report and measurements.
const objectsOfAJob = 8

// TestDeliver: whatever a destination does, each object ends where it belongs.
func TestDeliver(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		behave func() behaviour
		sent   int
		failed int
		says   string // of the failed
	}{
		{"full for a while", func() behaviour {
			asked := 0
			return func(string, int) (dimse.Status, bool) {
				if asked++; asked <= 3 {
					return dimse.Status{Code: dimse.OutOfResources}, false
				}
				return dimse.Status{}, false
			}
		}, objectsOfAJob, 0, ""},
		{"one object is refused for good", func() behaviour {
			first := theFirst()
			return func(uid string, _ int) (dimse.Status, bool) {
				if first(uid) {
					return dimse.Status{Code: dimse.CannotUnderstand, Comment: "no"}, false
				}
				return dimse.Status{}, false
			}
		}, objectsOfAJob - 1, 1, "C000"},
		{"breaks off at one object for a while", func() behaviour {
			first := theFirst()
			return func(uid string, try int) (dimse.Status, bool) { return dimse.Status{}, first(uid) && try <= 3 }
		}, objectsOfAJob, 0, ""},
		{"takes with a warning", func() behaviour {
			return func(string, int) (dimse.Status, bool) { return dimse.Status{Code: dimse.CoercedElements}, false }
		}, objectsOfAJob, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPACS(t, "PACS")
			p.behave = c.behave()
			p.up(t)
			n := delivering(t, "", p)
			eventually(t, "settled", func() bool {
				s := n.states("PACS")
				return s[db.Sent] == c.sent && s[db.Failed] == c.failed
			})
			if got, repeated := p.count(); got != c.sent || repeated != 0 {
				t.Errorf("%d objects at the destination, %d of them more than once; want %d", got, repeated, c.sent)
			}
			for _, d := range n.deliveries("PACS") {
				if d.State == db.Failed && (!strings.Contains(d.Status, c.says) || d.Refusals != 3) {
					t.Errorf("failed after %d refusals: %q, want %q after 3", d.Refusals, d.Status, c.says)
				}
			}
		})
	}
}

// behaviour is what a destination does with an object at its try.
type behaviour = func(instance string, try int) (s dimse.Status, abort bool)

// theFirst finds the first instance that a destination was asked to take.
func theFirst() func(uid string) bool {
	first := ""
	return func(uid string) bool {
		if first == "" {
			first = uid
		}
		return uid == first
	}
}

// TestDeliverPoison: an object at which the peer breaks off for ever stops no other.
func TestDeliverPoison(t *testing.T) {
	t.Parallel()
	first := theFirst()
	poison := ""
	p := newPACS(t, "PACS")
	p.behave = func(uid string, _ int) (dimse.Status, bool) {
		if first(uid) {
			poison = uid
			return dimse.Status{}, true
		}
		return dimse.Status{}, false
	}
	p.up(t)
	n := delivering(t, "", p)
	eventually(t, "the others", func() bool { return n.states("PACS")[db.Sent] == objectsOfAJob-1 })
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range n.deliveries("PACS") {
		if d.State == db.Queued && (d.Instance != poison || d.Status == "" || d.Tries == 0) {
			t.Errorf("waits: %+v", d)
		}
	}
}

// TestDeliverDown: of two destinations one is down: the other is served at once, and the
// first when it is up again.
func TestDeliverDown(t *testing.T) {
	t.Parallel()
	up, down := newPACS(t, "UP"), newPACS(t, "DOWN")
	up.up(t)
	n := delivering(t, "", up, down)
	eventually(t, "the one that is up", func() bool { return n.states("UP")[db.Sent] == objectsOfAJob })
	eventually(t, "why", func() bool {
		for _, d := range n.deliveries("DOWN") {
			if d.State != db.Queued || !strings.Contains(d.Status, "connection refused") {
				return false
			}
		}
		return true
	})
	down.up(t)
	eventually(t, "the one that was down", func() bool { return n.states("DOWN")[db.Sent] == objectsOfAJob })
	if _, repeated := down.count(); repeated != 0 {
		t.Errorf("%d objects came more than once", repeated)
	}
}

// TestDeliverByHand: what was refused for good goes out when somebody says so.
func TestDeliverByHand(t *testing.T) {
	t.Parallel()
	p := newPACS(t, "PACS")
	open := make(chan struct{})
	p.behave = func(string, int) (dimse.Status, bool) {
		select {
		case <-open:
			return dimse.Status{}, false
		default:
			return dimse.Status{Code: dimse.DataSetMismatch}, false
		}
	}
	p.up(t)
	n := delivering(t, "", p)
	eventually(t, "failed", func() bool { return n.states("PACS")[db.Failed] == objectsOfAJob })
	close(open)
	if err := n.RetryDeliveries(n.jobs()[0].ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "sent", func() bool { return n.states("PACS")[db.Sent] == objectsOfAJob })
	if err := n.RetryDeliveries(n.jobs()[0].ID); err == nil {
		t.Error("nothing had failed, and it was tried again")
	}
}

// TestCommitmentAsked: a destination reports on our port; what it does not keep is sent
// again; one that refuses to commit fails in the end.
func TestCommitmentAsked(t *testing.T) {
	t.Parallel()
	all := func(r dimse.Commitment) *dimse.CommitmentReport {
		return &dimse.CommitmentReport{Transaction: r.Transaction, Stored: r.Instances}
	}
	for _, c := range []struct {
		name   string
		report func() func(dimse.Commitment) *dimse.CommitmentReport
		state  string
		again  int // objects that were sent twice
	}{
		{"keeps all", func() func(dimse.Commitment) *dimse.CommitmentReport { return all }, db.Committed, 0},
		{"has lost one", func() func(dimse.Commitment) *dimse.CommitmentReport {
			requests := 0
			return func(r dimse.Commitment) *dimse.CommitmentReport {
				if requests++; requests > 1 {
					return all(r)
				}
				return &dimse.CommitmentReport{Transaction: r.Transaction, Stored: r.Instances[1:], Failed: []dimse.Failure{{Reference: r.Instances[0], Reason: dimse.NoSuchInstance}}}
			}
		}, db.Committed, 1},
		{"does not commit", func() func(dimse.Commitment) *dimse.CommitmentReport { return nil }, db.Failed, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPACS(t, "PACS")
			p.report = c.report()
			p.up(t)
			n := delivering(t, "commit = true", p)
			eventually(t, "settled", func() bool { return n.states("PACS")[c.state] == objectsOfAJob })
			if got, repeated := p.count(); got != objectsOfAJob || repeated != c.again {
				t.Errorf("%d objects at the destination, %d of them more than once; want %d and %d", got, repeated, objectsOfAJob, c.again)
			}
			if s := n.Report(t.Context(), dimse.Remote{}, dimse.CommitmentReport{Transaction: "1.2.3"}); s.Code != dimse.NoSuchArgument {
				t.Errorf("a report on nothing: %v", s)
			}
		})
	}
}

// TestCommitmentGiven: a peer of the rules asks whether we keep objects, and gets a report
// on an association of its own, also when it can be reached only later. The request
// starts the series, as all that it names is here.
func TestCommitmentGiven(t *testing.T) {
	t.Parallel()
	p := newPACS(t, "SCANNER")
	o := nodeOptions(t, t.TempDir(), quickRules+p.rules(""))
	o.Quiet, o.Settle = longWait, longWait
	n := startNode(t, o)
	files := phantomSeries(t, 3, 4)
	n.sendAll("SCANNER", files...)
	objects, _, err := sendable(files)
	if err != nil {
		t.Fatal(err)
	}
	rq := dimse.Commitment{Transaction: "1.2.3.4"}
	for _, x := range objects {
		rq.Instances = append(rq.Instances, dimse.Reference{SOPClass: x.SOPClass, SOPInstance: x.SOPInstance})
	}
	if s, err := (&dimse.Client{AETitle: "STRANGER", Peer: n.peer}).RequestCommitment(t.Context(), rq); err != nil || s.OK() {
		t.Errorf("a stranger asks: %v, %v", s, err)
	}
	ask := func(r dimse.Commitment) {
		t.Helper()
		if s, err := (&dimse.Client{AETitle: "SCANNER", Peer: n.peer}).RequestCommitment(t.Context(), r); err != nil || !s.OK() {
			t.Fatalf("%v, %v", s, err)
		}
	}
	ask(rq)
	ask(rq) // the answer was lost
	if j := n.inState(1, db.Done); !strings.Contains(j.Why, "all 3 objects") {
		t.Errorf("job because of %q", j.Why)
	}
	more := dimse.Commitment{Transaction: "1.2.3.5", Instances: append(rq.Instances[:1:1], dimse.Reference{SOPClass: rq.Instances[0].SOPClass, SOPInstance: "1.2.3"},
		dimse.Reference{SOPClass: "1.2.840.10008.5.1.4.1.1.4", SOPInstance: rq.Instances[1].SOPInstance})}
	ask(more)
	reports := make(chan dimse.CommitmentReport, 9)
	p.onReport = func(r dimse.CommitmentReport) { reports <- r }
	p.up(t)
	got := map[string]dimse.CommitmentReport{}
	for range 2 {
		r := <-reports
		got[r.Transaction] = r
	}
	if r := got["1.2.3.4"]; len(r.Stored) != 3 || len(r.Failed) != 0 {
		t.Errorf("all are here: %+v", r)
	}
	r := got["1.2.3.5"]
	reasons := map[string]uint16{}
	for _, f := range r.Failed {
		reasons[f.SOPInstance] = f.Reason
	}
	if len(r.Stored) != 1 || reasons["1.2.3"] != dimse.NoSuchInstance || reasons[rq.Instances[1].SOPInstance] != dimse.ClassInstanceConflict {
		t.Errorf("one of three is here: %+v", r)
	}
}

// TestDeliverPeerGone: a destination that the rules have no more gets nothing, and its
// objects wait until the rules have it again.
func TestDeliverPeerGone(t *testing.T) {
	t.Parallel()
	p := newPACS(t, "PACS")
	o := nodeOptions(t, t.TempDir(), quickRules+"destinations = [\"PACS\"]\n"+p.rules(""))
	whole, err := os.ReadFile(o.RulesFile)
	if err != nil {
		t.Fatal(err)
	}
	n := startNode(t, o)
	n.sendAll("SCANNER", phantomSeries(t, 3, 4)...)
	n.inState(1, db.Done) // the peer is down
	for _, c := range []struct {
		rules string
		state string
		says  string
	}{{quickRules, db.Queued, "no peer"}, {string(whole), db.Sent, ""}} {
		if err := os.WriteFile(o.RulesFile, []byte(c.rules), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := n.Reload(); err != nil {
			t.Fatal(err)
		}
		if c.state == db.Sent {
			p.up(t)
		}
		eventually(t, c.state, func() bool {
			for _, d := range n.deliveries("PACS") {
				if d.State != c.state || !strings.Contains(d.Status, c.says) {
					return false
				}
			}
			return true
		})
	}
}
