"""Networks of the zoo with weights that torch wrote: names, shapes and layouts are checked and translated."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from e2e_jax.errors import ArtifactError, ConfigError, E2EError
from e2e_jax.types import Array
from e2e_jax.zoo.weights import read_torch_state

type Weights = str | os.PathLike[str] | Mapping[str, Array]
type Place = Sequence[Any]  # attribute names and block numbers, as `nnx.to_flat_state` gives them

# What torch calls the arrays of a layer: torch.nn.Conv2d, Linear, BatchNorm2d.
ARRAYS = {"kernel": "weight", "scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}
UNUSED = ".num_batches_tracked"  # counts training steps; plays no part where momentum is a number
SHOWN = 3  # names of each kind in a message


def with_weights[M: nnx.Module](
    build: Callable[..., M], weights: Weights, upstream_name: Callable[[Place], str], *, upstream: str
) -> M:
    """Builds a network with given weights, in `eval` mode.

    Args:
        build: The network's class, called with ``rngs=``.
        weights: Path of a torch file of a state dict, or a mapping from torch's names to arrays: floats, in
            torch's shapes.
        upstream_name: From the place of an array in our network to torch's name.
        upstream: Whose names these are, for the message.

    Returns:
        The network; it holds copies of the arrays, in float32.

    Raises:
        ArtifactError: The file cannot be read, or holds other arrays than the network has.
        ConfigError: The mapping does, or the weights are neither.

    Source:
        torch's layouts: ``Conv2d`` (out, in, h, w), ``Linear`` (out, in).

    Example:
        >>> class Mean(nnx.Module):
        ...     def __init__(self, rngs): self.fc = nnx.Linear(3, 2, rngs=rngs)
        >>> arrays = {"fc.weight": np.ones((2, 3)), "fc.bias": np.zeros(2)}
        >>> with_weights(Mean, arrays, lambda path: f"fc.{ARRAYS[path[-1]]}", upstream="Mean").fc.kernel.shape
        (3, 2)
    """
    arrays, refused = _arrays(weights, upstream)
    model = nnx.eval_shape(lambda: build(rngs=nnx.Rngs(0)))  # shapes only: draws nothing
    shapes = {path: variable.shape for path, variable in nnx.to_flat_state(nnx.state(model))}
    names = {path: upstream_name(path) for path in shapes}
    differences = _differences({names[path]: _torch_shape(shapes[path]) for path in shapes}, arrays)
    if differences:
        raise refused("; ".join(differences))
    values = jax.device_put([_channels_last(arrays[name]) for name in names.values()])
    state = nnx.state(model)
    nnx.replace_by_pure_dict(state, nnx.traversals.unflatten_mapping(dict(zip(names, values, strict=True))))
    nnx.update(model, state)
    model.eval()
    return model


def of_torchvision[M: nnx.Module](
    build: Callable[..., M],
    factory: str,
    upstream_name: Callable[[Place], str],
    pretrained: bool,
    rngs: nnx.Rngs | None,
    weights: Weights | None,
) -> M:
    """Builds a network of torchvision's, with given weights or random ones.

    Args:
        build: The network's class, called with ``rngs=``.
        factory: Name of ours and of torchvision's.
        upstream_name: As for `with_weights`.
        pretrained: Refused without ``weights``.
        rngs: Stream ``params`` draws random weights; ``nnx.Rngs(0)`` by default.
        weights: As for `with_weights`; random ones if absent.

    Returns:
        The network, in `eval` mode with given weights, in `train` mode with random ones.

    Raises:
        ConfigError: Pretrained weights are asked for and not given, or a mapping does not fit.
        ArtifactError: A file cannot be read or does not fit.

    Example:
        >>> class Mean(nnx.Module):
        ...     def __init__(self, rngs): self.fc = nnx.Linear(3, 2, rngs=rngs)
        >>> of_torchvision(Mean, "mean", lambda path: f"fc.{path[-1]}", False, None, None).fc.kernel.shape
        (3, 2)
    """
    if weights is not None:
        return with_weights(build, weights, upstream_name, upstream=f"torchvision.models.{factory}")
    if pretrained:
        refuse_pretrained(factory)
    return build(rngs=rngs or nnx.Rngs(0))


def refuse_pretrained(network: str) -> None:
    """Says how to get trained weights for a network that no package has them for.

    Args:
        network: Name of the factory.

    Raises:
        ConfigError: Always.

    Example:
        >>> refuse_pretrained("resnet18")
        Traceback (most recent call last):
        e2e_jax.errors.ConfigError: resnet18: trained weights must be given; no package that pip installs has them.
          Received: pretrained=True without weights
          Fix: pass weights=, a file of torchvision's resnet18().state_dict() or a dict of its arrays; or ...
    """
    raise ConfigError(
        f"{network}: trained weights must be given; no package that pip installs has them.",
        "pretrained=True without weights",
        f"pass weights=, a file of torchvision's {network}().state_dict() or a dict of its arrays; or "
        "pretrained=False for random ones.",
    )


def _arrays(weights: Weights, upstream: str) -> tuple[dict[str, np.ndarray], Callable[[str], E2EError]]:
    """The named arrays, and the error that a fault in them is reported with."""
    expected = f"{upstream}: weights must hold each array of the network under its torch name, and no other."
    fix = f"pass the state_dict() of {upstream}, as a file or as a dict of arrays."
    if isinstance(weights, str | os.PathLike):
        place = os.fspath(weights)
        return read_torch_state(place), lambda fault: ArtifactError(expected, f"{place}: {fault}", fix)
    if not isinstance(weights, Mapping):
        raise ConfigError(expected, f"weights of type {type(weights).__name__}", fix)
    arrays = {}
    for name, value in weights.items():
        try:
            arrays[name] = np.asarray(value)
        except (TypeError, ValueError, RuntimeError) as error:  # ragged lists; tensors of torch on another device
            raise ConfigError(expected, f"{name}: {error}", fix) from error
    return arrays, lambda fault: ConfigError(expected, fault, fix)


def _differences(shapes: Mapping[str, tuple[int, ...]], arrays: Mapping[str, np.ndarray]) -> list[str]:
    """What is wrong with the arrays, in torch's names and shapes."""
    found = {name: array for name, array in arrays.items() if not str(name).endswith(UNUSED)}
    both = [name for name in shapes if name in found]
    faults = {
        "missing": [name for name in shapes if name not in found],
        "unexpected": [str(name) for name in found if name not in shapes],
        "of another shape": [f"{n} {found[n].shape}, not {shapes[n]}" for n in both if found[n].shape != shapes[n]],
        "not of floats": [
            f"{n} {found[n].dtype}" for n in both if not jnp.issubdtype(found[n].dtype, jnp.floating)
        ],
    }
    return [f"{fault}: {_shortened(names)}" for fault, names in faults.items() if names]


def _shortened(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _torch_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) == 1:
        return shape
    *window, rows, columns = shape  # (h, w, in, out) or (in, out)
    return (columns, rows, *window)


def _channels_last(array: np.ndarray) -> np.ndarray:
    if array.ndim == 4:
        array = array.transpose(2, 3, 1, 0)  # (out, in, h, w) -> (h, w, in, out)
    return np.array(array.T if array.ndim == 2 else array, np.float32)  # (out, in) -> (in, out); vectors stay
