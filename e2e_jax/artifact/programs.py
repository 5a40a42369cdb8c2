"""The compiled half of an artifact: three portable programs written by `jax.export`.

``dense`` takes a batch of one size through everything. ``ragged`` takes images of different sizes as far as the
last geometric step, where they all have one size; ``network`` takes them on from there. Two programs for lists,
because geometry compiles in a fraction of a second and is needed once per bucket, and the network once per batch.
``inverse`` leads boxes and key points back from what the network sees to the photo. Where the network was made
fast, ``prepare`` makes of the parameters, once, what ``dense`` and ``network`` take in their place; and there is a
set of the three for each precision, those for bfloat16 named so.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import export as jax_export

from e2e_jax.artifact.sample import name_of
from e2e_jax.artifact.screening import screen
from e2e_jax.artifact.traced import Sizes, Traced, traceable
from e2e_jax.artifact.variants import Variant
from e2e_jax.errors import ConfigError

PLATFORMS = ("cpu", "cuda")

type Job = tuple[Callable[..., Any], tuple[Any, ...]]  # a function, and the shapes it is exported for


def suffix_of(precision: str) -> str:
    """What the names of a variant's programs end in."""
    return "" if precision == "float32" else f"_{precision}"


def serialize(traced: Traced, sizes: Sizes, variants: Sequence[Variant]) -> dict[str, bytes]:
    """Exports the programs for `PLATFORMS` with symbolic batch and image sizes.

    Args:
        traced: The model.
        sizes: What the programs take.
        variants: The network made fast, once per precision; without any it is exported as it is.

    Returns:
        Program name to `jax.export` bytes; ``ragged`` and ``network`` only where geometry leaves one size,
        ``inverse`` only where there is a way back, ``prepare`` only with variants.

    Raises:
        ConfigError: A part cannot be traced with symbolic shapes.
    """
    jobs: dict[str, Job] = {}
    if not variants:
        jobs |= _jobs(traced, traced.shapes, sizes)
    for variant in variants:
        prepared = jax.eval_shape(variant.prepare, traced.shapes)
        own = {"prepare": (variant.prepare, (traced.shapes,))} | _jobs(variant, prepared, sizes)
        jobs |= {name + suffix_of(variant.precision): job for name, job in own.items()}
    if sizes.moved is not None:
        jobs["ragged"] = (traced.ragged, (sizes.photos, jax.ShapeDtypeStruct((sizes.batch, 2), jnp.int32)))
    if traced.has_inverse():
        jobs["inverse"] = (traced.inverse, sizes.inverse)
    return {name: _export(name, function, arguments) for name, (function, arguments) in jobs.items()}


def _jobs(model: Traced | Variant, params: Any, sizes: Sizes) -> dict[str, Job]:
    jobs: dict[str, Job] = {"dense": (model.dense, (params, sizes.photos))}
    if sizes.moved is not None:
        jobs["network"] = (model.network, (params, sizes.moved))
    return jobs


def _export(name: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> bytes:
    with traceable(name), _without_source_locations():
        exported = jax_export.export(jax.jit(function), platforms=PLATFORMS)(*arguments)
        if not name.startswith("prepare"):
            _check_rows(exported)
        content = bytes(exported.serialize(vjp_order=1 if name.startswith(("dense", "prepare")) else 0))
    _check_loadable(name, content)
    return content


def _check_loadable(name: str, content: bytes) -> None:
    """What `load` would refuse is not written."""
    try:
        screen(content)
    except ValueError as error:
        fix = "express that part in jax.numpy and jax.lax, on one device, without callbacks."
        raise ConfigError(f"export: the {name} program must be one that load accepts.", str(error), fix) from error


@contextlib.contextmanager
def _without_source_locations() -> Iterator[None]:
    """JAX notes path and line of all it traces: a third of the bytes, never alike, and the author's folders."""
    name = "jax_traceback_in_locations_limit"
    frames = getattr(jax.config, name)
    jax.config.update(name, 0)
    try:
        yield
    finally:
        jax.config.update(name, frames)


def _check_rows(exported: jax_export.Exported) -> None:
    """Every output must have the batch as its first axis, so that it can be divided among the images."""
    batch = exported.in_avals[-1].shape[0]
    odd = [str(aval) for aval in exported.out_avals if aval.shape[:1] != (batch,)]
    if odd or not exported.out_avals:
        fix = "return arrays whose first axis is the batch; reduce nothing over it."
        received = f"an output {odd[0]}" if odd else "no output"
        raise ConfigError("export: the network must return one row per image.", received, fix)


def deserialize(content: bytes) -> jax_export.Exported:
    """A program back from its bytes."""
    return jax_export.deserialize(bytearray(content))


def outputs(content: bytes) -> dict[str, Any]:
    """Name, dtype and shape of each output of a program; symbols stand for free extents."""
    exported = deserialize(content)
    tree = jax.tree.unflatten(exported.out_tree, exported.out_avals)
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {
        name_of(path): {
            "dtype": aval.dtype.name,
            "shape": [n if isinstance(n, int) else str(n) for n in aval.shape],
        }
        for path, aval in leaves
    }
