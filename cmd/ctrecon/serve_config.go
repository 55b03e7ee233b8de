package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/urfave/cli/v2"
)

// once are the flags that say what to do now; they stand in no file.
var once = []string{"config", "print-config", "check", "dry-run", "calling", "help", "h"}

// readConfig sets from the file of --config what neither the command line nor the
// environment sets.
func readConfig(c *cli.Context) error {
	path := c.String("config")
	if path == "" {
		return nil
	}
	values := map[string]any{}
	b, err := os.ReadFile(path)
	if err != nil {
		return inputErr(fmt.Errorf("%s: the configuration cannot be read", path))
	}
	_, err = toml.Decode(string(b), &values)
	if pe := (toml.ParseError{}); errors.As(err, &pe) {
		return inputErr(fmt.Errorf("%s:%d: %s", path, pe.Position.Line, pe.Message))
	}
	if err != nil {
		return inputErr(fmt.Errorf("%s: %w", path, err))
	}
	for name, v := range values {
		if !slices.ContainsFunc(configurable(c), func(f cli.Flag) bool { return f.Names()[0] == name }) {
			return inputErr(fmt.Errorf("%s: %s is no setting; --print-config shows all", path, name))
		}
		if c.IsSet(name) {
			continue
		}
		if err := c.Set(name, settingText(v)); err != nil {
			return inputErr(fmt.Errorf("%s: %s: %v is no value for it", path, name, v))
		}
	}
	return nil
}

// settingText is a value of the file as it would stand on the command line.
func settingText(v any) string {
	list, ok := v.([]any)
	if !ok {
		return fmt.Sprint(v)
	}
	var out []string
	for _, x := range list {
		out = append(out, fmt.Sprint(x))
	}
	return strings.Join(out, ",")
}

// configurable are the flags that may stand in the file.
func configurable(c *cli.Context) []cli.Flag {
	return slices.DeleteFunc(slices.Clone(c.Command.Flags), func(f cli.Flag) bool { return slices.Contains(once, f.Names()[0]) })
}

// printConfig prints what holds, each with what it means.
func printConfig(c *cli.Context) error {
	w := c.App.Writer
	for _, f := range configurable(c) {
		name := f.Names()[0]
		text := ""
		switch v := c.Value(name).(type) {
		case string:
			text = fmt.Sprintf("%q", v)
		case time.Duration:
			text = fmt.Sprintf("%q", v.String())
		default:
			text = fmt.Sprint(v)
		}
		usage := strings.ReplaceAll(f.(cli.DocGenerationFlag).GetUsage(), "`", "")
		if _, err := fmt.Fprintf(w, "# %s\n%s = %s\n\n", usage, name, text); err != nil {
			return outputErr(err)
		}
	}
	return nil
}
