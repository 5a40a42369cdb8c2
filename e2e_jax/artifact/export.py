"""export: a model becomes one file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from e2e_jax.artifact import archive, signing
from e2e_jax.artifact.accuracy import MAX_DIFFERENCE
from e2e_jax.artifact.build import STEPS, Step, build
from e2e_jax.artifact.describe import INPUT_RANGES
from e2e_jax.artifact.onnx_programs import Wanted, Wish
from e2e_jax.artifact.options import LoweringOptions
from e2e_jax.artifact.plan import Plan, in_mode
from e2e_jax.artifact.record import Record
from e2e_jax.errors import ConfigError, known_arguments
from e2e_jax.model import EndToEnd
from e2e_jax.transforms.base import Transform
from e2e_jax.transforms.check import one_of, whole


@known_arguments
def export(
    model: EndToEnd,
    path: str | os.PathLike[str],
    *,
    channels: int = 3,
    dtype: str = "uint8",
    name: str | None = None,
    directory: bool = False,
    progress: bool = True,
    lower: bool = True,
    precision: str | Sequence[str] = "float32",
    max_difference: float = MAX_DIFFERENCE,
    tune: bool = False,
    train: Transform | None = None,
    validation: Transform | None = None,
    step: int | None = None,
    epoch: float | None = None,
    revision: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    onnx: Wanted = False,
    sign_key: Any = None,
) -> Path:
    """Writes a model with its transforms, parameters, labels and a self-test as one artifact.

    Args:
        model: To export; it is not changed, its network is exported in evaluation mode.
        path: Where to, by convention ``something.e2e``. An existing file is replaced in one step.
        channels: Of the photos: 3 for RGB, 1 for gray.
        dtype: Of the photos: ``"uint8"`` (0..255) or ``"float32"`` (0..1).
        name: Of the model, shown by ``e2e-jax inspect``; the file's stem if absent.
        directory: Write a folder with the same members rather than one file.
        progress: Show a bar where it takes over a second.
        lower: Make the network fast on CPU, see `e2e_jax.lower`; ``False`` exports it as it is.
        precision: ``"float32"``, ``"bfloat16"`` or both, of the factors of matrix products on CPU.
        max_difference: How far an output may be from the model's on the stored sample: of a probability, or of
            what the network returns as a part of its largest output.
        tune: Measure on this machine's CPU how each convolution is best computed, rather than go by rule.
        train: Transforms of the training, to be stored too; random ones draw from a key of `Predictor.preprocess`.
        validation: Transforms of the validation, in evaluation mode.
        step: Of the training, stored with it and shown by ``e2e-jax inspect``, as the next three are.
        epoch: Likewise.
        revision: Of the source that trained it, such as a commit.
        metadata: Anything else that JSON can hold, by name.
        onnx: Add the model as ONNX programs for other engines, see `load`: ``True`` for all of it, ``"network"``
            for the network alone, where a transform has no ONNX form. Needs the extra ``onnx``.
        sign_key: An Ed25519 private key, its PEM bytes or the path of its PEM file (extra ``sign``): writes
            ``path`` with ``.sig`` at its end beside the artifact, for ``load(..., trust=public_key)``.

    Returns:
        The path.

    Raises:
        ConfigError: The model is no `EndToEnd`, or cannot be traced with symbolic shapes; an option is unknown; a
            precision or ONNX leads too far off; ``tune`` on another device than a CPU; what ONNX is asked for has
            no form there; or ``sign_key`` is no key.
        ArtifactError: The place cannot be written; what stood there before is unchanged.

    Source:
        Programs by ``jax.export``, parameters by Orbax's ``StandardCheckpointer``.

    Example:
        >>> import tempfile, numpy as np
        >>> from e2e_jax import transforms as T
        >>> net = (lambda params, x: x.mean((1, 2)) @ params, np.eye(3, 2, dtype=np.float32))
        >>> model = EndToEnd(T.Compose([T.Resize((8, 8)), T.ToTensor()]), net, T.Classify(["red", "green"]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     export(model, Path(folder, "tiny.e2e"), progress=False).name
        'tiny.e2e'
    """
    if not isinstance(model, EndToEnd):
        fix = "wrap it: EndToEnd(preprocess, network, postprocess)."
        raise ConfigError("export: the model must be an EndToEnd.", type(model).__name__, fix)
    target = archive.as_path("export", path)
    lowering = LoweringOptions.checked(lower, precision, max_difference, tune)
    plan = Plan(
        channels=whole("export", "channels", channels, least=1),
        dtype=one_of("export", "dtype", dtype, tuple(INPUT_RANGES)),
        record=Record.checked(target.stem if name is None else name, step, epoch, revision, metadata),
        lowering=lowering,
        onnx=Wish.checked(onnx, lowering.max_difference).onnx,
        pipelines=_pipelines(train=train, validation=validation),
    )
    signer = None if sign_key is None else signing.private_key(sign_key)
    with steps("export", STEPS + 1, progress) as doing:
        members = build(model, plan, doing, progress=progress)
        with signing.signed(target, members[archive.MANIFEST], signer):
            doing("writing", lambda: archive.write(target, members, directory=directory))
    return target


def _pipelines(**given: Any) -> dict[str, Transform]:
    """Those that are there."""
    for name, pipeline in given.items():
        if not isinstance(pipeline, Transform | None):
            fix = "pass a transform, e.g. T.Compose([...])."
            raise ConfigError(f"export: {name} must be a Transform.", repr(pipeline)[:80], fix)
    return {name: in_mode(name, pipeline) for name, pipeline in given.items() if pipeline is not None}


class steps:
    """A progress bar over the named steps of a call.

    Args:
        call: Its name.
        total: How many steps it has.
        shown: Whether there is a bar, after a second.
    """

    def __init__(self, call: str, total: int, shown: bool) -> None:
        self.call = call
        self.bar = tqdm(total=total, disable=not shown, delay=1.0, leave=False, unit="step")

    def __enter__(self) -> Step:
        return self._run

    def _run(self, what: str, work: Callable[[], Any]) -> Any:
        self.bar.set_description(f"{self.call}: {what}")
        done = work()
        self.bar.update()
        return done

    def __exit__(self, *_: object) -> None:
        self.bar.close()
