package web

import (
	"fmt"
	"image"
	"image/png"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"

	"ctrecon/cmd/ctrecon/internal/node"
	"ctrecon/dicomio"
)

// Bounds of a window, HU.
const (
	maxLevel = 10_000
	maxWidth = 20_000
)

// pictureOf is what is asked of a picture.
type pictureOf struct {
	method       string
	slice        int // from 1
	level, width float64
}

func pictureFrom(q url.Values) (p pictureOf, err error) {
	p = pictureOf{method: q.Get("method"), level: 40, width: 400}
	if p.slice, err = strconv.Atoi(q.Get("slice")); err != nil || p.slice < 1 {
		return p, fmt.Errorf("slice: a number from 1 on is expected")
	}
	for _, x := range []struct {
		name     string
		min, max float64
		to       *float64
	}{{"level", -maxLevel, maxLevel, &p.level}, {"width", 1, maxWidth, &p.width}} {
		if text := q.Get(x.name); text != "" {
			v, err := strconv.ParseFloat(text, 64)
			if err != nil || !(v >= x.min && v <= x.max) {
				return p, fmt.Errorf("%s: a number from %g to %g is expected", x.name, x.min, x.max)
			}
			*x.to = v
		}
	}
	return p, nil
}

// image draws one slice of a result in a window, as PNG.
func (s *site) image(w http.ResponseWriter, r *http.Request) {
	q, err := pictureFrom(r.URL.Query())
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	id := r.PathValue("id")
	dir, ok := "", false
	if node.IsJobID(id) {
		dir, ok = s.ResultDir(id)
	}
	if !ok || !drawn(q.method) {
		fail(w, http.StatusNotFound, "no such images")
		return
	}
	names := slicesOf(filepath.Join(dir, q.method))
	if q.slice > len(names) {
		fail(w, http.StatusNotFound, fmt.Sprintf("slice %d of %d", q.slice, len(names)))
		return
	}
	x, err := dicomio.ReadObject(filepath.Join(dir, q.method, names[q.slice-1]), 1)
	if err != nil || len(x.Slices) == 0 {
		fail(w, http.StatusUnprocessableEntity, "the slice cannot be drawn")
		return
	}
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Cache-Control", "private, max-age=600") // a result does not change
	(&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(slow(w), windowed(x.Slices[0].HU, x.Grid.W, x.Grid.H, q.level, q.width))
}

// windowed maps HU to grey.
func windowed(hu []float32, w, h int, level, width float64) *image.Gray {
	m := image.NewGray(image.Rect(0, 0, w, h))
	low, scale := level-width/2, 255/width
	for i, v := range hu {
		m.Pix[i] = uint8(min(255, max(0, (float64(v)-low)*scale)))
	}
	return m
}
