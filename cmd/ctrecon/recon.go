package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"ctrecon/ct/recon"
	"ctrecon/ldm/onnx"
)

func reconCommand() *cli.Command {
	return &cli.Command{
		Name:      "recon",
		Usage:     "reconstruct a sinogram file or a re-measured CT series (the same as ctrecon INPUT)",
		ArgsUsage: "INPUT",
		Description: "INPUT is a sinogram file, a DICOM file, or a folder or ZIP with a CT series or with the projections of a helical scan (DICOM-CT-PD). " + researchUse + "\n\n" + examples(
			"ctrecon --angles 25 sino.npy", "25 views of a sinogram: FBP and TV as DICOM, with a report",
			"ctrecon --angles 25 --method tv,sirt --noise-sigma .005 study/", "a CT series, measured again with 25 views and less noise",
			"ctrecon --fan 110,300 --detector-spacing .35 --center .77 --template patient.dcm walnut.npy", "a fan-beam scan, written into a patient's study"),
		Flags:  flagGroups(jobFlags(), modelFlags(), noiseFlags(), geometryFlags(), outputFlags()),
		Action: reconAction,
	}
}

func reconAction(c *cli.Context) error {
	if c.NArg() == 0 && c.NumFlags() == 0 {
		return cli.ShowAppHelp(c)
	}
	input, err := onlyArgument(c, "input")
	if err != nil {
		return err
	}
	methods, note, err := defaultMethods(c)
	if err != nil {
		return err
	}
	st, err := openStudy(c.Context, c, input)
	if err != nil {
		return err
	}
	if err := st.deidentify(c); err != nil {
		return err
	}
	if note != "" {
		st.notes = append(st.notes, note)
		if !c.Bool("quiet") && !c.Bool("verbose") { // verbose prints all notes
			fmt.Fprintln(c.App.ErrWriter, note)
		}
	}
	return runJob(c.Context, c, st, methods)
}

// defaultMethods are those of --method, or all that the machine can do of FBP,
// TV and ReSample; note says what is missing.
func defaultMethods(c *cli.Context) (methods []string, note string, err error) {
	if c.IsSet("method") {
		methods, err = methodList(c.String("method"))
		return methods, "", err
	}
	if _, err := onnx.Open(); err != nil {
		return []string{"fbp", "tv"}, "without resample: " + err.Error(), nil
	}
	return []string{"fbp", "tv", "resample"}, "", nil
}

// methodList reads --method. FBP comes first: it is the baseline of every
// comparison.
func methodList(s string) ([]string, error) {
	list, known := []string{"fbp"}, recon.Names()
	for _, m := range strings.Split(s, ",") {
		m = strings.TrimSpace(m)
		if m == "" || slices.Contains(list, m) {
			continue
		}
		if !slices.Contains(known, m) {
			return nil, usagef("--method %s: there is %s", m, strings.Join(known, ", "))
		}
		list = append(list, m)
	}
	return list, nil
}
