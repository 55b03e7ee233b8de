"""Draws the columns of a training log against time, with Pillow alone."""
import csv
import math
import sys

from PIL import Image, ImageDraw

WIDTH, HEIGHT, LEFT, TOP, GAP = 900, 260, 70, 24, 44
COLOURS = ("#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad", "#d68910", "#16808a", "#7f8c8d", "#6d4c41", "#ad1457")


def read(path):
    """(minutes, {column: values}) of a log, with or without a head line; an empty cell is NaN."""
    with open(path, newline="") as f:
        named = f.readline().startswith("step")
        f.seek(0)
        rows = list(csv.DictReader(f) if named else csv.DictReader(f, ("step", "minutes", "loss", "val")))
    number = lambda s: float(s) if s else math.nan
    names = [k for k in (rows[0] if rows else {}) if k not in ("step", "minutes")]
    return [number(r["minutes"]) for r in rows], {k: [number(r[k]) for r in rows] for k in names}


def panels(columns):
    """Columns that share an axis: the loss, val beside train, and the rest."""
    names = list(columns)
    return [p for p in (names[:1], names[1:3], names[3:]) if p]


def curves(log, png):
    x, columns = read(log)
    groups = panels(columns)
    im = Image.new("RGB", (WIDTH, len(groups) * (HEIGHT + GAP) + TOP), "white")
    d = ImageDraw.Draw(im)
    for i, names in enumerate(groups):
        panel(d, TOP + i * (HEIGHT + GAP), x, {n: columns[n] for n in names})
    im.save(png)


def panel(d, top, x, lines):
    """One set of axes with its lines and legend."""
    values = [v for ys in lines.values() for v in ys if math.isfinite(v)] or [0.0]
    lo, hi = min(values), max(values)
    hi = hi if hi > lo else lo + 1
    end = max([v for v in x if math.isfinite(v)] + [1e-6])
    at = lambda t, v: (LEFT + (WIDTH - 20 - LEFT) * t / end, top + HEIGHT * (hi - v) / (hi - lo))
    for k in range(5):
        v = lo + (hi - lo) * k / 4
        d.line([at(0, v), at(end, v)], fill="#e3e3e3")
        d.text((6, at(0, v)[1] - 6), f"{v:.4g}", fill="#444444")
        d.text((at(end * k / 4, lo)[0] - 10, top + HEIGHT + 4), f"{end * k / 4:.3g}", fill="#444444")
    for i, (name, ys) in enumerate(lines.items()):
        colour = COLOURS[i % len(COLOURS)]
        points = [at(t, v) for t, v in zip(x, ys) if math.isfinite(v)]
        if len(points) > 1:
            d.line(points, fill=colour, width=2)
        for px, py in points:
            d.ellipse((px - 2, py - 2, px + 2, py + 2), fill=colour)
        d.text((LEFT + 6 + 84 * i, top + HEIGHT + 20), name, fill=colour)
    d.text((8, top + HEIGHT + 4), "minutes", fill="#444444")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        curves(name, name.removesuffix(".csv") + ".png")
