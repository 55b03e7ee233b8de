package dicomio

import (
	"fmt"
	"math"

	"github.com/suyashkumar/dicom"
)

// DICOM-CT-PD is the open format of CT projections of Chen, Duan, Yu, Leng, Yu and
// McCollough, Med. Phys. 42, 6964, 2015 (doi 10.1118/1.4935406), used by the
// collection LDCT-and-Projection-data of The Cancer Imaging Archive: one file a
// view, the geometry in private elements. Tags and their meaning here follow table
// IV of Moen and others, Med. Phys. 48, 902, 2021 (doi 10.1002/mp.14594) and the
// DICOM-CT-PD user manual, version 3 (2020), as FreeCT's reader, helix2fan and
// CTBangBang_DICOM_Raw have them. Version 8 of the dictionary (2015) had (7033,100B)
// and (7033,100C) the other way round; files are read as published.
const (
	pdDetectorRows  = 0x70291010 // US
	pdDetectorCols  = 0x70291011 // US
	pdColSize       = 0x70291002 // FL mm, at the detector
	pdRowSize       = 0x70291006 // FL mm
	pdShape         = 0x7029100B // CS CYLINDRICAL, SPHERICAL, FLAT
	pdAngle         = 0x70311001 // FL rad, of the detector's focal centre
	pdAxial         = 0x70311002 // FL mm, of the same
	pdRadial        = 0x70311003 // FL mm, from the axis
	pdDistance      = 0x70311031 // FL mm, focal centre to detector
	pdCentral       = 0x70311033 // FL column\row, counted from 1
	pdSpotAngle     = 0x7033100B // FL rad, focal spot from focal centre
	pdSpotAxial     = 0x7033100C // FL mm
	pdSpotRadial    = 0x7033100D // FL mm
	pdSpotMode      = 0x7033100E // CS FFSNONE, FFSZ, FFSXY, FFSXYZ
	pdSteps         = 0x70331013 // US views a turn
	pdSpectrum      = 0x70331063 // US
	pdPhotons       = 0x70331065 // FL, one a column: noise equivalent quanta through air
	pdType          = 0x70371009 // CS AXIAL, HELICAL
	pdGeometry      = 0x7037100A // CS FANBEAM
	pdBeamHardening = 0x70391003 // CS YES, NO; the next ones too
	pdScatter       = 0x70391008
	pdLog           = 0x70391009
	pdWater         = 0x70411001 // DS 1/mm
	pdWaterOld      = 0x00180061 // DS the same in version 8
)

// Projections is a scan in DICOM-CT-PD, in the axes of docs/architecture.md: x to
// the patient's left, y to the front, z to the head.
type Projections struct {
	UID          string  // SeriesInstanceUID
	Name         string  // of the folder or archive, for messages
	Manufacturer string  //
	Shape        string  // CYLINDRICAL, SPHERICAL, FLAT
	Rows, Cols   int     // of the detector
	RowSize      float64 // mm at the detector
	ColSize      float64 // mm
	Distance     float64 // focal centre to detector, mm
	// Where the line from the focal centre through the axis meets the detector; the
	// first row (nearest to the feet) and column are 0.
	CenterRow, CenterCol float64
	FocalSpot            string  // FlyingFocalSpotMode
	Steps                int     // views a turn, as the files say; 0 when they do not
	MuWater              float64 // 1/mm, 0 when the files do not say
	Photons              bool    // whether the views have photon statistics
	Views                []Projection
	Header               *dicom.Dataset // patient and study of the scan
	Digest               string         // hex SHA-256 of the instance UIDs and geometry
	Notes                []string

	cache viewCache
	close func()
}

// Projection is where one view was measured. The focal centre stands at
// (Radius sin Beta, -Radius cos Beta, Z); the D values lead to the focal spot.
// Columns run along (cos Beta, sin Beta).
type Projection struct {
	File                 string
	Number               int     // InstanceNumber
	Beta                 float64 // degrees, running on over turns
	Z, Radius            float64 // mm
	DBeta, DZ, DRadius   float64 // degrees, mm, mm
	SOPInstance          string
	source               source
	pixels, photons      int // offsets in the file, photons 0 for none
	slope, intercept     float64
	bits                 int
	big                  bool // big endian
	transposed           bool // a row of the image is a column of the detector
	mirrorRow, mirrorCol bool
}

// Close gives back an archive.
func (p *Projections) Close() {
	if p.close != nil {
		p.close()
	}
}

// pose is how the patient lay: the patient's left and front as directions of the
// axes of DICOM-CT-PD (seen from the table, x to the right, y up, z into the
// gantry), and whether the head points into the gantry.
type pose struct {
	left, front [2]float64
	head        bool
}

// poses by PatientPosition (PS3.3 C.7.3.1.1.2). The patient, the table and the
// gantry are one system in DICOM-CT-PD: lying otherwise turns the axes.
var poses = map[string]pose{
	"HFS":  {[2]float64{1, 0}, [2]float64{0, 1}, true},
	"HFP":  {[2]float64{-1, 0}, [2]float64{0, -1}, true},
	"HFDR": {[2]float64{0, 1}, [2]float64{-1, 0}, true},
	"HFDL": {[2]float64{0, -1}, [2]float64{1, 0}, true},
	"FFS":  {[2]float64{-1, 0}, [2]float64{0, 1}, false},
	"FFP":  {[2]float64{1, 0}, [2]float64{0, -1}, false},
	"FFDR": {[2]float64{0, 1}, [2]float64{1, 0}, false},
	"FFDL": {[2]float64{0, -1}, [2]float64{-1, 0}, false},
}

// place turns the cylinder coordinates of DICOM-CT-PD (x = -rho sin phi, y = rho
// cos phi) into ours. With the head to the gantry angles run on and the detector's
// columns and rows backwards; with the feet, the other way round.
func (o pose) place(v *Projection, phi, z, dphi, dz float64) {
	left, front := o.left[1], o.front[1] // of the focal centre at phi = 0, which stands on y
	beta := math.Atan2(left, -front) * 180 / math.Pi
	sign := 1.0
	if !o.head {
		sign = -1
	}
	v.Beta, v.DBeta = beta+sign*phi*180/math.Pi, sign*dphi*180/math.Pi
	v.Z, v.DZ = sign*z, sign*dz
	v.mirrorRow, v.mirrorCol = o.head, o.head
}

// length is a number within bounds; nothing outside is a scanner's.
func (t *pdTags) length(tag uint32, lo, hi float64) float64 {
	v := t.number(tag)
	if !(v >= lo && v <= hi) {
		t.fail(tag, "%g (%g to %g are possible)", v, lo, hi)
		return lo
	}
	return v
}

// shift is a displacement of the focal spot. Where angle and height stand the other
// way round, as in files of 2015, a height shows as an impossible angle.
func (t *pdTags) shift(tag uint32, most float64) float64 {
	if !t.has(tag) {
		if m := t.text(pdSpotMode); m != "" && m != "FFSNONE" {
			t.fail(tag, "is missing, the focal spot flies (%s)", m)
		}
		return 0
	}
	v := t.number(tag)
	if !(math.Abs(v) <= most) {
		t.fail(tag, "%g (at most %g is possible)", v, most)
		return 0
	}
	return v
}

// unsupported says in one sentence why a view cannot be used, "" when it can.
func (t *pdTags) unsupported() string {
	switch {
	case t.text(pdType) != "" && t.text(pdType) != "HELICAL":
		return fmt.Sprintf("a scan of type %s: helical scans are rebinned", t.text(pdType))
	case t.text(pdGeometry) != "" && t.text(pdGeometry) != "FANBEAM":
		return fmt.Sprintf("projection geometry %s: FANBEAM is read", t.text(pdGeometry))
	case t.text(pdLog) == "NO":
		return "raw intensities (LogFlag NO): line integrals are read"
	case t.has(0x00280008) && t.text(0x00280008) != "1":
		return "several views in one file (NumberOfFrames " + t.text(0x00280008) + "): one file a view is read"
	}
	switch s := t.text(pdShape); s {
	case "CYLINDRICAL", "SPHERICAL", "FLAT":
		return ""
	default:
		return fmt.Sprintf("detector shape %q: CYLINDRICAL, SPHERICAL and FLAT are read", s)
	}
}
