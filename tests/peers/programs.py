"""The programs that are compared: convscope by its command line, the others in a process of their own each.

    python tests/peers/programs.py onnxruntime|openvino|captum MODEL TENSOR

serves one of the others to `compare.py`: it reads requests line by line (`run N`, `save FILE`) and answers in JSON.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx

import measuring

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Convscope:
    """The release build of this tree, or another one."""

    def __init__(self, program=None, core=None):
        self.program = pathlib.Path(program or ROOT / "target/release/convscope")
        self.core = core

    def call(self, *arguments, threads=1, core="own"):
        """Runs a command with `--json`. Returns its answer, CPU and wall seconds, and peak memory."""
        core = self.core if core == "own" else core
        command = [self.program, *arguments, "--threads", threads, "--json", "--quiet", "--no-cache"]
        printed, *rest = measuring.run(command, core)
        return json.loads(printed), *rest

    def infer(self, model, tensor, repeat=1, extra=(), **options):
        """Runs forward passes. Returns the answer, the outputs by name, and the peak memory."""
        with tempfile.TemporaryDirectory() as out:
            arguments = ["infer", model, "--input", tensor, "--out", out, "--repeat", repeat, *extra]
            answer, _, _, memory = self.call(*arguments, **options)
            values = {output["name"]: np.load(pathlib.Path(out) / output["file"]) for output in answer["outputs"]}
        return answer, values, memory

    def forward(self, model, tensor, repeat):
        """Returns what measures the CPU seconds of forward passes, the first left out."""
        return lambda: self.infer(model, tensor, repeat + 1)[0]["cpu_seconds"][1:]

    def has(self, command, option):
        """Says whether a command has an option."""
        return option in measuring.run([self.program, command, "--help"])[0]


class Peer:
    """Another program in a process of its own, with one model and one tensor loaded."""

    def __init__(self, kind, model, tensor, core, script=__file__, options=()):
        command = [sys.executable, *map(str, (script, kind, model, tensor, *options))]
        single = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                      env=os.environ | single, preexec_fn=measuring.pinned(core))
        self.about = json.loads(self.child.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.stdin.close()
        self.child.wait()

    def ask(self, request):
        self.child.stdin.write(request + "\n")
        self.child.stdin.flush()
        return json.loads(self.child.stdout.readline())

    def forward(self, repeat):
        """Returns what measures the CPU seconds of runs."""
        return lambda: self.ask(f"run {repeat}")

    def output(self):
        """Returns what the program computes."""
        with tempfile.TemporaryDirectory() as folder:
            self.ask(f"save {folder}/output.npy")
            return np.load(f"{folder}/output.npy")


def onnxruntime(model, values, profile=False):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_profiling = profile
    if profile:
        options.profile_file_prefix = tempfile.mktemp()
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return session, f"onnxruntime {ort.__version__}", lambda: session.run(None, {name: values})[0]


def openvino(model, values):
    import openvino as ov

    core = ov.Core()
    graph = core.read_model(model)
    graph.reshape(list(values.shape))
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
    request = core.compile_model(graph, "CPU", options).create_infer_request()
    tensor = ov.Tensor(values, shared_memory=True)
    return request, f"OpenVINO {ov.__version__.split('-')[0]}", lambda: next(iter(request.infer([tensor]).values()))


def captum(name, values):
    import warnings

    import captum
    import torch
    from captum.attr import Deconvolution

    import networks

    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    module, image = networks.make(name), torch.from_numpy(values)
    with torch.no_grad():
        target = int(module(image).argmax())
    method = Deconvolution(module)
    about = f"captum {captum.__version__} on torch {torch.__version__.split('+')[0]}"
    return target, about, lambda: method.attribute(image, target=target).detach().numpy()


def convolutions(model, values, repeat):
    """Returns the shortest wall time in seconds of every convolution, by onnxruntime's profiler.

    onnxruntime names a convolution after itself or after the value it makes, which is that of the addition or the
    rectifier behind it where these are fused.
    """
    session, _, run = onnxruntime(model, values, profile=True)
    for _ in range(repeat):
        run()
    file = pathlib.Path(session.end_profiling())
    times = {}
    for event in json.loads(file.read_text()):
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time") and "Conv" in event["args"]["op_name"]:
            name = event["name"].removesuffix("_kernel_time").removesuffix("_nchwc")
            times[name] = min(event["dur"] / 1e6, times.get(name, float("inf")))
    file.unlink()
    nodes = onnx.load(model, load_external_data=False).graph.node
    found = {}
    for node in (node for node in nodes if node.op_type == "Conv"):
        name, made = node.name, node.output[0]
        readers = [reader for reader in nodes if made in reader.input]
        while name not in times and made not in times and len(readers) == 1 and readers[0].op_type in ("Add", "Relu"):
            made = readers[0].output[0]
            readers = [reader for reader in nodes if made in reader.input]
        found[node.name] = times[name] if name in times else times[made]
    return found


def serve(kept, about, run):
    """Answers the requests of a `Peer` until there are no more."""
    print(json.dumps({"about": about, "target": kept if isinstance(kept, int) else None}), flush=True)
    for line in sys.stdin:
        request, argument = line.split(maxsplit=1)
        if request == "run":
            answer = []
            for _ in range(int(argument)):
                start = time.process_time()
                run()
                answer.append(time.process_time() - start)
        else:
            np.save(argument.strip(), run())
            answer = "saved"
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "convolutions":
        print(json.dumps(convolutions(sys.argv[2], np.load(sys.argv[3]), int(sys.argv[4]))))
    else:
        kind, model, tensor = sys.argv[1:4]
        built = {"onnxruntime": onnxruntime, "openvino": openvino, "captum": captum}[kind](model, np.load(tensor))
        built[-1]()
        serve(*built)
