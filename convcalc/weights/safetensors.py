"""safetensors files: header length (8 bytes), JSON header, numbers (huggingface.co/docs/safetensors).

The file is memory-mapped: half a gigabyte of weights costs nothing until a tensor's values are needed.
"""

from __future__ import annotations

import json
import mmap
import os
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from math import prod
from typing import NoReturn

from convcalc.errors import WeightsError
from convcalc.files import write_whole
from convcalc.weights.tensors import (
    DTYPES,
    MAX_TENSORS,
    StoredTensor,
    checked_shape,
    little_endian,
    quoted,
)

MAX_HEADER = 1 << 24  # the format allows 100 MB, for a million tensors
MAX_ENTRY = 1 << 12  # characters that describe one tensor
MAX_METADATA = 10_000  # texts beside the tensors
AGAIN = "download or save the file again"
SPACE = re.compile(r"[ \t\n\r]*")
STRING = re.compile(r'"[^"\\\x00-\x1f]*(?:\\.[^"\\\x00-\x1f]*)*"')


def read(path: str) -> dict[str, StoredTensor]:
    """The tensors of a safetensors file, in header order. Raises WeightsError unless the whole header is valid."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > size - 8:
            _refuse(
                path, f"its header should be {length:,} bytes, the whole file is {size:,}: it was cut short"
            )
        if length > MAX_HEADER:
            _refuse(path, f"its header is {length:,} bytes; {MAX_HEADER:,} are the most that are read")
        header = file.read(length)
        mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))[8 + length :]
    tensors: dict[str, StoredTensor] = {}
    places: list[tuple[int, int, str]] = []
    for name, entry in _entries(path, header):
        if name in tensors:
            _refuse(path, f"it has {quoted(name)} twice")
        if len(tensors) == MAX_TENSORS:
            _refuse(path, f"it has more than {MAX_TENSORS:,} tensors")
        dtype, shape, begin, end = _entry(path, name, entry, len(mapped))
        places.append((begin, end, name))
        tensors[name] = _tensor(name, shape, dtype, mapped[begin:end])
    reached, before = 0, ""
    for begin, end, name in sorted(places):
        if begin < reached:
            _refuse(path, f"tensors {quoted(before)} and {quoted(name)} overlap")
        if begin > reached:
            _refuse(path, f"{begin - reached:,} bytes before tensor {quoted(name)} belong to no tensor")
        reached, before = end, name
    if reached != len(mapped):
        _refuse(path, f"{len(mapped) - reached:,} bytes at its end belong to no tensor")
    return tensors


def _tensor(name: str, shape: tuple[int, ...], dtype: str, data: memoryview) -> StoredTensor:
    return StoredTensor(name, shape, dtype, lambda: data)


def _entries(path: str, header: bytes) -> Iterator[tuple[str, object]]:
    """Name and description of each tensor, one at a time, so that a hostile header is never built as a whole.
    Raises WeightsError for invalid JSON."""
    try:
        scanner = _Scanner(header.decode("utf-8"))
        for name in scanner.entries():
            if name != "__metadata__":
                yield name, scanner.value()
                continue
            for number, _ in enumerate(scanner.entries(texts=True)):
                if number == MAX_METADATA:
                    _refuse(path, f"its __metadata__ has more than {MAX_METADATA:,} texts")
        scanner.end()
    except ValueError as error:
        _refuse(path, f"its header is not valid JSON: {error!s:.200}")


class _Scanner:
    """A scanner for JSON objects. Raises ValueError."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0
        self._decoder = json.JSONDecoder(object_pairs_hook=_unique)

    def entries(self, *, texts: bool = False) -> Iterator[str]:
        """Each key of the object that starts here. The caller reads its value before the next key, unless values
        are texts, which are skipped."""
        self._take("{")
        if self._taken("}"):
            return
        while True:
            begin, end = self._text_ends()
            if end - begin > MAX_ENTRY:
                raise ValueError(f"a name has {end - begin:,} characters")
            name = self._text[begin:end]
            self._take(":")
            if texts:
                self._text_ends()
            yield str(json.loads(name)) if "\\" in name else name[1:-1]
            if self._taken("}"):
                return
            self._take(",")

    def value(self) -> object:
        """The value that starts here, of at most MAX_ENTRY characters."""
        self._skip()
        window = self._text[self._place : self._place + MAX_ENTRY]
        try:
            value, length = self._decoder.raw_decode(window)
        except (json.JSONDecodeError, RecursionError) as error:  # the recursion limit differs between Pythons
            if len(window) < MAX_ENTRY:
                raise ValueError(str(error)) from error
            length = MAX_ENTRY
        if length == MAX_ENTRY:
            raise ValueError(
                f"a tensor's description is longer than {MAX_ENTRY:,} characters or not valid JSON"
            )
        self._place += length
        return value

    def end(self) -> None:
        """Check that nothing follows."""
        self._skip()
        if self._place != len(self._text):
            raise ValueError(f"something follows at character {self._place:,}")

    def _text_ends(self) -> tuple[int, int]:
        """Start and end of the string that starts here, quotation marks included; it is skipped."""
        self._skip()
        found = STRING.match(self._text, self._place)
        if found is None:
            raise ValueError(f"a text should stand at character {self._place:,}")
        self._place = found.end()
        return found.span()

    def _skip(self) -> None:
        space = SPACE.match(self._text, self._place)
        assert space is not None  # the match may be empty
        self._place = space.end()

    def _taken(self, sign: str) -> bool:
        self._skip()
        found = self._text.startswith(sign, self._place)
        self._place += found
        return found

    def _take(self, sign: str) -> None:
        if not self._taken(sign):
            raise ValueError(f"{sign} should stand at character {self._place:,}")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    keys = dict(pairs)
    if len(keys) < len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"it has {quoted(twice)} twice")
    return keys


def _entry(path: str, name: str, entry: object, size: int) -> tuple[str, tuple[int, ...], int, int]:
    """dtype, shape, start and end of one tensor, checked against each other and against the file's size."""
    if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= entry.keys():
        _refuse(path, f"tensor {quoted(name)} needs dtype, shape and data_offsets")
    dtype, shape, offsets = (
        entry["dtype"],
        checked_shape(entry["shape"]),
        checked_shape(entry["data_offsets"]),
    )
    if not isinstance(dtype, str) or dtype not in DTYPES:
        _refuse(path, f"tensor {quoted(name)} is of the type {dtype!r:.40}; known are {', '.join(DTYPES)}")
    if shape is None:
        _refuse(path, f"the shape of tensor {quoted(name)} is not a list of integers: {entry['shape']!r:.80}")
    if offsets is None or len(offsets) != 2 or not offsets[0] <= offsets[1]:
        _refuse(path, f"data_offsets of tensor {quoted(name)} are not a range: {entry['data_offsets']!r:.80}")
    begin, end = offsets
    if end > size:
        _refuse(path, f"tensor {quoted(name)} ends at byte {end:,} of {size:,}: the file was cut short")
    needed = prod(shape) * DTYPES[dtype][0]
    if end - begin != needed:
        _refuse(
            path,
            f"tensor {quoted(name)}, {dtype} {list(shape)}, needs {needed:,} bytes and has {end - begin:,}",
        )
    return dtype, shape, begin, end


def _refuse(path: str, reason: str) -> NoReturn:
    raise WeightsError(f"{path}: not a valid safetensors file: {reason}", hint=AGAIN)


def encode(
    tensors: Mapping[str, tuple[Sequence[int], array[float]]], metadata: Mapping[str, str] | None = None
) -> Iterator[bytes]:
    """The file for {name: (shape, array of 'f' or 'd')}, in parts. Raises ValueError if a shape does not fit its
    numbers."""
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
    """Write the output of `encode` atomically. Raises ConvcalcError if the file cannot be written."""
    write_whole(os.fspath(path), encode(tensors, metadata))
