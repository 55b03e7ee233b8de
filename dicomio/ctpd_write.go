package dicomio

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ctrecon/dicomio/uid"
)

// ProjectionWriter writes a scan in DICOM-CT-PD, one file a view. It writes what
// ReadProjections reads, head first and supine, for tests and phantoms.
type ProjectionWriter struct {
	Projections          // geometry and views; Beta may start anywhere
	Patient, Description string
	Most                 float64 // nepers that the 16 bits reach to
	Implicit             bool    // implicit VRs, as the archive has them
	Transposed           bool    // a row of the image is a column of the detector
	Time                 time.Time
	Quanta               func(i int) []float32          // photons a column, or nil
	Image                func(i int) ([]float32, error) // line integrals [row][col] of view i
}

// Write makes the folder dir, which must not exist. It appears under its name when
// it is whole; on an error nothing stays.
func (w *ProjectionWriter) Write(dir string) error {
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+".part-")
	if err != nil {
		return &OutputError{dir, err}
	}
	defer os.RemoveAll(tmp)
	for i := range w.Views {
		data, err := w.Image(i)
		if err != nil {
			return err
		}
		name := fmt.Sprintf("%06d.dcm", i+1)
		if err := os.WriteFile(filepath.Join(tmp, name), w.encode(i, data), 0o644); err != nil {
			return &OutputError{filepath.Join(dir, name), err}
		}
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return &OutputError{dir, err}
	}
	if err := os.Rename(tmp, dir); err != nil {
		return &OutputError{dir, err}
	}
	return nil
}

// pdEncoder builds a data set.
type pdEncoder struct {
	b        []byte
	implicit bool
}

func (e *pdEncoder) put(tag uint32, vr string, v []byte) {
	if len(v)%2 == 1 {
		pad := byte(' ')
		if vr == "UI" {
			pad = 0
		}
		v = append(v, pad)
	}
	e.b = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(e.b, uint16(tag>>16)), uint16(tag))
	switch {
	case e.implicit && tag>>16 != 2:
		e.b = binary.LittleEndian.AppendUint32(e.b, uint32(len(v)))
	case vr == "OB" || vr == "OW":
		e.b = binary.LittleEndian.AppendUint32(append(append(e.b, vr...), 0, 0), uint32(len(v)))
	default:
		e.b = binary.LittleEndian.AppendUint16(append(e.b, vr...), uint16(len(v)))
	}
	e.b = append(e.b, v...)
}

func (e *pdEncoder) text(tag uint32, vr, v string) { e.put(tag, vr, []byte(v)) }

func (e *pdEncoder) short(tag uint32, v int) {
	e.put(tag, "US", binary.LittleEndian.AppendUint16(nil, uint16(v)))
}

func (e *pdEncoder) floats(tag uint32, v ...float64) {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(x)))
	}
	e.put(tag, "FL", b)
}

// encode makes the file of view i.
func (w *ProjectionWriter) encode(i int, data []float32) []byte {
	if len(data) != w.Rows*w.Cols {
		panic(fmt.Sprintf("dicomio: a view of %d data, the detector has %d", len(data), w.Rows*w.Cols))
	}
	instance := UID("projection", w.UID, fmt.Sprint(i))
	meta := &pdEncoder{}
	syntax := explicitLittle
	if w.Implicit {
		syntax = "1.2.840.10008.1.2"
	}
	meta.put(0x00020001, "OB", []byte{0, 1})
	meta.text(0x00020002, "UI", ctImage)
	meta.text(0x00020003, "UI", instance)
	meta.text(0x00020010, "UI", syntax)
	meta.text(0x00020012, "UI", uid.Implementation)
	head := &pdEncoder{b: append(make([]byte, 128), "DICM"...)}
	head.put(tagMetaLength, "UL", binary.LittleEndian.AppendUint32(nil, uint32(len(meta.b))))
	e := &pdEncoder{b: append(head.b, meta.b...), implicit: w.Implicit}
	w.identity(e, i, instance)
	w.stored(e)
	w.geometry(e, i)
	px := make([]byte, 2*len(data))
	for r := range w.Rows {
		for c := range w.Cols {
			at := (w.Rows-1-r)*w.Cols + w.Cols - 1 - c // head first: row 1 is farthest in the gantry, columns run against ours
			if w.Transposed {
				at = (w.Cols-1-c)*w.Rows + w.Rows - 1 - r
			}
			v := math.Round((float64(data[r*w.Cols+c]) + w.Most/16) / w.slope())
			binary.LittleEndian.PutUint16(px[2*at:], uint16(max(0, min(65535, v))))
		}
	}
	e.put(tagPixels, "OW", px)
	return e.b
}

// slope of the words: from -Most/16, for noise below 0, to Most.
func (w *ProjectionWriter) slope() float64 { return w.Most * 17 / 16 / 65535 }

func (w *ProjectionWriter) identity(e *pdEncoder, i int, instance string) {
	day, clock := w.Time.Format("20060102"), w.Time.Format("150405")
	e.text(0x00080008, "CS", "ORIGINAL\\PRIMARY\\AXIAL")
	e.text(0x00080016, "UI", ctImage)
	e.text(0x00080018, "UI", instance)
	e.text(0x00080020, "DA", day)
	e.text(0x00080030, "TM", clock)
	e.text(0x00080060, "CS", "CT")
	e.text(0x00080070, "LO", w.Manufacturer)
	e.text(0x0008103E, "LO", clean(w.Description, 64))
	e.text(0x00100010, "PN", clean(w.Patient, 64))
	e.text(0x00100020, "LO", clean(w.Patient, 64))
	e.text(0x00185100, "CS", "HFS")
	e.text(0x0020000D, "UI", UID("study", w.UID))
	e.text(0x0020000E, "UI", w.UID)
	e.text(0x00200011, "IS", "1")
	e.text(0x00200013, "IS", fmt.Sprint(i+1))
	e.text(0x00204000, "LT", ResearchUse)
}

func (w *ProjectionWriter) stored(e *pdEncoder) {
	rows, cols := w.Rows, w.Cols
	if w.Transposed {
		rows, cols = cols, rows
	}
	e.short(0x00280002, 1)
	e.text(0x00280004, "CS", "MONOCHROME2")
	e.short(0x00280010, rows)
	e.short(0x00280011, cols)
	e.short(0x00280100, 16)
	e.short(0x00280101, 16)
	e.short(0x00280102, 15)
	e.short(0x00280103, 0)
	e.text(0x00281052, "DS", decimal(-w.Most/16))
	e.text(0x00281053, "DS", decimal(w.slope()))
}

// geometry inverts pose.place and describe.
func (w *ProjectionWriter) geometry(e *pdEncoder, i int) {
	v := w.Views[i]
	phi := math.Mod(math.Mod(v.Beta-180, 360)+360, 360)
	e.text(0x70290010, "LO", "DetectorSystemArrangementModule")
	e.floats(pdColSize, w.ColSize)
	e.floats(pdRowSize, w.RowSize)
	e.text(pdShape, "CS", w.Shape)
	e.short(pdDetectorRows, w.Rows)
	e.short(pdDetectorCols, w.Cols)
	e.text(0x70310010, "LO", "DetectorDynamicsModule")
	e.floats(pdAngle, phi*math.Pi/180)
	e.floats(pdAxial, v.Z)
	e.floats(pdRadial, v.Radius)
	e.floats(pdDistance, w.Distance)
	e.floats(pdCentral, float64(w.Cols)-w.CenterCol, float64(w.Rows)-w.CenterRow)
	e.text(0x70330010, "LO", "SourceDynamicsModule")
	e.floats(pdSpotAngle, v.DBeta*math.Pi/180)
	e.floats(pdSpotAxial, v.DZ)
	e.floats(pdSpotRadial, v.DRadius)
	e.text(pdSpotMode, "CS", w.FocalSpot)
	e.short(pdSteps, w.Steps)
	if w.Quanta != nil {
		q := w.Quanta(i)
		n := make([]float64, len(q))
		for k, x := range q {
			n[len(q)-1-k] = float64(x)
		}
		e.floats(pdPhotons, n...)
	}
	e.text(0x70370010, "LO", "ProjectionDataDefinitions")
	e.text(pdType, "CS", "HELICAL")
	e.text(pdGeometry, "CS", "FANBEAM")
	e.text(0x70390010, "LO", "PreprocessingFlagsModule")
	e.text(pdLog, "CS", "YES")
	if w.MuWater > 0 {
		e.text(0x70410010, "LO", "WaterAttenuationModule")
		e.text(pdWater, "DS", strings.TrimSpace(decimal(w.MuWater)))
	}
}
