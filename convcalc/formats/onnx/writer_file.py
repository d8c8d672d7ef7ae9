"""Lays out the file or files of an ONNX model, and gives their bytes in pieces.

Protocol Buffers write a message's length before it, so all lengths are found first, from the tensors' shapes; the
numbers are then read and encoded a megabyte at a time, while the file is written.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from convcalc.formats.convert import NewFile
from convcalc.formats.onnx import writer_encoding as encoding
from convcalc.formats.onnx.writer_encoding import INT64
from convcalc.formats.onnx.writer_network import Initializer, NetworkDraft, NodeDraft, ValueType
from convcalc.weights.tensors import little_endian

LARGEST_FILE = 2**31 - 1  # bytes of a message that Protocol Buffers read
INSIDE = 1024  # bytes: smaller tensors stay in the model's own file
ALIGNED, ALIGNMENT = 1 << 20, 4096  # tensors of so many bytes begin at multiples, to be mapped into memory
CHUNK = 1 << 18  # numbers, or bytes, written at a time


@dataclass(frozen=True)
class Heading:
    """What a model says of itself besides its graph. remarks: its metadata."""

    producer: str
    version: str
    format_version: int
    opset: int
    remarks: Mapping[str, str]


def layout(network: NetworkDraft, heading: Heading, path: str, external: bool) -> tuple[NewFile, ...]:
    """The model's file, and one for the weights if `external` or if it would exceed LARGEST_FILE without."""
    model = _model(network, heading, None)
    size = _length(model)
    if not external and size <= LARGEST_FILE:
        whole = not any(tensor.left_out for tensor in network.initializers.values())
        return (NewFile(path, lambda: _bytes(model), "model and weights" if whole else "model", size),)
    data = f"{path}.data"
    places = _places(network.initializers.values())
    if not places:
        return (NewFile(path, lambda: _bytes(model), "model", size),)
    small = _model(network, heading, (os.path.basename(data), places))
    end = max((place + network.initializers[name].size for name, place in places.items()), default=0)
    return (
        NewFile(path, lambda: _bytes(small), "model", _length(small)),
        NewFile(data, lambda: _data(network.initializers, places), "its weights", end),
    )


Piece = bytes | Initializer  # of an initializer its numbers alone
Places = dict[str, int]  # where a tensor begins in the file of the weights


def _length(pieces: Iterable[Piece]) -> int:
    return sum(len(piece) if isinstance(piece, bytes) else piece.size for piece in pieces)


def _bytes(pieces: Iterable[Piece]) -> Iterator[bytes]:
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
        else:
            yield from numbers(piece)


def numbers(tensor: Initializer) -> Iterator[bytes]:
    """The numbers of a tensor, little-endian. They are converted to 32-bit floats unless they are integers."""
    found = tensor.numbers()
    if isinstance(found, bytes | memoryview):
        view = memoryview(found).cast("B")
        for start in range(0, len(view), CHUNK):
            yield view[start : start + CHUNK].tobytes()
        return
    code = "q" if tensor.dtype == INT64 else "f"
    for start in range(0, len(found), CHUNK):
        yield little_endian(array(code, found[start : start + CHUNK]))


# -- the model's own file -------------------------------------------------------------------------------------------


def _model(network: NetworkDraft, heading: Heading, external: tuple[str, Places] | None) -> list[Piece]:
    """ModelProto. external: the file of the weights and the places of those that are in it."""
    graph = _graph(network, external)
    return [
        encoding.whole(1, heading.format_version)
        + encoding.text(2, heading.producer)
        + encoding.text(3, heading.version)
        + encoding.head(7, _length(graph)),
        *graph,
        encoding.block(8, encoding.operator_set(heading.opset))
        + b"".join(encoding.block(14, encoding.entry(*remark)) for remark in heading.remarks.items()),
    ]


def _graph(network: NetworkDraft, external: tuple[str, Places] | None) -> list[Piece]:
    """GraphProto."""
    pieces: list[Piece] = [encoding.block(1, _node(node)) for node in network.nodes]
    pieces.append(encoding.text(2, network.graph.name))
    for tensor in network.initializers.values():
        pieces += _tensor(tensor, external)
    pieces += [encoding.block(11, _value(value.name, ValueType(value.sizes))) for value in network.inputs]
    values = dict(network.values)
    for output in network.outputs:
        pieces.append(encoding.block(12, _value(output, values.pop(output))))
    pieces += [encoding.block(13, _value(name, type_)) for name, type_ in values.items()]
    return pieces


def _node(node: NodeDraft) -> bytes:
    return encoding.node(node.operator, node.name, node.inputs, node.outputs, node.attributes)


def _value(name: str, type_: ValueType) -> bytes:
    return encoding.value(name, type_.sizes, type_.dtype)


def _tensor(tensor: Initializer, external: tuple[str, Places] | None) -> list[Piece]:
    """A field with a TensorProto: its numbers inside, its place in another file, or neither if they are left out."""
    if external is not None and tensor.name in external[1]:
        file, places = external
        content = encoding.external_tensor(
            tensor.name, tensor.shape, tensor.dtype, file, places[tensor.name], tensor.size
        )
        return [encoding.block(5, content)]
    start = encoding.tensor_head(tensor.name, tensor.shape, tensor.dtype)
    if tensor.left_out:
        return [encoding.block(5, start)]
    start += encoding.head(9, tensor.size)
    return [encoding.head(5, len(start) + tensor.size) + start, tensor]


# -- the weights' file ----------------------------------------------------------------------------------------------


def _places(tensors: Iterable[Initializer]) -> Places:
    """Where each tensor begins that is large enough, and not left out."""
    found: Places = {}
    end = 0
    for tensor in tensors:
        if tensor.size < INSIDE or tensor.left_out:
            continue
        alignment = ALIGNMENT if tensor.size >= ALIGNED else 64
        found[tensor.name] = -(-end // alignment) * alignment
        end = found[tensor.name] + tensor.size
    return found


def _data(tensors: Mapping[str, Initializer], places: Places) -> Iterator[bytes]:
    end = 0
    for name, place in places.items():
        yield b"\0" * (place - end)
        yield from numbers(tensors[name])
        end = place + tensors[name].size
