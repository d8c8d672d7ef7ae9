"""The number types of ONNX: their names, their sizes, and their bytes as Python numbers."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from functools import cache
from math import inf, nan
from typing import Any

from convcalc.errors import ModelError
from convcalc.weights.tensors import StoredTensor, quoted

# TensorProto.DataType: the name of each number
TYPES: dict[int, str] = {
    1: "F32", 2: "U8", 3: "I8", 4: "U16", 5: "I16", 6: "I32", 7: "I64", 8: "STR", 9: "BOOL", 10: "F16",
    11: "F64", 12: "U32", 13: "U64", 14: "C64", 15: "C128", 16: "BF16", 17: "F8_E4M3", 18: "F8_E4M3FNUZ",
    19: "F8_E5M2", 20: "F8_E5M2FNUZ", 21: "U4", 22: "I4", 23: "F4", 24: "F8_E8M0", 25: "U2", 26: "I2",
}  # fmt: skip
BITS: dict[str, int] = {
    "F32": 32, "U8": 8, "I8": 8, "U16": 16, "I16": 16, "I32": 32, "I64": 64, "BOOL": 8, "F16": 16,
    "F64": 64, "U32": 32, "U64": 64, "C64": 64, "C128": 128, "BF16": 16, "F8_E4M3": 8, "F8_E4M3FNUZ": 8,
    "F8_E5M2": 8, "F8_E5M2FNUZ": 8, "U4": 4, "I4": 4, "F4": 4, "F8_E8M0": 8, "U2": 2, "I2": 2,
}  # fmt: skip
INTEGERS = frozenset({"U2", "I2", "U4", "I4", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64", "BOOL"})
ARRAY_CODES = {
    "F32": "f", "F64": "d", "U8": "B", "I8": "b", "U16": "H", "I16": "h", "U32": "I", "I32": "i", "U64": "Q",
    "I64": "q", "BOOL": "B",
}  # fmt: skip


def byte_length(dtype: str, count: int) -> int:
    """The bytes of `count` numbers."""
    return (count * BITS[dtype] + 7) // 8


def decode(dtype: str, data: bytes | memoryview, count: int, name: str) -> array[Any]:
    """The numbers that the bytes hold: integers as integers, F64 as doubles, other floats as 32-bit floats.

    Raises ModelError for text and complex numbers."""
    code = ARRAY_CODES.get(dtype)
    if code is not None:
        numbers: array[Any] = array(code)
        numbers.frombytes(data)
        if sys.byteorder == "big":
            numbers.byteswap()
        return numbers
    if dtype in ("F16", "BF16"):
        return StoredTensor(name, (count,), dtype, lambda: data).values()
    if dtype not in BITS or dtype.startswith("C"):
        kind = "text" if dtype == "STR" else "complex numbers"
        raise ModelError(f"tensor {quoted(name)} holds {kind}, which convcalc does not compute with")
    table = _table(dtype)
    bits = BITS[dtype]
    code = "f" if dtype.startswith("F") else "b" if dtype.startswith("I") else "B"
    if bits == 8:
        return array(code, [table[byte] for byte in data])
    mask = (1 << bits) - 1
    shifts = range(0, 8, bits)
    return array(code, [table[byte >> shift & mask] for byte in data for shift in shifts][:count])


@cache
def _table(dtype: str) -> Sequence[float]:
    """The value of each pattern of a type of at most 8 bits."""
    bits = BITS[dtype]
    patterns = range(1 << bits)
    if dtype.startswith("U"):
        return list(patterns)
    if dtype.startswith("I"):
        return [pattern - (pattern >> bits - 1 << bits) for pattern in patterns]
    if dtype == "F8_E8M0":  # powers of two, for scales
        return [2.0 ** (pattern - 127) if pattern < 255 else nan for pattern in patterns]
    return [_small_float(dtype, pattern) for pattern in patterns]


# sign apart: bits of the exponent, of the fraction, bias
SMALL_FLOATS = {
    "F4": (2, 1, 1),
    "F8_E4M3": (4, 3, 7),
    "F8_E4M3FNUZ": (4, 3, 8),
    "F8_E5M2": (5, 2, 15),
    "F8_E5M2FNUZ": (5, 2, 16),
}


def _small_float(dtype: str, pattern: int) -> float:
    """The value of a pattern (Micikevicius et al. 2022, table 1; for FNUZ, Noune et al. 2022; F4: OCP MX 1.0)."""
    exponent_bits, fraction_bits, bias = SMALL_FLOATS[dtype]
    top = (1 << exponent_bits) - 1
    negative = pattern >> exponent_bits + fraction_bits
    exponent, fraction = pattern >> fraction_bits & top, pattern & (1 << fraction_bits) - 1
    value = (
        2.0 ** (exponent - bias) * (1 + fraction / (1 << fraction_bits))
        if exponent
        else 2.0 ** (1 - bias) * fraction / (1 << fraction_bits)
    )
    if dtype.endswith("FNUZ") and negative and not exponent and not fraction:
        return nan  # the pattern of a negative zero
    if dtype == "F8_E4M3" and exponent == top and fraction == (1 << fraction_bits) - 1:
        return nan  # no infinities
    if dtype == "F8_E5M2" and exponent == top:
        value = nan if fraction else inf
    return -value if negative else value
