"""The manifest: what an artifact says about itself, as JSON."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import jax.numpy as jnp

from e2e_jax.artifact.archive import MANIFEST, damaged, digest
from e2e_jax.artifact.schema import MANIFEST_FORM, NESTING, mismatch, nested_within
from e2e_jax.errors import ArtifactError

FORMAT = 3  # version of the artifact format this release writes; it reads this one and all earlier ones

#: What a manifest of a format and of all before it says by saying nothing.
ADDED: dict[int, dict[str, Any]] = {
    1: {"precisions": {"float32": {"difference": 0.0, "agreement": 1.0}}, "ways": []},
    2: {
        "step": None,
        "epoch": None,
        "revision": None,
        "metadata": {},
        "rebuild": None,
        "pipelines": {},
        "onnx": None,
    },
}


@dataclasses.dataclass(frozen=True)
class Manifest:
    """Everything about a model but its parameters and programs.

    Args:
        format: Version of the artifact format.
        name: Of the model.
        created: ISO 8601, UTC.
        expires: When `jax.export` stops promising to read the programs, ISO 8601.
        step: Of the training.
        epoch: Likewise.
        revision: Of the source that trained it.
        metadata: What its author wished to say.
        rebuild: How the network is made, as `Factory.record` has it, and the options of its export; ``None`` where
            the programs are all there is. The transforms and the post-processor are made from their configs.
        signature: Names, dtypes, shapes and value ranges of inputs and outputs; symbols stand for free extents.
        preprocess: Config of the transforms.
        postprocess: Config of the post-processor without its labels, or ``None``.
        labels: Class names in the order of the network's outputs.
        pipelines: Name to config of further transforms, such as those of training.
        numerics: Which library's rules each step follows.
        decoding: How files became pixels.
        programs: Program name to member and platforms.
        precisions: Precision to how far its programs are off on the sample: largest difference and agreement.
        ways: How convolutions are computed whose way was measured, with the milliseconds of each; empty by rule.
        onnx: Kind, members and opset of the ONNX programs, and how far they are off; ``None`` without them.
        params: Path, shape and dtype of each parameter, in the order the programs take them.
        samples: Members with an input and the outputs it must give, and the tolerance.
        versions: Of the packages that wrote the artifact.
        members: sha256 of every other member.
    """

    format: int
    name: str
    created: str
    expires: str
    step: int | None
    epoch: int | float | None
    revision: str | None
    metadata: dict[str, Any]
    rebuild: dict[str, Any] | None
    signature: dict[str, Any]
    preprocess: dict[str, Any]
    postprocess: dict[str, Any] | None
    labels: list[str]
    pipelines: dict[str, Any]
    numerics: dict[str, Any]
    decoding: dict[str, Any]
    programs: dict[str, Any]
    precisions: dict[str, Any]
    ways: list[dict[str, Any]]
    onnx: dict[str, Any] | None
    params: list[dict[str, Any]]
    samples: dict[str, Any]
    versions: dict[str, str]
    members: dict[str, str]

    def to_json(self) -> bytes:
        """UTF-8 JSON, indented for people; names that are no Unicode keep their surrogates, as `json` reads."""
        return json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=False).encode(errors="surrogatepass")

    @classmethod
    def from_members(cls, path: Path, members: dict[str, bytes]) -> Manifest:
        """Reads and checks the manifest of an archive, and the hash of every member.

        Raises:
            ArtifactError: The format is newer, a field is missing or of the wrong kind, or a hash differs.
        """
        try:
            fields = json.loads(members[MANIFEST], object_pairs_hook=_without_doubles)
        except (ValueError, RecursionError) as error:
            raise damaged(path, f"a manifest that is not JSON ({error})") from error
        if not nested_within(fields):
            raise damaged(path, f"a manifest nested deeper than {NESTING} levels")
        _check_format(path, fields)
        for added in [ADDED[version] for version in ADDED if version >= fields["format"]]:
            fields = added | fields
        if wrong := mismatch(fields, MANIFEST_FORM):
            raise damaged(path, wrong)
        if odd := [leaf["dtype"] for leaf in fields["params"] if not _is_dtype(leaf["dtype"])]:
            raise damaged(path, f"parameters of no dtype that is known ({odd[0][:40]!r})")
        manifest = cls(**{name: fields[name] for name in MANIFEST_FORM})
        _check_hashes(path, manifest.members, members)
        return manifest


def _is_dtype(name: str) -> bool:
    try:
        jnp.dtype(name)
    except TypeError:
        return False
    return True


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; of two equal keys each reader would take another one."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("doubled keys")
    return fields


def _check_format(path: Path, fields: object) -> None:
    version = fields.get("format") if isinstance(fields, dict) else None
    if not isinstance(version, int) or version < 1:
        raise damaged(path, f"a manifest without a format version (format={version!r})")
    if version > FORMAT:
        fix = "install a newer e2e_jax."
        raise ArtifactError(
            f"load: the artifact's format must be at most {FORMAT}.", f"format {version}: {path}", fix
        )


def _check_hashes(path: Path, expected: dict[str, str], members: dict[str, bytes]) -> None:
    present = members.keys() - {MANIFEST}
    if present != expected.keys():
        odd = sorted(present ^ expected.keys())
        raise damaged(path, f"members missing or not in the manifest: {', '.join(odd[:3])}")
    for name, sha256 in expected.items():
        if digest(members[name]) != sha256:
            raise damaged(path, f"member {name} does not have the recorded sha256")
