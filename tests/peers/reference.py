"""A second implementation of a few ONNX operators, in double precision with torch."""

import onnx
import torch
from onnx import numpy_helper
from torch.nn import functional as F


def convolution(given, x, weight, bias=None):
    top, left, bottom, right = given.get("pads", [0, 0, 0, 0])
    x = F.pad(x, (left, right, top, bottom))
    return F.conv2d(x, weight, bias, given.get("strides", 1), 0, given.get("dilations", 1), given.get("group", 1))


def max_pooling(given, x):
    assert not any(given.get("pads", [0])), "padding of a max pooling"
    return F.max_pool2d(x, given["kernel_shape"], given.get("strides", [1, 1]), ceil_mode=bool(given.get("ceil_mode", 0)))


OPERATORS = {
    "Add": lambda given, a, b: a + b,
    "Concat": lambda given, *parts: torch.cat(parts, given["axis"]),
    "Conv": convolution,
    "Dropout": lambda given, x, *_: x,
    "Flatten": lambda given, x: x.flatten(given.get("axis", 1)),
    "GlobalAveragePool": lambda given, x: x.mean((2, 3), keepdim=True),
    "MaxPool": max_pooling,
    "Relu": lambda given, x: x.relu(),
    "Reshape": lambda given, x, shape: x.reshape([x.shape[0], *map(int, shape[1:])]),
    "Softmax": lambda given, x: x.softmax(given.get("axis", -1)),
}


def values(path, pictures):
    """Computes every value of a model in double precision, by name, in order."""
    graph = onnx.load(path).graph
    known = {tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()).double() for tensor in graph.initializer}
    fed = next(value.name for value in graph.input if value.name not in known)
    known[fed] = torch.from_numpy(pictures).double()
    computed = {}
    for node in graph.node:
        given = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
        with torch.no_grad():
            known[node.output[0]] = OPERATORS[node.op_type](given, *(known[name] for name in node.input if name))
        computed[node.output[0]] = known[node.output[0]].numpy()
    return computed
