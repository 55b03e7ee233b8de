package spool

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
)

// Folders inside the data folder.
const (
	incomingDir   = "incoming"
	SpoolDir      = "spool"
	ConflictDir   = "conflicts"
	QuarantineDir = "quarantine"
)

// ErrFull says that there is no room for another object.
var ErrFull = errors.New("no room: the disk is nearly full, or the spool's limit is reached")

// File is what an object is written to.
type File interface {
	io.Writer
	Sync() error
	Close() error
}

// Options of a spool. Create and Free are seams for tests of faults.
type Options struct {
	Limit   int64 // bytes of all objects, 0 for none
	Reserve int64 // bytes of the disk that stay free
	Create  func(path string) (File, error)
	Free    func(dir string) (int64, error) // bytes that are left on the disk
}

// Spool is the folder of received objects.
type Spool struct {
	dir  string
	o    Options
	used atomic.Int64 // bytes of kept objects
	due  atomic.Int64 // bytes of objects on their way in
}

// Open makes the folders in dir and removes what was on its way in.
func Open(dir string, o Options) (*Spool, error) {
	if o.Create == nil {
		o.Create = create
	}
	if o.Free == nil {
		o.Free = free
	}
	if err := os.RemoveAll(filepath.Join(dir, incomingDir)); err != nil {
		return nil, err
	}
	for _, d := range []string{incomingDir, SpoolDir, ConflictDir, QuarantineDir} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o750); err != nil {
			return nil, err
		}
	}
	return &Spool{dir: dir, o: o}, SyncDir(dir)
}

func create(path string) (File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
}

// SetUsed says how many bytes are kept already.
func (s *Spool) SetUsed(n int64) { s.used.Store(n) }

// Freed says that n bytes less are kept.
func (s *Spool) Freed(n int64) { s.used.Add(-n) }

// Used is how many bytes are kept.
func (s *Spool) Used() int64 { return s.used.Load() }

// Path of a name that Keep returned.
func (s *Spool) Path(name string) string { return filepath.Join(s.dir, name) }

// Room says whether n more bytes fit. Low says that there is room, but that senders
// should be held back: less than a quarter more than the reserve, or a tenth of the limit.
func (s *Spool) Room(n int64) (ok, low bool) {
	left := int64(1) << 62
	if s.o.Limit > 0 {
		left = s.o.Limit - s.used.Load() - s.due.Load()
		low = left-n < s.o.Limit/10
	}
	if f, err := s.o.Free(s.dir); err == nil {
		low = low || f-s.o.Reserve-n < s.o.Reserve/4
		left = min(left, f-s.o.Reserve)
	}
	return left >= n, low
}

// checkEvery is how many bytes of an object are written between two looks at the room.
const checkEvery = 8 << 20

// Incoming is an object on its way in. It is used by one goroutine.
type Incoming struct {
	s    *Spool
	f    File
	path string
	sum  hash.Hash
	size int64
	next int64 // size at which the room is looked at again
	err  error // of the disk, the first
}

// Begin opens a file for an object; header are bytes before those that Sum is made of.
func (s *Spool) Begin(header []byte) (*Incoming, error) {
	if ok, _ := s.Room(int64(len(header))); !ok {
		return nil, ErrFull
	}
	path := filepath.Join(s.dir, incomingDir, unique())
	f, err := s.o.Create(path)
	if err != nil {
		return nil, err
	}
	in := &Incoming{s: s, f: f, path: path, sum: sha256.New(), next: checkEvery}
	if err := in.write(header); err != nil {
		in.Discard()
		return nil, err
	}
	return in, nil
}

// Write takes bytes of the object.
func (in *Incoming) Write(p []byte) (int, error) {
	if in.size >= in.next {
		in.next = in.size + checkEvery
		if ok, _ := in.s.Room(int64(len(p))); !ok && in.err == nil {
			in.err = ErrFull
		}
	}
	if in.err != nil {
		return 0, in.err
	}
	in.sum.Write(p)
	return len(p), in.write(p)
}

func (in *Incoming) write(p []byte) error {
	n, err := in.f.Write(p)
	in.size += int64(n)
	in.s.due.Add(int64(n))
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if in.err == nil {
		in.err = err
	}
	return err
}

// Err is the first error of the disk, which is no fault of the sender.
func (in *Incoming) Err() error { return in.err }

// Seal brings the object to the disk.
func (in *Incoming) Seal() error {
	if in.err != nil {
		return in.err
	}
	if ok, _ := in.s.Room(0); !ok {
		in.err = ErrFull
		return in.err
	}
	in.err = in.f.Sync()
	if err := in.f.Close(); in.err == nil {
		in.err = err
	}
	in.f = nil
	return in.err
}

// Sum is the SHA-256 of what was written after the header.
func (in *Incoming) Sum() string { return hex.EncodeToString(in.sum.Sum(nil)) }

// Size of the file in bytes.
func (in *Incoming) Size() int64 { return in.size }

// Path of the file while it has no other name.
func (in *Incoming) Path() string { return in.path }

// Keep gives a sealed object its final name in a folder of its own below kind, and brings
// the folder to the disk. It returns the name inside the data folder.
func (in *Incoming) Keep(kind, folder, name string) (string, error) {
	parent := filepath.Join(in.s.dir, kind)
	dir := filepath.Join(parent, folder)
	if err := os.Mkdir(dir, 0o750); err == nil {
		if err := SyncDir(parent); err != nil {
			return "", err
		}
	} else if !errors.Is(err, os.ErrExist) {
		return "", err
	}
	if err := os.Rename(in.path, filepath.Join(dir, name)); err != nil {
		return "", err
	}
	in.s.due.Add(-in.size)
	in.s.used.Add(in.size)
	in.path = ""
	return filepath.Join(kind, folder, name), SyncDir(dir)
}

// Discard removes an object that was not kept; after Keep it does nothing.
func (in *Incoming) Discard() {
	if in.f != nil {
		in.f.Close()
		in.f = nil
	}
	if in.path != "" {
		os.Remove(in.path)
		in.s.due.Add(-in.size)
		in.path = ""
	}
}

// Remove deletes a kept object.
func (s *Spool) Remove(name string, size int64) error {
	err := os.Remove(s.Path(name))
	if err == nil {
		s.used.Add(-size)
	}
	return err
}

var counter atomic.Uint64

func unique() string { return fmt.Sprintf("%d-%d", os.Getpid(), counter.Add(1)) }
