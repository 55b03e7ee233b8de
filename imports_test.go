// Package ctrecon_test holds the tests of the module as a whole.
package ctrecon_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// layer orders the packages of docs/architecture.md: a package imports only
// from layers below its own, or from its own folder.
var layer = map[string]int{
	"ct": 0, "dicomio/uid": 0,
	"ct/solve": 1, "ct/metrics": 1, "ct/physics": 1, "ldm/onnx": 1, "ldm/vjp": 1,
	"radon": 2, "phantoms": 2, "ldm": 2,
	"ldm/models": 3, "dicomio/codec": 3, "dicomio/dimse": 3,
	"ct/recon": 4, "ct/report": 4, "dicomio": 4, "dicomio/sinofile": 4,
	"cmd/ctrecon": 5, "ldm/train/conditions": 5,
}

// mayNot are imports that the layers alone would allow.
var mayNot = map[string][]string{
	"radon":         {"ldm", "phantoms"},
	"ldm":           {"radon", "phantoms"},
	"phantoms":      {"radon", "ldm"},
	"dicomio":       {"radon", "ldm", "ct/recon", "ct/solve", "ct/report"},
	"ct/report":     {"ct/recon", "radon", "ldm", "dicomio"},
	"ct/recon":      {"dicomio", "ct/report"},
	"dicomio/dimse": {"ct", "radon", "ldm", "phantoms"},

	"cmd/ctrecon/internal/node":       {"ct", "radon", "ldm", "phantoms", "cmd/ctrecon/internal/node/web"},
	"cmd/ctrecon/internal/node/web":   {"ct", "radon", "ldm", "phantoms", "cmd/ctrecon/internal/node/audit"},
	"cmd/ctrecon/internal/node/store": {"dicomio", "cmd/ctrecon/internal/node/rules", "cmd/ctrecon/internal/node/spool", "cmd/ctrecon/internal/node/audit"},
	"cmd/ctrecon/internal/node/spool": {"dicomio", "cmd/ctrecon/internal/node/rules", "cmd/ctrecon/internal/node/store", "cmd/ctrecon/internal/node/audit"},
	"cmd/ctrecon/internal/node/audit": {"dicomio", "cmd/ctrecon/internal/node/rules", "cmd/ctrecon/internal/node/store", "cmd/ctrecon/internal/node/spool"},
	"cmd/ctrecon/internal/node/rules": {"cmd/ctrecon/internal/node/store", "cmd/ctrecon/internal/node/spool", "cmd/ctrecon/internal/node/audit"},
}

func TestImportDirection(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != "." {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		from := filepath.ToSlash(filepath.Dir(path))
		for _, i := range f.Imports {
			to, ours := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), "ctrecon/")
			if !ours {
				continue
			}
			seen++
			if why := forbidden(from, to); why != "" {
				t.Errorf("%s imports %s: %s", path, to, why)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen == 0 {
		t.Fatal("no import of ours was seen: the test looks in the wrong place")
	}
}

func forbidden(from, to string) string {
	for _, m := range mayNot[from] {
		if to == m || strings.HasPrefix(to, m+"/") {
			return "the package must not know it"
		}
	}
	if base(from) != base(to) && layer[base(from)] <= layer[base(to)] {
		return "imports run cmd -> report, recon, dicomio -> ldm, radon, phantoms -> solve, metrics -> ct"
	}
	return ""
}

// base is the package, or the nearest folder above it, that has a layer.
func base(pkg string) string {
	for {
		if _, ok := layer[pkg]; ok || !strings.Contains(pkg, "/") {
			return pkg
		}
		pkg = pkg[:strings.LastIndex(pkg, "/")]
	}
}

func TestForbidden(t *testing.T) {
	tests := []struct {
		from, to string
		ok       bool
	}{
		{"ct/solve", "ct", true},
		{"ct", "ct/solve", false},
		{"radon", "ct/solve", true},
		{"ct/solve", "radon", false},
		{"radon", "ldm", false},
		{"ldm", "radon", false},
		{"ldm", "ldm/onnx", true},
		{"ct/recon", "radon", true},
		{"ct/report", "ct/recon", false},
		{"dicomio", "ct/recon", false},
		{"dicomio", "dicomio/codec", true},
		{"dicomio/dimse", "ct", false},
		{"dicomio/dimse", "dicomio", false},
		{"cmd/ctrecon", "dicomio/sinofile", true},
		{"cmd/ctrecon/internal/node", "dicomio", true},
	}
	for _, tt := range tests {
		if got := forbidden(tt.from, tt.to) == ""; got != tt.ok {
			t.Errorf("%s may import %s: %v, want %v", tt.from, tt.to, got, tt.ok)
		}
	}
}
