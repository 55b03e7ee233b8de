// Package radon is the parallel-beam Radon transform of a pixel image: line
// integrals, their exact transpose, filtered backprojection, rebinning of fan
// beams, and simulated measurements.
//
// # Words
//
// An image is row-major [row][col] of mu in 1/mm. A sinogram is [view][bin] of
// line integrals in nepers, averaged over the bin. View i looks along theta_i
// degrees; bin k is centred at s_k = (k-(K-1)/2-offset)*ds millimetres.
// docs/architecture.md draws it. A plan is what depends on grid and geometry
// alone; a [Projector] is a plan with work space for one goroutine, and
// [Projector.Clone] makes another on the same plan.
//
// # How a view is projected
//
//  1. Lines of the image (rows, or columns of a transposed copy, whichever the
//     rays cross more steeply) lie in a padded work image.
//  2. Line r is displaced by tau*r pixels, |tau| <= 1, rounded to 1/P pixel: an
//     integer shift and one of P phases.
//  3. All lines of a phase are added with their shifts into one bucket: one load
//     and one add a pixel, the sums stay in registers. Strips of the image that
//     fit the L1 cache are added into all views before the next strip.
//  4. The buckets are interleaved: P samples a pixel. A bin is a dot product of
//     a few samples with a table of the pixel's [Footprint].
//
// The adjoint does the transposes in reverse order with the same numbers.
//
// # Fan beams
//
// [Fan] has the geometry. [RebinFan] makes parallel views of many source
// positions; [FanProjector] and [FanFBP] work on few of them as they are, without
// the above: rays in blocks of neighbours (fan_block.go), or one by one.
//
// # Exactness
//
// Adjoint is the transpose of Apply in the arithmetic used: for every x and y,
// |<Ax,y>-<x,A'y>| <= 1e-6 |Ax||y|. TestAdjoint holds each kernel to it.
package radon
