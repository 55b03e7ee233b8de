"""The scanner as matrices against the exact strips and the projector of projector.py, and training that measures its own slices."""
import math

import numpy as np
import pytest
import torch

import conditions
import conftest
import data
import projector as pr
import restorer
import scanner
import simulate

SIZE, VIEWS = 64, 9


@pytest.fixture(scope="module")
def scan_of():
    return scanner.Scanner(SIZE, VIEWS)


@pytest.fixture(scope="module")
def image():
    """A smooth disc that ends inside the grid, attenuation of a pixel's width."""
    c = torch.arange(SIZE) - (SIZE - 1) / 2
    y, x = torch.meshgrid(-c, c, indexing="ij")
    return torch.sigmoid(20 - torch.hypot(x - 3, y + 5))[None] * 0.02


def test_projection_is_the_exact_strip_model(scan_of, image):
    want = pr.strip_project(image, VIEWS, torch.ones(1)).reshape(1, -1)
    got = scan_of.project(image.flatten(1))
    assert float((got - want).abs().max()) < 1e-5 * float(want.max())  # float32 sums of some 60 terms


def test_transpose(scan_of):
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(1, SIZE * SIZE, generator=g), torch.randn(1, VIEWS * scan_of.bins, generator=g)
    left, right = float((scan_of.project(x) * y).sum()), float((scan_of.apply(scan_of.At, y) * x).sum())
    assert abs(left - right) < 1e-5 * float(x.norm() * y.norm())


def test_measurement_and_fbp_are_those_of_the_projector(scan_of, image):
    theta = pr.view_angles(VIEWS)
    y, sd = scan_of.measure(image, torch.zeros(1), torch.zeros(1), torch.Generator().manual_seed(0))
    want = pr.project(image, theta, torch.ones(1), scan_of.bins, 4).reshape(1, -1)
    assert float((y - want).abs().max()) < 0.01 * float(want.max()) and float(sd.max()) == 0  # one interpolates by splines, the other linearly
    back = pr.fbp(y.view(1, VIEWS, -1), theta, torch.ones(1), SIZE)
    assert float((scan_of.fbp(y) - back).abs().max()) < 0.01 * float(back.abs().max())  # that one multiplies a sampled ramp


@pytest.mark.parametrize("photons", [0.0, 1e4])
def test_noise_is_as_large_as_it_is_said_to_be(scan_of, image, photons):
    many, g = image.expand(64, -1, -1), torch.Generator().manual_seed(1)
    clean, _ = scan_of.measure(image, torch.zeros(1), torch.zeros(1), g)
    y, sd = scan_of.measure(many, torch.full((64,), 0.01), torch.full((64,), photons), g)
    z = ((y - clean) / sd).pow(2).mean()
    assert float(z) == pytest.approx(1, abs=5 * math.sqrt(2 / y.numel()) + (0.01 if photons else 0))


def test_data_step_solves_its_equation(scan_of, image):
    g = torch.Generator().manual_seed(2)
    y, sd = scan_of.measure(image, torch.full((1,), 0.01), torch.zeros(1), g)
    u, rho = image * 0.9, torch.full((1,), 1e6)
    x = scan_of.solve(u, y, sd, rho, 200)
    w = 1 / (sd * sd + scanner.MODEL_ERROR**2)
    gradient = lambda v: scan_of.apply(scan_of.At, w * (scan_of.project(v.flatten(1)) - y)) + rho * (v - u).flatten(1)
    assert float(gradient(x).norm()) < 1e-3 * float(gradient(u).norm())


@pytest.mark.parametrize("geometry, bins", [((5, 10.0, 90.0, 0), pr.default_bins(SIZE)), ((4, 0.0, 180.0, 60), 61)])
def test_geometries(geometry, bins):
    s = scanner.Scanner(SIZE, *geometry)
    assert (s.bins, len(s.angles)) == (bins, geometry[0])
    assert s.angles[1] - s.angles[0] == pytest.approx(math.radians(geometry[2] / geometry[0]))


def test_rounds_come_nearer_with_a_perfect_network(slices):
    s = data.load(slices, "val")
    source = simulate.Source(SIZE, torch.Generator().manual_seed(0), views=VIEWS)
    scan = source.usual(s.hu.float(), s.pixel)
    images = simulate.restored(lambda c, u: scan.x, scan, 2)
    assert len(images) == 3 and float(simulate.error2(images[-1], scan.x).max()) < 1e-4 * float(simulate.error2(scan.c, scan.x).min())


def test_restorer_and_pairs_without_go(slices, tmp_path):
    small = ["--data", slices, "--out", tmp_path, "--steps", 2, "--batch", 2, "--val", 2]
    conftest.call("restorer", "train", *small, "--simulate", 2, "--first", 0.5, "--width", 8, 16, "--depth", 2, "--sigma", 0.02)
    row = restorer.last(tmp_path / "restorer.csv")
    assert {"val0", "val1", "val2", "train2"} <= set(row)
    net = restorer.net_of(restorer.model.load_state(tmp_path / "restorer.pt"))
    assert len(net.down[0]) == 2 and net.factor == 4
    conftest.call("train", "ae", *small, "--ae-width", 8, 16)
    conftest.call("train", "unet", *small, "--simulate", 4, "--restorer", tmp_path, "--rounds", 2, "--width", 16, 16, 32)
    assert (tmp_path / "unet.pt").exists()


def test_pairs_end_with_their_time(slices):
    s = data.load(slices, "train")
    source = simulate.Source(SIZE, torch.Generator().manual_seed(0))
    net, batch = (lambda c, u: u), lambda n: (s.hu[:n].float(), s.pixel[:n])
    assert sum(len(hu) for hu, _, _ in simulate.pairs(source, batch, net, 1, 3, of=2)) == 3
    assert len(list(simulate.pairs(source, batch, net, 1, 1000, of=2, seconds=1e-9))) <= 1


def test_a_batch_has_one_geometry():
    source = simulate.Source(SIZE, torch.Generator().manual_seed(0), keep=2)
    for _ in range(5):
        source.draw(torch.zeros(2, SIZE, SIZE), torch.ones(2))
    assert len(source.kept) <= 2
    assert len(conditions.draw(4, 25, 0.01, SIZE, np.random.default_rng(0))) == 4


def test_geometries_are_drawn_from_few():
    source = simulate.Source(SIZE, torch.Generator().manual_seed(0), keep=0, geometries=3)
    for _ in range(12):
        source.draw(torch.zeros(1, SIZE, SIZE), torch.ones(1))
    assert len(source.kept) == len(set(source.fixed)) and len(source.fixed) == 3
