package dicomio

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/suyashkumar/dicom/pkg/tag"
)

// specimen is a good file, and how it is read.
type specimen struct {
	set  string
	b    []byte
	read func(t *testing.T, b []byte) (string, error) // what it says, as one line
	safe []bool                                       // bytes inside values, which nothing protects

	lengths []int // where values begin: their lengths stand before
}

// content is what must not change unnoticed: pixels, places, identity.
func content(files []*file) string {
	var out []string
	for _, f := range files {
		if f.skip != "" {
			out = append(out, "left out: "+f.skip)
			continue
		}
		h := fnv.New64a()
		var b [4]byte
		for i, v := range f.slice.HU {
			binary.LittleEndian.PutUint32(b[:], math.Float32bits(v))
			h.Write(b[:])
			if f.slice.Padding != nil && f.slice.Padding[i] {
				h.Write(b[:1])
			}
		}
		s := fmt.Sprint(h.Sum64(), f.slice.Position, f.slice.Orientation, f.pixel, f.image.rows, f.image.cols, f.series, f.slice.SOPInstance, f.slice.Number)
		for _, t := range []tag.Tag{tag.PatientName, tag.PatientID, tag.PatientBirthDate, tag.StudyInstanceUID, tag.FrameOfReferenceUID} {
			s += "|" + textOf(f.slice.Header, t)
		}
		out = append(out, s)
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// readOne reads a single object. Where it is left out, the reader of a single file is
// told so: it counts as refused.
func readOne(_ *testing.T, b []byte) (string, error) {
	if len(b) < 132 || string(b[128:132]) != "DICM" {
		return "", &FormatError{"x", "no DICOM file"}
	}
	files, err := readObject(inMemory("x", b), 1)
	if err == nil && len(files) > 0 && !slices.ContainsFunc(files, func(f *file) bool { return f.skip == "" }) {
		err = &UnsupportedError{"x", files[0].skip}
	}
	return content(files), err
}

func readDir(_ *testing.T, b []byte) (string, error) {
	refs, err := directoryFiles(inMemory("DICOMDIR", b))
	return fmt.Sprint(refs), err
}

// readZip reads an archive through a file, as a user's.
func readZip(t *testing.T, b []byte) (string, error) {
	name := filepath.Join(t.TempDir(), "m.zip")
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
	all, err := ReadSeries(name, 1)
	var files []*file
	for _, s := range all {
		for _, sl := range s.Slices {
			files = append(files, &file{slice: sl, series: s.UID})
		}
	}
	return content(files), err
}

// specimens are the good files: every transfer syntax that is read.
func specimens(t *testing.T) []*specimen {
	var out []*specimen
	add := func(set string, b []byte, read func(*testing.T, []byte) (string, error)) {
		s := &specimen{set: set, b: b, read: read, safe: values(b)}
		for i := 132; i < len(b); i++ {
			if s.safe[i] && !s.safe[i-1] {
				s.lengths = append(s.lengths, i)
			}
		}
		if len(s.lengths) == 0 { // an archive, or deflated: anything may be a length
			s.lengths = []int{100, 200, 300, 400, len(b) - 20}
		}
		out = append(out, s)
	}
	for set, pattern := range map[string]string{
		"CT, not compressed": "compressed/[su]*[0-9].dcm", "CT, compressed": "compressed/*-*.dcm", "Enhanced CT": "enhanced/*.dcm", "CT of dcmtk's media": "media/CT/IM*",
	} {
		names, err := filepath.Glob(filepath.Join("testdata", pattern))
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %d files (%v)", pattern, len(names), err)
		}
		for _, n := range names {
			b, err := os.ReadFile(n)
			if err != nil {
				t.Fatal(err)
			}
			if set != "CT, not compressed" || !strings.Contains(filepath.Base(n), "-") {
				add(set, b, readOne)
			}
		}
	}
	d := derived(1)
	hu := make([]float32, d.Grid.Len())
	wave(0, hu)
	b, _, err := d.encode(0, hu)
	if err != nil {
		t.Fatal(err)
	}
	add("CT of ctrecon", b, readOne)
	if b, err = os.ReadFile("testdata/media/DICOMDIR"); err != nil {
		t.Fatal(err)
	}
	add("DICOMDIR", b, readDir)
	add("ZIP of a series", zipOf(t, stack(3, 2, nil)), readZip)
	slices.SortStableFunc(out, func(a, b *specimen) int { return strings.Compare(a.set, b.set) })
	return out
}

func zipOf(t *testing.T, slabs []slab) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i, s := range slabs {
		w, err := z.Create(fmt.Sprintf("%d.dcm", i))
		if err == nil {
			_, err = w.Write(s.bytes())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// values marks the bytes of a file that lie inside the values of elements, and the
// preamble.
func values(b []byte) []bool {
	safe := make([]bool, len(b))
	mark := func(from, to int) {
		for i := from; i < min(to, len(b)); i++ {
			safe[i] = true
		}
	}
	if len(b) < 132 || string(b[128:132]) != "DICM" {
		return safe
	}
	mark(0, 128)
	w := &walker{file: "x", in: inMemory("x", b), order: binary.LittleEndian}
	l := &layout{}
	end, err := w.meta(l)
	if err != nil {
		return safe
	}
	for at := 132; at < end; {
		e, _ := w.next(at, end)
		mark(e.value, e.value+int(e.length))
		at = e.value + int(e.length)
	}
	if l.transferSyntax("x") != nil {
		return safe
	}
	if l.syntax == deflated { // its stream has no check sum: any byte may be one of a value
		mark(end, len(b))
		return safe
	}
	w.implicit, w.order = l.implicit, l.order
	markValues(w, end, len(b), mark)
	return safe
}

func markValues(w *walker, at, end int, mark func(from, to int)) {
	for at < end {
		e, err := w.next(at, end)
		if err != nil {
			return
		}
		stop, err := e.value+int(e.length), error(nil)
		switch {
		case e.tag == tagPixels && e.length == undefined:
			l := &layout{}
			if stop, err = w.fragments(e.value, l); err == nil {
				for i, f := range l.fragments {
					from := e.value + 8 + len(l.basicOffsets) + l.starts[i] + 8
					mark(from, from+len(f))
				}
			}
		case e.vr == "SQ":
			if stop, err = w.skip(e, end, 0); err != nil {
				return
			}
			for i := e.value; i < stop; {
				h, err := w.header(i, stop)
				if err != nil || h.tag != tagItem {
					break
				}
				next, err := w.item(h, stop, 1)
				if err != nil {
					break
				}
				markValues(w, h.value, next, mark)
				i = next
			}
		default:
			mark(e.value, stop)
		}
		if err != nil {
			return
		}
		at = stop
	}
}

// mutant is a changed file, and whether only bytes inside values were changed.
type mutant struct {
	b      []byte
	inside bool
}

// damages are the ways in which a file is changed.
var damages = []struct {
	name string
	do   func(s *specimen, r *rand.Rand) mutant
}{
	{"bytes of values", func(s *specimen, r *rand.Rand) mutant {
		return mutant{flipped(s, r, true), true}
	}},
	{"bytes of tags, VRs, lengths", func(s *specimen, r *rand.Rand) mutant {
		return mutant{flipped(s, r, false), false}
	}},
	{"lengths", func(s *specimen, r *rand.Rand) mutant {
		m := mutant{slices.Clone(s.b), false}
		at := s.lengths[r.IntN(len(s.lengths))] // where a value begins
		if r.IntN(2) == 0 {
			v := binary.LittleEndian.Uint16(m.b[at-2:])
			binary.LittleEndian.PutUint16(m.b[at-2:], []uint16{v + 2, v - 2, v + 8, 0, 0xFFFF, uint16(r.IntN(65536))}[r.IntN(6)])
			return m
		}
		v := binary.LittleEndian.Uint32(m.b[at-4:])
		binary.LittleEndian.PutUint32(m.b[at-4:], []uint32{v + 2, v - 2, v * 2, 0, 0xFFFFFFFF, 0x7FFFFFFF, r.Uint32()}[r.IntN(7)])
		return m
	}},
	{"cut", func(s *specimen, r *rand.Rand) mutant { return mutant{slices.Clone(s.b[:r.IntN(len(s.b))]), false} }},
	{"spliced", func(s *specimen, r *rand.Rand) mutant {
		from, to, at := r.IntN(len(s.b)), r.IntN(len(s.b)), r.IntN(len(s.b))
		if from > to {
			from, to = to, from
		}
		part := s.b[from:min(to, from+1+r.IntN(600))]
		switch r.IntN(3) {
		case 0: // put in again
			return mutant{slices.Concat(s.b[:at], part, s.b[at:]), false}
		case 1: // taken out
			return mutant{slices.Concat(s.b[:from], s.b[from+len(part):]), false}
		}
		m := mutant{slices.Clone(s.b), true}
		for i, v := range part[:min(len(part), len(s.b)-at)] {
			m.inside = m.inside && (s.safe[at+i] || m.b[at+i] == v)
			m.b[at+i] = v
		}
		return m
	}},
}

// flipped changes one to four bytes, half of the time in the header.
func flipped(s *specimen, r *rand.Rand, safe bool) []byte {
	b := slices.Clone(s.b)
	reach := len(b)
	if r.IntN(2) == 0 {
		reach = min(reach, 1500)
	}
	if !slices.Contains(s.safe, true) { // nothing is known of an archive's inside
		safe = false
	}
	for range 1 + r.IntN(4) {
		i := 128 + r.IntN(reach-128)
		for s.safe[i] != safe {
			i = 128 + r.IntN(reach-128)
		}
		b[i] ^= byte(1 + r.IntN(255))
	}
	return b
}

// tally counts what becomes of mutants.
type tally struct{ n, equal, refused, changed, wrong, crash int }

// judge reads a mutant.
func (s *specimen) judge(t *testing.T, m mutant, want string, c *tally) {
	c.n++
	defer func() {
		if p := recover(); p != nil {
			c.crash++
			t.Errorf("%s: panic: %v", s.set, p)
		}
	}()
	got, err := s.read(t, m.b)
	f, u := (*FormatError)(nil), (*UnsupportedError)(nil)
	switch {
	case err != nil:
		c.refused++
		if !errors.As(err, &f) && !errors.As(err, &u) {
			t.Errorf("%s: an error of another kind: %T %v", s.set, err, err)
		}
	case got == want:
		c.equal++
	case m.inside || lost(got, want):
		c.changed++
	default:
		c.wrong++
		if d := os.Getenv("CTRECON_MUTANTS_KEEP"); d != "" {
			os.WriteFile(filepath.Join(d, fmt.Sprintf("%s.%d", strings.ReplaceAll(s.set, " ", "_"), c.n)), m.b, 0o644)
		}
	}
}

// lost says that got is want without some of the attributes about the patient: their
// tags became others, which are legal.
func lost(got, want string) bool {
	g, w := strings.Split(got, "|"), strings.Split(want, "|")
	if len(g) != len(w) || g[0] != w[0] {
		return false
	}
	for i := range g {
		if g[i] != w[i] && g[i] != "" {
			return false
		}
	}
	return true
}

// TestMutants damages good files, with fixed seeds: 2,000 of them, or as many as
// CTRECON_MUTANTS says. None may panic, take long or allocate much; no cut may pass.
func TestMutants(t *testing.T) {
	total := 2000
	if v := os.Getenv("CTRECON_MUTANTS"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatal(err)
		}
		total = n
	}
	all := specimens(t)
	counts := map[string]*tally{}
	var slowest time.Duration
	var most uint64
	for i := range total {
		s, d := all[i%len(all)], damages[i/len(all)%len(damages)]
		key := s.set + " | " + d.name
		if counts[key] == nil {
			counts[key] = &tally{}
		}
		want, err := s.read(t, s.b)
		if err != nil {
			t.Fatalf("%s: %v", s.set, err)
		}
		m := d.do(s, rand.New(rand.NewPCG(1, uint64(i))))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		s.judge(t, m, want, counts[key])
		slowest = max(slowest, time.Since(start))
		runtime.ReadMemStats(&after)
		most = max(most, after.TotalAlloc-before.TotalAlloc)
	}
	report(t, counts)
	t.Logf("slowest %v, largest allocation %d MiB", slowest.Round(time.Millisecond), most>>20)
	if slowest > 5*time.Second || most > 512<<20 {
		t.Errorf("a mutant took %v, one allocated %d MiB; bounds are 5 s and 512 MiB", slowest, most>>20)
	}
}

// report prints the table of docs/dicom.md and holds it to nothing wrong.
func report(t *testing.T, counts map[string]*tally) {
	keys := make([]string, 0, len(counts))
	for k := range counts {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var b strings.Builder
	for _, k := range keys {
		c := counts[k]
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %d | %d |\n", k, c.n, c.equal, c.refused, c.changed, c.wrong, c.crash)
		if c.wrong > 0 {
			t.Errorf("%s: %d files were read as something else", k, c.wrong)
		}
	}
	table := "| files | damage | n | read equal | refused with reason | a value changed or lost | wrong | crash |\n|---|---|---|---|---|---|---|---|\n" + b.String()
	t.Logf("\n%s", table)
	if *update {
		replaceBetween(t, "../docs/dicom.md", "mutants", table)
	}
}

// TestEveryCut: a file cut at any 64th byte is refused, unless nothing but padding
// behind its pixels went.
func TestEveryCut(t *testing.T) {
	for _, s := range specimens(t) {
		want, err := s.read(t, s.b)
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; n < len(s.b); n += 64 {
			if got, err := s.read(t, s.b[:n]); err == nil && (got != want || n < len(s.b)-64) {
				t.Errorf("%s: cut after %d of %d bytes: read without an error", s.set, n, len(s.b))
			}
		}
	}
}
