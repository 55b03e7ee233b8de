package sinofile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
)

// source is a file of known size. Everything is read at offsets, so that the
// hash can be computed beside the decoding.
type source struct {
	fileName
	at    io.ReaderAt
	size  int64
	limit int64 // bytes that compressed data may inflate to
	close func() error
}

// defaultLimit bounds what compressed data may inflate to, in bytes.
const defaultLimit = 8 << 30

func openSource(path string, limit int64) (*source, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	name := fileName(filepath.Base(path))
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = name.cannot("", "is not a regular file: give one sinogram file")
	case info.Size() == 0:
		err = name.bad("", "the file is empty")
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	if limit <= 0 {
		limit = defaultLimit
	}
	return &source{fileName: name, at: f, size: info.Size(), limit: limit, close: f.Close}, nil
}

// memorySource serves bytes in memory, for arrays inside other files and tests.
func memorySource(name fileName, b []byte, limit int64) *source {
	return &source{fileName: name, at: bytes.NewReader(b), size: int64(len(b)), limit: limit, close: func() error { return nil }}
}

// bytes reads n bytes at off, which must lie inside the file.
func (s *source) bytes(off, n int64, place string) ([]byte, error) {
	if off < 0 || n < 0 || off > s.size || n > s.size-off {
		return nil, s.bad(place, "%d bytes at offset %d lie outside the file of %d bytes: it was cut, or its header is wrong", n, off, s.size)
	}
	b := make([]byte, n)
	return b, s.fill(b, off, place)
}

// fill reads len(b) bytes at off.
func (s *source) fill(b []byte, off int64, place string) error {
	n, err := s.at.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return s.bad(place, "the file ends at offset %d, %d bytes too early", off+int64(n), len(b)-n)
	}
	return err
}

// head is the first n bytes, fewer when the file is shorter.
func (s *source) head(n int64) []byte {
	b, err := s.bytes(0, min(n, s.size), "start")
	if err != nil {
		return nil
	}
	return b
}

func (s *source) section(off, n int64) io.Reader { return io.NewSectionReader(s.at, off, n) }

// hashing computes the SHA-256 of a file beside other work.
type hashing struct {
	stop atomic.Bool
	done chan struct{}
	sum  string
	err  error
}

func (s *source) startHash() *hashing {
	h := &hashing{done: make(chan struct{})}
	go func() {
		defer close(h.done)
		sum, buf := sha256.New(), make([]byte, 1<<18)
		r := s.section(0, s.size)
		for !h.stop.Load() {
			n, err := r.Read(buf)
			sum.Write(buf[:n])
			if err == io.EOF {
				h.sum = hex.EncodeToString(sum.Sum(nil))
				return
			}
			if err != nil {
				h.err = err
				return
			}
		}
	}()
	return h
}

// wait returns the hash in hexadecimal.
func (h *hashing) wait() (string, error) {
	<-h.done
	return h.sum, h.err
}

// cancel stops hashing and returns when the file is no longer read.
func (h *hashing) cancel() {
	h.stop.Store(true)
	<-h.done
}
