"""CT slices in our folder format, their normalisation, sampling weights and augmentation.

A set is a folder with index.csv (at least the columns file, split, site, patient, pixel_mm) and 16-bit greyscale PNGs
whose value is HU + 1024, all of one size. prepare.py makes one from DICOM, synthetic.py makes one from nothing.
"""
import csv
import dataclasses
import math
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

HU_MIN, HU_MAX = -1000.0, 2000.0
HU_MID, HU_HALF = 500.0, 1500.0  # model range: -1000 .. 2000 HU -> -1 .. 1
PNG_OFFSET = 1024
COLUMNS = ("file", "split", "site", "patient", "pixel_mm")


def to_unit(hu):
    return ((hu - HU_MID) / HU_HALF).clamp(-1, 1)


def to_hu(x):
    return x * HU_HALF + HU_MID


@dataclasses.dataclass
class Slices:
    """hu int16 [N,H,W], pixel size in mm [N], patient and site of each slice, the rows of index.csv."""

    hu: torch.Tensor
    pixel: torch.Tensor
    patient: list
    site: list
    rows: list

    def __len__(self):
        return len(self.hu)

    def take(self, index):
        index = [int(i) for i in index]
        pick = lambda v: [v[i] for i in index]
        return Slices(self.hu[index], self.pixel[index], pick(self.patient), pick(self.site), pick(self.rows))

    def spread(self, n):
        """At most n slices, evenly spread over the sorted set."""
        return self.take(np.linspace(0, len(self) - 1, min(n, len(self))).astype(int))


def read_index(root):
    path = pathlib.Path(root) / "index.csv"
    if not path.exists():
        raise SystemExit(f"{path}: not found; prepare.py makes it from a DICOM folder")
    with open(path, newline="") as f:
        rows = list(csv.DictReader(f))
    missing = [c for c in COLUMNS if rows and c not in rows[0]]
    if missing:
        raise SystemExit(f"{path}: columns {', '.join(missing)} are missing; {', '.join(COLUMNS)} are needed")
    return rows


def read_png(path):
    """A slice as int16 HU."""
    return (np.asarray(Image.open(path)).astype(np.int32) - PNG_OFFSET).astype(np.int16)


def write_png(path, hu):
    value = np.clip(np.rint(hu) + PNG_OFFSET, 0, 65535).astype(np.uint16)
    Image.fromarray(value).save(path)


def load(root, split):
    """The slices of one split, sorted by file name."""
    root = pathlib.Path(root)
    rows = sorted((r for r in read_index(root) if r["split"] == split), key=lambda r: r["file"])
    if not rows:
        raise SystemExit(f"{root / 'index.csv'}: no slice has split {split!r}")
    hu = [read_png(root / r["file"]) for r in rows]
    odd = [r["file"] for r, h in zip(rows, hu) if h.shape != hu[0].shape]
    if odd:
        raise SystemExit(f"{root / odd[0]}: size differs from {rows[0]['file']} {hu[0].shape}; one set has one size")
    return Slices(torch.from_numpy(np.stack(hu)), torch.tensor([float(r["pixel_mm"]) for r in rows]),
                  [r["patient"] for r in rows], [r["site"] for r in rows], rows)


def patient_weights(patients, power=0.5):
    """Sampling weights: a patient with n slices counts n**power in all."""
    n = {p: patients.count(p) for p in set(patients)}
    w = torch.tensor([n[p] ** (power - 1) for p in patients], dtype=torch.float64)
    return w / w.sum()


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """Bounds of the random changes; strength 0 turns the geometric ones off."""

    strength: float = 1.0  # of: 15 degrees, a factor exp(.16), 8 % of the half width
    gain: float = 0.02     # relative, about air
    offset: float = 10.0   # HU
    blur: float = 0.7      # largest Gaussian sigma in pixels, a softer kernel; on a third of the slices
    noise: float = 12.0    # largest standard deviation in HU; on a third of the slices
    objects: float = 0.0   # share of slices with ellipses drawn in: lesions and rods that no patient had
    phantoms: float = 0.0  # share of slices replaced by phantoms: a body of one value with ellipses in it


def augment(hu, pixel, g, how=Augmentation()):
    """Randomly changed copies of hu [B,H,W] (HU, float) and their pixel sizes; g is the generator on their device."""
    b = hu.shape[0]
    draw = lambda lo, hi: lo + (hi - lo) * torch.rand(b, generator=g, device=hu.device)
    scale = torch.exp(draw(-0.16, 0.16) * how.strength)
    x = warp(hu + 1000, draw(-0.26, 0.26) * how.strength, scale, torch.where(draw(0, 1) < 0.5, -1.0, 1.0),
             draw(-0.08, 0.08) * how.strength, draw(-0.08, 0.08) * how.strength)
    inside = (x > 0).to(x.dtype)  # air outside the scanner's circle stays air
    if how.objects or how.phantoms:
        x = drawn(x, pixel / scale, g, how)
        inside = torch.maximum(inside, (x > 0).to(x.dtype))
    x = x * (1 + draw(-how.gain, how.gain)).view(b, 1, 1) + inside * draw(-how.offset, how.offset).view(b, 1, 1)
    x = blur(x, how.blur * (draw(-2, 1)).clamp_min(0))
    sd = how.noise * draw(-2, 1).clamp_min(0)
    x = x + inside * sd.view(b, 1, 1) * torch.randn(x.shape, generator=g, device=x.device)
    return x - 1000, pixel / scale


OBJECTS = 8  # at most, in a slice


def drawn(x, pixel, g, how):
    """x [B,H,W] (HU + 1000) with ellipses of 1.5 to 15 mm and of 15 to 1000 HU more or less than what is there, in a share
    how.objects of the slices; a share how.phantoms becomes an elliptical body of -100 to 150 HU first."""
    b, n = len(x), x.shape[-1]
    rand = lambda lo, hi: lo + (hi - lo) * torch.rand(b, generator=g, device=x.device)
    log = lambda lo, hi: torch.exp(rand(math.log(lo), math.log(hi)))
    phantom = rand(0, 1) < how.phantoms
    count = torch.where(phantom, 8 * rand(0.3, 1), torch.where(rand(0, 1) < how.objects, 4 * rand(0.1, 1), torch.zeros_like(pixel))).ceil()
    body = ellipse(n, rand(-0.05, 0.05) * n, rand(-0.05, 0.05) * n, n * rand(0.25, 0.46), n * rand(0.2, 0.46), rand(0, math.pi), rand(0.4, 1))
    x = torch.where(phantom.view(-1, 1, 1), rand(900, 1150).view(-1, 1, 1) * body, x)
    where = (F.avg_pool2d(x[:, None], 9, 1, 4) > 50).flatten(1).float()  # not in the air around the body
    for k in range(OBJECTS):
        i = torch.multinomial(where + 1e-9, 1, generator=g)[:, 0]
        a = log(1.5, 15) / pixel
        shape = ellipse(n, i % n - (n - 1) / 2, i // n - (n - 1) / 2, a, a * log(0.4, 1), rand(0, math.pi), rand(0.3, 1))
        size = log(15, 1000) * torch.where(rand(0, 1) < 0.5, -1.0, 1.0) * (k < count)
        x = (x + size.view(-1, 1, 1) * shape).clamp_min(0)
    return x


def ellipse(n, cx, cy, a, b, angle, soft):
    """Images [B,n,n], 1 inside ellipses with the half axes a, b (pixels) about (cx, cy) from the middle, 0 outside; soft: width of the edge."""
    t = torch.arange(n, device=a.device, dtype=torch.float32) - (n - 1) / 2
    one = lambda v: v.view(-1, 1, 1)
    u, v = t.view(1, 1, n) - one(cx), t.view(1, n, 1) - one(cy)
    c, s = one(torch.cos(angle)), one(torch.sin(angle))
    r = (((c * u + s * v) / one(a)) ** 2 + ((c * v - s * u) / one(b)) ** 2).sqrt()
    return torch.sigmoid((1 - r) * one(torch.minimum(a, b)) / (0.5 * one(soft)))


def warp(x, angle, scale, flip, tx, ty):
    c, s = torch.cos(angle) / scale, torch.sin(angle) / scale
    m = torch.stack((torch.stack((c * flip, -s, tx), 1), torch.stack((s * flip, c, ty), 1)), 1)
    grid = F.affine_grid(m, (x.shape[0], 1, *x.shape[1:]), align_corners=False)
    return F.grid_sample(x[:, None], grid, mode="bicubic", padding_mode="zeros", align_corners=False)[:, 0]


def blur(x, sigma, radius=2):
    """Separable Gaussian of its own sigma (pixels) for every image of x [B,H,W]."""
    t = torch.arange(-radius, radius + 1, device=x.device, dtype=x.dtype)
    k = torch.exp(-0.5 * (t / sigma.clamp_min(1e-3).view(-1, 1)) ** 2)
    k = k / k.sum(1, keepdim=True)
    b = x.shape[0]
    y = F.conv2d(F.pad(x[None], (radius, radius, radius, radius), mode="replicate"), k.view(b, 1, -1, 1), groups=b)
    return F.conv2d(y, k.view(b, 1, 1, -1), groups=b)[0]
