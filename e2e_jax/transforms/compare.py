"""compare: where two pipelines part ways, step by step; a finder of train/serve skew."""

from __future__ import annotations

import dataclasses
import difflib
from typing import Any

import jax
import numpy as np

from e2e_jax.errors import known_arguments
from e2e_jax.transforms.base import Transform
from e2e_jax.transforms.door import Images
from e2e_jax.types import PaddedImages, Sample

type Steps = tuple[Transform, ...]


@dataclasses.dataclass(frozen=True)
class Difference:
    """How far two results are apart.

    Args:
        most: Largest absolute difference of a value, infinite where shapes differ.
        mean: Mean absolute difference.
        note: Why they cannot be compared value by value, or what else differs.
    """

    most: float
    mean: float
    note: str = ""

    @property
    def is_zero(self) -> bool:
        """Whether the results are the same, dtypes included."""
        return self.most == 0 and not self.note

    def __str__(self) -> str:
        if np.isinf(self.most):
            return self.note
        return f"{self.most:.4g} max, {self.mean:.3g} mean" + (f", {self.note}" if self.note else "")


@dataclasses.dataclass(frozen=True)
class Row:
    """One step of each pipeline, or of one alone.

    Args:
        first: The step of the first pipeline, as code; empty where it has none.
        second: Likewise.
        alone: The difference the two steps make on the same input, the first pipeline's.
        so_far: The difference of the two pipelines up to here.
    """

    first: str
    second: str
    alone: Difference | None
    so_far: Difference

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """As a line of a table."""
        alone = "only one has it" if self.alone is None else str(self.alone)
        return self.first or "-", self.second or "-", alone, str(self.so_far)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    Args:
        rows: In the order of the steps.
    """

    rows: tuple[Row, ...]

    @property
    def same(self) -> bool:
        """Whether the final results are the same."""
        return not self.rows or self.rows[-1].so_far.is_zero

    @property
    def culprits(self) -> tuple[Row, ...]:
        """The rows whose steps make a difference of their own."""
        return tuple(row for row in self.rows if row.alone is None or not row.alone.is_zero)

    def __str__(self) -> str:
        head = ("first", "second", "this step alone", "so far")
        cells = [row.cells for row in self.rows]
        marks = [" ", *("*" if row in self.culprits else " " for row in self.rows)]
        widths = [max(len(cell) for cell in column) for column in zip(head, *cells, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in (head, *cells)
        ]
        verdict = "same result" if self.same else f"{len(self.culprits)} of {len(self.rows)} steps differ (*)"
        return "\n".join([*(f"{mark} {line}" for mark, line in zip(marks, lines, strict=True)), verdict])

    __repr__ = __str__


@known_arguments
def compare(first: Transform, second: Transform, images: Images, *, key: jax.Array | None = None) -> Comparison:
    """Runs two pipelines side by side and tells which steps make them differ.

    Args:
        first: For instance the pipeline of the training.
        second: For instance that of the deployment.
        images: Anything a pipeline takes; differences are over all of them.
        key: For random steps: both draw the same numbers where their steps stand at the same place.

    Returns:
        A `Comparison`; print it for a table.

    Raises:
        ImageError: An image does not suit a step.

    Source:
        Steps are aligned by their types with ``difflib``.

    Example:
        >>> from e2e_jax import transforms as T
        >>> trained = T.Compose([T.Resize((5, 5), method="area"), T.ToTensor()])
        >>> served = T.Compose([T.Resize((5, 5), method="nearest"), T.ToTensor()])
        >>> photo = np.arange(300, dtype=np.uint8).reshape(10, 10, 3)
        >>> [row.first for row in compare(trained, served, photo).culprits]
        ["Resize((5, 5), method='area')"]
    """
    rows, ours, theirs = [], images, images
    for number, (mine, other) in enumerate(_aligned(first.steps_flat, second.steps_flat)):
        step_key = None if key is None else jax.random.fold_in(key, number)
        same_input = [_run(step, ours, step_key) for step in (mine, other)]
        alone = _difference(*same_input) if mine and other else None
        ours, theirs = (_run(step, x, step_key) for step, x in ((mine, ours), (other, theirs)))
        rows.append(Row(_shown(mine), _shown(other), alone, _difference(ours, theirs)))
    return Comparison(tuple(rows))


def _run(step: Transform | None, images: Any, key: jax.Array | None) -> Any:
    """The images of a list one by one, since not every step leaves sizes that fit one array."""
    if step is None or not isinstance(images, list | tuple):
        return images if step is None else step(images, key=key)
    return [step(image, key=key) for image in images]


def _shown(step: Transform | None) -> str:
    return "" if step is None else repr(step)


def _aligned(first: Steps, second: Steps) -> list[tuple[Transform | None, Transform | None]]:
    """Steps of the same type beside each other, as many as an order-keeping alignment allows."""
    mine, other = ([type(step).__name__ for step in steps] for steps in (first, second))
    pairs: list[tuple[Transform | None, Transform | None]] = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, mine, other, autojunk=False).get_opcodes():
        if tag == "equal":
            pairs += zip(first[a:b], second[c:d], strict=True)
        else:
            pairs += [(step, None) for step in first[a:b]] + [(None, step) for step in second[c:d]]
    return pairs


def _difference(first: Any, second: Any) -> Difference:
    mine, other = _images(first), _images(second)
    shapes = [(a.shape, b.shape) for a, b in zip(mine, other, strict=True) if a.shape != b.shape]
    if shapes:
        return Difference(np.inf, np.inf, f"shapes {shapes[0][0]} and {shapes[0][1]}")
    gaps = [np.abs(a.astype(np.float64) - b.astype(np.float64)).ravel() for a, b in zip(mine, other, strict=True)]
    apart = np.concatenate([np.zeros(0), *gaps])
    kinds = sorted({str(a.dtype) for a in mine[:1]} | {str(b.dtype) for b in other[:1]})
    note = f"{kinds[0]} and {kinds[1]}" if len(kinds) > 1 else ""
    return Difference(float(apart.max(initial=0)), float(apart.mean()) if apart.size else 0.0, note)


def _images(result: Any) -> list[np.ndarray]:
    """The pixels of each image of a result, without padding."""
    image = result.image if isinstance(result, Sample) else result
    if isinstance(image, list | tuple):
        return [np.asarray(one.image if isinstance(one, Sample) else one) for one in image]
    if isinstance(image, PaddedImages):
        sizes = np.asarray(image.sizes).tolist()
        return [np.asarray(p)[:h, :w] for p, (h, w) in zip(image.pixels, sizes, strict=True)]
    array = np.asarray(image)
    return list(array) if array.ndim > 3 else [array]
