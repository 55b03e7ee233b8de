package sinofile

import (
	"slices"
	"strings"
)

// base is the last part of an array's name.
func base(name string) string {
	return name[strings.LastIndexAny(name, "./")+1:]
}

// recogniseHTC sees the struct of the Helsinki Tomography Challenge 2022 and of
// HelTomo: CtDataFull or CtDataLimited with sinogram and parameters. Angles are
// those of ASTRA's fanflat.
func (c *container) recogniseHTC() {
	for _, e := range c.entries {
		prefix, ok := strings.CutSuffix(e.name, ".sinogram")
		if !ok {
			continue
		}
		at := func(name string) (float64, bool) { return c.scalar(prefix + ".parameters." + name) }
		sod, ok1 := at("distanceSourceOrigin")
		sdd, ok2 := at("distanceSourceDetector")
		pixel, ok3 := at("pixelSizePost")
		if !ok3 {
			pixel, ok3 = at("pixelSize")
		}
		angles := c.find(prefix + ".parameters.angles")
		if !ok1 || !ok2 || !ok3 || angles == nil {
			continue
		}
		c.told = told{data: e.name, angles: angles.name, axes: []axis{viewAxis, binAxis}, unit: "degree", content: lineIntegrals,
			binSize: pixel, fan: &Fan{SOD: sod, SDD: sdd}}
		c.told.pixel, _ = at("effectivePixelSizePost")
		c.note("%s is a scan of the Helsinki set: fan beam, source to axis %g mm, to detector %g mm, bins of %g mm", prefix, sod, sdd, pixel)
		return
	}
	if c.find("m") != nil && c.find("A") != nil {
		c.told.data = "m" // the FIPS sets hold the system matrix A beside the data
	}
}

// recogniseExchange sees Data Exchange (DXchange): /exchange/data, [view][row][bin]
// with flats and darks; theta may be missing.
func (c *container) recogniseExchange() bool {
	e := c.find("exchange/data")
	if e == nil || len(e.shape) != 3 {
		return false
	}
	c.told.data, c.told.axes = e.name, []axis{viewAxis, rowAxis, binAxis}
	for name, dst := range map[string]*string{"exchange/data_white": &c.told.flat, "exchange/data_dark": &c.told.dark, "exchange/theta": &c.told.angles} {
		if c.find(name) != nil {
			*dst = name
		}
	}
	if c.told.flat != "" {
		c.told.content = counts
	}
	return true
}

// recogniseNXtomo sees NXtomo (Diamond and others): frames of all kinds in one
// stack, told apart by image_key.
func (c *container) recogniseNXtomo() bool {
	for _, key := range c.entries {
		if base(key.name) != "image_key" || len(key.shape) != 1 {
			continue
		}
		var data *entry
		for _, e := range c.entries {
			if len(e.shape) == 3 && e.shape[0] == key.shape[0] && (data == nil || base(e.name) == "data" && base(data.name) != "data") {
				data = e
			}
		}
		if data == nil {
			continue
		}
		c.told = told{data: data.name, frames: key.name, axes: []axis{viewAxis, rowAxis, binAxis}}
		i := slices.IndexFunc(c.entries, func(e *entry) bool {
			return base(e.name) == "rotation_angle" && len(e.shape) == 1 && e.shape[0] == key.shape[0]
		})
		if i >= 0 {
			c.told.angles = c.entries[i].name
		}
		return true
	}
	return false
}
