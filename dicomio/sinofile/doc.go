// Package sinofile reads measured sinograms from the files that people have,
// and writes the arrays and sidecars that ctrecon itself makes.
//
// # Words
//
// A Scan is the raw measurement in the conventions of package ct, before any
// rebinning: rows (slices) x views x bins of line integrals in nepers, angles in
// degrees counter-clockwise, the detector spacing in mm, and the offset of the
// axis in bins. A fan-beam scan keeps its own geometry (Fan): with the source
// angle beta the source stands at (SOD sin beta, -SOD cos beta), the detector
// grows along (cos beta, sin beta), and bin k sees the parallel ray
//
//	u = (k-(K-1)/2-offset)*BinSize, gamma = atan(u/SDD) (u/SDD when curved),
//	theta = beta-gamma, s = SOD*sin(gamma)
//
// which is the convention of ASTRA's fanflat.
//
// # Promise
//
// What a file does not say is taken from Options, then from the sidecar
// (<file>.json), then from the file, and only then guessed. Every guess and
// every correction stands in Scan.Notes; a doubtful one is refused with the flag
// that settles it. Errors of hostile or odd files are *FormatError (the file is
// wrong) or *UnsupportedError (it is right, or may be, and cannot be read as it
// stands); nothing panics, and no more memory is taken than the file can fill.
package sinofile
