package audit

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// filled makes a file of three events, in two runs.
func filled(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.log")
	for _, events := range [][]string{{"a", "b"}, {"c"}} {
		l, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if err := l.Add(e, map[string]string{"x": e}); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// TestVerify: the chain holds over a restart, and breaks where a line was changed, removed
// or moved.
func TestVerify(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(lines [][]byte) [][]byte
		at     string // "" when it holds
	}{
		{"as it was", func(l [][]byte) [][]byte { return l }, ""},
		{"a word changed", func(l [][]byte) [][]byte { l[1] = bytes.Replace(l[1], []byte(`"b"`), []byte(`"B"`), 1); return l }, "line 2"},
		{"a line removed", func(l [][]byte) [][]byte { return append(l[:1:1], l[2:]...) }, "line 2"},
		{"two lines swapped", func(l [][]byte) [][]byte { l[0], l[1] = l[1], l[0]; return l }, "line 1"},
		{"the first removed", func(l [][]byte) [][]byte { return l[1:] }, "line 1"},
	} {
		path := filled(t)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := c.change(bytes.SplitAfter(b, []byte("\n"))[:3])
		if err := os.WriteFile(path, bytes.Join(lines, nil), 0o600); err != nil {
			t.Fatal(err)
		}
		n, err := Verify(path)
		if c.at == "" && (err != nil || n != 3) {
			t.Errorf("%s: %d lines, %v", c.name, n, err)
		}
		if c.at != "" && (err == nil || !strings.Contains(err.Error(), c.at)) {
			t.Errorf("%s: %v, want an error at %s", c.name, err, c.at)
		}
	}
}

// TestCut: a line that a crash has cut goes, and the chain goes on.
func TestCut(t *testing.T) {
	path := filled(t)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b[:len(b)-10], 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Add("d", nil); err != nil {
		t.Fatal(err)
	}
	l.Close()
	if n, err := Verify(path); n != 3 || err != nil {
		t.Errorf("%d lines, %v; want 3", n, err)
	}
}

// FuzzScan: no content of the file makes the reader panic or run on.
func FuzzScan(f *testing.F) {
	f.Add([]byte(`{"what":"a"}` + "\n"))
	f.Add([]byte("{\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		_, end, _ := scan(bytes.NewReader(b), func(Event) error { return nil })
		if end > int64(len(b)) || end > 0 && b[end-1] != '\n' {
			t.Errorf("whole lines end at %d of %d", end, len(b))
		}
	})
}
