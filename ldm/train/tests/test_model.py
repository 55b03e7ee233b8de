import pytest
import torch

import conftest
import diffusion
import model
import restorer


@pytest.mark.parametrize("size,batch", [(64, 1), (128, 2), (192, 1)])
def test_shapes(prior, size, batch):
    x = torch.rand(batch, 1, size, size) * 2 - 1
    z = prior.encode(x)
    assert z.shape == (batch, 4, size // 4, size // 4) and prior.decode(z).shape == x.shape
    v = prior.unet(z, torch.zeros(batch), x, torch.ones(batch))
    assert v.shape == z.shape


def test_rectangles(prior):
    x = torch.rand(1, 1, 64, 128)
    z = prior.encode(x)
    assert prior.unet(z, torch.zeros(1), x, torch.ones(1)).shape == (1, 4, 16, 32)


def test_flag_zero_ignores_the_condition(prior):
    z, l = torch.randn(1, 4, 16, 16), torch.zeros(1)
    a, b, c = [prior.unet(z, l, x, torch.tensor([f])) for x, f in
               ((torch.rand(1, 1, 64, 64), 0.0), (torch.zeros(1, 1, 64, 64), 0.0), (torch.rand(1, 1, 64, 64), 1.0))]
    assert torch.equal(a, b) and not torch.allclose(a, c)


def test_level_matters(prior):
    z, x = torch.randn(1, 4, 16, 16), torch.zeros(1, 1, 64, 64)
    a, b = [prior.unet(z, torch.tensor([l]), x, torch.zeros(1)) for l in (-3.0, 3.0)]
    assert float((a - b).abs().max()) > 1e-3


@pytest.mark.parametrize("kw", [
    dict(width=(16, 32), latent=4, depth=(2, 3)), dict(width=(32, 16), latent=8, depth=(1, 1)), dict(width=(16, 16), latent=4, depth=(3, 4))])
def test_autoencoder_from_its_weights(kw):
    net = model.Autoencoder(**kw)
    assert model.autoencoder_shape(net.state_dict()) == kw
    assert model.parameters(model.autoencoder_of(net.state_dict())) == model.parameters(net)


@pytest.mark.parametrize("kw", [
    dict(width=(16, 32, 32, 64), blocks=1, latent=4, cond=True, start=False), dict(width=(16, 32), blocks=2, latent=8, cond=False, start=False),
    dict(width=(32, 16, 16), blocks=3, latent=4, cond=True, start=True), dict(width=(16,), blocks=2, latent=4, cond=False, start=False)])
def test_unet_from_its_weights(kw):
    net = model.UNet(**kw)
    assert model.unet_shape(net.state_dict()) == kw
    assert model.parameters(model.unet_of(net.state_dict())) == model.parameters(net)


def test_unit_variance_is_inside(prior):
    x = torch.rand(1, 1, 64, 64)
    raw = prior.ae.encoder(x)
    assert torch.allclose(prior.encode(x) * prior.ae.scale + prior.ae.shift, raw, atol=1e-5)


def test_checkpoint_is_half_precision(prior, tmp_path):
    model.save_state(prior.unet, tmp_path / "u.pt")
    on_disk, back = torch.load(tmp_path / "u.pt", weights_only=True), model.load_state(tmp_path / "u.pt")
    assert {v.dtype for v in on_disk.values()} == {torch.float16} and {v.dtype for v in back.values()} == {torch.float32}
    assert not list(tmp_path.glob("*.tmp"))
    for k, v in prior.unet.state_dict().items():
        assert torch.allclose(back[k], v, rtol=1e-3, atol=1e-6)


def test_fresh_networks_start_at_zero():
    z = torch.randn(1, 4, 16, 16)
    v = model.UNet((16, 16, 32))(z, torch.zeros(1), torch.zeros(1, 1, 64, 64), torch.ones(1))
    assert not v.detach().any()


def test_restorer_sees_both_images():
    net = conftest.lively(restorer.Restorer((16, 16, 32)))
    c, u = torch.rand(2, 2, 1, 64, 64)
    x = net(c, u)
    assert x.shape == u.shape and float((x - u).abs().max()) > 1e-3
    assert float((net(u, u) - x).abs().max()) > 1e-3 and float((net(c, c) - x).abs().max()) > 1e-3


@pytest.mark.parametrize("l", [-12.0, -3.0, 0.0, 4.0])
def test_amplitudes(l):
    al, si = diffusion.alpha_sigma(l)
    assert float(al**2 + si**2) == pytest.approx(1, abs=1e-6)
    assert float(torch.log(si**2 / al**2)) == pytest.approx(l, abs=1e-3)


def test_schedule():
    t = torch.linspace(0.001, 0.999, 101)
    l = diffusion.lognsr_of(t)
    assert bool((l.diff() >= 0).all()) and float(l.abs().max()) <= diffusion.LIMIT
    assert float(l[50]) == pytest.approx(0, abs=1e-4)
    al, _ = diffusion.alpha_sigma(l)
    assert torch.allclose(al.flatten()[10:-10], torch.cos(t * torch.pi / 2)[10:-10], atol=1e-5)


def test_levels_are_stratified():
    g = torch.Generator().manual_seed(0)
    l = diffusion.draw_levels(64, g, "cpu").sort().values
    edges = diffusion.lognsr_of(torch.linspace(0.001, 0.999, 9))
    counts = torch.histogram(l, edges).hist
    assert float((counts - 8).abs().max()) <= 1


class Oracle(torch.nn.Module):
    """The exact v-network of the prior N(0, 1): v = alpha n - sigma z is independent of alpha z + sigma n, so its mean is 0."""

    def forward(self, z, lognsr, cond, flag, start):
        return torch.zeros_like(z)


@pytest.mark.parametrize("l", [-4.0, 0.0, 4.0])
def test_denoise_of_a_gaussian(prior, l):
    """z0 = alpha z_l for unit Gaussian latents, with mean squared error sigma^2."""
    p = diffusion.Prior(prior.ae, Oracle())
    z = torch.randn(8, 4, 32, 32, generator=torch.Generator().manual_seed(0))
    al, si = diffusion.alpha_sigma(l)
    n = torch.randn(z.shape, generator=torch.Generator().manual_seed(1))
    z0 = p.denoise(al * z + si * n, l, None, 1)
    assert float((z0 - z).pow(2).mean()) == pytest.approx(float(si**2), rel=0.02)
