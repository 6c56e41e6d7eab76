#!/usr/bin/env python3
"""Writes one small model per operator set, and what onnxruntime and torch make of every output.

    python make_windows.py        (in this folder; needs onnx, onnxruntime, numpy, torch)

Each output of a model is one case: an operator with its attributes on the shared input `x`. Values, and gradients of the
sum of the values times `signal`, are computed in float64 by a second definition of the operator in terms of torch; the
script stops where onnxruntime's values are others (1e-5 of the largest). Inputs and weights are small integers, all
values of `x` differ, and results are stored as float32.

Made with onnx 1.23.2, onnxruntime 1.32.0, numpy 2.4.6, torch 2.15.0.
"""
import json

import numpy as np
import onnxruntime
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper

onnxruntime.set_default_logger_severity(3)
SHAPE = (1, 4, 7, 6)
CASES = []


def numbers(shape, low, high, seed):
    return np.random.RandomState(seed).randint(low, high + 1, shape).astype(np.float32)


def case(opset, name, operator, reference, stored=(), nodes=None, **attributes):
    """A case: `stored` are the operands behind the first, `reference` is the same in torch."""
    CASES.append((opset, name, operator, [np.asarray(s) for s in stored], attributes, reference, nodes))


# ------------------------------------------------------------------ the same in torch

def padded(x, pads, value=0.0):
    top, left, bottom, right = pads
    return F.pad(x, (left, right, top, bottom), value=value)


def same(size, kernel, stride, upper):
    """The pads of SAME_UPPER and SAME_LOWER."""
    total = [max(0, (-(-n // s) - 1) * s + k - n) for n, k, s in zip(size, kernel, stride)]
    less, more = [t // 2 for t in total], [t - t // 2 for t in total]
    return (*less, *more) if upper else (*more, *less)


def pads_of(attributes, kernel, size):
    stride = attributes.get("strides", [1, 1])
    automatic = attributes.get("auto_pad", "NOTSET")
    if automatic.startswith("SAME"):
        return same(size, kernel, stride, automatic == "SAME_UPPER")
    return attributes.get("pads", [0, 0, 0, 0])


def conv(x, w, b=None, **a):
    x = padded(x, pads_of(a, w.shape[2:], x.shape[2:]))
    return F.conv2d(x, w, b, a.get("strides", 1), 0, a.get("dilations", 1), a.get("group", 1))


def conv_transpose(x, w, b=None, **a):
    stride, dilation = a.get("strides", [1, 1]), a.get("dilations", [1, 1])
    extra, pads = a.get("output_padding", [0, 0]), a.get("pads", [0, 0, 0, 0])
    size = a.get("output_shape")
    automatic = a.get("auto_pad", "NOTSET")
    if size is None and automatic.startswith("SAME"):
        size = [n * s for n, s in zip(x.shape[2:], stride)]
    whole = F.conv_transpose2d(x, w, None, stride, 0, 0, a.get("group", 1), dilation)
    whole = F.pad(whole, (0, extra[1], 0, extra[0]))
    if size is not None:
        total = [n - wanted for n, wanted in zip(whole.shape[2:], size)]
        less, more = [t // 2 for t in total], [t - t // 2 for t in total]
        pads = (*less, *more) if automatic == "SAME_UPPER" else (*more, *less)
        pads = [p if min(total) >= 0 else (0 if i < 2 else total[i - 2]) for i, p in enumerate(pads)]
    whole = padded(whole, [-p for p in pads])
    return whole if b is None else whole + b[:, None, None]


def patches(x, a, value):
    """The values under every tap, [tap, n, c, h, w], for the windows that the runtimes make."""
    kernel, stride = a["kernel_shape"], a.get("strides", [1, 1])
    dilation = a.get("dilations", [1, 1])
    pads = pads_of(a, kernel, x.shape[2:])
    outputs, behind = [], []
    for axis in (0, 1):
        span = (kernel[axis] - 1) * dilation[axis] + 1
        near = x.shape[2 + axis] + pads[axis]
        room = near + pads[2 + axis] - span
        steps = -(-room // stride[axis]) if a.get("ceil_mode") else room // stride[axis]
        if a.get("ceil_mode") and steps * stride[axis] >= near:
            steps -= 1
        outputs.append(steps + 1)
        behind.append(max(0, steps * stride[axis] + span - near))
    x = padded(x, (pads[0], pads[1], *behind), value)
    taps = []
    for row in range(kernel[0]):
        for column in range(kernel[1]):
            top, left = row * dilation[0], column * dilation[1]
            taps.append(x[:, :, top:top + (outputs[0] - 1) * stride[0] + 1:stride[0],
                          left:left + (outputs[1] - 1) * stride[1] + 1:stride[1]])
    return torch.stack(taps)


def max_pool(x, **a):
    return patches(x, a, -torch.inf).max(0).values


def average_pool(x, **a):
    counted = torch.ones(x.shape[2:])[None, None]
    if a.get("count_include_pad"):
        # The padding counts, what ceil_mode reaches beyond it does not.
        counted = padded(counted, pads_of(a, a["kernel_shape"], x.shape[2:]), 1.0)
        a_counted = {k: v for k, v in a.items() if k not in ("pads", "auto_pad")}
        total = patches(x, a, 0.0).sum(0)
        count = patches(F.pad(counted, (0, 9, 0, 9)), {**a_counted, "ceil_mode": 0}, 0.0).sum(0)
        return total / count[:, :, :total.shape[2], :total.shape[3]]
    return patches(x, a, 0.0).sum(0) / patches(counted, a, 0.0).sum(0)


def unpooled(x, **a):
    """MaxPool, twice its values, and MaxUnpool by its positions: twice every maximum, and zero elsewhere. (torch's own
    max_unpool2d hands the signal of a cell to every window that shares it, which is not the derivative.)"""
    _, places = F.max_pool2d(x, a["kernel_shape"], a["strides"], return_indices=True)
    stands = torch.zeros_like(x).flatten(2).scatter(2, places.flatten(2), 1.0).reshape(x.shape)
    return 2 * x * stands


def standardized(x, axes, epsilon=1e-5):
    mean = x.mean(axes, keepdim=True)
    return (x - mean) / torch.sqrt(((x - mean) ** 2).mean(axes, keepdim=True) + epsilon)


def lrn(x, size, alpha, beta, bias):
    padded_squares = F.pad(x * x, (0, 0, 0, 0, size // 2, size // 2))
    total = sum(padded_squares[:, i:i + x.shape[1]] for i in range(size))
    return x / (bias + alpha / size * total) ** beta


# ------------------------------------------------------------------ the table

def weight(*shape):
    return numbers(shape, -3, 3, sum(shape))


def convolutions():
    b6 = numbers(6, -3, 3, 1)
    for name, w, extra in [
        ("plain", weight(6, 4, 3, 3), {}),
        ("stride_and_uneven_pads", weight(6, 4, 3, 2), dict(strides=[2, 3], pads=[0, 1, 2, 1])),
        ("group_dilation", weight(6, 2, 2, 3), dict(group=2, dilations=[3, 2], pads=[1, 2, 0, 1])),
        ("depthwise", weight(8, 1, 3, 3), dict(group=4, pads=[1, 1, 1, 1], strides=[2, 2])),
        ("kernel_stated", weight(6, 4, 1, 3), dict(kernel_shape=[1, 3], auto_pad="NOTSET")),
        ("same_upper_even", weight(6, 4, 2, 4), dict(auto_pad="SAME_UPPER", strides=[2, 3])),
        ("same_lower_even", weight(6, 4, 2, 4), dict(auto_pad="SAME_LOWER", strides=[2, 3])),
        ("same_upper_odd", weight(6, 4, 3, 3), dict(auto_pad="SAME_UPPER", strides=[3, 1])),
        ("same_lower_far", weight(6, 4, 1, 1), dict(auto_pad="SAME_LOWER", strides=[3, 2])),
        ("valid", weight(6, 4, 3, 2), dict(auto_pad="VALID", dilations=[2, 1])),
    ]:
        case(21, f"conv_{name}", "Conv", conv, [w], **extra)
    case(21, "conv_bias", "Conv", conv, [weight(6, 4, 3, 3), b6], pads=[2, 0, 0, 1])
    for name, w, extra in [
        ("plain", weight(4, 3, 3, 3), {}),
        ("stride_and_uneven_pads", weight(4, 3, 3, 2), dict(strides=[2, 3], pads=[0, 1, 2, 1])),
        ("group_dilation", weight(4, 3, 2, 3), dict(group=2, dilations=[3, 2], pads=[1, 2, 0, 1])),
        ("depthwise", weight(4, 1, 3, 3), dict(group=4, pads=[1, 1, 1, 1], strides=[2, 2])),
        ("output_padding", weight(4, 3, 3, 2), dict(strides=[2, 3], output_padding=[1, 2], pads=[1, 0, 0, 0])),
        ("same_upper", weight(4, 3, 3, 4), dict(strides=[2, 3], auto_pad="SAME_UPPER")),
        ("same_lower", weight(4, 3, 3, 4), dict(strides=[2, 3], auto_pad="SAME_LOWER")),
        ("valid", weight(4, 3, 2, 2), dict(strides=[2, 2], auto_pad="VALID")),
        ("shape", weight(4, 3, 3, 4), dict(strides=[2, 2], output_shape=[14, 11])),
        ("shape_upper", weight(4, 3, 3, 4), dict(strides=[2, 2], output_shape=[14, 11], auto_pad="SAME_UPPER")),
        ("shape_larger", weight(4, 3, 1, 2), dict(strides=[3, 2], output_shape=[21, 12])),
    ]:
        case(21, f"conv_transpose_{name}", "ConvTranspose", conv_transpose, [w], **extra)
    case(21, "conv_transpose_bias", "ConvTranspose", conv_transpose, [weight(4, 3, 2, 2), b6[:3]], strides=[2, 2])


def poolings():
    windows = [
        ("overlapping", dict(kernel_shape=[3, 3], strides=[2, 2])),
        ("overlapping_ceil", dict(kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)),
        ("uneven_pads", dict(kernel_shape=[3, 2], strides=[2, 1], pads=[0, 1, 2, 0])),
        ("uneven_pads_ceil", dict(kernel_shape=[3, 2], strides=[2, 3], pads=[2, 1, 1, 0], ceil_mode=1)),
        ("dropped_ceil", dict(kernel_shape=[2, 2], strides=[3, 3], pads=[1, 1, 1, 1], ceil_mode=1)),
        ("last_cell_ceil", dict(kernel_shape=[4, 3], strides=[3, 3], pads=[0, 1, 1, 1], ceil_mode=1)),
        ("dilated", dict(kernel_shape=[2, 3], dilations=[3, 2], pads=[1, 1, 0, 0])),
        ("dilated_ceil", dict(kernel_shape=[2, 2], dilations=[2, 3], strides=[2, 2], pads=[1, 1, 0, 1], ceil_mode=1)),
        ("same_upper_even", dict(kernel_shape=[2, 4], strides=[1, 3], auto_pad="SAME_UPPER")),
        ("same_lower_even", dict(kernel_shape=[2, 4], strides=[1, 3], auto_pad="SAME_LOWER")),
        ("same_lower_odd", dict(kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_LOWER")),
        ("valid_ceil", dict(kernel_shape=[3, 3], strides=[3, 2], auto_pad="VALID", ceil_mode=1)),
    ]
    for name, attributes in windows:
        case(21, f"max_{name}", "MaxPool", max_pool, **attributes)
        for include in (0, 1):
            suffix = "_padding_counts" if include else ""
            case(21, f"average_{name}{suffix}", "AveragePool", average_pool, count_include_pad=include, **attributes)
    case(7, "average_old", "AveragePool", average_pool, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)
    case(7, "max_old", "MaxPool", max_pool, kernel_shape=[2, 2])
    case(21, "global_average", "GlobalAveragePool", lambda x: x.mean((2, 3), keepdim=True))
    case(21, "global_max", "GlobalMaxPool", lambda x: x.amax((2, 3), keepdim=True))
    for name, kernel, stride in [("apart", [2, 3], [2, 3]), ("overlapping", [3, 2], [1, 2])]:
        window = dict(kernel_shape=kernel, strides=stride)
        case(21, f"unpool_{name}", "MaxUnpool", unpooled, [np.array(SHAPE, np.int64)], nodes=window, **window)


def normalizations():
    four = [numbers(4, 1, 4, seed) for seed in range(4)]
    channels = [torch.from_numpy(v)[:, None, None] for v in four]

    def batch(x, **_):
        scale, bias, mean, variance = channels
        return (x - mean) / torch.sqrt(variance + 0.1) * scale + bias

    stored = [scale, bias, *_] = four
    case(7, "batch_normalization_7", "BatchNormalization", batch, stored, epsilon=0.1, spatial=1)
    case(9, "batch_normalization_9", "BatchNormalization", batch, stored, epsilon=0.1, momentum=0.5)
    case(14, "batch_normalization_14", "BatchNormalization", batch, stored, epsilon=0.1, training_mode=0)
    case(21, "batch_normalization_15", "BatchNormalization", batch, stored, epsilon=0.1)
    case(21, "instance_normalization", "InstanceNormalization",
         lambda x, **_: standardized(x, (2, 3), 0.1) * channels[0] + channels[1], [scale, bias], epsilon=0.1)
    for axis, axes in [(-1, (3,)), (2, (2, 3)), (1, (1, 2, 3))]:
        shape = SHAPE[axis:]
        s, b = numbers(shape, 1, 4, 5), numbers(shape, -2, 2, 6)
        case(21, f"layer_normalization_{len(axes)}", "LayerNormalization",
             lambda x, s=s, b=b, axes=axes, **_: standardized(x, axes) * torch.from_numpy(s) + torch.from_numpy(b),
             [s, b], axis=axis)

    def group(x, scale, bias):
        grouped = x.reshape(1, 2, 2, *SHAPE[2:])
        return standardized(grouped, (2, 3, 4)).reshape(SHAPE) * scale + bias

    case(21, "group_normalization_21", "GroupNormalization",
         lambda x, **_: group(x, channels[0], channels[1]), [scale, bias], num_groups=2)
    twice = [v[:2].repeat_interleave(2, 0) for v in channels]
    case(18, "group_normalization_18", "GroupNormalization",
         lambda x, **_: group(x, twice[0], twice[1]), [scale[:2], bias[:2]], num_groups=2)
    for size in (1, 3, 5):
        form = dict(size=size, alpha=0.5, beta=0.75, bias=2.0)
        case(21, f"lrn_{size}", "LRN", lambda x, form=form, **_: lrn(x, **form), **form)
    case(21, "softmax_last", "Softmax", lambda x: torch.softmax(x / 8, -1), nodes="eighth")
    case(21, "softmax_channels", "Softmax", lambda x, **_: torch.softmax(x / 8, 1), nodes="eighth", axis=1)
    case(9, "softmax_old", "Softmax",
         lambda x: torch.softmax((x / 8).flatten(1), 1).reshape(SHAPE), nodes="eighth")
    case(9, "softmax_old_rows", "Softmax",
         lambda x, **_: torch.softmax((x / 8).flatten(2), 2).reshape(SHAPE), nodes="eighth", axis=-2)


def products():
    w, rows = weight(6, 5), weight(7, 3)
    case(21, "matrix_product", "MatMul", lambda x, w: x @ w, [w])
    case(21, "matrix_product_vector", "MatMul", lambda x, w: x @ w, [w[:, 0]])
    case(21, "matrix_product_batched", "MatMul", lambda x, w: x @ w, [weight(4, 6, 2)])
    flat = weight(168, 3)
    bias = numbers(3, -3, 3, 2)
    case(21, "gemm", "Gemm", lambda x, w, b, **_: 0.5 * (x.flatten(1) @ w) + 2 * b, [flat, bias],
         nodes="flat", alpha=0.5, beta=2.0)
    case(21, "gemm_transposed", "Gemm", lambda x, w, b, **_: x.flatten(1) @ w.T + b, [flat.T.copy(), bias[None]],
         nodes="flat", transB=1)
    case(21, "gemm_without_bias", "Gemm", lambda x, w: x.flatten(1) @ w, [flat], nodes="flat")
    case(7, "gemm_scalar_bias", "Gemm", lambda x, w, b: x.flatten(1) @ w + b, [flat, bias[:1]], nodes="flat")


# ------------------------------------------------------------------ models and results

def build(opset):
    graph_nodes, stored, outputs, cases = [], [], [], []
    shared = set()
    for wanted, name, operator, operands, attributes, reference, before in CASES:
        if wanted != opset:
            continue
        inputs = ["x"]
        if before == "eighth" and "eighth" not in shared:
            shared.add("eighth")
            stored.append(numpy_helper.from_array(np.float32(0.125), "one_eighth"))
            graph_nodes.append(helper.make_node("Mul", ["x", "one_eighth"], ["eighth"]))
        if before == "flat" and "flat" not in shared:
            shared.add("flat")
            graph_nodes.append(helper.make_node("Flatten", ["x"], ["flat"]))
        if isinstance(before, str):
            inputs = [before]
        if isinstance(before, dict):
            value, places, twice = f"{name}.pooled", f"{name}.places", f"{name}.twice"
            graph_nodes.append(helper.make_node("MaxPool", ["x"], [value, places], **before))
            graph_nodes.append(helper.make_node("Add", [value, value], [twice]))
            inputs = [twice, places]
        for index, operand in enumerate(operands):
            inputs.append(f"{name}.{index}")
            stored.append(numpy_helper.from_array(operand, inputs[-1]))
        graph_nodes.append(helper.make_node(operator, inputs, [name], name=f"node.{name}", **attributes))
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
        cases.append((name, operands, attributes, reference))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)
    graph = helper.make_graph(graph_nodes, "windows", [x], outputs, stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return model, cases


def plain(array):
    """Numbers as short as they can be read back."""
    return [int(v) if v == int(v) else float(f"{v:.9g}") for v in np.asarray(array, np.float64).ravel()]


def main():
    convolutions()
    poolings()
    normalizations()
    products()
    # All values differ, so that no maximum is met twice.
    x = np.random.RandomState(0).permutation(np.arange(-84, 84)).reshape(SHAPE).astype(np.float32)
    results = {"x": plain(x), "shape": SHAPE, "models": {}}
    for opset in sorted({case[0] for case in CASES}):
        model, cases = build(opset)
        with open(f"opset{opset}.onnx", "wb") as file:
            file.write(model.SerializeToString(deterministic=True))
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(model.SerializeToString(), options)
        values = session.run([name for name, *_ in cases], {"x": x})
        rows = []
        for (name, operands, attributes, reference), value in zip(cases, values):
            point = torch.tensor(x, dtype=torch.float64, requires_grad=True)
            torch.set_default_dtype(torch.float64)
            given = [torch.from_numpy(o.astype(np.float64)) for o in operands]
            if name.startswith("unpool"):
                given = []
            takes_stored = reference in (conv, conv_transpose) or "product" in name or "gemm" in name
            output = reference(point, *(given if takes_stored else []), **attributes)
            exact = output.detach().numpy()
            assert value.shape == exact.shape, (name, value.shape, exact.shape)
            scale = max(1.0, np.abs(exact).max())
            assert np.abs(value - exact).max() <= 1e-5 * scale, (name, np.abs(value - exact).max())
            signal = (torch.arange(output.numel()) * 7 % 11 - 5).reshape(output.shape).double()
            (output * signal).sum().backward()
            rows.append({"name": name, "shape": value.shape, "value": plain(exact.astype(np.float32)),
                         "gradient": plain(point.grad.numpy().astype(np.float32))})
        results["models"][f"opset{opset}.onnx"] = rows
    with open("results.json", "w", encoding="utf-8") as file:
        file.write(json.dumps(results, separators=(",", ":")).replace('{"name"', '\n{"name"') + "\n")
    print(len(CASES), "cases")


main()
