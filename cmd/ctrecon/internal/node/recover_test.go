package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ctrecon/cmd/ctrecon/internal/node/spool"
	"ctrecon/cmd/ctrecon/internal/node/store"
)

// idle is an open node of which nothing runs.
func idle(t *testing.T) *Node {
	t.Helper()
	n, err := Open(Options{Dir: t.TempDir(), AETitle: "CTRECON", Program: "none"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// TestClockBack: a series whose objects came in the future, as the clock was put back,
// waits from now on, and not for an hour.
func TestClockBack(t *testing.T) {
	n := idle(t)
	ahead := time.Now().UTC().Add(time.Hour)
	if err := n.store.Update(func(tx *store.Tx) error {
		if err := store.Waiting.Put(tx, "1.2", &store.Mark{}); err != nil {
			return err
		}
		return store.SeriesTable.Put(tx, "1.2", &store.Series{UID: "1.2", New: 1, First: ahead, Last: ahead, Released: ahead})
	}); err != nil {
		t.Fatal(err)
	}
	n.startSeries()
	if err := n.store.View(func(tx *store.Tx) error {
		s, _, err := store.SeriesTable.Get(tx, "1.2")
		if err != nil {
			return err
		}
		for what, at := range map[string]time.Time{"first": s.First, "last": s.Last, "released": s.Released} {
			if at.After(time.Now()) {
				t.Errorf("%s is %v ahead", what, time.Until(at))
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// TestRecover: what a crash has left is put right: a running job waits again, one that was
// cut often waits longer, an association is over, a commitment is asked again.
func TestRecover(t *testing.T) {
	n := idle(t)
	if err := n.store.Update(func(tx *store.Tx) error {
		for id, cut := range map[string]int{"a": 0, "b": patience + 3} {
			if err := store.Jobs.Put(tx, id, &store.Job{ID: id, State: store.Running, Tries: 1 + cut, Interrupted: cut}); err != nil {
				return err
			}
			if err := store.OpenJobs.Put(tx, id, &store.Mark{}); err != nil {
				return err
			}
		}
		if err := keepDelivery(tx, &store.Delivery{Job: "c", Destination: "p", Instance: "1.2", State: store.Asked, Next: time.Now().Add(time.Hour / 3)}, true); err != nil {
			return err
		}
		return store.Associations.Put(tx, "x", &store.Association{})
	}); err != nil {
		t.Fatal(err)
	}
	if err := n.recover(); err != nil {
		t.Fatal(err)
	}
	if err := n.store.View(func(tx *store.Tx) error {
		for id, wait := range map[string]bool{"a": false, "b": true} {
			j, _, err := store.Jobs.Get(tx, id)
			if err != nil || j.State != store.Queued || reached(j.Next, time.Now()) == wait {
				t.Errorf("job %s: %s, next %v, %v", id, j.State, j.Next, err)
			}
		}
		x, _, err := store.Associations.Get(tx, "x")
		if err != nil || x.Ended.IsZero() {
			t.Errorf("association: %+v, %v", x, err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if again := n.due("p", store.Asked, time.Now()); len(again) != 1 {
		t.Errorf("%d commitments are asked again, want 1", len(again))
	}
}

// TestCourierOrder: deliveries with the fewest tries go first, and those of one
// destination only.
func TestCourierOrder(t *testing.T) {
	n := idle(t)
	now := time.Now()
	if err := n.store.Update(func(tx *store.Tx) error {
		for i, d := range []store.Delivery{
			{Destination: "p", Instance: "1", Tries: 3}, {Destination: "p", Instance: "2"}, {Destination: "p", Instance: "3", Tries: 1},
			{Destination: "p", Instance: "4", Next: now.Add(time.Minute)}, {Destination: "pp", Instance: "5"}, {Destination: "p", Instance: "6", State: store.Sent},
		} {
			d.Job = "j"
			if d.State == "" {
				d.State = store.Queued
			}
			if err := keepDelivery(tx, &d, true); err != nil {
				t.Fatal(i, err)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, d := range n.due("p", store.Queued, now) {
		got += d.Instance
	}
	if got != "231" {
		t.Errorf("order %s, want 231", got)
	}
	if all := n.destinations(); len(all) != 2 || all[0] != "p" || all[1] != "pp" {
		t.Errorf("destinations %q", all)
	}
}

// TestSweep: an old file that no row names goes; one that a row names stays, also where
// its name does not begin with the UID of the row.
func TestSweep(t *testing.T) {
	n := idle(t)
	odd := "no UID at all"
	names := map[string]bool{ // whether it stays
		"1.2.3-aa.dcm": true, "1.2.3-bb.dcm": false, "1.2.4-cc.dcm": false, uidPath(odd) + "-dd.dcm": true, "1.2.5-young.dcm": true,
	}
	folder := filepath.Join(n.path(spool.SpoolDir), "9.9")
	if err := os.Mkdir(folder, 0o750); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-2 * sweepAge)
	for name := range names {
		p := filepath.Join(folder, name)
		if err := os.WriteFile(p, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(name, "young") {
			continue
		}
		if err := os.Chtimes(p, old, old); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.store.Update(func(tx *store.Tx) error {
		if err := store.Instances.Put(tx, "1.2.3", &store.Instance{File: filepath.Join(spool.SpoolDir, "9.9", "1.2.3-aa.dcm")}); err != nil {
			return err
		}
		return store.Instances.Put(tx, odd, &store.Instance{File: filepath.Join(spool.SpoolDir, "9.9", uidPath(odd)+"-dd.dcm")})
	}); err != nil {
		t.Fatal(err)
	}
	n.sweep()
	for name, stays := range names {
		if _, err := os.Stat(filepath.Join(folder, name)); (err == nil) != stays {
			t.Errorf("%s: %v, want it to stay: %v", name, err, stays)
		}
	}
}
