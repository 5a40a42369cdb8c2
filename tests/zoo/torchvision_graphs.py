"""ResNet-18 and MobileNetV2 in ONNX operators under torchvision's names, with random weights, for ONNX Runtime.

Written from torchvision's ``models/resnet.py`` and ``models/mobilenetv2.py``: channels first, padding in numbers.
"""

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

EPSILON = 1e-5  # torch.nn.BatchNorm2d


class Graph:
    """Nodes and the arrays they need, by torch's names; each array is drawn where it is first used."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.arrays: dict[str, np.ndarray] = {}
        self.limits: dict[str, np.float32] = {}

    def add(self, op: str, *inputs: str, **attributes) -> str:
        self.nodes.append(helper.make_node(op, list(inputs), [f"t{len(self.nodes)}"], **attributes))
        return self.nodes[-1].output[0]

    def array(self, name: str, value: np.ndarray) -> str:
        self.arrays[name] = value.astype(np.float32)
        return name

    def conv(self, x: str, name: str, out: int, inputs: int, kernel=3, stride=1, group=1) -> str:
        shape = (out, inputs // group, kernel, kernel)
        weight = self.rng.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape)
        layout = {"pads": [(kernel - 1) // 2] * 4, "kernel_shape": [kernel] * 2, "strides": [stride] * 2}
        return self.add("Conv", x, self.array(f"{name}.weight", weight), group=group, **layout)

    def norm(self, x: str, name: str, channels: int) -> str:
        """Variances down to the size of epsilon, so that epsilon counts."""
        variance = 10 ** self.rng.uniform(-5, 1, channels)
        scale = variance**0.5 * self.rng.uniform(0.5, 1.2, channels)
        arrays = {"weight": scale, "bias": self.rng.normal(0, 0.2, channels)}
        arrays |= {"running_mean": self.rng.normal(0, 0.2, channels), "running_var": variance}
        names = [self.array(f"{name}.{part}", value) for part, value in arrays.items()]
        return self.add("BatchNormalization", x, *names, epsilon=EPSILON)

    def linear(self, x: str, name: str, out: int, inputs: int) -> str:
        weight = self.array(f"{name}.weight", self.rng.normal(0, inputs**-0.5, (out, inputs)))
        bias = self.array(f"{name}.bias", self.rng.normal(0, 1, out))
        return self.add("Gemm", self.add("Flatten", self.add("GlobalAveragePool", x)), weight, bias, transB=1)

    def clip6(self, x: str) -> str:
        self.limits = {"zero": np.float32(0), "six": np.float32(6)}
        return self.add("Clip", x, *self.limits)

    def run(self, images: np.ndarray) -> np.ndarray:
        """Logits (b, 1000) of images (b, h, w, 3)."""
        tensors = [numpy_helper.from_array(np.asarray(v), n) for n, v in (self.arrays | self.limits).items()]
        end = self.nodes[-1].output[0]
        ends = [helper.make_tensor_value_info(n, 1, s) for n, s in (("x", ["b", 3, "h", "w"]), (end, ["b", 1000]))]
        graph = helper.make_graph(self.nodes, "net", ends[:1], ends[1:], tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        return session.run(None, {"x": np.ascontiguousarray(images.transpose(0, 3, 1, 2))})[0]


def resnet18(seed: int = 0) -> Graph:
    g = Graph(seed)
    x = g.add("Relu", g.norm(g.conv("x", "conv1", 64, 3, 7, 2), "bn1", 64))
    x = g.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    x = _layer(g, x, "layer1", 64, 64, 1)
    x = _layer(g, x, "layer2", 64, 128, 2)
    x = _layer(g, x, "layer3", 128, 256, 2)
    x = _layer(g, x, "layer4", 256, 512, 2)
    g.linear(x, "fc", 1000, 512)
    return g


def _layer(g: Graph, x: str, name: str, inputs: int, out: int, stride: int) -> str:
    for n in range(2):
        block = f"{name}.{n}"
        y = g.add("Relu", g.norm(g.conv(x, f"{block}.conv1", out, inputs, 3, stride), f"{block}.bn1", out))
        y = g.norm(g.conv(y, f"{block}.conv2", out, out), f"{block}.bn2", out)
        if n == 0 and stride == 2:
            x = g.norm(g.conv(x, f"{block}.downsample.0", out, inputs, 1, 2), f"{block}.downsample.1", out)
        x, inputs, stride = g.add("Relu", g.add("Add", y, x)), out, 1
    return x


def mobilenet_v2(seed: int = 0) -> Graph:
    g = Graph(seed)
    x = g.clip6(g.norm(g.conv("x", "features.0.0", 32, 3, 3, 2), "features.0.1", 32))
    x = _first_block(g, x)
    inputs, number = 16, 2
    for out, repeats, stride in ((24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1)):
        for n in range(repeats):
            y = _block(g, x, f"features.{number}.conv", inputs, out, stride if n == 0 else 1)
            x = g.add("Add", x, y) if n > 0 else y
            inputs, number = out, number + 1
    x = g.clip6(g.norm(g.conv(x, "features.18.0", 1280, 320, 1), "features.18.1", 1280))
    g.linear(x, "classifier.1", 1000, 1280)
    return g


def _first_block(g: Graph, x: str) -> str:
    x = g.clip6(g.norm(g.conv(x, "features.1.conv.0.0", 32, 32, 3, 1, 32), "features.1.conv.0.1", 32))
    return g.norm(g.conv(x, "features.1.conv.1", 16, 32, 1), "features.1.conv.2", 16)


def _block(g: Graph, x: str, name: str, inputs: int, out: int, stride: int) -> str:
    wide = 6 * inputs
    x = g.clip6(g.norm(g.conv(x, f"{name}.0.0", wide, inputs, 1), f"{name}.0.1", wide))
    x = g.clip6(g.norm(g.conv(x, f"{name}.1.0", wide, wide, 3, stride, wide), f"{name}.1.1", wide))
    return g.norm(g.conv(x, f"{name}.2", out, wide, 1), f"{name}.3", out)
