"""Tensors of a model file: their descriptions are read and checked at once, their numbers where they lie, later."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from functools import partial
from math import prod

from convcalc.errors import ModelError
from convcalc.formats.onnx.external import external
from convcalc.formats.onnx.numbers import BITS, TYPES, byte_length
from convcalc.formats.onnx.records import OnnxTensor
from convcalc.formats.onnx.wire import BYTES, DOUBLES, FLOATS, INTEGERS, VARINT, WireFile, shown
from convcalc.weights.tensors import MAX_DIMENSIONS, little_endian

DIMS, TYPE, SEGMENT, FLOAT_DATA, INT32_DATA, STRING_DATA, INT64_DATA, NAME, RAW, DOUBLE_DATA, UINT64_DATA = (
    range(1, 12)
)
EXTERNAL, LOCATION = 13, 14
TENSOR = {
    DIMS: INTEGERS, TYPE: VARINT, SEGMENT: BYTES, FLOAT_DATA: FLOATS, INT32_DATA: INTEGERS, STRING_DATA: BYTES,
    INT64_DATA: INTEGERS, NAME: BYTES, RAW: BYTES, DOUBLE_DATA: DOUBLES, UINT64_DATA: INTEGERS, EXTERNAL: BYTES,
    LOCATION: VARINT,
}  # fmt: skip
# the fields that hold numbers one by one, and the types each may hold (onnx.proto, TensorProto)
TYPED = {
    FLOAT_DATA: {"F32", "C64"},
    INT64_DATA: {"I64"},
    DOUBLE_DATA: {"F64", "C128"},
    UINT64_DATA: {"U64", "U32"},
    STRING_DATA: {"STR"},
    INT32_DATA: set(BITS) - {"F32", "C64", "I64", "F64", "C128", "U64", "U32"},
}
MAX_ELEMENTS = 1 << 48
Spans = list[tuple[int, int]]


def read_tensor(file: WireFile, start: int, end: int, name: str = "") -> OnnxTensor:
    """The tensor that the message describes; `name` where it has no name of its own."""
    dims: list[int] = []
    entries: Spans = []
    numbers: dict[int, Spans] = {}
    code = location = 0
    for number, a, b in file.fields(start, end, TENSOR, "a tensor"):
        if number == DIMS:
            dims += file.integers(a, b, "the shape of a tensor", most=10 * MAX_DIMENSIONS)
            if len(dims) > MAX_DIMENSIONS:
                raise file.invalid(f"tensor {shown(name)} has more than {MAX_DIMENSIONS} dimensions")
        elif number == TYPE:
            code = a
        elif number == NAME:
            name = file.text(a, b) or name
        elif number == LOCATION:
            location = a
        elif number == EXTERNAL:
            entries.append((a, b))
        elif number == SEGMENT:
            raise ModelError(
                f"{file.path}: tensor {shown(name)} is stored in segments, which convcalc does not read",
                hint="save the model again with onnx.save",
            )
        else:
            numbers.setdefault(number, []).append((a, b))
    shape = tuple(dims)
    dtype = TYPES.get(code)
    if dtype is None:
        raise ModelError(
            f"{file.path}: tensor {shown(name)} is of the type {code}, which convcalc does not know",
            hint=f"known are {', '.join(TYPES.values())}",
        )
    if any(size < 0 for size in shape) or prod(shape) > MAX_ELEMENTS:
        raise file.invalid(f"tensor {shown(name)} has the shape {list(shape)}")
    if location == 1:
        read, missing = external(file, name, entries, byte_length(dtype, prod(shape)))
        return OnnxTensor(name, shape, dtype, read, missing)
    if len(numbers) > 1:
        raise file.invalid(f"tensor {shown(name)} has its numbers in several fields")
    if not numbers:
        if not prod(shape):
            return OnnxTensor(name, shape, dtype, bytes)
        return OnnxTensor(name, shape, dtype, partial(_stripped, file, name), "")
    [(field, spans)] = numbers.items()
    if field == RAW:
        return OnnxTensor(name, shape, dtype, _raw(file, name, shape, dtype, *spans[-1]))
    if dtype not in TYPED[field]:
        raise file.invalid(
            f"tensor {shown(name)}, {dtype}, has its numbers in a field for {_names(TYPED[field])}"
        )
    if field == STRING_DATA:
        if len(spans) != prod(shape):
            raise file.invalid(f"tensor {shown(name)} {list(shape)} has {len(spans):,} texts")
        return OnnxTensor(
            name, shape, dtype, partial(_no_bytes, file, name), texts=partial(_texts, file, spans)
        )
    return OnnxTensor(name, shape, dtype, partial(_typed, file, name, shape, dtype, field, spans))


def _names(types: set[str]) -> str:
    return ", ".join(name for name in TYPES.values() if name in types)


def _stripped(file: WireFile, name: str) -> bytes:
    raise ModelError(
        f"{file.path}: the numbers of tensor {shown(name)} were taken out of the file",
        hint="export the model with its weights, or give --weights",
    )


def _raw(
    file: WireFile, name: str, shape: tuple[int, ...], dtype: str, start: int, end: int
) -> Callable[[], bytes | memoryview]:
    if dtype == "STR":
        raise file.invalid(f"tensor {shown(name)} of texts has raw bytes")
    needed = byte_length(dtype, prod(shape))
    if end - start != needed:
        raise file.invalid(
            f"tensor {shown(name)}, {dtype} {list(shape)}, needs {needed:,} bytes and has {end - start:,}"
        )
    return partial(_slice, file, start, end)


def _slice(file: WireFile, start: int, end: int) -> memoryview:
    return memoryview(file.data)[start:end]


def _typed(
    file: WireFile, name: str, shape: tuple[int, ...], dtype: str, field: int, spans: Spans
) -> bytes | memoryview:
    """The bytes of numbers that are stored one by one in fields of a wider type."""
    message = f"tensor {shown(name)}"
    needed = byte_length(dtype, prod(shape))
    if field in (FLOAT_DATA, DOUBLE_DATA):
        data = b"".join(file.data[a:b] for a, b in spans)
    else:
        data = _integers(file, message, dtype, spans, needed)
    if len(data) != needed:
        raise file.invalid(f"{message}, {dtype} {list(shape)}, needs {needed:,} bytes and has {len(data):,}")
    return data


def _texts(file: WireFile, spans: Spans) -> list[bytes]:
    return [file.data[a:b] for a, b in spans]


def _no_bytes(file: WireFile, name: str) -> bytes:
    raise ModelError(
        f"{file.path}: tensor {shown(name)} holds text, which convcalc does not compute with",
        hint="cut the model behind the nodes that read text",
    )


def _integers(file: WireFile, message: str, dtype: str, spans: Spans, needed: int) -> bytes:
    """The bytes of integers and bit patterns: the lower bits of each number. Types of less than a byte are packed
    already, a byte a number. needed: the bytes there should be."""
    bits = max(8, BITS[dtype])
    most = 10 * (needed * 8 // bits)  # an integer takes ten bytes at most
    numbers = [number for a, b in spans for number in file.integers(a, b, message, most=most)]
    if bits < 64 and any(not -(1 << bits - 1) <= number < 1 << bits for number in numbers):
        raise file.invalid(f"{message}, {dtype}, has a number of more than {bits} bits")
    code = {8: "B", 16: "H", 32: "I", 64: "Q"}[bits]
    mask = (1 << bits) - 1
    return little_endian(array(code, [number & mask for number in numbers]))
