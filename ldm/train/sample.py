"""Reconstructs val slices with a trained model and prints FBP, TV, one sample, the mean of K; chooses checkpoints by it.

    python sample.py --data ctdata --out run --slices 12 --samples 4
    python sample.py --data ctdata --out run --slices 12 --samples 2 --choose run/unet-050.pt run/unet-075.pt run/unet-100.pt

--choose copies the checkpoint with the best mean PSNR of the K-mean to <out>/unet.pt. The sampler: warm start from TV or, with
--restorer FOLDER --model BUNDLE, from the image of <folder>/restorer.pt (as ct/recon/restore.go makes it), levels uniform in log noise-to-signal ratio, regularised least squares in pixel space with the measured error variance of the
decoded estimate, differential encoding, fresh noise, a last pixel step. The Go engine has the full one.
"""
import argparse
import csv
import json
import pathlib
import shutil
import time

import numpy as np
import scipy.ndimage as nd
import torch

import classical
import conditions
import data
import diffusion
import measure
import model
import projector as pr
import restorer

MODEL_ERROR = 0.004       # nepers, of pixels against the measured object: that of ct/recon
LEAST, MOST = 5.0, 500.0  # HU, of the deviation of the restorer's image


def ssim(a, b):
    """SSIM of two normalised images after clipping to [-1000, 1000] HU: Gaussian 11 x 11, sigma 1.5, R = 2000."""
    a, b = [np.clip(data.to_hu(v), -1000, 1000).astype(np.float64) for v in (a, b)]
    g = lambda v: nd.gaussian_filter(v, 1.5, truncate=3.5)
    c1, c2 = (0.01 * 2000) ** 2, (0.03 * 2000) ** 2
    ma, mb = g(a), g(b)
    va, vb, vab = g(a * a) - ma**2, g(b * b) - mb**2, g(a * b) - ma * mb
    return float(((2 * ma * mb + c1) * (2 * vab + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2)))[5:-5, 5:-5].mean())


def psnr(a, b):
    t = lambda v: torch.from_numpy(np.ascontiguousarray(v, dtype=np.float32))[None, None]
    return float(measure.psnr(t(a), t(b)))


def at_levels(tables, flag, levels):
    """r2 and rz2 of the tables at other levels: linear in log, constant beyond the ends."""
    t = tables[f"flag{flag:.0f}"]
    return [np.exp(np.interp(levels, tables["levels"], np.log(t[k]))) for k in ("r2", "rz2")]


def resample(prior, problem, start, cond, levels, r2, rz2, rng, flag=1.0, eta=1.0, perturb=1.0):
    """One sample; levels fall from the warm start to the last, r2 and rz2 belong to them."""
    normal = lambda shape: rng.standard_normal(shape).astype(np.float32)
    encode = lambda u: prior.encode(torch.from_numpy(np.clip(u, -1, 1))[None, None])
    al, si = diffusion.alpha_sigma(levels[0])
    hint = encode(start)
    z = al * hint + si * torch.from_numpy(normal(hint.shape))
    for i, l in enumerate(levels):
        zt = prior.denoise(z, l, cond, flag, hint)
        zt = zt + perturb * float(np.sqrt(rz2[i])) * torch.from_numpy(normal(zt.shape))
        xt = prior.decode(zt)[0, 0].numpy()
        x = problem.solve(xt, r2[i], dy=perturb * normal(problem.y.shape))
        zy = zt + encode(x) - encode(xt)  # the difference cancels what encoding adds by itself
        if i + 1 < len(levels):
            eps = (z - al * zy) / si
            al, si = diffusion.alpha_sigma(levels[i + 1])
            fresh = torch.from_numpy(normal(z.shape))
            z = al * zy + si * (float(np.sqrt(1 - eta**2)) * eps + eta * fresh)
    return problem.solve(prior.decode(zy)[0, 0].numpy(), r2[-1], 60, 1e-3)


def restored(net, fbp, problem, kappa, rounds):
    """The image of ct/recon/restore.go from fbp [n,n] (not clipped): u = net(fbp, u), then least squares about it. problem has noise
    and model error; the deviation of u is estimated from its misfit, kappa times that of white noise as large."""
    white = float(problem.k) ** 2 * float(np.sum(problem.a.data.astype(np.float64) ** 2)) / problem.a.shape[0]
    t = lambda v: torch.from_numpy(np.ascontiguousarray(v, np.float32))[None, None]
    u = fbp
    for k in range(max(1, rounds)):
        u = net(t(fbp), t(u))[0, 0].numpy()
        if rounds:
            r2 = np.clip((problem.chi2(u) - 1) / (kappa * white), (LEAST / data.HU_HALF) ** 2, (MOST / data.HU_HALF) ** 2)
            u = problem.solve(u, r2, 100, 1e-3)
    return u


class Case:
    """A measured slice with everything that does not depend on the prior: truth u, FBP, condition, start (TV or the restorer's image)."""

    def __init__(self, slices, i, a):
        hu, px = slices.hu[i].numpy().astype(np.float32), float(slices.pixel[i])
        y = pr.measure(hu, px, a.views, a.sigma, np.random.default_rng([a.seed, i, 1]))
        self.site, self.patient, self.index = slices.site[i], slices.patient[i], i
        self.u = np.clip((hu - data.HU_MID) / data.HU_HALF, -1, 1)
        self.problem = classical.Problem(pr.strip_matrix(hu.shape[0], a.views), y, px, a.sigma)
        self.cond = pr.fbp_condition(y, px, hu.shape[0])
        self.fbp = self.cond[0, 0].numpy()
        begin = time.time()
        if a.restorer:
            noisy = classical.Problem(self.problem.a, y, px, float(np.hypot(a.sigma, MODEL_ERROR)))
            fbp = pr.mu_to_hu(pr.fbp(torch.from_numpy(y)[None], pr.view_angles(a.views), torch.tensor([px]), hu.shape[0]))[0]
            self.start = restored(a.net, restorer.unit(fbp).numpy(), noisy, a.kappa, a.rounds)
        else:
            self.start = self.problem.tv(self.fbp, a.lam, a.tv_iters)
        self.seconds = time.time() - begin


def reconstruct(prior, case, a, levels, r2, rz2):
    """A row of results for one slice: the mean of K samples beside FBP and the start."""
    start, xs = time.time(), []
    for k in range(a.samples):
        rng = np.random.default_rng([a.seed, case.index, 2, k])
        xs.append(resample(prior, case.problem, case.start, case.cond, levels, r2, rz2, rng, a.flag, a.eta, a.perturb))
    seconds = (time.time() - start) / a.samples
    name = "pnp" if a.restorer else "tv"
    images = {"fbp": case.fbp, name: case.start, "single": xs[0], "mean": np.mean(xs, 0)}
    row = dict(site=case.site, patient=case.patient)
    row.update({f"{k}_db": psnr(v, case.u) for k, v in images.items()})
    row.update({f"{k}_ssim": ssim(v, case.u) for k, v in images.items()})
    x = torch.from_numpy(case.u)[None, None]
    row["ae_db"] = psnr(prior.decode(prior.encode(x))[0, 0].numpy(), case.u)
    return row | {"chi2_single": case.problem.chi2(xs[0]), f"chi2_{name}": case.problem.chi2(case.start), f"s_{name}": case.seconds, "s_sample": seconds}


def summary(rows):
    """Mean of every figure by site and over all."""
    out = []
    for site in [*sorted({r["site"] for r in rows}), "all"]:
        mine = [r for r in rows if site in (r["site"], "all")]
        out.append(dict(site=site, n=len(mine), **{k: float(np.mean([r[k] for r in mine])) for k in mine[0] if k not in ("site", "patient")}))
    return out


def line(r):
    return " ".join(f"{k} {v:.3f}" if isinstance(v, float) else str(v) for k, v in r.items())


def evaluate(prior, cases, a, tables):
    levels = np.linspace(a.start, a.end, a.step_count)
    r2, rz2 = at_levels(tables, a.flag, levels)
    rows = []
    for c in cases:
        rows.append(reconstruct(prior, c, a, levels, r2 * a.scale, rz2))
        print(line(rows[-1]), flush=True)
    for r in summary(rows):
        print("mean", line(r), flush=True)
    return rows


def tables_for(prior, a, held):
    """tables.json of measure.py, or a quick measurement on other slices than those that are reconstructed."""
    path = pathlib.Path(a.out) / "tables.json"
    if path.exists() and not a.choose:
        return json.loads(path.read_text())
    return measure.measure(prior, held, a.views, a.sigma, a.seed + 1, [-8.0, -5.0, -3.0, -1.0, 1.0, 3.0],
                           "pnp-unet" if a.restorer else "tv", a.model, a.program)


def choose(a, cases, held):
    """Evaluates the checkpoints, writes choice.csv and copies the best to <out>/unet.pt."""
    out, score = pathlib.Path(a.out), {}
    ae = model.autoencoder_of(model.load_state(out / "ae.pt"))
    for path in a.choose:
        prior = diffusion.Prior(ae, model.unet_of(model.load_state(path)))
        rows = evaluate(prior, cases, a, tables_for(prior, a, held))
        score[path] = float(np.mean([r["mean_db"] for r in rows]))
        print(f"{path}: {score[path]:.3f} dB", flush=True)
    best = max(score, key=score.get)
    if pathlib.Path(best).resolve() != (out / "unet.pt").resolve():
        shutil.copyfile(best, out / "unet.pt")
    with open(out / "choice.csv", "w", newline="") as f:
        csv.writer(f).writerows([("checkpoint", "mean_db"), *score.items()])
    print(f"chosen: {best}")


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", required=True), p.add_argument("--out", default="run"), p.add_argument("--csv", default="")
    p.add_argument("--slices", type=int, default=12), p.add_argument("--samples", type=int, default=4)
    p.add_argument("--step-count", type=int, default=20), p.add_argument("--start", type=float, default=2.0)
    p.add_argument("--end", type=float, default=-7.0), p.add_argument("--views", type=int, default=25)
    p.add_argument("--sigma", type=float, default=0.01), p.add_argument("--seed", type=int, default=0)
    p.add_argument("--flag", type=float, choices=[0.0, 1.0], default=1.0), p.add_argument("--eta", type=float, default=1.0)
    p.add_argument("--perturb", type=float, default=1.0), p.add_argument("--scale", type=float, default=1.0, help="factor on r2")
    p.add_argument("--lam", type=float, default=1.0, help="weight of TV"), p.add_argument("--tv-iters", type=int, default=300)
    p.add_argument("--restorer", default="", help="folder with restorer.pt, whose image is the start instead of TV")
    p.add_argument("--model", default="", help="bundle with it: kappa and rounds, and the conditions of --choose")
    p.add_argument("--kappa", type=float), p.add_argument("--rounds", type=int)
    p.add_argument("--program", default=str(conditions.PROGRAM))
    p.add_argument("--choose", nargs="*", default=[], metavar="CHECKPOINT")
    return p


def add_restorer(a):
    """Loads the network, and takes kappa and rounds from the bundle where they are not given."""
    path = pathlib.Path(a.model) / "bundle.json"
    known = json.loads(path.read_text()).get("restorer", {}) if a.model else {}
    for name in ("kappa", "rounds"):
        if getattr(a, name) is None:
            if name not in known:
                raise SystemExit(f"--restorer: give --{name}, or --model with a bundle that has a restorer")
            setattr(a, name, known[name])
    a.net = restorer.net_of(model.load_state(pathlib.Path(a.restorer) / "restorer.pt"))


def main():
    a = options().parse_args()
    if a.restorer:
        add_restorer(a)
    val = data.load(a.data, "val")
    spread = val.spread(a.slices)
    chosen = {r["file"] for r in spread.rows}
    rest = [i for i, r in enumerate(val.rows) if r["file"] not in chosen]
    held = val.take(rest).spread(8) if rest else val
    cases = [Case(spread, i, a) for i in range(len(spread))]
    if a.choose:
        return choose(a, cases, held)
    prior = diffusion.Prior.load(a.out)
    rows = evaluate(prior, cases, a, tables_for(prior, a, held))
    if a.csv:
        with open(a.csv, "w", newline="") as f:
            w = csv.DictWriter(f, rows[0])
            w.writeheader(), w.writerows(rows)


if __name__ == "__main__":
    main()
