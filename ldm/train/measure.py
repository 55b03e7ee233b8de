"""Measures what the sampler must know about a trained model, on held-out slices, and writes it as JSON for export.py.

    python measure.py --data ctdata --out run --slices 24

- r2(l): mean squared error of the decoded estimate D(z0(z_l)), in normalised units squared (HU rms = 1500 sqrt(r2));
- rz2(l): the same of the latent estimate; q2(l): mean squared error of its projections, in (pixels x normalised units)^2;
  each by noise level, with the condition (flag 1) and without it (flag 0);
- latent mean and standard deviation by channel; round trip of the autoencoder by site.
"""
import argparse
import json
import pathlib

import numpy as np
import torch

import conditions as pairs
import data
import diffusion
import projector as pr

LEVELS = [float(l) for l in range(-10, 7)]


def conditions(prior, slices, views, sigma, seed, start="pnp-unet", bundle="", program=pairs.PROGRAM):
    """What the UNet is conditioned on for every slice, measured: FBP and, where it takes that, the latent of the start (else None)."""
    if prior.unet.start:
        jobs = pairs.usual(len(slices), views, sigma, seed)
        fbp, s = [data.to_unit(torch.from_numpy(v))[:, None] for v in pairs.held_out(slices, ["fbp-hann", start], bundle, jobs, program=program)]
        return fbp, encode_all(prior, s)
    out = []
    for i in range(len(slices)):
        rng = np.random.default_rng([seed, i])
        hu, px = slices.hu[i].numpy().astype(np.float32), float(slices.pixel[i])
        out.append(pr.fbp_condition(pr.measure(hu, px, views, sigma, rng), px, hu.shape[0]))
    return torch.cat(out), None


def batches(n, size=8):
    return [slice(i, i + size) for i in range(0, n, size)]


def encode_all(prior, x):
    return torch.cat([prior.encode(x[s]) for s in batches(len(x))])


def error_table(prior, x, cond, start, levels, flag, views, seed):
    """Rows (r2, rz2, q2) of every level: means over the slices x [N,1,n,n]."""
    z = encode_all(prior, x)
    a = pr.strip_matrix(x.shape[-1], views)
    rows = []
    for l in levels:
        al, si = diffusion.alpha_sigma(l, z.device)
        noise = torch.randn(z.shape, generator=torch.Generator().manual_seed(seed)).to(z.device)
        e = np.zeros(3)
        for s in batches(len(x)):
            z0 = prior.denoise(al * z[s] + si * noise[s], l, cond[s].to(z.device), flag, None if start is None else start[s])
            d = (prior.decode(z0).cpu() - x[s]).numpy()
            p = a @ d.reshape(len(d), -1).T
            e += len(d) * np.array([np.mean(d**2), float((z0 - z[s]).pow(2).mean()), np.mean(p**2)])
        rows.append(e / len(x))
    return np.array(rows)


def psnr(x, y):
    """dB of each image of a normalised batch after clipping to [-1000, 1000] HU, R = 2000."""
    d = data.to_hu(x).clamp(-1000, 1000) - data.to_hu(y).clamp(-1000, 1000)
    return 10 * torch.log10(2000**2 / d.pow(2).mean((1, 2, 3)))


def round_trip(prior, x, sites):
    """PSNR and RMSE of decode(encode(x)) by site and over all."""
    y = torch.cat([prior.decode(prior.encode(x[s])).cpu() for s in batches(len(x))])
    db, rmse = psnr(x, y), data.HU_HALF * (x - y).pow(2).mean((1, 2, 3)).sqrt()
    out = {}
    for site in [*sorted(set(sites)), "all"]:
        m = torch.tensor([site in (s, "all") for s in sites])
        out[site] = dict(slices=int(m.sum()), psnr_db=round(float(db[m].mean()), 3), worst_db=round(float(db[m].min()), 3),
                         rmse_hu=round(float(rmse[m].mean()), 2))
    return out


def latent_statistics(prior, x):
    z = encode_all(prior, x)
    third = lambda v: [round(float(u), 3) for u in v]
    return dict(mean=third(z.mean((0, 2, 3))), sd=third(z.std((0, 2, 3))), largest=round(float(z.abs().max()), 2))


def measure(prior, slices, views=25, sigma=0.01, seed=0, levels=LEVELS, start="pnp-unet", bundle="", program=pairs.PROGRAM):
    """Everything above as a dictionary. rz2 at flag 0 must rise to about 1 at the top level: there the noise is all."""
    x = data.to_unit(slices.hu.float())[:, None]
    out = dict(split=slices.rows[0]["split"], slices=len(x), patients=len(set(slices.patient)), views=views, sigma_nepers=sigma,
               seed=seed, levels=list(levels))
    cond, start = conditions(prior, slices, views, sigma, seed, start, bundle, program) if prior.unet.cond else (torch.zeros_like(x), None)
    for flag in (0, 1) if prior.unet.cond else (0,):
        t = error_table(prior, x, cond, start, levels, flag, views, seed)
        out[f"flag{flag}"] = {k: [float(f"{v:.5g}") for v in t[:, i]] for i, k in enumerate(("r2", "rz2", "q2"))}
    return dict(out, latent=latent_statistics(prior, x), autoencoder=round_trip(prior, x, slices.site))


def show(m):
    print("round trip:", "; ".join(f"{k} {v['psnr_db']:.2f} dB (n={v['slices']})" for k, v in m["autoencoder"].items()))
    print("latent mean", m["latent"]["mean"], "sd", m["latent"]["sd"])
    print("level     " + " ".join(f"{l:6.0f}" for l in m["levels"]))
    for key in ("flag0", "flag1"):
        if key in m:
            print(key, "r  HU" + " ".join(f"{data.HU_HALF * v**0.5:6.1f}" for v in m[key]["r2"]))
            print(key, "rz   " + " ".join(f"{v**0.5:6.3f}" for v in m[key]["rz2"]))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", required=True), p.add_argument("--split", default="val")
    p.add_argument("--out", default="run", help="folder with ae.pt and unet.pt; tables.json is written there")
    p.add_argument("--tables", default="", help="write here instead")
    p.add_argument("--slices", type=int, default=24), p.add_argument("--views", type=int, default=25)
    p.add_argument("--sigma", type=float, default=0.01), p.add_argument("--seed", type=int, default=0)
    p.add_argument("--levels", type=float, nargs="+", default=LEVELS), p.add_argument("--device", default="cpu")
    p.add_argument("--start", default="pnp-unet", help="method whose image the UNet takes"), p.add_argument("--model", default="", help="bundle with its network")
    p.add_argument("--program", default=str(pairs.PROGRAM))
    a = p.parse_args()
    prior = diffusion.Prior.load(a.out, a.device)
    m = measure(prior, data.load(a.data, a.split).spread(a.slices), a.views, a.sigma, a.seed, a.levels, a.start, a.model, a.program)
    show(m)
    path = pathlib.Path(a.tables or f"{a.out}/tables.json")
    path.write_text(json.dumps(m, indent=1) + "\n")


if __name__ == "__main__":
    main()
