package main

import (
	"strings"

	"github.com/urfave/cli/v2"

	"ctrecon/ct/recon"
)

// The flags stand once, in groups that commands share; help, completion and the
// manual come from them.

const (
	catJob      = "Job"
	catNoise    = "Noise"
	catGeometry = "Geometry, where the file does not say"
	catModel    = "Diffusion model"
	catOutput   = "Output"
)

func jobFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "angles", Usage: "use `N` views: an even subset of a sinogram, the number simulated for a DICOM series (default: all, 25)", Category: catJob},
		&cli.StringFlag{Name: "method", Usage: "comma-separated `LIST` of " + strings.Join(recon.Names(), ", ") + "; fbp is always among them (default: fbp,tv,resample; fbp,tv without ONNX Runtime)", Category: catJob},
		&cli.StringFlag{Name: "slices", Usage: "only these slices, counted from 0: `A:B` (B left out), A:B:STEP or I", Category: catJob},
		&cli.Float64Flag{Name: "slice-spacing", Usage: "`MM` between the slices made of a helical scan (default: the height of a detector row at the axis)", Category: catJob},
		&cli.StringFlag{Name: "reference", Usage: "ground truth for the metrics: HU as .npy or a DICOM series at `PATH`", Category: catJob},
		&cli.Uint64Flag{Name: "seed", Usage: "of simulated noise and of samples", Value: 1, Category: catJob},
		&cli.IntFlag{Name: "workers", Usage: "slices at a time (default: one a core)", Category: catJob},
		&cli.IntFlag{Name: "check-views", Usage: "keep `N` views of the middle slice from the methods and compare their prediction (default: 2 with the diffusion model, else 0)", Category: catJob},
	}
}

func noiseFlags() []cli.Flag {
	return []cli.Flag{
		&cli.Float64Flag{Name: "noise-sigma", Usage: "standard deviation of the data in `NEPERS`; estimated when nothing says it, .01 when simulating", Category: catNoise},
		&cli.Float64Flag{Name: "photons", Usage: "`I0` photons a bin without an object, instead of --noise-sigma", Category: catNoise},
	}
}

func geometryFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "sidecar", Usage: "JSON `FILE` with the geometry; <input>.json is read by itself", Category: catGeometry},
		&cli.Float64Flag{Name: "pixel-size", Usage: "of the image, `MM` (default: the detector spacing at the axis)", Category: catGeometry},
		&cli.IntFlag{Name: "image-size", Usage: "`N` x N pixels (default: what the detector sees, 256 at least)", Category: catGeometry},
		&cli.Float64Flag{Name: "detector-spacing", Usage: "bin spacing in `MM`", Category: catGeometry},
		&cli.StringFlag{Name: "center", Usage: "offset of the rotation axis in `BINS` from the detector's middle, or auto", Category: catGeometry},
		&cli.Float64Flag{Name: "arc", Usage: "the views cover `DEGREES`, end excluded", Category: catGeometry},
		&cli.StringFlag{Name: "view-angles", Usage: "text or .npy `FILE` with one angle a view, degrees", Category: catGeometry},
		&cli.BoolFlag{Name: "clockwise", Usage: "angles run clockwise", Category: catGeometry},
		&cli.StringFlag{Name: "fan", Usage: "`SOD,SDD` of a flat fan-beam detector, mm", Category: catGeometry},
		&cli.StringFlag{Name: "axes", Usage: "order of the array's axes: view,bin or bin,view or view,row,bin ...", Category: catGeometry},
		&cli.StringFlag{Name: "flat", Usage: "`FILE` with flat fields: the data are counts", Category: catGeometry},
		&cli.StringFlag{Name: "dark", Usage: "`FILE` with dark fields", Category: catGeometry},
		&cli.Float64Flag{Name: "mu-water", Usage: "attenuation of water, 1/`MM` (default: .0195)", Category: catGeometry},
	}
}

func outputFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "result `FOLDER` (default: <input>-ctrecon)", Category: catOutput},
		&cli.BoolFlag{Name: "force", Aliases: []string{"f"}, Usage: "replace a former result", Category: catOutput},
		&cli.StringFlag{Name: "template", Usage: "DICOM `FILE` that gives patient, study and frame of reference to a sinogram", Category: catOutput},
		&cli.StringFlag{Name: "also", Usage: "comma-separated `LIST` of more DICOM objects in objects/: enhanced (a multi-frame Enhanced CT a method), map (parametric map of the uncertainty), sc (montage as Secondary Capture), pdf (report.pdf, and encapsulated), sr (measurements, TID 1500); or all", Category: catOutput},
		&cli.StringFlag{Name: "compress", Usage: "DICOM pixels without loss by `CODEC`: rle or jpegls (default: not compressed, which every viewer reads)", Category: catOutput},
		&cli.BoolFlag{Name: "deidentify", Usage: "results without the patient's identity: PS3.15 basic profile, new UIDs, no names of files; the input stays as it is", Category: catOutput},
		&cli.StringFlag{Name: "retain", Usage: "comma-separated `LIST` of what --deidentify keeps: dates or shifted-dates, patient (age, sex, size, weight), device, institution, uids", Category: catOutput},
		&cli.StringFlag{Name: "deidentify-key", Usage: "secret `FILE` of 16 bytes or more: with the same key a patient gets the same new ID and UIDs in every job (default: a new one a job)", Category: catOutput},
		&cli.StringFlag{Name: "input-id", Usage: "`NAME` of the input's content: other names, other UIDs (the node's)", Category: catOutput, Hidden: true},
		&cli.StringFlag{Name: "time", Usage: "of the job in what it writes, as `RFC3339` (the node's)", Category: catOutput, Hidden: true},
		&cli.BoolFlag{Name: "keep-arrays", Usage: "also write each method's volume as .npy (HU)", Category: catOutput},
		&cli.BoolFlag{Name: "json", Usage: "report.json on standard output, nothing else there", Category: catOutput},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "no progress, only errors", Category: catOutput},
		&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "say what was read, guessed and chosen", Category: catOutput},
	}
}

func flagGroups(groups ...[]cli.Flag) []cli.Flag {
	var all []cli.Flag
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}
