"""Predictor: raw photos in, typed results out, from nothing but the artifact."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from tqdm.auto import tqdm

from e2e_jax.artifact import sample
from e2e_jax.artifact.bundle import Bundle
from e2e_jax.artifact.manifest import Manifest
from e2e_jax.choice import EngineName, known_difference, runner_of, xla_of
from e2e_jax.errors import ArtifactError, ConfigError, ImageError, known_arguments
from e2e_jax.intake import Intake
from e2e_jax.module import LoadedModule
from e2e_jax.ops.batch import bucket, list_to_batch
from e2e_jax.parts import Parts
from e2e_jax.runner import Compilation
from e2e_jax.staging import Staging
from e2e_jax.streaming import ahead
from e2e_jax.transforms.check import whole
from e2e_jax.types import Array, PaddedImages
from e2e_jax.verification import Verification, verify

LARGEST_BATCH = 32  # images per run of the network; longer lists are cut
DECODERS = min(os.cpu_count() or 1, 8)  # threads; decoders release the interpreter lock

type OnError = Literal["raise", "skip"]


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
    def predict(
        self, images: Any, *, on_error: OnError = "raise", progress: bool = True, batch_size: int = LARGEST_BATCH
    ) -> Any:
        """Answers for one photo, a batch, or a list of photos of any kinds and sizes.

        Args:
            images: A path, bytes, binary file, PIL image or array ``(h, w, c)``; a list mixing them; or a batch
                ``(b, h, w, c)``. Arrays have the dtype and range of the signature. Or an iterator over what a list
                may hold, of any length: never more than two batches of it are in memory.
            on_error: In a list, ``"raise"`` stops at a bad image, ``"skip"`` puts its `ImageError` in its place.
            progress: Show a bar where a list takes over a second.
            batch_size: Photos of a list or an iterator that meet the network at a time.

        Returns:
            One result, e.g. a `Classification`, or a list of them in the order given; for an iterator an iterator,
            which predicts as it is asked, so that an interruption leaves what came before.

        Raises:
            ImageError: An image cannot be read or does not fit the signature.
            ConfigError: An option is unknown.
        """
        if on_error not in ("raise", "skip"):
            raise ConfigError("predict: on_error must be known.", f"{on_error=}", "one of raise, skip.")
        if isinstance(images, jax.core.Tracer):
            fix = "inside jit, grad or vmap use predictor.as_module()."
            raise ConfigError("predict: runs on the host, on real images.", "a traced array", fix)
        options = _Options(on_error, progress, whole("predict", "batch_size", batch_size, least=1))
        if isinstance(images, list | tuple):
            return list(self._stream(images, options))
        if isinstance(images, Iterator) and not hasattr(images, "read"):  # an open file iterates over its lines
            return self._stream(images, options)
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

    def replay(self) -> float:
        """Runs the stored sample on this machine, through every program that predictions take.

        Returns:
            The largest absolute difference from the recorded outputs.

        Raises:
            ArtifactError: It exceeds the recorded tolerance.
        """
        photo, expected = self._bundle.sample[0]["images"], self._bundle.sample[1]
        ways = [self.outputs, *([lambda images: self.outputs_of_list(list(images))] if self._is_ragged else [])]
        worst = max(sample.difference(expected, outputs(photo)) for outputs in ways)
        if not worst <= self.tolerance:
            fix = "do not use it here; export it again with the versions installed, and report the device."
            found = f"a difference of {worst:.3g} on {jax.devices()[0].device_kind}"
            raise ArtifactError(f"replay: the stored sample must replay to {self.tolerance:g}.", found, fix)
        return worst

    @known_arguments
    def verify(self, *, factory: Callable[..., Any] | None = None) -> Verification:
        """Checks on this machine what an artifact promises: the same answer by every way that leads to it.

        Args:
            factory: Makes the network, for the comparison with programs made anew; see `e2e_jax.load`.

        Returns:
            Each promise with the largest difference found; ``.passed`` says whether all hold.

        Raises:
            ConfigError: There is an argument that it does not take.
        """
        return verify(self, factory)

    @property
    def tolerance(self) -> float:
        """How far outputs may be from the recorded ones: between machines, and of the precision."""
        scale = sample.scale(self._bundle.sample[1])
        known = known_difference(self._bundle, self.engine) * scale
        return float(self.manifest.samples["tolerance"]) + known

    def suits(self, image: np.ndarray) -> bool:
        """Whether an array ``(h, w, c)`` is a photo this model takes."""
        try:
            self._intake.image(image)
        except ImageError:
            return False
        return True

    def outputs(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """The traced outputs by name for a batch ``(b, h, w, c)``, as one program computes them."""
        return sample.by_name(self._runner.dense(images))

    def outputs_of_list(self, images: list[np.ndarray]) -> dict[str, np.ndarray]:
        """The traced outputs by name for photos of different sizes, each through its own bucket."""
        if not self._is_ragged:
            singles = [self.outputs(image[None]) for image in images]
            return {name: np.concatenate([single[name] for single in singles]) for name in singles[0]}
        found = sample.by_name(self._answers(self._runner.filled(self._fit(images))))
        return {name: leaf[: len(images)] for name, leaf in found.items()}

    @known_arguments
    def preprocess(self, images: Any, *, transforms: str | None = None, key: Any = None) -> Any:
        """The transforms alone.

        Args:
            images: One photo, a batch or a list, as `predict` takes them.
            transforms: ``"train"`` or ``"validation"`` where those were exported; the model's own if absent.
            key: Where those are random: a seed, a JAX key or its raw data, or `nnx.Rngs`. The same key gives the
                same numbers, in any process; each photo gets numbers of its own, the first those it gets alone.

        Returns:
            What the network takes: ``(…)`` for one photo, ``(b, …)`` for several; a list of arrays where their
            sizes differ.

        Raises:
            ImageError: A photo cannot be read or does not fit the signature.
            ConfigError: There are no such transforms in the file, or they need a key.
        """
        return self._parts().preprocess(images, transforms, key)

    @known_arguments
    def network(self, x: Any) -> Any:
        """The network alone.

        Args:
            x: What `preprocess` returns, ``(…)`` or ``(b, …)``.

        Returns:
            What the network returns, before any post-processing.

        Raises:
            ImageError: Another shape or dtype.
            ConfigError: The file does not hold it apart.
        """
        return self._parts().network(x)

    @known_arguments
    def postprocess(self, returned: Any) -> Any:
        """The post-processing alone.

        Args:
            returned: What `network` returns, for one photo or several.

        Returns:
            What `predict` returns: one result or a list.

        Raises:
            ImageError: Another shape or dtype.
            ConfigError: The file does not hold it apart.
        """
        return self._parts().postprocess(returned)

    @property
    def params(self) -> dict[str, jax.Array]:
        """The parameters by their path of attribute names, joined by slashes, as the file holds them."""
        return {"/".join(path): leaf for path, leaf in self._bundle.params.items()}

    def as_module(self) -> LoadedModule:
        """The loaded model as an `nnx.Module`: composes, differentiates with respect to parameters and photos."""
        return LoadedModule(self._bundle)

    def __repr__(self) -> str:
        inputs = self.signature["inputs"]["images"]
        takes = f"{inputs['dtype']}[{', '.join(str(n) for n in inputs['shape'])}]"
        engine = "" if self._asked == "xla" else f", engine={self.engine!r}"
        return f"Predictor({self.manifest.name!r}, images={takes}, labels={len(self.manifest.labels)}{engine})"

    @property
    def _is_ragged(self) -> bool:
        return "ragged" in self._bundle.programs

    def _parts(self) -> Parts:
        return Parts(self._bundle, xla_of(self._runner), self._intake, self._fit)

    def _stream(self, sources: Iterable[Any], options: _Options) -> Iterator[Any]:
        """Results in order, a chunk of photos at a time; the next chunk is decoded meanwhile."""
        total = operator.length_hint(sources) or None
        shown = tqdm(total=total, disable=not options.progress, delay=1.0, leave=False, unit="image")
        with shown as bar, ThreadPoolExecutor(DECODERS) as pool:
            for chunk in ahead(pool, self._read, sources, options.batch_size):
                wanted, error = _until_error(chunk) if options.on_error == "raise" else (chunk, None)
                answers = iter(self._predict_sizes([image for image in wanted if isinstance(image, np.ndarray)]))
                for image in wanted:
                    yield image if isinstance(image, ImageError) else next(answers)
                if error is not None:
                    raise error
                bar.update(len(chunk))

    def _read(self, number: int, source: Any) -> np.ndarray | ImageError:
        try:
            return self._intake.image(source)
        except ImageError as error:
            error.add_note(f"item {number} of the list")
            return error

    def _predict_sizes(self, images: list[np.ndarray]) -> list[Any]:
        """Images of any sizes, at most `LARGEST_BATCH`."""
        if not images:
            return []
        if not self._is_ragged:
            return [self._predict_batch(image[None])[0] for image in images]
        self._runner.expect_network(bucket(len(images), smallest=1))
        return self._results(self._answers(self._runner.filled(self._fit(images))), len(images))

    def _answers(self, x: Array) -> Any:
        """From what the transforms leave to outputs."""
        return self._runner.finish(self._runner.network(x))

    def _fit(self, images: list[np.ndarray]) -> Array:
        """Each image through the geometry, in the bucket of its own size."""
        if len(images) == 1:
            return self._moved(self._staging.lay(images[0]))
        return np.concatenate([self._moved(list_to_batch([image])) for image in images])  # (b, …)

    def _moved(self, photo: PaddedImages) -> Array:
        return self._runner.ragged(photo.pixels, photo.sizes)

    def _predict_batch(self, images: np.ndarray) -> list[Any]:
        parts = [images[at : at + LARGEST_BATCH] for at in range(0, len(images), LARGEST_BATCH)]
        outputs = [(self._runner.dense(self._runner.filled(part)), len(part)) for part in parts]
        return [result for found, count in outputs for result in self._results(found, count)]

    def _results(self, outputs: Any, wanted: int) -> list[Any]:
        """Typed results of the first ``wanted`` rows; the rest only filled the batch."""
        rows = jax.tree.map(lambda leaf: np.asarray(leaf)[:wanted], outputs)
        try:
            if self._bundle.postprocess is not None:
                return self._bundle.postprocess.build(rows)
            return [jax.tree.map(lambda leaf, at=at: leaf[at], rows) for at in range(wanted)]
        except (LookupError, TypeError, AttributeError) as error:
            found = f"{len(self.manifest.labels)} labels: {type(error).__name__}: {error}"
            fix = "get the file again, or export it anew."
            raise ArtifactError("predict: labels and post-processor must fit the outputs.", found, fix) from error


type _Read = list[np.ndarray | ImageError]


def _until_error(chunk: _Read) -> tuple[_Read, ImageError | None]:
    """What comes before the first bad image, and its error."""
    for number, image in enumerate(chunk):
        if isinstance(image, ImageError):
            return chunk[:number], image
    return chunk, None


class _Options(NamedTuple):
    on_error: OnError
    progress: bool
    batch_size: int
