package dimse

import (
	"bytes"
	"compress/flate"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFileHeader: a header that we write is read the same, and ends where the data
// set begins.
func TestFileHeader(t *testing.T) {
	r := StoreRequest{ctClass, "1.2.3", "1.2.840.10008.1.2.4.90"}
	head := FileHeader(r)
	if len(head)%2 != 0 || string(head[128:132]) != "DICM" {
		t.Fatalf("header of %d bytes", len(head))
	}
	for _, data := range []string{"", "\x08\x00\x16\x00UI\x00\x00", "\x01"} {
		o, err := parseHeader(strings.NewReader(string(head) + data))
		if data == "\x01" { // half a group number is no data set
			if err == nil {
				t.Error("a data set of one byte was taken")
			}
			continue
		}
		if err != nil || o.StoreRequest != r || o.Offset != int64(len(head)) {
			t.Errorf("%+v, %v; want %+v at %d", o, err, r, len(head))
		}
	}
}

func TestReadObjectRefused(t *testing.T) {
	head := FileHeader(StoreRequest{ctClass, "1.2.3", ExplicitLittle})
	tests := []struct {
		name string
		b    []byte
		want string
	}{
		{"empty", nil, "no DICOM file"},
		{"text", bytes.Repeat([]byte("x"), 500), "no DICOM file"},
		{"cut in group 2", head[:200], "header (group 2)"},
		{"no instance", FileHeader(StoreRequest{ctClass, "", ExplicitLittle}), "MediaStorageSOPInstanceUID is missing"},
		{"class is no UID", FileHeader(StoreRequest{"../..", "1.2", ExplicitLittle}), "MediaStorageSOPClassUID is missing or no UID"},
		{"endless group 2", append(bytes.Clone(head), bytes.Repeat([]byte("\x02\x00\x00\x01SH\x00\x00"), 10000)...), "header (group 2)"},
	}
	for _, tt := range tests {
		path := filepath.Join(t.TempDir(), "x.dcm")
		if err := os.WriteFile(path, tt.b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadObject(path); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "x.dcm") {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func deflate(t testing.TB, b []byte) []byte {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestScreen: UIDs of command and data set are compared, and the data set comes
// out whole whatever the verdict.
func TestScreen(t *testing.T) {
	const uid = "1.2.3.4"
	explicit, implicit := dataSet(uid, ExplicitLittle, 40960), dataSet(uid, ImplicitLittle, 40960)
	language := append([]byte("\x08\x00\x06\x00SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff\x08\x00\x18\x00UI\x02\x009\x00\xfe\xff\x0d\xe0\x00\x00\x00\x00\xfe\xff\xdd\xe0\x00\x00\x00\x00"), explicit...)
	big := []byte("\x00\x08\x00\x16UI\x00\x04" + "1.2\x00" + "\x00\x08\x00\x18UI\x00\x04" + "1.3\x00" + "\x00\x10\x00\x10PN\x00\x00")
	tests := []struct {
		name   string
		data   []byte
		r      StoreRequest
		refuse string
	}{
		{"explicit", explicit, StoreRequest{ctClass, uid, ExplicitLittle}, ""},
		{"implicit", implicit, StoreRequest{ctClass, uid, ImplicitLittle}, ""},
		{"deflated", deflate(t, explicit), StoreRequest{ctClass, uid, Deflated}, ""},
		{"big endian", big, StoreRequest{"1.2", "1.3", ExplicitBig}, ""},
		{"sequence before", language, StoreRequest{ctClass, uid, ExplicitLittle}, ""},
		{"other instance", explicit, StoreRequest{ctClass, "1.2.3.5", ExplicitLittle}, "SOP instance"},
		{"other instance, deflated", deflate(t, explicit), StoreRequest{ctClass, "1.2.3.5", Deflated}, "SOP instance"},
		{"other instance, implicit", implicit, StoreRequest{ctClass, "1.2.3.5", ImplicitLittle}, "SOP instance"},
		{"other instance, big endian", big, StoreRequest{"1.2", "1.4", ExplicitBig}, "SOP instance"},
		{"other class", explicit, StoreRequest{storageRoot + "4", uid, ExplicitLittle}, "SOP class"},
		{"UIDs missing", explicit[len(explicit)-41000:][:60], StoreRequest{ctClass, uid, ExplicitLittle}, "SOP class"},
		{"nothing", nil, StoreRequest{ctClass, uid, ExplicitLittle}, "SOP class"},
		{"not to be read: left to the handler", bytes.Repeat([]byte("\x08\x00\x05\x00SQ\x00\x00\xff\xff\xff\xff"), 3), StoreRequest{ctClass, uid, ExplicitLittle}, ""},
		{"16 kB before the UIDs: left to the handler", append([]byte("\x08\x00\x05\x00UT\x00\x00\x00\x80\x00\x00"+strings.Repeat("x", 0x8000)), explicit...), StoreRequest{ctClass, "1.9", ExplicitLittle}, ""},
	}
	for _, tt := range tests {
		r, s := screen(bytes.NewReader(tt.data), tt.r)
		if s.OK() != (tt.refuse == "") || !s.OK() && (s.Code != DataSetMismatch || !strings.Contains(s.Comment, tt.refuse)) {
			t.Errorf("%s: %v, want %q", tt.name, s, tt.refuse)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, tt.data) {
			t.Errorf("%s: the data set came out changed (%d bytes of %d, %v)", tt.name, len(got), len(tt.data), err)
		}
	}
}

// TestEvened: only a data set of odd length gets a byte, at its end.
func TestEvened(t *testing.T) {
	for in, want := range map[string]string{"": "", "ab": "ab", "abc": "abc\x00"} {
		r, n := evened(strings.NewReader(in), int64(len(in)))
		if got, err := io.ReadAll(r); err != nil || string(got) != want || n != int64(len(want)) {
			t.Errorf("%q became %q (%d), %v", in, got, n, err)
		}
	}
}
