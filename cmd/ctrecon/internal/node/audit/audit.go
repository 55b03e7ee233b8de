// Package audit is a file to which lines are only added. Each line carries the hash of
// the line before it, so that a change or a gap shows. Lines hold UIDs, AE titles and
// addresses, nothing else about a patient.
package audit

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// maxLine bounds a line of the file.
const maxLine = 1 << 20

// Event is one line.
type Event struct {
	Time time.Time         `json:"time"`
	What string            `json:"what"`
	With map[string]string `json:"with,omitempty"`
	Prev string            `json:"prev"` // hash of the line before, empty in the first
	Hash string            `json:"hash"` // of this line with an empty hash
}

// Log is an open audit file.
type Log struct {
	mu   sync.Mutex
	f    *os.File
	prev string
	now  func() time.Time
}

// Open opens or makes the file and goes on behind its last whole line. A line that a
// crash has cut is removed: it was never acknowledged.
func Open(path string) (*Log, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, err
	}
	last, end, err := scan(f, nil)
	if err == nil {
		err = f.Truncate(end)
	}
	if err == nil {
		_, err = f.Seek(end, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Log{f: f, prev: last, now: time.Now}, nil
}

// Add writes an event; it is on disk when Add returns.
func (l *Log) Add(what string, with map[string]string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := Event{Time: l.now().UTC().Truncate(time.Millisecond), What: what, With: with, Prev: l.prev}
	e.Hash = e.hash()
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if _, err := l.f.Write(append(b, '\n')); err != nil {
		return err
	}
	l.prev = e.Hash
	return l.f.Sync()
}

// Close closes the file.
func (l *Log) Close() error { return l.f.Close() }

func (e Event) hash() string {
	e.Hash = ""
	b, err := json.Marshal(e)
	if err != nil {
		panic(err) // a time and strings
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// Verify reads the file and says at which line the chain breaks.
func Verify(path string) (lines int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	prev := ""
	_, _, err = scan(f, func(e Event) error {
		lines++
		if e.Prev != prev || e.Hash != e.hash() {
			return fmt.Errorf("%s: line %d: the chain of hashes breaks: the file was changed", path, lines)
		}
		prev = e.Hash
		return nil
	})
	return lines, err
}

// scan gives the lines to f, which may be nil, and returns the last hash and where the
// last whole line ends.
func scan(r io.Reader, f func(Event) error) (last string, end int64, err error) {
	b := bufio.NewReaderSize(r, 1<<16)
	for {
		line, err := readLine(b)
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return last, end, err
		}
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			return last, end, fmt.Errorf("byte %d: no audit line", end)
		}
		if f != nil {
			if err := f(e); err != nil {
				return last, end, err
			}
		}
		last, end = e.Hash, end+int64(len(line))
	}
}

// readLine reads a line with its end; one without an end is io.EOF.
func readLine(b *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := b.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return bytes.Clone(line), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(line) > maxLine:
			return nil, fmt.Errorf("a line of more than %d bytes", maxLine)
		}
	}
}
