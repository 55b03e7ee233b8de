package sinofile

import "path/filepath"

// ReadImages reads a file of images in any known kind of array file: one of
// [H][W] values or a stack [n][H][W], as they are stored. Values that are not
// finite are refused.
func ReadImages(path string) (data []float32, n, h, w int, err error) {
	src, err := openSource(path, 0)
	if err != nil {
		return nil, 0, 0, 0, err
	}
	defer func() { src.close() }()
	c, err := open(src, Raw{}, filepath.Dir(path))
	if err != nil {
		return nil, 0, 0, 0, err
	}
	e, err := c.pick("")
	if err == nil {
		err = e.problem
	}
	if err != nil {
		return nil, 0, 0, 0, err
	}
	shape := e.shape
	if len(shape) == 2 {
		shape = append([]int{1}, shape...)
	}
	if len(shape) != 3 || shape[0] < 1 {
		return nil, 0, 0, 0, c.bad(e.name, "shape %s: images have two axes (rows, columns) or three (slices first)", e.written())
	}
	if data, err = c.load32(e); err != nil {
		return nil, 0, 0, 0, err
	}
	if s := measure(data); s.notFinite > 0 {
		return nil, 0, 0, 0, c.bad(e.name, "%d values are not finite", s.notFinite)
	}
	return data, shape[0], shape[1], shape[2], nil
}
