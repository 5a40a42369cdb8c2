"""A stored input and the outputs it must give: how an artifact proves itself on another machine."""

from __future__ import annotations

import contextlib
import io
import zipfile
from pathlib import Path
from typing import Any, cast

import jax
import numpy as np

from e2e_jax.artifact.archive import damaged
from e2e_jax.errors import ImageError
from e2e_jax.transforms.base import Transform

INPUT, OUTPUTS = "samples/input.npz", "samples/outputs.npz"
SIZES = [(240 << n, 320 << n) for n in range(5)]  # pixels of the stored photo: the first that suits the steps
TOLERANCE = 1e-3  # largest absolute difference of a probability between machines; float32 sums differ in order


def size(preprocess: Transform) -> tuple[int, int]:
    """Height and width of a picture that is large enough for every crop.

    Raises:
        ImageError: The steps refuse even the largest.
    """
    for height, width in SIZES[:-1]:
        with contextlib.suppress(ImageError):
            preprocess.output_size(height, width)
            return height, width
    preprocess.output_size(*SIZES[-1])
    return SIZES[-1]


def picture(h: int, w: int, channels: int, dtype: str) -> np.ndarray:
    """A photo-like test picture ``(1, h, w, channels)``: coloured waves with a little noise, always the same."""
    y, x = np.mgrid[0:h, 0:w] / 40.0
    waves = np.stack([np.sin(x + c) * np.cos(y * (c + 1) / 2) for c in range(channels)], -1)
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, waves.shape)
    unit = np.clip(waves * 0.45 + 0.5 + noise, 0, 1)
    return ((unit * 255).astype(np.uint8) if dtype == "uint8" else unit.astype(dtype))[None]


def pack(arrays: dict[str, np.ndarray]) -> bytes:
    """Named arrays as an npz member."""
    buffer = io.BytesIO()
    np.savez(buffer, **cast(dict[str, Any], arrays))
    return buffer.getvalue()


def unpack(path: Path, content: bytes) -> dict[str, np.ndarray]:
    """Named arrays of an npz member; never runs code from it, never takes more memory than it has bytes.

    Raises:
        ArtifactError: The member is not an npz of plain arrays.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as stored:
            if sum(info.file_size for info in stored.infolist()) > len(content):
                raise ValueError("compressed arrays")
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            return dict(stored)
    except Exception as error:  # numpy and zipfile raise a dozen kinds for damaged bytes, each means the same here
        raise damaged(path, f"a stored sample that cannot be read ({error})") from error


def fits(arrays: dict[str, np.ndarray], described: dict[str, Any]) -> bool:
    """Whether arrays have the names, dtypes and shapes of one half of a signature.

    Example:
        >>> fits({"x": np.zeros((1, 3), np.float32)}, {"x": {"dtype": "float32", "shape": ["b", 3]}})
        True
    """
    return arrays.keys() == described.keys() and all(_fits(arrays[name], described[name]) for name in arrays)


def _fits(array: np.ndarray, described: dict[str, Any]) -> bool:
    shape = described["shape"]
    sizes = len(shape) == array.ndim and all(
        isinstance(n, str) or n == m for n, m in zip(shape, array.shape, strict=False)
    )
    plain = _plain(np.empty(0, np.dtype(described["dtype"]))).dtype
    return sizes and array.size > 0 and array.dtype == plain


def by_name(outputs: Any) -> dict[str, np.ndarray]:
    """Any tree of outputs as named arrays."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(outputs)
    return {name_of(path): _plain(np.asarray(leaf)) for path, leaf in leaves}


def _plain(array: np.ndarray) -> np.ndarray:
    """npz knows NumPy's own dtypes only; bfloat16 and its kin fit into float32."""
    return array.astype(np.float32) if array.dtype.kind == "V" else array


def name_of(path: tuple[Any, ...]) -> str:
    """Name of one output in a tree of outputs: its keys joined by slashes, ``"output"`` where it stands alone."""
    return jax.tree_util.keystr(path, simple=True, separator="/") or "output"


def scale(outputs: dict[str, np.ndarray]) -> float:
    """What a difference of outputs is a part of: the largest finite one, or 1 where none exceeds it."""
    floating = [output for output in outputs.values() if np.issubdtype(output.dtype, np.floating)]
    finite = (np.abs(output[np.isfinite(output)]).max(initial=0) for output in floating)
    return max([1.0, *map(float, finite)])


def difference(expected: dict[str, np.ndarray], found: dict[str, np.ndarray]) -> float:
    """Largest absolute difference of the floating outputs; infinite where names or shapes differ.

    Integer outputs, such as the order of classes, follow from the floating ones and may swap on ties.
    """
    if expected.keys() != found.keys() or any(expected[k].shape != found[k].shape for k in expected):
        return float("inf")
    floating = [k for k in expected if np.issubdtype(expected[k].dtype, np.floating)]
    return max((_gap(expected[k].astype(np.float64), found[k].astype(np.float64)) for k in floating), default=0.0)


def _gap(expected: np.ndarray, found: np.ndarray) -> float:
    """Largest absolute difference; equal infinities and NaN at the same place do not differ."""
    odd = (expected != found) & ~(np.isnan(expected) & np.isnan(found))
    return float(np.nan_to_num(np.abs(expected[odd] - found[odd]).max(initial=0), nan=np.inf, posinf=np.inf))
