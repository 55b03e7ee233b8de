package sinofile

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"ctrecon/ct"
)

// Sidecars of the measured scans, as they lie beside them.
var realSidecars = map[string]string{
	"tooth": `{"geometry": "parallel", "dataset": "exchange/data", "slice": 0, "axes": ["view", "row", "bin"], "data": "counts",
		"flat": "exchange/data_white", "dark": "exchange/data_dark", "angles": "exchange/theta", "angle_unit": "degree",
		"detector_spacing_mm": null, "detector_spacing_bins": 1, "center_offset_bins": -23.16, "licence": "BSD-3-Clause style"}`,
	"walnut": `{"geometry": "fan-flat", "axes": ["view", "bin"], "data": "line integrals", "angles_deg": {"start": 180, "step": -3, "count": 120},
		"source_to_origin_mm": 110.0, "source_to_detector_mm": 300.0, "detector_spacing_mm": 0.35, "center_offset_bins": 0.77, "object": "walnut"}`,
	"steel": `{"geometry": "parallel", "axes": ["view", "row", "bin"], "data": "counts", "flat": "flat_rows.tif", "dark": "dark_rows.tif", "row": 5,
		"angles_deg": {"start": -88.2, "step": 2.0, "count": 91}, "detector_spacing_bins": 1, "center_offset_bins": 6.375, "note": "subtract"}`,
}

func TestSidecarReal(t *testing.T) {
	for name, text := range realSidecars {
		sc, err := parseSidecar("scan.json", []byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		switch name {
		case "tooth":
			if sc.Spacing != nil || *sc.Slice != 0 || sc.Dataset != "exchange/data" || *sc.Offset != -23.16 {
				t.Errorf("tooth: %+v", sc)
			}
		case "walnut":
			a := sc.AnglesDeg.Values()
			if len(a) != 120 || a[0] != 180 || a[119] != -177 || *sc.fan() != (Fan{SOD: 110, SDD: 300}) {
				t.Errorf("walnut: angles %v to %v of %d, fan %+v", a[0], a[len(a)-1], len(a), sc.fan())
			}
		case "steel":
			if *sc.Row != 5 || sc.Flat != "flat_rows.tif" || sc.fan() != nil {
				t.Errorf("steel: %+v", sc)
			}
		}
	}
}

// An error names the file and the field.
func TestSidecarMalformed(t *testing.T) {
	tests := []struct{ name, text, words string }{
		{"nothing", ``, "is not a JSON object"},
		{"a list", `[1]`, "is not a JSON object"},
		{"cut", `{"geometry": "parallel"`, "ends too early"},
		{"cut in a value", `{"geometry": "par`, "geometry: the JSON text ends too early"},
		{"more", `{} {}`, "more text follows"},
		{"unknown field", `{"spacing": 1}`, "spacing: unknown field"},
		{"other case", `{"Axes": ["view", "bin"]}`, `Axes: unknown field; "axes" is known`},
		{"other separator", `{"center-offset-bins": 1}`, `center-offset-bins: unknown field; "center_offset_bins" is known`},
		{"unit left out", `{"detector_spacing_m": 1}`, `"detector_spacing_mm" is known`},
		{"twice", `{"row": 1, "row": 2}`, "row: the field stands twice"},
		{"wrong type", `{"row": "five"}`, "row: found a string"},
		{"no list", `{"axes": "view,bin"}`, "axes: found a string"},
		{"spacing zero", `{"detector_spacing_mm": 0}`, "detector_spacing_mm: 0: it must be positive"},
		{"spacing negative", `{"detector_spacing_mm": -0.2}`, "detector_spacing_mm: -0.2"},
		{"spacing beyond", `{"detector_spacing_mm": 1e999}`, "detector_spacing_mm"},
		{"SOD above SDD", `{"source_to_origin_mm": 600, "source_to_detector_mm": 500}`, "behind the detector"},
		{"SOD missing", `{"source_to_detector_mm": 500}`, "source_to_origin_mm: it is missing"},
		{"SDD missing", `{"source_to_origin_mm": 500}`, "source_to_detector_mm: it is missing"},
		{"fan without distances", `{"geometry": "fan-flat"}`, "needs source_to_origin_mm"},
		{"parallel with distances", `{"geometry": "parallel", "source_to_origin_mm": 5, "source_to_detector_mm": 9}`, "the distances of a fan beam are given"},
		{"geometry unknown", `{"geometry": "cone"}`, `geometry: "cone"`},
		{"axes unknown", `{"axes": ["view", "pixel"]}`, `axes: "pixel"`},
		{"axes twice", `{"axes": ["view", "view", "bin"]}`, "twice"},
		{"axes without bins", `{"axes": ["view", "row"]}`, "view and bin are needed"},
		{"data unknown", `{"data": "photons"}`, `data: "photons"`},
		{"unit unknown", `{"angle_unit": "gon"}`, `angle_unit: "gon"`},
		{"direction unknown", `{"direction": "left"}`, `direction: "left"`},
		{"byte order unknown", `{"byte_order": "middle"}`, `byte_order: "middle"`},
		{"centre twice", `{"center_offset_bins": 1, "center_column_bins": 128}`, "given twice"},
		{"row and slice", `{"row": 1, "slice": 2}`, "slice: 2, but row says 1"},
		{"image size", `{"image_size": 0}`, "image_size: 0"},
		{"scale zero", `{"value_scale": 0}`, "value_scale"},
		{"photons negative", `{"photons": -1}`, "photons: -1"},
		{"angles a text", `{"angles_deg": "all"}`, "angles_deg: it is neither a list of numbers nor an object"},
		{"angle range misspelt", `{"angles_deg": {"start": 0, "stop": 180, "count": 9}}`, "angles_deg: stop: unknown field"},
		{"no views", `{"angles_deg": {"start": 0, "step": 1, "count": 0}}`, "count 0"},
		{"too many views", `{"angles_deg": {"start": 0, "step": 1, "count": 2000000000}}`, "count 2000000000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseSidecar("scan.npy.json", []byte(tt.text))
			wantError(t, err, false, "scan.npy.json: ", tt.words)
		})
	}
}

// A sidecar written and read is the same; one that would be refused is not
// written.
func TestSidecarRoundTrip(t *testing.T) {
	for name, text := range realSidecars {
		sc, err := parseSidecar("a.json", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), name+".json")
		if err := WriteSidecar(path, sc); err != nil {
			t.Fatal(err)
		}
		back, err := ReadSidecar(path)
		if err != nil || !reflect.DeepEqual(sc, back) {
			t.Errorf("%s: %+v read back (%v), want %+v", name, back, err, sc)
		}
	}
	path := filepath.Join(t.TempDir(), "bad.json")
	wantError(t, WriteSidecar(path, &Sidecar{Geometry: "cone"}), false, "bad.json: geometry")
	if _, err := os.Stat(path); err == nil {
		t.Error("a sidecar that ReadSidecar refuses was written")
	}
}

// docs/formats.md explains every field and every option of the schema.
func TestSidecarDocumented(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "formats.md"))
	if err != nil {
		t.Fatal(err)
	}
	for name := range jsonFields(new(Sidecar)) {
		if !strings.Contains(string(b), "`"+name+"`") {
			t.Errorf("docs/formats.md does not explain the sidecar's %s", name)
		}
	}
	for _, name := range Conventions() {
		if !strings.Contains(string(b), "`"+name+"`") {
			t.Errorf("docs/formats.md does not explain the convention %s", name)
		}
	}
}

// WriteSinogram and Read are inverse, noise and dead bins included.
func TestWriteSinogram(t *testing.T) {
	g := ct.Geometry{Angles: []float64{3, 40.5, 77, 120, 160}, Bins: 61, BinSize: .7, Offset: -1.25}
	tests := []struct {
		name  string
		noise ct.Noise
		dead  []int
	}{
		{"plain", ct.Noise{}, nil},
		{"sigma", ct.Noise{Sigma: .01, Source: "simulated"}, nil},
		{"photons and dead bins", ct.Noise{Photons: 1e5, Source: "simulated"}, []int{7, 68, 200}},
		{"sigma and dead bins", ct.Noise{Sigma: .02, Source: "given"}, []int{0, 304}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := ct.Sinogram{Geometry: g, Data: parallel(g.Angles, g.Bins, 0), Noise: tt.noise}
			if tt.dead != nil {
				s.Sigma = make([]float32, len(s.Data))
				for i := range s.Sigma {
					s.Sigma[i] = .01
				}
				for _, i := range tt.dead {
					s.Sigma[i] = float32(math.Inf(1))
				}
			}
			path := filepath.Join(t.TempDir(), "sino.npy")
			if err := WriteSinogram(path, &s); err != nil {
				t.Fatal(err)
			}
			got := mustRead(t, path, Options{}).Sinogram(0)
			if !reflect.DeepEqual(got.Geometry, g) {
				t.Errorf("geometry %+v, want %+v", got.Geometry, g)
			}
			if got.Noise.Sigma != tt.noise.Sigma || got.Noise.Photons != tt.noise.Photons {
				t.Errorf("noise %+v, want %+v", got.Noise, tt.noise)
			}
			for i := range s.Data {
				if s.Dead(i) != got.Dead(i) {
					t.Fatalf("datum %d: dead is %v, want %v", i, got.Dead(i), s.Dead(i))
				}
				if !s.Dead(i) && s.Data[i] != got.Data[i] {
					t.Fatalf("datum %d is %g, want %g", i, got.Data[i], s.Data[i])
				}
			}
		})
	}
}

func TestAnglesJSON(t *testing.T) {
	for _, text := range []string{`[0,1.5,3]`, `{"start":-90,"step":0.5,"count":360}`} {
		var a Angles
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(&a)
		if err != nil || string(b) != text {
			t.Errorf("%s became %s (%v)", text, b, err)
		}
	}
}
