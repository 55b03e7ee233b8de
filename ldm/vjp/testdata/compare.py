"""Gradient graphs of ctrecon/ldm/vjp, run by ONNX Runtime in float32, against PyTorch's autograd in float64.

    go test ./ldm/vjp -run TestWrite -write /tmp/graphs
    python ldm/vjp/testdata/compare.py /tmp/graphs/decoder.onnx /tmp/graphs/decoder_vjp.onnx [MODEL GRADIENT ...]

Each MODEL is evaluated node by node in PyTorch, which differentiates it; nothing of the Go code takes part. Printed are relative errors
|got - want| / |want| (Euclidean norm; largest element over largest element) of the outputs and gradients, and those of PyTorch itself in
float32 as a yardstick. Needs torch, onnx, onnxruntime.
"""
import sys

import numpy as np
import onnx
import onnxruntime as ort
import torch
import torch.nn.functional as F
from onnx import helper, numpy_helper


def attributes(node):
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def ints(t):
    return [int(v) for v in t.reshape(-1)]


def conv(x, w, bias, a, transposed=False):
    n = x.dim() - 2
    pads = a.get("pads", [0] * 2 * n)
    stride, dilation, groups = a.get("strides", [1] * n), a.get("dilations", [1] * n), a.get("group", 1)
    if transposed:
        assert pads[:n] == pads[n:]
        return (F.conv_transpose1d, F.conv_transpose2d)[n - 1](x, w, bias, stride, pads[:n], a.get("output_padding", [0] * n), groups, dilation)
    around = [p for i in reversed(range(n)) for p in (pads[i], pads[n + i])]
    return (F.conv1d, F.conv2d)[n - 1](F.pad(x, around), w, bias, stride, 0, dilation, groups)


def instance_norm(x, scale, bias, a):
    axes = tuple(range(2, x.dim()))
    mean, shape = x.mean(axes, keepdim=True), [1, -1] + [1] * (x.dim() - 2)
    var = ((x - mean) ** 2).mean(axes, keepdim=True)
    return (x - mean) / torch.sqrt(var + a.get("epsilon", 1e-5)) * scale.view(shape) + bias.view(shape)


def reshape(x, shape, a):
    return x.reshape([x.shape[i] if d == 0 and not a.get("allowzero", 0) else d for i, d in enumerate(ints(shape))])


def resize(x, sizes, scales, a):
    assert a.get("mode") == b"nearest"
    factors = ints(scales) if scales is not None else [o // i for o, i in zip(ints(sizes), x.shape)]
    for axis, k in enumerate(factors):
        x = x.repeat_interleave(k, axis)
    return x


def depth_to_space(x, a):
    n, c, h, w = x.shape
    k = a["blocksize"]
    if a.get("mode") == b"CRD":
        return F.pixel_shuffle(x, k)
    return x.reshape(n, k, k, c // k // k, h, w).permute(0, 3, 4, 1, 5, 2).reshape(n, c // k // k, h * k, w * k)


def slices(x, starts, ends, axes, steps):
    axes = ints(axes) if axes is not None else range(len(starts))
    steps = ints(steps) if steps is not None else [1] * len(starts)
    for s, e, axis, k in zip(ints(starts), ints(ends), axes, steps):
        x = x[(slice(None),) * (axis % x.dim()) + (slice(s, e, k),)]
    return x


def split(x, lengths, a, outs):
    axis = a.get("axis", 0)
    return torch.split(x, ints(lengths) if lengths is not None else -(-x.shape[axis] // outs), axis)


def gemm(p, q, c, a):
    p, q = (p.T if a.get("transA") else p), (q.T if a.get("transB") else q)
    y = a.get("alpha", 1.0) * (p @ q)
    return y if c is None else y + a.get("beta", 1.0) * c


def squeeze(x, axes):
    for axis in sorted((v % x.dim() for v in ints(axes)), reverse=True):
        x = x.squeeze(axis)
    return x


def unsqueeze(x, axes):
    rank = x.dim() + axes.numel()
    for axis in sorted(v % rank for v in ints(axes)):
        x = x.unsqueeze(axis)
    return x


def pad(x, pads, a):
    assert a.get("mode", b"constant") == b"constant"
    n = x.dim()
    p = ints(pads)
    return F.pad(x, [v for i in reversed(range(n)) for v in (p[i], p[n + i])])


OPS = {
    "Add": lambda i, a, n: i[0] + i[1], "Sub": lambda i, a, n: i[0] - i[1], "Mul": lambda i, a, n: i[0] * i[1], "Div": lambda i, a, n: i[0] / i[1],
    "Pow": lambda i, a, n: i[0] ** i[1], "Sqrt": lambda i, a, n: torch.sqrt(i[0]), "Exp": lambda i, a, n: torch.exp(i[0]),
    "Erf": lambda i, a, n: torch.erf(i[0]), "Sin": lambda i, a, n: torch.sin(i[0]), "Cos": lambda i, a, n: torch.cos(i[0]),
    "Neg": lambda i, a, n: -i[0], "Reciprocal": lambda i, a, n: 1 / i[0], "Sigmoid": lambda i, a, n: torch.sigmoid(i[0]), "Tanh": lambda i, a, n: torch.tanh(i[0]),
    "Softmax": lambda i, a, n: torch.softmax(i[0], a.get("axis", -1)), "MatMul": lambda i, a, n: i[0] @ i[1], "Gemm": lambda i, a, n: gemm(i[0], i[1], i[2], a),
    "Conv": lambda i, a, n: conv(i[0], i[1], i[2], a), "ConvTranspose": lambda i, a, n: conv(i[0], i[1], i[2], a, True),
    "InstanceNormalization": lambda i, a, n: instance_norm(i[0], i[1], i[2], a),
    "LayerNormalization": lambda i, a, n: F.layer_norm(i[0], i[0].shape[a.get("axis", -1):], i[1], i[2], a.get("epsilon", 1e-5)),
    "Reshape": lambda i, a, n: reshape(i[0], i[1], a), "Transpose": lambda i, a, n: i[0].permute(a["perm"]), "Expand": lambda i, a, n: i[0] * torch.ones(ints(i[1]), dtype=i[0].dtype),
    "Squeeze": lambda i, a, n: squeeze(i[0], i[1]), "Unsqueeze": lambda i, a, n: unsqueeze(i[0], i[1]), "Identity": lambda i, a, n: i[0],
    "Concat": lambda i, a, n: torch.cat([v for v in i if v is not None], a["axis"]), "Slice": lambda i, a, n: slices(*i[:5]), "Split": lambda i, a, n: split(i[0], i[1], a, n),
    "Resize": lambda i, a, n: resize(i[0], i[3], i[2], a), "DepthToSpace": lambda i, a, n: depth_to_space(i[0], a), "Pad": lambda i, a, n: pad(i[0], i[1], a),
    "AveragePool": lambda i, a, n: F.avg_pool2d(i[0], a["kernel_shape"], a["strides"]), "Shape": lambda i, a, n: torch.tensor(i[0].shape),
    "GroupNormalization": lambda i, a, n: F.group_norm(i[0], a["num_groups"], i[1], i[2], a["epsilon"]),
    "Constant": lambda i, a, n: torch.from_numpy(np.array(numpy_helper.to_array(a["value"]))),
    "ReduceMean": lambda i, a, n: i[0].mean(ints(i[1]), keepdim=bool(a.get("keepdims", 1))),
    "ReduceSum": lambda i, a, n: i[0].sum(ints(i[1]), keepdim=bool(a.get("keepdims", 1))),
    "Clip": lambda i, a, n: torch.clamp(i[0], *[None if v is None else v.item() for v in i[1:3]]),
}


def evaluate(model, feed, dtype):
    """The outputs of the graph with every real tensor in dtype."""
    t = {}
    for w in model.graph.initializer:
        v = torch.from_numpy(np.array(numpy_helper.to_array(w)))
        t[w.name] = v.to(dtype) if v.is_floating_point() else v
    t.update(feed)
    for node in model.graph.node:
        given = [t[i] if i else None for i in node.input] + [None] * 6
        if node.op_type == "Cast":
            to = helper.tensor_dtype_to_np_dtype(attributes(node)["to"])
            out = given[0].to(dtype if np.issubdtype(to, np.floating) else torch.int64)
        else:
            out = OPS[node.op_type](given, attributes(node), len(node.output))
        if isinstance(out, torch.Tensor) and out.is_floating_point():
            out = out.to(dtype)
        t.update(zip(node.output, out if isinstance(out, (tuple, list)) else [out]))
    return [t[o.name] for o in model.graph.output]


def gradients(model, feed, cotangents, wrt, dtype):
    feed = {k: torch.from_numpy(v).to(dtype) for k, v in feed.items()}
    for k in wrt:
        feed[k].requires_grad_(True)
    outs = evaluate(model, feed, dtype)
    loss = sum((y * torch.from_numpy(cotangents[o.name]).to(dtype)).sum() for y, o in zip(outs, model.graph.output) if o.name in cotangents)
    grads = torch.autograd.grad(loss, [feed[k] for k in wrt])
    named = {o.name: y for y, o in zip(outs, model.graph.output)}
    named.update({"d_" + k: g for k, g in zip(wrt, grads)})
    return {k: v.detach().double().numpy() for k, v in named.items()}


def errors(got, want):
    """|got - want| / |want|, Euclidean and of the largest elements."""
    diff = got.astype(float) - want
    return np.linalg.norm(diff) / np.linalg.norm(want), np.abs(diff).max() / np.abs(want).max()


def compare(path, grad_path, seed=1):
    """{tensor: (errors of the graph, errors of PyTorch in float32)} for outputs and gradients."""
    model, rng = onnx.load(path), np.random.default_rng(seed)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(grad_path, options, providers=["CPUExecutionProvider"])
    old = {i.name for i in model.graph.input}
    feed = {i.name: rng.standard_normal(i.shape).astype(np.float32) for i in session.get_inputs()}
    names = [o.name for o in session.get_outputs()]
    got = dict(zip(names, session.run(names, feed)))
    inputs = {k: v for k, v in feed.items() if k in old}
    cotangents = {k[2:]: v for k, v in feed.items() if k not in old}
    wrt = [n[2:] for n in names if n.startswith("d_") and n[2:] in old]
    want, single = (gradients(model, inputs, cotangents, wrt, t) for t in (torch.float64, torch.float32))
    return {k: (errors(got[k], want[k]), errors(single[k], want[k])) for k in names}


if __name__ == "__main__":
    torch.set_num_threads(2)
    if len(sys.argv) < 3 or len(sys.argv) % 2 == 0:
        raise SystemExit(__doc__)
    for path, grad in zip(sys.argv[1::2], sys.argv[2::2]):
        for k, ((norm, worst), (norm1, worst1)) in compare(path, grad).items():
            print(f"{path.split('/')[-1]:24} {k:10} norm {norm:.1e}  largest {worst:.1e}   (torch float32: {norm1:.1e}  {worst1:.1e})", flush=True)
