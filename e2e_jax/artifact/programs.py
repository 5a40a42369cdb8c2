"""The compiled half of an artifact: portable programs written by `jax.export`.

``dense`` takes a batch of one size through everything. ``ragged`` takes images of different sizes through the
transforms, after which they all have one size; ``network`` takes them on from there, and ``finish`` is the traced
half of the post-processor. Several programs for lists, because transforms compile in a fraction of a second and
are needed once per bucket, and the network once per batch; and each can be run by itself. ``smooth`` is the
transforms without rounding, for gradients. ``inverse`` leads boxes and key points back from what the network sees
to the photo. Where the network was made fast, ``prepare`` makes of the parameters, once, what ``dense`` and
``network`` take in their place; and there is a set of the three for each precision, those for bfloat16 named so.
Further transforms, such as those of training, have programs under their own names, see `pipeline`.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import export as jax_export

from e2e_jax.artifact.sample import name_of
from e2e_jax.artifact.screening import screen
from e2e_jax.artifact.traced import Sizes, Traced, traceable
from e2e_jax.artifact.variants import Variant
from e2e_jax.errors import ConfigError
from e2e_jax.transforms.base import Transform
from e2e_jax.types import PaddedImages

PLATFORMS = ("cpu", "cuda")
PIPELINE = "transforms_"  # what the names of programs of further transforms begin with
RANDOM = "threefry2x32"  # gives the same bits on every device
KEY = jax.ShapeDtypeStruct((2,), jnp.uint32)  # of that generator

#: Programs there are for each precision, and those that all share beside those of further transforms.
OF_NETWORK, SHARED = ("prepare", "dense", "network"), ("ragged", "finish", "smooth", "inverse")

type Job = tuple[Callable[..., Any], tuple[Any, ...]]  # a function, and the shapes it is exported for


def suffix_of(precision: str) -> str:
    """What the names of a variant's programs end in."""
    return "" if precision == "float32" else f"_{precision}"


def variant(programs: Mapping[str, Any], precision: str) -> dict[str, Any]:
    """Program name to program for one precision, under plain names; with what all precisions share."""
    suffix = suffix_of(precision)
    own = {kind: programs[kind + suffix] for kind in OF_NETWORK if kind + suffix in programs}
    return own | {kind: programs[kind] for kind in programs if kind in SHARED or kind.startswith(PIPELINE)}


def serialize(traced: Traced, sizes: Sizes, variants: Sequence[Variant]) -> dict[str, bytes]:
    """Exports the programs for `PLATFORMS` with symbolic batch and image sizes.

    Args:
        traced: The model.
        sizes: What the programs take.
        variants: The network made fast, once per precision; without any it is exported as it is.

    Returns:
        Program name to `jax.export` bytes; ``ragged``, ``network``, ``finish`` and ``smooth`` only where the
        network sees one size, ``inverse`` only where there is a way back, ``prepare`` only with variants.

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
        jobs |= _parts(traced, sizes, sizes.moved)
    if traced.has_inverse():
        jobs["inverse"] = (traced.inverse, sizes.inverse)
    for name, transforms in traced.pipelines.items():
        jobs[PIPELINE + name] = (pipeline(transforms), (KEY, *sizes.padded))
    return {name: _export(name, *job, sizes) for name, job in jobs.items()}


def _jobs(model: Traced | Variant, params: Any, sizes: Sizes) -> dict[str, Job]:
    jobs: dict[str, Job] = {"dense": (model.dense, (params, sizes.photos))}
    if sizes.moved is not None:
        jobs["network"] = (model.network, (params, sizes.moved))
    return jobs


def _parts(traced: Traced, sizes: Sizes, moved: jax.ShapeDtypeStruct) -> dict[str, Job]:
    """What stands around the network, where that sees images of one size."""
    jobs: dict[str, Job] = {"ragged": (traced.ragged, sizes.padded)}
    if traced.postprocess is not None:
        with traceable("network"):
            returned = jax.eval_shape(traced.network, traced.shapes, moved)
        jobs["finish"] = (traced.finish, (returned,))
    if traced.is_smooth(sizes.photos.shape[-1]):
        jobs["smooth"] = (traced.smooth, (jax.ShapeDtypeStruct(sizes.photos.shape, jnp.float32),))
    return jobs


def pipeline(transforms: Transform) -> Callable[[jax.Array, jax.Array, jax.Array], Any]:
    """Transforms as a program: raw key data (2,) uint32, padded photos ``(b, h, w, c)`` and their sizes (b, 2).

    It returns ``(b, …)`` of one size, or a pair of padded images and their sizes. Each photo gets numbers of its
    own from the key; equal keys give equal numbers, wherever the program runs.
    """

    def run(key: jax.Array, pixels: jax.Array, sizes: jax.Array) -> Any:
        result = transforms(PaddedImages(pixels, sizes), key=jax.random.wrap_key_data(key, impl=RANDOM))
        return (result.pixels, result.sizes) if isinstance(result, PaddedImages) else result

    return run


def _export(name: str, function: Callable[..., Any], arguments: tuple[Any, ...], sizes: Sizes) -> bytes:
    with traceable(name), _without_source_locations():
        exported = jax_export.export(jax.jit(function), platforms=PLATFORMS)(*arguments)
        if not name.startswith("prepare"):
            _check_rows(exported)
        content = bytes(exported.serialize(vjp_order=int(name.startswith(_differentiated(sizes)))))
    _check_loadable(name, content)
    return content


def _check_loadable(name: str, content: bytes) -> None:
    """What `load` would refuse is not written."""
    try:
        screen(content)
    except ValueError as error:
        fix = "express that part in jax.numpy and jax.lax, on one device, without callbacks."
        raise ConfigError(f"export: the {name} program must be one that load accepts.", str(error), fix) from error


def _differentiated(sizes: Sizes) -> tuple[str, ...]:
    """Programs that `Predictor.as_module` is made of."""
    return ("prepare", "dense") if sizes.moved is None else ("prepare", "network", "finish", "smooth")


@contextlib.contextmanager
def _without_source_locations() -> Iterator[None]:
    """JAX notes path and line of all it traces: a third of the bytes, never alike, and the author's folders."""
    with _setting("jax_traceback_in_locations_limit", 0):
        yield


@contextlib.contextmanager
def _setting(name: str, value: Any) -> Iterator[None]:
    before = getattr(jax.config, name)
    jax.config.update(name, value)
    try:
        yield
    finally:
        jax.config.update(name, before)


def _check_rows(exported: jax_export.Exported) -> None:
    """Every output must have the batch as its first axis, so that it can be divided among the images."""
    batch = exported.in_avals[-1].shape[0]
    odd = [str(aval) for aval in exported.out_avals if aval.shape[:1] != (batch,)]
    if odd or not exported.out_avals:
        fix = "return arrays whose first axis is the batch; reduce nothing over it."
        received = f"an output {odd[0]}" if odd else "no output"
        raise ConfigError("export: the network must return one row per image.", received, fix)


def deserialize(content: bytes, *, expired: bool = False) -> jax_export.Exported:
    """A program back from its bytes.

    Args:
        content: What `serialize` made.
        expired: Read it also where JAX no longer promises that it does the same.
    """
    with _setting("jax_export_deserialize_expired_versions", expired), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of what has expired
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
