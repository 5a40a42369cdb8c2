"""A model made again from what its artifact says: transforms by their configs, the network by its factory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from flax import nnx
from jax import export as jax_export

from e2e_jax.artifact import params, programs
from e2e_jax.artifact.bundle import Stored, postprocess_of
from e2e_jax.artifact.params import Path_
from e2e_jax.artifact.plan import plan_of, ways_of
from e2e_jax.artifact.traced import Sizes, Traced
from e2e_jax.errors import SHOWN, ConfigError
from e2e_jax.factory import Factory
from e2e_jax.model import EndToEnd
from e2e_jax.transforms.base import Transform


def programs_anew(stored: Stored, factory: Callable[..., Any] | None) -> dict[str, jax_export.Exported]:
    """Programs of an artifact written by this JAX, in memory.

    Raises:
        ConfigError: There is no code to make the network or a transform of.
        ArtifactError: The parameters cannot be read.
    """
    model, plan = model_of(stored, factory), plan_of(stored.manifest)
    traced = Traced(model, plan.dtype, plan.pipelines)
    sizes = Sizes.symbolic(traced, plan.channels)
    variants = plan.lowering.variants(traced, sizes, ways_of(plan.ways))
    return {kind: programs.deserialize(made) for kind, made in programs.serialize(traced, sizes, variants).items()}


def model_of(stored: Stored, factory: Callable[..., Any] | None = None) -> EndToEnd:
    """The model of an artifact with its parameters, ready to be exported, trained or changed.

    Args:
        stored: The artifact.
        factory: Makes the network, called with the arguments that the artifact records. Without one the artifact's
            own is used if it belongs to `e2e_jax.zoo`; code that a file names is not imported otherwise.

    Raises:
        ConfigError: There is no code to make the network or a transform of.
        ArtifactError: The parameters cannot be read.
    """
    manifest = stored.manifest
    chosen = _factory(stored, factory)
    preprocess = Transform.from_config(manifest.preprocess)
    leaves = params.restore(stored.path, stored.members, manifest.params)
    return EndToEnd(preprocess, _filled(chosen, leaves), postprocess_of(manifest), factory=chosen)


def _factory(stored: Stored, given: Callable[..., Any] | None) -> Factory:
    recorded = (stored.manifest.rebuild or {}).get("network")
    if given is not None:
        return Factory.given(given, (recorded or {"arguments": {}})["arguments"])
    if recorded is None:
        fix = "pass factory=, the class or function that makes its network."
        raise ConfigError("rebuild: the file must say how its network is made.", f"{stored.path}", fix)
    ours = [factory for factory in zoo_factories() if factory.record == recorded]
    if not ours:
        fix = "pass factory=, after a look at what the file names: code named by a file is not imported."
        raise ConfigError("rebuild: the network's code must come from you.", recorded["factory"][:SHOWN], fix)
    return ours[0]


def zoo_factories() -> list[Factory]:
    """What a file may name by itself."""
    from e2e_jax.zoo.classifier import CLASSIFIERS, factory_of  # time that only rebuilding needs

    return [factory_of(name) for name in CLASSIFIERS]


def _filled(factory: Factory, leaves: dict[Path_, jax.Array]) -> nnx.Module:
    """The factory's network with these parameters."""
    parts: Any = nnx.split(factory.structure(), nnx.RngState, ...)
    graph, randomness, state = parts
    flat = list(nnx.to_flat_state(state))
    names = [tuple(map(str, path)) for path, _ in flat]
    if odd := sorted(set(names) ^ set(leaves)):
        fix = "pass the code and the arguments that the network was made with."
        raise ConfigError("rebuild: the factory must make this network.", f"{factory}: {'/'.join(odd[0])}", fix)
    pairs = [(path, leaf.replace(leaves[name])) for (path, leaf), name in zip(flat, names, strict=True)]
    drawn = jax.tree.map(lambda leaf: jax.random.key(0) if _is_key(leaf) else 0, randomness)
    return nnx.merge(graph, drawn, nnx.from_flat_state(pairs))


def _is_key(leaf: Any) -> bool:
    return jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key)
