"""Each deterministic transform on a 512x512 photo beside Pillow, OpenCV and, where installed, Albumentations."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import cv2
import jax
import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from benchmarks.photo import MEAN, STD, photo
from e2e_jax import transforms as T
from e2e_jax.benchmark import Timing, conditions, interleave, ratio

EDGE = 512
REPEATS = 40
GOAL = 3.0  # times OpenCV


class Case(NamedTuple):
    """One line of the table.

    Args:
        step: Ours.
        pillow: The same by Pillow, on its image.
        opencv: The same by OpenCV or NumPy, on the array.
        albumentations: Name and arguments of the same class there.
        reason: Why ours may take longer than the goal.
        given: Instead of the photo.
    """

    step: Any
    pillow: Callable[[Image.Image], Any] | None = None
    opencv: Callable[[np.ndarray], Any] | None = None
    albumentations: tuple[str, dict[str, Any]] | None = None
    reason: str = ""
    given: np.ndarray | None = None


def _nothing(image: Any) -> Any:
    """What a call costs; XLA would return the argument itself without the barrier."""
    return jax.lax.optimization_barrier(image)


def _warp(image: np.ndarray, matrix: Any) -> np.ndarray:
    return cv2.warpAffine(image, np.float64(matrix)[:2], (EDGE, EDGE), flags=cv2.INTER_LINEAR)


def _half(image: np.ndarray, flag: int) -> np.ndarray:
    return cv2.resize(image, (224, 224), interpolation=flag)


def _normalized(image: np.ndarray) -> np.ndarray:
    return (image.astype(np.float32) / 255 - np.float32(MEAN)) / np.float32(STD)


def _turned() -> np.ndarray:
    return cv2.getRotationMatrix2D((EDGE / 2 - 0.5, EDGE / 2 - 0.5), 20, 1)


def _hue(image: np.ndarray) -> np.ndarray:
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(np.int16) + 18) % 180
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


CORNERS = np.float32([[0, 0], [511, 0], [511, 511], [0, 511]])
MOVED = np.float32([[40, 25], [480, 0], [511, 470], [0, 500]])
CORNERS_AND_MIDDLE = [(0, 0), (0, 128), (128, 0), (128, 128), (64, 64)]
PIECES = [(0, 0), (0, 1), (1, 0), (1, 1)]
GATHER = "each pixel is read at a place of its own, and XLA's CPU gather takes one element at a time"
CALL = "a pass over the photo takes XLA about 0.1 ms, into fresh memory; pipelines fuse it with its neighbours"
SHUFFLE = "pixels of three bytes move one element at a time; XLA's CPU compiler has no vector shuffle for them"
FIXED = "fixed point of 19 bits between the passes, which OpenCV writes in its own vector instructions"

CASES = [
    Case(T.Lambda(_nothing), None, lambda a: a.copy()),
    Case(
        T.Resize((224, 224)),
        lambda p: p.resize((224, 224), Image.Resampling.BILINEAR),
        lambda a: _half(a, cv2.INTER_AREA),
        ("Resize", {"height": 224, "width": 224}),
        "antialiased, every source pixel counts; OpenCV's nearest kin is INTER_AREA",
    ),
    Case(
        T.Resize((224, 224), numerics="opencv"),
        None,
        lambda a: _half(a, cv2.INTER_LINEAR),
        ("Resize", {"height": 224, "width": 224}),
        FIXED,
    ),
    Case(
        T.Resize((224, 224), method="nearest", numerics="opencv"),
        None,
        lambda a: _half(a, cv2.INTER_NEAREST),
        reason=CALL,
    ),
    Case(
        T.Letterbox((256, 320), fill=114),
        lambda p: ImageOps.pad(p, (320, 256), Image.Resampling.BILINEAR, color=(114, 114, 114)),
        lambda a: cv2.copyMakeBorder(
            cv2.resize(a, (256, 256)), 0, 0, 32, 32, cv2.BORDER_CONSTANT, value=(114, 114, 114)
        ),
        reason="antialiased, where OpenCV reads two by two pixels",
    ),
    Case(T.CropToAspect((256, 256)), lambda p: ImageOps.fit(p, (256, 256), Image.Resampling.BILINEAR)),
    Case(
        T.Crop(10, 20, 448, 448),
        lambda p: p.crop((20, 10, 468, 458)).copy(),
        lambda a: a[10:458, 20:468].copy(),
        reason=CALL,
    ),
    Case(
        T.CropResize(10, 20, 448, 448, (224, 224)),
        lambda p: p.resize((224, 224), Image.Resampling.BILINEAR, box=(20, 10, 468, 458)),
        lambda a: cv2.resize(a[10:458, 20:468], (224, 224), interpolation=cv2.INTER_AREA),
        reason="antialiased, where OpenCV has code of its own for images of half the size",
    ),
    Case(
        T.TenCrop(384),
        None,
        lambda a: np.stack([b[y : y + 384, x : x + 384] for b in (a, a[:, ::-1]) for y, x in CORNERS_AND_MIDDLE]),
        reason=SHUFFLE,
    ),
    Case(T.FiveCrop(384), None, lambda a: np.stack([a[y : y + 384, x : x + 384] for y, x in CORNERS_AND_MIDDLE])),
    Case(
        T.CenterCrop(448),
        lambda p: p.crop((32, 32, 480, 480)).copy(),
        lambda a: a[32:480, 32:480].copy(),
        ("CenterCrop", {"height": 448, "width": 448}),
        reason=CALL,
    ),
    Case(
        T.Pad(32, mode="reflect"),
        None,
        lambda a: cv2.copyMakeBorder(a, 32, 32, 32, 32, cv2.BORDER_REFLECT_101),
        ("Pad", {"padding": 32}),
        reason=SHUFFLE,
    ),
    Case(
        T.HorizontalFlip(),
        ImageOps.mirror,
        lambda a: cv2.flip(a, 1),
        ("HorizontalFlip", {"p": 1.0}),
        reason=SHUFFLE,
    ),
    Case(T.VerticalFlip(), ImageOps.flip, lambda a: cv2.flip(a, 0), ("VerticalFlip", {"p": 1.0}), reason=CALL),
    Case(
        T.Rotate(20),
        lambda p: p.rotate(20, Image.Resampling.BILINEAR),
        lambda a: _warp(a, _turned()),
        ("Rotate", {"limit": (20, 20), "p": 1.0}),
        GATHER,
    ),
    Case(
        T.Affine(angle=10, scale=0.9, numerics="opencv"),
        None,
        lambda a: _warp(a, cv2.getRotationMatrix2D((255.5, 255.5), -10, 0.9)),
        ("Affine", {"rotate": (10, 10), "scale": 0.9, "p": 1.0}),
        GATHER,
    ),
    Case(
        T.Perspective(CORNERS.tolist(), MOVED.tolist(), numerics="opencv"),
        None,
        lambda a: cv2.warpPerspective(a, cv2.getPerspectiveTransform(CORNERS, MOVED), (EDGE, EDGE)),
        None,
        GATHER,
    ),
    Case(
        T.Tile((256, 256)),
        None,
        lambda a: np.stack([a[y * 256 : y * 256 + 256, x * 256 : x * 256 + 256] for y, x in PIECES]),
        reason=SHUFFLE,
    ),
    Case(T.ToTensor(), None, lambda a: a.astype(np.float32) / 255, ("ToFloat", {"p": 1.0})),
    Case(
        T.Compose([T.ToTensor(), T.Normalize(MEAN, STD)]),
        None,
        _normalized,
        ("Normalize", {"mean": MEAN, "std": STD}),
    ),
    Case(T.Cast("float32"), None, lambda a: a.astype(np.float32)),
    Case(T.Rescale(1 / 127.5, offset=-1), None, lambda a: a.astype(np.float32) / np.float32(127.5) - np.float32(1)),
    Case(T.Denormalize(0.5, 0.25), None, lambda a: a.astype(np.float32) * np.float32(0.25) + np.float32(0.5)),
    Case(T.ToLayout("CHW"), None, lambda a: np.ascontiguousarray(a.transpose(2, 0, 1)), reason=SHUFFLE),
    Case(
        T.YUVToRGB("nv12"),
        None,
        lambda a: cv2.cvtColor(a, cv2.COLOR_YUV2RGB_NV12),
        reason="OpenCV has vector instructions for 8-bit fixed point",
        given=np.random.default_rng(0).integers(0, 256, (768, EDGE, 1), np.uint8),
    ),
    Case(T.Grayscale(), lambda p: p.convert("L"), lambda a: cv2.cvtColor(a, cv2.COLOR_RGB2GRAY), reason=CALL),
    Case(T.ToRGB(), None, lambda a: a.copy(), reason=CALL),
    Case(T.ChannelOrder((2, 1, 0)), None, lambda a: cv2.cvtColor(a, cv2.COLOR_RGB2BGR), reason=SHUFFLE),
    Case(T.Invert(), ImageOps.invert, cv2.bitwise_not, ("InvertImg", {"p": 1.0}), reason=CALL),
    Case(
        T.Posterize(3),
        lambda p: ImageOps.posterize(p, 3),
        lambda a: a & 0xE0,
        ("Posterize", {"num_bits": 3, "p": 1.0}),
        reason=CALL,
    ),
    Case(T.Solarize(128), lambda p: ImageOps.solarize(p, 128), lambda a: np.where(a < 128, a, 255 - a)),
    Case(
        T.Brightness(1.4),
        lambda p: ImageEnhance.Brightness(p).enhance(1.4),
        lambda a: cv2.convertScaleAbs(a, alpha=1.4),
    ),
    Case(
        T.Contrast(1.4),
        lambda p: ImageEnhance.Contrast(p).enhance(1.4),
        lambda a: cv2.convertScaleAbs(a, alpha=1.4, beta=-0.4 * cv2.cvtColor(a, cv2.COLOR_RGB2GRAY).mean()),
    ),
    Case(
        T.Saturation(1.4),
        lambda p: ImageEnhance.Color(p).enhance(1.4),
        lambda a: cv2.addWeighted(
            a, 1.4, cv2.cvtColor(cv2.cvtColor(a, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), -0.4, 0
        ),
    ),
    Case(T.Hue(0.1), None, _hue),
    Case(T.Gamma(0.8), None, lambda a: cv2.LUT(a, np.uint8(255 * (np.arange(256) / 255) ** 0.8))),
    Case(T.Sharpness(1.8), lambda p: ImageEnhance.Sharpness(p).enhance(1.8)),
    Case(
        T.GaussianBlur(7, 1.5, numerics="opencv"),
        lambda p: p.filter(ImageFilter.GaussianBlur(1.5)),
        lambda a: cv2.GaussianBlur(a, (7, 7), 1.5),
        ("GaussianBlur", {"blur_limit": (7, 7), "sigma_limit": (1.5, 1.5), "p": 1.0}),
        "OpenCV has vector instructions for 8-bit fixed point",
    ),
    Case(T.AutoContrast(), ImageOps.autocontrast, None, ("AutoContrast", {"p": 1.0})),
    Case(
        T.Equalize(numerics="opencv"),
        ImageOps.equalize,
        lambda a: np.stack([cv2.equalizeHist(np.ascontiguousarray(a[..., c])) for c in range(3)], -1),
        ("Equalize", {"p": 1.0}),
        "a histogram is a scatter, which XLA's CPU compiler runs one element at a time",
    ),
    Case(
        T.Window(100, 80),
        None,
        lambda a: np.clip((a.astype(np.float32) - 99.5) / 79 + 0.5, 0, 1),
    ),
    Case(
        T.Percentile(2, 98),
        None,
        lambda a: np.clip((a - np.percentile(a, 2)) / (np.percentile(a, 98) - np.percentile(a, 2)), 0, 1),
    ),
]


def main() -> None:
    pixels = photo(EDGE)
    image = Image.fromarray(pixels)
    print(f"\nEvery transform on {EDGE}x{EDGE}x3 uint8, milliseconds: the median of {REPEATS} calls in turn")
    print(f"{conditions()}; goal: at most {GOAL:g}x OpenCV, or a reason\n")
    print("| transform | e2e_jax | Pillow | OpenCV, NumPy | Albumentations | / Pillow | / OpenCV |")
    print("|---|---|---|---|---|---|---|")
    slow = []
    for case in CASES:
        given = pixels if case.given is None else case.given
        timings = interleave(dict(_contestants(case, given, image)), repeats=REPEATS, progress=False)
        line, over = _line(case, {timing.name: timing for timing in timings})
        print(line, flush=True)
        slow += [f"- `{case.step!r}`: {case.reason or 'no reason given'}."] if over else []
    print("\n".join([f"\nOver {GOAL:g}x OpenCV:", *(slow or ["- none."])]))


def _contestants(case: Case, pixels: np.ndarray, image: Image.Image) -> Iterator[tuple[str, Callable[[], Any]]]:
    compiled = jax.jit(lambda x: case.step(x))
    yield "e2e_jax", lambda: compiled(pixels)
    if case.pillow is not None:
        pillow = case.pillow
        yield "Pillow", lambda: pillow(image)
    if case.opencv is not None:
        opencv = case.opencv
        yield "OpenCV", lambda: opencv(pixels)
    if case.albumentations is not None and importlib.util.find_spec("albumentations"):
        step = _albumentations(*case.albumentations)
        yield "Albumentations", lambda: step(image=pixels)["image"]


def _albumentations(name: str, arguments: dict[str, Any]) -> Any:
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks the network for a newer version otherwise
    import albumentations as A  # noqa: N812, PLC0415

    return getattr(A, name)(**arguments)


def _line(case: Case, timings: dict[str, Timing]) -> tuple[str, bool]:
    """A row of the table, and whether it misses the goal."""
    ours = timings["e2e_jax"]
    cells = [
        f"{timings[name].median:.2f}" if name in timings else ""
        for name in ("e2e_jax", "Pillow", "OpenCV", "Albumentations")
    ]
    ratios = {name: ratio(ours, timings[name]) for name in ("Pillow", "OpenCV") if name in timings}
    cells += [f"{ratios[name]:.2f}" if name in ratios else "" for name in ("Pillow", "OpenCV")]
    shown = repr(case.step) if len(repr(case.step)) < 60 else f"{repr(case.step)[:56]} …"
    return f"| `{shown}` | {' | '.join(cells)} |", ratios.get("OpenCV", 0) > GOAL
