// Package phantoms has analytic objects for CT: ellipses, rectangles and their
// parts cut by straight lines, with exact line integrals, exact bin averages and
// exact pixel averages.
//
// # Words
//
// A [Phantom] is a list of [Shape]s in a world of air (-1000 HU). A shape adds its
// step in HU to every point inside it; shapes overlap by adding. Lengths are in
// mm, angles in degrees counter-clockwise with y up, axes as in
// docs/architecture.md: x to the patient's left, y to the front. Attenuation is
// MuWater * (1 + HU/1000) in 1/mm, line integrals are in nepers.
//
// # Exactness
//
// All three kinds of value come from one closed form, the area of the unit disc
// within a convex polygon (an affine map makes every ellipse the unit disc). A
// pixel is a polygon, a detector bin is a strip cut to a polygon. So a pixel is
// the true mean of mu over its area, a bin the true mean of the line integral over
// its width; float64 rounding and the final float32 are the only errors.
// TestMass holds both to 1e-6 of the object's mass.
//
// # Which phantoms
//
//   - shepp-logan: Shepp and Logan, IEEE Trans. Nucl. Sci. 21, 1974, with the values
//     of Kak and Slaney 1988, table 3.1 (skull 2, brain 1.02). A value v is
//     1000 v - 1000 HU: skull 1000, brain 20, ventricles 0, lesions 30.
//   - shepp-logan-modified: the same ellipses with Toft's contrast (thesis, DTU 1996:
//     1, -.8, -.2, .1). A value v is 2000 v - 1000 HU, so that 0..1 is -1000..1000 HU,
//     the window of the metrics: PSNR here is PSNR with range 1 in the literature.
//   - head: the FORBILD head in two dimensions with both ears; geometry of Yu, Noo,
//     Dennerlein, Wunderlich, Lauritsch and Hornegger, Phys. Med. Biol. 57, N237, 2012.
//     HU are 1000 (density - 1).
//   - thorax: after the FORBILD thorax at z = 0 (body, lungs, heart, aorta, vertebra,
//     ribs, sternum), with fat, muscle, marrow, contrast medium and nodules added. It
//     is no copy: numbers are not comparable with the original.
//   - water: a disc of water with one small rod.
//   - acr: after the ACR accreditation phantom (Gammex 464): 200 mm of water with 25 mm
//     cylinders of four materials, and rods of falling size at 6, 20 and 100 HU.
//   - line-pairs: 1, 2, 3, 4, 5, 6, 8 and 10 line pairs a cm, 1000 HU.
//
// Shepp-Logan stays exactly as published: its slanted ventricles and the lesions
// below tell a flip or a turn. The others carry what tells all eight flips and
// quarter turns apart: a marker rod, an organ or a pattern.
//
// # Slices
//
// [Phantom.At] gives the slice at a height z: shapes are sections of ellipsoids,
// cylinders or leaning rods. Slice 0 is the object as published.
package phantoms
