"""What an error says about the step it happened in."""

from __future__ import annotations

import contextlib
import linecache
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

import jax

from e2e_jax.errors import ConfigError, E2EError
from e2e_jax.types import PaddedImages, Sample

OURS, THEIRS = __name__.partition(".")[0], ("jax", "jaxlib", "flax", "numpy")


def shape_of(images: Any) -> str:
    """Shape and dtype of the pixels, as ``(300, 200, 3) uint8``."""
    image = images.image if isinstance(images, Sample) else images
    pixels = image.pixels if isinstance(image, PaddedImages) else image
    return f"{pixels.shape} {pixels.dtype}"


@contextlib.contextmanager
def in_step(number: int, step: Any, shape: str) -> Iterator[None]:
    """Names the step in profiles, and in the note of an error that passes through.

    Raises:
        ConfigError: The code of a step from outside this package failed, for instance because it cannot be traced.
    """
    try:
        with jax.named_scope(f"{number}_{type(step).__name__}"):
            yield
    except E2EError as error:
        error.add_note(f"in step {number} of the pipeline: {step!r}, input {shape}")
        raise
    except Exception as error:
        if step.is_ours:
            raise
        raise _broken(number, step, shape, error) from error


def _broken(number: int, step: Any, shape: str, error: Exception) -> ConfigError:
    """Names the line of the user's code that failed."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__) if not _is_library(frame)]
    where = ""
    if frames:
        file, line = frames[-1].f_code.co_filename, frames[-1].f_lineno
        where = f" in line {line} of {file}: {linecache.getline(file, line).strip()}"
    reason = str(error).strip().partition("\n")[0]
    broken = ConfigError(
        f"{step!r}: a transform must be traceable, in JAX operations on arrays of any size.",
        f"{type(error).__name__}{where} ({reason[:160]})",
        "use jax.numpy, and jnp.where rather than if; no NumPy, float() or printing of pixels.",
    )
    broken.add_note(f"in step {number} of the pipeline: {step!r}, input {shape}")
    return broken


def _is_library(frame: Any) -> bool:
    name = frame.f_globals.get("__name__", "").partition(".")[0]
    return name == OURS or name in THEIRS


@contextlib.contextmanager
def in_steps(steps: Sequence[tuple[int, Any]], shape: str) -> Iterator[None]:
    """Names the steps that run as one, in the note of an error that none of them has noted."""
    try:
        yield
    except E2EError as error:
        if not getattr(error, "__notes__", ()):
            shown = ", ".join(f"{number} {step!r}" for number, step in steps)
            error.add_note(f"in these steps of the pipeline, run as one: {shown}, input {shape}")
        raise
