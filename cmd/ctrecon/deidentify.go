package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/suyashkumar/dicom"
	"github.com/urfave/cli/v2"

	"ctrecon/dicomio"
)

// deidentify takes the identity out of a study as --deidentify says, before anything
// is made of it.
func (st *study) deidentify(c *cli.Context) error {
	if !c.Bool("deidentify") {
		for _, f := range []string{"retain", "deidentify-key"} {
			if c.IsSet(f) {
				return usagef("--%s without --deidentify", f)
			}
		}
		return nil
	}
	var names []string
	for _, r := range dicomio.Retained {
		names = append(names, r.Name)
	}
	options, err := list("retain", c.String("retain"), names)
	if err != nil {
		return err
	}
	key := make([]byte, 32)
	if name := c.String("deidentify-key"); name == "" {
		rand.Read(key)
		st.notes = append(st.notes, "de-identified with a key drawn for this job: --deidentify-key gives the same patient the same name next time")
	} else if key, err = os.ReadFile(name); err != nil {
		return inputErr(fmt.Errorf("%s: the key cannot be read", name))
	}
	p, err := dicomio.NewDeidentifier(key, options)
	if err != nil {
		return usagef("--deidentify: %v", err)
	}
	slices.Sort(options)
	st.private = options
	if st.private == nil {
		st.private = []string{}
	}
	return st.scrub(p)
}

// scrub applies a profile to all that a result takes from the input.
func (st *study) scrub(p *dicomio.Deidentifier) error {
	var header *dicom.Dataset
	if st.series != nil {
		before := len(st.series.Notes)
		old := slices.Clone(st.series.Notes)
		if err := p.Series(st.series); err != nil {
			return inputErr(err)
		}
		own := st.notes[min(before, len(st.notes)):] // what was added to the notes of the series
		if len(st.notes) >= before && slices.Equal(st.notes[:before], old) {
			st.notes = append(slices.Clone(st.series.Notes), own...)
		}
		st.input.Name, header = "de-identified series", st.series.Slices[0].Header
	}
	if st.template != nil {
		st.template = p.Header(st.template)
		st.input.Name, header = "sinogram", st.template
	}
	if header != nil {
		st.stamp = func(t time.Time) time.Time { return p.Time(header, t) }
	}
	return nil
}

// dated is the time that results are dated by.
func (st *study) dated(t time.Time) time.Time {
	if st.stamp != nil {
		return st.stamp(t)
	}
	return t
}

// named are the flags whose values are names of files, which may identify a patient.
var named = []string{"template", "reference", "sidecar", "flat", "dark", "view-angles", "deidentify-key"}

// neutralOut is the result folder of a de-identified input, whose name may identify.
func neutralOut(in string) string { return filepath.Join(filepath.Dir(in), "deidentified-ctrecon") }
