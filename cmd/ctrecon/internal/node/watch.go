package node

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ctrecon/dicomio/dimse"
)

// Bounds of the watch folder.
const (
	stable     = 2 * time.Second // without a change until a file is taken
	watchFiles = 10_000          // looked at in one go
	watchFrom  = "WATCH/folder"  // its name as a way in
)

// seenFile is a file of the watch folder as it was seen.
type seenFile struct {
	size    int64
	changed time.Time // its own clock
	since   time.Time // ours: when it first looked like this
	refused bool
}

// scanFolder takes the files of the watch folder that change no more, and removes them
// there. It is used by one goroutine.
func (n *Node) scanFolder() time.Duration {
	now := time.Now()
	there := map[string]bool{}
	moving := 0
	var taken []string
	count := 0
	err := filepath.WalkDir(n.o.Watch, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasPrefix(d.Name(), ".") {
			return nil
		}
		if count++; count > watchFiles {
			return fs.SkipAll
		}
		there[p] = true
		switch n.lookAt(p, d, now) {
		case fileMoving:
			moving++
		case fileStable:
			taken = append(taken, p)
		}
		return nil
	})
	if err != nil {
		n.log.Error("the watch folder cannot be read", "error", err.Error())
	}
	for p := range n.seen {
		if !there[p] {
			delete(n.seen, p)
		}
	}
	for _, p := range taken {
		n.takeFile(p)
	}
	if moving == 0 {
		n.DepositEnd(watchFrom, nil)
	}
	return longestNap
}

// States of a file in the watch folder.
const (
	fileMoving = iota
	fileStable
	fileRefused
)

// lookAt compares a file with how it was seen before.
func (n *Node) lookAt(p string, d fs.DirEntry, now time.Time) int {
	info, err := d.Info()
	if err != nil {
		return fileMoving
	}
	old, ok := n.seen[p]
	switch {
	case !ok || old.size != info.Size() || !old.changed.Equal(info.ModTime()):
		n.seen[p] = seenFile{size: info.Size(), changed: info.ModTime(), since: now}
		return fileMoving
	case old.refused:
		return fileRefused
	case now.Sub(old.since) < stable:
		return fileMoving
	}
	return fileStable
}

// takeFile takes one file. One that cannot be taken now stays, one that never can is
// passed over until it changes.
func (n *Node) takeFile(p string) {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Minute)
	defer stop()
	gone, err := n.takeWatched(ctx, p)
	switch {
	case err == nil:
		for _, g := range gone {
			if err := os.Remove(g); err != nil && !errors.Is(err, fs.ErrNotExist) {
				n.refuseFile(p, "taken, but it cannot be removed from the watch folder")
			}
		}
	case errors.Is(err, errLater):
	default:
		n.refuseFile(p, err.Error())
	}
}

// errLater says that a file may be taken at another time.
var errLater = errors.New("not now")

func (n *Node) refuseFile(p, why string) {
	s := n.seen[p]
	s.refused = true
	n.seen[p] = s
	n.log.Warn("a file in the watch folder is left there", "reason", why)
}

// takeWatched hands a file in. gone are the files that it consists of.
func (n *Node) takeWatched(ctx context.Context, p string) (gone []string, err error) {
	if main, ok := strings.CutSuffix(p, ".json"); ok {
		if _, err := os.Stat(main); err == nil {
			return nil, errLater // goes with its sinogram
		}
		return nil, errors.New("a sidecar without its sinogram")
	}
	if _, err := dimse.ReadObject(p); err != nil {
		return n.takeSinogram(p)
	}
	f, err := os.Open(p)
	if err != nil {
		return nil, errLater
	}
	defer f.Close()
	d, err := n.Deposit(ctx, watchFrom, f)
	if err != nil && (d.Status.Transient() || d.Status.Code == dimse.Success) {
		return nil, errLater
	}
	return []string{p}, nil // what is wrong with it lies in quarantine
}

// sinogramKinds are the files that are taken for sinograms.
var sinogramKinds = []string{".npy", ".npz", ".mat", ".h5", ".hdf5", ".tif", ".tiff", ".raw", ".zip"}

// takeSinogram makes a job of a sinogram and the sidecar beside it.
func (n *Node) takeSinogram(p string) (gone []string, err error) {
	ext := strings.ToLower(filepath.Ext(p))
	if !slices.Contains(sinogramKinds, ext) {
		return nil, errors.New("neither DICOM nor a kind of sinogram file")
	}
	names := []string{p}
	if _, err := os.Stat(p + ".json"); err == nil && ext != ".zip" {
		if s, ok := n.seen[p+".json"]; !ok || time.Since(s.since) < stable {
			return nil, errLater
		}
		names = append(names, p+".json")
	}
	var parts []part
	defer func() { discard(parts) }()
	for i, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return nil, errLater
		}
		in, err := n.receive(f)
		f.Close()
		if err != nil {
			return nil, errLater
		}
		parts = append(parts, part{neutral(p) + []string{"", ".json"}[i], in})
	}
	if ext == ".zip" {
		whole := parts[0].in
		defer whole.Discard()
		if parts, err = n.unpack(whole); err != nil {
			return nil, err
		}
	}
	_, err = n.uploaded(parts)
	return names, err
}
