package dicomio

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/suyashkumar/dicom"
	"github.com/suyashkumar/dicom/pkg/tag"
)

// topDirectory finds the DICOMDIR of a folder or archive: in the folder that holds
// all of its files, "" when there is none.
func topDirectory(all []source) string {
	if len(all) == 0 {
		return ""
	}
	top := path.Dir(all[0].name)
	for _, s := range all[1:] {
		for top != "." && !strings.HasPrefix(s.name, top+"/") {
			top = path.Dir(top)
		}
	}
	for _, s := range all {
		if path.Dir(s.name) == top && strings.EqualFold(path.Base(s.name), "DICOMDIR") {
			return s.name
		}
	}
	return ""
}

// record is an entry of a DICOMDIR (PS3.3 F.3.2.2).
type record struct {
	kind        string // PATIENT, STUDY, SERIES, IMAGE ...
	next, lower int    // offsets of records, 0 for none
	used        bool
	uid         string // of a SERIES
	instance    string // of the object in the file
	modality    string
	file        []string // parts of the name that it refers to
}

// reference is a file that a DICOMDIR names.
type reference struct {
	name     string
	uid      string // of the SOP instance, where it is given
	series   string
	modality string
}

// choose keeps the files that the DICOMDIR named dir refers to. A file that is not
// there is an error when others of its series are: the series would be incomplete.
func (in *input) choose(root, dir string) error {
	refs, err := in.references(root, dir)
	if err != nil {
		return err
	}
	found := in.finder(path.Dir(dir))
	var kept []source
	var missing []reference
	taken, present := map[string]bool{}, map[string]int{}
	for _, r := range refs {
		s, ok := found(r.name)
		switch {
		case !ok:
			missing = append(missing, r)
		case !taken[s.name]:
			taken[s.name] = true
			s.due, s.uid = true, r.uid
			kept = append(kept, s)
		}
		if ok {
			present[r.series]++
		}
	}
	var broken, gone []string
	for _, r := range missing {
		gone = append(gone, r.name)
		if present[r.series] > 0 && (r.modality == "CT" || r.modality == "") {
			broken = append(broken, r.name)
		}
	}
	switch {
	case len(broken) > 0:
		return &FormatError{dir, fmt.Sprintf("%d file(s) of a series are missing: %s; copy them, or give the folder of the series alone", len(broken), some(broken))}
	case len(kept) == 0:
		return &FormatError{dir, fmt.Sprintf("none of the %d file(s) that it names is there: %s", len(refs), some(gone))}
	case len(gone) > 0:
		in.notes = append(in.notes, fmt.Sprintf("the DICOMDIR names %d file(s) of other series that are not there: %s", len(gone), some(gone)))
	}
	if n := len(in.sources) - len(kept) - 1; n > 0 {
		in.notes = append(in.notes, fmt.Sprintf("%d file(s) left out: the DICOMDIR does not name them", n))
	}
	in.sources = kept
	return nil
}

// some writes the first of many names.
func some(names []string) string {
	if len(names) <= 3 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:3], ", "), len(names)-3)
}

// finder looks names up as they are, else without regard to case and to the version
// that ISO 9660 appends. It finds nothing but files of the input, below base.
func (in *input) finder(base string) func(name string) (source, bool) {
	exact, folded := map[string]int{}, map[string]int{}
	for i, s := range in.sources {
		exact[s.name] = i
		folded[fold(s.name)] = i
	}
	return func(name string) (source, bool) {
		full := path.Join(base, name)
		if i, ok := exact[full]; ok {
			return in.sources[i], true
		}
		i, ok := folded[fold(full)]
		if !ok {
			return source{}, false
		}
		return in.sources[i], true
	}
}

func fold(name string) string {
	return strings.TrimSuffix(strings.TrimSuffix(strings.ToUpper(name), ";1"), ".")
}

// references reads the DICOMDIR.
func (in *input) references(root, dir string) ([]reference, error) {
	for _, s := range in.sources {
		if s.name != dir {
			continue
		}
		refs, err := readDirectory(s)
		if f := (*FormatError)(nil); errors.As(err, &f) {
			return nil, &FormatError{f.File, f.What + "; without the DICOMDIR the folder is read as it is"}
		}
		return refs, err
	}
	return nil, &FormatError{root, "no such DICOMDIR"}
}

func readDirectory(s source) ([]reference, error) {
	if s.size > maxValue {
		return nil, &FormatError{s.name, fmt.Sprintf("a DICOMDIR of %d bytes", s.size)}
	}
	r, err := s.open()
	if err != nil {
		return nil, &FormatError{s.name, "cannot be read: " + plain(err)}
	}
	defer r.Close()
	in := &stream{name: s.name, r: r, size: int(s.size)}
	if err := in.fill(in.size); err != nil {
		return nil, err
	}
	return directoryFiles(in)
}

// directoryFiles lists the files that a DICOMDIR names.
func directoryFiles(in *stream) ([]reference, error) {
	l, err := walk(in, true)
	if err != nil {
		return nil, err
	}
	if l.metaClass != directory {
		return nil, &FormatError{in.name, "it is named like a DICOMDIR and is none"}
	}
	ds, _, err := parseHeader(in.name, l)
	if err != nil {
		return nil, err
	}
	var all []record
	for _, it := range items(ds, tag.DirectoryRecordSequence) {
		all = append(all, recordOf(in.name, it))
	}
	if len(all) == 0 {
		return nil, &FormatError{in.name, "the DICOMDIR has no records"}
	}
	first := &header{file: in.name, ds: ds}
	order := linked(all, l.records, first.one(tag.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity))
	if order == nil {
		order = listed(all)
	}
	return named(in.name, order)
}

func recordOf(file string, ds *dicom.Dataset) record {
	h := &header{file: file, ds: ds}
	r := record{
		kind: h.text(tag.DirectoryRecordType), next: h.one(tag.OffsetOfTheNextDirectoryRecord), lower: h.one(tag.OffsetOfReferencedLowerLevelDirectoryEntity),
		used: true, uid: h.text(tag.SeriesInstanceUID), modality: h.text(tag.Modality), file: textsOf(ds, tag.ReferencedFileID),
		instance: h.text(tag.ReferencedSOPInstanceUIDInFile),
	}
	if v := h.ints(tag.RecordInUseFlag); len(v) > 0 && v[0] == 0 {
		r.used = false
	}
	return r
}

// one is the first integer of a tag, 0 when there is none.
func (h *header) one(t tag.Tag) int {
	if v := h.ints(t); len(v) > 0 {
		return v[0]
	}
	return 0
}

// entry is a record with the series above it.
type entry struct {
	record
	series, modality string
}

// linked follows the offsets of records from the first one: nil when one leads
// nowhere or in a circle. Records that no offset leads to are deleted ones.
func linked(all []record, offsets []int, first int) []entry {
	at := map[int]int{}
	for i, o := range offsets {
		at[o] = i
	}
	type step struct {
		offset           int
		series, modality string
	}
	var out []entry
	seen := make([]bool, len(all))
	for todo := []step{{offset: first}}; len(todo) > 0; {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for s.offset != 0 {
			i, ok := at[s.offset]
			if !ok || i >= len(all) || seen[i] {
				return nil
			}
			seen[i] = true
			r := all[i]
			s.offset = r.next
			if !r.used {
				continue
			}
			below := step{r.lower, s.series, s.modality}
			if r.kind == "SERIES" {
				below.series, below.modality = r.uid, r.modality
			}
			out = append(out, entry{r, below.series, below.modality})
			todo = append(todo, below)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// listed takes the records as they stand in the file, where offsets are of no use.
func listed(all []record) []entry {
	var out []entry
	series, modality := "", ""
	for _, r := range all {
		switch r.kind {
		case "PATIENT", "STUDY":
			series, modality = "", ""
		case "SERIES":
			series, modality = r.uid, r.modality
		}
		if r.used {
			out = append(out, entry{r, series, modality})
		}
	}
	return out
}

// named gives the names of the files of records. They may not lead out of the folder.
func named(file string, all []entry) ([]reference, error) {
	var out []reference
	for _, e := range all {
		if len(e.file) == 0 || len(e.file) == 1 && e.file[0] == "" {
			continue
		}
		for _, part := range e.file {
			if part == "" || part == "." || part == ".." || strings.ContainsAny(part, "/\\:\x00") {
				return nil, &FormatError{file, fmt.Sprintf("(0004,1500) ReferencedFileID %q is no name inside the folder", strings.Join(e.file, "\\"))}
			}
		}
		out = append(out, reference{strings.Join(e.file, "/"), e.instance, e.series, e.modality})
	}
	if len(out) == 0 {
		return nil, &FormatError{file, "the DICOMDIR names no file"}
	}
	return out, nil
}
