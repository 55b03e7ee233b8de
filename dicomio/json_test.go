package dicomio

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/suyashkumar/dicom"
	"github.com/suyashkumar/dicom/pkg/tag"
)

// TestJSON: values as PS3.18 F.2 writes them.
func TestJSON(t *testing.T) {
	el := func(tg tag.Tag, v any) *dicom.Element {
		t.Helper()
		e, err := dicom.NewElement(tg, v)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	vr := func(e *dicom.Element, vr string) *dicom.Element { e.RawValueRepresentation = vr; return e }
	for _, tt := range []struct {
		name string
		e    *dicom.Element
		want string
	}{
		{"several texts, one empty", el(tag.ImageType, []string{"DERIVED", "", "AXIAL "}), `{"00080008":{"vr":"CS","Value":["DERIVED",null,"AXIAL"]}}`},
		{"no value", el(tag.PatientID, []string{""}), `{"00100020":{"vr":"LO"}}`},
		{"name in three ways", el(tag.PatientName, []string{"Yamada^Tarou=山田^太郎=やまだ^たろう"}), `{"00100010":{"vr":"PN","Value":[{"Alphabetic":"Yamada^Tarou","Ideographic":"山田^太郎","Phonetic":"やまだ^たろう"}]}}`},
		{"name in one", el(tag.PatientName, []string{"Doe^Jane"}), `{"00100010":{"vr":"PN","Value":[{"Alphabetic":"Doe^Jane"}]}}`},
		{"decimal numbers are numbers", el(tag.PixelSpacing, []string{"0.5 ", "1e1"}), `{"00280030":{"vr":"DS","Value":[0.5,10]}}`},
		{"a decimal that is none", el(tag.SliceThickness, []string{"thin"}), `{"00180050":{"vr":"DS","Value":["thin"]}}`},
		{"integers", el(tag.InstanceNumber, []string{"7"}), `{"00200013":{"vr":"IS","Value":[7]}}`},
		{"unsigned", el(tag.Rows, []int{512}), `{"00280010":{"vr":"US","Value":[512]}}`},
		{"tags", vr(el(tag.FrameIncrementPointer, []int{0x18, 0x1063, 0x18, 0x1065}), "AT"), `{"00280009":{"vr":"AT","Value":["00181063","00181065"]}}`},
		{"numbers that JSON has not", vr(el(tag.RealWorldValueSlope, []float64{1.5, math.NaN(), math.Inf(1), math.Inf(-1)}), "FD"), `{"00409225":{"vr":"FD","Value":[1.5,"NaN","Inf","-Inf"]}}`},
		{"bytes", vr(el(tag.ICCProfile, []byte{1, 2, 255, 0}), "OB"), `{"00282000":{"vr":"OB","InlineBinary":"AQL/AA=="}}`},
		{"long bytes are left out", vr(el(tag.ICCProfile, make([]byte, maxInline+2)), "OB"), `{}`},
		{"character set", el(tag.SpecificCharacterSet, []string{"ISO_IR 100"}), `{"00080005":{"vr":"CS","Value":["ISO_IR 192"]}}`},
		{"sequence in a sequence", el(tag.ReferencedSeriesSequence, [][]*dicom.Element{
			{el(tag.SeriesInstanceUID, []string{"1.2"}), el(tag.ReferencedSOPSequence, [][]*dicom.Element{{el(tag.ReferencedSOPInstanceUID, []string{"1.2.3"})}})}, {}}),
			`{"00081115":{"vr":"SQ","Value":[{"0020000E":{"vr":"UI","Value":["1.2"]},"00081199":{"vr":"SQ","Value":[{"00081155":{"vr":"UI","Value":["1.2.3"]}}]}},{}]}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := json.Marshal(jsonObject([]*dicom.Element{tt.e}))
			if err != nil {
				t.Fatal(err)
			}
			var a, b any
			if json.Unmarshal(got, &a) != nil || json.Unmarshal([]byte(tt.want), &b) != nil {
				t.Fatalf("no JSON: %s", got)
			}
			x, _ := json.Marshal(a) // in one order of keys
			y, _ := json.Marshal(b)
			if string(x) != string(y) {
				t.Errorf("got  %s\nwant %s", x, y)
			}
		})
	}
}
