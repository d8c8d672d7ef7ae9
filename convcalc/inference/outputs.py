"""File formats for a network's outputs."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Mapping, Sequence

from convcalc.errors import UsageError
from convcalc.files import check_place
from convcalc.ops import Tensor
from convcalc.weights import safetensors
from convcalc.weights.npz import npy, npz


def encode(path: str, outputs: Mapping[str, Tensor], name: str | None = None) -> bytes:
    """The outputs as this file suffix has them: .json, .npz and .safetensors hold all by name, .csv and .npy one.

    name: only this output. Raises UsageError as `check_format` and `check_choice` do.
    """
    check_format(path)
    check_choice(path, list(outputs), name)
    suffix = _suffix(path)
    if suffix in ONE:
        return ONE[suffix](outputs[name] if name is not None else next(iter(outputs.values())))
    return ALL[suffix](outputs if name is None else {name: outputs[name]})


def check_format(path: str) -> None:
    """Raises UsageError for an unknown suffix."""
    suffix = _suffix(path)
    if suffix not in ONE and suffix not in ALL:
        raise UsageError(
            f"--save {path}: cannot write {suffix or 'a file without a suffix'}",
            hint=f"use one of {', '.join((*ALL, *ONE))}",
        )


def check_choice(path: str, names: Sequence[str], name: str | None = None) -> None:
    """Raises UsageError if `name` is none of the outputs, or if they are several and the file holds one."""
    suffix = _suffix(path)
    if name is not None and name not in names:
        raise UsageError(f"no output is called {name:.60}", hint=f"the outputs are {', '.join(names[:12])}")
    if suffix in ONE and name is None and len(names) > 1:
        raise UsageError(
            f"--save {path}: {suffix} holds one output, and there are {len(names)}: {', '.join(names[:12])}",
            hint=f"choose one with --output-name {names[0]}, or save all as {' or '.join(ALL)}",
        )


def check_output(path: str) -> None:
    """Raises UsageError for an unknown suffix, ConvcalcError if the file cannot be written."""
    check_format(path)
    check_place(path)


def _suffix(path: str) -> str:
    return os.path.splitext(path)[1].lower()


def _json(outputs: Mapping[str, Tensor]) -> bytes:
    """`{name: {"shape": […], "values": […]}}`; NaN and infinities as Python's json writes and reads them."""
    import json

    value = {
        name: {"shape": list(tensor.shape), "values": [float(number) for number in tensor.values]}
        for name, tensor in outputs.items()
    }
    return json.dumps(value).encode() + b"\n"


def _csv(output: Tensor) -> bytes:
    """One line per row of the last axis; a vector has one value per line."""
    shape, values = output
    row = shape[-1] if len(shape) > 1 else 1
    lines = (",".join(repr(float(v)) for v in values[i : i + row]) for i in range(0, len(values), row))
    return "\n".join(lines).encode() + b"\n"


def _npy(output: Tensor) -> bytes:
    """NumPy's .npy format, float64."""
    return npy(output.shape, "<f8", array("d", output.values))


def _npz(outputs: Mapping[str, Tensor]) -> bytes:
    """NumPy's .npz format, float64."""
    return npz({name: _npy(tensor) for name, tensor in outputs.items()})


def _safetensors(outputs: Mapping[str, Tensor]) -> bytes:
    """Doubles, or 32-bit floats if the run computed in those."""
    return b"".join(
        safetensors.encode(
            {
                name: (shape, values if isinstance(values, array) else array("d", values))
                for name, (shape, values) in outputs.items()
            }
        )
    )


ALL: dict[str, Callable[[Mapping[str, Tensor]], bytes]] = {
    ".json": _json,
    ".npz": _npz,
    ".safetensors": _safetensors,
}
ONE: dict[str, Callable[[Tensor], bytes]] = {".csv": _csv, ".npy": _npy}
