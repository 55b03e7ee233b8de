"""Makes golden.* with the protocol's independent Python reference: python golden.py FOLDER-OF-reference/evaluation"""
import json, sys
sys.path.insert(0, sys.argv[1])
import numpy as np
import metrics, run, simulate
from geometry import Geometry
from projector import strip_matrix

n = 64
g = Geometry(n=n, pixel=1.5, bins=95)
r, c = np.mgrid[:n, :n].astype(float)
inside = lambda cy, cx, a, b: ((r - cy) / a) ** 2 + ((c - cx) / b) ** 2 < 1
hu = np.full((n, n), -1000.0)
for cy, cx, a, b, v in [(32, 31, 20, 27, 40), (30, 19, 12, 8, -820), (31, 44, 13, 8, -800), (46, 31, 4, 4, 700), (28, 32, 6, 4, 130), (20, 40, 2, 3, 300)]:
    hu[inside(cy, cx, a, b)] = v
hu = hu.astype("f4").astype(float)
d = simulate.gaussian(simulate.fine_rays(hu, g), 0.01, np.random.default_rng(1))
d.y = d.y.astype("f4").astype(float)
hu.astype("<f4").tofile("golden.hu"), d.y.astype("<f4").tofile("golden.sino"), d.clean.astype("<f4").tofile("golden.clean")
rows = run.score("golden", "none", hu, d, g, strip_matrix(g), run.baselines(d, g, strip_matrix(g), 1.0))
json.dump({x["method"]: {k: round(float(x[k]), 5) for k in ("psnr", "ssim", "hu_rmse", "chi2")} for x in rows if x["method"] != "truth"}, open("golden.json", "w"), indent=1)
