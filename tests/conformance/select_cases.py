"""Runs convscope on every case of an installed ONNX backend test suite and vendors those that pass.

    python select_cases.py --program ../../target/release/convscope \
        --suite /usr/share/libonnx-testdata/data --origin libonnx-testdata-1.12.0 [--write]

Needs the Python packages onnx (to read models and tensors) and numpy. Without --write nothing is
changed: the verdicts are printed, refusals with their reason. With --write, every case that passes
and is not here yet is copied to cases/, flattened (cases/NAME/{model.onnx,input_0.pb,output_0.pb}),
and gets a line in cases.txt; where other inputs are bound than its line says, that is said and the
line changed. Cases that were here and fail now stay and are reported: only a person may take one
out.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
from onnx import numpy_helper

HERE = pathlib.Path(__file__).resolve().parent
GROUPS = ["node", "pytorch-converted", "pytorch-operator"]
# Two cases have tensors of 160 kB and 4 MB; what they show, others show too.
MOST_BYTES = 60_000
# Of the largest magnitude; the suite itself asks for 1e-3 of every number.
TOLERANCE = 1e-5
# Operators whose window moves over the axes behind batch and channels.
WINDOWS = {"AveragePool", "Conv", "ConvTranspose", "MaxPool", "MaxUnpool", "LpPool"}


def read(path):
    tensor = onnx.TensorProto()
    tensor.ParseFromString(path.read_bytes())
    return numpy_helper.to_array(tensor)


def tensors(folder, kind):
    files = list(folder.glob(f"{kind}_*.pb"))
    return sorted(files, key=lambda file: int(file.stem.split("_")[1]))


def spatial_axes(model):
    """The number of axes over which windows move, where that is stated and not two."""
    for node in model.graph.node:
        if node.op_type in WINDOWS:
            for attribute in node.attribute:
                if attribute.name == "kernel_shape" and len(attribute.ints) != 2:
                    return len(attribute.ints)
    return 2


def verdict(program, case):
    """Returns ("pass", names of bound inputs), or what happened and why."""
    data = case / "test_data_set_0"
    if not data.is_dir():
        return "left out", "it has no data"
    if sum(file.stat().st_size for file in case.rglob("*") if file.is_file()) > MOST_BYTES:
        return "left out", f"it is larger than {MOST_BYTES} bytes"
    model = onnx.load(case / "model.onnx")
    stored = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in stored]
    files = [*tensors(data, "input"), *tensors(data, "output")]
    for value, file in zip([*inputs, *model.graph.output], files):
        tensor = onnx.TensorProto()
        tensor.ParseFromString(file.read_bytes())
        if value.type.HasField("tensor_type") and tensor.data_type != value.type.tensor_type.elem_type:
            return "left out", f"{file.name} is not of the type that the model declares"
    axes = spatial_axes(model)
    if axes != 2:
        return "left out", f"its windows move over {axes} axes"
    with tempfile.TemporaryDirectory() as out:
        command = [program, "infer", case / "model.onnx", "--out", out, "--json", "--quiet"]
        inputs = tensors(data, "input")
        if inputs:
            command += ["--input", *inputs]
        done = subprocess.run(command, capture_output=True, text=True)
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            return "CRASHED", (done.stdout + done.stderr)[-300:]
        if not answer["ok"]:
            message = answer["error"]["message"].replace(str(case / "model.onnx") + ": ", "")
            return "refused", message.replace("\n", " ")
        try:
            expected = [read(file) for file in tensors(data, "output")]
        except Exception as error:
            return "left out", f"its outputs are no tensors ({type(error).__name__})"
        outputs = answer["outputs"]
        if len(outputs) != len(expected):
            return "WRONG", f"{len(outputs)} outputs instead of {len(expected)}"
        for output, wanted in zip(outputs, expected):
            actual = np.load(os.path.join(out, output["file"]))
            if not np.issubdtype(wanted.dtype, np.number) and wanted.dtype != bool:
                return "left out", f"it expects {wanted.dtype}"
            wanted = wanted.astype(np.float32)
            if actual.shape != wanted.shape:
                return "WRONG", f"shape {actual.shape} instead of {wanted.shape}"
            if wanted.size == 0:
                continue
            finite = np.isfinite(wanted)
            if not np.array_equal(actual[~finite], wanted[~finite], equal_nan=True):
                return "WRONG", "an infinity or NaN is missing or in another place"
            largest = np.abs(wanted[finite]).max(initial=0)
            difference = np.abs(actual[finite] - wanted[finite]).max(initial=0)
            if not difference <= TOLERANCE * largest:
                close = np.allclose(actual, wanted, rtol=1e-3, atol=1e-7, equal_nan=True)
                word = "LOOSE" if close else "WRONG"
                return word, f"difference {difference:.3g} of {largest:.3g}"
        return "pass", answer["bound"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True, type=pathlib.Path)
    parser.add_argument("--suite", required=True, type=pathlib.Path)
    parser.add_argument("--origin", required=True)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    program = arguments.program.resolve()
    candidates = [
        (group, case)
        for group in GROUPS
        for case in sorted((arguments.suite / group).glob("test_*"))
        if arguments.only in case.name
    ]
    with ThreadPoolExecutor(2) as pool:
        verdicts = list(pool.map(lambda one: verdict(program, one[1]), candidates))
    listed = HERE / "cases.txt"
    lines = listed.read_text().splitlines() if listed.exists() else []
    notes = [line for line in lines if line.startswith("#")]
    rows = {line.split()[0]: line for line in lines if line and not line.startswith("#")}
    counts = {}
    for (group, case), (word, detail) in zip(candidates, verdicts):
        counts[word] = counts.get(word, 0) + 1
        if word != "pass" or not arguments.write:
            print(f"{word:9} {group}/{case.name}: {detail}")
        bound = ",".join(detail) or "-" if word == "pass" else ""
        row = f"{case.name} {group} {arguments.origin} {bound}"
        before = rows.get(case.name, "")
        if word == "pass" and arguments.write and before.split()[:3] == row.split()[:3] and before != row:
            print(f"rebound   {before} -> {bound}")
            rows[case.name] = row
        if word == "pass" and arguments.write and not before:
            target = HERE / "cases" / case.name
            target.mkdir(parents=True)
            shutil.copy(case / "model.onnx", target)
            for file in (case / "test_data_set_0").glob("*.pb"):
                shutil.copy(file, target)
            rows[case.name] = row
        listed_here = before.split()[1:3] == [group, arguments.origin]
        if word not in ("pass", "left out") and listed_here:
            print(f"   which is on the list of {listed.name}", file=sys.stderr)
    if arguments.write:
        listed.write_text("\n".join([*notes, *(rows[name] for name in sorted(rows))]) + "\n")
    print(len(candidates), "cases:", ", ".join(f"{counts[word]} {word}" for word in sorted(counts)))


main()
