package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
)

// store keeps the slices of one method in a file until they are written as
// DICOM, so that memory does not grow with the length of a series.
type store struct {
	f    *os.File
	size int // values a slice
	buf  []byte
}

func newStore(path string, size int) (*store, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, outputErr(err)
	}
	return &store{f: f, size: size, buf: make([]byte, 4*size)}, nil
}

// put writes slice i; slices may come in any order.
func (s *store) put(i int, v []float32) error {
	if len(v) != s.size {
		panic(fmt.Sprintf("store: slice of %d values, want %d", len(v), s.size))
	}
	for j, x := range v {
		binary.LittleEndian.PutUint32(s.buf[4*j:], math.Float32bits(x))
	}
	_, err := s.f.WriteAt(s.buf, int64(i)*int64(len(s.buf)))
	return outputErr(err)
}

// get reads slice i into dst.
func (s *store) get(i int, dst []float32) error {
	if _, err := s.f.ReadAt(s.buf, int64(i)*int64(len(s.buf))); err != nil {
		return outputErr(err)
	}
	for j := range dst {
		dst[j] = math.Float32frombits(binary.LittleEndian.Uint32(s.buf[4*j:]))
	}
	return nil
}

// close forgets the slices.
func (s *store) close() {
	s.f.Close()
	os.Remove(s.f.Name())
}
