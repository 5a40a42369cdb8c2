"""Transforms, network and post-processing of an artifact, each run by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import jax
import numpy as np

from e2e_jax.artifact.bundle import PARTS_SINCE, Bundle
from e2e_jax.artifact.plan import in_mode
from e2e_jax.artifact.programs import PIPELINE, RANDOM
from e2e_jax.errors import ConfigError, ImageError
from e2e_jax.intake import Intake
from e2e_jax.ops.batch import filled, list_to_batch
from e2e_jax.runner import Runner
from e2e_jax.transforms.base import Transform
from e2e_jax.transforms.compose import Compose
from e2e_jax.transforms.door import key_of
from e2e_jax.types import Array


class Parts:
    """See `Predictor.preprocess`, `Predictor.network` and `Predictor.postprocess`.

    Args:
        bundle: The artifact.
        runner: Runs its programs.
        intake: Checks photos for its own transforms.
        fit: From photos of any sizes to what the network takes.
    """

    def __init__(
        self, bundle: Bundle, runner: Runner, intake: Intake, fit: Callable[[list[np.ndarray]], Array]
    ) -> None:
        self.bundle, self.runner, self.intake, self.fit = bundle, runner, intake, fit

    def preprocess(self, images: Any, transforms: str | None, key: Any) -> Any:
        """See `Predictor.preprocess`."""
        if transforms is not None:
            return self._pipeline(images, transforms, key)
        self.need("preprocess")
        photos, alone = _photos(images, self.intake)
        kind = self.bundle.programs["network"].in_avals[-1]
        if not photos:
            return np.zeros((0, *kind.shape[1:]), kind.dtype)
        fitted = np.asarray(self.fit(photos))  # (b, …)
        return fitted[0] if alone else fitted

    def network(self, x: Any) -> Any:
        """See `Predictor.network`."""
        self.need("network")
        (batch,), alone = _batched("network", [x], [self.bundle.programs["network"].in_avals[-1]])
        returned = self.runner.network(filled(batch))
        return _unbatched(returned, len(batch), alone)

    def postprocess(self, returned: Any) -> Any:
        """See `Predictor.postprocess`."""
        self.need("postprocess")
        post = self.bundle.postprocess
        if post is None:
            return returned
        program = self.bundle.programs["finish"]
        leaves, tree = jax.tree.flatten(returned)
        (taken,), _ = jax.tree.unflatten(program.in_tree, program.in_avals)
        wanted: Any = jax.tree.structure(taken)
        if tree != wanted:
            fix = "pass what network() returned."
            raise ImageError("postprocess: outputs must be the network's.", str(tree), fix)
        batches, alone = _batched("postprocess", leaves, program.in_avals)
        outputs = self.runner.finish(jax.tree.unflatten(tree, [filled(batch) for batch in batches]))
        results = post.build(_unbatched(outputs, len(batches[0]), False))
        return results[0] if alone else results

    def need(self, call: str) -> None:
        """Refuses a file that does not hold the parts of its model apart.

        Raises:
            ConfigError: It does not.
        """
        if self.bundle.has_parts:
            return
        if self.bundle.manifest.format < PARTS_SINCE:
            received = f"an artifact of format {self.bundle.manifest.format}: {self.bundle.path}"
            fix = "refresh it with the code of its network, e2e_jax.refresh(path, factory=…), or export it again."
        else:
            received = "transforms that leave photos of different sizes"
            fix = "end the geometry with an exact Resize((height, width)) or a crop, and export again."
        raise ConfigError(f"{call}: the file must hold the parts of the model apart.", received, fix)

    def _pipeline(self, images: Any, name: str, key: Any) -> Any:
        """Photos through further transforms, all in one padded batch."""
        if f"{PIPELINE}{name}" not in self.bundle.programs:
            stored = ", ".join(self.bundle.manifest.pipelines) or "none"
            fix = f"export it with {name}=…; in this file there are: {stored}."
            raise ConfigError("preprocess: the transforms must be in the file.", f"transforms={name!r}", fix)
        drawn = _key(key, needed=_is_random(name, self.bundle.manifest.pipelines[name]))
        photos, alone = _photos(images, Intake(self.bundle.manifest.signature["inputs"]["images"], Compose([])))
        if not photos:
            return []
        padded = list_to_batch(photos)
        result = self.runner.transform(name, drawn, padded.pixels, padded.sizes)
        if isinstance(result, tuple):
            pixels, sizes = map(np.asarray, result)
            rows = [image[:height, :width] for image, (height, width) in zip(pixels, sizes.tolist(), strict=True)]
            return rows[0] if alone else rows
        return np.asarray(result)[0] if alone else np.asarray(result)


def _photos(images: Any, intake: Intake) -> tuple[list[np.ndarray], bool]:
    """One, a batch or a list of photos as a list; and whether it was one."""
    if isinstance(images, list | tuple):
        return [intake.image(image) for image in images], False
    if isinstance(images, np.ndarray | jax.Array) and images.ndim == 4:
        return list(intake.checked(np.asarray(images))), False
    return [intake.image(images)], True


def _is_random(name: str, config: dict[str, Any]) -> bool:
    """Whether transforms draw numbers; code that this process does not know may."""
    try:
        return any(step.is_random for step in in_mode(name, Transform.from_config(config)).steps_flat)
    except ConfigError:
        return True


def _key(key: Any, *, needed: bool) -> np.ndarray:
    """Raw key data (2,) uint32."""
    if key is None:
        if needed:
            fix = "pass key=0, another seed, a JAX key or nnx.Rngs."
            raise ConfigError("preprocess: random transforms need a key.", "key=None", fix)
        return np.zeros(2, np.uint32)
    if isinstance(key, int | np.integer) and not isinstance(key, bool):
        return np.asarray(jax.random.key_data(jax.random.key(int(key), impl=RANDOM)))
    raw = isinstance(key, np.ndarray | jax.Array) and key.dtype == np.uint32
    data = np.asarray(key if raw else jax.random.key_data(cast(jax.Array, key_of(key))))
    if data.shape != (2,):
        fix = f"make it with jax.random.key(seed, impl={RANDOM!r})."
        raise ConfigError(f"preprocess: the key must be of the generator {RANDOM}.", f"key data {data.shape}", fix)
    return data


def _batched(call: str, leaves: list[Any], kinds: Any) -> tuple[list[np.ndarray], bool]:
    """Arrays with a leading batch axis, checked; and whether it had to be added."""
    arrays = [np.asarray(leaf) for leaf in leaves]
    alone = all(array.ndim == len(kind.shape) - 1 for array, kind in zip(arrays, kinds, strict=True))
    arrays = [array[None] for array in arrays] if alone else arrays
    for array, kind in zip(arrays, kinds, strict=True):
        if array.ndim != len(kind.shape) or array.shape[1:] != kind.shape[1:] or array.dtype != kind.dtype:
            wanted = f"{kind.dtype}[b, {', '.join(map(str, kind.shape[1:]))}], or without the b"
            received = f"{array.dtype}{list(array.shape)}"
            raise ImageError(f"{call}: the array must fit this part of the model.", received, f"pass {wanted}.")
    return arrays, alone


def _unbatched(tree: Any, wanted: int, alone: bool) -> Any:
    """As NumPy arrays of the first rows, or of the only one."""
    return jax.tree.map(lambda leaf: np.asarray(leaf)[0 if alone else slice(wanted)], tree)
