"""Each convolution of the zoo's networks in every way there is, and what the rule would have chosen."""

from __future__ import annotations

import jax

from e2e_jax import zoo
from e2e_jax.benchmark import conditions
from e2e_jax.lowering.choose import by_rule
from e2e_jax.lowering.convolution import Convolution
from e2e_jax.lowering.tune import Measured, tune

NETWORKS = {
    "ResNet-18": zoo.resnet18,
    "MobileNetV2": zoo.mobilenet_v2,
    "EfficientNet-Lite0": zoo.efficientnet_lite0,
}
INPUT = 224  # pixels


def main() -> None:
    print(f"\nmilliseconds for one image, median; * by rule; {conditions()}")
    for name, make in NETWORKS.items():
        network = make(pretrained=False)
        network.eval()
        image = jax.ShapeDtypeStruct((1, INPUT, INPUT, 3), jax.numpy.float32)
        found = tune(lambda _, x, network=network: network(x), [], image)
        print(f"\n{name}")
        for convolution, measured in found.items():
            print(_line(convolution, measured))
        print(_total(found))


def _line(convolution: Convolution, measured: Measured) -> str:
    chosen = by_rule(convolution, constant=True, precision="float32")
    times = (f"{way}{'*' if way == chosen else ''} {1e3 * s:.2f}" for way, s in measured.seconds.items())
    window = "x".join(map(str, convolution.kernel))
    extents = "x".join(map(str, convolution.extents))
    what = f"{extents}x{convolution.inputs} -> {convolution.outputs}, {window}/{convolution.strides[0]}"
    return f"{what:32} groups {convolution.groups:4}   {'   '.join(times)}"


def _total(found: dict[Convolution, Measured]) -> str:
    ruled = sum(m.seconds[by_rule(c, constant=True, precision="float32")] for c, m in found.items())
    best = sum(min(m.seconds.values()) for m in found.values())
    native = sum(m.seconds["native"] for m in found.values())
    return (
        f"each once: native {1e3 * native:.1f}, by rule {1e3 * ruled:.1f}, the fastest of each {1e3 * best:.1f} ms"
    )
