"""Prints what every element-wise operator makes of -2 and of 0.75, its attributes left out.

    python core/onnx/src/operator/element_wise.py

Made with onnx 1.23.2 and numpy 2. The reference evaluator computes in double precision.
"""

import numpy as np
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

OPERATORS = [
    "Abs", "Celu", "Elu", "Erf", "Exp", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Log",
    "Mish", "Neg", "Reciprocal", "Relu", "Selu", "Sigmoid", "Softplus", "Softsign", "Sqrt", "Swish",
    "Tanh", "ThresholdedRelu",
]

np.seterr(all="ignore")
for operator in OPERATORS:
    value = lambda name: helper.make_tensor_value_info(name, TensorProto.DOUBLE, [2])
    node = helper.make_node(operator, ["x"], ["y"])
    graph = helper.make_graph([node], "one", [value("x")], [value("y")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)])
    values = ReferenceEvaluator(model).run(None, {"x": np.array([-2.0, 0.75])})[0]
    print(operator, *(f"{number:.10g}" for number in values))
