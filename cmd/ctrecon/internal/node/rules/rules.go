package rules

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"ctrecon/dicomio"
	"ctrecon/dicomio/dimse"
)

// Peer is an application entity that rules may name, and that requests of storage
// commitment may come from.
type Peer struct {
	Name    string `toml:"name"`
	Address string `toml:"address"` // AET@host:port
	Commit  bool   `toml:"commit"`
	TLS     bool   `toml:"tls"`

	Entity dimse.Peer `toml:"-"`
}

// Rule is what is matched, and what is done then. Texts of a match are regular
// expressions, AE titles are compared whole; what is left out matches everything.
type Rule struct {
	Name              string            `toml:"name"`
	Modality          string            `toml:"modality"`
	SeriesDescription string            `toml:"series_description"`
	StudyDescription  string            `toml:"study_description"`
	BodyPart          string            `toml:"body_part"`
	Calling           []string          `toml:"calling"`
	Called            []string          `toml:"called"`
	Tags              map[string]string `toml:"tags"`
	MinSlices         int               `toml:"min_slices"`

	Ignore       bool     `toml:"ignore"` // keep the series, make nothing of it
	Views        int      `toml:"views"`
	Methods      []string `toml:"methods"`
	Model        string   `toml:"model"`
	Samples      int      `toml:"samples"`
	NoiseSigma   float64  `toml:"noise_sigma"`
	Seed         uint64   `toml:"seed"`
	Slices       string   `toml:"slices"`
	Also         []string `toml:"also"`
	Deidentify   bool     `toml:"deidentify"`
	Retain       []string `toml:"retain"`
	Key          string   `toml:"deidentify_key"`
	Destinations []string `toml:"destinations"`
	Priority     int      `toml:"priority"`

	terms []term
}

// term is one text that a rule looks at.
type term struct {
	keyword string
	pattern *regexp.Regexp
}

// Set is the rules and peers of one file.
type Set struct {
	Peers []Peer `toml:"peer"`
	Rules []Rule `toml:"rule"`
}

// minSlices is how many slices a series must have where a rule does not say.
const minSlices = 3

// Default is what holds without a file: every CT series of at least three slices gets
// the default methods from 25 views, and results stay on the node.
func Default() *Set {
	s := &Set{Rules: []Rule{{Name: "default", Modality: "CT"}}}
	if err := s.check("", nil); err != nil {
		panic(err) // it is constant
	}
	return s
}

// Load reads a file. methods are the names that a rule may use.
func Load(path string, methods []string) (*Set, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: the rules cannot be read", path)
	}
	return Parse(path, string(b), methods)
}

// Parse reads the text of a file.
func Parse(path, text string, methods []string) (*Set, error) {
	s := &Set{}
	meta, err := toml.Decode(text, s)
	if pe := (toml.ParseError{}); errors.As(err, &pe) {
		return nil, fmt.Errorf("%s:%d: %s", path, pe.Position.Line, pe.Message)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if u := meta.Undecoded(); len(u) > 0 {
		return nil, fmt.Errorf("%s: %s is not known", path, u[0])
	}
	return s, s.check(path+": ", methods)
}

// check completes what was read and finds what is wrong with it.
func (s *Set) check(where string, methods []string) error {
	names := map[string]bool{}
	for i := range s.Peers {
		p := &s.Peers[i]
		var err error
		if p.Entity, err = dimse.ParsePeer(p.Address); err != nil {
			return fmt.Errorf("%s%w", where, err)
		}
		if p.Name == "" || strings.ContainsAny(p.Name, "\n/") || names[p.Name] {
			return fmt.Errorf("%speer %d: name %q: each peer needs a name of its own", where, i+1, p.Name)
		}
		names[p.Name] = true
	}
	seen := map[string]bool{}
	for i := range s.Rules {
		r := &s.Rules[i]
		if r.Name == "" || seen[r.Name] {
			return fmt.Errorf("%srule %d: name %q: each rule needs a name of its own", where, i+1, r.Name)
		}
		seen[r.Name] = true
		if err := r.check(names, methods); err != nil {
			return fmt.Errorf("%srule %s: %w", where, r.Name, err)
		}
	}
	return nil
}

// alsoKinds are what a rule's also may hold.
var alsoKinds = []string{"enhanced", "map", "sc", "pdf", "sr"}

func (r *Rule) check(peers map[string]bool, methods []string) error {
	for _, m := range r.Methods {
		if !slices.Contains(methods, m) {
			return fmt.Errorf("method %q: there is %s", m, strings.Join(methods, ", "))
		}
	}
	for _, a := range r.Also {
		if !slices.Contains(alsoKinds, a) {
			return fmt.Errorf("also %q: there is %s", a, strings.Join(alsoKinds, ", "))
		}
	}
	for _, d := range r.Destinations {
		if !peers[d] {
			return fmt.Errorf("destination %q: no [[peer]] has this name", d)
		}
	}
	if r.Views < 0 || r.Views > 100_000 || r.Samples < 0 || r.MinSlices < 0 || r.NoiseSigma < 0 {
		return errors.New("views, samples, min_slices and noise_sigma are not negative, views at most 100000")
	}
	if r.MinSlices == 0 {
		r.MinSlices = minSlices
	}
	return r.compile()
}

// compile makes the terms of a rule.
func (r *Rule) compile() error {
	texts := map[string]string{"Modality": whole(r.Modality), "SeriesDescription": r.SeriesDescription, "StudyDescription": r.StudyDescription, "BodyPartExamined": whole(r.BodyPart)}
	for k, p := range r.Tags {
		if !dicomio.IsKeyword(k) {
			return fmt.Errorf("tag %q: no attribute has this keyword", k)
		}
		texts[k] = p
	}
	r.terms = nil
	for k, p := range texts {
		if p == "" {
			continue
		}
		re, err := regexp.Compile(p)
		if err != nil {
			return fmt.Errorf("%s: %w", k, err)
		}
		r.terms = append(r.terms, term{k, re})
	}
	sort.Slice(r.terms, func(i, j int) bool { return r.terms[i].keyword < r.terms[j].keyword })
	return nil
}

// whole makes a pattern fit the whole value.
func whole(p string) string {
	if p == "" {
		return ""
	}
	return "^(?:" + p + ")$"
}

// Subject is what rules are matched against.
type Subject struct {
	Text            func(keyword string) string
	Calling, Called string
	Slices          int
}

// Match is the first rule that fits, nil for none. why says for each rule up to it what
// decided; it quotes no value of the series, only names of attributes.
func (s *Set) Match(x Subject) (rule *Rule, why []string) {
	for i := range s.Rules {
		r := &s.Rules[i]
		miss := r.miss(x)
		if miss == "" {
			return r, append(why, fmt.Sprintf("rule %s: fits", r.Name))
		}
		why = append(why, fmt.Sprintf("rule %s: %s", r.Name, miss))
	}
	return nil, why
}

// miss says why the rule does not fit, "" when it does.
func (r *Rule) miss(x Subject) string {
	if len(r.Calling) > 0 && !slices.Contains(r.Calling, x.Calling) {
		return fmt.Sprintf("calling AE title %q is not among %s", x.Calling, strings.Join(r.Calling, ", "))
	}
	if len(r.Called) > 0 && !slices.Contains(r.Called, x.Called) {
		return fmt.Sprintf("called AE title %q is not among %s", x.Called, strings.Join(r.Called, ", "))
	}
	for _, t := range r.terms {
		if !t.pattern.MatchString(x.Text(t.keyword)) {
			return fmt.Sprintf("%s does not fit %s", t.keyword, t.pattern)
		}
	}
	if x.Slices < r.MinSlices {
		return fmt.Sprintf("%d image(s), at least %d are needed", x.Slices, r.MinSlices)
	}
	return ""
}

// SeriesViews is how many views a series is measured again with where the rule names no
// number. A sinogram has all of its own then.
const SeriesViews = 25

// Args are the arguments of the job of a series.
func (r *Rule) Args() []string { return r.args(cmp.Or(r.Views, SeriesViews)) }

// SinogramArgs are those of the job of a sinogram.
func (r *Rule) SinogramArgs() []string { return r.args(r.Views) }

func (r *Rule) args(views int) []string {
	var a []string
	if views > 0 {
		a = append(a, "--angles", strconv.Itoa(views))
	}
	add := func(flag, value string) {
		if value != "" {
			a = append(a, flag, value)
		}
	}
	add("--method", strings.Join(r.Methods, ","))
	add("--model", r.Model)
	if r.Samples > 0 {
		add("--samples", strconv.Itoa(r.Samples))
	}
	if r.NoiseSigma > 0 {
		add("--noise-sigma", strconv.FormatFloat(r.NoiseSigma, 'g', -1, 64))
	}
	if r.Seed > 0 {
		add("--seed", strconv.FormatUint(r.Seed, 10))
	}
	add("--slices", r.Slices)
	also := strings.Join(r.Also, ",")
	if also == "" {
		also = "sr,pdf"
	}
	add("--also", also)
	if r.Deidentify {
		a = append(a, "--deidentify")
		add("--retain", strings.Join(r.Retain, ","))
		add("--deidentify-key", r.Key)
	}
	return a
}

// Peer finds a peer by its name.
func (s *Set) Peer(name string) (Peer, bool) {
	i := slices.IndexFunc(s.Peers, func(p Peer) bool { return p.Name == name })
	if i < 0 {
		return Peer{}, false
	}
	return s.Peers[i], true
}

// Titled finds a peer by its AE title.
func (s *Set) Titled(title string) (Peer, bool) {
	i := slices.IndexFunc(s.Peers, func(p Peer) bool { return p.Entity.AETitle == title })
	if i < 0 {
		return Peer{}, false
	}
	return s.Peers[i], true
}
