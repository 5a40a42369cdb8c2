"""MixUp and CutMix: see `e2e_jax.ops.mix`."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from e2e_jax.errors import ConfigError
from e2e_jax.ops.mix import cut_mix, draw_cut, mix_labels, mix_up
from e2e_jax.ops.sizes import Extents, value
from e2e_jax.transforms.base import Batchwise, Random
from e2e_jax.transforms.check import interval_number, whole
from e2e_jax.transforms.run import Numbers
from e2e_jax.types import Sample

SMALLEST_ALPHA = 1e-3


class Mix(Random, Batchwise, abstract=True):
    """A step that mixes each image of a batch, and its label, with the one before it."""

    alpha: float
    num_classes: int | None

    def _keep(self, alpha: float, num_classes: int | None) -> None:
        name = type(self).__name__
        self.alpha = interval_number(name, "alpha", alpha, SMALLEST_ALPHA)
        self.num_classes = None if num_classes is None else whole(name, "num_classes", num_classes, least=1)

    def _shares(self, key: jax.Array, sample: Sample) -> jax.Array:
        return jax.random.beta(key, self.alpha, self.alpha, (sample.image.shape[0],))

    def _classes(self, sample: Sample) -> jax.Array:
        """``(b, K)`` float32 from labels of either kind."""
        name, label = type(self).__name__, sample.label
        if sample.has_parts:
            fix = "pass images and labels alone; what belongs to places cannot be mixed."
            raise ConfigError(
                f"{name}: mixed images have no boxes, masks or key points.", "a Sample with parts", fix
            )
        shape, dtype = getattr(label, "shape", None), getattr(label, "dtype", type(label))
        count = sample.image.shape[0]
        if shape == (count,) and jnp.issubdtype(dtype, jnp.integer):
            if self.num_classes is None:
                fix = f"write {name}(num_classes=…), or pass labels (b, K) of weights."
                raise ConfigError(f"{name}: whole labels need num_classes.", "num_classes=None", fix)
            return jax.nn.one_hot(label, self.num_classes, dtype=jnp.float32)
        if shape is None or len(shape) != 2 or shape[0] != count or not jnp.issubdtype(dtype, jnp.floating):
            seen = f"label {shape} {dtype}, images {sample.image.shape}"
            fix = "pass Sample(images, label=labels), integers (b,) or weights (b, K)."
            raise ConfigError(f"{name}: every image needs a label.", seen, fix)
        return jnp.asarray(label).astype(jnp.float32)


class MixUp(Mix):
    """Mixes each image of a batch, and its label, with the one before it.

    Args:
        alpha: Of the Beta distribution of the share that stays, drawn for each sample; larger mixes more evenly.
        num_classes: How many classes there are, where labels are integers.

    Raises:
        ConfigError: A number is out of its range; at the call, labels are missing or images have parts.

    Source:
        Zhang et al. 2017; torchvision 0.29 ``MixUp``, which draws one share for the whole batch.

    Example:
        >>> import numpy as np
        >>> batch = Sample(np.zeros((4, 8, 8, 3), np.float32), label=np.arange(4))
        >>> MixUp(num_classes=4)(batch, key=jax.random.key(0)).label.sum(-1).tolist()
        [1.0, 1.0, 1.0, 1.0]
    """

    def __init__(self, *, alpha: float = 1.0, num_classes: int | None = None) -> None:
        self._keep(alpha, num_classes)

    def draw(self, key: jax.Array, size: Extents, sample: Sample) -> Numbers:
        return {"share": self._shares(key, sample)}

    def on_batch(self, sample: Sample, *numbers: Numbers) -> Sample:
        """A batch of images of one size, with their labels."""
        share, classes = numbers[0]["share"], self._classes(sample)
        return sample.with_parts(image=mix_up(sample.image, share=share), label=mix_labels(classes, share=share))


class CutMix(Mix):
    """Puts a window of the image before it into each image of a batch, and mixes the labels by area.

    Args:
        alpha: Of the Beta distribution of the share that stays, drawn for each sample.
        num_classes: How many classes there are, where labels are integers.

    Raises:
        ConfigError: A number is out of its range; at the call, labels are missing or images have parts.

    Source:
        Yun et al. 2019; torchvision 0.29 ``CutMix``, which draws one window for the whole batch. The labels'
        weights are those of the areas once the window is cut to the image.

    Example:
        >>> import numpy as np
        >>> batch = Sample(np.zeros((4, 8, 8, 3), np.float32), label=np.eye(4, dtype=np.float32))
        >>> CutMix()(batch, key=jax.random.key(0)).label.sum(-1).tolist()
        [1.0, 1.0, 1.0, 1.0]
    """

    def __init__(self, *, alpha: float = 1.0, num_classes: int | None = None) -> None:
        self._keep(alpha, num_classes)

    def draw(self, key: jax.Array, size: Extents, sample: Sample) -> Numbers:
        first, second = jax.random.split(key)
        shares = self._shares(first, sample)
        keys = jax.vmap(jax.random.fold_in, (None, 0))(second, jnp.arange(sample.image.shape[0]))
        return {"window": jax.vmap(lambda key, share: draw_cut(key, *size, share=share))(keys, shares)}

    def on_batch(self, sample: Sample, *numbers: Numbers) -> Sample:
        """A batch of images of one size, with their labels."""
        window, classes = numbers[0]["window"], self._classes(sample)
        left, top, right, bottom = jnp.moveaxis(jnp.asarray(window), -1, 0)
        height, width = (jnp.asarray(value(n)).astype(jnp.float32) for n in sample.image.shape[1:3])
        cut = ((right - left) * (bottom - top)).astype(jnp.float32)
        share = 1 - cut / (height * width)
        return sample.with_parts(image=cut_mix(sample.image, window=window), label=mix_labels(classes, share=share))
