package main

import "runtime/debug"

// version is the release; the commit comes from the build.
const version = "0.1.0"

// commit is the revision that the binary was built from, with "+" when the tree
// had changes; empty when the build does not say.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	var rev, dirty string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			rev = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+"
		}
	}
	return rev + dirty
}
