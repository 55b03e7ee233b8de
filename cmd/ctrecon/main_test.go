package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"ctrecon/ct/report"
	"ctrecon/ldm/onnx"
)

// asProgram makes the test's executable the program: jobs of the node and kills of it
// need a process with its real main.
const asProgram = "CTRECON_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" && !(len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "-test.")) {
		main()
	}
	os.Setenv(asProgram, "1")
	testscript.Main(m, map[string]func(){
		"ctrecon": func() { os.Exit(run(context.Background(), os.Args, os.Stdout, os.Stderr)) },
	})
}

// TestScripts: the condition [onnx] is true where ONNX Runtime is found, in the
// environment or where make ort puts it; the command schema holds a report
// against its schema.
func TestScripts(t *testing.T) {
	if os.Getenv(onnx.LibraryEnv) == "" {
		if p := builtLibrary(); p != "" {
			t.Setenv(onnx.LibraryEnv, p)
		}
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv(onnx.LibraryEnv, os.Getenv(onnx.LibraryEnv))
			tiny, err := filepath.Abs("../../ldm/models/testdata/tiny") // networks in closed form
			e.Setenv("TINY", tiny)
			return err
		},
		Condition: func(cond string) (bool, error) {
			_, err := onnx.Open()
			return cond == "onnx" && err == nil, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"schema": schemaCommand, "tiny": tinyCommand, "change": changeCommand, "rehash": rehashCommand, "exits": exitsCommand,
		},
	})
}

// builtLibrary is what make ort fetched, "" without it.
func builtLibrary() string {
	wd, err := os.Getwd()
	if err != nil {
		return ""
	}
	p := wd + "/../../lib/libonnxruntime.so.1.31.1"
	if _, err := os.Stat(p); err != nil {
		return ""
	}
	return p
}

func schemaCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: schema report.json")
	}
	c := jsonschema.NewCompiler()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(report.Schema))
	ts.Check(err)
	ts.Check(c.AddResource(report.SchemaID, doc))
	s, err := c.Compile(report.SchemaID)
	ts.Check(err)
	got, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(ts.ReadFile(args[0]))))
	ts.Check(err)
	ts.Check(s.Validate(got))
}
