"""CompVis checkpoints at the published sizes, with random weights: some 5 minutes, 10 GB of memory and of disk, so only with CTRECON_PUBLISHED set.

    CTRECON_PUBLISHED=1 python -m pytest -s tests/test_published.py
"""
import copy
import json
import os

import pytest

import test_compvis
from conftest import call

# models/ldm/celeba256 (VQ-f4) and lsun_churches256 (KL-f8) of CompVis/latent-diffusion.
DD = dict(resolution=256, in_channels=3, out_ch=3, ch=128, num_res_blocks=2, attn_resolutions=[], dropout=0.0)
NETS = dict(
    vq=(dict(linear_end=0.0195),
        dict(embed_dim=3, n_embed=8192, ddconfig=DD | dict(double_z=False, z_channels=3, ch_mult=[1, 2, 4])),
        dict(image_size=64, in_channels=3, out_channels=3, model_channels=224, attention_resolutions=[8, 4, 2], num_res_blocks=2,
             channel_mult=[1, 2, 3, 4], num_head_channels=32), 274.1e6, 55.3e6),
    kl=(dict(linear_end=0.0155),
        dict(embed_dim=4, ddconfig=DD | dict(double_z=True, z_channels=4, ch_mult=[1, 2, 4, 4])),
        dict(image_size=32, in_channels=4, out_channels=4, model_channels=192, attention_resolutions=[1, 2, 4, 8], num_res_blocks=2,
             channel_mult=[1, 2, 2, 4, 4], num_heads=8, use_scale_shift_norm=True, resblock_updown=True), 294.9e6, 83.6e6))


@pytest.mark.skipif("CTRECON_PUBLISHED" not in os.environ, reason="CTRECON_PUBLISHED is not set")
@pytest.mark.parametrize("kind", ["vq", "kl"])
def test_published_sizes(tmp_path, kind):
    """Converted with --float32, all three graphs agree with the checkpoint in PyTorch to 1e-4; rounded ones with their rounded weights."""
    schedule, first, unet, unet_size, first_size = NETS[kind]
    c = copy.deepcopy(test_compvis.config(kind))
    p = c["model"]["params"]
    p.update(schedule), p["first_stage_config"].update(params=first), p["unet_config"].update(params=unet)
    ckpt, cfg = test_compvis.write(tmp_path, kind, False, c)
    nets = test_compvis.compvis.load(ckpt, cfg)[:2]
    for net, want in zip(nets, (first_size, unet_size)):
        assert sum(v.numel() for v in net.parameters()) == pytest.approx(want, rel=1e-3)
    del nets
    tables = tmp_path / "tables.json"
    tables.write_text(json.dumps(dict(levels=[-8, 6], flag0=dict(r2=[1e-3, 1], rz2=[1e-3, 1]))))
    for folder, option in (("whole", ["--float32"]), ("half", [])):
        call("convert_compvis", "--checkpoint", ckpt, "--config", cfg, "--bundle", tmp_path / folder, "--no-free", "--tables", tables, *option)
    test_compvis.against(ckpt, cfg, tmp_path / "whole", 256)
