package report

import (
	"encoding/base64"
	"image"
	"image/png"
	"io"
	"math"
)

// packing turns numbers into 16-bit codes and back:
// value = Offset + Step*(code-1); code 0 is "no value". A browser decodes a
// lossless PNG with the high byte in red and the low byte in green exactly,
// where 16-bit grey would lose its low byte.
type packing struct {
	Offset float64 `json:"offset"`
	Step   float64 `json:"step"`
}

// huPacking holds whole HU from -32767 to 32767.
var huPacking = packing{Offset: -32767, Step: 1}

// packingFor spreads levels codes over the values of r.
func packingFor(r raster, levels int) packing {
	lo, hi := r.limits()
	if hi <= lo {
		return packing{Offset: lo, Step: 1}
	}
	return packing{Offset: lo, Step: (hi - lo) / float64(levels-1)}
}

func (p packing) code(v float32) uint16 {
	f := float64(v)
	if math.IsNaN(f) {
		return 0
	}
	return uint16(1 + math.Round(min(max((f-p.Offset)/p.Step, 0), 65534)))
}

// write encodes r as a base64 PNG.
func (p packing) write(w io.Writer, r raster, enc *png.Encoder) error {
	img := image.NewNRGBA(image.Rect(0, 0, r.w, r.h))
	for i, v := range r.pix {
		c := p.code(v)
		img.Pix[4*i], img.Pix[4*i+1], img.Pix[4*i+3] = byte(c>>8), byte(c), 255
	}
	b := base64.NewEncoder(base64.StdEncoding, w)
	if err := enc.Encode(b, img); err != nil {
		return err
	}
	return b.Close()
}

// shared keeps the encoder's work space between pictures; one file is written
// by one goroutine.
type shared struct{ b *png.EncoderBuffer }

func (s *shared) Get() *png.EncoderBuffer  { return s.b }
func (s *shared) Put(b *png.EncoderBuffer) { s.b = b }
