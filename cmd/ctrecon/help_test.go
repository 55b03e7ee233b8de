package main

import (
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// TestDefaults: help names a default once, and none where zero means "not given".
func TestDefaults(t *testing.T) {
	for _, c := range []struct {
		flag      cli.Flag
		with, not string
	}{
		{&cli.IntFlag{Name: "a", Usage: "of `N` (default: all)"}, "(default: all)", "default: 0"},
		{&cli.BoolFlag{Name: "b", Usage: "do it"}, "do it", "default"},
		{&cli.IntFlag{Name: "c", Usage: "count", Value: 10}, "(default: 10)", ""},
		{&cli.Float64Flag{Name: "d", Usage: "share", Value: 0.5}, "(default: 0.5)", ""},
	} {
		s := cli.FlagStringer(c.flag)
		if !strings.Contains(s, c.with) || c.not != "" && strings.Contains(s, c.not) {
			t.Errorf("%q", s)
		}
	}
}
