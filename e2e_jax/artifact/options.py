"""How `export` makes a network fast: its options, checked, and what follows from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from e2e_jax.artifact import sample
from e2e_jax.artifact.accuracy import MAX_DIFFERENCE, Accuracy, accuracy, check_accuracy
from e2e_jax.artifact.programs import deserialize, suffix_of
from e2e_jax.artifact.traced import Sizes, Traced, traceable
from e2e_jax.artifact.variants import Variant, rewritten, variant
from e2e_jax.errors import ConfigError
from e2e_jax.lowering.convolution import Convolution
from e2e_jax.lowering.product import PRECISIONS
from e2e_jax.lowering.tune import Measured, tune
from e2e_jax.transforms.check import flag, interval_number, one_of


@dataclasses.dataclass(frozen=True)
class LoweringOptions:
    """What was asked for.

    Args:
        lower: Whether the network is made fast.
        precisions: A variant for each.
        max_difference: How far each may be off.
        tune: Whether the ways are measured.
    """

    lower: bool
    precisions: tuple[str, ...]
    max_difference: float
    tune: bool

    @classmethod
    def checked(cls, lower: Any, precision: Any, max_difference: Any, tune: Any) -> LoweringOptions:
        """From what a user passed.

        Raises:
            ConfigError: An option is unknown, or there is no CPU to measure on.
        """
        given = precision if isinstance(precision, list | tuple) else [precision]
        options = cls(
            lower=flag("export", "lower", lower),
            precisions=tuple(dict.fromkeys(one_of("export", "precision", each, PRECISIONS) for each in given)),
            max_difference=interval_number("export", "max_difference", max_difference, 0.0),
            tune=flag("export", "tune", tune),
        )
        options._check()
        return options

    def _check(self) -> None:
        if not self.precisions:
            fix = f"name at least one of {', '.join(PRECISIONS)}."
            raise ConfigError("export: precision must not be empty.", "precision=()", fix)
        if not self.lower and (self.tune or self.precisions != PRECISIONS[:1]):
            fix = "leave lower=True, or leave precision and tune alone."
            received = f"lower=False, precision={self.precisions}, tune={self.tune}"
            raise ConfigError("export: a network that is not lowered stays as it is.", received, fix)
        if self.tune and jax.default_backend() != "cpu":
            fix = "tune on the machine that will run it, with JAX_PLATFORMS=cpu; or go by rule with tune=False."
            raise ConfigError("export: tune measures on a CPU.", f"the device {jax.devices()[0]}", fix)

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> LoweringOptions:
        """From what a manifest says; nothing is measured again.

        Raises:
            ConfigError: This release does not know them.
        """
        bound = record.get("max_difference", MAX_DIFFERENCE)
        return cls.checked(record["lower"], list(record["precisions"]), bound, False)

    @property
    def record(self) -> dict[str, Any]:
        """What a manifest says of them."""
        said = dataclasses.asdict(self)
        return {name: said[name] for name in ("lower", "precisions", "max_difference")}

    def measure(self, traced: Traced, sizes: Sizes, progress: bool) -> list[dict[str, Any]]:
        """The ways of a model's convolutions, where they are to be measured, as the manifest has them."""
        if not self.tune:
            return []
        with traceable("network"):
            found = tune(rewritten(traced, sizes), traced.shapes, sizes.network, progress=progress)
        return [_way_record(*pair) for pair in found.items()]

    def variants(self, traced: Traced, sizes: Sizes, ways: Mapping[Convolution, str]) -> list[Variant]:
        """The network, once per precision; none where it is not lowered."""
        return [variant(traced, sizes, precision, ways) for precision in self.precisions if self.lower]

    def accuracies(
        self, traced: Traced, compiled: Mapping[str, bytes], photo: np.ndarray, expected: dict[str, np.ndarray]
    ) -> dict[str, Accuracy]:
        """Of the programs of each precision on the stored sample; the network as it is does not differ.

        Raises:
            ConfigError: One is too far off.
        """
        if not self.lower:
            return {"float32": Accuracy(0.0, 1.0)}
        found = {}
        for precision in self.precisions:
            found[precision] = accuracy(expected, outputs(_stored(compiled, precision), traced, photo))
            check_accuracy(precision, found[precision], self.max_difference)
        return found


def _way_record(convolution: Convolution, found: Measured) -> dict[str, Any]:
    milliseconds = {way: round(1e3 * seconds, 4) for way, seconds in found.seconds.items()}
    return {"convolution": dataclasses.asdict(convolution), "way": found.way, "milliseconds": milliseconds}


def _stored(compiled: Mapping[str, bytes], precision: str) -> Any:
    """The programs of one precision as a function of the parameters and photos."""
    suffix = suffix_of(precision)
    prepare, dense = (deserialize(compiled[kind + suffix]).call for kind in ("prepare", "dense"))
    return lambda params, photos: dense(prepare(params), photos)


def outputs(function: Any, traced: Traced, photo: np.ndarray) -> dict[str, np.ndarray]:
    """What a function of parameters and photos makes of the stored one, by name."""
    return sample.by_name(jax.jit(function)(list(traced.leaves.values()), photo))
