"""Makes the files that tests/names.rs reads: one small network as torch's exporters write it.

    python core/onnx/tests/names/make_names.py

Needs torch 2.15.0, onnxscript 0.7.2, onnx 1.23.2. modules.json holds the seeded input and, by the path of every module,
what that module hands out in torch: whatever an exporter calls its nodes, a path must find these numbers. Batch
normalization is exported in evaluation mode, so the exporters fold it unless told otherwise:

    script.onnx   TorchScript exporter, folded
    dynamo.onnx   dynamo exporter, folded; it keeps the weights' names
    plain.onnx    dynamo exporter without optimizing: batch normalization is there
"""

import json
import pathlib

import onnx
import torch
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.relu = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()

    def forward(self, x):
        return self.relu(self.bn(self.conv(x)) + x)


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.5))
        self.layer1 = nn.Sequential(Block(), Block())
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(0.5), nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))

    def forward(self, x):
        x = self.layer1(self.features(x))
        return self.classifier(torch.flatten(self.pool(x), 1))


def strip(path):
    """Drops what tells of this machine, such as the paths in stack traces."""
    model = onnx.load(path)
    del model.metadata_props[:], model.graph.metadata_props[:], model.graph.value_info[:]
    for node in model.graph.node:
        node.doc_string = ""
        kept = [entry for entry in node.metadata_props if entry.key == "pkg.torch.onnx.name_scopes"]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
    for item in [*model.graph.input, *model.graph.output, *model.graph.initializer]:
        del item.metadata_props[:]
    onnx.save(model, path)


torch.manual_seed(0)
network = Network()
with torch.no_grad():
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                tensor.copy_(torch.rand(4) + 0.5)
network.eval()
image = torch.randn(1, 3, 6, 6)

values = {}
for path, module in network.named_modules():
    module.register_forward_hook(lambda _module, _input, output, path=path: values.update({path: output.detach()}))
network(image)
numbers = {path: [round(number, 6) for number in value.flatten().tolist()] for path, value in values.items() if path}
(HERE / "modules.json").write_text(json.dumps({"input": image.flatten().tolist(), "modules": numbers}) + "\n")

for module in network.modules():
    module._forward_hooks.clear()
torch.onnx.export(network, (image,), HERE / "script.onnx", dynamo=False, opset_version=17)
torch.onnx.export(network, (image,), HERE / "dynamo.onnx", dynamo=True, external_data=False)
torch.onnx.export(network, (image,), HERE / "plain.onnx", dynamo=True, external_data=False, optimize=False)
for name in ("script", "dynamo", "plain"):
    strip(HERE / f"{name}.onnx")
