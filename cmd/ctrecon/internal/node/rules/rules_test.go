package rules

import (
	"slices"
	"strings"
	"testing"
)

var methods = []string{"fbp", "tv"}

const example = `
[[peer]]
name = "pacs"
address = "PACS@10.0.0.5:104"
commit = true

[[rule]]
name = "scouts"
series_description = "(?i)scout|topo"
ignore = true

[[rule]]
name = "chest"
modality = "CT"
series_description = "(?i)lung|thorax"
calling = ["SCANNER1", "SCANNER2"]
tags = { BodyPartExamined = "CHEST" }
views = 30
methods = ["tv"]
destinations = ["pacs"]
priority = 5

[[rule]]
name = "rest"
modality = "CT"
min_slices = 10
noise_sigma = 0.02
seed = 7
slices = "0:9"
also = ["enhanced"]
deidentify = true
retain = ["dates"]
deidentify_key = "key"
`

func subject(calling string, slices int, texts map[string]string) Subject {
	return Subject{Text: func(k string) string { return texts[k] }, Calling: calling, Called: "CTRECON", Slices: slices}
}

// TestMatch: the first rule that fits is taken; why names attributes, never their values.
func TestMatch(t *testing.T) {
	s, err := Parse("rules.toml", example, methods)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		x    Subject
		rule string
		says string
	}{
		{"a scout", subject("A", 99, map[string]string{"Modality": "CT", "SeriesDescription": "Topogram"}), "scouts", "fits"},
		{"a chest", subject("SCANNER2", 99, map[string]string{"Modality": "CT", "SeriesDescription": "THORAX 1.0", "BodyPartExamined": "CHEST"}), "chest", "rule scouts: SeriesDescription does not fit"},
		{"another scanner", subject("A", 99, map[string]string{"Modality": "CT", "SeriesDescription": "lung", "BodyPartExamined": "CHEST"}), "rest", "SCANNER1, SCANNER2"},
		{"another part", subject("SCANNER1", 99, map[string]string{"Modality": "CT", "SeriesDescription": "lung of Miller"}), "rest", "BodyPartExamined does not fit"},
		{"too few", subject("A", 9, map[string]string{"Modality": "CT"}), "", "9 image(s), at least 10"},
		{"part of a modality's name", subject("A", 99, map[string]string{"Modality": "CTX"}), "", "Modality does not fit"},
	} {
		r, why := s.Match(c.x)
		got := ""
		if r != nil {
			got = r.Name
		}
		all := strings.Join(why, "\n")
		if got != c.rule || !strings.Contains(all, c.says) || strings.Contains(all, "Miller") {
			t.Errorf("%s: rule %q because of\n%s\nwant %q, %q", c.name, got, all, c.rule, c.says)
		}
	}
}

func TestArgs(t *testing.T) {
	s, err := Parse("rules.toml", example, methods)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range map[int]string{
		1: "--angles 30 --method tv --also sr,pdf",
		2: "--angles 25 --noise-sigma 0.02 --seed 7 --slices 0:9 --also enhanced --deidentify --retain dates --deidentify-key key",
	} {
		if got := strings.Join(s.Rules[i].Args(), " "); got != want {
			t.Errorf("rule %s: %s, want %s", s.Rules[i].Name, got, want)
		}
	}
	if got := Default().Rules[0].Args(); !slices.Equal(got, []string{"--angles", "25", "--also", "sr,pdf"}) {
		t.Errorf("default: %q", got)
	}
	if p, ok := s.Titled("PACS"); !ok || p.Name != "pacs" || !p.Commit {
		t.Errorf("peer by its title: %+v", p)
	}
}

// TestWrong: each mistake is told with the file and what would help.
func TestWrong(t *testing.T) {
	for _, c := range []struct{ name, text, says string }{
		{"no TOML", "[[rule]\n", "r.toml:2: "},
		{"an unknown key", "[[rule]]\nname = \"a\"\nview = 3\n", "rule.view is not known"},
		{"an unknown table", "[[rules]]\nname = \"a\"\n", "is not known"},
		{"no name", "[[rule]]\nviews = 3\n", "needs a name"},
		{"a name twice", "[[rule]]\nname = \"a\"\n[[rule]]\nname = \"a\"\n", "name of its own"},
		{"a method", "[[rule]]\nname = \"a\"\nmethods = [\"x\"]\n", "there is fbp, tv"},
		{"a destination", "[[rule]]\nname = \"a\"\ndestinations = [\"x\"]\n", "no [[peer]] has this name"},
		{"a pattern", "[[rule]]\nname = \"a\"\nmodality = \"(\"\n", "rule a: Modality"},
		{"a keyword", "[[rule]]\nname = \"a\"\ntags = { Foo = \"x\" }\n", "no attribute has this keyword"},
		{"views", "[[rule]]\nname = \"a\"\nviews = -1\n", "not negative"},
		{"an object", "[[rule]]\nname = \"a\"\nalso = [\"x\"]\n", "there is enhanced"},
		{"an address", "[[peer]]\nname = \"a\"\naddress = \"somewhere\"\n", "AET@host:port"},
		{"a type", "[[rule]]\nname = 3\n", "r.toml"},
	} {
		_, err := Parse("r.toml", c.text, methods)
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), "r.toml") {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
}

// FuzzParse: no text makes it panic; what it takes, it can match and turn into arguments.
func FuzzParse(f *testing.F) {
	f.Add(example)
	f.Add("[[rule]]\nname='a'\nmodality='['")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse("r.toml", text, methods)
		if err != nil {
			return
		}
		s.Match(subject("A", 5, nil))
		for i := range s.Rules {
			if a := s.Rules[i].Args(); len(a) < 2 || a[0] != "--angles" {
				t.Errorf("arguments %q", a)
			}
		}
	})
}
