package sinofile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"
)

// Datasets of h5py in every layout hold what make.py put in.
func TestHDF5Layouts(t *testing.T) {
	c := opened(t, "layouts.h5")
	tests := []struct {
		name, dt string
		shape    []int
	}{
		{"plain/u1", "u1", []int{6, 5, 4}}, {"plain/i2", "i2", []int{6, 5, 4}}, {"plain/big_i2", "i2", []int{6, 5, 4}}, {"plain/u4", "u4", []int{6, 5, 4}},
		{"plain/i8", "i8", []int{6, 5, 4}}, {"plain/f4", "f4", []int{6, 5, 4}}, {"plain/big_f4", "f4", []int{6, 5, 4}}, {"plain/f8", "f8", []int{6, 5, 4}},
		{"plain/f2", "f2", []int{6, 5, 4}}, {"chunks/raw", "f4", []int{7, 5, 9}}, {"chunks/gzip", "f4", []int{7, 5, 9}}, {"chunks/shuffle", "u2", []int{7, 5, 9}},
		{"chunks/fletcher", "u2", []int{7, 9}}, {"chunks/many", "u2", []int{300, 4}}, {"compact", "f8", []int{3, 4}}, {"/plain/f4", "f4", []int{6, 5, 4}},
		{"second", "f4", []int{6, 5, 4}}, {"soft", "f4", []int{6, 5, 4}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := c.find(tt.name)
			if e == nil {
				t.Fatalf("there is %s", c.list())
			}
			d, _ := parseDType(tt.dt)
			holds(t, c, e, d, tt.shape, nil)
			holds(t, c, e, d, tt.shape, nil) // a second reading starts anew
		})
	}
	if v, ok := c.scalar("scalar"); !ok || v != 3.5 {
		t.Errorf("scalar %g, %v", v, ok)
	}
	for _, name := range []string{"text", "compound", "complex", "outside"} {
		if e := c.find(name); e != nil {
			t.Errorf("%s is listed as numbers: %+v", name, e)
		}
	}
}

// What cannot be read is listed with its reason.
func TestHDF5Refused(t *testing.T) {
	for _, tt := range []struct {
		file, array string
		unsupported bool
		words       string
	}{
		{"layouts.h5", "chunks/lzf", true, "chunks/lzf: filter LZF"},
		{"layouts.h5", "chunks/missing", false, "1 of 2 chunks were written: the scan is not complete"},
		{"layouts.h5", "nowhere", false, "nowhere: no such array; there is"},
		{"layouts.h5", "", true, "arrays may be the sinogram"},
		{"latest.h5", "array", true, "index of the newer form (fixed array)"},
		{"latest.h5", "extensible", true, "index of the newer form (extensible array)"},
	} {
		_, err := Read("testdata/"+tt.file, Options{Array: tt.array, Axes: "view,bin"})
		wantError(t, err, tt.unsupported, tt.file, tt.words)
	}
}

// Files of the newer form (superblock 3, object header 2, compact links) are
// read where no newer index is needed.
func TestHDF5Latest(t *testing.T) {
	c := opened(t, "latest.h5")
	holds(t, c, c.find("group/plain"), dtype{kind: 'f', size: 4}, []int{6, 5}, nil)
	holds(t, c, c.find("single"), dtype{kind: 'f', size: 4}, []int{6, 5}, nil)
	for i := range 200 {
		if v, ok := c.scalar(fmt.Sprintf("dense/child%d", i)); !ok || v != float64(i) {
			t.Fatalf("child %d is %g, %v", i, v, ok)
		}
	}
}

// The scan of make.py: a Gaussian of 1.5 nepers at 5 mm.
func wantExchange(t *testing.T, s *Scan, step float64) {
	t.Helper()
	if s.Rows != 2 || s.Views != 30 || s.Bins != 24 {
		t.Fatalf("%d x %d x %d", s.Rows, s.Views, s.Bins)
	}
	for r := range 2 {
		got, _ := s.Slice(r)
		for i, v := range got {
			d := float64(i%24) - 11.5 - 5*math.Cos(float64(i/24)*6*math.Pi/180)
			want := 1.5 * math.Exp(-d*d/8)
			if math.Abs(float64(v)-want) > 4e-3 { // a count of 230 to 1200 rounds by half
				t.Fatalf("row %d, view %d, bin %d is %g, want %g", r, i/24, i%24, v, want)
			}
		}
	}
	for i, a := range s.Angles {
		if math.Abs(a-float64(i)*step) > 1e-9 {
			t.Fatalf("view %d at %g degrees, want %g", i, a, float64(i)*step)
		}
	}
}

// Data Exchange and NXtomo are recognised by their names, flats, darks, angles
// and image keys included.
func TestHDF5Exchange(t *testing.T) {
	s := mustRead(t, "testdata/exchange.h5", Options{})
	wantExchange(t, s, 6)
	wantNote(t, s, "by the flat field exchange/data_white and the dark field exchange/data_dark")
	s = mustRead(t, "testdata/exchange_radians.h5", Options{})
	wantExchange(t, s, 6)
	wantNote(t, s, "taken for radians")
	s = mustRead(t, "testdata/exchange_bare.h5", Options{})
	wantExchange(t, s, 6)
	wantNote(t, s, "angles assumed: 30 views over 180 degrees")
	_, err := Read("testdata/exchange_long.h5", Options{})
	wantError(t, err, false, "exchange/theta: 35 angles for 30 views: the first 4 are all 0 and the last 3 all 174, so entries 4 to 33 may be meant")
	wantExchange(t, mustRead(t, "testdata/exchange_long.h5", Options{Arc: 180}), 6)
}

func TestHDF5NXtomo(t *testing.T) {
	s := mustRead(t, "testdata/nxtomo.nxs", Options{})
	wantExchange(t, s, 6)
	wantNote(t, s, "30 projections, 3 flats and 2 darks by entry1/tomo_entry/instrument/detector/image_key")
}

// every place of a small file is damaged in turn: reading ends in the right kind
// of error or in a scan, and takes no more memory than the file allows.
func TestHDF5Damaged(t *testing.T) {
	b := testdata(t, "exchange.h5")
	for i := 0; i < 2048; i++ {
		for _, v := range []byte{0, 0xff, b[i] ^ 1} {
			d := bytes.Clone(b)
			d[i] = v
			tryOpen(t, fmt.Sprintf("byte %d as %d", i, v), d)
		}
	}
	for n := 0; n < len(b); n += 97 {
		tryOpen(t, fmt.Sprintf("cut to %d", n), b[:n])
	}
}

// tryOpen reads every array of a damaged file.
func tryOpen(t *testing.T, name string, b []byte) {
	t.Helper()
	c, err := open(memorySource("a.bin", b, 1<<20), Raw{}, "")
	if err == nil {
		for _, e := range c.entries {
			if _, e := c.load32(e); e != nil && err == nil {
				err = e
			}
		}
	}
	if err != nil && !ours(err) {
		t.Errorf("%s: %T %v", name, err, err)
	}
}

func ours(err error) bool {
	switch err.(type) {
	case *FormatError, *UnsupportedError:
		return true
	}
	return false
}

// Malformed structures that a writer could make on purpose.
func TestHDF5Malformed(t *testing.T) {
	b := testdata(t, "exchange.h5")
	at := func(signature string) int { return bytes.Index(b, []byte(signature)) }
	patch := func(off int, v uint64) []byte {
		d := bytes.Clone(b)
		binary.LittleEndian.PutUint64(d[off:], v)
		return d
	}
	tree := at("TREE")
	snod := at("SNOD")
	tests := []struct {
		name string
		file []byte
		bad  string
	}{
		{"root outside", patch(64, 1<<40), "lies outside the file"},
		{"root points to itself", patch(64, 0), "damaged"},
		{"tree points to itself", patch(tree+32, uint64(tree)), "runs in a loop"},
		{"tree of another level", func() []byte { d := bytes.Clone(b); d[tree+5] = 3; return d }(), ""},
		{"symbols outside", patch(tree+32, 1<<40), "lies outside the file"},
		{"name outside its heap", patch(snod+8, 1<<30), "outside its heap"},
		{"superblock 9", func() []byte { d := bytes.Clone(b); d[8] = 9; return d }(), "version 9"},
		{"addresses of three bytes", func() []byte { d := bytes.Clone(b); d[13] = 3; return d }(), "damaged"},
		{"only the signature", b[:8], ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := openHDF5(memorySource("a.h5", tt.file, defaultLimit))
			if err == nil || !ours(err) || !strings.Contains(err.Error(), tt.bad) {
				t.Errorf("%v, want %q", err, tt.bad)
			}
		})
	}
}

// A chunk that inflates beyond its size, and dimensions beyond the chunks, end
// in an error.
func TestHDF5Chunks(t *testing.T) {
	c := opened(t, "layouts.h5")
	h := &hdf5File{source: c.source, base: 0, offsize: 8, lensize: 8, nodes: map[int64]bool{}}
	zeros := zipDeflate(make([]byte, 1<<16))
	h.source = memorySource("a.h5", zeros, defaultLimit)
	o := &h5Object{shape: []int{4, 4}, chunk: []int{4, 4}, dt: dtype{kind: 'f', size: 4}, filters: []h5Filter{{id: filterDeflate}}, single: true, singleSize: int64(len(zeros)), layout: 2}
	tests := []struct {
		name  string
		shape []int
		chunk []int
		words string
	}{
		{"a chunk that goes on", []int{4, 4}, []int{4, 4}, "holds 72 bytes where 64 belong"},
		{"more than the chunks hold", []int{4, 1 << 30}, []int{4, 1 << 30}, ""},
		{"chunks missing", []int{8, 4}, []int{4, 4}, "1 of 2 chunks"},
		{"overflowing dimensions", []int{1 << 62, 1 << 62}, []int{4, 4}, "impossible"},
		{"overflowing chunks", []int{4, 4}, []int{1 << 40, 1 << 40}, "chunks of shape"},
		{"ranks differ", []int{4, 4}, []int{4}, "chunks of 1 axes in an array of 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := &entry{name: "x", shape: tt.shape, dt: o.dt}
			o.shape, o.chunk = tt.shape, tt.chunk
			h.locate(o, e)
			_, err := h.load32(e)
			wantError(t, err, false, "x: ", tt.words)
		})
	}
}

func TestUnshuffle(t *testing.T) {
	got := unshuffle([]byte{1, 3, 5, 2, 4, 6, 7}, 2)
	if !bytes.Equal(got, []byte{1, 2, 3, 4, 5, 6, 7}) {
		t.Errorf("%v", got)
	}
}

// The signature stands at 0 or behind a user block of a power of two.
func TestFindHDF5(t *testing.T) {
	for off, want := range map[int]int64{0: 0, 512: 512, 1024: 1024, 2048: 2048, 256: -1, 100: -1, 1536: -1} {
		b := make([]byte, off+64)
		copy(b[off:], hdf5Magic)
		if got := memorySource("a.h5", b, 0).findHDF5(); got != want {
			t.Errorf("signature at %d found at %d", off, got)
		}
	}
}
