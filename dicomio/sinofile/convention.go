package sinofile

import "slices"

// convention is what is known about the arrays of a tool. Sources stand in
// docs/formats.md.
type convention struct {
	axes    string // of a plain array
	unit    string // of angle lists
	content content
	mid     bool // without a list, angles stand at the middle of equal cells
	pixels  bool // values are lengths in pixels times mu: times the spacing in mm
	half    bool // the axis is the middle of bin K/2 (rounded down)
	reverse bool // bins run the other way
	arc     float64
	note    string
}

// conventions by name; "" says nothing.
var conventions = map[string]convention{
	"":        {},
	"ctrecon": {axes: "view,bin", unit: "degree", content: lineIntegrals},
	"astra":   {axes: "view,bin", unit: "radian", content: lineIntegrals},
	"skimage": {axes: "bin,view", unit: "degree", content: lineIntegrals, pixels: true, half: true, arc: 180},
	"odl":     {axes: "view,bin", unit: "radian", content: lineIntegrals, mid: true},
	"cil":     {axes: "view,bin", unit: "degree"},
	"tomopy":  {axes: "view,row,bin", unit: "radian"},
	"leap":    {axes: "view,row,bin", unit: "degree", note: "angles of LEAP differ from ours by a quarter turn: the picture may stand turned"},
	"svmbir":  {axes: "view,row,bin", unit: "radian", content: lineIntegrals, note: "the orientation of svmbir's pictures was not verified: the picture may stand turned"},
	"gratopy": {axes: "bin,view", unit: "radian", content: lineIntegrals, reverse: true, arc: 180},
	"htc":     {axes: "view,bin", unit: "degree", content: lineIntegrals},
}

// Conventions lists the names that Options.Convention knows.
func Conventions() []string {
	var out []string
	for name := range conventions {
		if name != "" {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
