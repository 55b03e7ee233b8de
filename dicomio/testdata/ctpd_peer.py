"""Holds a scan that ctrecon wrote against the published geometry of DICOM-CT-PD.

    ctrecon phantom --size 96 --slices 5 --spacing 5 --angles 100 --helix FFSXYZ water
    python ctpd_peer.py water/projections        (numpy, pydicom)

Files are read with pydicom; rays are made from their tags alone, in the left-handed
cylinder coordinates of the DICOM-CT-PD user manual (x = -rho sin phi, y = rho cos
phi), with elements counted from 1, columns counter-clockwise and row 1 farthest in
the gantry. The water phantom (a cylinder and a leaning rod, so that no axis can be
turned round unnoticed) is integrated along them. With pydicom 3: 1.3e-4 nepers at
most, half a step of the 16 bits.
"""
import glob
import struct
import sys

import numpy as np
import pydicom

# x, y, radius, HU step, lean in x and y a mm of height
SHAPES = [(0, 0, 100, 1000, 0, 0), (70, 35, 3, 200, -0.25, 0.5)]
MU_WATER = 0.0195


def floats(ds, group, element):
    v = ds[group, element].value
    if isinstance(v, bytes):
        v = struct.unpack(f"<{len(v) // 4}f", v)
    return list(v) if isinstance(v, (tuple, list, pydicom.multival.MultiValue)) else [float(v)]


def chord(src, d, shape):
    x0, y0, r, _, lx, ly = shape
    x, y = (src[0] - src[2] * lx - x0) / r, (src[1] - src[2] * ly - y0) / r
    dx, dy = (d[0] - d[2] * lx) / r, (d[1] - d[2] * ly) / r
    a, b, c = dx * dx + dy * dy, x * dx + y * dy, x * x + y * y - 1
    return 2 * np.sqrt(max(0, b * b - a * c)) / a


def cylinder(rho, phi, z):
    return np.array([-rho * np.sin(phi), rho * np.cos(phi), z])


def differences(name):
    ds = pydicom.dcmread(name)
    rows, cols = ds[0x7029, 0x1010].value, ds[0x7029, 0x1011].value
    image = ds.pixel_array * float(ds.RescaleSlope) + float(ds.RescaleIntercept)
    phi, z, rho = (floats(ds, 0x7031, e)[0] for e in (0x1001, 0x1002, 0x1003))
    dphi, dz, drho = (floats(ds, 0x7033, e)[0] for e in (0x100B, 0x100C, 0x100D))
    distance, centre = floats(ds, 0x7031, 0x1031)[0], floats(ds, 0x7031, 0x1033)
    width, height = floats(ds, 0x7029, 0x1002)[0], floats(ds, 0x7029, 0x1006)[0]
    focal, spot = cylinder(rho, phi, z), cylinder(rho + drho, phi + dphi, z + dz)
    inward = -focal[:2] / np.linalg.norm(focal[:2])
    for r in (1, rows // 2, rows):
        for c in (5, cols // 3, cols // 2, cols - 9):
            sums = []
            for sub in (-1 / 3, 0, 1 / 3):
                gamma = (c + sub - centre[0]) * width / distance
                turn = np.array([[np.cos(gamma), -np.sin(gamma)], [np.sin(gamma), np.cos(gamma)]])
                element = np.array([*(focal[:2] + distance * turn @ inward), z - (r - centre[1]) * height])
                d = (element - spot) / np.linalg.norm(element - spot)
                sums.append(sum(MU_WATER * s[3] / 1000 * chord(spot, d, s) for s in SHAPES))
            yield abs(np.mean(sums) - image[r - 1, c - 1])


files = sorted(glob.glob(sys.argv[1] + "/*.dcm"))
worst = max(x for name in files[::37] for x in differences(name))
print(f"{len(files)} files, at most {worst:.2g} nepers")
sys.exit(worst > 2e-4)
