package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"ctrecon/dicomio/dimse"
)

// TestServeLarge: an object of 500 MiB comes through, to the bit, without being held in memory.
func TestServeLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("writes a gigabyte")
	}
	const rows, columns = 16384, 16000
	dir := t.TempDir()
	small := phantomSeries(t, 1, 4)[0]
	path := filepath.Join(dir, "large.dcm")
	header, err := os.ReadFile(small)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []struct {
		element string
		value   uint16
	}{{"\x28\x00\x10\x00US\x02\x00", rows}, {"\x28\x00\x11\x00US\x02\x00", columns}} {
		at := bytes.Index(header, []byte(e.element)) + len(e.element)
		binary.LittleEndian.PutUint16(header[at:], e.value)
	}
	pixels := []byte("\xe0\x7f\x10\x00OW\x00\x00")
	at := bytes.Index(header, pixels)
	if at < 0 {
		t.Fatal("the phantom has no pixel data of explicit VR")
	}
	header = binary.LittleEndian.AppendUint32(header[:at+len(pixels)], 2*rows*columns)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	var random rand.ChaCha8
	for _, r := range []io.Reader{bytes.NewReader(header), io.LimitReader(&random, 2*rows*columns)} {
		if _, err := io.Copy(f, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}

	o := nodeOptions(t, t.TempDir(), noRule)
	n := startNode(t, o)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if s := n.send("LARGE", path); len(s) != 1 || s[0].Code != dimse.Success {
		t.Fatalf("answered %v", s)
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.Sys) - int64(before.Sys); grown > 64<<20 {
		t.Errorf("%d MiB more of memory", grown>>20)
	}
	want, found := dataSum(t, path), 0
	if err := filepath.WalkDir(o.Dir, func(p string, e fs.DirEntry, err error) error {
		if info, _ := e.Info(); err == nil && info.Size() > rows*columns {
			found++
			if got := dataSum(t, p); got != want {
				t.Errorf("%s holds other data", p)
			}
		}
		return err
	}); err != nil || found != 1 {
		t.Errorf("%d large files of the node, %v", found, err)
	}
}

// dataSum is the SHA-256 of a file's data set.
func dataSum(t *testing.T, path string) string {
	t.Helper()
	objects, _, err := sendable([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := f.Seek(objects[0].Offset, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}
