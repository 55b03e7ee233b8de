package store

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStore: what was committed is there after a reopening, what failed is not.
func TestStore(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if err := s.Update(func(tx *Tx) error {
		if err := AddBytes(tx, 5); err != nil {
			return err
		}
		return Jobs.Put(tx, "a", &Job{ID: "a", Args: []string{"x"}})
	}); err != nil {
		t.Fatal(err)
	}
	wrong := errors.New("wrong")
	if err := s.Update(func(tx *Tx) error {
		if err := Jobs.Put(tx, "b", &Job{ID: "b"}); err != nil {
			return err
		}
		return errors.Join(AddBytes(tx, 5), wrong)
	}); !errors.Is(err, wrong) {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	defer s.Close()
	if err := s.View(func(tx *Tx) error {
		j, ok, err := Jobs.Get(tx, "a")
		if err != nil || !ok || j.ID != "a" || len(j.Args) != 1 {
			t.Errorf("a: %+v, %v, %v", j, ok, err)
		}
		if _, ok, err := Jobs.Get(tx, "b"); ok || err != nil {
			t.Errorf("b is there, %v", err)
		}
		if n, err := Bytes(tx); n != 5 || err != nil {
			t.Errorf("%d bytes, %v; want 5", n, err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// TestEach: keys come in order, by their prefix; Seek finds the next one.
func TestEach(t *testing.T) {
	s := open(t, t.TempDir())
	defer s.Close()
	keys := []string{Key("a", "1"), Key("a", "2"), Key("ab", "1"), Key("b", "1")}
	if err := s.Update(func(tx *Tx) error {
		for _, k := range keys {
			if err := Outbox.Put(tx, k, &Mark{}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.View(func(tx *Tx) error {
		for prefix, want := range map[string][]string{Key("a", ""): keys[:2], "": keys, "c": nil, "a": keys[:3]} {
			var got []string
			if err := Outbox.Each(tx, prefix, func(k string, _ *Mark) (bool, error) { got = append(got, k); return true, nil }); err != nil {
				return err
			}
			if !slices.Equal(got, want) {
				t.Errorf("%q: %q, want %q", prefix, got, want)
			}
		}
		for from, want := range map[string]string{"": keys[0], Key("a", "3"): keys[2], "c": ""} {
			if got := Outbox.Seek(tx, from); got != want {
				t.Errorf("from %q: %q, want %q", from, got, want)
			}
		}
		if n := Outbox.Len(tx); n != 4 {
			t.Errorf("%d keys, want 4", n)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got := Parts(Key("x", "", "y")); !slices.Equal(got, []string{"x", "", "y"}) {
		t.Errorf("parts %q", got)
	}
}

// TestSchema: a store of another version is refused, not read.
func TestSchema(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if err := s.Update(func(tx *Tx) error { return numbers.Put(tx, "schema", ptr[int64](schema+1)) }); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "another ctrecon serve") {
		t.Errorf("opened twice: %v", err)
	}
	s.Close()
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "written by another version") {
		t.Errorf("schema of another version: %v", err)
	}
}
