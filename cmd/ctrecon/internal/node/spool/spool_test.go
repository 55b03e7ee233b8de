package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// put writes an object.
func put(t *testing.T, s *Spool, text string) *Incoming {
	t.Helper()
	in, err := s.Begin([]byte("head"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := in.Seal(); err != nil {
		t.Fatal(err)
	}
	return in
}

// TestKeep: an object has its name when Keep returns; the sum is that of what follows the
// header; what was on its way is gone after a reopening.
func TestKeep(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	in := put(t, s, "abc")
	if want := "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; in.Sum() != want {
		t.Errorf("SHA-256 of abc: %s, want %s", in.Sum(), want)
	}
	name, err := in.Keep(SpoolDir, "series", "object.dcm")
	if err != nil {
		t.Fatal(err)
	}
	in.Discard() // does nothing
	if b, err := os.ReadFile(s.Path(name)); err != nil || string(b) != "headabc" {
		t.Errorf("kept: %q, %v", b, err)
	}
	put(t, s, "left by a crash")
	if s.Used() != 7 {
		t.Errorf("%d bytes are kept, want 7", s.Used())
	}
	if s, err = Open(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, incomingDir)); len(left) > 0 {
		t.Errorf("%d files are left of what was on its way", len(left))
	}
	s.SetUsed(7)
	if err := s.Remove(name, 7); err != nil || s.Used() != 0 {
		t.Errorf("removed: %v, %d bytes are kept", err, s.Used())
	}
}

// TestRoom: limit and reserve hold, also against objects on their way in.
func TestRoom(t *testing.T) {
	for _, c := range []struct {
		name          string
		limit, free   int64
		used, size    int64
		ok, low, full bool
	}{
		{"no bounds", 0, 1 << 40, 1 << 30, 1 << 20, true, false, false},
		{"the limit is far", 1000, 1 << 40, 500, 300, true, false, false},
		{"the limit is near", 1000, 1 << 40, 500, 450, true, true, false},
		{"the limit is reached", 1000, 1 << 40, 500, 501, false, true, true},
		{"the disk is nearly full", 0, 1000 + 240, 0, 1, true, true, false},
		{"the disk is full", 0, 1000 + 10, 0, 11, false, true, true},
	} {
		s, err := Open(t.TempDir(), Options{Limit: c.limit, Reserve: 1000, Free: func(string) (int64, error) { return c.free, nil }})
		if err != nil {
			t.Fatal(err)
		}
		s.SetUsed(c.used)
		if ok, low := s.Room(c.size); ok != c.ok || low != c.low {
			t.Errorf("%s: %v, %v; want %v, %v", c.name, ok, low, c.ok, c.low)
		}
		if _, err := s.Begin(make([]byte, c.size%1000)); errors.Is(err, ErrFull) != c.full {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestQuarantine: the reason stands beside the object, the newest is told first, and a
// folder without bound does not come of it.
func TestQuarantine(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t0 := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i := range 3 {
		if err := put(t, s, fmt.Sprint(i)).Quarantine(Reason{Time: t0.Add(time.Duration(i) * time.Minute), Reason: fmt.Sprintf("reason %d", i), From: "A"}); err != nil {
			t.Fatal(err)
		}
	}
	all, err := s.Reasons()
	if err != nil || len(all) != 3 || s.Quarantined() != 3 || all[0].Reason != "reason 2" || all[0].Bytes != 5 || len(all[0].Sum) != 64 {
		t.Errorf("%+v, %v", all, err)
	}
	if s.Used() != 0 {
		t.Errorf("%d bytes count as kept, want none", s.Used())
	}
	for i := range 2*quarantineFiles + 10 {
		if err := os.WriteFile(filepath.Join(dir, QuarantineDir, fmt.Sprintf("2020-%05d.json", i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := trim(filepath.Join(dir, QuarantineDir)); err != nil {
		t.Fatal(err)
	}
	left, _ := os.ReadDir(filepath.Join(dir, QuarantineDir))
	if len(left) != 2*quarantineFiles || !strings.HasPrefix(left[len(left)-1].Name(), "20260102") {
		t.Errorf("%d files are left, the last %s", len(left), left[len(left)-1].Name())
	}
}
