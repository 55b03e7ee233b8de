package models

import (
	"embed"
	"io/fs"
)

// builtin is the bundle that every binary carries; CARD.md describes it.
//
//go:embed ct256
var builtin embed.FS

// Default reads the description of the built-in bundle.
func Default() (*Bundle, error) {
	root, err := fs.Sub(builtin, "ct256")
	if err != nil {
		return nil, err
	}
	return read("built-in model", root)
}
