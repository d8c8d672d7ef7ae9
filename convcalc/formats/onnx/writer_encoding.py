"""Encodes ONNX's messages in the wire format of Protocol Buffers, without a schema compiler.

Every function returns a message, or a field of one: a key (the field's number and wire type), then a varint, or a
length and bytes. Only the fields that a network needs are covered. The field numbers are those of onnx.proto.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from convcalc.shapes import Shape
from convcalc.weights.tensors import little_endian

Attribute: TypeAlias = "int | float | str | Sequence[int]"
Size: TypeAlias = "int | str"  # of a dimension; a text names one that is set later

FLOAT, INT64, BOOL = 1, 7, 9  # TensorProto.DataType
_VARINT, _FIXED32, _BYTES = 0, 5, 2  # wire types
_ATTRIBUTE_TYPES = {"f": 1, "i": 2, "s": 3, "ints": 7}  # AttributeProto.AttributeType


def varint(number: int) -> bytes:
    """Seven bits a byte, lowest first; negative numbers as their 64-bit two's complement."""
    number &= (1 << 64) - 1
    result = bytearray()
    while number > 127:
        result.append(number & 127 | 128)
        number >>= 7
    result.append(number)
    return bytes(result)


def head(number: int, length: int) -> bytes:
    """The key and the length of a field of so many bytes, which follow."""
    return varint(number << 3 | _BYTES) + varint(length)


def block(number: int, content: bytes) -> bytes:
    """A field that holds bytes or a message."""
    return head(number, len(content)) + content


def text(number: int, content: str) -> bytes:
    """A field that holds text, in UTF-8."""
    return block(number, content.encode())


def whole(number: int, value: int) -> bytes:
    """A field that holds an integer."""
    return varint(number << 3 | _VARINT) + varint(value)


def operator_set(version: int) -> bytes:
    """OperatorSetIdProto: a version of ONNX's own operators."""
    return text(1, "") + whole(2, version)


def entry(key: str, value: str) -> bytes:
    """StringStringEntryProto: a remark in the metadata."""
    return text(1, key) + text(2, value)


def attribute(name: str, value: Attribute) -> bytes:
    """AttributeProto: an integer, a 32-bit float, a text, or a list of integers."""
    if isinstance(value, float):
        field, content = "f", varint(2 << 3 | _FIXED32) + struct.pack("<f", value)
    elif isinstance(value, int):
        field, content = "i", whole(3, value)
    elif isinstance(value, str):
        field, content = "s", text(4, value)
    else:
        field, content = "ints", b"".join(whole(8, item) for item in value)
    return text(1, name) + content + whole(20, _ATTRIBUTE_TYPES[field])


def node(
    operator: str,
    name: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    attributes: Mapping[str, Attribute],
) -> bytes:
    """NodeProto. An input "" is an optional one that is left out."""
    fields = [text(1, value) for value in inputs]
    fields += [text(2, value) for value in outputs]
    fields += [text(3, name), text(4, operator)]
    fields += [block(5, attribute(key, value)) for key, value in attributes.items()]
    return b"".join(fields)


def value(name: str, sizes: Sequence[Size], dtype: int) -> bytes:
    """ValueInfoProto of a tensor."""
    dimensions = [whole(1, size) if isinstance(size, int) else text(2, size) for size in sizes]
    shape = b"".join(block(1, dimension) for dimension in dimensions)
    return text(1, name) + block(2, block(1, whole(1, dtype) + block(2, shape)))


def tensor_head(name: str, shape: Shape, dtype: int) -> bytes:
    """The fields of a TensorProto other than its data: sizes, type and name."""
    return b"".join(whole(1, size) for size in shape) + whole(2, dtype) + text(8, name)


def tensor(name: str, shape: Shape, numbers: Sequence[int] | Sequence[float], dtype: int) -> bytes:
    """TensorProto with its data inside: 32-bit floats or 64-bit integers."""
    data = little_endian(array("q" if dtype == INT64 else "f", numbers))
    return tensor_head(name, shape, dtype) + block(9, data)


def external_tensor(name: str, shape: Shape, dtype: int, file: str, offset: int, length: int) -> bytes:
    """TensorProto whose data lie in another file, from byte `offset` on."""
    place = {"location": file, "offset": str(offset), "length": str(length)}
    fields = [block(13, entry(key, value)) for key, value in place.items()]
    return tensor_head(name, shape, dtype) + b"".join(fields) + whole(14, 1)  # data_location: EXTERNAL
