"""Reading a VGG-16 of 550 MB: time and peak memory of convscope beside those of reading the bytes.

    cargo build --release -p convscope-onnx --example load
    python tests/peers/loading.py FOLDER [--rounds 5]

Makes the model in FOLDER unless it is there: once with its weights inside, once with them in a file beside it; seeded
random weights, opset 13. Every reading is a process of its own, the ways alternate, the smallest time counts, and the
files are in the page cache. Prints a Markdown table. Linux only (peak memory is VmHWM).
"""

import argparse
import json
import pathlib
import subprocess

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "target/release/examples/load"

# Simonyan & Zisserman (2015), configuration D; a number is a convolution's filters, "M" a pooling.
LAYERS = [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"]


def vgg16():
    random = np.random.default_rng(7)
    nodes, stored = [], []

    def parameters(name, *shape):
        fan_in = int(np.prod(shape[1:]))
        weight = random.standard_normal(shape, dtype=np.float32) * np.float32(np.sqrt(2 / fan_in))
        stored.append(numpy_helper.from_array(weight, f"{name}.weight"))
        stored.append(numpy_helper.from_array(np.zeros(shape[0], np.float32), f"{name}.bias"))
        return [f"{name}.weight", f"{name}.bias"]

    value, channels = "image", 3
    for index, layer in enumerate(LAYERS):
        if layer == "M":
            nodes.append(helper.make_node("MaxPool", [value], [f"pool{index}"], f"pool{index}", kernel_shape=[2, 2], strides=[2, 2]))
            value = f"pool{index}"
            continue
        names = parameters(f"features.{index}", layer, channels, 3, 3)
        nodes.append(helper.make_node("Conv", [value, *names], [f"conv{index}"], f"conv{index}", kernel_shape=[3, 3], pads=[1] * 4))
        nodes.append(helper.make_node("Relu", [f"conv{index}"], [f"relu{index}"], f"relu{index}"))
        value, channels = f"relu{index}", layer
    nodes.append(helper.make_node("Flatten", [value], ["flat"], "flat"))
    value, width = "flat", channels * 7 * 7
    for index, outputs in enumerate([4096, 4096, 1000]):
        names = parameters(f"classifier.{index}", outputs, width)
        nodes.append(helper.make_node("Gemm", [value, *names], [f"fc{index}"], f"fc{index}", transB=1))
        value, width = f"fc{index}", outputs
        if index < 2:
            nodes.append(helper.make_node("Relu", [value], [f"fc_relu{index}"], f"fc_relu{index}"))
            value = f"fc_relu{index}"
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 224, 224])
    scores = helper.make_tensor_value_info(value, TensorProto.FLOAT, ["n", 1000])
    graph = helper.make_graph(nodes, "vgg16", [image], [scores], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def make(folder):
    folder.mkdir(parents=True, exist_ok=True)
    inside, beside = folder / "inside.onnx", folder / "beside.onnx"
    if not (inside.exists() and beside.exists()):
        model = vgg16()
        onnx.save(model, inside)
        onnx.save(model, beside, save_as_external_data=True, location="beside.data")
    return {"inside": inside, "beside": beside}


def measure(way, model):
    answer = subprocess.run([PROGRAM, way, model], check=True, capture_output=True, text=True)
    return json.loads(answer.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print("| weights | way | seconds | ÷ plain | peak memory |\n| --- | --- | ---: | ---: | ---: |")
    for name, model in make(arguments.folder).items():
        ways = ["plain", "load", "outline"]
        rounds = [{way: measure(way, model) for way in ways} for _ in range(arguments.rounds)]
        best = {way: min(one[way]["seconds"] for one in rounds) for way in ways}
        for way in ways:
            peak = max(one[way]["peak_bytes"] for one in rounds) / 1e6
            print(f"| {name} | {way} | {best[way]:.3f} | {best[way] / best['plain']:.2f} | {peak:.0f} MB |")


if __name__ == "__main__":
    main()
