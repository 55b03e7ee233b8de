package sinofile

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"strings"
	"testing"
)

var f8 = dtype{kind: 'f', size: 8}

// The struct of the Helsinki set reads as a fan scan in all three forms of
// MATLAB files, and the same.
func TestHTC(t *testing.T) {
	var first []float32
	for _, name := range []string{"htc_v5.mat", "htc_v5_plain.mat", "htc_v73.mat"} {
		t.Run(name, func(t *testing.T) {
			c := opened(t, name)
			e := c.find("CtDataFull.sinogram")
			if e == nil {
				t.Fatalf("there is %s", c.list())
			}
			holds(t, c, e, f8, []int{6, 9}, columns(6, 9))
			s := mustRead(t, "testdata/"+name, Options{})
			if s.Views != 6 || s.Bins != 9 || s.BinSize != .2 || s.PixelSize != .148322317 || *s.Fan != (Fan{SOD: 410.66, SDD: 553.74}) {
				t.Errorf("%+v", s)
			}
			for i, a := range s.Angles {
				if a != float64(i)*.5 {
					t.Errorf("view %d at %g degrees", i, a)
				}
			}
			got, _ := s.Slice(0)
			for i := range got {
				if float64(got[i]) != real8(i) {
					t.Fatalf("datum %d is %g, want %g", i, got[i], real8(i))
				}
			}
			if first == nil {
				first = got
			} else if far(first, got) != 0 {
				t.Error("differs from the first file")
			}
		})
	}
}

// Matrices, texts, cells, structs of several elements, and what is no
// measurement, as scipy writes them.
func TestMAT5Classes(t *testing.T) {
	c := opened(t, "odd_v5.mat")
	holds(t, c, c.find("a"), dtype{kind: 'u', size: 2}, []int{6, 9}, columns(6, 9))
	holds(t, c, c.find("c{1}"), dtype{kind: 'i', size: 2}, []int{3, 4}, columns(3, 4))
	for name, want := range map[string]string{"c{2}": "text", "t": "hällo"} {
		if e := c.find(name); e == nil || e.text != want {
			t.Errorf("%s is %+v, want the text %q", name, e, want)
		}
	}
	for name, want := range map[string]float64{"s{1}.x": 1, "s{2}.x": 2} {
		if v, ok := c.scalar(name); !ok || v != want {
			t.Errorf("%s is %g, %v: there is %s", name, v, ok, c.list())
		}
	}
	wantError(t, c.find("z").problem, true, "complex")
	_, err := c.load32(c.find("e"))
	wantError(t, err, false, "the array is empty")
	fips := opened(t, "fips.mat")
	wantError(t, fips.find("A").problem, true, "sparse")
	if e, err := fips.pick(""); err != nil || e.name != "m" {
		t.Errorf("the data of a FIPS set are %v (%v)", e, err)
	}
	c = opened(t, "matrix_v5.mat")
	if e, err := c.pick(""); err != nil || e.name != "sino" {
		t.Errorf("the data of a plain matrix are %v (%v)", e, err)
	}
	holds(t, c, c.entries[0], dtype{kind: 'f', size: 4}, []int{6, 9}, columns(6, 9))
}

// matWriter makes MATLAB level 5 files by hand, in either byte order.
type matWriter struct {
	o interface {
		binary.ByteOrder
		binary.AppendByteOrder
	}
}

func (m matWriter) file(elements ...[]byte) []byte {
	b := append([]byte(strings.Repeat(" ", 124)), 0, 0, 0, 0)
	copy(b, "MATLAB 5.0 MAT-file")
	m.o.PutUint16(b[124:], 0x100)
	m.o.PutUint16(b[126:], 'M'<<8|'I')
	return append(b, bytes.Join(elements, nil)...)
}

func (m matWriter) part(kind int, b []byte) []byte {
	out := m.o.AppendUint32(m.o.AppendUint32(nil, uint32(kind)), uint32(len(b)))
	return append(append(out, b...), make([]byte, -len(b)&7)...)
}

func (m matWriter) ints(v ...uint32) (b []byte) {
	for _, x := range v {
		b = m.o.AppendUint32(b, x)
	}
	return b
}

// matrix is an array element of the class, with its parts behind the header.
func (m matWriter) matrix(class uint32, name string, dims []uint32, parts ...[]byte) []byte {
	body := append(m.part(6, m.ints(class, 0)), m.part(5, m.ints(dims...))...)
	body = append(body, m.part(1, []byte(name))...)
	return m.part(miMatrix, append(body, bytes.Join(parts, nil)...))
}

func (m matWriter) doubles(v ...float64) []byte {
	return m.part(9, encode(dtype{kind: 'f', size: 8, big: m.o.String() == "BigEndian"}, v))
}

func (m matWriter) zip(b []byte) []byte {
	var buf bytes.Buffer
	z := zlib.NewWriter(&buf)
	z.Write(b)
	z.Close()
	return append(m.o.AppendUint32(m.o.AppendUint32(nil, miCompressed), uint32(buf.Len())), buf.Bytes()...)
}

// Both byte orders, plain and compressed, with the numbers stored in a smaller
// type than the class as MATLAB does.
func TestMAT5ByHand(t *testing.T) {
	for _, m := range []matWriter{{binary.LittleEndian}, {binary.BigEndian}} {
		plain := m.matrix(mxDouble, "a", []uint32{2, 3}, m.doubles(1, 2, 3, 4, 5, 6))
		small := m.matrix(mxDouble, "b", []uint32{2, 3}, m.part(2, []byte{1, 2, 3, 4, 5, 6}))
		tiny := m.matrix(mxDouble, "c", []uint32{1, 2}, m.ints(2<<16|1, 0)) // a short part: type 1, two bytes, inside the tag
		copy(tiny[len(tiny)-4:], []byte{7, 8})
		for name, file := range map[string][]byte{"plain": m.file(plain, small, tiny), "compressed": m.file(m.zip(plain), m.zip(small), m.zip(tiny))} {
			t.Run(m.o.String()+" "+name, func(t *testing.T) {
				c, err := open(memorySource("a.mat", file, defaultLimit), Raw{}, "")
				if err != nil {
					t.Fatal(err)
				}
				for array, want := range map[string][]float32{"a": {1, 2, 3, 4, 5, 6}, "b": {1, 2, 3, 4, 5, 6}, "c": {7, 8}} {
					e := c.find(array)
					if e == nil {
						t.Fatalf("there is %s", c.list())
					}
					if got, err := c.load32(e); err != nil || far(got, want) != 0 {
						t.Errorf("%s is %v (%v), want %v", array, got, err, want)
					}
				}
			})
		}
	}
}

func TestMAT5Malformed(t *testing.T) {
	m := matWriter{binary.LittleEndian}
	good := m.matrix(mxDouble, "a", []uint32{2, 3}, m.doubles(1, 2, 3, 4, 5, 6))
	deep := m.doubles(1)
	deep = m.matrix(mxDouble, "", []uint32{1, 1}, deep)
	for range 1000 {
		deep = m.matrix(mxStruct, "", []uint32{1, 1}, m.ints(4<<16|5, 8), m.part(1, []byte("f\x00\x00\x00\x00\x00\x00\x00")), deep)
	}
	long := m.file(good)
	binary.LittleEndian.PutUint32(long[132:], 1<<30)
	inner := m.file(good)
	binary.LittleEndian.PutUint32(inner[188:], 0xffffff) // the length of the numbers
	endless := m.matrix(mxDouble, "a", []uint32{1 << 14, 1 << 14}, m.part(9, nil))
	binary.LittleEndian.PutUint32(endless[len(endless)-4:], 1<<31)
	tests := []struct {
		name        string
		file        []byte
		unsupported bool
		words       string
	}{
		{"level 4", testdata(t, "v4.mat"), true, "level 4: save it with -v7"},
		{"no array", m.file(), false, "holds no array"},
		{"other version", func() []byte { b := m.file(good); b[125] = 3; return b }(), true, "version 0x300"},
		{"element beyond the file", long, false, "lie outside the file"},
		{"part beyond the element", inner, false, "but 16777215 bytes"},
		{"cut", m.file(good)[:150], false, "lie outside the file"},
		{"shape and data differ", m.file(m.matrix(mxDouble, "a", []uint32{2, 4}, m.doubles(1, 2, 3))), false, "shape (2, 4) of float64, but 24 bytes"},
		{"shape negative", m.file(m.matrix(mxDouble, "a", []uint32{1 << 31, 4}, m.doubles(1, 2, 3))), false, "shape"},
		{"shape overflows", m.file(m.matrix(mxDouble, "a", []uint32{1<<31 - 1, 1<<31 - 1, 1<<31 - 1}, m.doubles(1))), false, "shape"},
		{"numbers of no type", m.file(m.matrix(mxDouble, "a", []uint32{1, 1}, m.part(33, make([]byte, 8)))), false, "numbers of type 33"},
		{"a thousand structs", m.file(deep), false, "nested more than"},
		{"field names", m.file(m.matrix(mxStruct, "s", []uint32{1, 1}, m.ints(4<<16|5, 0), m.part(1, []byte("ab")))), false, "field names"},
		{"struct of a billion", m.file(m.matrix(mxStruct, "s", []uint32{30000, 30000}, m.ints(4<<16|5, 1), m.part(1, []byte("a")))), false, ""},
		{"cell of a billion", m.file(m.matrix(mxCell, "c", []uint32{30000, 30000})), false, ""},
		{"damaged compression", m.file(append(m.ints(miCompressed, 8), "damaged!"...)), false, "compressed element"},
		{"inflates without end", m.file(m.zip(endless)), false, ""},
		{"compressed nonsense", m.file(m.zip(make([]byte, 64))), false, "without an array"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Read(put(t, "a.mat", tt.file), Options{Axes: "view,bin"})
			wantError(t, err, tt.unsupported, "a.mat: ", tt.words)
		})
	}
}

// A compressed element that claims more than the limit is not inflated.
func TestMAT5Bomb(t *testing.T) {
	m := matWriter{binary.LittleEndian}
	bomb := m.file(m.zip(m.matrix(mxDouble, "a", []uint32{1000, 1000}, m.doubles(make([]float64, 1e6)...))))
	_, err := Read(put(t, "a.mat", bomb), Options{Axes: "view,bin", MaxBytes: 1 << 20})
	wantError(t, err, false, "an array of 8000")
	if len(bomb) > 1<<15 {
		t.Errorf("the bomb has %d bytes", len(bomb))
	}
}

func TestMatText(t *testing.T) {
	if got := matText(4, []byte{'h', 0, 0xe4, 0}, false); got != "hä" {
		t.Errorf("%q", got)
	}
	if got := matText(4, []byte{0, 'h', 0, 0xe4}, true); got != "hä" {
		t.Errorf("%q", got)
	}
	if got := matText(16, []byte("h\xc3\xa4"), true); got != "hä" {
		t.Errorf("%q", got)
	}
}
