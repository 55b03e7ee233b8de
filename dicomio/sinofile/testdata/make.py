"""Writes the small files of this folder with the libraries that users have.

Every array holds a value that the tests compute from the flat index i, in C order
of the array as the library was given it:
  whole numbers   n(i) = (37*i + 11) % 120
  floats          n(i)/8 - 5, exact in 16 bits

Made with numpy 2.4.6, scipy 1.17.1, h5py 3.16.0, tifffile 2026.3.3,
imagecodecs 2026.3.6, pillow 13.0.0. Run it in this folder.
"""
import h5py
import numpy as np
import scipy.io
import scipy.sparse
import tifffile
from PIL import Image


def whole(shape, dtype):
    return ((37 * np.arange(np.prod(shape)) + 11) % 120).reshape(shape).astype(dtype)


def real(shape, dtype):
    return (whole(shape, float) / 8 - 5).astype(dtype)


def array(shape, dtype):
    return real(shape, dtype) if np.dtype(dtype).kind == "f" else whole(shape, dtype)


def tiffs():
    def tif(name, shape, dtype, **kw):
        tifffile.imwrite(f"{name}.tif", array(shape, dtype), metadata=None, **kw)

    for t in ("u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8"):
        tif(f"plain_{t}", (7, 20), t)
        tif(f"plain_{t}_big", (7, 20), t, byteorder=">")
    tif("deflate_p2_u2", (7, 20), "u2", compression="deflate", predictor=2, rowsperstrip=3)
    tif("deflate_p2_u4_big", (7, 20), "u4", compression="deflate", predictor=2, byteorder=">")
    tif("lzw_u1", (90, 97), "u1", compression="lzw")
    tif("lzw_p2_u2", (40, 50), "u2", compression="lzw", predictor=2, rowsperstrip=11)
    tif("lzw_p3_f4", (7, 20), "f4", compression="lzw", predictor=3)
    tif("deflate_p3_f4_big", (7, 20), "f4", compression="deflate", predictor=3, byteorder=">")
    tif("deflate_p3_f8", (7, 20), "f8", compression="deflate", predictor=3)
    tif("packbits_u1", (7, 20), "u1", compression="packbits")
    tif("packbits_u2", (7, 20), "u2", compression="packbits")
    tif("tiles_u2", (20, 37), "u2", tile=(16, 16))
    tif("tiles_deflate_p2_u2", (20, 37), "u2", tile=(16, 16), compression="deflate", predictor=2)
    tif("tiles_p3_f4", (20, 37), "f4", tile=(16, 32), compression="deflate", predictor=3)
    tif("bigtiff_f4", (7, 20), "f4", bigtiff=True)
    tif("bigtiff_u2_big", (7, 20), "u2", bigtiff=True, byteorder=">")
    tif("pages_u2", (5, 6, 8), "u2", photometric="minisblack")
    tif("pages_deflate_f4", (5, 6, 8), "f4", photometric="minisblack", compression="deflate")
    tif("white_u1", (7, 20), "u1", photometric="miniswhite")
    tif("zstd_u2", (7, 20), "u2", compression="zstd")
    tif("rgb_u1", (7, 20, 3), "u1", photometric="rgb")
    tif("palette_u1", (7, 20), "u1", photometric="palette", colormap=np.zeros((3, 256), "u2"))
    with tifffile.TiffWriter("sizes.tif") as w:
        w.write(whole((7, 20), "u2"), metadata=None)
        w.write(whole((7, 21), "u2"), metadata=None)
    # ImageJ writes stacks above 4 GiB with one directory: here a small one alike
    a = whole((4, 6, 8), "u2")
    tifffile.imwrite("imagej.tif", a[0], metadata=None, description="ImageJ=1.54f\nimages=4\nslices=4\n", software=None)
    with open("imagej.tif", "ab") as f:
        f.write(a[1:].tobytes())
    Image.fromarray(whole((7, 20), "u2")).save("grey16.png")
    Image.fromarray(whole((7, 20), "u1")).save("grey8.png")
    Image.fromarray(whole((7, 20, 3), "u1")).save("colour.png")


def hdf5s():
    with h5py.File("layouts.h5", "w") as f:
        for t in ("u1", "i2", ">i2", "u4", "i8", "f4", ">f4", "f8", "f2"):
            f.create_dataset(f"plain/{t.replace('>', 'big_')}", data=array((6, 5, 4), t))
        c = f.create_group("chunks")
        c.create_dataset("raw", data=real((7, 5, 9), "f4"), chunks=(2, 3, 4))
        c.create_dataset("gzip", data=real((7, 5, 9), "f4"), chunks=(2, 3, 4), compression="gzip")
        c.create_dataset("shuffle", data=whole((7, 5, 9), ">u2"), chunks=(3, 5, 4), compression="gzip", shuffle=True)
        c.create_dataset("fletcher", data=whole((7, 9), "u2"), chunks=(3, 4), compression="gzip", fletcher32=True)
        c.create_dataset("many", data=whole((300, 4), "u2"), chunks=(1, 2))
        c.create_dataset("lzf", data=whole((7, 9), "u2"), chunks=(3, 4), compression="lzf")
        missing = c.create_dataset("missing", (8, 9), "u2", chunks=(4, 9))
        missing[:4] = 1
        f.create_dataset("scalar", data=3.5)
        f.create_dataset("text", data="a text")
        f.create_dataset("compound", data=np.zeros(3, [("a", "f4"), ("b", "i4")]))
        f.create_dataset("complex", data=np.zeros((3, 4), "c8"))
        f["second"] = f["plain/f4"]
        f["soft"] = h5py.SoftLink("/plain/f4")
        f["outside"] = h5py.ExternalLink("other.h5", "/data")
        p = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        p.set_layout(h5py.h5d.COMPACT)
        d = h5py.h5d.create(f.id, b"compact", h5py.h5t.IEEE_F64LE, h5py.h5s.create_simple((3, 4)), p)
        d.write(h5py.h5s.ALL, h5py.h5s.ALL, real((3, 4), "f8"))
    with h5py.File("latest.h5", "w", libver="latest") as f:
        f["group/plain"] = real((6, 5), "f4")
        f.create_dataset("single", data=real((6, 5), "f4"), chunks=(6, 5), compression="gzip")
        f.create_dataset("array", data=real((6, 5), "f4"), chunks=(2, 5))
        f.create_dataset("extensible", data=real((6, 5), "f4"), chunks=(2, 5), maxshape=(None, 5))
        many = f.create_group("dense")
        for i in range(200):
            many[f"child{i}"] = float(i)

    # a scan of one Gaussian off the axis: 30 views of 2 rows and 24 bins
    theta = np.arange(30) * 6.0
    s = np.arange(24) - 11.5
    p = 1.5 * np.exp(-((s[None] - 5 * np.cos(np.radians(theta))[:, None]) ** 2) / 8)
    flat, dark = 1000 + 10 * np.arange(24.0), 50 + np.arange(24.0)
    n = np.exp(-p)[:, None] * (flat - dark) + dark
    n = np.rint(np.repeat(n, 2, axis=1)).astype("u2")
    flats = np.rint(np.broadcast_to(flat, (3, 2, 24)) + np.array([-2, 0, 2])[:, None, None]).astype("u2")
    darks = np.broadcast_to(dark, (2, 2, 24)).astype("u2")
    with h5py.File("exchange.h5", "w") as f:
        f["exchange/data"], f["exchange/data_white"], f["exchange/data_dark"], f["exchange/theta"] = n, flats, darks, theta
    with h5py.File("exchange_radians.h5", "w") as f:
        f["exchange/data"], f["exchange/data_white"], f["exchange/data_dark"], f["exchange/theta"] = n, flats, darks, np.radians(theta)
    with h5py.File("exchange_bare.h5", "w") as f:
        f["exchange/data"], f["exchange/data_white"], f["exchange/data_dark"] = n, flats, darks
    with h5py.File("exchange_long.h5", "w") as f:
        f["exchange/data"], f["exchange/data_white"], f["exchange/data_dark"] = n, flats, darks
        f["exchange/theta"] = np.concatenate([[theta[0]] * 3, theta, [theta[-1]] * 2])
    with h5py.File("nxtomo.nxs", "w") as f:
        d = f.create_group("entry1/tomo_entry/instrument/detector")
        d.create_dataset("data", data=np.concatenate([darks, flats[:2], n, flats[2:]]), chunks=(1, 2, 24), compression="gzip")
        d["image_key"] = np.array([2, 2, 1, 1] + [0] * 30 + [1])
        f["entry1/tomo_entry/sample/rotation_angle"] = np.concatenate([np.zeros(4), theta, [0]])
        f["entry1/tomo_entry/data/data"] = h5py.SoftLink("/entry1/tomo_entry/instrument/detector/data")


def mats():
    sino = real((6, 9), "f8")
    par = {"distanceSourceOrigin": 410.66, "distanceSourceDetector": 553.74, "pixelSizePost": 0.2,
           "effectivePixelSizePost": 0.148322317, "numDetectorsPost": 9.0, "angles": np.arange(6) * 0.5, "projectionRows": "middle"}
    ct = {"CtDataFull": {"type": "2d", "sinogram": sino, "parameters": par}}
    scipy.io.savemat("htc_v5.mat", ct, do_compression=True)
    scipy.io.savemat("htc_v5_plain.mat", ct)
    scipy.io.savemat("matrix_v5.mat", {"sino": real((6, 9), "f4")}, do_compression=True)
    scipy.io.savemat("fips.mat", {"m": real((6, 9), "f8"), "A": scipy.sparse.eye(4, format="csc")})
    cell = np.empty((1, 2), object)
    cell[0, 0], cell[0, 1] = whole((3, 4), "i2"), "text"
    scipy.io.savemat("odd_v5.mat", {"a": whole((6, 9), "u2"), "c": cell, "z": np.zeros((2, 3), complex), "t": "h\u00e4llo", "s": [{"x": 1.0}, {"x": 2.0}],
                                    "l": np.array([[True, False]]), "e": np.zeros((0, 3))})
    scipy.io.savemat("v4.mat", {"a": real((6, 9), "f8")}, format="4")
    with h5py.File("htc_v73.mat", "w", userblock_size=512) as f:
        g = f.create_group("CtDataFull")
        g.create_dataset("sinogram", data=sino.T, chunks=(4, 6), compression="gzip")
        q = g.create_group("parameters")
        for k, v in par.items():
            if isinstance(v, str):
                q[k] = np.array([[ord(c)] for c in v], "u2")
            else:
                q[k] = np.atleast_2d(np.asarray(v, "f8")).T
    with open("htc_v73.mat", "r+b") as f:
        f.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")


def numpys():
    np.savez("plain.npz", sino=real((6, 9), "f4"), theta=np.arange(6) * 30.0)
    np.savez_compressed("packed.npz", sino=real((6, 9), "f4"), theta=np.arange(6) * 30.0)
    np.savez_compressed("bomb.npz", data=np.zeros((2000, 1000), "f8"))
    np.savez("object.npz", data=np.array([{"a": 1}, None], dtype=object), sino=real((6, 9), "f4"))


tiffs()
hdf5s()
mats()
numpys()
