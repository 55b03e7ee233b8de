package dicomio

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// slab describes a CT image of 8 x 8 pixels for the tests; zero values mean the usual.
type slab struct {
	uid, series, study, patient, id, frame, charset string
	kind                                            string // ImageType
	z                                               float64
	number, acquisition, temporal                   int
	rows                                            int
	spacing, slope, orientation                     string
	fill                                            int    // value of the pixels
	units                                           string // RescaleType
}

func or(v, usual string) string {
	if v == "" {
		return usual
	}
	return v
}

// bytes of the file.
func (s slab) bytes() []byte {
	rows := max(s.rows, 8)
	if s.rows > 0 {
		rows = s.rows
	}
	px := make([]byte, 2*rows*8)
	for i := range rows * 8 {
		binary.LittleEndian.PutUint16(px[2*i:], uint16(s.fill+i))
	}
	uid := or(s.uid, fmt.Sprintf("1.2.9.%d", s.number))
	kind := s.kind
	if kind == "" {
		kind = "ORIGINAL\\PRIMARY\\AXIAL"
	}
	var cs, temporal, units []byte
	if s.units != "" {
		units = el(0x28, 0x1054, "LO", s.units)
	}
	if s.charset != "" {
		cs = el(8, 5, "CS", s.charset)
	}
	if s.temporal > 0 {
		temporal = el(0x20, 0x100, "IS", fmt.Sprint(s.temporal))
	}
	return object(ctImage, explicitLittle, cs, el(8, 8, "CS", kind), el(8, 0x16, "UI", ctImage), el(8, 0x18, "UI", uid),
		el(8, 0x20, "DA", "20260102"), el(8, 0x30, "TM", "030405"), el(8, 0x60, "CS", "CT"), el(8, 0x70, "LO", "nobody"),
		el(0x10, 0x10, "PN", or(s.patient, "A^B")), el(0x10, 0x20, "LO", or(s.id, "P1")), el(0x20, 0xD, "UI", or(s.study, "1.2.7")), el(0x20, 0xE, "UI", or(s.series, "1.2.8")),
		el(0x20, 0x11, "IS", "2"), el(0x20, 0x12, "IS", fmt.Sprint(s.acquisition)), el(0x20, 0x13, "IS", fmt.Sprint(s.number)),
		el(0x20, 0x32, "DS", fmt.Sprintf("0\\0\\%g", math.Round(s.z*1e4)/1e4)), el(0x20, 0x37, "DS", or(s.orientation, "1\\0\\0\\0\\1\\0")), el(0x20, 0x52, "UI", or(s.frame, "1.2.10")), temporal,
		el(0x28, 2, "US", 1), el(0x28, 4, "CS", "MONOCHROME2"), el(0x28, 0x10, "US", rows), el(0x28, 0x11, "US", 8), el(0x28, 0x30, "DS", or(s.spacing, "0.5\\0.5")),
		el(0x28, 0x100, "US", 16), el(0x28, 0x101, "US", 12), el(0x28, 0x102, "US", 11), el(0x28, 0x103, "US", 0),
		el(0x28, 0x1052, "DS", "-1024"), el(0x28, 0x1053, "DS", or(s.slope, "1")), units, el(0x7FE0, 0x10, "OW", px))
}

// folderOf writes slabs as 01, 02 and so on.
func folderOf(t testing.TB, slabs ...slab) string {
	t.Helper()
	dir := t.TempDir()
	for i, s := range slabs {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%02d", i+1)), s.bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// stack is n slabs, z apart from the first on.
func stack(n int, z float64, change func(i int, s *slab)) []slab {
	out := make([]slab, n)
	for i := range out {
		out[i] = slab{z: z * float64(i), number: i + 1, fill: 1000 + 10*i}
		if change != nil {
			change(i, &out[i])
		}
	}
	return out
}

// contains says whether one of the notes has the words.
func contains(notes []string, words string) bool {
	return strings.Contains(strings.Join(notes, "\n"), words)
}
