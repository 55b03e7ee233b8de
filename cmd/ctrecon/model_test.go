package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
)

// tinyCommand copies the tiny bundle: tiny DIR.
func tinyCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: tiny DIR")
	}
	ts.Check(os.CopyFS(ts.MkAbs(args[0]), os.DirFS(ts.Getenv("TINY"))))
}

// changeCommand replaces a text in a file, bytes as they are: change FILE OLD NEW.
func changeCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: change FILE OLD NEW")
	}
	name := ts.MkAbs(args[0])
	text, err := os.ReadFile(name)
	ts.Check(err)
	if !bytes.Contains(text, []byte(args[1])) {
		ts.Fatalf("%s has no %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(name, bytes.Replace(text, []byte(args[1]), []byte(args[2]), 1), 0o644))
}

// rehashCommand gives a bundle's description the checksums of its files as they
// are: rehash DIR.
func rehashCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: rehash DIR")
	}
	dir := ts.MkAbs(args[0])
	name := filepath.Join(dir, "bundle.json")
	text, err := os.ReadFile(name)
	ts.Check(err)
	var b struct {
		Files map[string]struct{ SHA256 string }
	}
	ts.Check(json.Unmarshal(text, &b))
	for file, f := range b.Files {
		body, err := os.ReadFile(filepath.Join(dir, file))
		ts.Check(err)
		sum := sha256.Sum256(body)
		text = bytes.ReplaceAll(text, []byte(f.SHA256), []byte(hex.EncodeToString(sum[:])))
	}
	ts.Check(os.WriteFile(name, text, 0o644))
}

// exitsCommand runs a program that must end with a code: exits CODE PROGRAM ARG...
func exitsCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var e *exec.ExitError
		if !errors.As(err, &e) {
			ts.Fatalf("%v", err)
		}
		got = e.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
