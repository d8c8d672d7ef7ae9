"""Weights files of any kind, as named tensors whose values are read when asked for.

`open_weights` looks at a file's first bytes, never at its name: `READERS` is the table from one to the other.
A reader checks the whole of a file's description before it returns, and never believes it: what a damaged
or hostile file can cost is bounded by its size on disk.
"""

from __future__ import annotations

import os
import stat
import sys
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from math import prod
from typing import Any

from convcalc.errors import WeightsError

UNDERSTOOD = "safetensors (.safetensors), NumPy (.npz) and PyTorch (.pth, .pt)"
MAX_DIMENSIONS = 64
TORCH_MAGIC = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"  # pickled, how its files began before 1.6

# dtype: bytes of a number, its array type code; None where the numbers need a conversion of their own
DTYPES: dict[str, tuple[int, str | None]] = {
    "F64": (8, "d"), "F32": (4, "f"), "F16": (2, None), "BF16": (2, None), "BOOL": (1, "B"),
    "I64": (8, "q"), "I32": (4, "i"), "I16": (2, "h"), "I8": (1, "b"),
    "U64": (8, "Q"), "U32": (4, "I"), "U16": (2, "H"), "U8": (1, "B"),
}  # fmt: skip


@dataclass(frozen=True)
class StoredTensor:
    """One tensor of a weights file: `shape`, and `dtype` by safetensors' names (F32, BF16, I64…).

    `read` returns its bytes, row-major and little-endian; `values()` is how to ask for them.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], bytes | memoryview] = field(repr=False, compare=False)

    @property
    def count(self) -> int:
        return prod(self.shape)

    def values(self) -> array[float]:
        """All numbers, row-major: doubles for F64 and for integers beyond 24 bits, else 32-bit floats."""
        size, code = DTYPES[self.dtype]
        data = self.read()
        if code is None:
            table = _half() if self.dtype == "F16" else _brain()
            return array("f", [table[pattern] for pattern in _little("H", data)])
        numbers = _little(code, data)
        if code in "fd":
            return numbers
        return array("d" if size > 2 else "f", numbers)


class Tensors(dict[str, StoredTensor]):
    """Tensors by name; `note` is what a user should know of where in the file they were, or empty."""

    note: str = ""


def open_weights(path: str | os.PathLike[str]) -> Tensors:
    """The tensors of a weights file by name, in the file's order; WeightsError for any that is not sound.

    The values are read later, from the open file: replacing it in the meantime does no harm, cutting it does.
    """
    name = os.fspath(path)
    try:
        mode = os.stat(name).st_mode
        if not stat.S_ISREG(mode):
            kind = "a directory" if stat.S_ISDIR(mode) else "not a regular file"
            raise WeightsError(f"{name}: this is {kind}; a weights file is needed", hint=_understood())
        with open(name, "rb") as file:
            start, size = file.read(256), os.fstat(file.fileno()).st_size
        if not size:
            raise WeightsError(f"{name}: the file is empty", hint="download or save it again")
        for fits, reader in READERS:
            if fits(start):
                tensors = reader(name)
                return tensors if isinstance(tensors, Tensors) else Tensors(tensors)
    except FileNotFoundError:
        raise WeightsError(f"{name}: there is no such file", hint="check the path of the weights") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WeightsError(
            f"{name!r} cannot be read: {reason}", hint="check the path and its rights"
        ) from None
    raise WeightsError(f"{name}: this is no weights file we know", hint=_understood())


def _understood() -> str:
    return f"understood are {UNDERSTOOD}"


def _safetensors(path: str) -> dict[str, StoredTensor]:
    from convcalc.weights.safetensors import read

    return read(path)


def _npz(path: str) -> dict[str, StoredTensor]:
    from convcalc.weights.npz import read

    return read(path)


def _pth(path: str) -> Tensors:
    from convcalc.weights.pth import read

    return read(path)


def _legacy_pth(path: str) -> Tensors:
    from convcalc.weights.pth import read_legacy

    return read_legacy(path)


def _torch_zip(start: bytes) -> bool:
    """Whether a zip's first member is in a folder, and no NumPy array: PyTorch puts all of its in one."""
    name = start[30 : 30 + int.from_bytes(start[26:28], "little")]
    return start[:4] == b"PK\x03\x04" and b"/" in name and not name.endswith(b".npy")


# The first reader whose test of a file's first 256 bytes succeeds; a zip's show its first member's name.
READERS: tuple[tuple[Callable[[bytes], bool], Callable[[str], dict[str, StoredTensor]]], ...] = (
    (_torch_zip, _pth),
    (lambda start: TORCH_MAGIC in start[2:32], _legacy_pth),
    (lambda start: start[:4] in (b"PK\x03\x04", b"PK\x05\x06"), _npz),
    (lambda start: start[8:9] == b"{", _safetensors),
)


def checked_shape(shape: object) -> tuple[int, ...] | None:
    """`shape` as a tuple of whole numbers from 0, or None if it is no such thing or its product is absurd."""
    if not isinstance(shape, list | tuple) or len(shape) > MAX_DIMENSIONS:
        return None
    if not all(type(length) is int and 0 <= length < 1 << 48 for length in shape):
        return None
    return tuple(shape)


def little_endian(numbers: array[float] | array[int]) -> bytes:
    """The array's bytes as they are written to files."""
    if sys.byteorder == "big" and numbers.itemsize > 1:
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()


def _little(code: str, data: bytes | memoryview) -> array[Any]:
    numbers: array[Any] = array(code)
    numbers.frombytes(data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


@cache
def _half() -> array[float]:
    """The value of each of the 65,536 half-precision patterns (IEEE 754: 1 sign, 5 exponent, 10 fraction)."""
    positive = [_binary(pattern >> 10, pattern & 1023, 5, 10) for pattern in range(1 << 15)]
    return array("f", positive + [-value for value in positive])


@cache
def _brain() -> array[float]:
    """The value of each bfloat16 pattern: the upper half of a 32-bit float."""
    words = array("I", (pattern << 16 for pattern in range(1 << 16)))
    return _little("f", little_endian(words))


def _binary(exponent: int, fraction: int, exponent_bits: int, fraction_bits: int) -> float:
    top, bias = (1 << exponent_bits) - 1, (1 << exponent_bits - 1) - 1
    if exponent == top:
        return float("nan") if fraction else float("inf")
    if exponent == 0:
        return float(fraction * 2.0 ** (1 - bias - fraction_bits))
    return float((1 + fraction / (1 << fraction_bits)) * 2.0 ** (exponent - bias))
