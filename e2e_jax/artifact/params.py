"""Parameters as an Orbax checkpoint inside the archive."""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from e2e_jax.artifact.archive import damaged, unwritable
from e2e_jax.artifact.checkpoint import unpacks_to
from e2e_jax.errors import ArtifactError, ConfigError

FOLDER = "params/"

# How many bytes of parameters are made room for: what compresses better is a claim rather than a network.
ALWAYS = 64 << 20  # bytes that any checkpoint may unpack to
RATIO = 64  # of parameters to the bytes they are stored in; float32 weights have 1.1, nine zeros in ten give 8
ARRAYS_LIMIT = 1 << 16  # jax.export counts parameters in 16 bits
PARTS_LIMIT = 32  # of a path

type Path_ = tuple[str, ...]


def named_leaves(state: nnx.State) -> dict[Path_, jax.Array]:
    """Parameters by their path of attribute names, in the order the programs take them."""
    return {tuple(str(part) for part in path): leaf[...] for path, leaf in nnx.to_flat_state(state)}


def describe(leaves: dict[Path_, jax.Array]) -> list[dict[str, Any]]:
    """What the manifest says of the parameters."""
    return [{"path": list(p), "shape": list(a.shape), "dtype": a.dtype.name} for p, a in leaves.items()]


def save(leaves: dict[Path_, jax.Array]) -> dict[str, bytes]:
    """Members of an Orbax checkpoint of a nested dict with these leaves.

    Raises:
        ArtifactError: The folder for temporary files has no room.
        ConfigError: They are more, or compress better, than `restore` accepts.
    """
    stored = {path: leaf for path, leaf in leaves.items() if leaf.size}  # Orbax refuses empty arrays
    if not stored:
        return {}
    import orbax.checkpoint as ocp  # a second of import time that only artifacts need

    try:
        with tempfile.TemporaryDirectory() as scratch, _quiet_orbax():
            folder = Path(scratch).resolve() / "params"
            with ocp.StandardCheckpointer() as checkpointer:
                checkpointer.save(folder, _nest(stored))
            files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
            members = {FOLDER + file.relative_to(folder).as_posix(): file.read_bytes() for file in files}
    except (OSError, ValueError) as error:  # tensorstore reports a full disk as a ValueError
        raise unwritable(Path(tempfile.gettempdir()), error) from error
    if wrong := _wrong(describe(leaves), _room(members)):
        fix = "train or draw the parameters before export: nearly all of them are alike."
        raise ConfigError("export: the parameters must be such as load accepts.", wrong, fix)
    return members


def restore(path: Path, members: dict[str, bytes], described: list[dict[str, Any]]) -> dict[Path_, jax.Array]:
    """The parameters of an archive, in the manifest's order.

    Raises:
        ArtifactError: The checkpoint does not hold what the manifest describes.
    """
    if wrong := _wrong(described, _room(members)):
        raise damaged(path, wrong)
    wanted = {tuple(leaf["path"]): _abstract(leaf) for leaf in described}
    stored = {name: leaf for name, leaf in wanted.items() if leaf.size}
    nested = _restored(path, members, _nest(stored), _room(members)) if stored else {}
    return {
        name: _at(nested, name) if leaf.size else jnp.zeros(leaf.shape, leaf.dtype) for name, leaf in wanted.items()
    }


def _room(members: Mapping[str, bytes]) -> int:
    """How many bytes the checkpoint among these members may unpack to."""
    return max(ALWAYS, RATIO * sum(len(data) for name, data in members.items() if name.startswith(FOLDER)))


def _wrong(described: list[dict[str, Any]], room: int) -> str | None:
    """Why no such parameters are made room for, or ``None``."""
    if len(described) > ARRAYS_LIMIT or any(len(leaf["path"]) > PARTS_LIMIT for leaf in described):
        return f"parameters in more than {ARRAYS_LIMIT} arrays, or more than {PARTS_LIMIT} levels deep"
    if any(extent < 0 for leaf in described for extent in leaf["shape"]):
        return "parameters of a negative extent"
    claimed = sum(math.prod(leaf["shape"]) * jnp.dtype(leaf["dtype"]).itemsize for leaf in described)
    if claimed > room:
        return f"a manifest that claims {claimed} bytes of parameters where there can be {room}"
    return None


def _restored(path: Path, members: dict[str, bytes], wanted: dict[str, Any], room: int) -> Any:
    import orbax.checkpoint as ocp

    try:
        with tempfile.TemporaryDirectory() as scratch, _quiet_orbax():
            folder = Path(scratch).resolve() / "params"
            _unpack(members, folder)
            try:
                if unpacks_to(folder) > room:
                    raise ValueError(f"more than {room} bytes")
                with ocp.StandardCheckpointer() as checkpointer:
                    return checkpointer.restore(folder, wanted)
            except Exception as error:  # Orbax and tensorstore meet foreign bytes with a dozen kinds of error
                raise damaged(path, f"parameters that do not fit the manifest ({str(error)[:200]})") from error
    except OSError as error:
        fix = "free space there, or set TMPDIR to another folder; the artifact itself may be sound."
        received = f"{tempfile.gettempdir()}: {error.strerror or error}"
        raise ArtifactError("load: the folder for temporary files must be writable.", received, fix) from error


def _unpack(members: dict[str, bytes], folder: Path) -> None:
    for name, content in members.items():
        if name.startswith(FOLDER):
            target = folder / name.removeprefix(FOLDER)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


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
        self.logger.setLevel(logging.CRITICAL)

    def __exit__(self, *_: object) -> None:
        self.logger.setLevel(self.level)


def count(leaves: dict[Path_, jax.Array]) -> int:
    """How many numbers."""
    return int(sum(np.prod(leaf.shape) for leaf in leaves.values()))
