// Package physics measures image quality as a medical physicist does: CT
// numbers, noise and its power spectrum, the task transfer function of an insert,
// and the detectability of a disc by a model observer.
//
// # Words
//
// An image is in Hounsfield units [row][col] on a ct.Grid. Repeats are images of
// one object that differ by their noise alone. What all repeats share, streaks
// of few views included, is the fixed pattern: it is not noise, and repeating does
// not lessen it. Lengths are in mm, spatial frequencies in 1/cm, and noise power
// is in HU^2 cm^2, so that its integral over the plane of frequencies is HU^2.
//
// # Methods that are not linear
//
// Of a method that is not linear a transfer function belongs to one contrast and
// one noise level, and so does every figure derived of it: hence a TTF an insert,
// from the mean of repeats, and noise from their differences.
//
// # Sources
//
// Samei and others, "Performance evaluation of computed tomography systems:
// summary of AAPM Task Group 233", Med. Phys. 46 (2019), e735 (noise power, TTF,
// d'); ICRU Report 54, "Medical imaging: the assessment of image quality" (1996)
// (non-prewhitening observer); Yu and others, Med. Phys. 42 (2015), 2261 (the
// edge from a mean of repeats).
package physics
