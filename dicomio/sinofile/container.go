package sinofile

import (
	"errors"
	"io/fs"
	"strings"
)

// container is an opened file: what arrays it holds, and what its format says
// about them.
type container struct {
	*source
	kind    string // "npy", "npz", "raw", "tiff", "mat5", "mat7.3", "hdf5", "png", "mha", "nrrd"
	entries []*entry
	again   []*entry // further names of entries, for those who give one
	told    told
	notes   []string
}

// told is what a file itself says about the scan. Zero values mean nothing.
type told struct {
	data, angles, flat, dark, mask, frames string // names of entries; frames is NXtomo's image_key
	axes                                   []axis // order of the data's axes as the format counts them
	unit                                   string // of the angles: "degree", "radian"
	content                                content
	binSize                                float64 // mm
	fan                                    *Fan
	pixel                                  float64 // mm
	image                                  int
}

func isSystem(err error) bool {
	var p *fs.PathError
	return errors.As(err, &p)
}

// find returns the entry of that name. Folders of HDF5 may be written with or
// without the leading slash.
func (c *container) find(name string) *entry {
	name = strings.TrimPrefix(name, "/")
	for _, list := range [][]*entry{c.entries, c.again} {
		for _, e := range list {
			if e.name == name {
				return e
			}
		}
	}
	return nil
}

// endsWith returns the only entry whose path ends in one of the names, in the
// order of the names.
func (c *container) endsWith(names ...string) *entry {
	for _, n := range names {
		var found *entry
		for _, e := range c.entries {
			if strings.EqualFold(base(e.name), n) {
				if found != nil {
					found = nil
					break
				}
				found = e
			}
		}
		if found != nil {
			return found
		}
	}
	return nil
}

// scalar is the value of a one-element array.
func (c *container) scalar(name string) (float64, bool) {
	e := c.find(name)
	if e == nil || e.text != "" {
		return 0, false
	}
	if n, ok := product(e.shape); !ok || n != 1 {
		return 0, false
	}
	v, err := c.load64(e)
	if err != nil {
		return 0, false
	}
	return v[0], true
}

// list names the arrays with their shapes, for messages.
func (c *container) list() string {
	var b strings.Builder
	for i, e := range c.entries {
		if i == maxListed {
			b.WriteString(", ...")
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(e.name + " " + e.written())
	}
	return b.String()
}

const maxListed = 12

// pick finds the array that holds the projections.
func (c *container) pick(wanted string) (*entry, error) {
	if wanted != "" {
		if e := c.find(wanted); e != nil {
			return e, nil
		}
		if len(c.entries) == 1 && c.entries[0].name == "" {
			return c.entries[0], nil
		}
		return nil, c.bad(wanted, "no such array; there is %s", c.list())
	}
	if c.told.data != "" {
		return c.find(c.told.data), nil
	}
	if len(c.entries) == 1 {
		return c.entries[0], nil
	}
	var found []*entry
	for _, e := range c.entries {
		if e.problem == nil && e.text == "" && len(squeeze(e.shape)) >= 2 {
			found = append(found, e)
		}
	}
	switch len(found) {
	case 0:
		return nil, c.bad("", "holds no array with views and bins; there is %s", c.list())
	case 1:
		return found[0], nil
	}
	return nil, c.cannot("", "%d arrays may be the sinogram (%s): name one as \"array\" in a sidecar", len(found), c.list())
}

// squeeze drops axes of length 1.
func squeeze(shape []int) []int {
	var out []int
	for _, d := range shape {
		if d != 1 {
			out = append(out, d)
		}
	}
	return out
}

// recogniseNames sets what the names of the arrays say, where the format did not.
func (c *container) recogniseNames() {
	set := func(dst *string, names ...string) {
		if *dst == "" {
			if e := c.endsWith(names...); e != nil && e.text == "" {
				*dst = e.name
			}
		}
	}
	if len(c.entries) < 2 {
		return
	}
	set(&c.told.data, "sinogram", "sino", "sinograms", "projections", "proj", "data")
	set(&c.told.angles, "angles", "theta", "thetas", "angles_deg", "rotation_angle")
	set(&c.told.flat, "flat", "flats", "white", "data_white")
	set(&c.told.dark, "dark", "darks", "data_dark")
	set(&c.told.mask, "mask", "bad")
}
