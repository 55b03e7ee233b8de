package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ctrecon/ct/recon"
	"ctrecon/ct/report"
)

// outDir is a result folder in the making. Everything is written into a
// temporary folder beside the final one, which appears only when it is whole.
type outDir struct {
	final, tmp string
}

// newOutDir checks that the result may take its place and makes the temporary
// folder. An existing folder is replaced only with force, and only when all
// that it holds was written by ctrecon.
func newOutDir(final string, force bool) (*outDir, error) {
	final = filepath.Clean(final)
	if err := mayReplace(final, force); err != nil {
		return nil, outputErr(err)
	}
	parent := filepath.Dir(final)
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return nil, outputErr(err)
	}
	tmp, err := os.MkdirTemp(parent, "."+filepath.Base(final)+".part-")
	if err != nil {
		return nil, outputErr(err)
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return nil, outputErr(err)
	}
	return &outDir{final: final, tmp: tmp}, nil
}

// path is a place inside the folder in the making.
func (o *outDir) path(name ...string) string {
	return filepath.Join(append([]string{o.tmp}, name...)...)
}

// commit gives the folder its final name. A former result steps aside first and
// is removed last, so that at every moment one of the two is whole.
func (o *outDir) commit() error {
	old := ""
	if _, err := os.Lstat(o.final); err == nil {
		old = o.tmp + ".old"
		if err := os.Rename(o.final, old); err != nil {
			return outputErr(err)
		}
	}
	if err := os.Rename(o.tmp, o.final); err != nil {
		if old != "" {
			err = errors.Join(err, os.Rename(old, o.final))
		}
		return outputErr(err)
	}
	if old != "" {
		return outputErr(os.RemoveAll(old))
	}
	return nil
}

// discard removes what was written when commit was not reached.
func (o *outDir) discard() { os.RemoveAll(o.tmp) }

func mayReplace(dir string, force bool) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s: a file stands where the result folder would; choose another with --out", dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		return err
	}
	if stranger := foreign(dir, entries); stranger != "" {
		return fmt.Errorf("%s: holds %s, which is not a result of ctrecon; choose another folder with --out", dir, stranger)
	}
	if !force {
		return fmt.Errorf("%s: holds a former result; --force replaces it, --out chooses another folder", dir)
	}
	return nil
}

// foreign names an entry that no run of ctrecon writes, "" when there is none.
func foreign(dir string, entries []os.DirEntry) string {
	b, err := os.ReadFile(filepath.Join(dir, reportJSON))
	var head struct{ Schema string }
	if err != nil || json.Unmarshal(b, &head) != nil || head.Schema != report.SchemaID {
		return entries[0].Name()
	}
	for _, e := range entries {
		if !ours(e.Name()) {
			return e.Name()
		}
	}
	return ""
}

const (
	reportJSON  = "report.json"
	reportHTML  = "report.html"
	montageFile = "montage.png"

	uncertaintyDir = "uncertainty"
)

func ours(name string) bool {
	if slices.Contains([]string{reportJSON, reportHTML, montageFile, reportPDF, objectsDir, uncertaintyDir}, name) {
		return true
	}
	for _, m := range recon.Names() {
		if name == m || strings.TrimSuffix(name, filepath.Ext(name)) == m {
			return true
		}
	}
	return false
}
