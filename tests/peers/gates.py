"""Decisions of a network: which side of its bends every value is on, and which cell every maximum was found in.

Between two bends a network is smooth, so its gradient is known up to rounding once all decisions are. A value that lies
within rounding of a bend is decided by its last bit, and then two correct programs have different gradients. To tell
rounding from faults, `forced` makes a torch module in double precision take the decisions of another program.
"""

import contextlib
from unittest import mock

import torch
from torch.nn import functional as F

# operator: where it bends; the limits of Clip come with its calls.
BENDS = {"Relu": [0.0], "HardSwish": [-3.0, 3.0], "HardSigmoid": [-3.0, 3.0]}
FUNCTIONS = {"relu": "Relu", "hardtanh": "Clip", "max_pool2d": "MaxPool", "hardswish": "HardSwish", "hardsigmoid": "HardSigmoid"}


def decide(operator, x, bends, pooling):
    """Numbers the piece between bends that every value lies on, from low to high, or the cell of every maximum."""
    if operator == "MaxPool":
        return pooling(x, return_indices=True)[1]
    # A value that lies on a bend is outside, where no gradient passes.
    return (x > bends[0]).byte() + sum((x >= bend).byte() for bend in bends[1:])


def follow(operator, x, bends, decision):
    """Computes an operator on the pieces, or with the cells, that were decided."""
    if operator == "MaxPool":
        return x.flatten(2).gather(2, decision.flatten(2)).view(decision.shape)
    zero = torch.zeros_like(x)
    pieces = {
        "Relu": lambda: [zero, x],
        "Clip": lambda: [zero + bends[0], x, zero + bends[1]],
        "HardSwish": lambda: [zero, x * (x + 3) / 6, x],
        "HardSigmoid": lambda: [zero, x / 6 + 0.5, zero + 1],
    }[operator]()
    return sum(torch.where(decision == index, piece, 0.0) for index, piece in enumerate(pieces))


@contextlib.contextmanager
def watched(visit):
    """Lets `visit(operator, x, bends, pooling)` compute every operator that decides something, in the order of calls."""

    def watcher(name, original):
        operator = FUNCTIONS[name]

        def call(x, *arguments, inplace=False, **keywords):
            if operator != "MaxPool":
                return visit(operator, x, list(arguments[:2]) if operator == "Clip" else BENDS[operator], None)
            keywords.pop("return_indices", None)
            return visit(operator, x, [], lambda values, **more: original(values, *arguments, **keywords, **more))

        return call

    with contextlib.ExitStack() as stack:
        for name in FUNCTIONS:
            stack.enter_context(mock.patch.object(F, name, watcher(name, getattr(F, name))))
        yield


def decided(module, pictures):
    """Lists the decisions that a module takes by itself."""
    taken = []

    def visit(operator, x, bends, pooling):
        taken.append(decide(operator, x, bends, pooling))
        return follow(operator, x, bends, taken[-1])

    with watched(visit), torch.no_grad():
        module(pictures)
    return taken


@contextlib.contextmanager
def forced(model, values, taken):
    """Makes a module decide as the named `values` of the same network's `model` do; lists the decisions in `taken`.

    Refuses values that are not those which the module has at the same place, up to rounding.
    """
    nodes = iter([node for node in model.graph.node if node.op_type in FUNCTIONS.values()])

    def visit(operator, x, bends, pooling):
        node = next(nodes)
        theirs = torch.from_numpy(values[node.input[0]])
        assert (node.op_type, theirs.shape) == (operator, x.shape), f"{node.output[0]}: {operator} of {x.shape}"
        apart = (theirs - x).abs().max() / x.abs().max()
        assert apart < 1e-4, f"{node.input[0]}: apart by {apart:.1e}"
        taken.append(decide(operator, theirs, bends, pooling))
        return follow(operator, x, bends, taken[-1])

    with watched(visit):
        yield
    assert next(nodes, None) is None, "the module decides less than the file"


def count_differences(one, other):
    """Counts the decisions that two lists of the same network do not share."""
    return sum(int((a != b).sum()) for a, b in zip(one, other, strict=True))
