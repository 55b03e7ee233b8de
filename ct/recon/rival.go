package recon

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ctrecon/ct"
	"ctrecon/ct/solve"
	"ctrecon/ldm"
	"ctrecon/ldm/onnx"
	"ctrecon/radon"
)

// rivals are methods that only ctrecon evaluate offers: a supervised network on
// FBP, with a Rival in the options.
var rivals = []Info{
	{"fbp-unet", "FBP U-Net", "residual U-Net on FBP with a Hann window", "Jin et al., IEEE Trans. Image Process. 26, 2017", false, func(o Options) Method { return &rival{name: "fbp-unet", net: o.Rival} }},
	{"fbp-unet-dc", "FBP U-Net, data step", "fbp-unet, then one step of regularised least squares", "the same", false, func(o Options) Method { return &rival{name: "fbp-unet-dc", net: o.Rival} }},
	{"pnp-unet", "PnP U-Net", "data steps and the same network in turn", "after Venkatakrishnan et al., GlobalSIP 2013", false, func(o Options) Method { return &rival{name: "pnp-unet", net: o.Rival} }},
}

// RivalNames lists the methods that need Options.Rival; Names has none of them.
func RivalNames() []string {
	n := make([]string, len(rivals))
	for i, m := range rivals {
		n[i] = m.Name
	}
	return n
}

// RivalSchema is the form of a rival's description that OpenRival reads.
const RivalSchema = "ctrecon-rival/1"

// Rival is a network from images to images, made by ldm/train/rival.py: input
// "fbp" and output "x", both [1][1][Height][Width] of (HU - Mid)/Half, not
// clipped.
type Rival struct {
	Schema string  `json:"schema"`
	SHA256 string  `json:"sha256"` // of the ONNX file
	Height int     `json:"height"`
	Width  int     `json:"width"`
	Mid    float64 `json:"hu_mid"`
	Half   float64 `json:"hu_half"`
	Views  int     `json:"views"` // in training
	// RHU are the deviations from the truth, in HU, that the network's images had
	// on training slices: of FBP's first, then alternation by alternation.
	RHU []float64 `json:"r_hu"`

	graph []byte
}

// OpenRival reads the network in file, an .onnx, and its description, the .json
// beside it.
func OpenRival(file string) (*Rival, error) {
	graph, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot be read", file)
	}
	name := strings.TrimSuffix(file, filepath.Ext(file)) + ".json"
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("%s: no %s beside it", file, filepath.Base(name))
	}
	r := &Rival{graph: graph}
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(r); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return r, nil
}

func (r *Rival) check() error {
	sum := sha256.Sum256(r.graph)
	switch got := hex.EncodeToString(sum[:]); {
	case r.Schema != RivalSchema:
		return fmt.Errorf("schema %q: this version reads %q", r.Schema, RivalSchema)
	case r.SHA256 != got:
		return fmt.Errorf("the network's SHA-256 is %s, not %s: the file was changed or cut", got, r.SHA256)
	case r.Height < 8 || r.Width < 8 || r.Height > 4096 || r.Width > 4096:
		return fmt.Errorf("images of %d x %d pixels: 8 to 4096 are possible", r.Height, r.Width)
	case !(r.Half > 0):
		return fmt.Errorf("hu_half %g: must be positive", r.Half)
	case len(r.RHU) < 1 || len(r.RHU) > 100:
		return fmt.Errorf("r_hu has %d values: 1 to 100 are possible", len(r.RHU))
	}
	for _, v := range r.RHU {
		if !(v > 0) {
			return fmt.Errorf("r_hu %g: must be positive", v)
		}
	}
	return nil
}

// The data step's end.
const (
	rivalIterations = 100
	rivalTol        = 1e-3
)

// rival runs the network on FBP with a Hann window, u = f(FBP), and then
//
//	fbp-unet:    nothing
//	fbp-unet-dc: u = argmin |A x - y|^2/sigma^2 + |x - u|^2/r[0]^2
//	pnp-unet:    u = f(the same with r[k]) for k = 0, 1 ... K-1, and the same with r[K]
//
// with r the deviations of the network's description, K+1 of them, and sigma
// noise and discretisation error together.
type rival struct {
	plan
	name  string
	net   *Rival
	s     *onnx.Session
	f     backprojection
	ridge *solve.Ridge
}

func (m *rival) Name() string { return m.name }

// open makes the session once.
func (m *rival) open() (err error) {
	if m.s != nil {
		return nil
	}
	if m.net == nil {
		return &ModelError{fmt.Errorf("%s: no network was given", m.name)}
	}
	shape := []int64{1, 1, int64(m.net.Height), int64(m.net.Width)}
	if m.s, err = onnx.NewSession(m.net.graph, []onnx.Port{{Name: "fbp", Shape: shape}}, []onnx.Port{{Name: "x", Shape: shape}}, onnx.Options{}); err != nil {
		return &ModelError{err}
	}
	return nil
}

func (m *rival) Reconstruct(ctx context.Context, job Slice, _ Progress) (Result, error) {
	start := time.Now()
	if err := m.open(); err != nil {
		return Result{}, err
	}
	if g := job.Grid; g.W != m.net.Width || g.H != m.net.Height {
		return Result{}, &ModelError{fmt.Errorf("%s: the network takes images of %d x %d pixels, not %d x %d", m.name, m.net.Width, m.net.Height, g.W, g.H)}
	}
	fresh, err := m.prepare(&job)
	if err != nil {
		return Result{}, err
	}
	if fresh {
		m.ridge = solve.NewRidge(m.A)
		if m.f, err = newBackprojection(&job, radon.Hann); err != nil {
			return Result{}, err
		}
	}
	img := ct.NewImage(job.Grid)
	m.f.reconstruct(img.Pix, job.Sino)
	d := newLinearData(m.A, m.ridge, &job.Sino, job.MuWater, job.Grid.DX, ldm.Range{Mid: m.net.Mid, Half: m.net.Half})
	d.toUnit(img.Pix, img.Pix)
	if err := m.improve(ctx, d, img.Pix); err != nil {
		return Result{}, err
	}
	d.toMu(img.Pix, img.Pix)
	r := Result{Settings: []Setting{{"network", fmt.Sprintf("%.12s", m.net.SHA256)}, {"r HU", fmt.Sprint(m.deviations())}}}
	if job.Sino.Views() != m.net.Views {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%d views: the network was trained on %d", job.Sino.Views(), m.net.Views))
	}
	return m.finish(&job, img, start, r), nil
}

// deviations are those of the method's data steps.
func (m *rival) deviations() []float64 {
	switch m.name {
	case "fbp-unet":
		return nil
	case "fbp-unet-dc":
		return m.net.RHU[:1]
	}
	return m.net.RHU
}

// improve turns the FBP in u into the method's image.
func (m *rival) improve(ctx context.Context, d *linearData, u []float32) error {
	if err := m.apply(ctx, u); err != nil {
		return err
	}
	for k, hu := range m.deviations() {
		if k > 0 {
			if err := m.apply(ctx, u); err != nil {
				return err
			}
		}
		r := hu / m.net.Half
		if err := d.Solve(ctx, u, u, nil, r*r, rivalTol, rivalIterations); err != nil {
			return err
		}
	}
	return nil
}

func (m *rival) apply(ctx context.Context, u []float32) error {
	copy(m.s.In(0), u)
	if err := m.s.Run(ctx); err != nil {
		return modelErr(err)
	}
	copy(u, m.s.Out(0))
	return nil
}
