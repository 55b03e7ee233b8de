package sinofile

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func zipDeflate(b []byte) []byte {
	var buf bytes.Buffer
	z := zlib.NewWriter(&buf)
	z.Write(b)
	z.Close()
	return buf.Bytes()
}

func zipGzip(b []byte) []byte {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	z.Write(b)
	z.Close()
	return buf.Bytes()
}

// MetaImage and NRRD list the fastest axis first: u, v, view.
func TestMetaNRRD(t *testing.T) {
	p := stack(3, half180, 64)
	data := permuted(p, map[axis]int{rowAxis: 3, viewAxis: 45, binAxis: 64}, []axis{viewAxis, rowAxis, binAxis})
	little := encode(dtype{kind: 'f', size: 4}, wide(data))
	big := encode(dtype{kind: 'f', size: 4, big: true}, wide(data))
	mha := func(extra, file string, b []byte) []byte {
		return append([]byte("ObjectType = Image\nNDims = 3\nDimSize = 64 3 45\nElementSpacing = 0.7 0.7 1\nElementType = MET_FLOAT\n"+extra+"ElementDataFile = "+file+"\n"), b...)
	}
	nrrd := func(extra string, b []byte) []byte {
		return append([]byte("NRRD0004\n# a comment\ntype: float\ndimension: 3\nsizes: 64 3 45\nspacings: 0.7 0.7 1\n"+extra+"\n"), b...)
	}
	tests := []struct {
		name string
		kind string
		file []byte
		side []byte // data.bin
	}{
		{"a.mha", "mha", mha("", "LOCAL", little), nil},
		{"big.mha", "mha", mha("BinaryDataByteOrderMSB = True\n", "LOCAL", big), nil},
		{"zip.mha", "mha", mha("CompressedData = True\n", "LOCAL", zipDeflate(little)), nil},
		{"a.mhd", "mha", mha("", "data.bin", nil), little},
		{"skip.mhd", "mha", mha("HeaderSize = 10\n", "data.bin", nil), append(make([]byte, 10), little...)},
		{"last.mhd", "mha", mha("HeaderSize = -1\n", "data.bin", nil), append(make([]byte, 77), little...)},
		{"a.nrrd", "nrrd", nrrd("encoding: raw\nendian: little\n", little), nil},
		{"big.nrrd", "nrrd", nrrd("encoding: raw\nendian: big\n", big), nil},
		{"zip.nrrd", "nrrd", nrrd("encoding: gzip\nendian: little\nkind:=value\n", zipGzip(little)), nil},
		{"a.nhdr", "nrrd", nrrd("encoding: raw\nendian: little\ndata file: data.bin\n", nil), little},
		{"skip.nhdr", "nrrd", nrrd("encoding: raw\nendian: little\nbyte skip: -1\ndata file: data.bin\n", nil), append(make([]byte, 9), little...)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := put(t, tt.name, tt.file)
			if tt.side != nil {
				if err := os.WriteFile(filepath.Join(filepath.Dir(path), "data.bin"), tt.side, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			s := mustRead(t, path, Options{})
			if s.Kind != tt.kind || s.Rows != 3 || s.Views != 45 || s.Bins != 64 || s.BinSize != .7 || s.BinSizeAssumed {
				t.Errorf("%s of %d x %d x %d, bins of %g mm: %q", s.Kind, s.Rows, s.Views, s.Bins, s.BinSize, s.Notes)
			}
			for r := range s.Rows {
				if got, _ := s.Slice(r); far(got, p[r*45*64:(r+1)*45*64]) != 0 {
					t.Errorf("row %d differs", r)
				}
			}
		})
	}
}

func TestMetaMalformed(t *testing.T) {
	mha := func(text string) []byte { return append([]byte(text), make([]byte, 4*64*45)...) }
	head := "ObjectType = Image\nNDims = 2\nDimSize = 64 45\nElementType = MET_FLOAT\n"
	nrrd := "NRRD0004\ntype: float\ndimension: 2\nsizes: 64 45\nendian: little\n"
	tests := []struct {
		name        string
		file        []byte
		unsupported bool
		words       string
	}{
		{"a.mha", mha("ObjectType = Image\nNDims = 2\nno line\n"), false, `"no line" is no line of a MetaImage header`},
		{"a.mha", []byte("ObjectType = Image\nNDims = 2\n"), false, "ElementDataFile is missing"},
		{"a.mha", mha("NDims = 3\nDimSize = 64 45\nElementType = MET_FLOAT\nElementDataFile = LOCAL\n"), false, `DimSize: "64 45" for "3" axes`},
		{"a.mha", mha("NDims = 2\nDimSize = 64 -45\nElementType = MET_FLOAT\nElementDataFile = LOCAL\n"), false, "DimSize"},
		{"a.mha", mha("NDims = 2\nDimSize = 4000000000 4000000000\nElementType = MET_FLOAT\nElementDataFile = LOCAL\n"), false, "larger than any file"},
		{"a.mha", mha("NDims = 2\nDimSize = 64 450\nElementType = MET_FLOAT\nElementDataFile = LOCAL\n"), false, "needs 115200 bytes"},
		{"a.mha", mha("NDims = 2\nDimSize = 64 45\nElementType = MET_COMPLEX\nElementDataFile = LOCAL\n"), true, "MET_COMPLEX"},
		{"a.mha", mha(head + "ElementNumberOfChannels = 3\nElementDataFile = LOCAL\n"), true, "3 values a pixel"},
		{"a.mha", mha(head + "CompressedData = True\nElementDataFile = LOCAL\n"), false, ""},
		{"a.mha", mha(head + "ElementDataFile = ../secret.raw\n"), true, "one file beside the header"},
		{"a.mha", mha(head + "ElementDataFile = proj_%03d.raw 1 9 1\n"), true, "one file beside the header"},
		{"a.mha", mha(head + "ElementDataFile = nowhere.raw\n"), false, "cannot be opened"},
		{"a.mha", mha(head + "HeaderSize = many\nElementDataFile = LOCAL\n"), false, "HeaderSize"},
		{"a.nrrd", mha("NRRD0004\ntype: float\n"), false, ""},
		{"a.nrrd", mha(nrrd + "encoding: bzip2\n\n"), true, `encoding: "bzip2"`},
		{"a.nrrd", mha(nrrd + "encoding: raw\nline skip: 2\n\n"), true, "2 lines before the data"},
		{"a.nrrd", mha(nrrd + "encoding: raw\nbyte skip: x\n\n"), false, "byte skip"},
		{"a.nrrd", mha("NRRD0004\ntype: block\ndimension: 2\nsizes: 64 45\nencoding: raw\n\n"), true, `type: "block"`},
		{"a.nrrd", mha(nrrd + "encoding: gzip\n\n"), false, ""},
		{"a.nrrd", []byte(nrrd + "encoding: raw"), false, "no empty line"},
	}
	for i, tt := range tests {
		t.Run(fmt.Sprint(i, " ", tt.words), func(t *testing.T) {
			_, err := Read(put(t, tt.name, tt.file), Options{Axes: "view,bin"})
			wantError(t, err, tt.unsupported, tt.name, tt.words)
		})
	}
}
