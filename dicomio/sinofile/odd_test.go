package sinofile

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"testing"
)

// TestReadNothing: values that are all one measured nothing.
func TestReadNothing(t *testing.T) {
	_, err := Read(sino(t, make([]float32, 45*64), 45, 64), Options{Axes: "view,bin"})
	wantError(t, err, false, "every value is 0: nothing was measured")
}

// TestFlatLevel: flats that are weaker or stronger than the beam of the scan shift all
// line integrals; the ends of the views, in air, tell, and a note says what to do.
func TestFlatLevel(t *testing.T) {
	p := parallel(half180, 64, 0)
	open, dark := level(40000, 0), level(300, 0)
	n := counted(p, 64, open, dark)
	for _, tt := range []struct {
		flat float64
		note string
	}{{.8, "the ends of the views read -0.22"}, {1, ""}, {1.3, "the ends of the views read 0.26"}} {
		dir := t.TempDir()
		flat := u16(t, dir, "flat.npy", frames(1, 64, func(k int) float64 { return tt.flat * open(k) }), 64)
		path, opt := u16(t, dir, "a.npy", n, 45, 64), Options{Flat: flat, Dark: u16(t, dir, "dark.npy", frames(1, 64, dark), 64)}
		s := mustRead(t, path, opt)
		if tt.note == "" {
			if hasNote(s.Notes, "the ends of the views read") {
				t.Errorf("flats that fit: notes %q", s.Notes)
			}
			continue
		}
		wantNote(t, s, tt.note)
		wantNote(t, s, `"air_correction": true in a sidecar`)
		if err := os.WriteFile(path+".json", []byte(`{"air_correction": true}`), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, _ := mustRead(t, path, opt).Slice(0); far(got, p) > .02 {
			t.Errorf("flats of %g: with the correction line integrals differ by %g", tt.flat, far(got, p))
		}
	}
}

// TestOtherName: the content of a file decides, not its name.
func TestOtherName(t *testing.T) {
	for _, tt := range []struct{ file, name, kind string }{
		{"htc_v73.mat", "scan_v5.mat", "mat7.3"},
		{"htc_v5.mat", "scan_v73.mat", "mat5"},
		{"plain.npz", "sino.npy", "npz"},
		{"plain_f4.tif", "sino.h5", "tiff"},
		{"exchange.h5", "scan.tif", "hdf5"},
	} {
		b := testdata(t, tt.file)
		c, err := open(memorySource(fileName(tt.name), b, defaultLimit), Raw{}, "testdata")
		if err != nil {
			t.Errorf("%s as %s: %v", tt.file, tt.name, err)
		} else if c.kind != tt.kind {
			t.Errorf("%s as %s: read as %s", tt.file, tt.name, c.kind)
		}
	}
}

// TestReadSquare: as many views as bins; the sums of the views tell them apart, turned
// or not.
func TestReadSquare(t *testing.T) {
	data := parallel(steps(0, 180./64, 64), 64, 0)
	shape := map[axis]int{rowAxis: 1, viewAxis: 64, binAxis: 64}
	for _, order := range [][]axis{{viewAxis, binAxis}, {binAxis, viewAxis}} {
		s := mustRead(t, sino(t, permuted(data, shape, order), 64, 64), Options{})
		if got, _ := s.Slice(0); far(got, data) != 0 {
			t.Errorf("axes %v: data differ by %g", order, far(got, data))
		}
	}
}

// zip64 makes the central directory of an archive of one member say its sizes in the
// 64-bit form (APPNOTE.TXT 4.5.3).
func zip64(t *testing.T, name string, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	w, err := z.CreateRaw(&zip.FileHeader{Name: name, Method: zip.Store, CRC32: crc32.ChecksumIEEE(data), CompressedSize64: uint64(len(data)), UncompressedSize64: uint64(len(data))})
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	b := buf.Bytes()
	at := bytes.LastIndex(b, []byte("PK\x01\x02"))
	end := bytes.LastIndex(b, []byte("PK\x05\x06"))
	head := bytes.Clone(b[at:end])
	copy(head[20:], "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF") // compressed and uncompressed size
	binary.LittleEndian.PutUint16(head[30:], 20)
	extra := binary.LittleEndian.AppendUint16([]byte{1, 0}, 16)
	extra = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(extra, uint64(len(data))), uint64(len(data)))
	tail := bytes.Clone(b[end:])
	binary.LittleEndian.PutUint32(tail[12:], uint32(len(head)+len(extra)))
	return bytes.Join([][]byte{b[:at], head, extra, tail}, nil)
}

// TestZip64: numpy writes such archives where it does not know the size.
func TestZip64(t *testing.T) {
	p := parallel(half180, 64, 0)
	b := zip64(t, "sino.npy", npyBytes("<f4", "(45, 64)", false, floats(p...)))
	if got, _ := mustRead(t, put(t, "a.npz", b), Options{}).Slice(0); far(got, p) != 0 {
		t.Errorf("data differ by %g", far(got, p))
	}
}
