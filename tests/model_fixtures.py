"""A tiny model, its artifact, and a way to alter an artifact so that only the altered thing is wrong."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import e2e_jax as e2e
from e2e_jax import transforms as T
from e2e_jax.artifact import archive

LABELS = ["red", "green", "blue", "gray"]
WEIGHTS = np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32) * 20


def mean_colour(params: Any, x: Any) -> Any:
    """Logits (b, 4) from images (b, h, w, 3)."""
    return (x.mean((1, 2)) - np.float32(0.5)) @ params


def tiny_model(
    *, preprocess: Any = None, network: Any = (mean_colour, WEIGHTS), postprocess: Any = "classify"
) -> e2e.EndToEnd:
    """Resize, crop, mean colour, four classes; any part can be another."""
    steps = T.Compose([T.Resize(20), T.CenterCrop(16), T.ToTensor()]) if preprocess is None else preprocess
    finish = T.Classify(LABELS, top_k=3) if postprocess == "classify" else postprocess
    return e2e.EndToEnd(steps, network, finish)


def filled(kind: type[nnx.Module]) -> nnx.Module:
    """A network with random parameters and positive variances, without compiling what draws them."""
    graph, shapes = nnx.split(nnx.eval_shape(lambda: kind(nnx.Rngs(0))))
    rng = np.random.default_rng(8)

    def fill(path: Any, leaf: Any) -> Any:
        low = 0.1 if "var" in jax.tree_util.keystr(path) else -1
        spread = math.prod(leaf.shape[:-1]) ** 0.5  # keeps sums over a kernel near 1
        return jnp.asarray((rng.uniform(low, 1, leaf.shape) / spread).astype(leaf.dtype))

    return nnx.merge(graph, jax.tree_util.tree_map_with_path(fill, shapes))


def photo(height: int = 40, width: int = 50, channels: int = 3, seed: int = 0) -> np.ndarray:
    """A blurred random picture, uint8."""
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 8 + 1, width // 8 + 1, channels))
    return np.kron(coarse, np.ones((8, 8, 1)))[:height, :width].astype(np.uint8)


def assert_same(found: Any, expected: Any, tolerance: float = 1e-5) -> None:
    """Two classifications with the same labels and scores within a tolerance."""
    assert [c.id for c in found.top] == [c.id for c in expected.top]
    assert [c.label for c in found.top] == [c.label for c in expected.top]
    np.testing.assert_allclose([c.score for c in found.top], [c.score for c in expected.top], atol=tolerance)


def rewrite(
    source: Path,
    target: Path,
    *,
    manifest: dict[str, Any] | None = None,
    members: dict[str, bytes | None] | None = None,
) -> Path:
    """A copy of an artifact with other manifest fields and members (None: without it), all hashes made right."""
    content = {name: data for name, data in (archive.read(source) | (members or {})).items() if data is not None}
    fields = json.loads(content.pop(archive.MANIFEST))
    fields["members"] = {name: archive.digest(data) for name, data in content.items()}
    fields |= manifest or {}
    archive.write(target, {archive.MANIFEST: json.dumps(fields).encode()} | content)
    return target


@pytest.fixture(scope="session")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artifact of `tiny_model`; not to be changed."""
    return e2e.export(tiny_model(), tmp_path_factory.mktemp("tiny") / "tiny.e2e", progress=False)


@pytest.fixture(scope="session")
def predictor(tiny_file: Path) -> e2e.Predictor:
    """Of `tiny_file`, shared so that its programs are compiled once."""
    return e2e.load(tiny_file)
