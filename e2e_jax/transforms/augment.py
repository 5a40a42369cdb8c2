"""RandAugment, TrivialAugmentWide and AugMix: operations drawn from a list, for each sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.errors import ConfigError, ImageError
from e2e_jax.ops.augment import (
    MOVES,
    NUMBER,
    OPERATIONS,
    TABLES,
    Space,
    Span,
    change_levels,
    draw_operation,
    move_matrix,
)
from e2e_jax.ops.enhance import saturation
from e2e_jax.ops.sampling import Method
from e2e_jax.ops.sharpness import sharpness
from e2e_jax.ops.sizes import Extents
from e2e_jax.transforms.base import Random
from e2e_jax.transforms.check import flag, interval_number, whole
from e2e_jax.transforms.run import Numbers
from e2e_jax.transforms.warp import Warped, warp_sample
from e2e_jax.types import Array, Sample

SHIFT = 150 / 331  # of a side: AutoAugment's 150 pixels of 331
COLOURS: Space = {name: Span(0.0, 0.9, True) for name in ("Brightness", "Color", "Contrast", "Sharpness")}
WITHOUT_STRENGTH: Space = {"AutoContrast": Span(), "Equalize": Span()}

#: torchvision 0.29, ``RandAugment._AUGMENTATION_SPACE``
RAND_AUGMENT: Space = {
    "Identity": Span(),
    "ShearX": Span(0.0, 0.3, True),
    "ShearY": Span(0.0, 0.3, True),
    "TranslateX": Span(0.0, SHIFT, True, "width"),
    "TranslateY": Span(0.0, SHIFT, True, "height"),
    "Rotate": Span(0.0, 30.0, True),
    **COLOURS,
    "Posterize": Span(8, 4, unit="bits"),
    "Solarize": Span(1.0, 0.0),
    **WITHOUT_STRENGTH,
}

#: torchvision 0.29, ``TrivialAugmentWide._AUGMENTATION_SPACE``
TRIVIAL_WIDE: Space = {
    **{name: span._replace(last=0.99) for name, span in RAND_AUGMENT.items()},
    "Identity": Span(),
    "TranslateX": Span(0.0, 32.0, True),
    "TranslateY": Span(0.0, 32.0, True),
    "Rotate": Span(0.0, 135.0, True),
    "Posterize": Span(8, 2, unit="bits"),
    "Solarize": Span(1.0, 0.0),
    **WITHOUT_STRENGTH,
}

#: torchvision 0.29, ``AugMix._PARTIAL_AUGMENTATION_SPACE``
AUGMIX: Space = {
    "ShearX": Span(0.0, 0.3, True),
    "ShearY": Span(0.0, 0.3, True),
    "TranslateX": Span(0.0, 1 / 3, True, "width"),
    "TranslateY": Span(0.0, 1 / 3, True, "height"),
    "Rotate": Span(0.0, 30.0, True),
    "Posterize": Span(4, 0, unit="bits"),
    "Solarize": Span(1.0, 0.0),
    **WITHOUT_STRENGTH,
}
AUGMIX_BINS = 10
LONGEST_CHAIN = 3


class Augment(Random, Warped, abstract=True):
    """A step that runs one of `OPERATIONS`; moved parts follow, all arithmetic is Pillow's."""

    numerics = "pillow"

    def one(self, sample: Sample, size: Extents, drawn: dict[str, Array]) -> Sample:
        """One operation, as drawn."""

        def untouched(sample: Sample) -> Sample:
            return sample

        def moved(sample: Sample) -> Sample:
            matrix = move_matrix(size, **drawn)
            how: dict[str, Any] = {"method": self.method, "fill": self.fill, "numerics": "pillow"}
            return warp_sample(sample, matrix, size=size, new=size, room=sample.image.shape[:2], **how)

        def tabled(sample: Sample) -> Sample:
            return sample.with_image(change_levels(sample.image, size=size, **drawn))

        def coloured(sample: Sample) -> Sample:
            return sample.with_image(saturation(sample.image, factor=1 + drawn["magnitude"]))

        def sharpened(sample: Sample) -> Sample:
            return sample.with_image(sharpness(sample.image, factor=1 + drawn["magnitude"], size=size))

        branches = (untouched, moved, tabled, coloured, sharpened)
        return jax.lax.switch(jnp.asarray(BRANCH)[drawn["which"]], branches, sample)

    def _bytes(self, sample: Sample) -> Sample:
        image = sample.image
        if image.dtype != jnp.uint8 or image.shape[-1] not in (1, 3):
            fix = "put it before ToTensor, and ToRGB() before it."
            expected = f"{type(self).__name__}: an image must be uint8 of 1 or 3 channels."
            raise ImageError(expected, f"{image.shape} {image.dtype}", fix)
        return jax.tree.map(jnp.asarray, sample)


#: Which branch of `Augment.one` runs each of the operations.
BRANCH = np.array(
    [
        1 if name in MOVES else 2 if name in TABLES else {"Color": 3, "Sharpness": 4}.get(name, 0)
        for name in OPERATIONS
    ],
    np.int32,
)


class RandAugment(Augment):
    """Runs operations drawn from a list of fourteen, all at one strength.

    Args:
        num_ops: How many, one after the other.
        magnitude: Their strength, ``0 … num_magnitude_bins - 1``.
        num_magnitude_bins: Steps from none to the strongest.
        method: Of what moves pixels: ``"nearest"``, ``"bilinear"`` or ``"bicubic"``.
        fill: Value outside the image, one or one per channel.

    Raises:
        ConfigError: A number is out of its range.

    Source:
        torchvision 0.29 ``RandAugment`` on PIL images (Cubuk et al. 2019), drawn for each sample. Boxes, masks and
        key points move along, which torchvision refuses.

    Example:
        >>> photo = np.full((20, 30, 3), 9, np.uint8)
        >>> RandAugment(num_ops=1)(photo, key=jax.random.key(0)).shape
        (20, 30, 3)
    """

    def __init__(
        self,
        *,
        num_ops: int = 2,
        magnitude: int = 9,
        num_magnitude_bins: int = 31,
        method: Method = "nearest",
        fill: float | Sequence[float] = 0,
    ) -> None:
        self.num_ops = whole("RandAugment", "num_ops", num_ops, least=1)
        self.num_magnitude_bins = whole("RandAugment", "num_magnitude_bins", num_magnitude_bins, least=2)
        self.magnitude = whole("RandAugment", "magnitude", magnitude, least=0)
        if magnitude >= num_magnitude_bins:
            fix = f"pass a magnitude of at most {num_magnitude_bins - 1}, or more bins."
            raise ConfigError("RandAugment: magnitude must lie below num_magnitude_bins.", f"{magnitude=}", fix)
        self._keep(method, fill, "pillow")

    def draw(self, key: jax.Array, size: Extents, sample: Sample) -> Numbers:
        how: dict[str, Any] = {"bins": self.num_magnitude_bins, "step": self.magnitude, "size": size}
        return [draw_operation(one, RAND_AUGMENT, **how) for one in jax.random.split(key, self.num_ops)]

    def on_sample(self, sample: Sample, size: Extents, *numbers: Numbers) -> tuple[Sample, Extents]:
        """One sample."""
        sample = self._bytes(sample)
        for drawn in numbers[0]:
            sample = self.one(sample, size, drawn)
        return sample, size


class TrivialAugmentWide(Augment):
    """Runs one operation drawn from a list of fourteen, at a drawn strength.

    Args:
        num_magnitude_bins: Steps from none to the strongest.
        method: As for `RandAugment`.
        fill: As for `RandAugment`.

    Raises:
        ConfigError: A number is out of its range.

    Source:
        torchvision 0.29 ``TrivialAugmentWide`` on PIL images (Müller and Hutter 2021), drawn for each sample.

    Example:
        >>> photo = np.full((20, 30, 3), 9, np.uint8)
        >>> TrivialAugmentWide()(photo, key=jax.random.key(0)).shape
        (20, 30, 3)
    """

    def __init__(
        self, *, num_magnitude_bins: int = 31, method: Method = "nearest", fill: float | Sequence[float] = 0
    ) -> None:
        self.num_magnitude_bins = whole("TrivialAugmentWide", "num_magnitude_bins", num_magnitude_bins, least=2)
        self._keep(method, fill, "pillow")

    def draw(self, key: jax.Array, size: Extents, sample: Sample) -> Numbers:
        first, second = jax.random.split(key)
        bins = self.num_magnitude_bins
        return draw_operation(
            first, TRIVIAL_WIDE, bins=bins, step=jax.random.randint(second, (), 0, bins), size=size
        )

    def on_sample(self, sample: Sample, size: Extents, *numbers: Numbers) -> tuple[Sample, Extents]:
        """One sample."""
        return self.one(self._bytes(sample), size, numbers[0]), size


class AugMix(Augment):
    """Mixes the image with several chains of one to three operations each.

    Args:
        severity: The strongest operation drawn, 1..10.
        mixture_width: How many chains.
        chain_depth: Operations of each chain, 1..3; drawn where ``None``.
        alpha: Of the Dirichlet distribution of the weights; larger makes them more alike.
        all_ops: Whether brightness, colour, contrast and sharpness are among the operations.
        method: As for `RandAugment`.
        fill: As for `RandAugment`.

    Raises:
        ConfigError: A number is out of its range, or a sample has parts, which cannot be mixed.

    Source:
        torchvision 0.29 ``AugMix`` on PIL images (Hendrycks et al. 2019), drawn for each sample; the mixture is
        rounded half to even, where torchvision cuts off.

    Example:
        >>> photo = np.full((20, 30, 3), 9, np.uint8)
        >>> AugMix()(photo, key=jax.random.key(0)).dtype
        dtype('uint8')
    """

    def __init__(
        self,
        *,
        severity: int = 3,
        mixture_width: int = 3,
        chain_depth: int | None = None,
        alpha: float = 1.0,
        all_ops: bool = True,
        method: Method = "bilinear",
        fill: float | Sequence[float] = 0,
    ) -> None:
        self.severity = int(interval_number("AugMix", "severity", severity, 1, AUGMIX_BINS))
        self.mixture_width = whole("AugMix", "mixture_width", mixture_width, least=1)
        self.chain_depth = chain_depth
        if chain_depth is not None:
            self.chain_depth = int(interval_number("AugMix", "chain_depth", chain_depth, 1, LONGEST_CHAIN))
        self.alpha = interval_number("AugMix", "alpha", alpha, 1e-3)
        self.all_ops = flag("AugMix", "all_ops", all_ops)
        self._keep(method, fill, "pillow")

    def draw(self, key: jax.Array, size: Extents, sample: Sample) -> Numbers:
        kept, shares, depths, chains = jax.random.split(key, 4)
        space = AUGMIX | COLOURS if self.all_ops else AUGMIX
        depth = jax.random.randint(depths, (self.mixture_width,), 1, LONGEST_CHAIN + 1)
        if self.chain_depth is not None:
            depth = jnp.full((self.mixture_width,), self.chain_depth, jnp.int32)

        def operation(key: jax.Array) -> dict[str, jax.Array]:
            first, second = jax.random.split(key)
            step = jax.random.randint(second, (), 0, self.severity)
            return draw_operation(first, space, bins=AUGMIX_BINS, step=step, size=size)

        keys = jax.random.split(chains, (self.mixture_width, LONGEST_CHAIN))
        return {
            "original": jax.random.beta(kept, self.alpha, self.alpha),
            "weights": jax.random.dirichlet(shares, jnp.full(self.mixture_width, self.alpha, jnp.float32)),
            "depth": depth,
            "operations": jax.vmap(jax.vmap(operation))(keys),
        }

    def on_sample(self, sample: Sample, size: Extents, *numbers: Numbers) -> tuple[Sample, Extents]:
        """One sample."""
        if sample.has_parts:
            fix = "pass the image alone, or take RandAugment, which moves parts along."
            raise ConfigError(
                "AugMix: mixed images have no boxes, masks or key points.", "a Sample with parts", fix
            )
        sample, drawn = self._bytes(sample), numbers[0]
        nothing = {"which": jnp.int32(NUMBER["Identity"]), "magnitude": jnp.float32(0)}

        def step(image: jax.Array, item: tuple[Array, dict[str, Array]]) -> tuple[jax.Array, None]:
            runs, operation = item
            chosen = jax.tree.map(lambda one, none: jnp.where(runs, one, none), operation, nothing)
            return self.one(Sample(image), size, chosen).image, None

        def chain(mixed: jax.Array, item: Any) -> tuple[jax.Array, None]:
            weight, depth, operations = item
            runs = jnp.arange(LONGEST_CHAIN, dtype=jnp.int32) < depth
            image, _ = jax.lax.scan(step, sample.image, (runs, operations))
            return mixed + weight * image.astype(jnp.float32), None

        weights = drawn["weights"] * (1 - drawn["original"])
        start = sample.image.astype(jnp.float32) * drawn["original"]
        mixed, _ = jax.lax.scan(chain, start, (weights, drawn["depth"], drawn["operations"]))
        return sample.with_image(jnp.clip(jnp.round(mixed), 0, 255).astype(jnp.uint8)), size
