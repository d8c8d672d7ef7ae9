"""The common result of all readers of weights files: named tensors whose values are read on demand."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import prod
from types import MappingProxyType
from typing import Any

MAX_DIMENSIONS = 64
MAX_TENSORS = 1 << 16  # of a file; the largest networks have some thousand
SHOWN_NAME = 100  # characters of a name in an error

# dtype: bytes of a number, its array type code; None where the numbers need a conversion of their own
DTYPES: dict[str, tuple[int, str | None]] = {
    "F64": (8, "d"), "F32": (4, "f"), "F16": (2, None), "BF16": (2, None), "BOOL": (1, "B"),
    "I64": (8, "q"), "I32": (4, "i"), "I16": (2, "h"), "I8": (1, "b"),
    "U64": (8, "Q"), "U32": (4, "I"), "U16": (2, "H"), "U8": (1, "B"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor in a weights file: `shape`, and `dtype` by safetensors' names (F32, BF16, I64…).

    `read` returns its bytes, row-major and little-endian; `values()` converts them to numbers.
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
            table = _float16() if self.dtype == "F16" else _bfloat16()
            return array("f", [table[pattern] for pattern in _little("H", data)])
        numbers = _little(code, data)
        if code in "fd":
            return numbers
        return array("d" if size > 2 else "f", numbers)

    def floats(self) -> Sequence[float]:
        """All numbers, row-major, as a network's parameters."""
        from convcalc.weights.memory import MANY, large_floats, uses_numpy

        if self.dtype != "F32" or self.count < MANY or sys.byteorder == "big" or not uses_numpy(self.count):
            return self.values()
        numbers = large_floats(self.count)
        numbers.cast("B")[:] = memoryview(self.read()).cast("B")
        return numbers


class Tensors(dict[str, StoredTensor]):
    """Tensors by name. note: the reader's remarks for the user, or ""; others: the kinds of values under other keys
    that are not tensors."""

    note: str = ""
    others: Mapping[str, str] = MappingProxyType({})


def checked_shape(shape: object) -> tuple[int, ...] | None:
    """`shape` as a tuple of non-negative integers, or None if it is not such a list."""
    if not isinstance(shape, list | tuple) or len(shape) > MAX_DIMENSIONS:
        return None
    if not all(type(length) is int and 0 <= length < 1 << 48 for length in shape):
        return None
    return tuple(shape)


def quoted(name: str) -> str:
    """A name from a file, shortened for an error."""
    return repr(name if len(name) <= SHOWN_NAME else f"{name[: SHOWN_NAME - 1]}…")


def little_endian(numbers: array[float] | array[int] | memoryview[float]) -> bytes:
    """The numbers' bytes, little-endian."""
    if sys.byteorder == "big" and numbers.itemsize > 1:
        numbers = array(numbers.format if isinstance(numbers, memoryview) else numbers.typecode, numbers)
        numbers.byteswap()
    return numbers.tobytes()


def _little(code: str, data: bytes | memoryview) -> array[Any]:
    numbers: array[Any] = array(code)
    numbers.frombytes(data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


@cache
def _float16() -> array[float]:
    """The value of each of the 65,536 half-precision patterns (IEEE 754: 1 sign, 5 exponent, 10 fraction)."""
    positive = [_binary(pattern >> 10, pattern & 1023, 5, 10) for pattern in range(1 << 15)]
    return array("f", positive + [-value for value in positive])


@cache
def _bfloat16() -> array[float]:
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
