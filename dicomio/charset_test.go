package dicomio

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/suyashkumar/dicom"
	"github.com/suyashkumar/dicom/pkg/tag"
)

// names in character sets: those with H, I, J and K are the examples of PS3.5 annexes
// H.3.1, H.3.2, I.2, J.1, J.2 and K.2, byte by byte; the others come from Python's codecs.
var names = []struct{ name, set, bytes, want string }{
	{"ASCII", "", "Adams^John Robert", "Adams^John Robert"},
	{"Latin 1", "ISO_IR 100", "Buc^J\xE9r\xF4me", "Buc^Jérôme"},
	{"Latin 2", "ISO_IR 101", "Wa\xB3\xEAsa^J\xF3zef", "Wałęsa^Józef"},
	{"Latin 3", "ISO_IR 109", "\xD5or\xF5^\xA1", "Ġorġ^Ħ"},
	{"Latin 4", "ISO_IR 110", "\xD3\xBAni\xF1\xB9", "Ķēniņš"},
	{"Latin 5", "ISO_IR 148", "G\xF6k\xE7e^I\xFE\xFDl", "Gökçe^Işıl"},
	{"Latin 9", "ISO_IR 203", "\xBCuvre^\xA4", "Œuvre^€"},
	{"Cyrillic", "ISO_IR 144", "\xBB\xEE\xDAce\xDC\xD1yp\xD3", "Люкceмбypг"},
	{"Arabic", "ISO_IR 127", "\xE2\xC8\xC7\xE6\xEA^\xE4\xE6\xD2\xC7\xD1", "قباني^لنزار"},
	{"Greek", "ISO_IR 126", "\xC4\xE9\xEF\xED\xF5\xF3\xE9\xEF\xF2", "Διονυσιος"},
	{"Hebrew", "ISO_IR 138", "\xF9\xF8\xE5\xEF^\xE3\xE1\xE5\xF8\xE4", "שרון^דבורה"},
	{"Thai", "ISO_IR 166", "\xB9\xD2\xC1\xCA\xA1\xD8\xC5^\xAA\xD7\xE8\xCD", "นามสกุล^ชื่อ"},
	{"half-width katakana", "ISO_IR 13", "\xD4\xCF\xC0\xDE^\xC0\xDB\xB3", "ﾔﾏﾀﾞ^ﾀﾛｳ"},
	{"UTF-8, J.1", "ISO_IR 192", "Wang^XiaoDong=\xE7\x8E\x8B^\xE5\xB0\x8F\xE6\x9D\xB1=", "Wang^XiaoDong=王^小東="},
	{"GB18030, J.2", "GB18030", "Wang^XiaoDong=\xCD\xF5^\xD0\xA1\xB6\xAB=", "Wang^XiaoDong=王^小东="},
	{"GB18030 of four bytes", "GB18030", "\x95\x34\xB2\x35^\x82\x35\x8F\x33", "𠮷^龦"},
	{"GBK with a backslash inside", "GBK", "\x8F\x88^\xE8\xA1\xA0\\", "張^琛燶"},
	{"Japanese, H.3.1", "\\ISO 2022 IR 87", "Yamada^Tarou=\x1B$B;3ED\x1B(B^\x1B$BB@O:\x1B(B=\x1B$B$d$^$@\x1B(B^\x1B$B$?$m$&\x1B(B", "Yamada^Tarou=山田^太郎=やまだ^たろう"},
	{"Japanese, H.3.2", "ISO 2022 IR 13\\ISO 2022 IR 87", "\xD4\xCF\xC0\xDE^\xC0\xDB\xB3=\x1B$B;3ED\x1B(J^\x1B$BB@O:\x1B(J=\x1B$B$d$^$@\x1B(J^\x1B$B$?$m$&\x1B(J", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"},
	{"Japanese with delimiters inside", "\\ISO 2022 IR 87", "\x1B$B%\\%^%=\x1B(B^A", "ボマソ^A"},
	{"Japanese supplement", "\\ISO 2022 IR 159", "\x1B$(D0!\x1B(B^A", "丂^A"},
	{"Korean, I.2", "\\ISO 2022 IR 149", "Hong^Gildong=\x1B$)C\xFB\xF3^\x1B$)C\xD1\xCE\xD4\xD7=\x1B$)C\xC8\xAB^\x1B$)C\xB1\xE6\xB5\xBF", "Hong^Gildong=洪^吉洞=홍^길동"},
	{"Chinese, K.2", "\\ISO 2022 IR 58", "Zhang^XiaoDong=\x1B$)A\xD5\xC5^\x1B$)A\xD0\xA1\xB6\xAB=", "Zhang^XiaoDong=张^小东="},
	{"two alphabets", "ISO 2022 IR 100\\ISO 2022 IR 144", "\xE9^\x1B-L\xBB\xEE^\xE9", "é^Лю^é"},
	{"a term with hyphens", "ISO-IR 100", "J\xE9r\xF4me", "Jérôme"},
}

func TestDecode(t *testing.T) {
	for _, tt := range names {
		got, ok := charsetOf(strings.Split(tt.set, "\\")).decode(tt.bytes, true)
		if got != tt.want || !ok {
			t.Errorf("%s: %q, all of the set: %v; want %q", tt.name, got, ok, tt.want)
		}
	}
}

// TestDecodeOdd: text outside its set is read as well as can be, and said to be so.
func TestDecodeOdd(t *testing.T) {
	tests := []struct{ name, set, bytes, want string }{
		{"Latin 1 without a set", "", "J\xE9r\xF4me", "Jérôme"},
		{"UTF-8 without a set", "", "J\xC3\xA9r\xC3\xB4me", "Jérôme"},
		{"wrong UTF-8", "ISO_IR 192", "J\xE9r\xF4me", "J\uFFFDr\uFFFDme"},
		{"Korean without its escape", "\\ISO 2022 IR 149", "\xC8\xAB^A", "홍^A"},
		{"half a character", "\\ISO 2022 IR 149", "A\x1B$)C\xC8", "A\uFFFD"},
		{"an unknown escape", "\\ISO 2022 IR 149", "A\x1B&1B", "A&1B"},
		{"a hole in Thai", "ISO_IR 166", "\xB9\xDB", "น\uFFFD"},
		{"a cut character", "GB18030", "\xCD\xF5\xCD", "王\uFFFD"},
	}
	for _, tt := range tests {
		got, ok := charsetOf(strings.Split(tt.set, "\\")).decode(tt.bytes, true)
		if got != tt.want || ok {
			t.Errorf("%s: %q, all of the set: %v; want %q, false", tt.name, got, ok, tt.want)
		}
	}
	if charsetOf([]string{"KLINGON"}).known {
		t.Error("KLINGON is a known set")
	}
}

// TestNamesRoundTrip: a name of any set is read, and written as UTF-8.
func TestNamesRoundTrip(t *testing.T) {
	for _, tt := range names {
		t.Run(tt.name, func(t *testing.T) {
			src, err := ReadSeries(folderOf(t, slab{number: 1, charset: tt.set, patient: tt.bytes}), 1)
			if err != nil {
				t.Fatal(err)
			}
			if got := textOf(src[0].Slices[0].Header, tag.PatientName); got != tt.want || len(src[0].Notes) > 0 {
				t.Fatalf("read as %q, notes %q; want %q", got, src[0].Notes, tt.want)
			}
			d := derived(1)
			d.Source, d.Subject, d.Grid = src[0], "", src[0].Grid
			dir := filepath.Join(t.TempDir(), "d")
			if _, err := WriteSeries(dir, d); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(filepath.Join(dir, "0001.dcm"))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(b, el(8, 5, "CS", "ISO_IR 192")) || !bytes.Contains(b, el(0x10, 0x10, "PN", tt.want)) {
				t.Errorf("the file has no ISO_IR 192 or not %q", tt.want)
			}
			checkValid(t, dir)
		})
	}
}

// TestTextNote: a series says that a text was guessed; an item may have a set of its
// own, and text with line breaks keeps its backslashes.
func TestTextNote(t *testing.T) {
	src, err := ReadSeries(folderOf(t, slab{number: 1, patient: "J\xE9r\xF4me"}), 1)
	if err != nil || !contains(src[0].Notes, "1 slice(s) have text outside their character set") {
		t.Errorf("%v, %v", src[0].Notes, err)
	}
	b := object(ctImage, explicitLittle, el(8, 5, "CS", "ISO_IR 100"), el(8, 0x16, "UI", ctImage),
		sq(8, 0x1110, join(el(8, 5, "CS", "ISO_IR 144"), el(8, 0x104, "LO", "\xBB\xEE"))),
		el(0x10, 0x1000, "LO", "\xE9\\\xF4"), el(0x10, 0x4000, "LT", "a\\\xE9"))
	l, err := preflight(inMemory("x", b))
	if err != nil {
		t.Fatal(err)
	}
	ds, odd, err := parseHeader("x", l)
	if err != nil || odd {
		t.Fatalf("%v, odd text %v", err, odd)
	}
	e, err := ds.FindElementByTagNested(tag.Tag{Group: 8, Element: 0x104})
	if err != nil || strings.Join(e.Value.GetValue().([]string), "|") != "Лю" {
		t.Errorf("text of the item %v, %v", e, err)
	}
	for _, tt := range []struct {
		tag  tag.Tag
		want string
	}{{tag.OtherPatientIDs, "é|ô"}, {tag.PatientComments, "a\\é"}, {tag.SpecificCharacterSet, "ISO_IR 192"}} {
		if got := strings.Join(textsOf(ds, tt.tag), "|"); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.tag, got, tt.want)
		}
	}
}

// FuzzDecode: no bytes stop the decoder, and the result is UTF-8.
func FuzzDecode(f *testing.F) {
	for _, n := range names {
		f.Add(n.set, n.bytes)
	}
	f.Fuzz(func(t *testing.T, set, text string) {
		e := must(tag.PatientName, strings.Split(text, "\\"))
		e.RawValueRepresentation = "PN"
		recode([]*dicom.Element{e}, charsetOf(strings.Split(set, "\\")))
		if got := strings.Join(e.Value.GetValue().([]string), "\\"); strings.ToValidUTF8(got, "") != got {
			t.Errorf("%q is no UTF-8", got)
		}
	})
}
