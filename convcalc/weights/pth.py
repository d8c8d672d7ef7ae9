"""PyTorch's .pth and .pt files, read without PyTorch and without executing anything in them.

`torch.save` writes a zip archive (pytorch.org, "Serialization semantics"): `<root>/data.pkl`, a pickle that lists
the tensors and their places in storages; `<root>/data/<key>`, one storage each; `<root>/byteorder`. Before version
1.6, which VGG-16 and DenseNet are still published in, it wrote a sequence of pickles (a magic number, the version,
the machine, the tensors, the storages' keys), then for each key its length and its numbers.

The pickles are interpreted, not executed: see pickles.py.

The archive is memory-mapped: half a gigabyte of weights costs nothing until a tensor's values are needed.
"""

from __future__ import annotations

import mmap
import warnings
import zlib
from array import array
from collections.abc import Callable
from itertools import product
from math import prod
from operator import mul
from typing import Literal, NoReturn

from convcalc.errors import WeightsError
from convcalc.weights.checkpoint import Fit, choose
from convcalc.weights.pickled import ForeignObject, InvalidFile, PickledTensor
from convcalc.weights.pickles import Code, PickleInterpreter
from convcalc.weights.tensors import DTYPES, MAX_TENSORS, StoredTensor, Tensors, checked_shape, quoted
from convcalc.weights.zips import BadArchive, members

MAX_PICKLE = 1 << 25  # bytes of data.pkl; the largest network of torchvision has 200 kB
CODES: dict[int, Literal["B", "H", "I", "Q"]] = {1: "B", 2: "H", 4: "I", 8: "Q"}


def read(path: str, fit: Fit | None = None) -> Tensors:
    """The tensors of a .pth file in order. Raises WeightsError unless all metadata is valid.

    Of a checkpoint, the tensors of the mapping that fits best (see `checkpoint.choose`), which `note` names.
    Damaged values are detected by their checksum when a tensor is read.
    """

    def described() -> tuple[_Archive, object, bool]:
        archive = _Archive(path)
        program = archive.content(f"{archive.root}data.pkl", MAX_PICKLE)
        return archive, PickleInterpreter().run(bytes(program)), archive.swapped()

    return _read(path, described, fit)


def read_legacy(path: str, fit: Fit | None = None) -> Tensors:
    """The tensors of a file written by PyTorch before version 1.6, which has no checksums."""

    def described() -> tuple[_LegacyFile, object, bool]:
        series = _LegacyFile(path)
        return series, series.value, False

    return _read(path, described, fit)


def _read(
    path: str, described: Callable[[], tuple[_Archive | _LegacyFile, object, bool]], fit: Fit | None
) -> Tensors:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the parsers' warnings about unusual archives
            archive, value, swapped = described()
        found, note = choose(value, fit)
        if len(found.tensors) > MAX_TENSORS:
            raise InvalidFile(f"it has {len(found.tensors):,} tensors; {MAX_TENSORS:,} are the most")
        tensors = Tensors()
        tensors.note = note
        tensors.others = found.others
        for name, tensor in found.tensors.items():
            tensors[name] = _stored(path, archive, name, tensor, swapped)
    except InvalidFile as error:
        _refuse(path, error)
    except BadArchive as error:
        _refuse(path, InvalidFile(str(error)))
    except (WeightsError, PermissionError):
        raise
    except Exception as error:  # the parsers raise all kinds of exceptions for damaged files
        said = f"{error!s:.200}" or type(error).__name__
        _refuse(path, InvalidFile(said))
    return tensors


def _refuse(path: str, error: InvalidFile) -> NoReturn:
    raise WeightsError(f"{path}: not a valid PyTorch file: {error}", hint=error.hint) from None


# --- the archive --------------------------------------------------------------------------------------------


class _Archive:
    """A zip archive. root: the folder of all members, such as `archive/`."""

    def __init__(self, path: str) -> None:
        self._members = members(path, "PyTorch")
        roots = [name[: -len("data.pkl")] for name in self._members if name.endswith("/data.pkl")]
        if len(roots) != 1:
            raise InvalidFile(f"it should have one data.pkl, and has {len(roots)}")
        self.root = roots[0]
        self._checked: set[str] = set()
        self._expanded: tuple[str, bytes | memoryview] = (
            "",
            b"",
        )  # cache the last member: tensors that share a storage follow one another

    def size(self, name: str) -> int | None:
        """The size of a member in bytes, or None if it does not exist."""
        member = self._members.get(name)
        return None if member is None else member.size

    def content(self, name: str, most: int | None = None) -> memoryview:
        """A member's bytes, verified by checksum: a view of the mapped file unless they are compressed."""
        member = self._members[name]
        if most is not None and member.size > most:
            raise InvalidFile(f"{quoted(name)} has {member.size:,} bytes; {most:,} are the most")
        if name != self._expanded[0]:
            self._expanded = (name, member.content(checked=name in self._checked))
            self._checked.add(name)
        return memoryview(self._expanded[1])

    def swapped(self) -> bool:
        """Whether numbers are big-endian."""
        name = f"{self.root}byteorder"
        order = bytes(self.content(name, 16)) if name in self._members else b"little"
        if order not in (b"little", b"big"):
            raise InvalidFile(f"its byte order is {order!r}, neither little nor big")
        return order == b"big"


class _LegacyFile:
    """A mapped file in the format before zip archives. value: the object that its pickle describes."""

    root = ""

    def __init__(self, path: str) -> None:
        with open(path, "rb") as file:
            mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        code = Code(bytes(mapped[:MAX_PICKLE]))
        _, version, machine = (PickleInterpreter().run(code) for _ in range(3))
        if version != 1001 or not isinstance(machine, dict) or machine.get("little_endian") is not True:
            raise InvalidFile("it was written by a version or on a machine that we do not know")
        program = PickleInterpreter()
        self.value = program.run(code)
        keys = PickleInterpreter().run(code)
        if not isinstance(keys, list):
            raise InvalidFile("the list of its storages is damaged")
        self._members: dict[str, memoryview] = {}
        place = code.tell()
        for key in keys:
            storage = program.storages.get(key) if isinstance(key, str) else None
            if storage is None or f"data/{key}" in self._members:
                raise InvalidFile("the list of its storages is damaged")
            if isinstance(storage, ForeignObject):  # its length is unknown
                raise InvalidFile(
                    f"it has a {storage.name:.100}, whose numbers are of a type that is not read"
                )
            if int.from_bytes(mapped[place : place + 8], "little") != storage.count:
                raise InvalidFile(f"the storage {quoted(key)} is not as long as it says, or was cut short")
            end = place + 8 + storage.count * DTYPES[storage.dtype][0]
            self._members[f"data/{key}"] = mapped[place + 8 : end]
            place = end
        if place != len(mapped):
            raise InvalidFile(f"it should have {place:,} bytes and has {len(mapped):,}")

    def size(self, name: str) -> int | None:
        """The size of a storage in bytes, or None if it does not exist."""
        return len(self._members[name]) if name in self._members else None

    def content(self, name: str) -> memoryview:
        """A storage's bytes: a view of the mapped file."""
        return self._members[name]


# --- tensors ------------------------------------------------------------------------------------------------


def _stored(
    path: str, archive: _Archive | _LegacyFile, name: str, tensor: PickledTensor, swapped: bool
) -> StoredTensor:
    """One tensor, checked to lie within its storage and the bytes that exist."""
    where = f"tensor {quoted(name)}"
    storage, width = tensor.storage, DTYPES[tensor.dtype][0]
    member = f"{archive.root}data/{storage.key}"
    needed, size = storage.count * DTYPES[storage.dtype][0], archive.size(member)
    if size is None:
        raise InvalidFile(f"{where} is in the storage {quoted(storage.key)}, which the file does not have")
    if size != needed:
        raise InvalidFile(f"{where}: its storage should have {needed:,} bytes and has {size:,}")
    shape, strides, offset = checked_shape(tensor.shape), checked_shape(tensor.strides), tensor.offset
    if shape is None or strides is None or len(shape) != len(strides):
        raise InvalidFile(f"{where}: its shape or strides are damaged")
    if type(offset) is not int or not 0 <= offset < 1 << 48:
        raise InvalidFile(f"{where}: its offset is damaged")
    count, there = prod(shape), size // width
    last = offset + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
    if count and last >= there:
        raise InvalidFile(f"{where}, {list(shape)}, ends at number {last + 1:,} of a storage of {there:,}")
    if count > there or any(n > 1 and not stride for n, stride in zip(shape, strides, strict=True)):
        raise InvalidFile(
            f"{where}, {list(shape)}, is expanded from fewer numbers", f"save {quoted(name)}.clone() instead"
        )
    if size % width:
        raise InvalidFile(f"{where}: its storage of {size:,} bytes holds no whole {tensor.dtype} numbers")

    def data() -> bytes | memoryview:
        try:
            numbers = archive.content(member)
        except (BadArchive, zlib.error) as error:
            _refuse(path, InvalidFile(str(error)))
        return _row_major(numbers, width, offset, shape, strides, swapped and width > 1)

    return StoredTensor(name, shape, tensor.dtype, data)


def _row_major(
    data: memoryview, width: int, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], swapped: bool
) -> bytes | memoryview:
    """The tensor's numbers, little-endian and row-major: a view of `data` if they are stored like that."""
    count, dense = prod(shape), _dense(shape)
    if not count:
        return b""
    if all(n == 1 or there == here for n, there, here in zip(shape, strides, dense, strict=True)):
        window = data[offset * width : (offset + count) * width]
        return _swapped(window, width) if swapped else window
    code = CODES[width]
    numbers, result = data.cast(code), array(code, bytes(count * width))
    longest = shape.index(max(shape))  # one slice per index of the other dimensions
    others = [place for place in range(len(shape)) if place != longest]
    steps, targets = [strides[place] for place in others], [dense[place] for place in others]
    step, target_step, length = strides[longest], dense[longest], shape[longest]
    for places in product(*(range(shape[place]) for place in others)):
        begin, target = offset + sum(map(mul, places, steps)), sum(map(mul, places, targets))
        piece = numbers[begin : begin + step * (length - 1) + 1 : step]
        result[target : target + target_step * (length - 1) + 1 : target_step] = array(code, piece.tobytes())
    if swapped:
        result.byteswap()
    return result.tobytes()


def _dense(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of a tensor in row-major order."""
    return tuple(prod(shape[place + 1 :]) for place in range(len(shape)))


def _swapped(data: memoryview, width: int) -> bytes:
    numbers = array(CODES[width], bytes(data))
    numbers.byteswap()
    return numbers.tobytes()
