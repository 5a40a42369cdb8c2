"""Parameters as an Orbax checkpoint inside the archive."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from e2e_jax.artifact.archive import damaged

FOLDER = "params/"

type Path_ = tuple[str, ...]


def named_leaves(state: nnx.State) -> dict[Path_, jax.Array]:
    """Parameters by their path of attribute names, in the order the programs take them."""
    return {tuple(str(part) for part in path): leaf[...] for path, leaf in nnx.to_flat_state(state)}


def describe(leaves: dict[Path_, jax.Array]) -> list[dict[str, Any]]:
    """What the manifest says of the parameters."""
    return [{"path": list(p), "shape": list(a.shape), "dtype": a.dtype.name} for p, a in leaves.items()]


def save(leaves: dict[Path_, jax.Array]) -> dict[str, bytes]:
    """Members of an Orbax checkpoint of a nested dict with these leaves."""
    if not leaves:
        return {}
    import orbax.checkpoint as ocp  # a second of import time that only artifacts need

    with tempfile.TemporaryDirectory() as scratch, _quiet_orbax():
        folder = Path(scratch).resolve() / "params"
        with ocp.StandardCheckpointer() as checkpointer:
            checkpointer.save(folder, _nest(leaves))
        files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
        return {FOLDER + file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def restore(path: Path, members: dict[str, bytes], described: list[dict[str, Any]]) -> dict[Path_, jax.Array]:
    """The parameters of an archive, in the manifest's order.

    Raises:
        ArtifactError: The checkpoint does not hold what the manifest describes.
    """
    if not described:
        return {}
    import orbax.checkpoint as ocp

    wanted = {tuple(leaf["path"]): _abstract(leaf) for leaf in described}
    with tempfile.TemporaryDirectory() as scratch, _quiet_orbax():
        folder = Path(scratch).resolve() / "params"
        for name, content in members.items():
            if name.startswith(FOLDER):
                target = folder / name.removeprefix(FOLDER)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
        try:
            with ocp.StandardCheckpointer() as checkpointer:
                nested = checkpointer.restore(folder, _nest(wanted))
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise damaged(path, f"parameters that do not fit the manifest ({str(error)[:200]})") from error
    return {path: _at(nested, path) for path in wanted}


def _abstract(leaf: dict[str, Any]) -> jax.ShapeDtypeStruct:
    sharding = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    return jax.ShapeDtypeStruct(tuple(leaf["shape"]), jnp.dtype(leaf["dtype"]), sharding=sharding)


def _nest(leaves: dict[Path_, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for path, leaf in leaves.items():
        place = nested
        for part in path[:-1]:
            place = place.setdefault(part, {})
        place[path[-1]] = leaf
    return nested


def _at(nested: Any, path: Path_) -> jax.Array:
    for part in path:
        nested = nested[part]
    return nested


class _quiet_orbax:
    """Orbax and absl report every file; in a notebook that buries the result."""

    def __enter__(self) -> None:
        self.logger = logging.getLogger("absl")
        self.level = self.logger.level
        self.logger.setLevel(logging.ERROR)

    def __exit__(self, *_: object) -> None:
        self.logger.setLevel(self.level)


def count(leaves: dict[Path_, jax.Array]) -> int:
    """How many numbers."""
    return int(sum(np.prod(leaf.shape) for leaf in leaves.values()))
