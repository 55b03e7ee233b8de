package sinofile

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// seeds are the small files of testdata and some by hand.
func seeds(f *testing.F) {
	f.Helper()
	names, err := filepath.Glob("testdata/*.*")
	if err != nil || len(names) < 40 {
		f.Fatalf("%d seeds (%v)", len(names), err)
	}
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			f.Fatal(err)
		}
		if !strings.HasSuffix(n, ".py") && len(b) < 20_000 {
			f.Add(b)
		}
	}
	f.Add([]byte("ObjectType = Image\nNDims = 2\nDimSize = 4 3\nElementType = MET_UCHAR\nElementDataFile = LOCAL\nabcdefghijkl"))
	f.Add([]byte("ObjectType = Image\nNDims = 2\nDimSize = 4 3\nElementType = MET_UCHAR\nCompressedData = True\nElementDataFile = LOCAL\n" + string(zipDeflate([]byte("abcdefghijkl")))))
	f.Add([]byte("NRRD0004\ntype: uchar\ndimension: 2\nsizes: 4 3\nencoding: gzip\n\n" + string(zipGzip([]byte("abcdefghijkl")))))
	f.Add(npyRaw(3, "{'shape': (2L, 3), 'fortran_order': True, 'descr': '>f4', }", floats(1, 2, 3, 4, 5, 6)))
}

// Any bytes are read to the end or refused by one of our two errors. Nothing
// panics, and nothing is allocated that the bytes could not fill.
func FuzzRead(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 || len(b) > 1<<20 {
			return
		}
		for _, opt := range []Options{{}, {Axes: "view,bin", Arc: 180, MaskNaN: true, Data: "line integrals"}, {Axes: "view,row,bin", FindCenter: true}} {
			src := memorySource("a.bin", b, 1<<20)
			s, err := readSource(src, filepath.Join("testdata", "none", "a.bin"), opt)
			if err != nil {
				if !ours(err) {
					t.Fatalf("%T %v", err, err)
				}
				continue
			}
			checkScan(t, s)
		}
	})
}

// checkScan holds a scan to the promises of Read.
func checkScan(t *testing.T, s *Scan) {
	t.Helper()
	if s.Rows < 1 || s.Views < 1 || s.Bins < 2 || len(s.Angles) != s.Views || !(s.BinSize > 0) || math.IsNaN(s.Offset) {
		t.Fatalf("%d x %d x %d with %d angles, bins of %g mm", s.Rows, s.Views, s.Bins, len(s.Angles), s.BinSize)
	}
	data, sigma := s.Slice(s.Rows - 1)
	if len(data) != s.Views*s.Bins || sigma != nil && len(sigma) != len(data) {
		t.Fatalf("%d data, %d deviations", len(data), len(sigma))
	}
	for i, v := range data {
		if v-v != 0 {
			t.Fatalf("datum %d is %g", i, v)
		}
	}
}

// Every array of a file, also those that Read does not choose.
func FuzzArrays(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 || len(b) > 1<<20 {
			return
		}
		tryOpen(t, "input", b)
	})
}

func FuzzSidecar(f *testing.F) {
	for _, text := range realSidecars {
		f.Add([]byte(text))
	}
	f.Add([]byte(`{"angles_deg": [0, 1e308, -1], "axes": ["view", "bin"], "air_bins": [[0, 5]]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		sc, err := parseSidecar("a.json", b)
		if err != nil {
			if !ours(err) {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		path := filepath.Join(t.TempDir(), "b.json")
		if err := WriteSidecar(path, sc); err != nil {
			t.Fatalf("a sidecar that was read cannot be written: %v", err)
		}
	})
}

func FuzzAngleText(f *testing.F) {
	f.Add([]byte("# degrees\n0 1 2;3,4\r\n5e0"))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := memorySource("a.txt", b, 1<<20).textAngles()
		if err == nil && len(list) == 0 || err != nil && !ours(err) {
			t.Fatalf("%d angles, %v", len(list), err)
		}
	})
}
