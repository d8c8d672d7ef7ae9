"""safetensors files: header length (8 bytes), JSON header, numbers (huggingface.co/docs/safetensors).

The file is mapped, not read: half a gigabyte of weights costs nothing until a tensor's values are asked for.
"""

from __future__ import annotations

import json
import mmap
import os
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from math import prod
from typing import NoReturn

from convcalc.errors import WeightsError
from convcalc.files import write_whole
from convcalc.weights.tensors import DTYPES, StoredTensor, checked_shape, little_endian

MAX_HEADER = 100_000_000  # the format's own limit
AGAIN = "download or save the file again"


def read(path: str) -> dict[str, StoredTensor]:
    """The tensors of a safetensors file, in the header's order. WeightsError unless all of it is sound."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > size - 8:
            _refuse(
                path, f"its header should be {length:,} bytes, the whole file is {size:,}: it was cut short"
            )
        if length > MAX_HEADER:
            _refuse(path, f"its header is {length:,} bytes; the format allows {MAX_HEADER:,}")
        entries = _header(path, file.read(length))
        mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))[8 + length :]
    tensors, places = {}, []
    for name, entry in entries.items():
        if name == "__metadata__":
            continue
        dtype, shape, begin, end = _entry(path, name, entry, len(mapped))
        places.append((begin, end, name))
        tensors[name] = _tensor(name, shape, dtype, mapped[begin:end])
    reached, before = 0, ""
    for begin, end, name in sorted(places):
        if begin < reached:
            _refuse(path, f"tensors {before!r} and {name!r} overlap")
        if begin > reached:
            _refuse(path, f"{begin - reached:,} bytes before tensor {name!r} belong to no tensor")
        reached, before = end, name
    if reached != len(mapped):
        _refuse(path, f"{len(mapped) - reached:,} bytes at its end belong to no tensor")
    return tensors


def _tensor(name: str, shape: tuple[int, ...], dtype: str, data: memoryview) -> StoredTensor:
    return StoredTensor(name, shape, dtype, lambda: data)


def _header(path: str, text: bytes) -> dict[str, object]:
    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        keys = dict(pairs)
        if len(keys) < len(pairs):
            twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
            raise ValueError(f"it has {twice!r} twice")
        return keys

    try:
        entries = json.loads(text.decode("utf-8"), object_pairs_hook=unique)
    except RecursionError:
        _refuse(path, "its header is nested too deeply")
    except ValueError as error:
        _refuse(path, f"its header is no sound JSON: {error}")
    if not isinstance(entries, dict):
        _refuse(path, "its header is no JSON object")
    return entries


def _entry(path: str, name: str, entry: object, size: int) -> tuple[str, tuple[int, ...], int, int]:
    """dtype, shape, begin and end of one tensor, checked against each other and the bytes there are."""
    if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= entry.keys():
        _refuse(path, f"tensor {name!r} needs dtype, shape and data_offsets")
    dtype, shape, offsets = (
        entry["dtype"],
        checked_shape(entry["shape"]),
        checked_shape(entry["data_offsets"]),
    )
    if not isinstance(dtype, str) or dtype not in DTYPES:
        _refuse(path, f"tensor {name!r} is of the type {dtype!r:.40}; known are {', '.join(DTYPES)}")
    if shape is None:
        _refuse(path, f"the shape of tensor {name!r} is no list of whole numbers: {entry['shape']!r:.80}")
    if offsets is None or len(offsets) != 2 or not offsets[0] <= offsets[1]:
        _refuse(path, f"data_offsets of tensor {name!r} are no range: {entry['data_offsets']!r:.80}")
    begin, end = offsets
    if end > size:
        _refuse(path, f"tensor {name!r} ends at byte {end:,} of {size:,}: the file was cut short")
    needed = prod(shape) * DTYPES[dtype][0]
    if end - begin != needed:
        _refuse(
            path, f"tensor {name!r}, {dtype} {list(shape)}, needs {needed:,} bytes and has {end - begin:,}"
        )
    return dtype, shape, begin, end


def _refuse(path: str, reason: str) -> NoReturn:
    raise WeightsError(f"{path}: not a sound safetensors file: {reason}", hint=AGAIN)


def encode(
    tensors: Mapping[str, tuple[Sequence[int], array[float]]], metadata: Mapping[str, str] | None = None
) -> Iterator[bytes]:
    """The parts of a file of {name: (shape, array of 'f' or 'd')}. ValueError for a shape that does not fit."""
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    reached = 0
    for name, (shape, numbers) in tensors.items():
        dtype = {"f": "F32", "d": "F64"}[numbers.typecode]
        if prod(shape) != len(numbers) or name == "__metadata__":
            raise ValueError(f"{name}: shape {list(shape)} does not hold {len(numbers)} numbers")
        end = reached + len(numbers) * numbers.itemsize
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [reached, end]}
        reached = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    parts = (little_endian(numbers) for _, numbers in tensors.values())
    return chain([len(text).to_bytes(8, "little") + text], parts)


def write(
    path: str | os.PathLike[str],
    tensors: Mapping[str, tuple[Sequence[int], array[float]]],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Writes what `encode` makes, whole or not at all. ConvcalcError where the place cannot be written."""
    write_whole(os.fspath(path), encode(tensors, metadata))
