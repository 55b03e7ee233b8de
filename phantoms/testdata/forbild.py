"""Values and line integrals of the FORBILD head, from the table of Yu and others, Phys. Med. Biol. 57, N237 (2012).

A second program, apart from ctrecon: membership point by point, line integrals by counting 0.002 cm steps.
Python 3, numpy. Run: python forbild.py > forbild.csv
Columns: "point",x mm,y mm,HU or "line",angle deg,s mm,integral of (density in g/cm^3) over mm.
"""
import numpy as np

TIP = -14.294530834372887
# x, y, a, b in cm, degrees, g/cm^3, clips (distance cm, direction degrees)
TABLE = [
    (-4.7, 4.3, 1.79989, 1.79989, 0, .010, ()), (4.7, 4.3, 1.79989, 1.79989, 0, .010, ()),
    (-1.08, -9, .4, .4, 0, .0025, ()), (1.08, -9, .4, .4, 0, -.0025, ()), (0, 0, 9.6, 12, 0, 1.8, ()),
    (0, 8.4, 1.8, 3, 0, -1.05, ()), (1.9, 5.4, .41633, 1.17425, -31.07698, .75, ()),
    (-1.9, 5.4, .41633, 1.17425, 31.07698, .75, ()), (-4.3, 6.8, 1.8, .24, -30, .75, ()),
    (4.3, 6.8, 1.8, .24, 30, .75, ()), (0, -3.6, 1.8, 3.6, 0, -.005, ()),
    (6.39395, -6.39395, 1.2, .42, 58.1, .005, ()),
    (0, 3.6, 2, 2, 0, .75, ((1.2, 0), (1.2, 180), (.27884, 90), (.27884, 270))),
    (0, 9.6, 1.8, 3, 0, 1.8, ((.60687, 90), (.60687, 270), (.2, 0), (.2, 180))),
    (0, 0, 9, 11.4, 0, .75, ((-2.605, 15), (-2.605, 165), (-10.71177, 90))),
    (0, TIP, .443194085308632, 3.892760834372886, 0, .75, ((TIP + 10.71177, 270),)),
    (0, 0, 9, 11.4, 0, -.75, ((8.8874, 0),)), (9.1, 0, 4.2, 1.8, 0, .75, ((-.2126, 0),)),
]
for j, count, first in ((0, 9, 8.8), (1, 8, 8.6), (2, 8, 8.8), (3, 6, 8.6)):  # air cells of the right ear
    for sign in (1, -1) if j else (1,):
        TABLE += [(first - .4 * i, sign * j * .2 * 3 ** .5, .15, .15, 0, -1.8, ()) for i in range(count)]
for g, d in enumerate((.0357, .0312, .0278, .025)):  # resolution pattern of the left ear
    TABLE += [(-7 + .08 * c, -1 + .48 * g + 2 * d * r, d / 2, d / 2, 0, .75, ()) for c in range(4) for r in range(5)]


def density(x, y):
    out = np.zeros(np.shape(x))
    for x0, y0, a, b, deg, step, clips in TABLE:
        turn = np.exp(-1j * np.deg2rad(deg))
        rel = (x - x0) + 1j * (y - y0)
        w = rel * turn
        member = (w.real / a) ** 2 + (w.imag / b) ** 2 <= 1
        for d, psi in clips:
            member &= (rel * np.exp(-1j * np.deg2rad(psi))).real < d
        out += step * member
    return out


rng = np.random.default_rng(1)
boxes = [(-11, 11, -13, 13, 60), (5, 9, -1.5, 1.5, 60), (-7.1, -6.7, -1.1, .8, 60), (-.5, .5, -11.6, -10.2, 40), (-3, 3, 3, 11.5, 60)]
for x0, x1, y0, y1, n in boxes:
    x, y = rng.uniform(x0, x1, n), rng.uniform(y0, y1, n)
    for p, q, v in zip(x, y, density(x, y)):
        print(f"point,{10 * p:.6f},{10 * q:.6f},{1000 * v - 1000:.4f}")
h = .002
t = np.arange(-13, 13, h) + h / 2
for deg in (0, 33, 90, 127):
    for s in (-10.3, -6.96, -4.1, -.07, 3.33, 6.1, 8.5):
        c, d = np.cos(np.deg2rad(deg)), np.sin(np.deg2rad(deg))
        print(f"line,{deg},{10 * s:g},{10 * h * density(s * c - t * d, s * d + t * c).sum():.4f}")
