"""Parallel-beam projection and filtered backprojection of batches, and the conditions and measurements made with them.

Conventions of the project: image [row][col], row 0 anterior; x to the right, y up; s = x cos(theta) + y sin(theta);
lengths in millimetres, attenuation in 1/mm, sinogram [view][bin] in nepers. Good enough to simulate training data
on a GPU; the projectors that judge results are others.
"""
import functools
import math

import numpy as np
import scipy.ndimage as nd
import scipy.sparse as sp
import torch
import torch.nn.functional as F

import data

MU_WATER = 0.0195  # 1/mm


def hu_to_mu(hu):
    return (hu / 1000 + 1).clamp_min(0) * MU_WATER


def mu_to_hu(mu):
    return (mu / MU_WATER - 1) * 1000


def view_angles(n, arc=math.pi, device=None):
    """n angles in radians, evenly over [0, arc)."""
    return torch.arange(n, device=device) * (arc / n)


def default_bins(size):
    """The smallest odd number of bins, at least the diagonal plus four: 367 for 256 x 256."""
    n = math.ceil(size * math.sqrt(2)) + 4
    return n + 1 - n % 2


def project(mu, theta, pixel, bins, oversample=1):
    """Line integrals of mu [B,H,W] (1/mm) by rotating and summing; pixel [B] in mm; returns [B,V,bins] in nepers.

    The detector spacing equals the pixel size of each image.
    """
    b, h, w = mu.shape
    n = bins * oversample
    t = (torch.arange(n, device=mu.device) + 0.5) / oversample - bins / 2  # detector and ray coordinate, in pixels
    s, r = t.view(1, n), t.view(n, 1)
    out = []
    for a in theta:
        c, d = torch.cos(a), torch.sin(a)
        grid = torch.stack(((s * c - r * d) / (w / 2), -(s * d + r * c) / (h / 2)), -1).expand(b, n, n, 2)
        p = F.grid_sample(mu[:, None], grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        out.append((p[:, 0].sum(1) / oversample).view(b, bins, oversample).mean(-1))
    return torch.stack(out, 1) * pixel.view(b, 1, 1)


def ramp(bins, cutoff=1.0, window="hann", device=None):
    """Frequency response (rfft, padded to a power of two) of the band-limited ramp for unit detector spacing."""
    n = 1 << (2 * bins - 1).bit_length()
    k = torch.arange(n, device=device)
    k = torch.where(k > n // 2, k - n, k).double()
    zero = torch.zeros_like(k)
    h = torch.where(k == 0, zero + 0.25, torch.where(k % 2 != 0, -1 / (math.pi * k).pow(2), zero))
    f = torch.fft.rfft(h).real
    if window == "hann":
        w = torch.linspace(0, 1, f.numel(), device=device, dtype=torch.float64) / cutoff
        f = f * torch.where(w <= 1, 0.5 + 0.5 * torch.cos(math.pi * w), torch.zeros_like(w))
    return f.float(), n


def fbp(sino, theta, pixel, size=256, window="hann", cutoff=1.0):
    """Filtered backprojection of [B,V,K] nepers to mu [B,size,size] (1/mm) for views evenly over 180 degrees."""
    b, v, k = sino.shape
    f, n = ramp(k, cutoff, window, sino.device)
    q = torch.fft.irfft(torch.fft.rfft(sino.float(), n) * f, n)[..., :k]
    c = torch.arange(size, device=sino.device) - (size - 1) / 2
    y, x = torch.meshgrid(-c, c, indexing="ij")
    out = torch.zeros(b, size * size, device=sino.device)
    for i, a in enumerate(theta):
        s = (x * torch.cos(a) + y * torch.sin(a)).flatten() + (k - 1) / 2
        j = s.floor().clamp(0, k - 2).long()
        w = (s - j).clamp(0, 1)
        row = q[:, i]
        out += row[:, j] * (1 - w) + row[:, j + 1] * w
    return (out * (math.pi / v)).view(b, size, size) / pixel.view(b, 1, 1)


@functools.lru_cache(maxsize=16)
def strip_matrix(n, views):
    """Exact pixel-strip areas divided by the bin width, for unit pixels and bins.

    Rows are view * bins + bin, columns are pixels of an n x n image.
    """
    bins = default_bins(n)
    c = np.arange(n) - (n - 1) / 2
    x, y = [v.ravel() for v in np.meshgrid(c, -c)]
    rows, cols, vals = [], [], []
    for v, th in enumerate(np.arange(views) * np.pi / views):
        s = x * np.cos(th) + y * np.sin(th) + (bins - 1) / 2
        k0 = np.floor(s).astype(int)
        for k in (k0 - 1, k0, k0 + 1, k0 + 2):
            w = footprint(k + 0.5 - s, th) - footprint(k - 0.5 - s, th)
            m = (w > 1e-9) & (k >= 0) & (k < bins)
            rows.append(v * bins + k[m]), cols.append(np.nonzero(m)[0]), vals.append(w[m])
    at = np.concatenate(rows), np.concatenate(cols)
    return sp.coo_matrix((np.concatenate(vals), at), (views * bins, n * n)).tocsr().astype(np.float32)


def footprint(t, theta):
    """Area of a unit pixel on the near side of the line s = t: the integral of its trapezoidal shadow."""
    a, b = abs(np.cos(theta)), abs(np.sin(theta))
    hi, lo = (a + b) / 2, abs(a - b) / 2
    t = np.clip(t, -hi, hi)
    if hi - lo < 1e-9:
        return (t + hi) / (2 * hi)
    top = 1 / (hi + lo)
    left, right = top * (t + hi) ** 2 / (2 * (hi - lo)), 1 - top * (hi - t) ** 2 / (2 * (hi - lo))
    return np.where(t < -lo, left, np.where(t < lo, top * ((hi - lo) / 2 + t + lo), right))


def strip_project(mu, views, pixel):
    """The exact strip model by a sparse matrix: fast on a CPU. mu [B,n,n] -> [B,views,bins]"""
    b, n = mu.shape[0], mu.shape[-1]
    y = strip_matrix(n, views) @ mu.reshape(b, -1).numpy().T
    return torch.from_numpy(y.T.copy()).view(b, views, -1) * pixel.view(b, 1, 1)


VIEW_COUNTS = (12, 15, 18, 20, 30, 36, 45, 60)


def random_views(g, device):
    """25 in three of five draws, else one of a few counts (a CPU keeps a matrix for each)."""
    r = float(torch.rand(1, generator=g, device=device))
    return 25 if r < 0.6 else VIEW_COUNTS[int((r - 0.6) / 0.4 * len(VIEW_COUNTS)) % len(VIEW_COUNTS)]


def condition(hu, pixel, g, views=None, sigma=0.01, spread=1.0, dead=0.0):
    """What the UNet is conditioned on: the filtered backprojection of few noisy views of hu [B,n,n], in [-1, 1].

    The noise of a slice is sigma * exp(spread * normal) nepers; a share dead of the bins is replaced by its neighbour.
    """
    views = views or random_views(g, hu.device)
    theta, size = view_angles(views, device=hu.device), hu.shape[-1]
    mu = hu_to_mu(hu)
    y = project(mu, theta, pixel, default_bins(size)) if hu.is_cuda else strip_project(mu, views, pixel)
    s = sigma * torch.exp(spread * torch.randn(hu.shape[0], 1, 1, generator=g, device=hu.device))
    y = y + s * torch.randn(y.shape, generator=g, device=hu.device)
    if dead:
        lost = torch.rand(hu.shape[0], 1, y.shape[-1], generator=g, device=hu.device) < dead
        y = torch.where(lost, y.roll(1, -1), y)
    return data.to_unit(mu_to_hu(fbp(y, theta, pixel, size)))[:, None]


def measure(hu, pixel, views, sigma, rng, fine=4):
    """A noisy sinogram [views,bins] from a finer grid than any reconstruction's: no inverse crime.

    hu [n,n] is interpolated by cubic splines and projected with fine times finer pixels and bins.
    """
    bins = default_bins(hu.shape[0])
    mu = np.clip(hu / 1000 + 1, 0, None) * MU_WATER
    up = np.clip(nd.zoom(mu, fine, order=3, mode="grid-constant", grid_mode=True), 0, None).astype(np.float32)
    y = project(torch.from_numpy(up)[None], view_angles(views), torch.tensor([pixel / fine]), bins * fine)[0].numpy()
    y = y.reshape(views, bins, fine).mean(-1)
    return (y + sigma * rng.standard_normal(y.shape)).astype(np.float32)


def fbp_condition(sino, pixel, size):
    """The condition [1,1,n,n] that belongs to a measured sinogram [views,bins]."""
    mu = fbp(torch.from_numpy(sino)[None], view_angles(len(sino)), torch.tensor([float(pixel)]), size)
    return data.to_unit(mu_to_hu(mu))[:, None]
