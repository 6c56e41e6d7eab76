"""Makes what tests/formats.rs reads: the fixture `residual` with other weights, and in half precision.

    python tests/expected/make_formats.py

residual_other.safetensors holds seeded weights for every initializer of tests/fixtures/residual/model.onnx, written by
safetensors 0.8.0, and counters as torch saves them; residual_other.npy is what onnxruntime 1.32.0 computes with them.
residual_half.onnx is the model with all weights, its input and its output in FLOAT16, and with one layer between two
Casts that computes in FLOAT, as converters keep some; residual_half.npy is what onnxruntime 1.32.0 computes.
Both take tests/fixtures/residual/input.npy.
"""

import pathlib

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).resolve().parent
FIXTURE = HERE.parent / "fixtures/residual"
MODEL = FIXTURE / "model.onnx"


def run(model, values):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: values})[0]


def others(model):
    random = np.random.default_rng(11)
    weights = {}
    for tensor in model.graph.initializer:
        own = numpy_helper.to_array(tensor)
        noise = random.uniform(0.5, 1.5, own.shape).astype(np.float32)
        # Statistics stay positive where they were; the rest changes its size and keeps its sign.
        weights[tensor.name] = own * noise
        tensor.CopyFrom(numpy_helper.from_array(weights[tensor.name], tensor.name))
        if tensor.name.endswith("running_mean"):
            weights[tensor.name.replace("running_mean", "num_batches_tracked")] = np.array(7, np.int64)
    return weights


def halve(model):
    graph = model.graph
    for tensor in graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name))
    for info in [*graph.input, *graph.output]:
        info.type.tensor_type.elem_type = TensorProto.FLOAT16
    pool = next(index for index, node in enumerate(graph.node) if node.op_type == "GlobalAveragePool")
    node = graph.node[pool]
    [before], [after] = list(node.input), list(node.output)
    node.input[0], node.output[0] = "single_before", "single_after"
    graph.node.insert(pool, helper.make_node("Cast", [before], ["single_before"], "to_single", to=TensorProto.FLOAT))
    graph.node.insert(pool + 2, helper.make_node("Cast", ["single_after"], [after], "to_half", to=TensorProto.FLOAT16))
    del graph.value_info[:]
    onnx.checker.check_model(model)


values = np.load(FIXTURE / "input.npy")

model = onnx.load(MODEL)
save_file(others(model), HERE / "residual_other.safetensors")
np.save(HERE / "residual_other.npy", run(model, values))

model = onnx.load(MODEL)
halve(model)
onnx.save(model, HERE / "residual_half.onnx")
np.save(HERE / "residual_half.npy", run(model, values.astype(np.float16)).astype(np.float32))
