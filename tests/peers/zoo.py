"""The usual families of image classifiers as torch modules with seeded weights, in full size and small, and as ONNX.

Every family is there once as it is written in its paper, so that its graph has the operators, shapes and names that
files of that family have; the weights are random. `small` keeps the graph and shrinks channels, depth and input.
"""

import functools
import warnings

import onnx
import torch
import torchvision.models as models
from torch import nn
from torch.nn import functional as F

warnings.filterwarnings("ignore")


class ResponseNormalization(nn.Module):
    """Local response normalization, exported as the operator LRN, which files of AlexNet's time have."""

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(context, x):
            return F.local_response_norm(x, 5, 1e-4, 0.75, 2.0)

        @staticmethod
        def symbolic(graph, x):
            return graph.op("LRN", x, size_i=5, alpha_f=1e-4, beta_f=0.75, bias_f=2.0)

    def forward(self, x):
        return self.Function.apply(x) if torch.onnx.is_in_onnx_export() else F.local_response_norm(x, 5, 1e-4, 0.75, 2.0)


def classifier(channels, hidden, classes):
    return nn.Sequential(
        nn.Flatten(), nn.LazyLinear(hidden), nn.ReLU(), nn.Dropout(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(),
        nn.Linear(hidden, classes))


def alexnet(width=1.0, classes=1000):
    """Krizhevsky et al. (2012): two groups, normalization before overlapping pooling."""
    c = [int(width * channels) for channels in (96, 256, 384, 384, 256, 4096)]
    return nn.Sequential(
        nn.Conv2d(3, c[0], 11, 4), nn.ReLU(), ResponseNormalization(), nn.MaxPool2d(3, 2),
        nn.Conv2d(c[0], c[1], 5, padding=2, groups=2), nn.ReLU(), ResponseNormalization(), nn.MaxPool2d(3, 2),
        nn.Conv2d(c[1], c[2], 3, padding=1), nn.ReLU(), nn.Conv2d(c[2], c[3], 3, padding=1, groups=2), nn.ReLU(),
        nn.Conv2d(c[3], c[4], 3, padding=1, groups=2), nn.ReLU(), nn.MaxPool2d(3, 2), classifier(c[4], c[5], classes))


def zfnet(width=1.0, classes=1000):
    """Zeiler & Fergus (2013), Figure 3: a smaller first stride, and normalization after pooling."""
    c = [int(width * channels) for channels in (96, 256, 384, 384, 256, 4096)]
    return nn.Sequential(
        nn.Conv2d(3, c[0], 7, 2, 1), nn.ReLU(), nn.MaxPool2d(3, 2, 1), ResponseNormalization(),
        nn.Conv2d(c[0], c[1], 5, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1), ResponseNormalization(),
        nn.Conv2d(c[1], c[2], 3, padding=1), nn.ReLU(), nn.Conv2d(c[2], c[3], 3, padding=1), nn.ReLU(),
        nn.Conv2d(c[3], c[4], 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2), classifier(c[4], c[5], classes))


class Inception(nn.Module):
    """A module of GoogLeNet: four branches, joined."""

    def __init__(self, c, one, three_in, three, five_in, five, pooled):
        super().__init__()
        self.one = nn.Conv2d(c, one, 1)
        self.three = nn.Sequential(nn.Conv2d(c, three_in, 1), nn.ReLU(), nn.Conv2d(three_in, three, 3, padding=1))
        self.five = nn.Sequential(nn.Conv2d(c, five_in, 1), nn.ReLU(), nn.Conv2d(five_in, five, 5, padding=2))
        self.pooled = nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), nn.Conv2d(c, pooled, 1))
        self.channels = one + three + five + pooled

    def forward(self, x):
        return F.relu(torch.cat([self.one(x), self.three(x), self.five(x), self.pooled(x)], 1))


def googlenet(width=1.0, classes=1000):
    """Szegedy et al. (2014), Table 1: pooling that rounds up, normalization in the stem, nine modules."""
    s = lambda channels: max(int(width * channels), 2)
    table = [
        (64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64), None, (192, 96, 208, 16, 48, 64), (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64), (112, 144, 288, 32, 64, 64), (256, 160, 320, 32, 128, 128), None,
        (256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)]
    layers = [
        nn.Conv2d(3, s(64), 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True), ResponseNormalization(),
        nn.Conv2d(s(64), s(64), 1), nn.ReLU(), nn.Conv2d(s(64), s(192), 3, padding=1), nn.ReLU(), ResponseNormalization(),
        nn.MaxPool2d(3, 2, ceil_mode=True)]
    c = s(192)
    for row in table:
        if row is None:
            layers.append(nn.MaxPool2d(3, 2, ceil_mode=True))
        else:
            layers.append(Inception(c, *map(s, row)))
            c = layers[-1].channels
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(), nn.Linear(c, classes))


class Factorized(nn.Module):
    """A module of Inception-v3: 1×7 and 7×1 filters beside average pooling."""

    def __init__(self, c, width):
        super().__init__()
        unit = lambda a, b, k, p: nn.Sequential(nn.Conv2d(a, b, k, padding=p, bias=False), nn.BatchNorm2d(b, 1e-3), nn.ReLU())
        self.one = unit(c, width, 1, 0)
        self.seven = nn.Sequential(unit(c, width, 1, 0), unit(width, width, (1, 7), (0, 3)), unit(width, width, (7, 1), (3, 0)))
        self.pooled = unit(c, width, 1, 0)

    def forward(self, x):
        pooled = F.avg_pool2d(x, 3, 1, 1)
        return torch.cat([self.one(x), self.seven(x), self.pooled(pooled)], 1)


def inception(width=1.0, classes=1000):
    """Like Inception-v3 (Szegedy et al. 2015, Figure 6)."""
    c = int(width * 128)
    stem = [nn.Conv2d(3, c, 3, 2, bias=False), nn.BatchNorm2d(c), nn.ReLU(), nn.MaxPool2d(3, 2)]
    return nn.Sequential(*stem, *(Factorized(c if i == 0 else 3 * c, c) for i in range(4)), nn.AdaptiveAvgPool2d(1),
                         nn.Flatten(), nn.Linear(3 * c, classes))


def vgg(width=1.0, classes=1000, table=(64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M")):
    """Simonyan & Zisserman (2014), configuration D."""
    layers, c = [], 3
    for entry in table:
        if entry == "M":
            layers.append(nn.MaxPool2d(2, 2))
        else:
            layers += [nn.Conv2d(c, int(width * entry), 3, padding=1), nn.ReLU()]
            c = int(width * entry)
    return nn.Sequential(*layers, classifier(c, int(width * 4096), classes))


class Residual(nn.Module):
    """A bottleneck of ResNet; its rectifier is used three times."""

    def __init__(self, c, inner, stride):
        super().__init__()
        self.first, self.norm_1 = nn.Conv2d(c, inner, 1, bias=False), nn.BatchNorm2d(inner)
        self.second, self.norm_2 = nn.Conv2d(inner, inner, 3, stride, 1, bias=False), nn.BatchNorm2d(inner)
        self.third, self.norm_3 = nn.Conv2d(inner, 4 * inner, 1, bias=False), nn.BatchNorm2d(4 * inner)
        self.relu = nn.ReLU(inplace=True)
        same = stride == 1 and c == 4 * inner
        self.skip = nn.Identity() if same else nn.Sequential(
            nn.Conv2d(c, 4 * inner, 1, stride, bias=False), nn.BatchNorm2d(4 * inner))

    def forward(self, x):
        y = self.relu(self.norm_1(self.first(x)))
        y = self.relu(self.norm_2(self.second(y)))
        return self.relu(self.norm_3(self.third(y)) + self.skip(x))


def resnet(width=1.0, classes=1000, depth=(3, 4, 6, 3)):
    """He et al. (2015), Table 1: 50 layers in full size."""
    c = int(64 * width)
    layers = [nn.Conv2d(3, c, 7, 2, 3, bias=False), nn.BatchNorm2d(c), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    for stage, blocks in enumerate(depth):
        inner = int(64 * width) * 2**stage
        for block in range(blocks):
            layers.append(Residual(c, inner, 2 if block == 0 and stage > 0 else 1))
            c = 4 * inner
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, classes))


class Bottleneck(nn.Module):
    """An inverted bottleneck with ReLU6 and without squeeze and excitation."""

    def __init__(self, c, out, expand, kernel, stride):
        super().__init__()
        inner = c * expand
        unit = lambda a, b, k, s, g: [nn.Conv2d(a, b, k, s, k // 2, groups=g, bias=False), nn.BatchNorm2d(b, 1e-3)]
        widen = [*unit(c, inner, 1, 1, 1), nn.ReLU6()] if expand > 1 else []
        self.body = nn.Sequential(*widen, *unit(inner, inner, kernel, stride, inner), nn.ReLU6(), *unit(inner, out, 1, 1, 1))
        self.same = stride == 1 and c == out

    def forward(self, x):
        return x + self.body(x) if self.same else self.body(x)


def efficientnet_lite(width=1.0, classes=1000, depth=1.0):
    """EfficientNet-lite0: Tan & Le (2019), Table 1, without squeeze and excitation, with ReLU6."""
    s = lambda channels: max(int(width * channels) // 4 * 4, 4)
    table = [(1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4),
             (6, 3, 1, 320, 1)]
    c = s(32)
    layers = [nn.Conv2d(3, c, 3, 2, 1, bias=False), nn.BatchNorm2d(c, 1e-3), nn.ReLU6()]
    for expand, kernel, stride, out, repeats in table:
        for i in range(max(round(depth * repeats), 1)):
            layers.append(Bottleneck(c, s(out), expand, kernel, stride if i == 0 else 1))
            c = s(out)
    head = s(1280)
    return nn.Sequential(*layers, nn.Conv2d(c, head, 1, bias=False), nn.BatchNorm2d(head, 1e-3), nn.ReLU6(),
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(head, classes))


class Shuffled(nn.Module):
    """A unit of ShuffleNet: grouped 1×1 convolutions with the channels shuffled between them."""

    def __init__(self, c, out, groups, stride):
        super().__init__()
        self.groups, self.stride = groups, stride
        inner, rest = out // 4, out - c if stride == 2 else out
        self.first, self.norm_1 = nn.Conv2d(c, inner, 1, groups=groups if c > 24 else 1, bias=False), nn.BatchNorm2d(inner)
        self.second, self.norm_2 = nn.Conv2d(inner, inner, 3, stride, 1, groups=inner, bias=False), nn.BatchNorm2d(inner)
        self.third, self.norm_3 = nn.Conv2d(inner, rest, 1, groups=groups, bias=False), nn.BatchNorm2d(rest)

    def forward(self, x):
        y = F.relu(self.norm_1(self.first(x)))
        n, c, h, w = y.shape
        y = y.reshape(n, self.groups, c // self.groups, h, w).transpose(1, 2).reshape(n, c, h, w)
        y = self.norm_3(self.third(self.norm_2(self.second(y))))
        return F.relu(torch.cat([F.avg_pool2d(x, 3, 2, 1), y], 1) if self.stride == 2 else x + y)


def shufflenet(width=1.0, classes=1000, depth=(3, 7, 3)):
    """Zhang et al. (2017), Table 1, three groups."""
    layers, c = [nn.Conv2d(3, 24, 3, 2, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(3, 2, 1)], 24
    for stage, repeats in enumerate(depth):
        out = int(width * 240) * 2**stage
        for i in range(repeats + 1):
            layers.append(Shuffled(c, out, 3, 2 if i == 0 else 1))
            c = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, classes))


def mobilenet_v3_small_table():
    row = functools.partial(models.mobilenetv3.InvertedResidualConfig, dilation=1, width_mult=1.0)
    return [row(8, 3, 16, 8, True, "RE", 2), row(8, 3, 24, 12, False, "RE", 2), row(12, 5, 32, 12, True, "HS", 1)]


# name: (full size, its input, small, its input, exporter)
ZOO = {
    "alexnet": (alexnet, 227, lambda: alexnet(1 / 24, 10), 67, "torchscript"),
    "densenet": (models.densenet121, 224, lambda: models.DenseNet(4, (2, 2, 2), 8, num_classes=10), 32, "dynamo"),
    "efficientnet_lite": (efficientnet_lite, 224, lambda: efficientnet_lite(1 / 8, 10, 0.3), 32, "dynamo"),
    "googlenet": (googlenet, 224, lambda: googlenet(1 / 32, 10), 48, "torchscript"),
    "inception": (inception, 224, lambda: inception(1 / 16, 10), 32, "dynamo"),
    "mobilenet_v2": (models.mobilenet_v2, 224, lambda: models.MobileNetV2(
        10, 0.25, [[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 1, 2]]), 32, "torchscript"),
    "mobilenet_v3": (models.mobilenet_v3_small, 224, lambda: models.MobileNetV3(mobilenet_v3_small_table(), 48, 10), 32, "dynamo"),
    "resnet_folded": (resnet, 224, lambda: resnet(1 / 16, 10, (1, 1, 1, 1)), 32, "dynamo"),
    "resnet_kept": (resnet, 224, lambda: resnet(1 / 16, 10, (2, 1, 1, 1)), 32, "torchscript, kept"),
    "shufflenet": (shufflenet, 224, lambda: shufflenet(1 / 5, 10, (1, 1, 1)), 32, "torchscript"),
    "shufflenet_v2": (models.shufflenet_v2_x1_0, 224, lambda: models.ShuffleNetV2([2, 2, 2], [8, 16, 32, 48, 64], 10), 32, "dynamo"),
    "vgg": (vgg, 224, lambda: vgg(1 / 32, 10, (64, "M", 128, "M", 256, 256, "M")), 32, "torchscript"),
    "zfnet": (zfnet, 224, lambda: zfnet(1 / 32, 10), 64, "torchscript"),
}


def make(name, size, seed=7):
    """Returns a module with seeded weights, and pictures for it."""
    full, full_edge, small, small_edge, _ = ZOO[name]
    torch.manual_seed(seed)
    module, edge = (full(), full_edge) if size == "full" else (small(), small_edge)
    pictures = torch.randn(2, 3, edge, edge)
    initialize(module.eval(), pictures)
    return module, pictures


def initialize(module, pictures):
    """Draws weights with which activations neither vanish nor explode."""
    with torch.no_grad():
        module(pictures)
        for layer in module.modules():
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(layer.weight)
                if layer.bias is not None:
                    nn.init.normal_(layer.bias, 0, 0.1)
            if isinstance(layer, nn.BatchNorm2d):
                nn.init.uniform_(layer.weight, 0.5, 1.0)
                nn.init.normal_(layer.bias, 0, 0.1)
                nn.init.normal_(layer.running_mean, 0, 0.1)
                nn.init.uniform_(layer.running_var, 0.5, 2.0)


def export(name, module, pictures, path):
    """Writes a module as ONNX, any number of pictures, in the way its family is written here."""
    write(module, pictures, path, ZOO[name][4])


def write(module, pictures, path, exporter):
    """Writes a module as ONNX, any number of pictures, with one of torch's exporters."""
    if exporter == "dynamo":
        shapes = ({0: torch.export.Dim("batch", min=1, max=1024)},)
        torch.onnx.export(module, (pictures,), path, dynamo=True, input_names=["data"], dynamic_shapes=shapes,
                          external_data=False, verbose=False)
    else:
        mode = torch.onnx.TrainingMode.PRESERVE if "kept" in exporter else torch.onnx.TrainingMode.EVAL
        torch.onnx.export(module, (pictures,), path, dynamo=False, input_names=["data"], dynamic_axes={"data": {0: "batch"}},
                          training=mode, opset_version=13)
    model = onnx.load(path)
    for node in model.graph.node:
        # Exporters write down where their sources lie; the names of the modules are all a reader needs.
        kept = [entry for entry in node.metadata_props if entry.key == "pkg.torch.onnx.name_scopes"]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
    del model.graph.metadata_props[:], model.metadata_props[:]
    onnx.save(model, path)
