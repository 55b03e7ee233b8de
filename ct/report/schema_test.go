package report

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write report.schema.json from the types")

func TestSchemaIsOfTheTypes(t *testing.T) {
	want, err := json.MarshalIndent(document(), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile("report.schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(Schema, want) {
		t.Error("report.schema.json is not that of the types: go test ./ct/report -run Schema -update")
	}
}

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(SchemaID, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(SchemaID)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestReportsFollowTheSchema(t *testing.T) {
	s := compiled(t)
	r, _ := small()
	good, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, old, new string
		ok             bool
	}{
		{"a report", "", "", true},
		{"another schema", SchemaID, "urn:other", false},
		{"a field that nobody knows", `"notice":`, `"extra":1,"notice":`, false},
		{"a number as text", `"views":5`, `"views":"5"`, false},
		{"no methods", `"methods":`, `"method":`, false},
	} {
		text := strings.Replace(string(good), c.old, c.new, 1)
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(doc); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
