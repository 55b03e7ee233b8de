package vjp

import (
	"errors"
	"math"
	"slices"
	"testing"
)

// Every value of binary16 survives the way to float64 and back, and values
// between two go to the nearer, ties to even.
func TestHalf(t *testing.T) {
	for h := range 1 << 16 {
		v := fromHalf(uint16(h))
		if math.IsNaN(v) {
			if !math.IsNaN(fromHalf(toHalf(v))) {
				t.Fatalf("%04x: not a number became one", h)
			}
			continue
		}
		if got := toHalf(v); got != uint16(h) {
			t.Fatalf("%04x = %g became %04x", h, v, got)
		}
	}
	for _, tt := range []struct {
		v    float64
		want uint16
	}{
		{1, 0x3c00}, {-2, 0xc000}, {65504, 0x7bff}, {65519, 0x7bff}, {65520, 0x7c00}, {math.Inf(-1), 0xfc00},
		{1 + 1.0/2048, 0x3c00}, {1 + 3.0/2048, 0x3c02}, {0x1p-24, 1}, {0x1p-25, 0}, {0x1.8p-25, 1}, {0x1.ff8p-15, 0x3ff}, {0x1.ffcp-15, 0x400},
		{2047.9, 0x6800},
	} {
		if got := toHalf(tt.v); got != tt.want {
			t.Errorf("toHalf(%g) = %04x, want %04x", tt.v, got, tt.want)
		}
	}
}

// A tensor's values come out the same from each of ONNX's ways to store them.
func TestTensorForms(t *testing.T) {
	head := func(typ Type) []byte {
		b := putNumber(putNumber(nil, tensorDims, 3), tensorType, int64(typ))
		return putText(b, tensorName, "w")
	}
	float := func(b []byte, v ...float32) []byte {
		for _, x := range v {
			b = putFloat(b, tensorFloats, x)
		}
		return b
	}
	ints := func(b []byte, num int, v ...int64) []byte {
		for _, x := range v {
			b = putNumber(b, num, x)
		}
		return b
	}
	var packedFloats, packedInts, packedDoubles []byte
	for _, x := range []float32{1, -2, 0.5} {
		packedFloats = append(packedFloats, putFloat(nil, 1, x)[1:]...)
		packedDoubles = append(packedDoubles, realTensor(Double, nil, float64(x)).raw...)
	}
	for _, x := range []int64{1, -2, 300} {
		packedInts = append(packedInts, putNumber(nil, 1, x)[1:]...)
	}
	for _, tt := range []struct {
		name string
		b    []byte
		want []float64
	}{
		{"raw float", putBytes(head(Float), tensorRaw, realTensor(Float, nil, 1, -2, 0.5).raw), []float64{1, -2, 0.5}},
		{"raw half", putBytes(head(Float16), tensorRaw, realTensor(Float16, nil, 1, -2, 0.5).raw), []float64{1, -2, 0.5}},
		{"floats one by one", float(head(Float), 1, -2, 0.5), []float64{1, -2, 0.5}},
		{"floats packed", putBytes(head(Float), tensorFloats, packedFloats), []float64{1, -2, 0.5}},
		{"doubles packed", putBytes(head(Double), tensorDoubles, packedDoubles), []float64{1, -2, 0.5}},
		{"int64", ints(head(Int64), tensorInt64s, 1, -2, 300), []float64{1, -2, 300}},
		{"int64 packed", putBytes(head(Int64), tensorInt64s, packedInts), []float64{1, -2, 300}},
		{"int32", ints(head(Int32), tensorInt32s, 1, -2, 300), []float64{1, -2, 300}},
		{"half in int32_data", ints(head(Float16), tensorInt32s, 0x3c00, 0xc000, 0x3800), []float64{1, -2, 0.5}},
		{"bool", ints(head(Bool), tensorInt32s, 1, 0, 1), []float64{1, 0, 1}},
	} {
		got, ok := parseTensor(tt.b).reals()
		if !ok || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestTensorErrors(t *testing.T) {
	dims := func(v ...int64) []byte {
		b := putNumber(nil, tensorType, int64(Float))
		for _, d := range v {
			b = putNumber(b, tensorDims, d)
		}
		return b
	}
	for _, tt := range []struct {
		name string
		b    []byte
		kind error
	}{
		{"too few values", putBytes(dims(3), tensorRaw, make([]byte, 8)), &FormatError{}},
		{"too many values", putBytes(dims(3), tensorRaw, make([]byte, 16)), &FormatError{}},
		{"huge", dims(1<<31, 1<<31, 1<<31), &FormatError{}},
		{"negative", dims(-1), &FormatError{}},
		{"many axes", dims(slices.Repeat([]int64{1}, 40)...), &FormatError{}},
		{"in another file", putNumber(dims(3), tensorLocation, 1), &UnsupportedError{}},
		{"in segments", putBytes(dims(3), tensorSegment, nil), &UnsupportedError{}},
		{"cut", putBytes(dims(3), tensorRaw, make([]byte, 12))[:12], &FormatError{}},
		{"wrong wire type", putNumber(dims(3), tensorRaw, 1), &FormatError{}},
		{"group", append(dims(3), 9<<3|3), &FormatError{}},
	} {
		err := func() (err error) {
			defer catch(&err)
			parseTensor(tt.b)
			return nil
		}()
		var f *FormatError
		var u *UnsupportedError
		switch tt.kind.(type) {
		case *FormatError:
			if !errors.As(err, &f) {
				t.Errorf("%s: %v, want a FormatError", tt.name, err)
			}
		case *UnsupportedError:
			if !errors.As(err, &u) {
				t.Errorf("%s: %v, want an UnsupportedError", tt.name, err)
			}
		}
	}
}

// A model cut anywhere is refused or, where a record ends, read as what is left;
// it never panics.
func TestCut(t *testing.T) {
	g := newGraph(18, 1, 12, 3, 4)
	model := g.model(g.attention("x", 4, 3, 4))
	for n := range model {
		_, _, err := Build(model[:n], []string{"x"})
		if !refused(err) {
			t.Fatalf("%d of %d bytes: %v", n, len(model), err)
		}
	}
}

// refused says whether err is one of the two kinds that a model may give.
func refused(err error) bool {
	var f *FormatError
	var u *UnsupportedError
	return errors.As(err, &f) || errors.As(err, &u)
}

// Any bytes are read or refused; a graph that was written is read again.
func FuzzBuild(f *testing.F) {
	for _, c := range cases {
		g := newGraph(18, c.shape...)
		f.Add(g.model(c.make(g)))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		grad, info, err := Build(b, []string{"x"})
		if err != nil {
			if !refused(err) && err.Error()[:3] != `"x"` {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		m := parse(grad)
		if len(m.inputs) != len(info.Inputs) || len(m.outputs) != len(info.Outputs) || len(m.nodes) != info.Forward+info.Reverse {
			t.Fatalf("%d inputs, %d outputs, %d nodes; info says %+v", len(m.inputs), len(m.outputs), len(m.nodes), info)
		}
	})
}
