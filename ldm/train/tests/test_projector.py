import numpy as np
import pytest
import torch

import classical
import data
import projector as pr


def disc(n, radius, value=1.0):
    """A disc of radius pixels in an n x n image, by 8-fold subsampling."""
    t = (np.arange(8 * n) + 0.5) / 8 - n / 2
    return torch.from_numpy((np.hypot(t[:, None], t[None]) < radius).reshape(n, 8, n, 8).mean((1, 3)).astype(np.float32) * value)


def test_default_bins():
    assert [pr.default_bins(n) for n in (64, 128, 256)] == [95, 187, 367]


def test_strip_matrix_keeps_mass():
    """Every view sees all of every pixel: the columns of a view sum to one."""
    a = pr.strip_matrix(64, 12)
    mass = np.array([a[v * 95:(v + 1) * 95].sum(0) for v in range(12)])
    assert np.allclose(mass, 1, atol=1e-5)


@pytest.mark.parametrize("how", ["strip", "rotate"])
def test_disc_chords(how):
    n, r, px = 64, 20.0, 1.5
    mu, bins = disc(n, r, 0.02)[None], pr.default_bins(64)
    if how == "strip":
        y = pr.strip_project(mu, 12, torch.tensor([px]))[0]
    else:
        y = pr.project(mu, pr.view_angles(12), torch.tensor([px]), bins)[0]
    s = torch.arange(bins) - (bins - 1) / 2
    want = 2 * (r**2 - s**2).clamp_min(0).sqrt() * px * 0.02
    inner = s.abs() < r - 2
    assert float((y - want)[:, inner].abs().max()) < 0.02 * float(want.max())


def test_fbp_of_disc():
    mu = disc(64, 20, 0.02)[None]
    y = pr.strip_project(mu, 60, torch.ones(1))
    x = pr.fbp(y, pr.view_angles(60), torch.ones(1), 64)[0]
    assert float(x[24:40, 24:40].mean()) == pytest.approx(0.02, rel=0.005)
    assert abs(float(x[28:36, 2:6].mean())) < 0.001


def test_orientation():
    """View 0 looks along y, so bins are columns; view 90 degrees has s = y, upwards."""
    mu = torch.zeros(1, 64, 64)
    mu[0, 10, 50] = 1
    y = pr.strip_project(mu, 2, torch.ones(1))[0]
    middle = (pr.default_bins(64) - 1) / 2
    assert float((y[0] * (torch.arange(95) - middle)).sum()) == pytest.approx(50 - 31.5, abs=1e-3)
    assert float((y[1] * (torch.arange(95) - middle)).sum()) == pytest.approx(31.5 - 10, abs=1e-3)


def test_condition(hu):
    px = torch.full((len(hu),), 4.0)
    g = lambda s: torch.Generator().manual_seed(s)
    a, b, c = [pr.condition(hu, px, g(s), views=20) for s in (1, 1, 2)]
    assert a.shape == (len(hu), 1, 64, 64) and torch.equal(a, b) and not torch.equal(a, c)
    assert float(a.min()) >= -1 and float(a.max()) <= 1
    clean, noisy = [pr.condition(hu, px, g(1), views=60, sigma=s, spread=0.0) for s in (1e-6, 0.05)]
    x = data.to_unit(hu)[:, None]
    assert float((clean - x).pow(2).mean()) < float((noisy - x).pow(2).mean())


def test_dead_bins_change_the_condition(hu):
    px = torch.ones(len(hu))
    a, b = [pr.condition(hu, px, torch.Generator().manual_seed(1), views=20, dead=d) for d in (0.0, 0.2)]
    assert not torch.equal(a, b)


def test_random_views():
    g = torch.Generator().manual_seed(0)
    counts = [pr.random_views(g, "cpu") for _ in range(400)]
    assert 0.5 < counts.count(25) / 400 < 0.7 and set(counts) == {25, *pr.VIEW_COUNTS}


def test_measurement_is_not_the_model(hu):
    """The measured sinogram comes from another grid: near the strip model's, never equal to it."""
    h, px = hu[0].numpy(), 2.0
    y = pr.measure(h, px, 12, 0.0, np.random.default_rng(0))
    model = pr.strip_project(pr.hu_to_mu(hu[:1]), 12, torch.tensor([px]))[0].numpy()
    gap = np.sqrt(np.mean((y - model) ** 2))
    assert 1e-4 < gap < 0.05 * model.max()


def problem(hu, sigma=0.01):
    y = pr.measure(hu[0].numpy(), 2.0, 12, sigma, np.random.default_rng(0))
    return classical.Problem(pr.strip_matrix(64, 12), y, 2.0, sigma)


def test_solve_meets_the_normal_equations(hu):
    p, r2 = problem(hu), 0.01
    u0 = np.full((64, 64), -0.5, np.float32)
    u = p.solve(u0, r2, 400, 1e-6)
    gradient = p.k * (p.at @ p.residual(u)) + (u - u0).ravel() / r2
    assert np.linalg.norm(gradient) < 1e-4 * np.linalg.norm(p.k * (p.at @ p.residual(u0)))


def test_solve_follows_the_prior_weight(hu):
    p, u0 = problem(hu), np.full((64, 64), -0.5, np.float32)
    loose, tight = [p.solve(u0, r2) for r2 in (1.0, 1e-6)]
    assert p.chi2(loose) < p.chi2(tight) < p.chi2(u0) and np.abs(tight - u0).max() < np.abs(loose - u0).max()


def test_tv_beats_its_start(hu):
    p = problem(hu)
    truth, start = data.to_unit(hu[0]).numpy(), pr.fbp_condition(p.y.reshape(12, -1) * np.float32(0.01), 2.0, 64)[0, 0].numpy()
    u = p.tv(start, 1.0, 100)
    assert u.dtype == np.float32 and u.min() >= -1
    assert np.mean((u - truth) ** 2) < 0.5 * np.mean((start - truth) ** 2)
