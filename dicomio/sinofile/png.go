package sinofile

import (
	"bytes"
	"image"
	"image/png"
	"io"
)

// openPNG reads a grey picture of 8 or 16 bits as [row][column] of its values.
func openPNG(s *source) (*container, error) {
	conf, err := png.DecodeConfig(s.section(0, s.size))
	if err != nil {
		return nil, s.pngError(err)
	}
	if n := int64(conf.Width) * int64(conf.Height) * 2; conf.Width > 1<<24 || conf.Height > 1<<24 || n > deflateBound(s.size) || n > s.limit {
		return nil, s.bad("", "%d x %d pixels in %d bytes", conf.Height, conf.Width, s.size)
	}
	m, err := png.Decode(s.section(0, s.size))
	if err != nil {
		return nil, s.pngError(err)
	}
	e := &entry{shape: []int{conf.Height, conf.Width}}
	var pix []byte
	switch g := m.(type) {
	case *image.Gray:
		pix, e.dt = g.Pix, dtype{kind: 'u', size: 1}
	case *image.Gray16:
		pix, e.dt = g.Pix, dtype{kind: 'u', size: 2, big: true}
	default:
		return nil, s.cannot("", "a picture in colour or with a palette is no measurement (8 and 16 bits of grey are read)")
	}
	e.room = int64(len(pix))
	e.open = func() (io.Reader, error) { return bytes.NewReader(pix), nil }
	return &container{source: s, kind: "png", entries: []*entry{e}}, nil
}

func (s *source) pngError(err error) error {
	if isSystem(err) {
		return err
	}
	if _, ok := err.(png.UnsupportedError); ok {
		return s.cannot("", "%v", err)
	}
	return s.bad("", "%v", err)
}
