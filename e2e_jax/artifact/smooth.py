"""Transforms without rounding, so that a gradient reaches the pixels of a photo whose bytes the model takes."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp

from e2e_jax.errors import blamed
from e2e_jax.lowering.evaluate import width
from e2e_jax.transforms.base import Transform
from e2e_jax.transforms.compose import Compose
from e2e_jax.types import Array

LEVELS = 255.0  # the largest byte; floats that stand for colours lie in 0..1


def smooth(pipeline: Transform, images: Array, dtype: str) -> Array:
    """What a pipeline computes, without rounding to whole levels and without cutting off what exceeds them.

    Args:
        pipeline: In evaluation mode.
        images: ``(b, h, w, c)`` float32 in the units of the pipeline's photos: levels 0..255 where those are bytes.
        dtype: Of the pipeline's photos, ``"uint8"`` or ``"float32"``.

    Returns:
        What the pipeline returns, apart from the rounding; differentiable with respect to ``images``.

    Raises:
        ConfigError: A step works on bits or counts levels, such as a look-up in a table.

    Example:
        >>> from e2e_jax import transforms as T
        >>> steps = T.Compose([T.Resize((1, 1)), T.ToTensor()])
        >>> float(smooth(steps, jnp.array([0.0, 51.0]).reshape(1, 1, 2, 1), "uint8")[0, 0, 0, 0])
        0.1...
    """
    if dtype != "uint8":
        return pipeline(images)
    exact = jax.ShapeDtypeStruct(images.shape, jnp.uint8)  # what would stand here with rounding
    for part in _parts(pipeline):
        images, exact = _run(part, images, exact), jax.eval_shape(part, exact)
    return images


def _parts(pipeline: Transform) -> list[Compose]:
    """Step by step, but for geometry, which is one resampling."""
    parts: list[Compose] = []
    for spatial, group in itertools.groupby(pipeline.steps_flat, lambda step: step.is_spatial):
        steps = list(group)
        parts += [Compose(steps)] if spatial else [Compose([step]) for step in steps]
    return parts


def _run(part: Compose, images: Array, exact: Any) -> Array:
    if part.steps_flat[0].is_spatial or exact.dtype != jnp.uint8:  # moves any values, or these are floats already
        return part(images)
    if jax.eval_shape(part, exact).dtype == jnp.uint8:
        return LEVELS * part(images / LEVELS)
    closed = jax.make_jaxpr(part)(exact)
    fix = "leave the step out of what is differentiated."
    with blamed(f"{part}: a gradient needs arithmetic.", fix), width(closed.jaxpr):
        return jax.core.eval_jaxpr(closed.jaxpr, closed.consts, images)[0]
