package web

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestWild(t *testing.T) {
	for _, tt := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true}, {"*", "", true}, {"?", "", false}, {"CT", "CT", true}, {"CT", "ct", false}, {"C?", "CT", true}, {"C?", "C", false}, {"C?", "CTX", false},
		{"*tv*", "ctrecon tv 25", true}, {"*tv", "ctrecon tv 25", false}, {"c*n*5", "ctrecon tv 25", true}, {"**", "x", true}, {"a*b*c", "a-b-b-c", true}, {"a*b*c", "a-c-b", false},
		{"Schädel?", "Schädelx", true}, {"?", "ä", true}, {"[a-z]", "b", false}, {".*", "abc", false}, {"*a", "aaaaab", false},
		{strings.Repeat("*a", 200) + "b", strings.Repeat("a", 2000), false}, // an answer, and soon
	} {
		if got := wild(tt.pattern, tt.text); got != tt.want {
			t.Errorf("wild(%.20q, %.20q) = %v", tt.pattern, tt.text, got)
		}
	}
}

func TestParseQuery(t *testing.T) {
	for _, tt := range []struct {
		name, query string
		level       int
		wrong       string // part of the error, "" for none
		want        query
	}{
		{"nothing", "", studyLevel, "", query{limit: 100}},
		{"page", "limit=5&offset=10", studyLevel, "", query{limit: 5, offset: 10}},
		{"limit is bounded", "limit=100000", studyLevel, "", query{limit: maxResults}},
		{"tags and keywords", "0020000D=1.2&00080061=CT&fuzzymatching=true", studyLevel, "", query{limit: 100, want: map[string][]string{"StudyInstanceUID": {"1.2"}, "ModalitiesInStudy": {"CT"}}}},
		{"lower case tag", "0008103e=a*", seriesLevel, "", query{limit: 100, want: map[string][]string{"SeriesDescription": {"a*"}}}},
		{"list", "SeriesInstanceUID=1.2,1.3%5C1.4", seriesLevel, "", query{limit: 100, want: map[string][]string{"SeriesInstanceUID": {"1.2", "1.3", "1.4"}}}},
		{"anything", "Modality=&SeriesDescription=*", seriesLevel, "", query{limit: 100}},
		{"fields", "includefield=00081030,BodyPartExamined&includefield=all", seriesLevel, "", query{limit: 100, include: []string{"00081030", "00180015", "all"}}},
		{"patient", "PatientID=1", studyLevel, "cannot be searched for", query{}},
		{"lower level", "Modality=CT", studyLevel, "not an attribute of what is searched for", query{}},
		{"no UID", "StudyInstanceUID=1.*", studyLevel, "a UID", query{}},
		{"only a comma", "StudyInstanceUID=,", studyLevel, "a UID", query{}},
		{"twice", "Modality=CT&Modality=MR", seriesLevel, "twice", query{}},
		{"negative", "limit=-1", studyLevel, "a number", query{}},
		{"no number", "offset=x", studyLevel, "one number", query{}},
		{"no field", "includefield=hello", studyLevel, "includefield", query{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			values, err := url.ParseQuery(tt.query)
			if err != nil {
				t.Fatal(err)
			}
			got, err := parseQuery(tt.level, values)
			if tt.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), strings.ReplaceAll(tt.wrong, "a number", "number")) {
					t.Fatalf("error %v, want %q", err, tt.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.limit != tt.want.limit || got.offset != tt.want.offset || !slices.Equal(got.include, tt.want.include) || len(got.want) != len(tt.want.want) {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
			for k, v := range tt.want.want {
				if !slices.Equal(got.want[k], v) {
					t.Errorf("%s: %q, want %q", k, got.want[k], v)
				}
			}
		})
	}
}

// FuzzQuery: what is read as a search has bounds, and only what can be searched for.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{"limit=5&offset=1", "0020000D=1.2,3", "SeriesDescription=*%3F", "includefield=all", "a=%00", "limit=99999999999999999999"} {
		f.Add(s, 1)
	}
	f.Fuzz(func(t *testing.T, text string, level int) {
		values, err := url.ParseQuery(text)
		if err != nil || level < studyLevel || level > instanceLevel {
			return
		}
		q, err := parseQuery(level, values)
		if err != nil {
			return
		}
		if q.limit < 0 || q.limit > maxResults || q.offset < 0 {
			t.Fatalf("%+v", q)
		}
		for name := range q.want {
			if k := keyOf(name); k == nil || k.level > level {
				t.Fatalf("%s at level %d", name, level)
			}
		}
		q.matches(&series{uid: "1.2", modality: "CT", description: text})
	})
}

func TestAccept(t *testing.T) {
	for _, tt := range []struct {
		accept         string
		instance       bool
		ok, single     bool
		syntaxes, json string
	}{
		{"", true, true, false, "", "yes"},
		{"*/*", false, true, false, "", "yes"},
		{`multipart/related; type="application/dicom"`, false, true, false, "", ""},
		{`multipart/related; type="application/dicom"; transfer-syntax=*`, false, true, false, "", ""},
		{`multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.1`, false, true, false, "1.2.840.10008.1.2.1", ""},
		{`multipart/related; type="application/dicom"; transfer-syntax=1.2.3, multipart/related; type="application/dicom"; transfer-syntax=1.2.4`, false, true, false, "1.2.3 1.2.4", ""},
		{"application/dicom", true, true, true, "", ""},
		{"application/dicom", false, false, false, "", ""},
		{`multipart/related; type="application/octet-stream"`, true, false, false, "", ""},
		{"application/dicom+json", false, false, false, "", "yes"},
		{"text/html, application/json;q=0.9", false, false, false, "", "yes"},
		{"application/dicom+json;q=0", false, false, false, "", ""},
		{"image/jpeg", true, false, false, "", ""},
	} {
		r := newGet(tt.accept)
		single, syntaxes, ok := formOf(acceptOf(r), tt.instance)
		if ok != tt.ok || single != tt.single || strings.Join(syntaxes, " ") != tt.syntaxes || acceptsJSON(r) != (tt.json != "") {
			t.Errorf("%q: ok %v, single %v, syntaxes %v, JSON %v", tt.accept, ok, single, syntaxes, acceptsJSON(r))
		}
	}
}
