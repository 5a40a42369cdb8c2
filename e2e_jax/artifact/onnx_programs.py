"""The ONNX programs of an artifact: the whole model, its halves, and the weights they share.

``model`` takes photos of one size, any size, to the outputs. ``preprocess`` takes them as far as the network's
input, whose size is always the same; ``network`` takes that on. Two programs for lists of different sizes.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, NamedTuple

import jax
import numpy as np

from e2e_jax.artifact import sample
from e2e_jax.artifact.accuracy import Accuracy, check_accuracy
from e2e_jax.artifact.describe import INPUT_RANGES
from e2e_jax.artifact.traced import Sizes, Traced
from e2e_jax.engines.catalog import require
from e2e_jax.engines.external import LOCATION, shared
from e2e_jax.engines.models import described, joined, versions
from e2e_jax.engines.onnx_graph import BATCH, plain, to_onnx
from e2e_jax.engines.onnxruntime import OnnxRuntime
from e2e_jax.errors import ConfigError
from e2e_jax.graphs.graph import Graph, Port
from e2e_jax.graphs.picture import Picture
from e2e_jax.types import Array

FOLDER = "onnx/"
WEIGHTS = FOLDER + LOCATION
INPUT, BETWEEN = "images", "network_input"  # names of the photos, and of what the network takes

type Wanted = bool | Literal["network"]


class OnnxPrograms(NamedTuple):
    """What `export` adds.

    Args:
        members: Names to contents.
        record: For the manifest; ``None`` without programs.
    """

    members: dict[str, bytes]
    record: dict[str, Any] | None


class Wish(NamedTuple):
    """What was asked for.

    Args:
        onnx: ``True`` for all programs, ``"network"`` for the network with what follows it, ``False`` for none.
        max_difference: How far an output may be off, as for `export`.
    """

    onnx: Wanted
    max_difference: float

    @classmethod
    def checked(cls, onnx: Any, max_difference: float) -> Wish:
        """From what a user passed.

        Raises:
            ConfigError: It is unknown, or ONNX Runtime, which checks the programs, is not installed.
        """
        if not isinstance(onnx, bool) and onnx != "network":
            raise ConfigError("export: onnx must be known.", f"{onnx=}", 'one of False, True, "network".')
        if onnx:
            require(["onnxruntime"])
        return cls(onnx, max_difference)


def written(
    traced: Traced, sizes: Sizes, photo: np.ndarray, expected: dict[str, np.ndarray], wish: Wish
) -> OnnxPrograms:
    """Writes the programs, and measures with ONNX Runtime how far they are off on the stored sample.

    Args:
        traced: The model in evaluation mode.
        sizes: Of the photos.
        photo: The stored one.
        expected: Its outputs.
        wish: What was asked for.

    Raises:
        ConfigError: A transform has no ONNX form, sizes stay different, jax2onnx cannot convert the network, or
            the programs lead too far off.
    """
    if not wish.onnx:
        return OnnxPrograms({}, None)
    contents = {"network": _network(traced, sizes)}
    if wish.onnx is True:
        contents |= _with_transforms(traced, sizes, contents["network"])
    known = _known(traced, sizes, expected)
    said = {name: described(content, known) for name, content in contents.items()}
    differences = _differences(traced, contents, photo, expected)
    check_accuracy(
        "ONNX", Accuracy(max(differences["network"], differences.get("model", 0.0)), 1.0), wish.max_difference
    )
    slim, weights = shared(said)
    members = {name: f"{FOLDER}{name}.onnx" for name in slim}
    record = {
        "kind": "model" if wish.onnx is True else "network",
        "opset": max(versions(content)[0] for content in contents.values()),
        "members": members | {"weights": WEIGHTS},
        "difference": differences,
    }
    return OnnxPrograms({members[name]: content for name, content in slim.items()} | {WEIGHTS: weights}, record)


def _network(traced: Traced, sizes: Sizes) -> bytes:
    """From the network's input to the outputs, with JAX's own convolutions."""
    if sizes.moved is None:
        fix = "end the geometry with an exact Resize((height, width)), CenterCrop or Crop."
        raise ConfigError("export: ONNX programs need a network input of one size.", repr(traced.whole), fix)
    x = jax.ShapeDtypeStruct((1, *sizes.moved.shape[1:]), sizes.moved.dtype)
    if x.dtype != np.float32:
        fix = 'end the transforms with Cast("float32"), or with ToTensor or Normalize.'
        raise ConfigError("export: ONNX programs need a network input of float32.", str(x.dtype), fix)
    run = traced.changed(plain)
    shaped = jax.eval_shape(run, x)
    names = [sample.name_of(path) for path, _ in jax.tree_util.tree_flatten_with_path(shaped)[0]]

    def outputs(x: Array) -> Any:
        leaves = jax.tree.leaves(run(x))
        return leaves[0] if len(leaves) == 1 else tuple(leaves)

    return to_onnx(outputs, x.shape[1:], input_name=BETWEEN, output_names=names)


def _with_transforms(traced: Traced, sizes: Sizes, network: bytes) -> dict[str, bytes]:
    """The transforms, and all of the model, which has the network's versions."""
    graph, photos = Graph(), sizes.photos
    dtype, channels = str(photos.dtype), photos.shape[-1]
    x = traced.whole.as_onnx(Picture.of(graph, INPUT, channels=channels, dtype=dtype))
    named = dataclasses.replace(x, name=graph.named(x.name, BETWEEN)).port()
    ends = [Port(INPUT, dtype, [BATCH, "h", "w", channels])], [named]
    alone = graph.model(*ends, name="preprocess")
    before = graph.model(*ends, name="preprocess", versions=versions(network))
    return {"preprocess": alone, "model": joined(before, network, BETWEEN)}


def _known(traced: Traced, sizes: Sizes, expected: dict[str, np.ndarray]) -> dict[str, Any]:
    """What a program says about itself: the labels, and the signature as in the manifest."""
    dtype, channels = str(sizes.photos.dtype), sizes.photos.shape[-1]
    images = {"dtype": dtype, "shape": [BATCH, "h", "w", channels], "range": list(INPUT_RANGES[dtype])}
    outputs = {
        name: {"dtype": found.dtype.name, "shape": [BATCH, *found.shape[1:]]} for name, found in expected.items()
    }
    labels = getattr(traced.postprocess, "labels", ())
    return {"labels": list(labels), "signature": {"inputs": {INPUT: images}, "outputs": outputs}}


def _differences(
    traced: Traced, contents: dict[str, bytes], photo: np.ndarray, expected: dict[str, np.ndarray]
) -> dict[str, float]:
    """Of the outputs of ``network`` from the same input and of ``model`` from the photo, and of that input.

    Those of outputs are relative where they exceed 1, that of the input is in its own units.
    """
    x = np.asarray(traced.whole(photo))
    found = {"network": _difference(contents["network"], x, expected)}
    if "model" in contents:
        apart = OnnxRuntime(contents["preprocess"])(photo) - x
        found |= {"model": _difference(contents["model"], photo, expected), "input": float(np.abs(apart).max())}
    return found


def _difference(content: bytes, given: np.ndarray, expected: dict[str, np.ndarray]) -> float:
    found = dict(zip(expected, OnnxRuntime(content).run(given), strict=True))
    return sample.difference(expected, found) / sample.scale(expected)
