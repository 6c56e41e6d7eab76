"""Occlusion maps by the other programs, which compute a whole forward pass for every position of the occluder.

    python tests/peers/occluding.py onnxruntime|openvino|captum MODEL TENSOR SAMPLE BATCH

serves one of them to `compare.py`, like `programs.py`. A run computes the score of the picture's most probable class at
SAMPLE positions of a map and returns these scores, BATCH of them together, or one by one with captum.
"""

import contextlib
import sys

import numpy as np

import programs

WINDOW, STRIDE = 16, 4


def starts(edge):
    """Returns where the occluder starts along one axis; the last place is flush with the far edge."""
    last = edge - WINDOW
    regular = list(range(0, last + 1, STRIDE))
    return regular if regular[-1] == last else [*regular, last]


def spread(edge, count):
    """Returns rows and columns of `count` positions in equal distances, by numbers of their starts, line by line."""
    across = len(starts(edge))
    numbers = [index * across**2 // count for index in range(count)]
    return [divmod(number, across) for number in numbers]


def down(edge, count):
    """Returns rows and columns of the first positions in captum's order, by numbers of their starts: column by column."""
    across = len(starts(edge))
    return [(number % across, number // across) for number in range(count)]


def batched(runtime):
    """Makes what covers a batch of copies of a picture with zeros, computes it and uncovers it, all of which is timed."""

    def build(model, picture, sample, batch):
        copies = np.repeat(picture, batch, 0)
        clean = picture[0]
        _, about, forward = runtime(model, copies)
        target = int(forward()[0].argmax())
        places = starts(picture.shape[3])
        corners = [(places[row], places[column]) for row, column in spread(picture.shape[3], sample)]

        def run():
            scores = []
            for first in range(0, sample, batch):
                covered = [(slice(None), slice(top, top + WINDOW), slice(left, left + WINDOW))
                           for top, left in corners[first : first + batch]]
                for copy, window in zip(copies, covered):
                    copy[window] = 0
                scores += forward()[: len(covered), target].tolist()
                for copy, window in zip(copies, covered):
                    copy[window] = clean[window]
            return np.array(scores)

        return target, about, run

    return build


class Enough(Exception):
    """Ends a map of captum, which knows no other way to compute a part of one."""


def captum(name, picture, sample, _batch):
    import captum
    import torch
    from captum.attr import Occlusion

    import networks

    torch.set_num_threads(1)
    module, image = networks.make(name), torch.from_numpy(picture)
    with torch.no_grad():
        target = int(module(image).argmax())

    def run():
        scores = []

        def forward(images):
            # Where the next position would begin, the sample is whole. The first pass is that of the clean picture.
            if len(scores) > sample:
                raise Enough
            outputs = module(images)
            scores.append(float(outputs[0, target]))
            return outputs

        with contextlib.suppress(Enough):
            Occlusion(forward).attribute(image, sliding_window_shapes=(3, WINDOW, WINDOW), strides=(3, STRIDE, STRIDE),
                                         baselines=0, target=target, perturbations_per_eval=1)
        return np.array(scores[1:])

    return target, f"captum {captum.__version__} on torch {torch.__version__.split('+')[0]}", run


KINDS = {"onnxruntime": batched(programs.onnxruntime), "openvino": batched(programs.openvino), "captum": captum}

if __name__ == "__main__":
    kind, model, tensor, sample, batch = sys.argv[1:6]
    programs.serve(*KINDS[kind](model, np.load(tensor), int(sample), int(batch)))
