"""The rows of occlusion maps: window 16, stride 4, zeros for what is covered, over whole pictures.

The other programs need the same time for every position, so a sample of theirs, given with each figure, stands for the
map; convscope computes all of it. Its time is that of the whole process without that of the same command for the four
corners only, which takes reading the model and writing the report away, as it is left out of the others'.
"""

import pathlib
import tempfile

import numpy as np

import networks
import occluding
from rows import Figure, difference

BATCHED = {"zfnet": (10, 13), "alexnet": (5, 6.5), "vgg16": (15, 24), "resnet18": (3.5, 5), "squeezenet": (3, 4.5)}
CAPTUM = {"zfnet": (35, 55), "alexnet": (15, 25), "vgg16": (30, 50), "resnet18": (7, 10), "squeezenet": (15, 25)}
# Pictures of a batch, and how many positions the batched runtimes compute where it is not all, and captum.
SAMPLES = {"zfnet": (32, 256, 48), "alexnet": (32, 256, 48), "vgg16": (16, 32, 8), "resnet18": (32, 256, 48),
           "squeezenet": (32, 256, 48)}
ALWAYS_SAMPLED = ("vgg16",)
CORNERS = 4
# Classes and positions of the comparison with the full recompute.
CLASSES, SPARSE_STRIDE = 8, 52


def analyze(bench, model, tensor, stride, out, more=(), **options):
    """Runs the analysis into a folder. Returns CPU and wall seconds, and the peak memory."""
    settings = {"window": occluding.WINDOW, "stride": stride, "projections": 0, "baseline": "zero"}
    given = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    arguments = ["analyze", "occlusion", "--model", model, "--images", tensor, *given, *more, "--out", out]
    return bench.convscope.call(*arguments, **options)[1:]


def scores(out):
    """Returns the score of the watched class at every position, [image, row, column]."""
    return np.load(pathlib.Path(out) / "data/occlusion/score.npy")


def whole(bench, name):
    """Says how many positions a map has, and the strides of it and of one with the corners only."""
    edge = networks.NETWORKS[name][1]
    return len(occluding.starts(edge)) ** 2, {"map": occluding.STRIDE, "corners": edge}


def without_corners(seconds, count):
    """Returns the seconds of a map from those of the two commands."""
    return (seconds["map"] - seconds["corners"]) * count / (count - CORNERS)


def against_others(bench, name):
    """One map by convscope, onnxruntime, OpenVINO and captum."""
    model, tensor, edge = networks.path(name, bench.folder), bench.tensor(name, 1), networks.NETWORKS[name][1]
    count, strides = whole(bench, name)
    batch, samples, one_by_one = SAMPLES[name]
    if not bench.rounds.quick and name not in ALWAYS_SAMPLED:
        samples = -(-count // batch) * batch

    def peer(kind, what, sample):
        return bench.peer(kind, what, tensor, script=occluding.__file__, options=[sample, batch])

    with (tempfile.TemporaryDirectory() as folder, peer("onnxruntime", model, samples) as ort,
          peer("openvino", model, samples) as openvino, peer("captum", name, one_by_one) as captum):

        def ours(stride):
            return lambda: [analyze(bench, model, tensor, stride, f"{folder}/{stride}")[0]]

        contenders = {"onnxruntime": ort.forward(1), "OpenVINO": openvino.forward(1), "captum": captum.forward(1)}
        seconds, rounds = bench.rounds.alternate(contenders | {run: ours(stride) for run, stride in strides.items()})
        found = scores(f"{folder}/{occluding.STRIDE}")[0]
        spread, down = occluding.spread(edge, samples), occluding.down(edge, one_by_one)
        apart = {"onnxruntime": difference(at(found, spread), ort.output()),
                 "OpenVINO": difference(at(found, spread), openvino.output()),
                 "captum": difference(at(found, down), captum.output())}
    assert found.size == count, f"{found.size} positions instead of {count}"
    mine = without_corners(seconds, count)
    # captum computes the clean picture too.
    theirs = {kind: seconds[kind] / samples * count for kind in ("onnxruntime", "OpenVINO")}
    theirs["captum"] = seconds["captum"] / (one_by_one + 1) * count
    parts = {"positions": count, "seconds": {"convscope": mine, "whole process": seconds["map"]} | theirs,
             "sample": {"batched": samples, "captum": one_by_one}, "difference": apart, "rounds": rounds}
    best = min(("onnxruntime", "OpenVINO"), key=theirs.get)
    batched = f"{best}'s on {share(samples, count)} in batches of {batch}"
    for what, kind, rival, goals in (
        ("best batched full recompute of onnxruntime or OpenVINO", best, batched, BATCHED),
        ("captum's default", "captum", f"captum's on {share(one_by_one, count)}", CAPTUM)):
        detail = (f"{theirs[kind]:.1f} : {mine:.2f} s a map of {count} positions ({rival}), whole process "
                  f"{seconds['map']:.2f} s, scores within {apart[kind]:.0e}")
        yield Figure("occlusion", f"occlusion map, {what} ÷ ours", theirs[kind] / mine, goals[name], better="higher",
                     detail=detail, network=name, parts=parts)


def at(found, positions):
    rows, columns = np.transpose(positions)
    return found[rows, columns]


def share(sample, count):
    return "all" if sample >= count else f"{sample} of them"


def exactness(bench, name):
    """Scores of several classes at sparse positions, incrementally and with every layer recomputed."""
    model = networks.path(name, bench.folder)
    clean = next(iter(bench.convscope.infer(model, bench.tensor(name, 1))[1].values()))[0]
    largest = float(np.abs(clean).max())
    classes = np.argsort(-np.abs(clean))[:CLASSES].tolist()
    with tempfile.TemporaryDirectory() as folder:
        tensor = f"{folder}/copies.npy"
        np.save(tensor, np.repeat(np.load(bench.tensor(name, 1)), CLASSES, 0))
        target = ["--set", f"target={classes}"]
        for out, more in (("incremental", []), ("full", ["--no-incremental"])):
            analyze(bench, model, tensor, SPARSE_STRIDE, f"{folder}/{out}", target + more)
        incremental, full = (scores(f"{folder}/{out}").astype(np.float64) for out in ("incremental", "full"))
    apart = float(np.abs(incremental - full).max()) / largest
    change = float(np.abs(full - clean[classes][:, None, None]).max()) / largest
    detail = f"{full[0].size} positions, {CLASSES} classes; what covering changes: up to {change:.1e}"
    what = "occlusion, incremental against full: largest difference of a score ÷ the largest score"
    yield Figure("exactness", what, apart, (1e-5, 2e-6), detail=detail, network=name,
                 parts={"largest": largest, "classes": classes, "change": change})


def threads(bench, name):
    """Wall time of a map with one thread and with two."""
    model, tensor = networks.path(name, bench.folder), bench.tensor(name, 1)
    count, strides = whole(bench, name)
    with tempfile.TemporaryDirectory() as folder:

        def wall(stride, threads):
            return lambda: [analyze(bench, model, tensor, stride, f"{folder}/out", threads=threads, core=None)[1]]

        contenders = {(run, threads): wall(stride, threads) for threads in (1, 2) for run, stride in strides.items()}
        seconds, rounds = bench.rounds.alternate(contenders)
    one, two = (without_corners({run: seconds[run, threads] for run in strides}, count) for threads in (1, 2))
    yield Figure("occlusion-threads", "occlusion map, one thread ÷ two, wall", one / two, (1.8, 1.95), better="higher",
                 detail=f"{one:.2f} : {two:.2f} s a map", network=name, parts={"one": one, "two": two, "rounds": rounds})


def memory(bench):
    """Peak memory of the whole process for a map of VGG-16."""
    model, tensor = networks.path("vgg16", bench.folder), bench.tensor("vgg16", 1)
    size = model.stat().st_size
    with tempfile.TemporaryDirectory() as folder:
        peak = analyze(bench, model, tensor, occluding.STRIDE, folder)[2]
    detail = f"{(peak - size) / 1e6:.0f} MB beyond the model's {size / 1e6:.0f}"
    goals = (1.0, (size + 300e6) / 1e9)
    yield Figure("occlusion-memory", "peak memory of an occlusion map of VGG-16", peak / 1e9, goals, "GB", detail=detail)


# Rows that are measured for every network.
EVERY = {"occlusion": against_others, "exactness": exactness, "occlusion-threads": threads}
# Rows of one figure.
ONCE = {"occlusion-memory": memory}
