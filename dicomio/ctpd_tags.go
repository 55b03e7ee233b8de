package dicomio

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// pdPublic are the elements beside the private groups that are looked at.
var pdPublic = []uint32{
	0x00080018, 0x00080070, 0x00100010, 0x00100020, 0x00180061, 0x00185100, 0x0020000D, 0x0020000E, 0x00200013,
	0x00280002, 0x00280008, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280103, 0x00281052, 0x00281053,
}

// pdLongest bounds a value that is kept: photon statistics of 16,384 columns.
const pdLongest = 1 << 16

// pdTags are the elements of a view that were met by the preflight walk. The first
// wrong one is kept as err.
type pdTags struct {
	file  string
	order binary.ByteOrder
	value map[uint32]pdValue
	err   error
}

type pdValue struct {
	vr string
	b  []byte
	at int // offset in the file
}

// wanted says whether an element is kept.
func pdWanted(tag uint32) bool {
	switch tag >> 16 {
	case 0x7029, 0x7031, 0x7033, 0x7037, 0x7039, 0x7041:
		return true
	}
	return slices.Contains(pdPublic, tag)
}

// collect is a hook for the preflight walk.
func (t *pdTags) collect(w *walker, e element) error {
	if !pdWanted(e.tag) || e.length == undefined || e.vr == "SQ" {
		return nil
	}
	if e.length > pdLongest {
		return w.wrong(e.value, fmt.Sprintf("%s has a value of %d bytes", name(e.tag), e.length))
	}
	end := e.value + int(e.length)
	if err := w.in.fill(end); err != nil {
		return err
	}
	t.order = w.order
	t.value[e.tag] = pdValue{e.vr, slices.Clone(w.in.b[e.value:end]), e.value}
	return nil
}

func (t *pdTags) fail(tag uint32, format string, a ...any) {
	if t.err == nil {
		t.err = &FormatError{t.file, pdName(tag) + ": " + fmt.Sprintf(format, a...)}
	}
}

// pdName is name with the private keywords.
func pdName(tag uint32) string {
	if k := pdKeywords[tag]; k != "" {
		return fmt.Sprintf("(%04X,%04X) %s", tag>>16, tag&0xFFFF, k)
	}
	return name(tag)
}

var pdKeywords = map[uint32]string{
	pdDetectorRows: "NumberofDetectorRows", pdDetectorCols: "NumberofDetectorColumns", pdColSize: "DetectorElementTransverseSpacing", pdRowSize: "DetectorElementAxialSpacing",
	pdShape: "DetectorShape", pdAngle: "DetectorFocalCenterAngularPosition", pdAxial: "DetectorFocalCenterAxialPosition", pdRadial: "DetectorFocalCenterRadialDistance",
	pdDistance: "ConstantRadialDistance", pdCentral: "DetectorCentralElement", pdSpotAngle: "SourceAngularPositionShift", pdSpotAxial: "SourceAxialPositionShift",
	pdSpotRadial: "SourceRadialDistanceShift", pdSpotMode: "FlyingFocalSpotMode", pdSteps: "NumberofSourceAngularSteps", pdSpectrum: "SpectrumIndex",
	pdPhotons: "PhotonStatistics", pdType: "TypeofProjectionData", pdGeometry: "TypeofProjectionGeometry", pdBeamHardening: "BeamHardeningCorrectionFlag",
	pdScatter: "ScatterCorrectionFlag", pdLog: "LogFlag", pdWater: "WaterAttenuationCoefficient", pdWaterOld: "HUCalibrationFactor",
}

// has says whether an element is there with a value.
func (t *pdTags) has(tag uint32) bool { return len(t.value[tag].b) > 0 }

// text is a value as trimmed text.
func (t *pdTags) text(tag uint32) string { return strings.Trim(string(t.value[tag].b), " \x00") }

// numbers are the values of an element, by its VR, or as kind says where the VR is
// unknown: 'F' for 32-bit floats, 'U' for 16-bit integers, 'D' for text. A value
// that is not finite is an error.
func (t *pdTags) numbers(tag uint32, kind byte) []float64 {
	v := t.value[tag]
	switch v.vr {
	case "FL", "OF":
		kind = 'F'
	case "FD", "OD":
		kind = 'd'
	case "US", "SS":
		kind = 'U'
	case "UL", "SL":
		kind = 'u'
	case "DS", "IS", "LO", "SH", "CS":
		kind = 'D'
	}
	if kind == 'D' {
		return t.decimals(tag)
	}
	size := map[byte]int{'F': 4, 'd': 8, 'U': 2, 'u': 4}[kind]
	if len(v.b)%size != 0 {
		t.fail(tag, "%d bytes, not a multiple of %d", len(v.b), size)
		return nil
	}
	out := make([]float64, len(v.b)/size)
	for i := range out {
		b := v.b[i*size:]
		switch kind {
		case 'F':
			out[i] = float64(math.Float32frombits(t.order.Uint32(b)))
		case 'd':
			out[i] = math.Float64frombits(t.order.Uint64(b))
		case 'U':
			out[i] = float64(t.order.Uint16(b))
		default:
			out[i] = float64(t.order.Uint32(b))
		}
		if math.IsNaN(out[i]) || math.IsInf(out[i], 0) {
			t.fail(tag, "value %d is %g", i+1, out[i])
			return nil
		}
	}
	return out
}

func (t *pdTags) decimals(tag uint32) []float64 {
	var out []float64
	for _, s := range strings.Split(t.text(tag), "\\") {
		v, err := strconv.ParseFloat(strings.Trim(s, " \x00"), 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			t.fail(tag, "%q is not a number", clean(s, 32))
			return nil
		}
		out = append(out, v)
	}
	return out
}

// exactly are the n numbers of an element that must be there.
func (t *pdTags) exactly(tag uint32, kind byte, n int) []float64 {
	if !t.has(tag) {
		t.fail(tag, "is missing")
		return make([]float64, n)
	}
	v := t.numbers(tag, kind)
	if len(v) != n {
		t.fail(tag, "%d value(s), %d are needed", len(v), n)
		return make([]float64, n)
	}
	return v
}

func (t *pdTags) number(tag uint32) float64 { return t.exactly(tag, 'F', 1)[0] }

// count is a positive integer of an element that must be there.
func (t *pdTags) count(tag uint32, kind byte, lo, hi int) int {
	v := t.exactly(tag, kind, 1)[0]
	if v != math.Trunc(v) || v < float64(lo) || v > float64(hi) {
		t.fail(tag, "%g (%d to %d are possible)", v, lo, hi)
		return lo
	}
	return int(v)
}
