"""Makes squeezenet_logits.npy: SqueezeNet 1.1 in onnxruntime 1.32.0 on a tensor of whole numbers.

    python tests/expected/make_squeezenet.py

The input is `(7919 i mod 509) - 254` for i in row-major order, so that any program can make the very same numbers.
squeezenet_top5.json holds [class, name, probability] from onnxruntime 1.32.0 for the photographs, prepared with PIL.
"""

import pathlib

import numpy as np
import onnx
import onnxruntime as ort

HERE = pathlib.Path(__file__).resolve().parent
MODEL = HERE.parents[1] / "examples/models/squeezenet1_1.onnx"

shape = (1, 3, 227, 227)
values = (np.arange(np.prod(shape)) * 7919 % 509 - 254).astype(np.float32).reshape(shape)
options = ort.SessionOptions()
options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL

model = onnx.load(MODEL)
softmax = next(node for node in model.graph.node if node.op_type == "Softmax")
model.graph.output.append(onnx.helper.make_tensor_value_info(softmax.input[0], onnx.TensorProto.FLOAT, None))
session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
logits = session.run([softmax.input[0]], {session.get_inputs()[0].name: values})[0]
np.save(HERE / "squeezenet_logits.npy", logits)
