// Package ldm reconstructs with a latent diffusion model under data consistency.
// It sees a Model (encoder, decoder, denoiser) and a data term, and knows
// nothing of the Radon transform or of ONNX.
//
// # Words
//
// u is an image normalised to [-1, 1] over the model's HU range; z = E(u) is its
// latent with unit variance a channel, u = D(z). l is the log noise-to-signal
// ratio of a noisy latent z_l = sqrt(a) z + sqrt(1-a) n, a = 1/(1+e^l), so l
// falls from the warm start to the image. v = sqrt(a) n - sqrt(1-a) z is what
// the network predicts.
package ldm
