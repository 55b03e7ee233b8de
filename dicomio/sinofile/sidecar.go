package sinofile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
)

// Sidecar is the content of <file>.json: the facts of a scan that its data file
// does not hold. Every field may be missing; docs/formats.md explains each.
// Numbers are pointers where 0 differs from nothing said.
type Sidecar struct {
	Geometry string `json:"geometry,omitempty"` // "parallel", "fan-flat", "fan-curved"

	// Where the arrays are: names inside the data file, or files beside the sidecar.
	Array   string   `json:"array,omitempty"`   // of the projections: .npz key, MATLAB name
	Dataset string   `json:"dataset,omitempty"` // the same for HDF5: a path
	Axes    []string `json:"axes,omitempty"`    // "row", "view", "bin" in the order of the array
	Row     *int     `json:"row,omitempty"`     // the only row of interest, from 0
	Slice   *int     `json:"slice,omitempty"`   // the same as row
	Flat    string   `json:"flat,omitempty"`
	Dark    string   `json:"dark,omitempty"`
	Mask    string   `json:"mask,omitempty"` // not zero where nothing was measured

	Data       string   `json:"data,omitempty"`                // "counts" or "line integrals"
	ValueScale *float64 `json:"value_scale,omitempty"`         // stored values are multiplied by it first
	Photons    *float64 `json:"photons,omitempty"`             // I0: counts of a bin without an object
	Noise      *float64 `json:"noise_sigma_nepers,omitempty"`  // standard deviation of a datum
	AirBins    [][2]int `json:"air_bins,omitempty"`            // first and last bin of ranges that see air in every view
	Air        bool     `json:"air_correction,omitempty"`      // subtract the mean of the air bins from every view
	MuWater    *float64 `json:"mu_water_per_mm,omitempty"`     // attenuation of water
	Angles     string   `json:"angles,omitempty"`              // where the angles are
	AnglesDeg  *Angles  `json:"angles_deg,omitempty"`          // the angles themselves
	AngleUnit  string   `json:"angle_unit,omitempty"`          // "degree" or "radian", of the array named by angles
	Direction  string   `json:"direction,omitempty"`           // "ccw" (default) or "cw"
	ArcDeg     *float64 `json:"arc_deg,omitempty"`             // views evenly over this arc from 0, end excluded
	SOD        *float64 `json:"source_to_origin_mm,omitempty"` // fan beam: source to axis
	SDD        *float64 `json:"source_to_detector_mm,omitempty"`

	Spacing     *float64 `json:"detector_spacing_mm"`             // of the bins, on the detector; null: not known
	SpacingBins *float64 `json:"detector_spacing_bins,omitempty"` // 1: lengths are in bins
	Offset      *float64 `json:"center_offset_bins,omitempty"`    // bin k is at (k-(K-1)/2-offset)*spacing
	Column      *float64 `json:"center_column_bins,omitempty"`    // column of the axis; offset = column-(K-1)/2
	ImageSize   *int     `json:"image_size,omitempty"`            // pixels of a side, a hint
	PixelSize   *float64 `json:"pixel_size_mm,omitempty"`         // a hint

	// For files without a header.
	DType       string `json:"dtype,omitempty"`
	Shape       []int  `json:"shape,omitempty"`
	ByteOrder   string `json:"byte_order,omitempty"` // "little" (default) or "big"
	HeaderBytes int64  `json:"header_bytes,omitempty"`

	Convention string `json:"convention,omitempty"` // a tool's name, see Conventions

	Object      string `json:"object,omitempty"`
	Note        string `json:"note,omitempty"`
	Licence     string `json:"licence,omitempty"`
	Attribution string `json:"attribution,omitempty"`
	DerivedFrom string `json:"derived_from,omitempty"`
	Tool        string `json:"tool,omitempty"` // what wrote the file
}

// maxSidecar bounds the size of a sidecar, which may list every angle.
const maxSidecar = 16 << 20

// ReadSidecar reads and checks a sidecar. An unknown field, a field that stands
// twice, and a value that cannot be are a *FormatError that names the field.
func ReadSidecar(path string) (*Sidecar, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSidecar+1))
	if err != nil {
		return nil, err
	}
	return parseSidecar(fileName(filepath.Base(path)), b)
}

func parseSidecar(f fileName, b []byte) (*Sidecar, error) {
	if len(b) > maxSidecar {
		return nil, f.bad("", "a sidecar of more than %d bytes", maxSidecar)
	}
	sc := new(Sidecar)
	if field, err := strictObject(b, sc); err != nil {
		return nil, f.bad(field, "%v", err)
	}
	if field, err := sc.check(); err != nil {
		return nil, f.bad(field, "%v", err)
	}
	return sc, nil
}

// strictObject decodes a JSON object into the fields of *dst whose tags have
// exactly the names of the keys. It returns the field that an error is about.
func strictObject(b []byte, dst any) (field string, err error) {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return "", fmt.Errorf("is not a JSON object")
	}
	fields, seen := jsonFields(dst), map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return "", jsonError(err)
		}
		key := t.(string)
		v, known := fields[key]
		switch {
		case !known:
			return key, fmt.Errorf("unknown field%s", suggestion(key, fields))
		case seen[key]:
			return key, fmt.Errorf("the field stands twice")
		}
		seen[key] = true
		if err := d.Decode(v.Addr().Interface()); err != nil {
			return key, jsonError(err)
		}
	}
	if _, err := d.Token(); err != nil {
		return "", jsonError(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return "", fmt.Errorf("more text follows the JSON object")
	}
	return "", nil
}

func jsonError(err error) error {
	if t, ok := err.(*json.UnmarshalTypeError); ok {
		return fmt.Errorf("found a %s where a value of type %s belongs", t.Value, t.Type)
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("the JSON text ends too early")
	}
	return err
}

func jsonFields(dst any) map[string]reflect.Value {
	v := reflect.ValueOf(dst).Elem()
	out := map[string]reflect.Value{}
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		out[name] = v.Field(i)
	}
	return out
}

// suggestion names a known field that differs only in case, separators or unit.
func suggestion(key string, fields map[string]reflect.Value) string {
	plain := func(s string) string {
		return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(s))
	}
	k := plain(key)
	for name := range fields {
		p := plain(name)
		if p == k || len(k) > 3 && (strings.HasPrefix(p, k) || strings.HasPrefix(k, p)) {
			return fmt.Sprintf("; %q is known", name)
		}
	}
	return ""
}

// check refuses values that cannot be, and names their field.
func (sc *Sidecar) check() (field string, err error) {
	for _, c := range []struct {
		field string
		v     *float64
	}{
		{"detector_spacing_mm", sc.Spacing}, {"detector_spacing_bins", sc.SpacingBins},
		{"source_to_origin_mm", sc.SOD}, {"source_to_detector_mm", sc.SDD}, {"photons", sc.Photons},
		{"noise_sigma_nepers", sc.Noise}, {"mu_water_per_mm", sc.MuWater}, {"arc_deg", sc.ArcDeg}, {"pixel_size_mm", sc.PixelSize},
	} {
		if c.v != nil && !(*c.v > 0 && !math.IsInf(*c.v, 0)) {
			return c.field, fmt.Errorf("%g: it must be positive", *c.v)
		}
	}
	if sc.ValueScale != nil && *sc.ValueScale == 0 {
		return "value_scale", fmt.Errorf("0 leaves no data")
	}
	if _, err := parseAxes(strings.Join(sc.Axes, ",")); err != nil {
		return "axes", err
	}
	if _, err := parseContent(sc.Data); err != nil {
		return "data", err
	}
	if _, err := parseUnit(sc.AngleUnit); err != nil {
		return "angle_unit", err
	}
	if sc.Direction != "" && sc.Direction != "ccw" && sc.Direction != "cw" {
		return "direction", fmt.Errorf("%q: ccw and cw are possible", sc.Direction)
	}
	if sc.ByteOrder != "" && sc.ByteOrder != "little" && sc.ByteOrder != "big" {
		return "byte_order", fmt.Errorf("%q: little and big are possible", sc.ByteOrder)
	}
	if sc.Offset != nil && sc.Column != nil {
		return "center_column_bins", fmt.Errorf("the centre is given twice: drop it or center_offset_bins")
	}
	if sc.Row != nil && sc.Slice != nil && *sc.Row != *sc.Slice {
		return "slice", fmt.Errorf("%d, but row says %d", *sc.Slice, *sc.Row)
	}
	if sc.ImageSize != nil && *sc.ImageSize < 1 {
		return "image_size", fmt.Errorf("%d: it must be positive", *sc.ImageSize)
	}
	return sc.checkFan()
}

func (sc *Sidecar) checkFan() (field string, err error) {
	switch sc.Geometry {
	case "", "parallel", "fan-flat", "fan-curved":
	default:
		return "geometry", fmt.Errorf("%q: parallel, fan-flat and fan-curved are possible", sc.Geometry)
	}
	switch {
	case sc.SOD == nil && sc.SDD == nil:
		if strings.HasPrefix(sc.Geometry, "fan") {
			return "geometry", fmt.Errorf("%s needs source_to_origin_mm and source_to_detector_mm", sc.Geometry)
		}
	case sc.SOD == nil:
		return "source_to_origin_mm", fmt.Errorf("it is missing, but source_to_detector_mm is given")
	case sc.SDD == nil:
		return "source_to_detector_mm", fmt.Errorf("it is missing, but source_to_origin_mm is given")
	case *sc.SOD > *sc.SDD:
		return "source_to_origin_mm", fmt.Errorf("%g mm is more than source_to_detector_mm %g: the axis would lie behind the detector", *sc.SOD, *sc.SDD)
	case sc.Geometry == "parallel":
		return "geometry", fmt.Errorf("parallel, but the distances of a fan beam are given")
	}
	return "", nil
}

// fan is the fan geometry, nil for a parallel beam.
func (sc *Sidecar) fan() *Fan {
	if sc.SOD == nil || sc.SDD == nil {
		return nil
	}
	return &Fan{SOD: *sc.SOD, SDD: *sc.SDD, Curved: sc.Geometry == "fan-curved"}
}

// Angles are view angles in degrees: a list, or Start, Start+Step, ... of Count
// views. In JSON they are a list of numbers or an object with these three names
// in lower case.
type Angles struct {
	Start, Step float64
	Count       int
	List        []float64
}

// Values lists the angles in degrees.
func (a *Angles) Values() []float64 {
	if a.List != nil {
		return a.List
	}
	out := make([]float64, a.Count)
	for i := range out {
		out[i] = a.Start + float64(i)*a.Step
	}
	return out
}

type angleRange struct {
	Start float64 `json:"start"`
	Step  float64 `json:"step"`
	Count int     `json:"count"`
}

// UnmarshalJSON reads either form.
func (a *Angles) UnmarshalJSON(b []byte) error {
	if t := bytes.TrimSpace(b); len(t) > 0 && t[0] == '[' {
		return json.Unmarshal(b, &a.List)
	}
	var r angleRange
	if field, err := strictObject(b, &r); err != nil {
		if field == "" {
			return fmt.Errorf("it is neither a list of numbers nor an object with start, step and count")
		}
		return fmt.Errorf("%s: %w", field, err)
	}
	if r.Count < 1 || r.Count > maxSmall {
		return fmt.Errorf("count %d: 1 to %d views are possible", r.Count, maxSmall)
	}
	a.Start, a.Step, a.Count = r.Start, r.Step, r.Count
	return nil
}

// MarshalJSON writes the form that a has.
func (a *Angles) MarshalJSON() ([]byte, error) {
	if a.List != nil {
		return json.Marshal(a.List)
	}
	return json.Marshal(angleRange{a.Start, a.Step, a.Count})
}
