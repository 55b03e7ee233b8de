"""Writes rival.onnx and rival.json: a network that multiplies attenuation by .9, u -> .9 u - .1, for 64 x 64 pixels.

python3 make.py (numpy, onnx)
"""
import hashlib
import json
import pathlib

import numpy as np
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).parent


def main():
    port = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, 64, 64])
    nodes = [helper.make_node("Mul", ["fbp", "a"], ["h"]), helper.make_node("Add", ["h", "b"], ["x"])]
    weights = [numpy_helper.from_array(np.float32(v), k) for k, v in (("a", 0.9), ("b", -0.1))]
    graph = helper.make_graph(nodes, "rival", [port("fbp")], [port("x")], weights)
    body = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString(deterministic=True)
    (HERE / "rival.onnx").write_bytes(body)
    (HERE / "rival.json").write_text(json.dumps(dict(
        schema="ctrecon-rival/1", sha256=hashlib.sha256(body).hexdigest(), height=64, width=64, hu_mid=500, hu_half=1500, views=25, r_hu=[100, 60]), indent=1) + "\n")


if __name__ == "__main__":
    main()
