"""Writes functions.csv: element-wise functions and their derivatives by torch, in double precision.

    python core/runtime/tests/kernels/functions.py > core/runtime/tests/kernels/functions.csv

Made with torch 2.15.0. Each line holds the function as the tests name it, a number, the function of
it, and the derivative that torch's autograd gives there.

    python core/runtime/tests/kernels/functions.py fit

prints the coefficients of erfc in src/backend/plain/transcendental.rs: a polynomial of degree 8 in
t = 1 / (1 + x / 2) that approximates exp(x^2) erfc(x) / t, fitted so that its largest relative error
is small, for every x that a float's erfc is above zero for. Made with numpy 2 and mpmath 1.3.0.
"""

import sys

import numpy as np

INFINITE = float("inf")
NUMBERS = [
    -INFINITE, -104.5, -88.0, -20.0, -9.5, -5.0, -3.0, -2.0, -1.0, -0.75, -0.5, -0.3, -1e-3, -1e-20,
    -0.0, 0.0, 1e-20, 1e-3, 0.3, 0.5, 0.75, 1.0, 2.0, 2.5, 3.0, 5.0, 9.5, 20.0, 88.0, 88.5, 104.5,
    INFINITE, float("nan"),
]


def functions():
    import torch
    from torch.nn import functional as f

    return {
        "absolute": torch.abs,
        "celu": lambda x: f.celu(x, 1.5),
        "elu": lambda x: f.elu(x, 0.75),
        "erf": torch.erf,
        "exponential": torch.exp,
        "gelu": f.gelu,
        "gelu_by_tanh": lambda x: f.gelu(x, approximate="tanh"),
        "hard_sigmoid": f.hardsigmoid,
        "hard_swish": f.hardswish,
        "leaky_rectify": lambda x: f.leaky_relu(x, 0.125),
        "logarithm": torch.log,
        "mish": f.mish,
        "power_0.5": lambda x: torch.pow(x, torch.tensor(0.5)),
        "power_2": lambda x: torch.pow(x, 2.0),
        "power_3": lambda x: torch.pow(x, 3.0),
        "power_-1": lambda x: torch.pow(x, -1.0),
        "reciprocal": torch.reciprocal,
        "rectify": f.relu,
        "selu": f.selu,
        "sigmoid": torch.sigmoid,
        "softplus": lambda x: f.softplus(x, threshold=1000.0),
        "softsign": f.softsign,
        "square_root": torch.sqrt,
        "swish": f.silu,
        "tanh": torch.tanh,
        "threshold": lambda x: f.threshold(x, 1.0, 0.0),
    }


def write():
    import torch

    print("function,x,value,slope")
    for name, function in functions().items():
        for number in NUMBERS:
            # What the tests compute with is a float.
            x = torch.tensor(float(np.float32(number)), dtype=torch.float64, requires_grad=True)
            value = function(x)
            value.backward()
            print(f"{name},{np.float32(number)!s},{value.item():.12g},{x.grad.item():.12g}")


def fit():
    import mpmath

    mpmath.mp.dps = 40
    degree, points = 8, 400
    t = 0.15 + 0.85 * (np.cos(np.pi * (np.arange(points) + 0.5) / points) + 1) / 2
    x = [mpmath.mpf(2 * (1 / place - 1)) for place in t]
    wanted = np.array([float(mpmath.erfc(a) * mpmath.exp(a * a)) for a in x]) / t
    powers = np.vander(t, degree + 1, increasing=True)
    weights = np.ones(points)
    # Lawson's iteration: points of large errors weigh more and more.
    for _ in range(60):
        system = powers / wanted[:, None] * weights[:, None]
        coefficients = np.linalg.lstsq(system, weights, rcond=None)[0]
        errors = np.abs(powers @ coefficients / wanted - 1)
        weights *= np.sqrt(errors / errors.max() + 1e-3)
    print("largest relative error", errors.max())
    for coefficient in coefficients:
        print(np.float32(coefficient))


if __name__ == "__main__":
    fit() if sys.argv[1:] == ["fit"] else write()
