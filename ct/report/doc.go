// Package report writes what a job found: report.json for machines,
// report.html and montage.png for people.
//
// # Words
//
// A Report holds numbers and words only; it is report.json. Pixels come apart
// from it, slice by slice, through a Pictures function, so that a long series
// never sits in memory twice. Images are HU, row-major [row][col]; a residual is
// (A mu - y)/sigma, [view][bin], without unit.
//
// # Promises
//
// report.json satisfies the schema of Schema. report.html is one file that asks
// nothing of a network and stays below MaxHTML bytes: it shows at most MaxSlices
// slices, the worst always among them, and says which are left out. No file
// appears under its name before it is whole.
package report
