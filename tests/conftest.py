"""What all tests share: JAX at its strictest, Pillow's resize in both orders of its passes, stored references."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import numpy as np
import PIL
import pytest
from PIL import Image

pytest_plugins = ["model_fixtures"]
collect_ignore = ["golden"]  # scripts that ran once, in environments of their own
jax.config.update("jax_numpy_dtype_promotion", "strict")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fuzz-rounds", type=int, default=2000, help="damaged artifacts to load in test_fuzz.py")


def pytest_configure(config: pytest.Config) -> None:
    """The user's own cache of compiled programs is left alone; workers and subprocesses share a folder."""
    if not hasattr(config, "workerinput"):
        os.environ["E2E_JAX_CACHE"] = tempfile.mkdtemp(prefix="e2e_jax_tests_")


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ["E2E_JAX_CACHE"], ignore_errors=True)


MAPPINGS = 20_000  # of memory; Linux allows 65,530, XLA makes three for each compiled program, and falls without


@pytest.fixture(autouse=True, scope="module")
def few_mappings() -> Iterator[None]:
    """Forgets compiled programs before a worker has more of them than the system maps."""
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > MAPPINGS:
        jax.clear_caches()
        gc.collect()


GOLDEN = Path(__file__).parent / "golden"
MODES = {1: "L", 3: "RGB", 4: "CMYK"}  # CMYK, not RGBA: Pillow premultiplies colours with alpha
FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "area": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
}


def by_pillow(image: np.ndarray, height: int, width: int, method: str) -> np.ndarray:
    """One call of the installed Pillow on (h, w, C) uint8, or on (h, w, 1) float32 in mode F."""
    if image.shape[-1] not in MODES:
        return np.concatenate(
            [by_pillow(c, height, width, method) for c in np.split(image, image.shape[-1], -1)], -1
        )
    mode = "F" if image.dtype == np.float32 else MODES[image.shape[-1]]
    source = Image.frombytes(mode, image.shape[1::-1], np.ascontiguousarray(image).tobytes())
    return np.asarray(source.resize((width, height), FILTERS[method])).reshape(height, width, -1)


def by_pillow_columns_first(image: np.ndarray, height: int, width: int, method: str) -> np.ndarray:
    """What one call of any Pillow before 13 gives, by two calls that leave no choice of order."""
    columns = by_pillow(image, image.shape[0], width, method)
    return by_pillow(columns, height, width, method)


@pytest.fixture(scope="session")
def pillow() -> Callable[..., np.ndarray]:
    """``numerics="pillow"``: columns first, whatever Pillow is installed."""
    return by_pillow_columns_first


@pytest.fixture(scope="session")
def live_pillow() -> tuple[Callable[..., np.ndarray], str]:
    """The installed Pillow in one call, and the name of its numerics."""
    return by_pillow, "pillow13" if int(PIL.__version__.partition(".")[0]) >= 13 else "pillow"


@pytest.fixture(scope="session")
def stored() -> Callable[[str], dict[str, np.ndarray]]:
    """The arrays of ``tests/golden/<name>.npz``."""
    return lambda name: dict(np.load(GOLDEN / f"{name}.npz"))
