// Package models reads bundles: a CT latent diffusion model as ONNX graphs with
// the facts that a sampler needs, in a folder, a ZIP archive, or built in.
package models

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"strings"

	"ctrecon/ldm"
)

// Schema is the form of bundle.json that this package reads.
const Schema = "ctrecon-bundle/1"

// Bundle is the description of a model; ldm/train/README.md explains its fields.
type Bundle struct {
	Schema  string `json:"schema"`
	Name    string `json:"name"`
	Version string `json:"version"`
	Licence string `json:"licence"`
	Image   struct {
		Height     int     `json:"height"`
		Width      int     `json:"width"`
		MultipleOf int     `json:"multiple_of"`
		Mid        float64 `json:"hu_mid"`
		Half       float64 `json:"hu_half"`
	} `json:"image"`
	PixelMM struct{ Min, Median, Max float64 } `json:"pixel_mm"`
	Latent  struct {
		Channels int `json:"channels"`
		Height   int `json:"height"`
		Width    int `json:"width"`
	} `json:"latent"`
	Prediction   string `json:"prediction"`
	Conditioning *struct {
		Cond struct {
			Kind    string  `json:"kind"`
			Window  string  `json:"window"`
			Cutoff  float64 `json:"cutoff"`
			MuWater float64 `json:"mu_water_per_mm"`
			Views   []int   `json:"views"` // fewest and most in training
			Arc     float64 `json:"arc_degrees"`
			TVFrom  int     `json:"tv_from_views"` // with so many TV is about as good; 0 where it was not compared
		} `json:"cond"`
		Start *struct {
			Kind       string  `json:"kind"`
			Weight     float64 `json:"weight"`
			Iterations int     `json:"iterations"`
		} `json:"start"`
	} `json:"conditioning"`
	Restorer *Restoration `json:"restorer"` // nil where there is no such network
	Error    *ErrorLaw    `json:"error"`    // nil where it was not measured
	Sampler  struct {
		Start, End float64
		Steps      int
		Eta        float64
		Perturb    float64
	} `json:"sampler"`
	Tables struct {
		Levels []float64  `json:"levels"`
		Flag0  errorRows  `json:"flag0"`
		Flag1  *errorRows `json:"flag1"`
	} `json:"tables"`
	Training struct {
		Slices   int    `json:"slices"`
		Patients int    `json:"patients"`
		Hardware string `json:"hardware"`
	} `json:"training"`
	Files map[string]File `json:"files"`

	// SHA256 of bundle.json, which holds the hashes of all other files: it names
	// the model.
	SHA256 string `json:"-"`

	root fs.FS
}

// ErrorLaw is the standard deviation of the error of a mean of samples inside the
// body: sd^2 = (Spread s)^2 + (Deviation d)^2 + FloorHU^2 with s the deviation of
// the samples and d that of the restored image over the grid as its projections tell it,
// both in HU.
// ctrecon evaluate --coverage measures it.
type ErrorLaw struct {
	Spread    float64 `json:"spread"`
	Deviation float64 `json:"deviation"`
	FloorHU   float64 `json:"floor_hu"`
}

// SD is the deviation in HU. A nil law takes the spread as it is.
func (e *ErrorLaw) SD(s, d float64) float64 {
	if e == nil {
		return s
	}
	return math.Sqrt(e.Spread*e.Spread*s*s + e.Deviation*e.Deviation*d*d + e.FloorHU*e.FloorHU)
}

func (e *ErrorLaw) check() error {
	if e == nil {
		return nil
	}
	for _, v := range []float64{e.Spread, e.Deviation, e.FloorHU} {
		if !(v >= 0 && v < 1e4) {
			return fmt.Errorf("error: %g is no factor or deviation", v)
		}
	}
	return nil
}

type errorRows struct {
	R2  []float64 `json:"r2"`
	RZ2 []float64 `json:"rz2"`
	Q2  []float64 `json:"q2"`
}

// File is a member of a bundle.
type File struct {
	Role    string `json:"role"`
	Bytes   int64  `json:"bytes"`
	SHA256  string `json:"sha256"`
	Weights string `json:"weights"`
}

// maxDescription and maxFile bound what is read before anything is believed.
const (
	maxDescription = 4 << 20
	maxFile        = 1<<31 - 1 // protobuf's own; the published UNets have 1.1 GB in float32
)

// Open reads the description of the bundle at name, a folder or a ZIP archive.
// The graphs are read, and their checksums compared, when they are used.
func Open(name string) (*Bundle, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("%s: no such bundle", name)
	}
	if info.IsDir() {
		return read(name, os.DirFS(name))
	}
	z, err := zip.OpenReader(name)
	if err != nil {
		return nil, fmt.Errorf("%s: neither a folder nor a ZIP archive with a bundle", name)
	}
	return read(name, z)
}

func read(name string, root fs.FS) (*Bundle, error) {
	b := &Bundle{root: root}
	text, err := readBounded(root, "bundle.json", maxDescription)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := json.Unmarshal(text, b); err != nil {
		return nil, fmt.Errorf("%s: bundle.json: %w", name, err)
	}
	sum := sha256.Sum256(text)
	b.SHA256 = hex.EncodeToString(sum[:])
	if err := b.check(); err != nil {
		return nil, fmt.Errorf("%s: bundle.json: %w", name, err)
	}
	return b, nil
}

func (b *Bundle) check() error {
	im, la := b.Image, b.Latent
	switch {
	case b.Schema != Schema:
		return fmt.Errorf("schema %q: this version reads %q", b.Schema, Schema)
	case im.Height < 8 || im.Width < 8 || im.Height > 4096 || im.Width > 4096:
		return fmt.Errorf("image of %d x %d pixels: 8 to 4096 are possible", im.Height, im.Width)
	case !(im.Half > 0):
		return fmt.Errorf("hu_half %g: must be positive", im.Half)
	case la.Channels < 1 || la.Channels > 64 || la.Height < 1 || la.Width < 1 || la.Height > im.Height || la.Width > im.Width:
		return fmt.Errorf("latent of %d x %d x %d does not fit an image of %d x %d", la.Channels, la.Height, la.Width, im.Height, im.Width)
	case b.Prediction != "v":
		return fmt.Errorf("prediction %q: v is supported", b.Prediction)
	}
	for _, role := range []string{"encoder", "decoder", "unet"} {
		if _, err := b.file(role); err != nil {
			return err
		}
	}
	if b.Restorer != nil || b.StartKind() == StartRestored {
		if _, err := b.file("restorer"); err != nil {
			return err
		}
	}
	switch k := b.StartKind(); {
	case k != StartTV && k != StartRestored:
		return fmt.Errorf("conditioning.start.kind %q: %s and %s are known", k, StartTV, StartRestored)
	case k == StartRestored && b.Restorer == nil:
		return fmt.Errorf("conditioning.start.kind %s needs restorer", k)
	}
	if s := b.Sampler; s.Steps < 0 || s.Steps > 1000 || s.Steps > 0 && !(s.Start > s.End && s.Eta >= 0 && s.Eta <= 1 && s.Perturb >= 0 && s.Perturb < 100) {
		return fmt.Errorf("sampler: %+v: up to 1000 steps from a higher to a lower level, eta from 0 to 1 are possible", s)
	}
	if err := errors.Join(b.Restorer.check(), b.Error.check()); err != nil {
		return err
	}
	return b.checkTables()
}

func (b *Bundle) checkTables() error {
	n := len(b.Tables.Levels)
	if n < 2 {
		return errors.New("tables.levels: at least two levels are needed")
	}
	for i := 1; i < n; i++ {
		if !(b.Tables.Levels[i] > b.Tables.Levels[i-1]) {
			return errors.New("tables.levels do not increase")
		}
	}
	for _, t := range []*errorRows{&b.Tables.Flag0, b.Tables.Flag1} {
		if t != nil && (len(t.R2) != n || len(t.RZ2) != n) {
			return fmt.Errorf("tables have %d and %d values for %d levels", len(t.R2), len(t.RZ2), n)
		}
	}
	return nil
}

// file finds the graph of a role at the bundle's own size.
func (b *Bundle) file(role string) (string, error) {
	for name, f := range b.Files {
		if f.Role == role && f.Weights == "" {
			if name != path.Base(name) || strings.HasPrefix(name, ".") {
				return "", fmt.Errorf("file name %q: must stand in the bundle itself", name)
			}
			return name, nil
		}
	}
	return "", fmt.Errorf("no file has the role %s", role)
}

// Graph reads the graph of a role and compares its checksum.
func (b *Bundle) Graph(role string) ([]byte, error) {
	name, err := b.file(role)
	if err != nil {
		return nil, err
	}
	data, err := readBounded(b.root, name, maxFile)
	if err != nil {
		return nil, fmt.Errorf("bundle %s: %w", b.Name, err)
	}
	sum := sha256.Sum256(data)
	if got := hex.EncodeToString(sum[:]); got != b.Files[name].SHA256 {
		return nil, fmt.Errorf("bundle %s: %s: SHA-256 is %s, bundle.json says %s: the file was changed or cut", b.Name, name, got, b.Files[name].SHA256)
	}
	return data, nil
}

// Verify reads every file that the description names and compares checksums.
func (b *Bundle) Verify() error {
	for name, f := range b.Files {
		data, err := readBounded(b.root, name, maxFile)
		if err != nil {
			return fmt.Errorf("bundle %s: %w", b.Name, err)
		}
		sum := sha256.Sum256(data)
		if got := hex.EncodeToString(sum[:]); got != f.SHA256 {
			return fmt.Errorf("bundle %s: %s: SHA-256 is %s, bundle.json says %s: the file was changed or cut", b.Name, name, got, f.SHA256)
		}
	}
	return nil
}

func readBounded(root fs.FS, name string, limit int64) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("%s is missing", name)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", name, limit)
	}
	return data, err
}

// Dims are the sizes that the bundle's own graphs have.
func (b *Bundle) Dims() ldm.Dims {
	return ldm.Dims{H: b.Image.Height, W: b.Image.Width, Channels: b.Latent.Channels, LH: b.Latent.Height, LW: b.Latent.Width}
}

// Range is the HU range of normalised images.
func (b *Bundle) Range() ldm.Range { return ldm.Range{Mid: b.Image.Mid, Half: b.Image.Half} }

// Conditioned says whether the network takes a reconstruction.
func (b *Bundle) Conditioned() bool { return b.Conditioning != nil }

// Conditions names what the network is told beside the noisy latent.
func (b *Bundle) Conditions() []string {
	c := []string{"none"}
	if b.Conditioned() {
		c = []string{b.Conditioning.Cond.Kind + " " + b.Conditioning.Cond.Window}
	}
	if b.takesStart() {
		c = append(c, b.Conditioning.Start.Kind)
	}
	return c
}

// TrainedOn are the fewest and the most views, and the arc in degrees, of the
// reconstructions that the network was trained with; 0 where the bundle does not say.
func (b *Bundle) TrainedOn() (fewest, most int, arc float64) {
	if !b.Conditioned() {
		return 0, 0, 0
	}
	c := &b.Conditioning.Cond
	if len(c.Views) == 2 {
		fewest, most = c.Views[0], c.Views[1]
	}
	return fewest, most, c.Arc
}

// TVFrom is the number of views from which TV is about as good as the model; 0 where
// the bundle does not say.
func (b *Bundle) TVFrom() int {
	if !b.Conditioned() {
		return 0
	}
	return b.Conditioning.Cond.TVFrom
}

// Floor is the mean square of the projected error that is left at the lowest
// noise, in (normalised units times pixels)^2: what the autoencoder cannot hold.
// 0 where the bundle does not say.
func (b *Bundle) Floor() float64 {
	if q := b.Tables.Flag0.Q2; len(q) > 0 {
		return q[0]
	}
	return 0
}

// StartTV are the weight and the iterations of the TV image that the network was
// trained with, or that a sampler of a network without one starts from.
func (b *Bundle) StartTV() (lambda float64, iterations int) {
	lambda, iterations = 1, 300
	if b.takesStart() {
		if s := b.Conditioning.Start; s.Weight > 0 && s.Iterations > 0 {
			lambda, iterations = s.Weight, s.Iterations
		}
	}
	return lambda, iterations
}

// Kinds of the image that samples start from.
const (
	StartTV       = "tv"
	StartRestored = "pnp-unet" // by the restorer
)

// StartKind is the image that samples start from, and that a network with an input
// start is told of.
func (b *Bundle) StartKind() string {
	if b.takesStart() && b.Conditioning.Start.Kind != "" {
		return b.Conditioning.Start.Kind
	}
	return StartTV
}

// takesStart says whether the network takes the latent of the warm start too.
func (b *Bundle) takesStart() bool { return b.Conditioned() && b.Conditioning.Start != nil }

// Errors is the table of the decoded estimate's error, with or without the
// condition.
func (b *Bundle) Errors(conditioned bool) ldm.ErrorTable {
	t := b.Tables.Flag0
	if conditioned && b.Tables.Flag1 != nil {
		t = *b.Tables.Flag1
	}
	return ldm.ErrorTable{L: b.Tables.Levels, R2: t.R2, RZ2: t.RZ2}
}
