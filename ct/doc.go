// Package ct holds the words that every other package speaks: grids, images,
// parallel-beam geometries, sinograms, noise, and the two scales of attenuation.
//
// # Conventions
//
// An image is float32, row-major [row][col], of the linear attenuation mu in
// 1/mm. Row 0 is anterior and column 0 is the patient's right. The centre of
// pixel (row, col) lies at x = (col-(W-1)/2)*DX, y = ((H-1)/2-row)*DY
// millimetres. A view at angle theta (degrees, counter-clockwise with y up)
// measures along s = x cos(theta) + y sin(theta); bin k is centred at
// s = (k-(K-1)/2-Offset)*BinSize. A sinogram is float32 [view][bin] of line
// integrals in nepers, averaged over the bin unless said otherwise.
// docs/architecture.md draws it.
package ct
