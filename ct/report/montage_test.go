package report

import (
	"bytes"
	"image/png"
	"testing"
)

// TestMontage: the picture has the size of its layout; a method 200 HU above
// the reference is red in the row of differences, one equal to it white.
func TestMontage(t *testing.T) {
	r, pics := small()
	wrong := func(i int) (Picture, error) {
		p, err := pics(i)
		high := make([]float32, len(p.Reference))
		for k := range high {
			high[k] = 200
		}
		p.Methods[1].HU = high
		return p, err
	}
	var b bytes.Buffer
	if err := WriteMontage(t.Context(), &b, r, nil); err != nil || b.Len() != 0 {
		t.Errorf("without pictures: %d bytes, %v", b.Len(), err)
	}
	if err := WriteMontage(t.Context(), &b, r, wrong); err != nil {
		t.Fatal(err)
	}
	im, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	if got := im.Bounds().Dx(); got != gap+3*(tile+gap) {
		t.Errorf("%d pixels wide", got)
	}
	y := line + line + tile + gap + tile/2
	for col, want := range map[int][3]uint32{1: {255, 255, 255}, 2: {255, 0, 0}} {
		x := gap + col*(tile+gap) + tile/2
		cr, cg, cb, _ := im.At(x, y).RGBA()
		if got := [3]uint32{cr >> 8, cg >> 8, cb >> 8}; got != want {
			t.Errorf("column %d: %v, want %v", col, got, want)
		}
	}
}
