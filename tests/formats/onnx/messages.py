"""ONNX messages written by hand, field by field, for files that no exporter writes.

Field numbers are those of onnx.proto. A function gives the bytes of a message; None leaves a field out.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

FLOAT, INT32, INT64, STRING = 1, 6, 7, 8


def varint(value: int) -> bytes:
    """An integer, negative ones as 64-bit two's complement."""
    value &= (1 << 64) - 1
    data = bytearray()
    while value >= 128:
        data.append(value & 127 | 128)
        value >>= 7
    data.append(value)
    return bytes(data)


def field(number: int, value: bytes | str | int | float | None) -> bytes:
    """A field: bytes and texts with their length, integers as varints, floats in 4 bytes."""
    if value is None:
        return b""
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def fields(number: int, values: Iterable[bytes | str | int | float]) -> bytes:
    return b"".join(field(number, value) for value in values)


def packed(number: int, values: Iterable[int]) -> bytes:
    return field(number, b"".join(map(varint, values)))


def tensor(
    name: str, shape: Sequence[int], code: int = FLOAT, raw: bytes | None = None, more: bytes = b""
) -> bytes:
    return packed(1, shape) + field(2, code) + more + field(8, name) + field(9, raw)


def floats(name: str, shape: Sequence[int], values: Iterable[float]) -> bytes:
    numbers = list(values)
    return tensor(name, shape, FLOAT, struct.pack(f"<{len(numbers)}f", *numbers))


def stored(name: str, shape: Sequence[int], location: str, offset: int | None, length: int | None) -> bytes:
    """A tensor of floats in a file beside the model."""
    entries = {"location": location, "offset": offset, "length": length}
    pairs = [field(1, key) + field(2, str(value)) for key, value in entries.items() if value is not None]
    return tensor(name, shape, more=fields(13, pairs) + field(14, 1))


def value(name: str, shape: Sequence[int | str | None] | None = None, code: int = FLOAT) -> bytes:
    """A ValueInfo; a text is a symbolic dimension, None an unknown one."""
    dims = b""
    if shape is not None:
        sizes = [
            b"" if size is None else field(2, size) if isinstance(size, str) else field(1, size)
            for size in shape
        ]
        dims = field(2, fields(1, sizes))
    return field(1, name) + field(2, field(1, field(1, code) + dims))


# AttributeProto: the field of a kind of value, by AttributeProto.type
VALUES = {1: 2, 2: 3, 3: 4, 4: 5, 5: 6, 6: 7, 7: 8, 8: 9, 9: 10, 10: 11}


def attribute(name: str, kind: int, *values: bytes | str | int | float) -> bytes:
    return field(1, name) + fields(VALUES[kind], values) + field(20, kind)


def node(
    op: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    *attributes: bytes,
    name: str | None = None,
    domain: str | None = None,
) -> bytes:
    return (
        fields(1, inputs) + fields(2, outputs) + field(3, name) + field(4, op) + fields(5, attributes)
    ) + field(7, domain)


def graph(
    nodes: Iterable[bytes],
    inputs: Iterable[bytes] = (),
    outputs: Iterable[bytes] = (),
    tensors: Iterable[bytes] = (),
    more: bytes = b"",
) -> bytes:
    return (
        fields(1, nodes) + field(2, "made") + fields(5, tensors) + fields(11, inputs) + fields(12, outputs)
    ) + more


def model(graph: bytes, *, opset: int = 17, ir: int = 8, more: bytes = b"") -> bytes:
    return field(1, ir) + field(2, "tests") + field(7, graph) + field(8, field(2, opset)) + more


def chain(
    *nodes: bytes, tensors: Iterable[bytes] = (), shape: Sequence[int | str | None] = (1, 2, 5, 4)
) -> bytes:
    """A model from x to y."""
    return model(graph(nodes, [value("x", shape)], [value("y")], tensors))
