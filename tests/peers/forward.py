"""Forward pass of ONNX models: CPU time of convscope divided by that of onnxruntime, one thread.

    python tests/peers/forward.py MODEL.onnx... [--rounds 5]

Both run the same random tensors, alternately, each in a process of its own; the smallest CPU time of all rounds counts,
without loading. Prints a Markdown table.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONVSCOPE = ROOT / "target/release/convscope"


def input_of(model, batch):
    import onnxruntime as ort

    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    shape = [batch] + [int(extent) for extent in given.shape[1:]]
    return np.random.default_rng(7).standard_normal(shape, dtype=np.float32) * 50


def peer(model, tensor, repeat):
    """Runs in a child process: prints the CPU times of onnxruntime and stores its outputs."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    values = np.load(tensor)
    name = session.get_inputs()[0].name
    seconds = []
    for _ in range(repeat + 1):
        start = time.process_time()
        outputs = session.run(None, {name: values})
        seconds.append(time.process_time() - start)
    np.save(pathlib.Path(tensor).with_name("peer.npy"), outputs[0])
    print(json.dumps(seconds[1:]))


def ours(model, tensor, repeat, out):
    command = [CONVSCOPE, "infer", model, "--input", tensor, "--out", out, "--threads", "1"]
    command += ["--repeat", str(repeat), "--json", "--quiet"]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    files = [output["file"] for output in answer["outputs"]]
    return answer["cpu_seconds"], np.load(pathlib.Path(out) / files[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        model, tensor, repeat = arguments.peer
        return peer(model, tensor, int(repeat))
    print("| model | batch | onnxruntime, ms an image | convscope, ms an image | ratio | largest difference |")
    print("| --- | --- | --- | --- | --- | --- |")
    for model in arguments.models:
        for batch in (1, 8):
            with tempfile.TemporaryDirectory() as folder:
                tensor = str(pathlib.Path(folder) / "input.npy")
                np.save(tensor, input_of(model, batch))
                repeat = 6 if batch == 1 else 2
                theirs, mine = [], []
                for _ in range(arguments.rounds):
                    child = [sys.executable, __file__, model, "--peer", model, tensor, str(repeat)]
                    theirs += json.loads(subprocess.run(child, check=True, capture_output=True, text=True).stdout)
                    seconds, values = ours(model, tensor, repeat, folder)
                    mine += seconds
                reference = np.load(pathlib.Path(folder) / "peer.npy")
                difference = np.abs(values - reference).max() / np.abs(reference).max()
                a, b = min(theirs) * 1000 / batch, min(mine) * 1000 / batch
                name = pathlib.Path(model).stem
                print(f"| {name} | {batch} | {a:.1f} | {b:.1f} | {b / a:.2f} | {difference:.1e} |", flush=True)


if __name__ == "__main__":
    main()
