"""The networks of the comparison: five in full size with seeded weights, as torch modules and as ONNX files."""

import hashlib
import pathlib

import torch
import torchvision.models as models

import zoo

# name: (module, edge of its pictures, images of the larger batch)
NETWORKS = {
    "zfnet": (zoo.zfnet, 224, 32),
    "alexnet": (zoo.alexnet, 227, 32),
    "vgg16": (zoo.vgg, 224, 8),
    "resnet18": (models.resnet18, 224, 32),
    "squeezenet": (models.squeezenet1_1, 224, 32),
}


def make(name, seed=7):
    """Returns a module with seeded weights."""
    build, edge, _ = NETWORKS[name]
    torch.manual_seed(seed)
    module = build().eval()
    zoo.initialize(module, torch.randn(2, 3, edge, edge))
    return module


def pictures(name, batch, seed=11):
    """Returns seeded pictures for a network."""
    edge = NETWORKS[name][1]
    return torch.randn(batch, 3, edge, edge, generator=torch.Generator().manual_seed(seed))


def path(name, folder):
    """Returns the ONNX file of a network in a folder, written unless it is there."""
    sources = b"".join(pathlib.Path(source).read_bytes() for source in (zoo.__file__, __file__))
    file = folder / f"{name}-{hashlib.sha256(sources).hexdigest()[:8]}.onnx"
    if not file.exists():
        partial = file.with_suffix(".partial")
        zoo.write(make(name), pictures(name, 2), str(partial), "torchscript")
        partial.rename(file)
    return file
