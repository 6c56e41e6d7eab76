"""Writes the node cases of an installed Python package onnx, which holds them as programs, as files.

    python make_newer.py FOLDER

FOLDER/node/NAME/{model.onnx,test_data_set_0/*.pb} is then a suite for `select_cases.py --suite FOLDER --origin
onnx-VERSION`. Cases with other inputs and outputs than tensors are left out, and those whose numbers are drawn
differ from run to run.
"""

import pathlib
import sys

import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases


def main():
    top = pathlib.Path(sys.argv[1]) / "node"
    count = 0
    for case in collect_testcases():
        (inputs, outputs), graph = case.data_sets[0], case.model.graph
        values = [*zip(graph.input, inputs), *zip(graph.output, outputs)]
        if not all(value.type.HasField("tensor_type") for value, _ in values):
            continue
        data = top / case.name / "test_data_set_0"
        data.mkdir(parents=True, exist_ok=True)
        (data.parent / "model.onnx").write_bytes(case.model.SerializeToString())
        for kind, infos, arrays in (("input", graph.input, inputs), ("output", graph.output, outputs)):
            for index, (info, array) in enumerate(zip(infos, arrays)):
                if not isinstance(array, onnx.TensorProto):
                    array = numpy_helper.from_array(array, info.name)
                (data / f"{kind}_{index}.pb").write_bytes(array.SerializeToString())
        count += 1
    print(count, "cases of onnx", onnx.__version__)


main()
