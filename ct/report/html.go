package report

import (
	"bufio"
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"image/png"
	"io"
	"math"
	"sort"
	"strconv"
	"strings"
)

// MaxHTML bounds report.html in bytes.
const MaxHTML = 25 << 20

// maxData bounds the pixels of a sinogram or residual that is shown; longer
// ones are averaged in blocks.
const maxData = 120_000

//go:embed assets/report.html.tmpl
var pageText string

//go:embed assets/report.css
var styleText string

//go:embed assets/core.js
var coreText string

//go:embed assets/images.js
var imagesText string

//go:embed assets/compare.js
var compareText string

//go:embed assets/data.js
var dataText string

var pages = template.Must(template.New("page").Funcs(template.FuncMap{
	"join": strings.Join, "shell": shellLine, "digits": digits,
}).Parse(pageText))

// packed tells the script where a picture stands and how to read it.
type packed struct {
	ID string `json:"id"`
	W  int    `json:"w"`
	H  int    `json:"h"`
	packing
}

// shownSlice is a slice whose pixels stand in the file.
type shownSlice struct {
	Index     int           `json:"index"`
	Label     string        `json:"label"`
	Reference *packed       `json:"reference,omitempty"`
	Sinogram  *packed       `json:"sinogram,omitempty"`
	Methods   []shownMethod `json:"methods"`
}

type shownMethod struct {
	Image    packed            `json:"image"`
	Residual *packed           `json:"residual,omitempty"`
	ViewChi2 []*float64        `json:"viewChi2,omitempty"`
	Maps     map[string]packed `json:"maps,omitempty"`
}

// htmlWriter writes one report.html.
type htmlWriter struct {
	w     *bufio.Writer
	out   *counter
	r     *Report
	enc   png.Encoder
	zoom  [3]int // row, column, side of the square shown first
	shown []shownSlice
	total int // slices of the job
	fold  int // images averaged in blocks of fold x fold pixels
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// WriteHTML writes report.html of a finished report. Pics may be nil: then it
// shows numbers only. It stops between slices when ctx ends.
func WriteHTML(ctx context.Context, w io.Writer, r *Report, pics Pictures) error {
	return writeHTML(ctx, w, r, pics, func(int, Picture) {})
}

// writeHTML hands each shown picture to see as well; its buffers are only valid
// during the call.
func writeHTML(ctx context.Context, w io.Writer, r *Report, pics Pictures, see func(int, Picture)) error {
	out := &counter{w: w}
	h := &htmlWriter{w: bufio.NewWriterSize(out, 1<<16), out: out, r: r, fold: 1}
	h.enc.BufferPool = &shared{}
	all := r.indices()
	h.total = len(all)
	if pics == nil || len(all) == 0 {
		return h.finish(false, false)
	}
	return h.withPictures(ctx, all, pics, see)
}

// withPictures writes slices until the room in the file is used. The first one
// tells what a slice costs and the look of the page.
func (h *htmlWriter) withPictures(ctx context.Context, all []int, pics Pictures, see func(int, Picture)) error {
	must := mustShow(h.r, all)
	order := must[:1]
	var hasReference bool
	for k := 0; k < len(order); k++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		p, err := pics(order[k])
		if err != nil {
			return err
		}
		p.check(h.r)
		see(order[k], p)
		if k == 0 {
			hasReference = p.Reference != nil
			h.prepare(p)
			if err := h.head(true, hasReference); err != nil {
				return err
			}
		}
		before := h.written()
		if err := h.slice(order[k], p); err != nil {
			return err
		}
		cost := h.written() - before
		if k == 0 {
			room := int((MaxHTML - tailRoom - before) * 9 / 10 / max(cost, 1))
			order = choose(all, must, max(1, min(MaxSlices, room)))
		} else if h.written()+cost*5/4 > MaxHTML-tailRoom {
			break
		}
	}
	return h.tail()
}

// tailRoom is kept for what follows the pictures.
const tailRoom = 1 << 20

// mustShow are the worst slice of the best method, the middle slice, and the
// worst slices of the others, in this order.
func mustShow(r *Report, all []int) []int {
	middle := all[len(all)/2]
	worst := r.worstSlices()
	if len(worst) == 0 {
		return []int{middle}
	}
	return append([]int{worst[0], middle}, worst[1:]...)
}

func (h *htmlWriter) written() int64 { return h.out.n + int64(h.w.Buffered()) }

// prepare sets the zoomed square and, for images so large that one slice would
// not fit, the blocks in which they are averaged.
func (h *htmlWriter) prepare(p Picture) {
	images := len(p.Methods)
	if p.Reference != nil {
		images++
	}
	for _, m := range h.r.Methods {
		images += len(m.Maps)
	}
	g := &h.r.Geometry
	const bytesPixel = 2.2 // of base64, an upper bound for noisy images
	for float64(images*(g.Width/h.fold)*(g.Height/h.fold))*bytesPixel > .8*MaxHTML {
		h.fold++
	}
	h.zoom = interesting(h.r, p)
	for i := range h.zoom {
		h.zoom[i] /= h.fold
	}
}

func (h *htmlWriter) slice(index int, p Picture) error {
	s := shownSlice{Index: index, Label: h.r.sliceLabel(index), Methods: make([]shownMethod, len(p.Methods))}
	g := &h.r.Geometry
	image := func(pix []float32) raster {
		return raster{g.Width, g.Height, pix}.reduced(h.fold, h.fold)
	}
	var err error
	put := func(what string, r raster, p packing) *packed {
		out := packed{ID: fmt.Sprintf("px-%d-%s", index, what), W: r.w, H: r.h, packing: p}
		if err == nil {
			err = h.put(out, r)
		}
		return &out
	}
	if p.Reference != nil {
		s.Reference = put("ref", image(p.Reference), huPacking)
	}
	if p.Sinogram != nil {
		r := dataRaster(g, p.Sinogram)
		s.Sinogram = put("sino", r, packingFor(r, 4096))
	}
	for i := range p.Methods {
		m, out := &p.Methods[i], &s.Methods[i]
		name := strconv.Itoa(i)
		out.Image = *put(name, image(m.HU), huPacking)
		if m.Residual != nil {
			out.Residual = put(name+"-res", dataRaster(g, m.Residual), residualPacking)
			out.ViewChi2 = numbers(viewChi2(m.Residual, g.Views, g.Bins))
		}
		for j, info := range h.r.Methods[i].Maps {
			if pix := m.Maps[info.Name]; pix != nil {
				if out.Maps == nil {
					out.Maps = map[string]packed{}
				}
				r := image(pix)
				out.Maps[info.Name] = *put(fmt.Sprintf("%s-map%d", name, j), r, packingFor(r, 4096))
			}
		}
	}
	h.shown = append(h.shown, s)
	return err
}

// residualPacking resolves 1/50 of a standard deviation up to 655 of them.
var residualPacking = packing{Offset: -655, Step: .02}

func numbers(v []float64) []*float64 {
	out := make([]*float64, len(v))
	for i, x := range v {
		out[i] = Number(x)
	}
	return out
}

// dataRaster averages [view][bin] data in blocks until they are small enough to
// show.
func dataRaster(g *Geometry, data []float32) raster {
	r := raster{w: g.Bins, h: g.Views, pix: data}
	fx, fy := 1, 1
	for (r.w/fx)*(r.h/fy) > maxData {
		if r.w/fx >= r.h/fy {
			fx++
		} else {
			fy++
		}
	}
	return r.reduced(fx, fy)
}

// put writes a picture as text that no browser shows or runs.
func (h *htmlWriter) put(p packed, r raster) error {
	fmt.Fprintf(h.w, "<script type=\"text/plain\" id=\"%s\">", p.ID)
	if err := p.write(h.w, r, &h.enc); err != nil {
		return err
	}
	_, err := h.w.WriteString("</script>\n")
	return err
}

// page is what the template sees.
type page struct {
	R                            *Report
	Style                        template.CSS
	Sentences                    []string
	Columns                      []column
	MethodRows, ComparisonRows   []row
	SliceRows                    []sliceRow
	Drawing                      drawing
	Input, Geometry, Noise       []fact
	Protocol, Model, Environment []fact
	Pictures, HasReference       bool
	Residuals                    bool
	HeldOut                      []heldOutRow
	Warned                       []warned
	Ratio                        string // of the image's sides in mm, for CSS
	Maps                         []MapInfo
}

func (h *htmlWriter) head(pictures, hasReference bool) error {
	r := h.r
	cols := r.columns()
	g := &r.Geometry
	return pages.ExecuteTemplate(h.w, "head", page{
		R: r, Style: template.CSS(styleText), Sentences: r.sentences(), Columns: cols,
		MethodRows: r.methodRows(cols), ComparisonRows: r.comparisonRows(cols), SliceRows: r.sliceRows(cols),
		Drawing: r.drawing(), Input: r.inputFacts(), Geometry: r.geometryFacts(), Noise: r.noiseFacts(),
		Protocol: r.protocolFacts(), Model: r.modelFacts(), Environment: r.machineFacts(),
		Pictures: pictures, HasReference: hasReference, HeldOut: r.heldOutRows(), Warned: r.allWarnings(), Maps: r.allMaps(),
		Ratio: fmt.Sprintf("%.4f", float64(g.Width)*g.PixelXMM/math.Max(float64(g.Height)*g.PixelYMM, 1e-9)),
	})
}

// pageData is what the script sees.
type pageData struct {
	Report *Report      `json:"report"`
	Shown  []shownSlice `json:"shown"`
	Start  int          `json:"start"` // place in Shown of the slice shown first
	Worst  []int        `json:"worst"` // indices of worst slices, best method first
	Total  int          `json:"total"`
	Fold   int          `json:"fold"`
	Zoom   [3]int       `json:"zoom"`
	Base   int          `json:"base"`
}

func (h *htmlWriter) tail() error {
	first := -1
	if len(h.shown) > 0 {
		first = h.shown[0].Index
	}
	sort.Slice(h.shown, func(i, j int) bool { return h.shown[i].Index < h.shown[j].Index })
	d := pageData{Report: h.r, Shown: h.shown, Worst: h.r.worstSlices(), Total: h.total, Fold: h.fold, Zoom: h.zoom, Base: h.r.baseline()}
	for i, s := range h.shown {
		if s.Index == first {
			d.Start = i
		}
	}
	script := "(function(){\"use strict\";\n" + coreText + imagesText + compareText + dataText + "\nstart();})();"
	err := pages.ExecuteTemplate(h.w, "tail", struct {
		Data   pageData
		Script template.JS
	}{d, template.JS(script)})
	if err != nil {
		return err
	}
	return h.w.Flush()
}

func (h *htmlWriter) finish(pictures, hasReference bool) error {
	if err := h.head(pictures, hasReference); err != nil {
		return err
	}
	return h.tail()
}
