#!/bin/sh
# docs/measured.sh SINOGRAMS [METHODS]: measured scans with few views against the same scan with all of them; a Markdown row a scan and method.
# SINOGRAMS is ctdata/sinograms. r is the correlation with the full-view FBP (Hann) and the full-view TV, e the root mean square difference over
# the deviation of the full-view image, HU scale and all. SCANS="pattern" runs only the scans whose name matches; PYTHON names an interpreter with numpy.
set -eu
data=$(realpath "$1") methods=${2:-fbp-hann,tv,resample}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
table() { # NAME VIEWS
  "${PYTHON:-python3}" - "$work" "$1" "$2" "$methods" <<'END'
import json, sys
import numpy as np

work, name, views, methods = sys.argv[1:]
image = lambda run, m: np.load(f"{work}/{run}/{m}.npy").astype(float).ravel()
report = json.load(open(f"{work}/few/report.json"))
used = report["geometry"]["views"]
found = {m["name"]: m for m in report["methods"]}
for m in methods.split(","):
    x, cells = image("few", m), []
    for ref in ("fbp-hann", "tv"):
        y = image("full", ref)
        cells += [f"{np.corrcoef(x, y)[0, 1]:.4f}", f"{np.sqrt(np.mean((x - y) ** 2)) / np.std(y):.3f}"]
    held = [h for s in found[m]["slices"] for h in s.get("heldOut") or []]
    off = np.sqrt(sum(h["rms"] ** 2 * h["bins"] for h in held) / max(1, sum(h["bins"] for h in held)))
    said = found[m]["warnings"] + sorted({w for s in found[m]["slices"] for w in s.get("warnings") or []})
    fits = [w for w in said if "does not fit" in w or "trained on" in w]
    print(f"| {name} | {used} of {views} | {m} | {' | '.join(cells)} | {off:.4f} | {'; '.join(fits) or '-'} |")
END
}
scan() { # NAME FILE VIEWS N
  case $1 in ${SCANS:-*}) ;; *) return 0 ;; esac
  rm -rf "$work/full" "$work/few"
  ./ctrecon --quiet --keep-arrays --method fbp-hann,tv --out "$work/full" "$data/$2" >&2
  ./ctrecon --quiet --keep-arrays --method "$methods" --check-views 2 --angles "$4" --out "$work/few" "$data/$2" >&2
  table "$1" "$3"
}
echo '| scan | views | method | r, FBP of all | e | r, TV of all | e | held-out views, nepers | the report warns |'
echo '|---|---|---|---|---|---|---|---|---|'
scan 'walnut, fan' walnut/walnut.npy 120 25
scan 'walnut, parallel' walnut/walnut_parallel.npy 180 25
scan tooth tooth/tooth.h5 181 25
scan 'discs, 150 degrees' htc2022/tb_parallel_arc.npy 150 25
scan 'discs, fan, three arcs' htc2022/tb_549views.npz 549 20
scan 'steel part' dls24737/sino_row67.npy 91 25
