package report

import (
	"bytes"
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"ctrecon/ct"
)

// small is a report of two methods on two slices with pictures.
func small() (*Report, Pictures) {
	grid := ct.Square(16, 2)
	geo := ct.Uniform(5, 25, 2)
	r := &Report{Schema: SchemaID, Notice: ResearchUse, Tool: Tool{Name: "ctrecon", Version: "test"}, Command: []string{"ctrecon", "x"}, Input: Input{Kind: "phantom", Name: "<b>x</b>", Slices: 2, Reference: "truth"},
		Geometry: GeometryOf(geo, grid, ct.MuWater), Noise: NoiseOf(ct.Noise{Sigma: .01, Source: "given"}), Protocol: DefaultProtocol(), Warnings: []string{}, Environment: Here()}
	for k, name := range []string{"fbp", "tv"} {
		m := Method{Name: name, Label: strings.ToUpper(name), Settings: []Setting{}, Warnings: []string{}}
		for i := range 2 {
			m.Slices = append(m.Slices, Slice{Index: i, Label: "s", Seconds: 1, Metrics: Metrics{PSNR: Number(20 + 10*float64(k) + float64(i)), Chi2: Number(1)}})
		}
		if name == "tv" {
			m.Maps = []MapInfo{{Name: "sd", Label: "spread", Unit: "HU", Scale: "positive"}}
		}
		r.Methods = append(r.Methods, m)
	}
	r.Finish()
	return r, func(int) (Picture, error) {
		hu, data := make([]float32, grid.Len()), make([]float32, geo.Len())
		return Picture{Reference: hu, Sinogram: data, Methods: []MethodPicture{{HU: hu, Residual: data}, {HU: hu, Residual: data, Maps: map[string][]float32{"sd": hu}}}}, nil
	}
}

func TestHTML(t *testing.T) {
	r, pics := small()
	var b bytes.Buffer
	if err := WriteHTML(context.Background(), &b, r, pics); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	if !strings.Contains(page, ResearchUse) {
		t.Error("the research notice is missing")
	}
	if strings.Contains(page, "<b>x</b>") {
		t.Error("the input's name is not escaped")
	}
	if m := regexp.MustCompile(`(src|href)="?https?:`).FindString(page); m != "" {
		t.Errorf("the page loads something from outside: %s", m)
	}
	for _, id := range regexp.MustCompile(`\$\("([a-z-]+)"\)`).FindAllStringSubmatch(coreText+imagesText+compareText+dataText, -1) {
		if !strings.Contains(page, `id="`+id[1]+`"`) {
			t.Errorf("the script asks for %q, which the page has not", id[1])
		}
	}
}

func TestFinish(t *testing.T) {
	r, _ := small()
	if s := r.Methods[1].Summary.PSNR; s == nil || s.Mean != 30.5 || s.Worst != 30 || s.WorstSlice != 0 {
		t.Errorf("summary %+v, want mean 30.5, worst 30 in slice 0", s)
	}
	if len(r.Comparison) != 1 || r.Comparison[0].PSNR.Mean != 10 {
		t.Errorf("comparison %+v, want + 10 dB", r.Comparison)
	}
	b, err := json.Marshal(r)
	if err != nil || !strings.Contains(string(b), `"schema":"urn:ctrecon:report:1"`) {
		t.Errorf("%v: %.80s", err, b)
	}
}

// TestPacking: whole HU come back from the PNG's codes exactly.
func TestPacking(t *testing.T) {
	for _, hu := range []float32{-32767, -1000, -1, 0, 1, 3071, 32767} {
		c := huPacking.code(hu)
		if got := huPacking.Offset + huPacking.Step*float64(c-1); got != float64(hu) {
			t.Errorf("%g HU comes back as %g", hu, got)
		}
	}
}
