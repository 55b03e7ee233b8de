package web

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"ctrecon/dicomio"
)

// Attributes of the header that answers of each level have beside those that the node
// knows itself (PS3.18 tables 10.6.3-3 to 10.6.3-5).
var fromHeader = [...][]string{
	studyLevel:    {"00080020", "00080030", "00080050", "00080090", "00080201", "00081030", "00100010", "00100020", "00100030", "00100040", "00200010"},
	seriesLevel:   {"00080021", "00080031", "00080201", "00200011", "00400244", "00400245"},
	instanceLevel: {"00080201", "00200013", "00280008", "00280010", "00280011", "00280100"},
}

// found is one result of a search: a study (several series), a series, or an instance.
type found struct {
	series []*series
	object object // at the level of instances
}

// search answers a search at one level.
func (s *site) search(level int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !acceptsJSON(r) {
			fail(w, http.StatusNotAcceptable, "answers are "+dicomJSON)
			return
		}
		q, err := queryOf(level, r)
		if err != nil {
			fail(w, http.StatusBadRequest, err.Error())
			return
		}
		all, err := s.archive()
		if err == nil {
			var hits []found
			var more bool
			if hits, more, err = s.hits(q, all); err == nil {
				s.answerHits(w, r, q, hits, more)
				return
			}
		}
		s.broken(w, "search", err)
	}
}

// queryOf reads the address and its query.
func queryOf(level int, r *http.Request) (*query, error) {
	if len(r.URL.RawQuery) > maxQuery {
		return nil, fmt.Errorf("the query has more than %d bytes", maxQuery)
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("the query cannot be read")
	}
	q, err := parseQuery(level, values)
	if err != nil {
		return nil, err
	}
	for name, part := range map[string]string{"StudyInstanceUID": "study", "SeriesInstanceUID": "series"} {
		v := r.PathValue(part)
		if v == "" {
			continue
		}
		if !dicomio.IsUID(v) {
			return nil, fmt.Errorf("the %s in the address is no UID", part)
		}
		q.want[name] = []string{v}
	}
	return q, nil
}

// matches says whether a series is what is searched for.
func (q *query) matches(x *series) bool {
	return q.fits("StudyInstanceUID", x.study) && q.fits("SeriesInstanceUID", x.uid) && q.fits("Modality", x.modality) && q.fits("SeriesDescription", x.description)
}

// hits are the results from offset on; more says that there are others behind them.
func (s *site) hits(q *query, all []*series) (out []found, more bool, err error) {
	studies := map[string][]*series{}
	for _, x := range all {
		studies[x.study] = append(studies[x.study], x)
	}
	n := 0
	take := func(f found) bool {
		n++
		if n <= q.offset {
			return true
		}
		if more = len(out) == q.limit; !more {
			out = append(out, f)
		}
		return !more
	}
	for _, study := range slices.Sorted(maps.Keys(studies)) {
		group := studies[study]
		if !slices.ContainsFunc(group, func(x *series) bool { return q.fits("ModalitiesInStudy", x.modality) }) {
			continue
		}
		if goOn, err := s.hitsOf(q, group, take); err != nil || !goOn {
			return out, more, err
		}
	}
	return out, more, nil
}

// hitsOf hands on the results in one study.
func (s *site) hitsOf(q *query, group []*series, take func(found) bool) (goOn bool, err error) {
	if q.level == studyLevel {
		return !q.fits("StudyInstanceUID", group[0].study) || take(found{series: group}), nil
	}
	for _, x := range group {
		if !q.matches(x) {
			continue
		}
		if q.level == seriesLevel {
			if !take(found{series: []*series{x}}) {
				return false, nil
			}
			continue
		}
		goOn := true
		err := s.objects(x, func(o object) bool {
			if q.fits("SOPInstanceUID", o.uid) && q.fits("SOPClassUID", o.class) {
				goOn = take(found{series: []*series{x}, object: o})
			}
			return goOn
		})
		if err != nil || !goOn {
			return false, err
		}
	}
	return true, nil
}

func (s *site) answerHits(w http.ResponseWriter, r *http.Request, q *query, hits []found, more bool) {
	if len(hits) == 0 {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	out := make([]dataset, 0, len(hits))
	for _, f := range hits {
		if r.Context().Err() != nil {
			return
		}
		out = append(out, s.describe(q, f, base(r)))
	}
	if more {
		w.Header().Set("Warning", `299 ctrecon "there are more results; ask for them with offset"`)
	}
	answerDICOM(w, http.StatusOK, out)
}

// describe makes the data set of one result.
func (s *site) describe(q *query, f found, base string) dataset {
	out := dataset{}
	x := f.series[0]
	url := base + "/studies/" + x.study
	s.addHeader(q, f, out)
	out["0020000D"] = text("UI", x.study)
	if q.level == studyLevel {
		studyFacts(f, out)
	} else {
		url += "/series/" + x.uid
		out["0020000E"], out["00080060"], out["0008103E"], out["00201209"] = text("UI", x.uid), text("CS", x.modality), text("LO", x.description), number("IS", x.count)
	}
	if q.level == instanceLevel {
		url += "/instances/" + f.object.uid
		out["00080016"], out["00080018"], out["00080056"] = text("UI", f.object.class), text("UI", f.object.uid), text("CS", "ONLINE")
		out["00083002"] = text("UI", f.object.syntax)
	}
	out["00081190"] = text("UR", url)
	return out
}

// studyFacts are what the node knows of a study.
func studyFacts(f found, out dataset) {
	modalities, objects := map[string]bool{}, 0
	for _, x := range f.series {
		objects += x.count
		if x.modality != "" {
			modalities[x.modality] = true
		}
	}
	e := element{VR: "CS"}
	for _, m := range slices.Sorted(maps.Keys(modalities)) {
		e.Value = append(e.Value, m)
	}
	out["00080061"], out["00201206"], out["00201208"] = e, number("IS", len(f.series)), number("IS", objects)
}

// addHeader adds attributes from the first object's header.
func (s *site) addHeader(q *query, f found, out dataset) {
	o := f.object
	if o.uid == "" {
		if err := s.objects(f.series[0], func(x object) bool { o = x; return false }); err != nil || o.path == "" {
			return
		}
	}
	h, err := s.peek(o.path)
	if err != nil {
		return
	}
	all := h.JSON()
	for level := range fromHeader {
		if level > q.level {
			break
		}
		for _, t := range fromHeader[level] {
			if e, ok := all[t]; ok {
				out[t] = e
			}
		}
	}
	for _, t := range q.include {
		if t == "all" {
			maps.Copy(out, all)
		} else if e, ok := all[t]; ok && !strings.HasPrefix(t, "7FE0") {
			out[t] = e
		}
	}
}
