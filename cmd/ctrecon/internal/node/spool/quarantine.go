package spool

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"
)

// Bounds of the quarantine: its objects were refused, so the oldest may go.
const (
	quarantineFiles = 1000
	quarantineBytes = 1 << 30
)

// Reason stands beside an object in quarantine.
type Reason struct {
	Time    time.Time `json:"time"`
	Reason  string    `json:"reason"`
	From    string    `json:"from"` // AE title, or the way in
	Sum     string    `json:"sha256"`
	Bytes   int64     `json:"bytes"`
	Command string    `json:"sop_instance_uid,omitempty"` // as the sender named it
}

// Quarantine puts an object aside that was not understood, with its reason. The object
// counts as discarded; failing to keep it harms nobody.
func (in *Incoming) Quarantine(r Reason) error {
	defer in.Discard()
	r.Sum, r.Bytes = in.Sum(), in.size
	dir := filepath.Join(in.s.dir, QuarantineDir)
	name := filepath.Join(dir, r.Time.UTC().Format("20060102-150405")+"-"+r.Sum[:16])
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if in.size > quarantineBytes/4 {
		return os.WriteFile(name+".json", append(b, '\n'), 0o640)
	}
	if err := os.Rename(in.path, name+".bin"); err != nil {
		return err
	}
	in.s.due.Add(-in.size)
	in.path = ""
	if err := os.WriteFile(name+".json", append(b, '\n'), 0o640); err != nil {
		return err
	}
	return trim(dir)
}

// trim removes the oldest of a folder beyond its bounds.
func trim(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var size int64
	files := entries[:0]
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			size += info.Size()
			files = append(files, e)
		}
	}
	sort.Slice(files, func(i, j int) bool { return files[i].Name() < files[j].Name() })
	for i := 0; i < len(files) && (len(files)-i > 2*quarantineFiles || size > quarantineBytes); i++ {
		if info, err := files[i].Info(); err == nil {
			size -= info.Size()
		}
		if err := os.Remove(filepath.Join(dir, files[i].Name())); err != nil {
			return err
		}
	}
	return nil
}

// Quarantined counts the objects in quarantine.
func (s *Spool) Quarantined() int {
	entries, err := os.ReadDir(filepath.Join(s.dir, QuarantineDir))
	if err != nil {
		return 0
	}
	n := 0
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".json") {
			n++
		}
	}
	return n
}

// Reasons are those of the objects in quarantine, the newest first.
func (s *Spool) Reasons() ([]Reason, error) {
	entries, err := os.ReadDir(filepath.Join(s.dir, QuarantineDir))
	if err != nil {
		return nil, err
	}
	var out []Reason
	for _, e := range slices.Backward(entries) {
		if !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		var r Reason
		b, err := os.ReadFile(filepath.Join(s.dir, QuarantineDir, e.Name()))
		if err == nil && json.Unmarshal(b, &r) == nil { // one that has just gone, or was cut by a crash, is passed over
			out = append(out, r)
		}
	}
	return out, nil
}
