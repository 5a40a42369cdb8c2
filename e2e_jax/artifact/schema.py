"""The form of the manifest's JSON, so that whatever reads a loaded manifest finds what it expects."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

MISSING = object()  # stands where a manifest has nothing
UNKNOWN = object()  # and where its form has nothing
NESTING = 60  # levels of JSON; a pipeline nested ten deep needs twenty


class Maybe(NamedTuple):
    """A form, or null."""

    form: Any


class Open(NamedTuple):
    """A mapping with at least these keys; what else it has is for others to read."""

    form: dict[str, Any]


Number = (int, float)
Extent = (int, str)  # a size, or the name of a free one
ARRAY = {"dtype": str, "shape": [Extent]}
CONVOLUTION = {
    "extents": [int], "kernel": [int], "strides": [int], "padding": [[int, int]], "dilation": [int],
    "inputs": int, "outputs": int, "groups": int,
}  # fmt: skip

#: Field name to form: a type, several as a tuple, ``[form]`` a list of any length, ``[form, form]`` a pair,
#: ``{str: form}`` a mapping with any keys, ``{"key": form}`` one with just these, ``Open`` of it one with at least
#: these, ``Maybe(form)`` this or null.
MANIFEST_FORM: dict[str, Any] = {
    "format": int,
    "name": str,
    "created": str,
    "expires": str,
    "step": Maybe(int),
    "epoch": Maybe(Number),
    "revision": Maybe(str),
    "metadata": {str: object},
    "rebuild": Maybe(
        {
            "network": Maybe({"factory": str, "arguments": {str: object}}),
            "options": {"lower": bool, "precisions": [str], "max_difference": Number},
        }
    ),
    "signature": {"inputs": {"images": ARRAY | {"range": [Number, Number]}}, "outputs": {str: ARRAY}},
    "preprocess": Open({"type": str}),
    "postprocess": Maybe(Open({"type": str})),
    "labels": [str],
    "pipelines": {str: Open({"type": str})},
    "numerics": {str: str},
    "decoding": {str: object},
    "programs": {str: {"member": str, "platforms": [str]}},
    "precisions": {str: {"difference": Number, "agreement": Number}},
    "ways": [{"convolution": CONVOLUTION, "way": str, "milliseconds": {str: Number}}],
    "onnx": Maybe({"kind": str, "opset": int, "members": {str: str}, "difference": {str: Number}}),
    "params": [{"path": [str], "shape": [int], "dtype": str}],
    "samples": {"input": str, "outputs": str, "tolerance": Number},
    "versions": {str: str},
    "members": {str: str},
}


def mismatch(value: object, form: Any, place: str = "manifest") -> str | None:
    """Where a JSON value first leaves the form, or ``None``.

    Args:
        value: What JSON gave.
        form: As in `MANIFEST_FORM`.
        place: How to call the value.

    Returns:
        One clause for an error message.

    Example:
        >>> mismatch({"shape": [3, "b"]}, {"shape": [int]})
        "manifest.shape[1] is 'b'"
    """
    if isinstance(form, Maybe):
        return None if value is None else mismatch(value, form.form, place)
    if isinstance(form, Open):
        known = {key: value[key] for key in form.form if key in value} if isinstance(value, dict) else value
        return mismatch(known, form.form, place)
    if isinstance(form, list | dict) and isinstance(value, type(form)):
        return next((wrong for part in _parts(value, form, place) if (wrong := mismatch(*part))), None)
    if (
        isinstance(form, type | tuple)
        and isinstance(value, form)
        and (form in (object, bool) or not isinstance(value, bool))
    ):
        return None
    odd = {id(MISSING): "missing", id(UNKNOWN): "not known"}
    return f"{place} is {odd.get(id(value)) or repr(value)[:40]}"


def _parts(value: Any, form: Any, place: str) -> list[tuple[Any, Any, str]]:
    """Value, form and place of each item of a list or mapping, those that the form asks for included."""
    if isinstance(form, list):
        forms = form * len(value) if len(form) == 1 else form
        pairs = itertools.zip_longest(value, forms, fillvalue=MISSING)
        return [(item, inner, f"{place}[{number}]") for number, (item, inner) in enumerate(pairs)]
    by_key = dict.fromkeys(value, form[str]) if str in form else form
    known = [(value.get(key, MISSING), inner, f"{place}.{key}") for key, inner in by_key.items()]
    return known + [(UNKNOWN, UNKNOWN, f"{place}.{str(key)[:40]}") for key in value if key not in by_key]


def nested_within(value: object, levels: int = NESTING) -> bool:
    """Whether a JSON value is flat enough for code that follows it recursively.

    Example:
        >>> nested_within([[[]]], 3), nested_within([[[]]], 2)
        (True, False)
    """
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return items is None or (levels > 0 and all(nested_within(item, levels - 1) for item in items))
