"""The kinds of transforms. A transform of your own subclasses one of them and exports like those built in."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import jax
import numpy as np

from e2e_jax.errors import ConfigError
from e2e_jax.graphs.picture import Picture, no_form
from e2e_jax.ops.placement import Part, placement
from e2e_jax.ops.plans import Geometry
from e2e_jax.ops.sizes import Extents, is_dimension
from e2e_jax.transforms.back import inverse
from e2e_jax.transforms.config import Configured
from e2e_jax.transforms.door import Images
from e2e_jax.transforms.run import Draws, Numbers, output_size, run
from e2e_jax.types import Array, Sample

OURS = __name__.partition(".")[0]


LARGEST = 1 << 15  # pixels; room for a traced image of which no array is made


def sketch(size: Extents) -> Geometry:
    """An untouched image of a size, to plan with and not to carry out."""
    return Geometry.of(*size, None if all(is_dimension(n) for n in size) else (LARGEST, LARGEST))


class Transform(Configured, abstract=True):
    """A step between a raw photo and the network.

    Subclass one of `Pointwise`, `Imagewise`, `Geometric` or `Samplewise`, with `Random` in front where numbers are
    drawn. ``__init__`` checks its arguments and keeps each under its own name, so that the config round-trips.
    """

    kind: ClassVar[Literal["geometry", "pixels", "sample", "batch"]]
    is_random: ClassVar[bool] = False
    is_spatial: ClassVar[bool] = False  # whether pixels move or sizes change

    @property
    def reads_boxes(self) -> str | None:
        """The format of boxes it takes, none where it does not look at them."""
        return "xyxy" if self.is_spatial else None

    @property
    def writes_boxes(self) -> str | None:
        """The format of boxes it leaves, none where it leaves that it took."""
        return None

    @property
    def steps_flat(self) -> tuple[Transform, ...]:
        """The steps to run, without nesting and without those that are switched off."""
        return (self,)

    @property
    def is_ours(self) -> bool:
        """Whether the step's code belongs to this package; a failure in other code is reported with its line."""
        return type(self).__module__.partition(".")[0] == OURS

    def __call__(
        self, images: Images, *, key: Any = None, draws: Draws | None = None, return_draws: bool = False
    ) -> Any:
        """Transforms one image ``(h, w, C)``, a batch ``(b, h, w, C)``, `PaddedImages`, a `Sample`, or a list.

        Args:
            images: A list may mix sizes, of images or of samples.
            key: A JAX key or `nnx.Rngs` (stream ``transforms``), where a step is random. Every sample of a batch
                gets numbers of its own; the first gets those it gets alone.
            draws: What an earlier call returned: the same numbers again, in place of a key.
            return_draws: Also return the numbers, one entry per step.

        Returns:
            The same kind: an array where all results have one size, else `PaddedImages`; a `Sample` for a sample.
            With ``return_draws`` a pair of it and the draws.

        Raises:
            ImageError: What came in is not an image, or does not suit a step.
            ConfigError: A step is random and there is no key, or code of your own cannot be traced.
        """
        return run(self.steps_flat, images, key, draws, return_draws)

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the result for an image of this size, in pixels; computes no pixel.

        Raises:
            ImageError: The image does not suit a step, e.g. it is smaller than a crop.
            ConfigError: The size is drawn at random.

        Example:
            >>> from e2e_jax import transforms as T
            >>> T.Compose([T.Resize(256), T.CenterCrop(224)]).output_size(300, 400)
            (224, 224)
        """
        size = output_size(self.steps_flat, height, width)
        if not all(is_dimension(n) for n in size):
            fix = "end the geometry with an exact Resize((height, width)) or a crop."
            raise ConfigError(f"{type(self).__name__}: the output size must not be drawn.", repr(self), fix)
        return size

    def inverse(self, points: Array, *, size: Extents) -> jax.Array:
        """The way back: where points or boxes of the result lie in the photo it was made from.

        Args:
            points: ``(..., 2)`` key points x, y, or ``(..., 4)`` boxes left, top, right, bottom, in pixels of the
                result.
            size: Height and width of the photo in pixels; ints or traced.

        Returns:
            The same shape, float32, in pixels of the photo; boxes are clipped to it.

        Raises:
            ConfigError: A step has no way back, e.g. five crops, or one that is drawn at random.
            ImageError: A photo of this size does not suit a step, or the last axis is neither 2 nor 4.

        Example:
            >>> import numpy as np
            >>> from e2e_jax import transforms as T
            >>> pipeline = T.Compose([T.Resize((100, 200)), T.HorizontalFlip()])
            >>> pipeline.inverse(np.array([[0.0, 0.0, 50.0, 100.0]], np.float32), size=(300, 400)).tolist()
            [[300.0, 0.0, 400.0, 300.0]]
        """
        return inverse(self.steps_flat, points, size)

    def as_onnx(self, picture: Picture) -> Picture:
        """The same in an ONNX graph, as operations that engines are fast at.

        Args:
            picture: Images of one size in the graph.

        Returns:
            What the step makes of them: the same numbers, or where it resizes bytes numbers within one level.

        Raises:
            ConfigError: ONNX has no operations for it.

        Example:
            >>> from e2e_jax import transforms as T
            >>> from e2e_jax.graphs.graph import Graph
            >>> photos = Picture.of(Graph(), "images", channels=3, dtype="uint8")
            >>> x = T.Compose([T.Resize(256), T.CenterCrop(224), T.ToTensor()]).as_onnx(photos)
            >>> x.height, x.width, x.dtype
            (224, 224, 'float32')
        """
        steps = self.steps_flat
        if len(steps) == 1 and steps[0] is self:
            raise no_form(type(self).__name__, repr(self))
        for step in steps:
            picture = step.as_onnx(picture)
        return picture

    def resized(self, size: Extents) -> Extents:
        """Height and width of the result of this step alone; traced where they are drawn."""
        return size

    def placement(self, size: Extents, part: Part) -> tuple[Array, Extents]:
        """The 3x3 map of (x, y, 1) from the result of this step back to an image of ``size``, and the new size."""
        return np.eye(3), size


class Pointwise(Transform, abstract=True):
    """A transform of values that looks at each pixel alone and leaves it in its place."""

    kind = "pixels"

    def apply(self, image: Array, *numbers: Numbers) -> Array:
        """``(..., h, w, C)`` to the same positions; a `Random` one gets ``(h, w, C)`` and what it drew."""
        raise NotImplementedError

    def on_sample(self, sample: Sample, size: Extents, *numbers: Numbers) -> tuple[Sample, Extents]:
        """One sample with numbers of its own."""
        return sample.with_image(self.apply(sample.image, *numbers)), size


class Imagewise(Transform, abstract=True):
    """A transform of values that looks at the whole image, its statistics, or a pixel's neighbours."""

    kind = "sample"

    def apply(self, image: Array, size: Extents, *numbers: Numbers) -> Array:
        """One image ``(H, W, C)``, of which rows below ``size[0]`` and columns below ``size[1]`` are the picture.

        ``size`` holds ints, symbolic dimensions or traced int32. What lies outside must not show in the result.
        """
        raise NotImplementedError

    def on_sample(self, sample: Sample, size: Extents, *numbers: Numbers) -> tuple[Sample, Extents]:
        """One sample."""
        return sample.with_image(self.apply(sample.image, size, *numbers)), size


class Geometric(Transform, abstract=True):
    """A transform that moves pixels along the axes; consecutive ones become one resampling."""

    kind = "geometry"
    is_spatial = True

    def plan(self, geometry: Geometry, *numbers: Numbers) -> Geometry:
        """Edits the axis plans; sizes may be ints, symbolic or traced."""
        raise NotImplementedError

    def resized(self, size: Extents) -> Extents:
        """See `Transform.resized`."""
        return self.plan(sketch(size)).size

    def placement(self, size: Extents, part: Part) -> tuple[Array, Extents]:
        """See `Transform.placement`."""
        geometry = self.plan(sketch(size))
        return placement(geometry, part=part), geometry.size


class Samplewise(Transform, abstract=True):
    """A transform of one sample with all its parts, one after the other of a batch."""

    kind = "sample"

    def on_sample(self, sample: Sample, size: Extents, *numbers: Numbers) -> tuple[Sample, Extents]:
        """One sample whose image ``(H, W, C)`` fills ``size`` of its array; returns it with its new size."""
        raise NotImplementedError


class Batchwise(Transform, abstract=True):
    """A transform of a whole batch, whose samples meet."""

    kind = "batch"

    def on_batch(self, sample: Sample, *numbers: Numbers) -> Sample:
        """A batch of images of one size, with their labels."""
        raise NotImplementedError


class Random(Transform, abstract=True):
    """Stands before another kind: ``class Jitter(Random, Pointwise)``. Numbers are drawn, then used.

    In evaluation mode (``pipeline.eval()``) it does nothing, ``pipeline.train()`` switches it on again.
    """

    is_random = True
    deterministic = False  # the name that nnx.Module.eval and train set

    def draw(self, key: jax.Array, size: Extents, sample: Sample) -> Numbers:
        """The numbers for one sample, or for a `Batchwise` step the batch: a tree of arrays.

        ``size`` is the image's height and width at this step; ``sample`` holds its parts, where the step is not
        `Geometric`.
        """
        raise NotImplementedError

    @property
    def steps_flat(self) -> tuple[Transform, ...]:
        """None in evaluation mode."""
        return () if self.deterministic else (self,)

    def resized(self, size: Extents) -> Extents:
        """The size where it does not depend on the numbers, else traced."""
        if self.kind != "geometry":
            return super().resized(size)
        found: list[Extents] = []

        def plan(key: jax.Array) -> None:
            numbers = self.draw(key, size, Sample(None))
            found.append(self.plan(sketch(size), numbers).size)  # type: ignore[attr-defined]

        jax.eval_shape(plan, jax.random.key(0))
        return found[0]

    def placement(self, size: Extents, part: Part) -> tuple[Array, Extents]:
        """A random step has no place of its own to lead back from."""
        if not self.is_spatial:
            return super().placement(size, part)
        fix = "call eval() first, or invert the deterministic steps alone."
        raise ConfigError(f"{type(self).__name__}: a drawn geometry has no fixed way back.", repr(self), fix)
