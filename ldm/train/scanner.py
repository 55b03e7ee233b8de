"""A parallel-beam scanner as sparse matrices: measurement, filtered backprojection and data step of whole batches.

On a GPU this makes the training pairs while the network trains, thousands of them a minute; on a CPU conditions.py, with ctrecon's own
methods, is faster. The images are the same within the measurements' noise (tests/test_scanner.py). Conventions as in projector.py,
but lengths are in pixels: attenuation is that of a pixel's width, and sinograms are [b,views*bins] nepers.
"""
import functools
import math

import numpy as np
import scipy.ndimage as nd
import torch

import projector as pr

FINER = 2             # pixels of a measured object to a pixel's side
MODEL_ERROR = 0.004   # nepers: discretisation, beside the noise


def footprint(t, a, b):
    """Area of a unit pixel on the near side of the line s = t, whose shadow has the edges (a + b)/2 and |a - b|/2."""
    hi, lo = (a + b) / 2, abs(a - b) / 2
    t = t.clamp(-hi, hi)
    if hi - lo < 1e-9:
        return (t + hi) / (2 * hi)
    top, left = 1 / (hi + lo), (t + hi) ** 2 / (2 * (hi - lo))
    right = (hi - t) ** 2 / (2 * (hi - lo))
    return torch.where(t < -lo, top * left, torch.where(t < lo, top * ((hi - lo) / 2 + t + lo), 1 - top * right))


def csr(rows, cols, vals, shape):
    """A sparse matrix [rows, cols] with 32-bit indices."""
    order = torch.argsort(rows, stable=True)
    start = torch.zeros(shape[0] + 1, dtype=torch.int64, device=rows.device)
    start[1:] = torch.bincount(rows, minlength=shape[0]).cumsum(0)
    return torch.sparse_csr_tensor(start.int(), cols[order].int(), vals[order].float(), shape, check_invariants=False)


@functools.lru_cache(maxsize=4)
def splines(size):
    """Cubic spline interpolation to FINER times as many pixels, [FINER*size,size]; beyond the edge their values go on."""
    up = nd.zoom(np.pad(np.eye(size), ((0, 0), (8, 8)), "edge").T, (FINER, 1), order=3, mode="nearest", grid_mode=True)
    return up[8 * FINER:-8 * FINER].astype(np.float32)


class Scanner:
    """One geometry: views of equal step from first (degrees) over arc; bins of a pixel's width, their middle on the axis."""

    def __init__(self, size, views, first=0.0, arc=180.0, bins=0, device="cpu"):
        self.size, self.views, self.device = size, views, device
        self.bins = pr.default_bins(size)
        if 0 < bins < self.bins:
            self.bins -= (self.bins - bins) // 2 * 2
        self.angles = np.deg2rad(first + np.arange(views) * arc / views)
        self.step = math.radians(arc / views)
        rows, cols, vals = self.strips(size)
        n, m = size * size, views * self.bins
        self.A, self.At = csr(rows, cols, vals, (m, n)), csr(cols, rows, vals, (n, m))
        self.fine = csr(*self.strips(FINER * size), (m, FINER * FINER * n))
        self.back = csr(*self.interpolation(), (n, m))
        self.up = torch.from_numpy(splines(size)).to(device)
        self.ramp, self.padded = self.response()

    def shadow(self, size):
        """Bin coordinates [pixels] of the pixel centres of a grid of size pixels a side, for each view, with cosine and sine."""
        h = self.size / size
        c = (torch.arange(size, device=self.device, dtype=torch.float64) - (size - 1) / 2) * h
        y, x = torch.meshgrid(-c, c, indexing="ij")
        for v, t in enumerate(self.angles):
            yield v, (x * math.cos(t) + y * math.sin(t)).flatten() + (self.bins - 1) / 2, abs(math.cos(t)), abs(math.sin(t))

    def strips(self, size):
        """Areas that pixels share with the strips of the bins, as row, column and value."""
        h, out = self.size / size, []
        for v, s, a, b in self.shadow(size):
            half = (a + b) / 2 * h
            k = torch.ceil(s - half - 0.5 - 1e-9)
            for _ in range(int(2 * half) + 2):
                w = h * h * (footprint((k + 0.5 - s) / h, a, b) - footprint((k - 0.5 - s) / h, a, b))
                i = torch.nonzero((w > 1e-9) & (k >= 0) & (k < self.bins)).flatten()
                out.append((v * self.bins + k[i].long(), i, w[i].float()))
                k = k + 1
        return [torch.cat(p) for p in zip(*out)]

    def interpolation(self):
        """Linear interpolation of filtered views at the pixels, times the step between views, transposed for backprojection."""
        out = []
        for v, s, _, _ in self.shadow(self.size):
            k = torch.floor(s)
            for j, w in ((k, 1 - (s - k)), (k + 1, s - k)):
                i = torch.nonzero((j >= 0) & (j < self.bins)).flatten()
                out.append((i, v * self.bins + j[i].long(), (self.step * w[i]).float()))
        return [torch.cat(p) for p in zip(*out)]

    def response(self):
        """Ramp times Hann window as a convolution that does not wrap."""
        f, n = pr.ramp(4 * self.bins)
        taps = torch.fft.irfft(f.double(), n)[:self.bins]
        size = 1 << (2 * self.bins - 1).bit_length()
        h = torch.zeros(size, dtype=torch.float64)
        h[:self.bins] = taps
        h[size - self.bins + 1:] = taps[1:].flip(0)
        return torch.fft.rfft(h).real.float().to(self.device), size

    def apply(self, matrix, x):
        return (matrix @ x.T.contiguous()).T

    def project(self, mu):
        """[b,n*n] -> [b,views*bins]"""
        return self.apply(self.A, mu)

    def measure(self, mu, sigma, photons, g):
        """Sinograms of mu [b,n,n] from a finer grid and their standard deviations, both [b,views*bins]: noise of sigma [b], or
        Poisson counts of photons [b] a bin where these are not 0."""
        y = self.apply(self.fine, (self.up @ mu @ self.up.T).clamp_min(0).flatten(1))
        if not bool((photons > 0).any()):
            sd = sigma[:, None].expand_as(y)
            return y + sd * torch.randn(y.shape, generator=g, device=y.device), sd
        counts = torch.poisson(photons[:, None] * torch.exp(-y), generator=g).clamp_min(0.5)
        counted = (photons > 0)[:, None]
        sd = torch.where(counted, counts.rsqrt(), sigma[:, None])
        noisy = y + sigma[:, None] * torch.randn(y.shape, generator=g, device=y.device)
        return torch.where(counted, torch.log(photons[:, None].clamp_min(1) / counts), noisy), sd

    def fbp(self, y):
        """[b,views*bins] -> [b,n,n], attenuation"""
        q = torch.fft.irfft(torch.fft.rfft(y.view(len(y), self.views, self.bins), self.padded) * self.ramp, self.padded)[..., :self.bins]
        return self.apply(self.back, q.reshape(len(y), -1)).reshape(-1, self.size, self.size)

    def solve(self, mu, y, sd, rho, iterations):
        """argmin |(A mu' - y)/sd|^2 + rho |mu' - mu|^2 by conjugate gradients; mu [b,n,n], rho [b]."""
        w = 1 / (sd * sd + MODEL_ERROR**2)
        x = mu.flatten(1)
        r = self.apply(self.At, w * (y - self.project(x)))
        d, p, rr = torch.zeros_like(r), r, r.pow(2).sum(1, keepdim=True)
        for _ in range(iterations):
            q = self.apply(self.At, w * self.project(p)) + rho[:, None] * p
            a = rr / (p * q).sum(1, keepdim=True).clamp_min(1e-30)
            d, r = d + a * p, r - a * q
            new = r.pow(2).sum(1, keepdim=True)
            p, rr = r + new / rr.clamp_min(1e-30) * p, new
        return (x + d).view_as(mu)
