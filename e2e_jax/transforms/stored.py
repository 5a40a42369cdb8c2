"""Pipelines read from a file, whose steps may be code that only their author has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from e2e_jax.transforms.base import Transform
from e2e_jax.transforms.compose import Compose
from e2e_jax.transforms.functions import Lambda


def known_steps(config: dict[str, Any]) -> Compose:
    """The steps of a stored pipeline up to the first that this process has no code for, for checks of sizes.

    Args:
        config: Of a `Transform`, as it stands in a manifest.

    Returns:
        A pipeline in evaluation mode. A `Lambda` changes no size and is left out.

    Raises:
        ConfigError: A step has no name, or is known and has arguments it does not take.

    Example:
        >>> known_steps({"type": "Compose", "steps": [{"type": "CenterCrop", "size": 9}, {"type": "MyOwn"}]})
        Compose([CenterCrop(9)])
    """
    built: list[Transform] = []
    for step in _flat(config):
        if step.get("type") == Lambda.__name__:
            continue
        if not _is_known(step):
            break
        built.append(Transform.from_config(step))
    pipeline = Compose(built)
    pipeline.eval()
    return pipeline


def step_lines(config: dict[str, Any]) -> list[str]:
    """One line per step of a stored pipeline, as it runs in an export.

    Example:
        >>> step_lines({"type": "Compose", "steps": [{"type": "CenterCrop", "size": 9}, {"type": "MyOwn", "a": 1}]})
        ['CenterCrop(9)', 'MyOwn(a=1), code of its author, compiled in']
    """
    lines: list[str] = []
    for step in _flat(config):
        if _is_known(step) and step.get("type") != Lambda.__name__:
            built = Transform.from_config(step)
            built.eval()
            lines += [repr(inner) for inner in built.steps_flat]
        else:
            arguments = ", ".join(f"{name}={value}" for name, value in step.items() if name != "type")
            lines.append(f"{step.get('type')}({arguments}), code of its author, compiled in")
    return lines


def _flat(config: Any) -> Iterator[dict[str, Any]]:
    if (
        isinstance(config, dict)
        and config.get("type") == Compose.__name__
        and isinstance(config.get("steps"), list)
    ):
        for step in config["steps"]:
            yield from _flat(step)
    else:
        yield config if isinstance(config, dict) else {"type": config}


def _is_known(config: dict[str, Any]) -> bool:
    """Whether there is code for a step, or no name that code could have."""
    named = config.get("type")
    return not isinstance(named, str) or issubclass(Transform.registry.get(named, object), Transform)
