"""export: a model becomes one file."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from e2e_jax.artifact import archive, onnx_programs, params, programs, sample
from e2e_jax.artifact.accuracy import MAX_DIFFERENCE
from e2e_jax.artifact.describe import INPUT_RANGES, manifest
from e2e_jax.artifact.onnx_programs import Wanted
from e2e_jax.artifact.options import LoweringOptions, outputs
from e2e_jax.artifact.traced import Sizes, Traced
from e2e_jax.errors import ConfigError, known_arguments
from e2e_jax.model import EndToEnd
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
    onnx: Wanted = False,
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
        onnx: Add the model as ONNX programs for other engines, see `load`: ``True`` for all of it, ``"network"``
            for the network alone, where a transform has no ONNX form. Needs the extra ``onnx``.

    Returns:
        The path.

    Raises:
        ConfigError: The model is no `EndToEnd`, or cannot be traced with symbolic shapes; an option is unknown; a
            precision or ONNX leads too far off; ``tune`` on another device than a CPU; or what ONNX is asked for
            has no form there.
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
    one_of("export", "dtype", dtype, tuple(INPUT_RANGES))
    whole("export", "channels", channels, least=1)
    if not isinstance(name, str | None):
        raise ConfigError("export: name must be a str.", f"{name=}", "leave it out to use the file's name.")
    options = LoweringOptions.checked(lower, precision, max_difference, tune)
    wish = onnx_programs.Wish.checked(onnx, options.max_difference)
    target = archive.as_path("export", path)
    with _steps(progress) as step:
        traced = Traced(model)
        sizes = Sizes.symbolic(traced, channels, dtype)
        measured = step("measuring convolutions", lambda: options.measure(traced, sizes, progress))
        variants = step("rewriting the network", lambda: options.variants(traced, sizes, measured))
        photo = sample.picture(*sample.size(traced.whole), channels, dtype)
        expected = step("running the sample", lambda: outputs(traced.dense, traced, photo))
        in_onnx = step("writing ONNX", lambda: onnx_programs.written(traced, sizes, photo, expected, wish))
        compiled = step("tracing programs", lambda: programs.serialize(traced, sizes, variants))
        accuracies = step("checking accuracy", lambda: options.accuracies(traced, compiled, photo, expected))
        stored = step("storing parameters", lambda: params.save(traced.leaves))
        samples = {sample.INPUT: sample.pack({"images": photo}), sample.OUTPUTS: sample.pack(expected)}
        members = {f"programs/{kind}.jax": content for kind, content in compiled.items()} | stored | samples
        members |= in_onnx.members
        said = manifest(
            model,
            traced,
            members,
            name=name or target.stem,
            channels=channels,
            dtype=dtype,
            accuracies=accuracies,
            measured=measured,
            onnx=in_onnx.record,
        )
        everything = {archive.MANIFEST: said.to_json()} | members
        step("writing", lambda: archive.write(target, everything, directory=directory))
    return target


class _steps:
    """A progress bar over the named steps of an export."""

    def __init__(self, shown: bool) -> None:
        self.bar = tqdm(total=8, disable=not shown, delay=1.0, leave=False, unit="step")

    def __enter__(self) -> Callable[[str, Callable[[], Any]], Any]:
        return self._run

    def _run(self, what: str, work: Callable[[], Any]) -> Any:
        self.bar.set_description(f"export: {what}")
        done = work()
        self.bar.update()
        return done

    def __exit__(self, *_: object) -> None:
        self.bar.close()
