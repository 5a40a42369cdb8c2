"""Whether the programs of an artifact fit its manifest and one another."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from jax import export as jax_export

from e2e_jax.artifact.describe import INPUT_RANGES
from e2e_jax.artifact.manifest import Manifest
from e2e_jax.artifact.programs import KEY, OF_NETWORK, PIPELINE, SHARED, suffix_of, variant

type Programs = dict[str, jax_export.Exported]
type Kind = tuple[tuple[int | str, ...], str]  # shape and dtype

#: Programs that stand around the network, by the format that brought them.
AROUND = {1: {"ragged", "network"}, 3: {"ragged", "network", "finish"}}
OPTIONAL = {"prepare", "inverse", "smooth"}
INVERSE_TAKES: list[Kind] = [(("b", 2), "int32"), (("b", "n", 4), "float32"), (("b", "m", 2), "float32")]


def contradiction(manifest: Manifest, loaded: Programs) -> str | None:
    """Where programs and manifest disagree about names, shapes and dtypes, or ``None``."""
    pipelines = {PIPELINE + name for name in manifest.pipelines}
    groups = {precision: variant(loaded, precision) for precision in manifest.precisions}
    named = {kind + suffix_of(precision) for precision in groups for kind in OF_NETWORK} | set(SHARED) | pipelines
    around = _around(manifest)
    photos = manifest.signature["inputs"]["images"]
    if tuple(photos["range"]) != INPUT_RANGES.get(photos["dtype"]):
        return f"photos of {photos['dtype']} in {photos['range']} are none this release takes"
    sets = [{"dense"}, {"dense"} | around]
    if (
        not groups
        or loaded.keys() - named
        or pipelines - loaded.keys()
        or any(group.keys() - OPTIONAL - pipelines not in sets for group in groups.values())
    ):
        return f"the programs {', '.join(loaded) or 'none'} are not a set this release runs"
    checks = itertools.chain.from_iterable(_checks(manifest, group) for group in groups.values())
    return next((f"the {name} program {wrong}" for name, holds, wrong in checks if not holds), None)


def _around(manifest: Manifest) -> set[str]:
    around = AROUND[max(version for version in AROUND if version <= manifest.format)]
    return around if manifest.postprocess is not None else around - {"finish"}


type Check = tuple[str, bool, str]  # a program, whether it fits, and what is said where it does not


def _checks(manifest: Manifest, loaded: Programs) -> Iterator[Check]:
    """Each is carried out before the next is asked for, which may rest on it."""
    photos = manifest.signature["inputs"]["images"]
    wanted = [(tuple(photos["shape"]), photos["dtype"])]
    leaves: list[Kind] = [(tuple(leaf["shape"]), leaf["dtype"]) for leaf in manifest.params]
    sizes: list[Kind] = [(("b", 2), "int32")]
    parameters = "does not take the parameters the manifest describes"
    if "prepare" in loaded:
        yield "prepare", _taken(loaded["prepare"]) == leaves, parameters
        leaves = _returned(loaded["prepare"])
    for kind in ("dense", "network"):
        if kind in loaded:
            yield kind, _taken(loaded[kind])[:-1] == leaves, parameters
    images = f"does not take images {photos['dtype']}{photos['shape']}"
    yield "dense", _taken(loaded["dense"])[-1:] == wanted, images
    if "ragged" in loaded:
        yield "ragged", _taken(loaded["ragged"]) == wanted + sizes, images
        passed = "does not take what the ragged program returns"
        yield "network", _taken(loaded["network"])[-1:] == _returned(loaded["ragged"]), passed
    if "finish" in loaded:
        passed = "does not take what the network program returns"
        yield "finish", _taken(loaded["finish"]) == _returned(loaded["network"]), passed
    if "smooth" in loaded:
        floats = [(wanted[0][0], "float32")]
        holds = _taken(loaded["smooth"]) == floats and _returned(loaded["smooth"]) == _returned(loaded["ragged"])
        yield "smooth", holds, "does not take float32 images, or returns something else than the ragged one"
    if "inverse" in loaded:
        taken = "does not take sizes, boxes and key points"
        yield "inverse", _taken(loaded["inverse"]) == INVERSE_TAKES, taken
    for name in [name for name in loaded if name.startswith(PIPELINE)]:
        key = [(KEY.shape, KEY.dtype.name)]
        taken = "does not take a key, images and sizes"
        yield name, _taken(loaded[name]) == key + wanted + sizes, taken


def _taken(program: jax_export.Exported) -> list[Kind]:
    return [_kind(aval) for aval in program.in_avals]


def _returned(program: jax_export.Exported) -> list[Kind]:
    return [_kind(aval) for aval in program.out_avals]


def _kind(aval: Any) -> Kind:
    return tuple(n if isinstance(n, int) else str(n) for n in aval.shape), aval.dtype.name
