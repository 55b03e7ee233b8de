"""Writes testdata/tiny: a bundle whose networks are known in closed form, so that tests need no trained model.

Beside it huge.onnx, a UNet for it that asks for 2^50 bytes and so for more than any machine has.
Images are 64 x 64. Encoder and decoder are the four lowest DCT-II patterns of 4 x 4 blocks (orthonormal: E = D'). The UNet
is exact for latents N(0, diag S): v = sqrt(a (1-a)) (1-S) z / (a S + 1-a), a = 1/(1+e^l). The restorer takes .6 of the
attenuation of u and .3 of that of FBP. python3 tiny.py (numpy, onnx)
"""
import hashlib
import json
import math
import pathlib

import numpy as np
from onnx import TensorProto, helper, numpy_helper

N, M, C = 64, 16, 4
S = [8.0, 1.0, 1.0, 0.25]
OUT = pathlib.Path(__file__).parent / "tiny"


def patterns():
    i = np.arange(4)
    c = [np.full(4, 0.5), math.sqrt(0.5) * np.cos(np.pi * (i + 0.5) / 4)]
    return np.stack([np.outer(c[u], c[v]) for u in (0, 1) for v in (0, 1)])[:, None].astype(np.float32)


def port(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def write(role, nodes, inputs, output, weights):
    g = helper.make_graph(nodes, role, inputs, [output], [numpy_helper.from_array(np.asarray(v, np.float32), k) for k, v in weights.items()])
    body = helper.make_model(g, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString(deterministic=True)
    name = role + ".onnx"
    (OUT / name).write_bytes(body)
    sign = lambda ports: [dict(name=p.name, shape=[d.dim_value for d in p.type.tensor_type.shape.dim], dtype="float") for p in ports]
    return {name: dict(role=role, bytes=len(body), sha256=hashlib.sha256(body).hexdigest(), inputs=sign(inputs), outputs=sign([output]))}


def write_huge():
    whole = numpy_helper.from_array(np.array([2**38, C, M, M], np.int64), "whole")
    nodes = [helper.make_node("Expand", ["z", "whole"], ["many"]), helper.make_node("ReduceMean", ["many", "first"], ["v"])]
    g = helper.make_graph(nodes, "huge", [port("z", 1, C, M, M), port("lognsr", 1)], [port("v", 1, C, M, M)], [whole, numpy_helper.from_array(np.array([0], np.int64), "first")])
    m = helper.make_model(g, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    OUT.with_name("huge.onnx").write_bytes(m.SerializeToString(deterministic=True))


def main():
    write_huge()
    OUT.mkdir(exist_ok=True)
    n, w, s = helper.make_node, patterns(), np.reshape(S, (1, C, 1, 1))
    files = write("encoder", [n("Conv", ["x", "w"], ["z"], strides=[4, 4])], [port("x", 1, 1, N, N)], port("z", 1, C, M, M), dict(w=w))
    files |= write("decoder", [n("ConvTranspose", ["z", "w"], ["x"], strides=[4, 4])], [port("z", 1, C, M, M)], port("x", 1, 1, N, N), dict(w=w))
    unet = [n("Neg", ["lognsr"], ["m"]), n("Sigmoid", ["m"], ["a"]), n("Sigmoid", ["lognsr"], ["b"]), n("Mul", ["a", "b"], ["ab"]), n("Sqrt", ["ab"], ["r"]),
            n("Mul", ["r", "t"], ["num"]), n("Mul", ["a", "s"], ["as"]), n("Add", ["as", "b"], ["den"]), n("Div", ["num", "den"], ["f"]), n("Mul", ["z", "f"], ["v"])]
    files |= write("unet", unet, [port("z", 1, C, M, M), port("lognsr", 1)], port("v", 1, C, M, M), dict(s=s, t=1 - s))
    restorer = [n("Mul", ["u", "a"], ["p"]), n("Mul", ["fbp", "b"], ["q"]), n("Add", ["p", "q"], ["s"]), n("Add", ["s", "c"], ["x"])]
    files |= write("restorer", restorer, [port("fbp", 1, 1, N, N), port("u", 1, 1, N, N)], port("x", 1, 1, N, N), dict(a=0.6, b=0.3, c=-0.1))
    levels = [float(l) for l in range(-10, 7)]
    a = 1 / (1 + np.exp(levels))
    rz2 = np.mean([v * (1 - a) / (a * v + 1 - a) for v in S], 0)
    floor = 4e-4
    rows = dict(r2=(rz2 / 4 + floor).tolist(), rz2=rz2.tolist(), q2=[1.0] * len(levels))
    bundle = dict(
        schema="ctrecon-bundle/1", name="tiny", version="1", licence="Apache-2.0", use="tests",
        image=dict(height=N, width=N, multiple_of=4, batch=1, hu_min=-1000.0, hu_max=2000.0, hu_mid=500.0, hu_half=1500.0), pixel_mm=dict(min=4.0, median=6.0, max=8.0),
        latent=dict(channels=C, height=M, width=M, factor=4, shift=[0.0] * C, scale=[1.0] * C, inside_graphs=True), prediction="v",
        schedule=dict(variable="lognsr", min=-12.0, max=12.0, training="none"), conditioning=None, restorer=dict(rounds=2, kappa=1.0), sampler=dict(start=2.0, end=-7.0, steps=20, eta=1.0, perturb=1.0),
        tables=dict(levels=levels, flag0=rows), training=dict(slices=0, patients=0, hardware="none"), attribution=[], files=files)
    (OUT / "bundle.json").write_text(json.dumps(bundle, indent=1) + "\n")


main()
