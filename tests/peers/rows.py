"""The rows of the comparison: each measures one kind of figure and holds it against its goals."""

import dataclasses
import json
import pathlib
import sys
import tempfile

import numpy as np

import measuring
import networks
import programs

ROOT = programs.ROOT
SQUEEZENET = ROOT / "examples/models/squeezenet1_1.onnx"


@dataclasses.dataclass
class Figure:
    """One measured figure. `goals` are what it must and what it should reach; `better` is "lower" or "higher"."""

    row: str
    what: str
    measured: float
    goals: tuple
    unit: str = ""
    better: str = "lower"
    detail: str = ""
    network: str = ""
    parts: dict = dataclasses.field(default_factory=dict)

    def meets(self, goal):
        return goal is not None and (self.measured <= goal if self.better == "lower" else self.measured >= goal)

    def verdict(self):
        must, aim = self.goals
        return "aim" if self.meets(aim) else "must" if self.meets(must) else "missed"


class Bench:
    """What all rows share: the programs, the folder with networks and tensors, how often is measured."""

    def __init__(self, folder, convscope, rounds, core):
        self.folder, self.convscope, self.rounds, self.core = folder, convscope, rounds, core
        self.versions = set()
        self.forwards = {}

    def tensor(self, name, batch):
        """Returns a file with seeded pictures."""
        file = self.folder / f"{name}-{batch}.npy"
        if not file.exists():
            np.save(file, networks.pictures(name, batch).numpy())
        return file

    def peer(self, kind, model, tensor, **options):
        peer = programs.Peer(kind, model, tensor, self.core, **options)
        self.versions.add(peer.about["about"])
        return peer

    def forward(self, name, batch):
        """Measures a forward pass with all three runtimes: seconds by program, and how far their outputs differ."""
        if (name, batch) not in self.forwards:
            self.forwards[name, batch] = self.measure_forward(name, batch)
        return self.forwards[name, batch]

    def measure_forward(self, name, batch):
        model, tensor = networks.path(name, self.folder), self.tensor(name, batch)
        repeat = 8 if batch == 1 else 2
        with self.peer("onnxruntime", model, tensor) as ort, self.peer("openvino", model, tensor) as openvino:
            contenders = {
                "onnxruntime": ort.forward(repeat),
                "OpenVINO": openvino.forward(repeat),
                "convscope": self.convscope.forward(model, tensor, repeat),
            }
            shortest, rounds = self.rounds.alternate(contenders)
            expected = ort.output()
            ours = next(iter(self.convscope.infer(model, tensor)[1].values()))
            apart = {"onnxruntime": difference(ours, expected), "OpenVINO": difference(openvino.output(), expected)}
        return shortest, apart, rounds


def difference(ours, theirs):
    """Returns the largest difference over the largest magnitude."""
    assert ours.shape == theirs.shape, f"shape {ours.shape} instead of {theirs.shape}"
    return float(np.abs(ours.astype(np.float64) - theirs).max() / max(np.abs(theirs).max(), 1e-30))


def milliseconds(seconds, images=1):
    return {program: round(1000 * time / images, 3) for program, time in seconds.items()}


def against(row, rival, what, goals):
    """Makes a row that compares forward passes with another runtime; `goals` by network."""

    def measure(bench, name):
        batch = 1 if row == "batch1" else networks.NETWORKS[name][2]
        seconds, apart, rounds = bench.forward(name, batch)
        ratio = seconds["convscope"] / seconds[rival]
        parts = milliseconds(seconds, batch)
        detail = f"{parts['convscope']:.1f} : {parts[rival]:.1f} ms an image, outputs within {apart['onnxruntime']:.0e}"
        parts |= {"batch": batch, "difference": apart, "rounds": rounds}
        yield Figure(row, what, ratio, goals[name], detail=detail, network=name, parts=parts)

    return measure


def layers(bench, name):
    """Direct convolutions of a network, each within its forward pass of one picture.

    onnxruntime's profiler knows wall times only: on a busy machine those of layers longer than a slice of the scheduler
    contain the work of others, and the ratio looks better than it is.
    """
    model, tensor = networks.path(name, bench.folder), bench.tensor(name, 1)
    exact = ["--exact-conv"] if bench.convscope.has("infer", "--exact-conv") else []
    repeat = 10
    ours, theirs, kinds = {}, {}, {}

    def note(times, name, seconds):
        times[name] = min(seconds, times.get(name, seconds))

    def measure_ours():
        answer, _, _ = bench.convscope.infer(model, tensor, repeat, ["--profile", *exact])
        for layer in answer["layers"]:
            note(ours, layer["name"], layer["cpu_seconds"])
            kinds[layer["name"]] = layer["kind"]
        return [sum(ours[name] for name in ours if kinds[name] == "convolution")]

    def measure_theirs():
        command = [sys.executable, programs.__file__, "convolutions", model, tensor, repeat]
        for layer, seconds in json.loads(measuring.run(command, bench.core)[0]).items():
            note(theirs, layer, seconds)
        return [sum(theirs.values())]

    _, rounds = bench.rounds.alternate({"onnxruntime": measure_theirs, "convscope": measure_ours})
    ratios = {layer: ours[layer] / theirs[layer] for layer in theirs if theirs[layer] > 50e-6}
    worst = max(ratios, key=ratios.get)
    total = sum(ours[layer] for layer in ratios) / sum(theirs[layer] for layer in ratios)
    detail = f"worst of {len(ratios)}: {worst}; all together {total:.2f}, above 1.10: {sum(r > 1.1 for r in ratios.values())}"
    each = {layer: [round(1e6 * ours[layer], 1), round(1e6 * theirs[layer], 1), round(ratios[layer], 3)] for layer in ratios}
    yield Figure("layers", "direct convolution over 50 µs ÷ onnxruntime's, slowest layer", ratios[worst], (1.10, 1.0),
                 detail=detail, network=name, parts={"layers": each, "rounds": rounds})


def threads(bench, name):
    """Wall time of one picture with one thread and with two."""
    model, tensor = networks.path(name, bench.folder), bench.tensor(name, 1)

    def wall(count):
        return lambda: bench.convscope.infer(model, tensor, 11, threads=count, core=None)[0]["wall_seconds"][1:]

    seconds, rounds = bench.rounds.alternate({"one": wall(1), "two": wall(2)})
    parts = milliseconds(seconds)
    detail = f"{parts['one']:.1f} : {parts['two']:.1f} ms"
    yield Figure("threads", "one thread ÷ two, wall, batch 1", seconds["one"] / seconds["two"], (1.8, 1.95),
                 better="higher", detail=detail, network=name, parts=parts | {"rounds": rounds})


def deconvolution(bench, name):
    """A class score through a deconvnet, one picture: captum against convscope."""
    if name not in ("zfnet", "alexnet", "vgg16"):
        return
    model, tensor = networks.path(name, bench.folder), bench.tensor(name, 1)
    more = 6
    with bench.peer("captum", name, tensor) as captum:
        target = captum.about["target"]

        def cpu(times):
            options = [f"{key}={value}" for key, value in
                       {"model": model, "images": tensor, "target": target, "times": times}.items()]
            given = [word for option in options for word in ("--set", option)]
            script = pathlib.Path(__file__).with_name("deconvolution.rhai")
            return lambda: [bench.convscope.call("run", script, *given, "--out", bench.folder / "unused")[1]]

        contenders = {"captum": captum.forward(3), "once": cpu(1), "often": cpu(1 + more)}
        seconds, rounds = bench.rounds.alternate(contenders)
        expected = captum.output()
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out"
        bench.convscope.call("analyze", "deconvolution", "--model", model, "--images", tensor, "--set", f"target={target}",
                             "--out", out)
        apart = difference(np.load(out / "data/deconvolution/attribution.npy"), expected)
    ours = (seconds["often"] - seconds["once"]) / more
    detail = f"{1000 * seconds['captum']:.1f} : {1000 * ours:.1f} ms, attributions within {apart:.0e}"
    yield Figure("deconvolution", "`deconvolution` of one image, captum ÷ ours", seconds["captum"] / ours, (2.5, 4.0),
                 better="higher", detail=detail, network=name, parts=milliseconds(seconds) | {"difference": apart, "rounds": rounds})


def mining(bench, name):
    """What a picture more costs `deconvnet`, against `infer`, whole processes that read the same files.

    The forward pass alone, of pictures that lie in memory, stands beside it.
    """
    batch = networks.NETWORKS[name][2]
    few, many = batch, 3 * batch
    model, tensor = networks.path(name, bench.folder), bench.tensor(name, batch)

    def mined(count):
        # The strongest map of a layer, since one drawn by lot may be silent.
        options = [word for option in ("maps=1", "choose=strongest", "top=1") for word in ("--set", option)]
        arguments = ["analyze", "deconvnet", "--model", model, "--images", bench.tensor(name, count), *options,
                     "--out", bench.folder / "mined"]
        return lambda: [bench.convscope.call(*arguments)[1]]

    def passed(count):
        arguments = ["infer", model, "--input", bench.tensor(name, count), "--out", bench.folder / "passed"]
        return lambda: [bench.convscope.call(*arguments)[1]]

    seconds, rounds = bench.rounds.alternate({
        "in_memory": bench.convscope.forward(model, tensor, 3),
        "mined_few": mined(few), "passed_few": passed(few), "mined_many": mined(many), "passed_many": passed(many),
    })
    ours, forward = ((seconds[f"{what}_many"] - seconds[f"{what}_few"]) / (many - few) for what in ("mined", "passed"))
    alone = seconds["in_memory"] / batch
    detail = f"{1000 * ours:.1f} : {1000 * forward:.1f} ms an image; without reading {1000 * alone:.1f} ms, {ours / alone:.2f}"
    yield Figure("mining", "`deconvnet` mining ÷ forward, files read", ours / forward, (1.10, 1.03), network=name,
                 detail=detail, parts=milliseconds(seconds) | {"rounds": rounds})


def accuracy(bench, model, what):
    """Every value of a trained model on a photograph, against double precision."""
    import onnx
    import reference
    from PIL import Image

    shape = onnx.load(model, load_external_data=False).graph.input[0].type.tensor_type.shape
    edge = shape.dim[3].dim_value or 224
    photo = Image.open(sorted((ROOT / "examples/photos").glob("*.jpg"))[0]).convert("RGB").resize((edge, edge))
    picture = (np.asarray(photo, np.float32) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    picture = np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32)
    tensor = bench.folder / "photo.npy"
    np.save(tensor, picture)
    expected = reference.values(model, picture)
    captures = [word for name in expected for word in ("--capture", name)]
    _, ours, _ = bench.convscope.infer(model, tensor, extra=captures)
    apart = {name: difference(value, expected[name]) for name, value in ours.items() if name in expected}
    assert len(apart) > len(expected) // 2, f"{len(apart)} of {len(expected)} values have a name"
    worst = max(apart, key=apart.get)
    yield Figure("values", "largest difference from float64", apart[worst], (5e-6, 2e-6),
                 detail=f"worst of {len(apart)} values: {worst}", network=what, parts={"values": apart})


def memory(bench):
    """Peak memory of a forward pass of VGG-16, without the model's bytes."""
    model, tensor = networks.path("vgg16", bench.folder), bench.tensor("vgg16", 1)
    size = model.stat().st_size
    peak = bench.convscope.infer(model, tensor)[2]
    yield Figure("memory", "peak memory of a VGG-16 forward pass, beyond the model", (peak - size) / 1e6, (300, None), "MB",
                 detail=f"{peak / 1e6:.0f} MB, of which the model {size / 1e6:.0f}")


def inspection(bench):
    """The whole process of `inspect`."""
    runs = [bench.convscope.call("inspect", SQUEEZENET, core=None) for _ in range(20)]
    cpu, wall = (min(run[i] for run in runs) * 1000 for i in (1, 2))
    yield Figure("inspect", "`inspect` of SqueezeNet, whole process", wall, (50, 15), "ms", detail=f"CPU {cpu:.0f} ms")


LARGER_BATCH = "forward, batch 32 (vgg16: 8) ÷ "
BATCH_1 = {"zfnet": (0.85, 0.65), "alexnet": (1.0, 0.9), "vgg16": (0.65, 0.42), "resnet18": (0.8, 0.62), "squeezenet": (1.0, 0.8)}
LARGER = {"zfnet": (0.65, 0.5), "alexnet": (0.9, 0.75), "vgg16": (0.6, 0.35), "resnet18": (0.75, 0.5), "squeezenet": (1.0, 0.8)}
OPENVINO = {"zfnet": (1.0, 0.8), "alexnet": (1.0, 0.9), "vgg16": (1.0, 0.36), "resnet18": (1.0, 0.52), "squeezenet": (1.0, 0.9)}

# Rows that are measured for every network.
EVERY = {
    "layers": layers,
    "batch1": against("batch1", "onnxruntime", "forward, batch 1 ÷ onnxruntime", BATCH_1),
    "batch32": against("batch32", "onnxruntime", LARGER_BATCH + "onnxruntime", LARGER),
    "openvino": against("openvino", "OpenVINO", LARGER_BATCH + "OpenVINO", OPENVINO),
    "threads": threads,
    "deconvolution": deconvolution,
    "mining": mining,
}
# Rows of one figure.
ONCE = {"values": None, "memory": memory, "inspect": inspection}
