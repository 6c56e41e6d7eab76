"""The usual families of classifiers: every value of convscope against onnxruntime, gradients against torch.

    python tests/peers/architectures.py [NAME...]                 the full-size networks; prints a Markdown table
    python tests/peers/architectures.py --small FOLDER [NAME...]  writes small ones with expected values, for the tests

A value's difference is the largest one divided by the largest magnitude of the value. `saliency` is compared with the
gradient of torch's autograd on the module that the file was made from, in single and in double precision, and torch's
own single precision with its double. Where a rectifier or a maximum is decided by the last bit, as happens in deep
networks of random weights, these differ; so the decisions that differ are counted, and `saliency` is compared with the
double precision of torch once more, taking the decisions that convscope took (`gates.py`). That difference and those of
the values must be below 1e-5, or the script fails. `zoo.py` has the networks.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

import numpy as np
import onnx
import onnxruntime
import torch

import gates
import zoo

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONVSCOPE = ROOT / "target/release/convscope"
LIMIT = 1e-5
SALIENCY = ("alexnet", "googlenet", "mobilenet_v3", "resnet_folded", "shufflenet")


def computed(model):
    """Names the real values of a graph that depend on its input, in order; the sizes of shapes do not."""
    inferred = {value.name: value.type.tensor_type.elem_type for value in onnx.shape_inference.infer_shapes(model).graph.value_info}
    known, names = {model.graph.input[0].name}, []
    for node in model.graph.node:
        if node.op_type not in ("Shape", "Size") and known.intersection(node.input):
            known.update(node.output)
            names += [name for name in node.output if inferred.get(name, onnx.TensorProto.FLOAT) == onnx.TensorProto.FLOAT]
    return [name for name in names if name]


def reference(path, pictures, names):
    """Computes the named values with onnxruntime, nothing fused."""
    model = onnx.load(path)
    present = {output.name for output in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in present)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip(names, session.run(names, {model.graph.input[0].name: pictures})))


def gradient(module, pictures):
    """Differentiates the largest score of every picture, with torch."""
    pictures = pictures.clone().requires_grad_()
    scores = module(pictures)
    targets = scores.argmax(1)
    scores.gather(1, targets[:, None]).sum().backward()
    return targets.tolist(), pictures.grad.numpy()


def call(*arguments):
    done = subprocess.run([CONVSCOPE, *map(str, arguments), "--json", "--quiet", "--no-cache"], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"convscope {' '.join(map(str, arguments))[:300]}: {done.stdout or done.stderr}")
    return json.loads(done.stdout)


def difference(ours, theirs):
    assert ours.shape == theirs.shape, f"shape {ours.shape} instead of {theirs.shape}"
    return float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-30))


def compare(name, folder):
    """Prints the row of a network; returns whether all is within the limit."""
    module, pictures = zoo.make(name, "full")
    path, tensor = folder / f"{name}.onnx", folder / f"{name}.npy"
    zoo.export(name, module, pictures, str(path))
    np.save(tensor, pictures.numpy())
    model = onnx.load(path)
    names = computed(model)
    expected = reference(path, pictures.numpy(), names)
    captures = [argument for value in names for argument in ("--capture", value)]
    answer = call("infer", path, "--input", tensor, "--out", folder / name, *captures)
    # A dropped layer answers by the name of what stays.
    written = zip(names, answer["outputs"], strict=True)
    values = {value: np.load(folder / name / output["file"]) for value, output in written}
    largest = max((difference(ours, expected[value]), value) for value, ours in values.items())
    depth = sum(node.op_type in ("Conv", "Gemm", "MatMul") for node in model.graph.node)
    targets, single = gradient(module, pictures)
    single_decisions = gates.decided(module, pictures)
    module, exact = module.double(), pictures.double()
    double = gradient(module, exact)[1]
    double_decisions = gates.decided(module, exact)
    our_decisions = []
    with gates.forced(model, values, our_decisions):
        forced = gradient(module, exact)[1]
    out = folder / f"{name}-saliency"
    call("analyze", "saliency", "--model", path, "--images", tensor, "--set", f"target={targets}", "--out", out)
    ours = np.load(out / "data/saliency/attribution.npy")
    pairs = ((ours, single), (ours, double), (single, double))
    saliency = " | ".join(f"{difference(one, other):.1e}" for one, other in pairs)
    differ = [gates.count_differences(taken, double_decisions) for taken in (our_decisions, single_decisions)]
    total = sum(taken.numel() for taken in double_decisions)
    proof = difference(ours, forced)
    print(f"| {name} | {depth} | {len(names)} | {largest[0]:.1e} | {largest[1]} | {saliency} "
          f"| {total / 1e6:.1f} million | {differ[0]} | {differ[1]} | {proof:.1e} |", flush=True)
    return max(largest[0], proof) < LIMIT


def write_small(name, folder):
    module, pictures = zoo.make(name, "small")
    folder = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.onnx"
    zoo.export(name, module, pictures, str(path))
    np.save(folder / "input.npy", pictures.numpy())
    names = computed(onnx.load(path))
    values = reference(path, pictures.numpy(), names)
    # Six values from first to last, none of them large.
    light = [value for value in names if values[value].size <= 2048]
    chosen = [light[index] for index in sorted({int(i) for i in np.linspace(0, len(light) - 1, 6)})]
    for index, value in enumerate(chosen):
        np.save(folder / f"value_{index}.npy", values[value])
    expected = {"values": chosen}
    if name in SALIENCY:
        expected["targets"], theirs = gradient(module, pictures)
        np.save(folder / "gradient.npy", theirs)
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(zoo.ZOO))
    parser.add_argument("--small", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.small:
        for name in arguments.names or zoo.ZOO:
            write_small(name, arguments.small)
        return
    print(f"torch {torch.__version__.split('+')[0]}, onnxruntime {onnxruntime.__version__}, onnx {onnx.__version__}\n")
    print("| network | layers with weights | values compared | largest difference | at "
          "| saliency, torch f32 | saliency, torch f64 | torch f32, f64 "
          "| decisions | ours unlike f64 | f32 unlike f64 | saliency, torch f64 with our decisions |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    beyond = []
    for name in arguments.names or zoo.ZOO:
        with tempfile.TemporaryDirectory() as folder:
            if not compare(name, pathlib.Path(folder)):
                beyond.append(name)
    if beyond:
        raise SystemExit(f"beyond {LIMIT}: {', '.join(beyond)}")


if __name__ == "__main__":
    main()
