"""File formats for a network's output."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Sequence

from convcalc.errors import UsageError
from convcalc.files import check_place
from convcalc.shapes import Shape
from convcalc.weights import safetensors
from convcalc.weights.npz import npy


def saver(path: str) -> Callable[[Shape, Sequence[float]], bytes]:
    """The function that encodes an output for this file suffix. Raises UsageError for an unknown suffix."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in SAVERS:
        raise UsageError(
            f"--save {path}: cannot write {suffix or 'a file without a suffix'}",
            hint=f"use one of {', '.join(SAVERS)}",
        )
    return SAVERS[suffix]


def check_output(path: str) -> None:
    """Raises UsageError for an unknown suffix, ConvcalcError if the file cannot be written."""
    saver(path)
    check_place(path)


def _json(shape: Shape, values: Sequence[float]) -> bytes:
    import json

    return json.dumps({"shape": list(shape), "values": [float(value) for value in values]}).encode() + b"\n"


def _csv(shape: Shape, values: Sequence[float]) -> bytes:
    """One line per row of the last axis; a vector has one value per line."""
    row = shape[-1] if len(shape) > 1 else 1
    lines = (",".join(repr(float(v)) for v in values[i : i + row]) for i in range(0, len(values), row))
    return "\n".join(lines).encode() + b"\n"


def _npy(shape: Shape, values: Sequence[float]) -> bytes:
    """NumPy's .npy format, float64."""
    return npy(shape, "<f8", array("d", values))


def _safetensors(shape: Shape, values: Sequence[float]) -> bytes:
    """Doubles, or 32-bit floats if the run computed in those."""
    numbers = values if isinstance(values, array) else array("d", values)
    return b"".join(safetensors.encode({"output": (shape, numbers)}))


SAVERS: dict[str, Callable[[Shape, Sequence[float]], bytes]] = {
    ".json": _json,
    ".csv": _csv,
    ".npy": _npy,
    ".safetensors": _safetensors,
}
