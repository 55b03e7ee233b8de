package sinofile

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// Every element type, byte order and array order that numpy writes is read
// exactly.
func TestNPYTypes(t *testing.T) {
	for _, kind := range []string{"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"} {
		for _, sign := range []string{"<", ">"} {
			for _, fortran := range []bool{false, true} {
				t.Run(sign+kind+fmt.Sprint(fortran), func(t *testing.T) {
					d, ok := parseDType(sign + kind)
					if !ok {
						t.Fatalf("type %s is not known", kind)
					}
					values := make([]float64, 15)
					for i := range values {
						values[i] = valueOf(d, i)
						if d.kind == 'i' {
							values[i] -= 60
						}
						if d.kind == 'b' {
							values[i] = float64(i % 2)
						}
					}
					c, err := openNPY(memorySource("a.npy", npyBytes(sign+kind, "(3, 5)", fortran, encode(d, values)), defaultLimit))
					if err != nil {
						t.Fatal(err)
					}
					e := c.entries[0]
					want := []int{3, 5}
					if fortran {
						want = []int{5, 3}
					}
					if !reflect.DeepEqual(e.shape, want) || !reflect.DeepEqual(e.order(), []int{3, 5}) {
						t.Errorf("shape %v in memory, %v as written", e.shape, e.order())
					}
					got, err := c.load32(e)
					if err != nil {
						t.Fatal(err)
					}
					wide, err := c.load64(e)
					if err != nil {
						t.Fatal(err)
					}
					for i := range got {
						if float64(got[i]) != values[i] || wide[i] != values[i] {
							t.Fatalf("value %d is %g and %g, want %g", i, got[i], wide[i], values[i])
						}
					}
				})
			}
		}
	}
}

func TestHalf(t *testing.T) {
	tests := []struct {
		bits uint16
		want float64
	}{
		{0x0000, 0}, {0x3c00, 1}, {0xc000, -2}, {0x7bff, 65504}, {0x0001, 5.960464477539063e-08}, {0x03ff, 6.097555160522461e-05},
		{0x8001, -5.960464477539063e-08}, {0x7c00, math.Inf(1)}, {0xfc00, math.Inf(-1)}, {0x3555, 0.333251953125},
	}
	for _, tt := range tests {
		if got := float64(half(tt.bits)); got != tt.want {
			t.Errorf("half(%#04x) = %g, want %g", tt.bits, got, tt.want)
		}
	}
	if v := half(0x7e00); v == v {
		t.Errorf("half(0x7e00) = %g, want NaN", v)
	}
}

// A legal header may have any version and its keys in any order.
func TestNPYHeaders(t *testing.T) {
	data := floats(1, 2, 3, 4, 5, 6)
	for name, b := range map[string][]byte{
		"version 1":      npyRaw(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", data),
		"version 2":      npyRaw(2, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", data),
		"version 3":      npyRaw(3, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}   ", data),
		"other order":    npyRaw(1, "{'shape': (2, 3), 'fortran_order': False, 'descr': '<f4'}", data),
		"double quotes":  npyRaw(1, "{\"descr\":\"<f4\",\"fortran_order\":False,\"shape\":(2,3)}", data),
		"python 2 longs": npyRaw(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L), }", data),
		"list":           npyRaw(1, "{'descr': '=f4', 'fortran_order': False, 'shape': [2, 3], }", data),
	} {
		t.Run(name, func(t *testing.T) {
			c, err := openNPY(memorySource("a.npy", b, defaultLimit))
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.load32(c.entries[0])
			if err != nil || !reflect.DeepEqual(got, []float32{1, 2, 3, 4, 5, 6}) || !reflect.DeepEqual(c.entries[0].shape, []int{2, 3}) {
				t.Errorf("%v %v (%v)", c.entries[0].shape, got, err)
			}
		})
	}
}

// Malformed files are refused by name, never by a panic or a wrong array.
func TestNPYMalformed(t *testing.T) {
	good := "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }"
	six := floats(1, 2, 3, 4, 5, 6)
	shape := func(s string) []byte { return npyRaw(1, fmt.Sprintf(good, s), six) }
	tests := []struct {
		name        string
		file        []byte
		unsupported bool
		words       string
	}{
		{"nothing", nil, false, "the file is empty"},
		{"nine bytes", []byte("\x93NUMPY\x01\x00\x76"), false, "ends inside the .npy header"},
		{"wrong magic", []byte("\x93NUMPX\x01\x00aaaaaaaaaaaa"), false, "does not start with"},
		{"version 4", npyRaw(4, fmt.Sprintf(good, "(2, 3)"), six), true, "version 4.0"},
		{"header length beyond the file", []byte("\x93NUMPY\x01\x00\xff\xff{}"), false, "ends inside the .npy header"},
		{"header length of gigabytes", []byte("\x93NUMPY\x02\x00\xff\xff\xff\xff{}"), false, "header of 4294967295 bytes"},
		{"header is a list", npyRaw(1, "[1, 2]", six), false, "not a dictionary"},
		{"header is no literal", npyRaw(1, "__import__('os')", six), false, "no value at position 0"},
		{"header does not end", npyRaw(1, "{'descr': '<f4', 'shape': (2, 3", six), false, "neither a comma"},
		{"text does not end", npyRaw(1, "{'descr", six), false, "a text does not end"},
		{"more behind the header", npyRaw(1, fmt.Sprintf(good, "(2, 3)")+"x", six), false, "unexpected"},
		{"fortran_order missing", npyRaw(1, "{'descr': '<f4', 'shape': (2, 3)}", six), false, "fortran_order"},
		{"fortran_order a number", npyRaw(1, "{'descr': '<f4', 'fortran_order': 0, 'shape': (2, 3)}", six), false, "fortran_order"},
		{"shape missing", npyRaw(1, "{'descr': '<f4', 'fortran_order': False}", six), false, "shape is missing"},
		{"descr missing", npyRaw(1, "{'fortran_order': False, 'shape': (2, 3)}", six), false, "descr is missing"},
		{"descr nonsense", npyRaw(1, "{'descr': 'float', 'fortran_order': False, 'shape': (2, 3)}", six), false, `"float"`},
		{"key unknown", npyRaw(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'x': 1}", six), false, `unknown key "x"`},
		{"key twice", npyRaw(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'shape': (1, 6)}", six), false, "twice"},
		{"shape negative", shape("(-3, 4)"), false, "length -3"},
		{"shape a float", shape("(2.5, 4)"), false, "comma"},
		{"shape zero", shape("(0, 367)"), false, "(0, 367): the array is empty"},
		{"shape huge", shape("(1000000000, 1000000)"), false, "at most 24 are there"},
		{"shape beyond 64 bits", shape("(4611686018427387904, 4)"), false, "larger than any file"},
		{"shape beyond any number", shape("(99999999999999999999, 4)"), false, "out of range"},
		{"shape nested", shape("((2, 3), 1)"), false, "length"},
		{"brackets without end", npyRaw(1, strings.Repeat("(", 60), six), false, "nested"},
		{"cut by seven bytes", npyRaw(1, fmt.Sprintf(good, "(2, 3)"), six[:17]), false, "needs 24 bytes and at most 17 are there"},
		{"objects", npyRaw(1, "{'descr': '|O', 'fortran_order': False, 'shape': (2, 3)}", six), true, "never unpickled"},
		{"structured", npyRaw(1, "{'descr': [('a', '<f4'), ('b', '<i4')], 'fortran_order': False, 'shape': (3,)}", six), true, "structured"},
		{"complex", npyRaw(1, "{'descr': '<c8', 'fortran_order': False, 'shape': (1, 3)}", six), true, `"<c8"`},
		{"text", npyRaw(1, "{'descr': '<U2', 'fortran_order': False, 'shape': (1, 3)}", six), true, `"<U2"`},
		{"no axis", npyRaw(1, fmt.Sprintf(good, "()"), six[:4]), false, "two axes"},
		{"one axis", shape("(6,)"), false, "two axes"},
		{"one view", shape("(1, 6)"), true, "--axes"},
		{"one bin", shape("(6, 1)"), true, "--axes"},
		{"four axes", npyRaw(1, fmt.Sprintf(good, "(2, 2, 2, 2)"), make([]byte, 64)), false, "two axes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Read(put(t, "sino.npy", tt.file), Options{})
			wantError(t, err, tt.unsupported, "sino.npy: ", tt.words)
		})
	}
}

// Bytes behind the array are no reason to refuse it; a note says so.
func TestNPYTrailing(t *testing.T) {
	data := parallel(steps(0, 5, 36), 41, 0)
	b := append(npyBytes("<f4", "(36, 41)", false, encode(dtype{kind: 'f', size: 4}, wide(data))), 1, 2, 3, 4)
	s := mustRead(t, put(t, "sino.npy", b), Options{})
	wantNote(t, s, "4 bytes after the array were left out")
	if got, _ := s.Slice(0); far(got, data) != 0 {
		t.Errorf("data differ by %g", far(got, data))
	}
}

func wide(v []float32) []float64 {
	out := make([]float64, len(v))
	for i := range v {
		out[i] = float64(v[i])
	}
	return out
}

// Arrays written by numpy in archives are read with their angles.
func TestNPZ(t *testing.T) {
	for _, name := range []string{"plain.npz", "packed.npz"} {
		c := opened(t, name)
		c.recogniseNames()
		if c.told.data != "sino" || c.told.angles != "theta" {
			t.Errorf("%s: data %q, angles %q", name, c.told.data, c.told.angles)
		}
		holds(t, c, c.find("sino"), dtype{kind: 'f', size: 4}, []int{6, 9}, nil)
	}
	s := mustRead(t, "testdata/packed.npz", Options{})
	if s.Kind != "npz" || s.Views != 6 || s.Bins != 9 || s.Angles[5] != 150 {
		t.Errorf("%s, %d x %d, last angle %g", s.Kind, s.Views, s.Bins, s.Angles[5])
	}
}

// zipped makes an archive of members.
func zipped(t *testing.T, members ...any) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for i := 0; i < len(members); i += 2 {
		w, err := z.Create(members[i].(string))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(members[i+1].([]byte)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestNPZMalformed(t *testing.T) {
	one := npyBytes("<f4", "(2, 3)", false, floats(1, 2, 3, 4, 5, 7))
	objects := npyBytes("|O", "(2, 3)", false, []byte("\x80\x04cos\nsystem\n"))
	good := zipped(t, "sino.npy", one)
	cut := bytes.Clone(good)[:len(good)/2]
	damaged := bytes.Clone(good)
	damaged[60] ^= 0x55
	bomb, err := os.ReadFile("testdata/bomb.npz")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name        string
		file        []byte
		opt         Options
		unsupported bool
		words       []string
	}{
		{"empty archive", zipped(t), Options{}, false, []string{"no .npy array"}},
		{"no array", zipped(t, "readme.txt", []byte("x")), Options{}, false, []string{"no .npy array"}},
		{"two candidates", zipped(t, "a.npy", one, "b.npy", one), Options{}, true, []string{"2 arrays may be the sinogram", "a (2, 3), b (2, 3)"}},
		{"no such key", zipped(t, "a.npy", one, "b.npy", one), Options{Array: "c"}, false, []string{"no such array", "a (2, 3)"}},
		{"leads outside", zipped(t, "../sino.npy", one), Options{}, false, []string{"outside the archive"}},
		{"absolute", zipped(t, "/etc/sino.npy", one), Options{}, false, []string{"outside the archive"}},
		{"name twice", zipped(t, "a.npy", one, "a.npy", one), Options{}, false, []string{"two members"}},
		{"member is no array", zipped(t, "a.npy", []byte("text")), Options{}, false, []string{"a: is not a .npy array"}},
		{"objects", zipped(t, "sino.npy", objects), Options{}, true, []string{"never unpickled"}},
		{"cut", cut, Options{}, false, []string{"zip archive cannot be read"}},
		{"damaged", damaged, Options{}, false, nil},
		{"bomb beyond the limit", bomb, Options{MaxBytes: 1 << 20}, true, []string{"inflates to 16000000 bytes, more than the limit of 1048576"}},
		{"bomb of zeros", bomb, Options{}, false, []string{"every value is 0"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Read(put(t, "sino.npz", tt.file), tt.opt)
			wantError(t, err, tt.unsupported, append(tt.words, "sino.npz")...)
		})
	}
}

// An archive whose entry claims more than deflate can give is refused before
// memory is taken.
func TestNPZClaims(t *testing.T) {
	b := zipped(t, "sino.npy", npyBytes("<f4", "(100000, 100000)", false, floats(1, 2, 3)))
	i := bytes.LastIndex(b, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(b[i+24:], 0xfffffff0) // the uncompressed size
	_, err := Read(put(t, "sino.npz", b), Options{})
	wantError(t, err, false, "needs 40000000000 bytes and at most")
}

func TestNPZObjectBesideData(t *testing.T) {
	c := opened(t, "object.npz")
	wantError(t, c.find("data").problem, true, "never unpickled")
	_, err := Read("testdata/object.npz", Options{Array: "data"})
	wantError(t, err, true, "never unpickled")
}

// What is written reads back bit for bit, with numpy's header.
func TestWriteNPY(t *testing.T) {
	tests := []struct {
		shape []int
		want  string
	}{
		{[]int{6}, "'shape': (6,)"}, {[]int{2, 3}, "'shape': (2, 3)"}, {[]int{1, 2, 3}, "'shape': (1, 2, 3)"}, {[]int{0, 3}, "'shape': (0, 3)"},
	}
	for _, tt := range tests {
		n, _ := product(tt.shape)
		data := make([]float32, n)
		for i := range data {
			data[i] = float32(i) + .25
		}
		path := filepath.Join(t.TempDir(), "out.npy")
		if err := WriteNPY(path, data, tt.shape...); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		start := len(b) - 4*len(data)
		if start%64 != 0 || b[start-1] != '\n' || !bytes.Contains(b[:start], []byte(tt.want)) {
			t.Errorf("header %q of %d bytes", b[:start], start)
		}
		c, err := openNPY(memorySource("out.npy", b, defaultLimit))
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			continue
		}
		if got, err := c.load32(c.entries[0]); err != nil || !reflect.DeepEqual(got, data) {
			t.Errorf("%v read back (%v), want %v", got, err, data)
		}
	}
}

// A write that cannot end leaves nothing behind, and the former file whole.
func TestWriteWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.npy")
	if err := WriteNPY(path, []float32{1}, 1); err != nil {
		t.Fatal(err)
	}
	if err := WriteNPY(filepath.Join(dir, "missing", "out.npy"), []float32{1}, 1); err == nil {
		t.Error("a file was written into a folder that is not there")
	}
	if err := os.Mkdir(filepath.Join(dir, "taken"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "taken", "x"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := WriteNPY(filepath.Join(dir, "taken"), []float32{1}, 1); err == nil {
		t.Error("a folder was replaced by a file")
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 2 {
		t.Errorf("%d files in the folder (%v), want out.npy and taken", len(names), err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v (%v), want 0644", info.Mode(), err)
	}
}

func TestWriteNPYPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a shape that does not fit was accepted")
		}
	}()
	_ = WriteNPY(filepath.Join(t.TempDir(), "out.npy"), []float32{1, 2, 3}, 2, 2)
}
