package main

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"ctrecon/cmd/ctrecon/internal/node"
	"ctrecon/cmd/ctrecon/internal/node/rules"
	"ctrecon/ct/recon"
	"ctrecon/dicomio"
)

// checkRules reads rules, and says what would be made of a folder.
func checkRules(c *cli.Context) error {
	set, err := rules.Load(c.String("check"), recon.Names())
	if err != nil {
		return inputErr(err)
	}
	w := c.App.Writer
	if _, err := fmt.Fprintf(w, "%s: %d rule(s), %d peer(s)\n", c.String("check"), len(set.Rules), len(set.Peers)); err != nil {
		return outputErr(err)
	}
	if !c.IsSet("dry-run") {
		return nil
	}
	all, skipped, err := seriesIn(c.String("dry-run"))
	if err != nil {
		return inputErr(err)
	}
	if len(all) == 0 {
		return inputErr(fmt.Errorf("%s: no DICOM object among %d files", c.String("dry-run"), skipped))
	}
	for _, uid := range slices.Sorted(maps.Keys(all)) {
		if err := all[uid].explain(w, set, c.String("calling"), c.String("aet")); err != nil {
			return outputErr(err)
		}
	}
	return nil
}

// foundSeries is a series in a folder: how many images it has, and the head of the first.
type foundSeries struct {
	uid             string
	objects, images int
	head            *dicomio.Head
}

func seriesIn(dir string) (all map[string]*foundSeries, skipped int, err error) {
	all = map[string]*foundSeries{}
	err = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		h, err := dicomio.Peek(p)
		if err != nil || h.Series == "" {
			skipped++
			return nil
		}
		s := all[h.Series]
		if s == nil {
			s = &foundSeries{uid: h.Series, head: h}
			all[h.Series] = s
		}
		s.objects++
		if h.Image() {
			s.images++
		}
		return nil
	})
	return all, skipped, err
}

// explain says what the node would do with the series, and why.
func (s *foundSeries) explain(w io.Writer, set *rules.Set, calling, called string) error {
	x := rules.Subject{Text: s.head.Text, Calling: calling, Called: called, Slices: s.images}
	rule, why, note := node.Choose(set, x, s.head.Ours())
	text := fmt.Sprintf("\nseries %s: %d object(s), %d CT image(s)\n", s.uid, s.objects, s.images)
	for _, y := range why {
		text += "  " + y + "\n"
	}
	if rule == nil {
		text += "  " + note + "\n"
		_, err := io.WriteString(w, text)
		return err
	}
	text += "  runs: ctrecon " + strings.Join(rule.Args(), " ") + " SERIES\n"
	to := "results stay on the node"
	if len(rule.Destinations) > 0 {
		to = "results go to " + strings.Join(rule.Destinations, ", ")
	}
	_, err := io.WriteString(w, text+"  "+to+"\n")
	return err
}
