"""Runs the ONNX programs of an artifact in another engine, in place of XLA's."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Protocol

import jax
import numpy as np

from e2e_jax.engines.catalog import ENGINES, require
from e2e_jax.engines.external import inlined
from e2e_jax.engines.onnxruntime import OnnxRuntime
from e2e_jax.engines.openvino import OpenVINO
from e2e_jax.errors import ArtifactError, ConfigError

NETWORKS = {"onnxruntime": OnnxRuntime, "openvino": OpenVINO}
PROGRAMS = ("preprocess", "network", "weights")


class _Inverts(Protocol):
    def inverse(self, sizes: np.ndarray, boxes: np.ndarray, keypoints: np.ndarray) -> dict[str, np.ndarray]: ...


class OnnxRunner:
    """Has the methods of `e2e_jax.runner.Runner`; nothing is compiled for a shape.

    Transforms run in ONNX Runtime whatever runs the network: OpenVINO 2026.4 ignores ``antialias``, and its own
    resizes that widen take seconds for the first photo of each size.

    Args:
        engine: A key of `ENGINES`.
        programs: `PROGRAMS` to their bytes.
        outputs: Tree of what the model returns.
        xla: Leads boxes and key points back, which is no work for an engine.

    Raises:
        ConfigError: The engine is unknown or not installed, or a program is missing.
        ArtifactError: The engine cannot read a program.
    """

    def __init__(self, engine: str, programs: Mapping[str, bytes], outputs: Any, xla: _Inverts) -> None:
        require(list(dict.fromkeys(["onnxruntime", engine])))
        if lacking := [name for name in PROGRAMS if name not in programs]:
            fix = "export it again with export(..., onnx=True)."
            found = f"engine={engine!r} and a file without {', '.join(lacking)}"
            raise ConfigError("load: the file must hold the model's ONNX programs.", found, fix)
        self.engine, self.programs, self.outputs, self.xla = engine, programs, outputs, xla
        self.ledger: list[Any] = []

    def dense(self, images: np.ndarray) -> Any:
        """``(b, h, w, c)`` photos to outputs."""
        return self.network(self._preprocess(images))

    def ragged(self, pixels: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """Padded photos to network inputs of one size, each from its own pixels."""
        pairs = zip(pixels, np.asarray(sizes).tolist(), strict=True)
        fitted = [self._preprocess(np.ascontiguousarray(photo[None, :h, :w])) for photo, (h, w) in pairs]
        return fitted[0] if len(fitted) == 1 else np.concatenate(fitted)  # (b, oh, ow, c)

    def network(self, x: np.ndarray) -> Any:
        """Network inputs to outputs, post-processed."""
        return jax.tree.unflatten(self.outputs, self._network.run(np.asarray(x)))

    def finish(self, returned: Any) -> Any:
        """What `network` returned: nothing is left to do."""
        return returned

    def expect_network(self, count: int) -> None:
        """Any number is ready."""

    def filled(self, batch: np.ndarray) -> np.ndarray:
        """The batch as it is: no number of images needs a program of its own."""
        return batch

    def inverse(self, sizes: np.ndarray, boxes: np.ndarray, keypoints: np.ndarray) -> dict[str, np.ndarray]:
        """As `e2e_jax.runner.Runner.inverse`."""
        return self.xla.inverse(sizes, boxes, keypoints)

    @functools.cached_property
    def _preprocess(self) -> OnnxRuntime:
        return self._open("preprocess", "onnxruntime")

    @functools.cached_property
    def _network(self) -> OnnxRuntime | OpenVINO:
        return self._open("network", self.engine)

    def _open(self, name: str, engine: str) -> Any:
        content = inlined(self.programs[name], self.programs["weights"])
        try:
            return NETWORKS[engine](content)
        except Exception as error:  # engines meet what they cannot read with errors of their own
            fix = 'export the artifact again, or load it with engine="xla".'
            expected = f"load: {ENGINES[engine].title} must be able to read onnx/{name}.onnx."
            raise ArtifactError(expected, f"{type(error).__name__}: {str(error)[:200]}", fix) from error
