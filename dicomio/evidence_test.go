package dicomio

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// exhibit is a file of testdata/evidence.py, and what pydicom reads in it.
type exhibit struct {
	Set, Name, Path string
	CT              bool   // of a class that we read
	HU              string // file of float32, "" where pydicom or the class gives none
	Reason          string // why not
	Within          float64
}

// outcome of reading an exhibit, with a remark where that is not plain. The values are
// those of ReadObject and, where a job can be made of the file, of ReadSeries.
func (x *exhibit) outcome(t *testing.T) (kind, remark string) {
	defer func() {
		if p := recover(); p != nil {
			kind, remark = "crash", fmt.Sprint(p)
		}
	}()
	all, why := ReadSeries(x.Path, 1)
	object, err := ReadObject(x.Path, 1)
	for _, e := range []error{why, err} {
		if f, u := (*FormatError)(nil), (*UnsupportedError)(nil); e != nil && !errors.As(e, &f) && !errors.As(e, &u) {
			return "wrong", "an error of another kind: " + e.Error()
		}
	}
	plain := func(s string) string { return strings.ReplaceAll(s, filepath.Dir(x.Path)+"/", "") }
	switch {
	case err != nil && why == nil:
		return "wrong", "ReadSeries reads it; ReadObject: " + err.Error()
	case err != nil && x.HU != "":
		return "refused with reason", "pydicom reads it; ctrecon: " + plain(err.Error())
	case err != nil && x.CT && strings.Contains(x.Reason, "no 'Pixel Data'") != strings.Contains(err.Error(), "no pixel data"):
		return "wrong", "another reason than " + x.Reason + ": " + err.Error()
	case err != nil && x.CT:
		return "refused with reason", x.Reason + "; ctrecon: " + strings.TrimPrefix(plain(err.Error()), x.Name+": ")
	case err != nil:
		return "refused with reason", ""
	case x.HU == "":
		return "wrong", "read, though " + x.Reason
	}
	worst, odd := x.compare(t, []*Series{object})
	if odd == "" && why == nil {
		var again float64
		again, odd = x.compare(t, all)
		worst = max(worst, again)
	}
	switch {
	case odd != "":
		return "wrong", odd
	case worst > x.Within:
		return "wrong", fmt.Sprintf("up to %g HU from pydicom", worst)
	case x.Within > 0:
		return "read equal", fmt.Sprintf("within %g HU of pydicom (%g allowed)", worst, x.Within)
	case why != nil:
		return "read equal", "equal; a job refuses it: " + plain(why.Error())
	case contains(object.Notes, "is no UID"):
		return "read equal", "equal; UIDs that are none are replaced, with a note"
	}
	return "read equal", ""
}

// compare gives the largest distance from pydicom's values, and what is odd about the
// number of values.
func (x *exhibit) compare(t *testing.T, all []*Series) (worst float64, odd string) {
	want, err := os.ReadFile(x.HU)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, s := range all {
		for _, sl := range s.Slices {
			at := 4 * (max(sl.Frame, 1) - 1) * len(sl.HU)
			for i, v := range sl.HU {
				w := math.Float32frombits(binary.LittleEndian.Uint32(want[at+4*i:]))
				worst = max(worst, math.Abs(float64(v)-float64(w)))
			}
			n += 4 * len(sl.HU)
		}
	}
	if n != len(want) {
		odd = fmt.Sprintf("%d bytes of values, pydicom has %d", n, len(want))
	}
	return worst, odd
}

// TestEvidence makes the table of docs/dicom.md: files of pydicom's tests, one slice in
// every form, measured series (where CTRECON_CTDATA names them). CTRECON_EVIDENCE is a
// Python with testdata/evidence.txt; `make evidence` makes one. -update writes the table.
func TestEvidence(t *testing.T) {
	python := os.Getenv("CTRECON_EVIDENCE")
	if python == "" {
		t.Skip("CTRECON_EVIDENCE names no Python with pydicom; make evidence does")
	}
	work := t.TempDir()
	args := []string{"testdata/evidence.py", work}
	if dir := os.Getenv("CTRECON_CTDATA"); dir != "" {
		zips, err := filepath.Glob(filepath.Join(dir, "dicom", "*.zip"))
		if err != nil || len(zips) == 0 {
			t.Fatalf("%s: %d archives (%v)", dir, len(zips), err)
		}
		args = append(args, zips...)
	}
	if out, err := exec.Command(python, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	} else if len(out) > 0 {
		t.Logf("%s", out)
	}
	b, err := os.ReadFile(filepath.Join(work, "list.json"))
	if err != nil {
		t.Fatal(err)
	}
	var list []exhibit
	if err := json.Unmarshal(b, &list); err != nil {
		t.Fatal(err)
	}
	if len(list) < 250 {
		t.Fatalf("%d files: pydicom alone has more", len(list))
	}
	table, remarks := tabulate(t, list)
	t.Logf("\n%s\n%s", table, remarks)
	if *update {
		replaceBetween(t, "../docs/dicom.md", "evidence", table+"\n"+remarks)
	}
}

// tabulate reads all exhibits.
func tabulate(t *testing.T, list []exhibit) (table, remarks string) {
	kinds := []string{"read equal", "refused with reason", "wrong", "crash"}
	counts, same := map[string]map[string]int{}, map[string]int{}
	var sets, notes []string
	for i := range list {
		x := &list[i]
		set := x.Set
		if x.Set == "files of pydicom's tests" {
			set += map[bool]string{true: ", CT", false: ", other objects"}[x.CT]
		}
		if counts[set] == nil {
			counts[set], sets = map[string]int{}, append(sets, set)
		}
		start := time.Now()
		kind, remark := x.outcome(t)
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("%s: %v", x.Name, d)
		}
		counts[set][kind]++
		if kind == "wrong" || kind == "crash" {
			t.Errorf("%s: %s: %s: %s", set, x.Name, kind, remark)
		}
		switch {
		case remark != "" && x.HU == "" && kind == "refused with reason":
			same[set+": "+remark]++
		case remark != "":
			notes = append(notes, fmt.Sprintf("- %s: %s: %s\n", set, x.Name, remark))
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "| files | n | %s |\n|---|---|---|---|---|---|\n", strings.Join(kinds, " | "))
	for _, s := range sets {
		n := 0
		row := ""
		for _, k := range kinds {
			n += counts[s][k]
			row += fmt.Sprintf(" %d |", counts[s][k])
		}
		fmt.Fprintf(&b, "| %s | %d |%s\n", s, n, row)
	}
	for what, n := range same {
		notes = append(notes, fmt.Sprintf("- %s (%d files)\n", what, n))
	}
	slices.Sort(notes)
	return b.String(), strings.Join(notes, "")
}

// replaceBetween writes text between the marks of a name in a page.
func replaceBetween(t *testing.T, page, name, text string) {
	t.Helper()
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	from, to := "<!-- "+name+" -->\n", "<!-- end of "+name+" -->"
	i, j := strings.Index(string(b), from), strings.Index(string(b), to)
	if i < 0 || j < i {
		t.Fatalf("%s has no marks %q", page, from)
	}
	out := string(b[:i+len(from)]) + "\n" + text + "\n" + string(b[j:])
	if err := os.WriteFile(page, []byte(out), 0o644); err != nil {
		t.Fatal(err)
	}
}
