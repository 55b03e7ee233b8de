package web

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"ctrecon/dicomio"
)

// Levels of a search.
const (
	studyLevel = iota
	seriesLevel
	instanceLevel
)

// Bounds of a search.
const (
	defaultResults = 100
	maxResults     = 1000
	maxQuery       = 16 << 10
)

// key is an attribute that can be searched for.
type key struct {
	name  string
	tag   string
	level int
	uid   bool // a list of UIDs, else a text with * and ?
}

// keys are those that the node knows without a look into files. Others are refused: an
// answer that passes over a patient's identifier would be one about other patients.
var keys = []key{
	{"StudyInstanceUID", "0020000D", studyLevel, true},
	{"ModalitiesInStudy", "00080061", studyLevel, false},
	{"SeriesInstanceUID", "0020000E", seriesLevel, true},
	{"Modality", "00080060", seriesLevel, false},
	{"SeriesDescription", "0008103E", seriesLevel, false},
	{"SOPInstanceUID", "00080018", instanceLevel, true},
	{"SOPClassUID", "00080016", instanceLevel, true},
}

// query is a search (QIDO-RS, PS3.18 10.6).
type query struct {
	level         int
	want          map[string][]string // values by name of the key
	include       []string            // tags, or "all"
	limit, offset int
}

// parseQuery reads the parameters of a search.
func parseQuery(level int, q url.Values) (*query, error) {
	out := &query{level: level, want: map[string][]string{}, limit: defaultResults}
	for name, values := range q {
		if err := out.add(name, values); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (q *query) add(name string, values []string) (err error) {
	switch strings.ToLower(name) {
	case "limit":
		q.limit, err = count(name, values)
		q.limit = min(q.limit, maxResults)
		return err
	case "offset":
		q.offset, err = count(name, values)
		return err
	case "includefield":
		return q.addFields(values)
	case "fuzzymatching", "emptyvaluematching", "multiplevaluematching", "accept":
		return nil // none is made
	}
	k := keyOf(name)
	if k == nil {
		return fmt.Errorf("%s cannot be searched for; there is %s", strconv.Quote(short(name)), keyNames())
	}
	if k.level > q.level {
		return fmt.Errorf("%s is not an attribute of what is searched for", k.name)
	}
	return q.addValues(k, values)
}

// short bounds what is repeated of a client's words.
func short(s string) string { return s[:min(len(s), 64)] }

func keyOf(name string) *key {
	i := slices.IndexFunc(keys, func(k key) bool { return name == k.name || strings.EqualFold(name, k.tag) })
	if i < 0 {
		return nil
	}
	return &keys[i]
}

func keyNames() string {
	var out []string
	for _, k := range keys {
		out = append(out, k.name)
	}
	return strings.Join(out, ", ")
}

func count(name string, values []string) (int, error) {
	n, err := strconv.Atoi(values[len(values)-1])
	if err != nil || n < 0 || len(values) > 1 {
		return 0, fmt.Errorf("%s: one number from 0 on is expected", strings.ToLower(short(name)))
	}
	return n, nil
}

func (q *query) addValues(k *key, values []string) error {
	if len(values) > 1 {
		return fmt.Errorf("%s stands twice in the query", k.name)
	}
	v := values[0]
	if v == "" || v == "*" && !k.uid {
		return nil // any
	}
	if !k.uid {
		q.want[k.name] = []string{v}
		return nil
	}
	list := strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == '\\' })
	for _, uid := range list {
		if !dicomio.IsUID(uid) {
			return fmt.Errorf("%s: a UID, or several with commas between them, is expected", k.name)
		}
	}
	if len(list) == 0 {
		return fmt.Errorf("%s: a UID is expected", k.name)
	}
	q.want[k.name] = list
	return nil
}

var errField = errors.New("includefield: tags such as 00081030, keywords, or all are expected")

func (q *query) addFields(values []string) error {
	for _, v := range values {
		for f := range strings.SplitSeq(v, ",") {
			switch {
			case f == "":
			case f == "all":
				q.include = append(q.include, "all")
			default:
				t := dicomio.TagOf(f)
				if t == "" {
					return errField
				}
				q.include = append(q.include, t)
			}
		}
	}
	return nil
}

// fits says whether a value is what is wanted under a key.
func (q *query) fits(name, value string) bool {
	want := q.want[name]
	if want == nil {
		return true
	}
	if keyOf(name).uid {
		return slices.Contains(want, value)
	}
	return wild(want[0], value)
}

// wild matches a text with * for any characters and ? for one (PS3.4 C.2.2.2.4). It
// takes time in proportion to the product of both lengths at most.
func wild(pattern, s string) bool {
	p, t := []rune(pattern), []rune(s)
	i, j, star, mark := 0, 0, -1, 0
	for j < len(t) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == t[j]):
			i, j = i+1, j+1
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}
