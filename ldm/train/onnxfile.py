"""ONNX files of our networks: export, half-precision weights, graphs without weights, check against PyTorch.

Rules that keep the files readable by ONNX Runtime on a CPU or GPU and by our gradient builder: dynamo exporter, opset 18,
everything in one file, value_info kept, float32 compute, weights stored as float16 followed by a Cast (folded at load).
"""
import json
import logging
import pathlib
import tempfile
import warnings

import numpy as np
import onnx
import torch

OPSET = 18
HALF_ABOVE = 64  # elements; smaller tensors stay float32


def export(net, args, inputs, output, dynamic=None):
    """An onnx.ModelProto of net(*args) with the given names; dynamic: shapes for torch.export, None for static ones."""
    for noisy in ("torch.onnx", "onnxscript", "onnx_ir"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(net, args, dynamo=True, opset_version=OPSET, input_names=inputs,
                                    output_names=[output], dynamic_shapes=dynamic, verbose=False)
    with tempfile.TemporaryDirectory() as tmp:
        path = pathlib.Path(tmp) / "m.onnx"
        program.save(path, external_data=False)
        m = onnx.load(path)
    strip_notes(m)
    onnx.checker.check_model(m)
    return m


def strip_notes(m):
    """Removes stack traces and paths of the exporting machine, so that the same weights give the same bytes."""
    m.producer_version = ""
    del m.metadata_props[:]
    g = m.graph
    g.doc_string = ""
    del g.metadata_props[:]
    for group in (g.node, g.initializer, g.value_info, g.input, g.output):
        for item in group:
            item.doc_string = ""
            del item.metadata_props[:]
    return m


def halve(m, names):
    """Stores the float32 initializers in names as float16 <name>_h with a Cast back to <name>, at the head of the graph."""
    casts = []
    for t in m.graph.initializer:
        if t.data_type != onnx.TensorProto.FLOAT or t.name not in names or np.prod(t.dims) <= HALF_ABOVE:
            continue
        with np.errstate(over="ignore"):
            w = onnx.numpy_helper.to_array(t).astype(np.float16)
        if not np.isfinite(w).all():
            raise SystemExit(f"{t.name}: a weight is beyond the range of float16")
        casts.append(onnx.helper.make_node("Cast", [t.name + "_h"], [t.name], name="cast_" + t.name, to=onnx.TensorProto.FLOAT))
        t.CopyFrom(onnx.numpy_helper.from_array(w, t.name + "_h"))
    nodes = casts + list(m.graph.node)
    del m.graph.node[:]
    m.graph.node.extend(nodes)
    return m


def without_weights(m):
    """A copy without its float16 initializers; with_weights gives them back."""
    out = onnx.ModelProto()
    out.CopyFrom(m)
    del out.metadata_props[:]
    del out.graph.initializer[:]
    out.graph.initializer.extend(t for t in m.graph.initializer if t.data_type != onnx.TensorProto.FLOAT16)
    return out


def with_weights(graph, weights):
    """graph with every float16 initializer of weights."""
    out = onnx.ModelProto()
    out.CopyFrom(graph)
    out.graph.initializer.extend(t for t in weights.graph.initializer if t.data_type == onnx.TensorProto.FLOAT16)
    return out


def note_weights(m, net):
    """Writes the property "weights": where each weight of net lies, as {weight: [initializer, shape]}.

    The exporter reshapes norm weights and merges equal ones, so that not every weight has an initializer of its name.
    """
    floats = [t for t in m.graph.initializer if t.data_type == onnx.TensorProto.FLOAT]
    by_name, by_value = {t.name: t.name for t in floats}, {}
    for t in floats:
        by_value.setdefault(onnx.numpy_helper.to_array(t).tobytes(), t.name)
    where = {}
    for k, v in net.state_dict().items():
        name = by_name.get(k) or by_value.get(v.detach().float().numpy().tobytes())
        if name:
            where[k] = [name, list(v.shape)]
    m.metadata_props.add(key="weights", value=json.dumps(where, sort_keys=True, separators=(",", ":")))
    return m


def weights_of(m):
    """The state dict of the network that a file with weights was exported from (what note_weights could place)."""
    where = json.loads({p.key: p.value for p in m.metadata_props}.get("weights", "{}"))
    tensors = {t.name: t for t in m.graph.initializer}
    pick = lambda name: onnx.numpy_helper.to_array(tensors[name + "_h"] if name + "_h" in tensors else tensors[name])
    return {k: torch.from_numpy(pick(name).astype(np.float32).reshape(shape)) for k, (name, shape) in where.items()}


def session(m, threads=1):
    import onnxruntime as ort

    o = ort.SessionOptions()
    o.intra_op_num_threads, o.inter_op_num_threads, o.log_severity_level = threads, 1, 3
    return ort.InferenceSession(m.SerializeToString(), o, providers=["CPUExecutionProvider"])


def difference(m, net, args):
    """Largest |ONNX Runtime - PyTorch| over the output, relative to its largest magnitude."""
    s = session(m)
    got = s.run(None, {i.name: a.numpy() for i, a in zip(s.get_inputs(), args)})[0]
    with torch.no_grad():
        want = net(*args).numpy()
    return float(np.abs(got - want).max() / max(1e-6, np.abs(want).max()))


def signature(values):
    """[{name, shape, dtype}] of graph inputs or outputs; a free axis is given by name."""
    def one(v):
        t = v.type.tensor_type
        return dict(name=v.name, shape=[d.dim_param or d.dim_value for d in t.shape.dim],
                    dtype=onnx.TensorProto.DataType.Name(t.elem_type).lower())
    return [one(v) for v in values]


def rename_axes(m, names):
    """Gives free axes their plain names: names maps an input or output to one name or None an axis."""
    for v in [*m.graph.input, *m.graph.output]:
        for d, name in zip(v.type.tensor_type.shape.dim, names.get(v.name, ())):
            if d.HasField("dim_param") and name:
                d.dim_param = name
    return m
