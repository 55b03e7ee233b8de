package dicomio

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/suyashkumar/dicom"
	"github.com/suyashkumar/dicom/pkg/tag"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// codeSet is a code element of ISO 2022 (PS3.3 C.12.1.1.2): characters of one or two
// bytes in the lower half of the code table (G0) or the upper half (G1).
type codeSet struct {
	escape string
	upper  bool
	width  int               // bytes of a character
	prefix string            // before the bytes of a character, for its decoder
	by     encoding.Encoding // nil for ASCII
}

func upper(escape string, by encoding.Encoding) *codeSet { return &codeSet{escape, true, 1, "", by} }

// codeSets by the numbers of their ISO registry, as in "ISO_IR 100" and "ISO 2022 IR 100".
var (
	ascii    = &codeSet{"(B", false, 1, "", nil}
	romaji   = &codeSet{"(J", false, 1, "", nil} // JIS X 0201, read as ASCII: its yen sign separates values
	codeSets = map[string]*codeSet{
		"6":   ascii,
		"100": upper("-A", charmap.ISO8859_1), "101": upper("-B", charmap.ISO8859_2), "109": upper("-C", charmap.ISO8859_3), "110": upper("-D", charmap.ISO8859_4),
		"126": upper("-F", charmap.ISO8859_7), "127": upper("-G", charmap.ISO8859_6), "138": upper("-H", charmap.ISO8859_8), "144": upper("-L", charmap.ISO8859_5),
		"148": upper("-M", charmap.ISO8859_9), "166": upper("-T", charmap.Windows874), "203": upper("-b", charmap.ISO8859_15), "13": upper(")I", japanese.ShiftJIS),
		"87": {"$B", false, 2, "", japanese.EUCJP}, "159": {"$(D", false, 2, "\x8F", japanese.EUCJP},
		"149": {"$)C", true, 2, "", korean.EUCKR}, "58": {"$)A", true, 2, "", simplifiedchinese.GBK},
	}
)

// charset decodes the text of a data set.
type charset struct {
	whole encoding.Encoding // of sets without code extensions, else nil
	utf8  bool
	g0    *codeSet
	g1    *codeSet // nil where bytes of the upper half are not defined
	later *codeSet // for the upper half where a file forgets its escape sequence
	known bool     // all of its terms
}

// charsetOf reads the values of SpecificCharacterSet.
func charsetOf(terms []string) *charset {
	c := &charset{g0: ascii, known: true}
	for i, term := range terms {
		key := strings.Map(func(r rune) rune { // "ISO-IR 100" and "ISO_IR100" occur
			if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
				return -1
			}
			return unicode.ToUpper(r)
		}, term)
		key = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(key, "ISO"), "2022"), "IR")
		set := codeSets[key]
		switch {
		case key == "" || key == "6":
		case key == "192" && i == 0:
			return &charset{utf8: true, known: true}
		case key == "GB18030" && i == 0:
			return &charset{whole: simplifiedchinese.GB18030, known: true}
		case key == "GBK" && i == 0:
			return &charset{whole: simplifiedchinese.GBK, known: true}
		case set == nil:
			c.known = false
		case i == 0 && set.upper:
			c.g1 = set
		case set.upper && c.later == nil:
			c.later = set
		}
	}
	return c
}

// decode gives UTF-8, and whether all bytes were of the set. A name has more
// delimiters than other text.
func (c *charset) decode(s string, name bool) (string, bool) {
	plain := strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf || r == 0x1B }) < 0
	switch {
	case plain:
		return s, true
	case c.utf8:
		return strings.ToValidUTF8(s, string(utf8.RuneError)), utf8.ValidString(s)
	case c.whole != nil:
		return decodeBy(c.whole, []byte(s))
	case c.g1 == nil && c.later == nil && !strings.ContainsRune(s, 0x1B):
		return undeclared(s), false
	}
	d := &decoder{set: c, g0: c.g0, g1: c.g1, ok: true}
	for b := []byte(s); len(b) > 0; {
		b = b[d.step(b, name):]
	}
	d.flush()
	return d.out.String(), d.ok
}

// undeclared guesses the set of text that should be ASCII and is not.
func undeclared(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	out, _ := decodeBy(charmap.ISO8859_1, []byte(s))
	return out
}

func decodeBy(e encoding.Encoding, b []byte) (string, bool) {
	out, err := e.NewDecoder().Bytes(b)
	return string(out), err == nil && !bytes.ContainsRune(out, utf8.RuneError)
}

// decoder is the state of ISO 2022: the sets in the two halves, and a run of
// characters of one of them.
type decoder struct {
	set    *charset
	g0, g1 *codeSet
	run    []byte
	of     *codeSet
	out    strings.Builder
	ok     bool
}

// step takes an escape sequence, a delimiter or a character and says how many bytes
// it had.
func (d *decoder) step(b []byte, name bool) int {
	if b[0] == 0x1B {
		return d.escape(b)
	}
	set := d.g0
	if b[0] >= 0x80 {
		if set = d.g1; set == nil {
			set, d.ok = d.set.later, false
		}
	}
	delimiter := b[0] < 0x20 || set == d.g0 && set.width == 1 && (b[0] == '\\' || name && (b[0] == '^' || b[0] == '='))
	switch {
	case delimiter:
		d.add(ascii, b[:1])
		d.g0, d.g1 = d.set.g0, d.set.g1
		return 1
	case b[0] == ' ':
		d.add(ascii, b[:1])
		return 1
	case set == nil || len(b) < set.width || set.width == 2 && (b[1] >= 0x80) != set.upper:
		d.ok = false
		d.add(ascii, []byte(string(utf8.RuneError)))
		return 1
	}
	d.add(set, b[:set.width])
	return set.width
}

// escape takes an escape sequence.
func (d *decoder) escape(b []byte) int {
	for _, s := range codeSets {
		if bytes.HasPrefix(b[1:], []byte(s.escape)) {
			if s.upper {
				d.g1 = s
			} else {
				d.g0 = s
			}
			return 1 + len(s.escape)
		}
	}
	if bytes.HasPrefix(b[1:], []byte(romaji.escape)) {
		d.g0 = romaji
		return 1 + len(romaji.escape)
	}
	d.ok = false
	return 1
}

func (d *decoder) add(set *codeSet, b []byte) {
	if set != d.of {
		d.flush()
		d.of = set
	}
	if set.by == nil {
		d.run = append(d.run, b...)
		return
	}
	d.run = append(d.run, set.prefix...)
	for _, c := range b {
		d.run = append(d.run, c|0x80)
	}
}

func (d *decoder) flush() {
	if len(d.run) == 0 {
		return
	}
	if d.of.by == nil {
		d.out.Write(d.run)
	} else {
		s, ok := decodeBy(d.of.by, d.run)
		d.out.WriteString(s)
		d.ok = d.ok && ok
	}
	d.run = d.run[:0]
}

// recodeItem is recode for an item, which may have a character set of its own.
func recodeItem(list []*dicom.Element, c *charset) bool {
	for _, e := range list {
		if e.Tag == tag.SpecificCharacterSet {
			c = charsetOf(trimmed(e))
		}
	}
	return recode(list, c)
}

// recode makes all text of a list of elements UTF-8, and says whether all of it was of
// its set. The library handed bytes out as they are, split at every 0x5C, which is also
// the second half of characters.
func recode(list []*dicom.Element, c *charset) bool {
	ok := c.known
	for _, e := range list {
		switch v := e.Value.GetValue().(type) {
		case []string:
			ok = recodeText(e, v, c) && ok
		case []*dicom.SequenceItemValue:
			for _, it := range v {
				if sub, is := it.GetValue().([]*dicom.Element); is {
					ok = recodeItem(sub, c) && ok
				}
			}
		}
	}
	return ok
}

func trimmed(e *dicom.Element) []string {
	v, _ := e.Value.GetValue().([]string)
	out := make([]string, len(v))
	for i, s := range v {
		out[i] = strings.Trim(s, " \x00")
	}
	return out
}

func recodeText(e *dicom.Element, v []string, c *charset) bool {
	if e.Tag == tag.SpecificCharacterSet {
		e.Value = must(e.Tag, []string{"ISO_IR 192"}).Value
		return true
	}
	joined := strings.Join(v, "\\")
	text, ok := joined, true
	switch e.RawValueRepresentation {
	case "SH", "LO", "UC", "PN":
		text, ok = c.decode(joined, e.RawValueRepresentation == "PN")
		v = strings.Split(text, "\\")
	case "ST", "LT", "UT":
		text, ok = c.decode(joined, false)
		v = []string{text}
	default:
		if utf8.ValidString(joined) {
			return true
		}
		text, ok = undeclared(joined), false
		v = strings.Split(text, "\\")
	}
	if text != joined || len(v) == 1 {
		e.Value = valueOf(v)
	}
	return ok
}

// valueOf makes a value of text.
func valueOf(v []string) dicom.Value {
	value, err := dicom.NewValue(v)
	if err != nil {
		panic(err) // text always makes a value
	}
	return value
}
