package report

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"

	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

// The montage's layout in pixels, and its soft-tissue window.
const (
	tile, gap, line             = 300, 6, 18
	montageSlices               = 3
	montageWidth, montageCentre = 400.0, 40.0
	montageDiff                 = 200.0
)

// WriteMontage writes montage.png: a row of images (the reference first) and a
// row of differences to the reference for up to three slices, the worst one of
// the best method among them. Without a reference differences are to the
// baseline.
func WriteMontage(ctx context.Context, w io.Writer, r *Report, pics Pictures) error {
	all := r.indices()
	if len(all) == 0 || pics == nil {
		return nil
	}
	list := choose(all, mustShow(r, all), montageSlices)
	m := &montage{r: r}
	for row, i := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		p, err := pics(i)
		if err != nil {
			return err
		}
		p.check(r)
		if m.img == nil {
			m.start(&p, len(list))
		}
		m.slice(row, i, &p)
	}
	return png.Encode(w, m.img)
}

type montage struct {
	r       *Report
	img     *image.RGBA
	columns int
}

func (m *montage) start(p *Picture, rows int) {
	m.columns = len(p.Methods)
	if p.Reference != nil {
		m.columns++
	}
	m.img = image.NewRGBA(image.Rect(0, 0, gap+m.columns*(tile+gap), 2*line+rows*(line+2*(tile+gap))))
	draw.Draw(m.img, m.img.Bounds(), image.NewUniform(color.Gray{Y: 16}), image.Point{}, draw.Src)
	g := &m.r.Geometry
	m.text(gap, line-5, fmt.Sprintf("%s: %d views, window %g/%g HU, differences +-%g HU. %s.", m.r.Input.Name, g.Views, montageWidth, montageCentre, montageDiff, ResearchUse))
}

// slice draws two rows of tiles under a line of captions.
func (m *montage) slice(row, index int, p *Picture) {
	top := line + row*(line+2*(tile+gap))
	base, col := p.Reference, 0
	if base == nil {
		base = p.Methods[m.r.baseline()].HU
	} else {
		m.text(gap, top+line-4, "Reference, "+m.r.Methods[0].sliceLabel(index))
		m.tile(0, top+line, p.Reference, window)
		col = 1
	}
	for k, method := range p.Methods {
		m.text(gap+(col+k)*(tile+gap), top+line-4, m.caption(k, index))
		m.tile(col+k, top+line, method.HU, window)
		diff := make([]float32, len(base))
		for i, v := range method.HU {
			diff[i] = v - base[i]
		}
		m.tile(col+k, top+line+tile+gap, diff, redBlue)
	}
}

func (m *montage) caption(k, index int) string {
	method := &m.r.Methods[k]
	for _, s := range method.Slices {
		if s.Index == index && s.Metrics.PSNR != nil {
			return fmt.Sprintf("%s  %.1f dB", method.Label, *s.Metrics.PSNR)
		}
	}
	return method.Label
}

func (m *montage) text(x, y int, s string) {
	d := font.Drawer{Dst: m.img, Src: image.NewUniform(color.Gray{Y: 230}), Face: basicfont.Face7x13, Dot: fixed.P(x, y)}
	d.DrawString(s)
}

// tile scales an image into column col at height y, with its sides' true ratio.
func (m *montage) tile(col, y int, pix []float32, paint func(float64) color.RGBA) {
	g := &m.r.Geometry
	src := image.NewRGBA(image.Rect(0, 0, g.Width, g.Height))
	for i, v := range pix {
		src.SetRGBA(i%g.Width, i/g.Width, paint(float64(v)))
	}
	w, h := float64(g.Width)*g.PixelXMM, float64(g.Height)*g.PixelYMM
	s := tile / math.Max(w, h)
	x := gap + col*(tile+gap)
	dw, dh := int(math.Round(w*s)), int(math.Round(h*s))
	at := image.Rect(x+(tile-dw)/2, y+(tile-dh)/2, x+(tile+dw)/2, y+(tile+dh)/2)
	draw.CatmullRom.Scale(m.img, at, src, src.Bounds(), draw.Src, nil)
}

func window(hu float64) color.RGBA {
	v := uint8(math.Max(0, math.Min(255, 255*((hu-montageCentre)/montageWidth+0.5))))
	return color.RGBA{v, v, v, 255}
}

// redBlue is white at 0, red above, blue below.
func redBlue(d float64) color.RGBA {
	t := math.Max(-1, math.Min(1, d/montageDiff))
	k := uint8(math.Round(255 * (1 - math.Abs(t))))
	if t < 0 {
		return color.RGBA{k, k, 255, 255}
	}
	return color.RGBA{255, k, k, 255}
}
