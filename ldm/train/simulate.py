"""Training pairs as they are needed: slices measured on the training device, and the restorer's rounds on them.

A batch has one geometry, drawn like that of a job of conditions.py; noise is drawn for each slice. Used by restorer.py and train.py
with --simulate; nothing but PyTorch is needed.
"""
import collections
import time

import numpy as np
import torch

import conditions
import data
import projector as pr
import scanner

ITERATIONS = 12   # of a data step; ctrecon's own stops at a residual of 1e-3
LEAST, MOST = 5 / data.HU_HALF, 500 / data.HU_HALF  # what the restorer may be off by, as in ctrecon


def unit(hu):
    """Normalised HU without clipping: streaks go far below air, implants above 2000 HU."""
    return (hu - data.HU_MID) / data.HU_HALF


class Scan:
    """A measured batch: truth x and FBP c [b,1,n,n] in units of unit(), and the data that step() needs."""

    def __init__(self, s, hu, pixel, sigma, photons, g):
        self.s, self.water = s, (pr.MU_WATER * pixel).view(-1, 1, 1)
        self.gain = self.water[:, 0, 0] * data.HU_HALF / 1000
        self.y, self.sd = s.measure((hu / 1000 + 1).clamp_min(0) * self.water, sigma, photons, g)
        self.c, self.x = self.units(s.fbp(self.y)), unit(hu)[:, None]

    def units(self, mu):
        return unit((mu / self.water - 1) * 1000)[:, None]

    def step(self, u, r2, iterations=ITERATIONS):
        """The image near u [b,1,n,n], off by the root of r2 [b], that agrees with the data."""
        with torch.autocast(u.device.type, enabled=False):
            mu = (data.to_hu(u[:, 0].float()) / 1000 + 1) * self.water
            r2 = r2.clamp(LEAST**2, MOST**2)
            return self.units(self.s.solve(mu, self.y, self.sd, 1 / (r2 * self.gain**2), iterations))


class Source:
    """Scans of batches of slices; the scanners that were made last are kept.

    Making one takes longer than a training step: with geometries, batches draw theirs from so many that are drawn first.
    """

    def __init__(self, size, g, sigma=0.01, views=25, keep=48, geometries=0):
        self.size, self.g, self.sigma, self.views, self.keep = size, g, sigma, views, max(keep, geometries)
        self.kept, self.rng = collections.OrderedDict(), np.random.default_rng(g.initial_seed())
        self.fixed = [job[:4] for job in conditions.draw(geometries, views, sigma, size, self.rng)]

    def scanner(self, *geometry):
        if geometry not in self.kept:
            self.kept[geometry] = scanner.Scanner(self.size, *geometry, device=self.g.device)
            while len(self.kept) > self.keep:
                self.kept.popitem(last=False)
        self.kept.move_to_end(geometry)
        return self.kept[geometry]

    def usual(self, hu, pixel):
        """A scan of the usual views and noise."""
        flat = torch.full((len(hu),), self.sigma, device=hu.device)
        return Scan(self.scanner(self.views, 0.0, 180.0, 0), hu, pixel, flat, torch.zeros_like(flat), self.g)

    def draw(self, hu, pixel):
        """A scan of one geometry and of noise that differs from slice to slice."""
        jobs = conditions.draw(len(hu), self.views, self.sigma, self.size, self.rng)
        sigma, photons = (torch.tensor([j[k] for j in jobs], device=hu.device, dtype=torch.float32) for k in (4, 5))
        geometry = self.fixed[self.rng.integers(len(self.fixed))] if self.fixed else jobs[0][:4]
        return Scan(self.scanner(*geometry), hu.clamp(-1000, 4000), pixel, sigma, photons, self.g)


def add_options(p):
    p.add_argument("--geometries", type=int, default=0, help="draw the geometries of --simulate from so many")


def error2(u, x):
    """Mean square of each image's error [b]."""
    return (u - x).pow(2).mean((1, 2, 3))


@torch.no_grad()
def restored(net, scan, rounds):
    """The images of so many rounds of network and data step, as pnp-unet makes them: the network's of each round, then the last
    step's. The network's first error is taken as known."""
    u, out, r2 = scan.c, [], None
    for _ in range(rounds):
        u = net(scan.c, u).float()
        out.append(u)
        r2 = error2(u, scan.x) if r2 is None else r2
        u = scan.step(u, r2)
    return out + [u]


def pairs(source, batch, net, rounds, n, of=48, seconds=0):
    """Batches (hu, fbp, start) [k,n,n] in HU, as conditions.py makes them with --method pnp-unet: n slices in all from batch(k),
    or fewer where seconds are over."""
    began = time.time()
    while n > 0 and not (seconds and time.time() - began > seconds):
        scan = source.draw(*batch(min(n, of)))
        yield tuple(data.to_hu(v[:, 0]) for v in (scan.x, scan.c, restored(net, scan, rounds)[-1]))
        n -= of
