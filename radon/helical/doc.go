// Package helical rebins helical scans of a multi-row detector to parallel-beam
// sinograms of single slices.
//
// # Words
//
// A [View] is one reading of the detector. The focal centre is the point about
// which the detector is curved; it stands at (R sin beta, -R cos beta, z), beta in
// degrees, with x to the patient's left, y to the front and z to the head (mm).
// The focal spot, where the rays start, is displaced from it by DBeta, DZ and
// DRadius: a flying focal spot takes a few such places by turns, and each place is
// a scan of its own here. Columns of the detector run along (cos beta, sin beta),
// rows along z.
//
// # How a slice is made
//
// Single-slice rebinning (Noo, Defrise and Clackdoyle, Phys. Med. Biol. 44, 561,
// 1999) onto parallel views (azimuthal, then radial rebinning as in Kachelriess,
// Schaller and Kalender, Med. Phys. 27, 754, 2000): for a view at theta, a column
// of the detector belongs to one source angle a turn. Of each turn that sees the
// slice, the ray is taken that crosses the slice where it is nearest to the axis,
// at a fractional row, and multiplied by the cosine of its inclination.
//
//  1. For every column: rays interpolated between rows and views, averaged over
//     turns with weights that favour small inclinations.
//  2. Columns are resampled to bins: a column is the mean over its width, so the
//     running integral is known at the columns' edges; a cubic between them gives
//     the mean over any bin.
//  3. Direct rays, complementary rays (theta + 180, -s) and focal spots are
//     averaged with the weights of step 1.
//
// # Exactness
//
// For an object that does not change along z only interpolation errs: relative L2
// of .3 % or less against the exact sinogram (TestRebin). For any other the inclined
// ray is not the ray in the slice: the error grows with the cone angle and the
// distance from the axis (TestRebinCone has figures). Plane rebinning cannot do
// better; exact methods are another program.
package helical
