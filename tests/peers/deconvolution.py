"""Deconvolution of one image: CPU time of convscope divided by that of captum, one thread.

    python tests/peers/deconvolution.py MODEL.onnx [--rounds 3] [--layer NAME --channel N]

The model must be a plain chain of Conv, Relu and MaxPool, which is rebuilt in torch from the ONNX file; the start is one
unit of its last rectifier. Times are CPU times without loading the model; for convscope that of the whole process less
that of one which only describes the model. Prints a Markdown table, with the largest difference of the attributions.
"""

import argparse
import json
import pathlib
import resource
import subprocess
import tempfile
import time

import numpy as np
import onnx
import torch
from onnx import numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONVSCOPE = ROOT / "target/release/convscope"


def rebuild(path):
    """Makes a torch module of a chain of Conv, Relu and MaxPool; returns it with the names of its layers."""
    model = onnx.load(path)
    weights = {tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in model.graph.initializer}
    layers, names = [], []
    for node in model.graph.node:
        given = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
        if node.op_type == "Conv":
            weight = weights[node.input[1]]
            pads = given.get("pads", [0, 0, 0, 0])
            layer = torch.nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2:], given.get("strides", [1, 1]), pads[:2])
            layer.weight.data, layer.bias.data = weight, weights[node.input[2]]
        elif node.op_type == "Relu":
            layer = torch.nn.ReLU()
        elif node.op_type == "MaxPool":
            layer = torch.nn.MaxPool2d(given["kernel_shape"], given["strides"], ceil_mode=bool(given.get("ceil_mode", 0)))
        else:
            raise SystemExit(f"{node.op_type} is not of a plain chain")
        layers.append(layer)
        names.append(node.name or node.output[0])
    shape = [extent.dim_value or 1 for extent in model.graph.input[0].type.tensor_type.shape.dim]
    return torch.nn.Sequential(*layers).eval(), names, shape


def children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def cpu_of(command):
    start = children()
    subprocess.run(command, check=True, capture_output=True)
    return children() - start


def main():
    from captum.attr import NeuronDeconvolution

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    module, names, shape = rebuild(arguments.model)
    rectifiers = [index for index, layer in enumerate(module) if isinstance(layer, torch.nn.ReLU)]
    last = rectifiers[-1]
    values = np.random.default_rng(7).standard_normal([1, *shape[1:]], dtype=np.float32) * 50
    image = torch.from_numpy(values)
    with torch.no_grad():
        maps = module[: last + 1](image)[0]
    channel, row, column = (int(i) for i in np.unravel_index(int(maps.argmax()), maps.shape))
    method = NeuronDeconvolution(module, module[last])
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        np.save(folder / "input.npy", values)
        common = ["--threads", "1", "--quiet", "--json"]
        analyze = [CONVSCOPE, "analyze", "deconvolution", "--model", arguments.model, "--images", folder / "input.npy"]
        for name, value in (("layer", names[last]), ("channel", channel), ("position", json.dumps([row, column]))):
            analyze += ["--set", f"{name}={value}"]
        analyze += ["--out", folder / "out", *common]
        inspect = [CONVSCOPE, "inspect", arguments.model, *common]
        theirs, mine = [], []
        for _ in range(arguments.rounds):
            start = time.process_time()
            reference = method.attribute(image, (channel, row, column))
            theirs.append(time.process_time() - start)
            mine.append(cpu_of(analyze) - cpu_of(inspect))
        result = np.load(folder / "out/data/deconvolution/attribution.npy")
        reference = reference.detach().numpy()
        difference = np.abs(result - reference).max() / np.abs(reference).max()
    a, b = min(theirs) * 1000, min(mine) * 1000
    print("| model | captum, ms | convscope, ms | ratio | largest difference |")
    print("| --- | --- | --- | --- | --- |")
    print(f"| {pathlib.Path(arguments.model).stem} | {a:.0f} | {b:.0f} | {b / a:.2f} | {difference:.1e} |")


if __name__ == "__main__":
    main()
