"""Writes the node tests of the installed onnx package: one folder each with model.onnx and test_data_set_0."""

import os
import sys

from onnx import TensorProto, numpy_helper
from onnx.backend.test.case.node import collect_testcases

out = sys.argv[1]
for case in collect_testcases():
    folder = os.path.join(out, case.name, "test_data_set_0")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(out, case.name, "model.onnx"), "wb") as f:
        f.write(case.model.SerializeToString())
    inputs, outputs = case.data_sets[0]
    ports = case.model.graph
    for kind, values, infos in (("input", inputs, ports.input), ("output", outputs, ports.output)):
        for i, (value, info) in enumerate(zip(values, infos)):
            try:
                tensor = value if isinstance(value, TensorProto) else numpy_helper.from_array(value, info.name)
            except Exception:  # sequences and optional values are no tensors
                continue
            with open(os.path.join(folder, f"{kind}_{i}.pb"), "wb") as f:
                f.write(tensor.SerializeToString())
