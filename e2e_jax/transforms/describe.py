"""describe: what a pipeline does, step by step, and by whose rules."""

from __future__ import annotations

import dataclasses
import inspect
import itertools

from e2e_jax.errors import known_arguments
from e2e_jax.transforms.base import Transform

#: Whose arithmetic a value of ``numerics`` names.
LIBRARIES = {
    "pillow": "Pillow before 13, and so torchvision on PIL images",
    "pillow13": "Pillow 13",
    "torch": "torchvision on tensors",
    "opencv": "OpenCV, and so MXNet and Albumentations",
    "tf": "TensorFlow 2 and Keras",
}


@dataclasses.dataclass(frozen=True)
class Line:
    """One step.

    Args:
        step: As code.
        does: One sentence.
        rules: Whose arithmetic, empty where all libraries agree.
        size: Height and width afterwards, where a size was given.
        fused: Whether it runs in one resampling with the step before.
    """

    step: str
    does: str
    rules: str
    size: tuple[int, int] | None
    fused: bool


@dataclasses.dataclass(frozen=True)
class Description:
    """What `describe` says; print it.

    Args:
        lines: In the order of the steps.
    """

    lines: tuple[Line, ...]

    def __str__(self) -> str:
        return "\n".join(self._block(number, line) for number, line in enumerate(self.lines)) or "does nothing"

    __repr__ = __str__

    def _block(self, number: int, line: Line) -> str:
        size = f"   -> {line.size[0]} x {line.size[1]}" if line.size else ""
        rules = [f"   by the rules of {line.rules}"] if line.rules else []
        fused = ["   in one resampling with the step before"] if line.fused else []
        return "\n".join([f"{number}  {line.step}{size}", f"   {line.does}", *rules, *fused])


@known_arguments
def describe(pipeline: Transform, *, size: tuple[int, int] | None = None) -> Description:
    """Says step by step what a pipeline does and by whose rules.

    Args:
        pipeline: Any transform.
        size: Height and width of an image, to follow through the steps.

    Returns:
        A `Description`; print it.

    Raises:
        ImageError: An image of this size does not suit a step.

    Source:
        The first sentence of each transform's docstring, and the name of its numerics.

    Example:
        >>> from e2e_jax import transforms as T
        >>> describe(T.Compose([T.Resize(256), T.HorizontalFlip()]), size=(300, 400))
        0  Resize(256)   -> 256 x 341
           Resizes to an exact size, or until the shorter or the longer edge has so many pixels.
           by the rules of Pillow before 13, and so torchvision on PIL images
        1  HorizontalFlip()   -> 256 x 341
           Swaps left and right.
           in one resampling with the step before
    """
    steps = pipeline.steps_flat
    fused = [False, *(a.kind == b.kind == "geometry" for a, b in itertools.pairwise(steps))]
    lines = []
    for step, with_last in zip(steps, fused, strict=False):
        size = None if size is None else step.output_size(*size)
        does = inspect.cleandoc(type(step).__doc__ or "").partition("\n\n")[0].replace("\n", " ")
        rules = LIBRARIES.get(getattr(step, "numerics", ""), "")
        lines.append(Line(repr(step), does, rules, size, with_last))
    return Description(tuple(lines))
