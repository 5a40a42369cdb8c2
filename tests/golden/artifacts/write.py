"""Writes formatN.e2e and formatN.npz: a tiny model in the format of a checkout, and what it predicted then.

Run in a checkout of the last commit that writes the format, see `COMMITS`, from its root:

    PYTHONPATH=. python <path to this file>

Last runs: jax and jaxlib 0.12.0.1, flax 0.12.12, orbax-checkpoint 0.11.36, x86-64.
"""

from pathlib import Path

import jax
import numpy as np
from flax import nnx

import e2e_jax as e2e
from e2e_jax import transforms as T
from e2e_jax.artifact import sample
from e2e_jax.artifact.manifest import FORMAT

HERE = Path(__file__).parent
COMMITS = {1: "e614820", 2: "ba117a4"}  # the last ones that write a format
OPTIONS = {1: {}}  # of `export`; format 1 knew one precision
LABELS = ["red", "green", "blue", "gray"]


class Network(nnx.Module):
    """A convolution, a depthwise one, batch normalisation and a dense layer."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.conv = nnx.Conv(3, 6, (3, 3), strides=2, rngs=rngs)
        self.depthwise = nnx.Conv(6, 6, (3, 3), feature_group_count=6, rngs=rngs)
        self.norm = nnx.BatchNorm(6, rngs=rngs)
        self.norm.mean[...] = jax.random.normal(rngs(), (6,))
        self.dense = nnx.Linear(6, 4, rngs=rngs)

    def __call__(self, x):
        x = jax.nn.relu(self.conv(x))
        return 9 * self.dense(jax.nn.relu6(self.norm(self.depthwise(x))).mean((1, 2)))


def photos() -> np.ndarray:
    """Three photos (3, 24, 30, 3) uint8 of coloured tiles."""
    row, col = np.mgrid[:24, :30]
    return np.stack(
        [np.stack([row // 5 * 37 * (n + 1) + col // 4 * 91 + 53 * c for c in range(3)], -1) % 256 for n in range(3)]
    ).astype(np.uint8)


def main() -> None:
    name, options = f"format{FORMAT}", OPTIONS.get(FORMAT, {"precision": ("float32", "bfloat16")})
    sample.SIZES.insert(0, (32, 40))  # a smaller stored photo than the usual one: the file is 140 KB, not 370
    steps = T.Compose([T.Resize(20), T.CenterCrop(16), T.ToTensor(), T.Normalize([0.5] * 3, [0.25] * 3)])
    model = e2e.EndToEnd(steps, Network(nnx.Rngs(3)), T.Classify(LABELS, top_k=3))
    path = e2e.export(model, HERE / f"{name}.e2e", name=name, progress=False, **options)
    each = e2e.load(path).predict(photos())
    np.savez_compressed(
        HERE / f"{name}.npz",
        ids=[[c.id for c in found.top] for found in each],
        scores=np.float32([[c.score for c in found.top] for found in each]),
    )


if __name__ == "__main__":
    main()
