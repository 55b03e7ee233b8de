package vjp

import (
	"errors"
	"slices"
	"testing"
)

func TestSignature(t *testing.T) {
	g := newGraph(18, 2, 3)
	w := g.weight(3)
	g.in = append(g.in, Port{w, Float, []int64{3}}, Port{"n", Int64, []int64{1}})
	y := g.op("Add", two("x", w))
	in, out, err := Signature(g.encode([]Port{{y, Float, []int64{2, 3}}}))
	if err != nil {
		t.Fatal(err)
	}
	if len(in) != 2 || in[0].Name != "x" || !slices.Equal(in[0].Shape, []int64{2, 3}) || in[1].Type != Int64 {
		t.Errorf("inputs %v: x and n expected, not the weight", in)
	}
	if len(out) != 1 || out[0].Name != y {
		t.Errorf("outputs %v", out)
	}
}

// Operators that nobody knows do not matter; bytes that are no model do.
func TestSignatureOfAnything(t *testing.T) {
	g := newGraph(18, 2, 3)
	model := g.model(g.un("Nonsense", "x"))
	if _, _, err := Signature(model); err != nil {
		t.Error(err)
	}
	for _, bad := range [][]byte{nil, []byte("not a graph"), model[:len(model)-3]} {
		var format *FormatError
		if _, _, err := Signature(bad); !errors.As(err, &format) {
			t.Errorf("%q: %v, want a FormatError", bad, err)
		}
	}
}
