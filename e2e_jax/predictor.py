"""load and Predictor: raw photos in, typed results out, from nothing but the artifact."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import jax
import numpy as np
from flax import nnx
from tqdm.auto import tqdm

from e2e_jax.artifact import sample
from e2e_jax.artifact.bundle import Bundle, read_bundle
from e2e_jax.artifact.manifest import Manifest
from e2e_jax.choice import EngineName, known_difference, runner_of
from e2e_jax.errors import ArtifactError, ConfigError, ImageError, known_arguments
from e2e_jax.intake import Intake
from e2e_jax.ops.batch import bucket, list_to_batch
from e2e_jax.runner import Compilation
from e2e_jax.staging import Staging
from e2e_jax.types import Array, PaddedImages

LARGEST_BATCH = 32  # images per run of the network; longer lists are cut
DECODERS = min(os.cpu_count() or 1, 8)  # threads; decoders release the interpreter lock

type OnError = Literal["raise", "skip"]


@known_arguments
def load(path: str | os.PathLike[str], *, precision: str | None = None, engine: EngineName = "xla") -> Predictor:
    """Opens an artifact; none of the classes it was made with is imported.

    Programs are compiled when they are first needed, and kept for later processes in the user's cache folder, by
    kind of processor. The environment variable ``E2E_JAX_CACHE`` names another folder, or is ``off``; where JAX has
    a compilation cache of its own (``jax_compilation_cache_dir``), that one is used.

    Args:
        path: A file written by `export`, or a folder with its members.
        precision: ``"float32"``, ``"bfloat16"`` or ``"fastest"``, of those it was exported with; the most exact one
            by default. The fastest is bfloat16 on CPUs that have instructions for it. Other engines have float32.
        engine: What runs it: ``"xla"``, ``"onnxruntime"`` or ``"openvino"`` on the CPU, which need a file exported
            with ``onnx=True`` and the extra of that name, or ``"fastest"`` of those there are, found out in two
            seconds with the stored photo.

    Returns:
        A `Predictor` on the default device of this process.

    Raises:
        ArtifactError: There is none, it is damaged, of a newer format, or unreadable for this JAX.
        ConfigError: It was not exported with that precision or for that engine, or the engine is not installed.

    Source:
        Programs by ``jax.export``, parameters by Orbax.

    Example:
        >>> load("missing.e2e")
        Traceback (most recent call last):
        e2e_jax.errors.ArtifactError: load: the file must be a whole e2e artifact.
          Received: missing.e2e: there is no such file
          Fix: check the path, copy the file again, or export it anew.
    """
    return Predictor(read_bundle(path, precision), engine)


class Predictor:
    """A loaded model.

    Args:
        bundle: What `load` read.
        engine: As for `load`.
    """

    def __init__(self, bundle: Bundle, engine: EngineName = "xla") -> None:
        self._bundle = bundle
        self.engine, self._runner = runner_of(bundle, engine)
        self._asked = engine
        self._staging = Staging()
        self._intake = Intake(bundle.manifest.signature["inputs"]["images"], bundle.preprocess)

    @property
    def manifest(self) -> Manifest:
        """What the artifact says about itself."""
        return self._bundle.manifest

    @property
    def signature(self) -> dict[str, Any]:
        """Names, dtypes, shapes and ranges of inputs and outputs."""
        return self.manifest.signature

    @property
    def compilations(self) -> tuple[Compilation, ...]:
        """What has been compiled so far, for which shapes, in how many seconds."""
        return tuple(self._runner.ledger)

    @known_arguments
    def predict(self, images: Any, *, on_error: OnError = "raise", progress: bool = True) -> Any:
        """Answers for one photo, a batch, or a list of photos of any kinds and sizes.

        Args:
            images: A path, bytes, binary file, PIL image or array ``(h, w, c)``; a list mixing them; or a batch
                ``(b, h, w, c)``. Arrays have the dtype and range of the signature.
            on_error: In a list, ``"raise"`` stops at a bad image, ``"skip"`` puts its `ImageError` in its place.
            progress: Show a bar where a list takes over a second.

        Returns:
            One result, e.g. a `Classification`, or a list of them in the order given.

        Raises:
            ImageError: An image cannot be read or does not fit the signature.
            ConfigError: An option is unknown.
        """
        if on_error not in ("raise", "skip"):
            raise ConfigError("predict: on_error must be known.", f"{on_error=}", "one of raise, skip.")
        if isinstance(images, jax.core.Tracer):
            fix = "inside jit, grad or vmap use predictor.as_module()."
            raise ConfigError("predict: runs on the host, on real images.", "a traced array", fix)
        if isinstance(images, list | tuple):
            return self._predict_list(images, on_error, progress)
        if isinstance(images, np.ndarray | jax.Array) and images.ndim == 4:
            return self._predict_batch(self._intake.checked(np.asarray(images)))
        return self._predict_sizes([self._intake.image(images)])[0]

    @known_arguments
    def inverse(self, points: Any, *, size: Any) -> np.ndarray:
        """The way back: where boxes or key points of what the network saw lie in the photo.

        Args:
            points: ``(n, 4)`` boxes left, top, right, bottom, or ``(n, 2)`` key points x, y, in pixels of the
                network's input; with a leading axis for a batch of photos.
            size: Height and width of the photo in pixels, ``(b, 2)`` for a batch.

        Returns:
            The same shape, float32, in pixels of the photo; boxes are clipped to it.

        Raises:
            ImageError: The shapes are others.
            ConfigError: A transform of this model has no way back.
        """
        if "inverse" not in self._bundle.programs:
            fix = "invert the steps that have one with Transform.inverse."
            raise ConfigError("inverse: every transform must have a way back.", repr(self), fix)
        rows, sizes = np.asarray(points, np.float32), np.asarray(size, np.int32)
        if rows.ndim == 2 and sizes.shape == (2,):
            return self.inverse(rows[None], size=sizes[None])[0]
        if rows.ndim != 3 or rows.shape[-1] not in (2, 4) or sizes.shape != (len(rows), 2):
            fix = "pass (n, 4) or (n, 2) with (height, width), or (b, n, 4) or (b, n, 2) with (b, 2)."
            raise ImageError("inverse: points must fit the sizes.", f"{rows.shape} and {sizes.shape}", fix)
        filled = np.pad(rows, ((0, 0), (0, bucket(rows.shape[1], smallest=1) - rows.shape[1]), (0, 0)))
        boxes, keypoints = (
            filled if rows.shape[-1] == n else np.zeros((len(rows), 1, n), np.float32) for n in (4, 2)
        )
        back = self._runner.inverse(sizes, boxes, keypoints)
        return back["boxes" if rows.shape[-1] == 4 else "keypoints"][:, : rows.shape[1]]

    def verify(self) -> float:
        """Replays the stored sample on this machine, through every program.

        Returns:
            The largest absolute difference from the recorded outputs.

        Raises:
            ArtifactError: It exceeds the recorded tolerance.
        """
        stored, expected = self._bundle.sample
        photo = stored["images"]
        runs = [self._runner.dense(photo)]
        if "ragged" in self._bundle.programs:
            runs.append(self._runner.network(self._fit(list(photo))))
        worst = max(sample.difference(expected, sample.by_name(outputs)) for outputs in runs)
        known = known_difference(self._bundle, self.engine) * sample.scale(expected)
        tolerance = float(self.manifest.samples["tolerance"]) + known
        if not worst <= tolerance:
            fix = "do not use it here; export it again with the versions installed, and report the device."
            found = f"a difference of {worst:.3g} on {jax.devices()[0].device_kind}"
            raise ArtifactError(f"verify: the stored sample must replay to {tolerance:g}.", found, fix)
        return worst

    def as_module(self) -> LoadedModule:
        """The loaded model as an `nnx.Module`: composes, differentiates with respect to its parameters."""
        return LoadedModule(self._bundle)

    def __repr__(self) -> str:
        inputs = self.signature["inputs"]["images"]
        takes = f"{inputs['dtype']}[{', '.join(str(n) for n in inputs['shape'])}]"
        engine = "" if self._asked == "xla" else f", engine={self.engine!r}"
        return f"Predictor({self.manifest.name!r}, images={takes}, labels={len(self.manifest.labels)}{engine})"

    def _predict_list(self, sources: Sequence[Any], on_error: OnError, progress: bool) -> list[Any]:
        results: list[Any] = []
        with tqdm(total=len(sources), disable=not progress, delay=1.0, leave=False, unit="image") as bar:
            for start in range(0, len(sources), LARGEST_BATCH):
                chunk = sources[start : start + LARGEST_BATCH]
                read = list(self._read(chunk, start, on_error))
                good = [image for image in read if isinstance(image, np.ndarray)]
                answers = iter(self._predict_sizes(good))
                results += [next(answers) if isinstance(image, np.ndarray) else image for image in read]
                bar.update(len(chunk))
        return results

    def _read(self, sources: Sequence[Any], start: int, on_error: OnError) -> Iterator[np.ndarray | ImageError]:
        """Images in order, decoded side by side; a bad one raises, or stands in its place."""

        def read(numbered: tuple[int, Any]) -> np.ndarray | ImageError:
            try:
                return self._intake.image(numbered[1])
            except ImageError as error:
                error.add_note(f"item {numbered[0]} of the list")
                return error

        with ThreadPoolExecutor(DECODERS) as pool:
            for image in pool.map(read, enumerate(sources, start)):
                if isinstance(image, ImageError) and on_error == "raise":
                    raise image
                yield image

    def _predict_sizes(self, images: list[np.ndarray]) -> list[Any]:
        """Images of any sizes, at most `LARGEST_BATCH`."""
        if not images:
            return []
        if "ragged" not in self._bundle.programs:
            return [self._predict_batch(image[None])[0] for image in images]
        self._runner.expect_network(bucket(len(images), smallest=1))
        return self._results(self._runner.network(self._runner.filled(self._fit(images))), len(images))

    def _fit(self, images: list[np.ndarray]) -> Array:
        """Each image through the geometry, in the bucket of its own size."""
        if len(images) == 1:
            return self._moved(self._staging.lay(images[0]))
        return np.concatenate([self._moved(list_to_batch([image])) for image in images])  # (b, oh, ow, c)

    def _moved(self, photo: PaddedImages) -> Array:
        return self._runner.ragged(photo.pixels, photo.sizes)

    def _predict_batch(self, images: np.ndarray) -> list[Any]:
        parts = [images[at : at + LARGEST_BATCH] for at in range(0, len(images), LARGEST_BATCH)]
        outputs = [(self._runner.dense(self._runner.filled(part)), len(part)) for part in parts]
        return [result for found, count in outputs for result in self._results(found, count)]

    def _results(self, outputs: Any, wanted: int) -> list[Any]:
        """Typed results of the first ``wanted`` rows; the rest only filled the batch."""
        rows = jax.tree.map(lambda leaf: np.asarray(leaf)[:wanted], outputs)
        if self._bundle.postprocess is not None:
            return self._bundle.postprocess.build(rows)
        return [jax.tree.map(lambda leaf, at=at: leaf[at], rows) for at in range(wanted)]


class LoadedModule(nnx.Module):
    """A loaded artifact inside other models: the ``dense`` program over parameters that can be trained.

    Args:
        bundle: What `load` read.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.params = nnx.Dict({"/".join(path): nnx.Param(leaf) for path, leaf in bundle.params.items()})
        self.names = tuple("/".join(path) for path in bundle.params)
        self.program = bundle.programs["dense"]
        self.prepare = bundle.programs.get("prepare")

    def __call__(self, images: Any) -> Any:
        """``(b, h, w, c)`` or ``(h, w, c)`` photos to the model's traced outputs, by name."""
        if getattr(images, "ndim", None) == 3:  # (h, w, c)
            return jax.tree.map(lambda leaf: leaf[0], self(images[None]))
        self._check(images)
        params = [self.params[name][...] for name in self.names]
        return self.program.call(params if self.prepare is None else self.prepare.call(params), images)

    def _check(self, images: Any) -> None:
        wanted = self.program.in_avals[-1]
        shape: tuple[Any, ...] = getattr(images, "shape", ())
        dtype = getattr(images, "dtype", None)
        if len(shape) != 4 or shape[-1] != wanted.shape[-1] or 0 in shape[1:] or dtype != wanted.dtype:
            received = f"{dtype}{shape}" if dtype is not None else type(images).__name__
            fix = f"pass {wanted.dtype} arrays (b, h, w, {wanted.shape[-1]}) or (h, w, {wanted.shape[-1]})."
            raise ImageError("LoadedModule: images must fit the artifact's signature.", received, fix)
