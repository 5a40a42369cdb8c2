"""RandomApply, RandomChoice and RandomOrder: which steps run, drawn for each sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from e2e_jax.errors import ConfigError
from e2e_jax.ops.sizes import Extents, fills_array
from e2e_jax.transforms.base import Random, Samplewise, Transform
from e2e_jax.transforms.check import probability
from e2e_jax.transforms.compose import as_steps
from e2e_jax.transforms.run import Numbers, as_array, run_one
from e2e_jax.types import Sample

type Branch = Callable[[Sample, Extents], tuple[Sample, Extents]]


class RandomApply(Random, Samplewise):
    """Runs all its steps, or none.

    Args:
        steps: Transforms that keep the image's size and dtype.
        p: Probability 0..1 of running them.

    Raises:
        ConfigError: ``p`` is no probability, or a step changes size or dtype.

    Source:
        torchvision's ``RandomApply``, drawn for each sample.

    Example:
        >>> import jax, numpy as np
        >>> from e2e_jax import transforms as T
        >>> image = np.arange(3, dtype=np.uint8).reshape(1, 3, 1)
        >>> T.RandomApply([T.HorizontalFlip()], p=1.0)(image, key=jax.random.key(0)).ravel().tolist()
        [2, 1, 0]
    """

    def __init__(self, steps: Sequence[Transform | dict[str, Any]], *, p: float = 0.5) -> None:
        self.steps = nnx.List(as_steps("RandomApply", steps))
        self.p = probability("RandomApply", p)

    def draw(self, key: jax.Array, size: Extents, sample: Sample) -> Numbers:
        first, second = jax.random.split(key)
        return {"apply": jax.random.bernoulli(first, self.p), "key": second}

    def on_sample(self, sample: Sample, size: Extents, *numbers: Numbers) -> tuple[Sample, Extents]:
        (drawn,) = numbers
        branches = [_untouched, _steps(self.steps, drawn["key"])]
        return _chosen("RandomApply", drawn["apply"].astype(jnp.int32), branches, sample, size)


class RandomChoice(Random, Samplewise):
    """Runs one of its steps.

    Args:
        steps: Transforms whose results have one size and dtype; nested pipelines are one choice.
        weights: How likely each is, in any unit; all alike if absent.

    Raises:
        ConfigError: There are no steps, not one weight for each, or results differ in size or dtype.

    Source:
        torchvision's ``RandomChoice``, drawn for each sample.

    Example:
        >>> import jax, numpy as np
        >>> from e2e_jax import transforms as T
        >>> choice = T.RandomChoice([T.HorizontalFlip(), T.VerticalFlip()], weights=[1, 0])
        >>> choice(np.arange(3, dtype=np.uint8).reshape(1, 3, 1), key=jax.random.key(0)).ravel().tolist()
        [2, 1, 0]
    """

    def __init__(
        self, steps: Sequence[Transform | dict[str, Any]], *, weights: Sequence[float] | None = None
    ) -> None:
        built = as_steps("RandomChoice", steps)
        self.weights = None if weights is None else tuple(float(w) for w in weights)
        given = self.weights or (1.0,) * len(built)
        if not built or len(given) != len(built) or not all(0 <= w < np.inf for w in given) or sum(given) <= 0:
            fix = "pass at least one step, and one weight of at least 0 for each."
            raise ConfigError("RandomChoice: every step needs a weight.", f"{weights=}, {len(built)} steps", fix)
        self.steps = nnx.List(built)

    def draw(self, key: jax.Array, size: Extents, sample: Sample) -> Numbers:
        first, second = jax.random.split(key)
        weights = np.asarray(self.weights or (1.0,) * len(self.steps), np.float32)
        share = jnp.asarray(weights / weights.sum())
        return {"choice": jax.random.choice(first, len(self.steps), p=share), "key": second}

    def on_sample(self, sample: Sample, size: Extents, *numbers: Numbers) -> tuple[Sample, Extents]:
        (drawn,) = numbers
        branches = [_steps([step], drawn["key"]) for step in self.steps]
        return _chosen("RandomChoice", drawn["choice"].astype(jnp.int32), branches, sample, size)


class RandomOrder(Random, Samplewise):
    """Runs all its steps in an order of its own for each sample.

    Args:
        steps: Transforms that keep the image's size and dtype.

    Raises:
        ConfigError: A step changes size or dtype.

    Source:
        torchvision's ``RandomOrder``, drawn for each sample.

    Example:
        >>> import jax, numpy as np
        >>> from e2e_jax import transforms as T
        >>> both = T.RandomOrder([T.HorizontalFlip(), T.VerticalFlip()])
        >>> both(np.arange(4, dtype=np.uint8).reshape(2, 2, 1), key=jax.random.key(0)).ravel().tolist()
        [3, 2, 1, 0]
    """

    def __init__(self, steps: Sequence[Transform | dict[str, Any]]) -> None:
        self.steps = nnx.List(as_steps("RandomOrder", steps))

    def draw(self, key: jax.Array, size: Extents, sample: Sample) -> Numbers:
        first, second = jax.random.split(key)
        return {"order": jax.random.permutation(first, len(self.steps)), "key": second}

    def on_sample(self, sample: Sample, size: Extents, *numbers: Numbers) -> tuple[Sample, Extents]:
        (drawn,) = numbers
        branches = [_steps([step], jax.random.fold_in(drawn["key"], at)) for at, step in enumerate(self.steps)]
        for place in range(len(branches)):
            sample, size = _chosen("RandomOrder", drawn["order"][place], branches, sample, size, keeps=True)
        return sample, size


def _untouched(sample: Sample, size: Extents) -> tuple[Sample, Extents]:
    return sample, size


def _steps(steps: Sequence[Transform], key: jax.Array) -> Branch:
    flat = tuple(inner for step in steps for inner in step.steps_flat)
    return lambda sample, size: run_one(flat, sample, size, key)


def _chosen(
    name: str, index: jax.Array, branches: list[Branch], sample: Sample, size: Extents, *, keeps: bool = False
) -> tuple[Sample, Extents]:
    """One of several results, which must be alike; with ``keeps``, like what came in too."""
    sizes: list[Extents] = [size] if keeps else []

    def closed(branch: Branch) -> Callable[[Sample], tuple[Sample, jax.Array]]:
        def run(sample: Sample) -> tuple[Sample, jax.Array]:
            moved, new = branch(sample, size)
            sizes.append(new)
            return moved, as_array(new)

        return run

    functions = [closed(branch) for branch in branches]
    shapes = [jax.eval_shape(function, sample) for function in functions]
    kept = jax.eval_shape(lambda s: (s, jnp.zeros(2, jnp.int32)), sample)
    if any(shape != shapes[0] for shape in [*shapes, *([kept] if keeps else [])]):
        seen = ", ".join(dict.fromkeys(f"{s.image.shape} {s.image.dtype}" for s, _ in [*shapes, kept]))
        fix = "resize, crop and cast outside of it, or end each choice with the same exact size."
        raise ConfigError(f"{name}: results must not differ in size or dtype.", seen, fix)
    moved, new = jax.lax.switch(index, functions, sample)
    static = [extents for extents in sizes if fills_array(extents)]
    return moved, static[0] if len(static) == len(sizes) else (new[0], new[1])
