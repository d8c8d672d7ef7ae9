"""PyTorch's .pth and .pt files, read without PyTorch and without running anything that is in them.

`torch.save` writes a zip archive (pytorch.org, "Serialization semantics"): `<root>/data.pkl`, a pickle that
says which tensors there are and how they lie in their storages; `<root>/data/<key>`, one storage each;
`<root>/byteorder`. Before version 1.6, which is how VGG-16 and DenseNet are published to this day, it wrote
pickles one after another (a magic number, the version, the machine, the tensors, the storages' keys), then for
each key its length and its numbers.

The pickles are interpreted, not run: pickles.py.

The archive is mapped, not read: half a gigabyte of weights costs nothing until a tensor's values are asked for.
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
from convcalc.weights.pickled import Foreign, PickledTensor, Unsound
from convcalc.weights.pickles import Code, Program
from convcalc.weights.tensors import DTYPES, MAX_TENSORS, StoredTensor, Tensors, checked_shape, quoted
from convcalc.weights.zips import BadArchive, members

MAX_PICKLE = 1 << 25  # bytes of data.pkl; the largest network of torchvision has 200 kB
CODES: dict[int, Literal["B", "H", "I", "Q"]] = {1: "B", 2: "H", 4: "I", 8: "Q"}


def read(path: str, fit: Fit | None = None) -> Tensors:
    """The tensors of a .pth file, in its order. WeightsError unless all of its description is sound.

    Of a checkpoint, those of the mapping that fits best (see `checkpoint.choose`); `note` then says which.
    Damaged numbers are found, by their checksum, when a tensor's values are read.
    """

    def described() -> tuple[_Archive, object, bool]:
        archive = _Archive(path)
        program = archive.content(f"{archive.root}data.pkl", MAX_PICKLE)
        return archive, Program().run(bytes(program)), archive.swapped()

    return _read(path, described, fit)


def read_legacy(path: str, fit: Fit | None = None) -> Tensors:
    """The same of a file that PyTorch wrote before version 1.6. It has no checksums."""

    def described() -> tuple[_Series, object, bool]:
        series = _Series(path)
        return series, series.value, False

    return _read(path, described, fit)


def _read(
    path: str, described: Callable[[], tuple[_Archive | _Series, object, bool]], fit: Fit | None
) -> Tensors:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what the parsers think of a stranger's archive
            archive, value, swapped = described()
        found, note = choose(value, fit)
        if len(found.tensors) > MAX_TENSORS:
            raise Unsound(f"it has {len(found.tensors):,} tensors; {MAX_TENSORS:,} are the most")
        tensors = Tensors()
        tensors.note = note
        tensors.others = found.others
        for name, tensor in found.tensors.items():
            tensors[name] = _stored(path, archive, name, tensor, swapped)
    except Unsound as error:
        _refuse(path, error)
    except BadArchive as error:
        _refuse(path, Unsound(str(error)))
    except (WeightsError, PermissionError):
        raise
    except Exception as error:  # the parsers of zips and pickles meet damage with many kinds of exceptions
        said = f"{error!s:.200}" or type(error).__name__
        _refuse(path, Unsound(said))
    return tensors


def _refuse(path: str, error: Unsound) -> NoReturn:
    raise WeightsError(f"{path}: not a sound PyTorch file: {error}", hint=error.hint) from None


# --- the archive --------------------------------------------------------------------------------------------


class _Archive:
    """A zip archive; `root` is what all names of a PyTorch file begin with, as `archive/`."""

    def __init__(self, path: str) -> None:
        self._members = members(path, "PyTorch")
        roots = [name[: -len("data.pkl")] for name in self._members if name.endswith("/data.pkl")]
        if len(roots) != 1:
            raise Unsound(f"it should have one data.pkl, and has {len(roots)}")
        self.root = roots[0]
        self._checked: set[str] = set()
        self._expanded: tuple[str, bytes | memoryview] = (
            "",
            b"",
        )  # the last one: tensors that share come together

    def size(self, name: str) -> int | None:
        """The bytes of a member, or None if there is none of that name."""
        member = self._members.get(name)
        return None if member is None else member.size

    def content(self, name: str, most: int | None = None) -> memoryview:
        """A member's bytes, compared with their checksum: a window on the file unless they are compressed."""
        member = self._members[name]
        if most is not None and member.size > most:
            raise Unsound(f"{quoted(name)} has {member.size:,} bytes; {most:,} are the most")
        if name != self._expanded[0]:
            self._expanded = (name, member.content(checked=name in self._checked))
            self._checked.add(name)
        return memoryview(self._expanded[1])

    def swapped(self) -> bool:
        """Whether numbers have their highest byte first."""
        name = f"{self.root}byteorder"
        order = bytes(self.content(name, 16)) if name in self._members else b"little"
        if order not in (b"little", b"big"):
            raise Unsound(f"its byte order is {order!r}, neither little nor big")
        return order == b"big"


class _Series:
    """A mapped file of the format before zip archives: `value` is what its pickle describes."""

    root = ""

    def __init__(self, path: str) -> None:
        with open(path, "rb") as file:
            mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        code = Code(bytes(mapped[:MAX_PICKLE]))
        _, version, machine = (Program().run(code) for _ in range(3))
        if version != 1001 or not isinstance(machine, dict) or machine.get("little_endian") is not True:
            raise Unsound("it was written by a version or on a machine that we do not know")
        program = Program()
        self.value = program.run(code)
        keys = Program().run(code)
        if not isinstance(keys, list):
            raise Unsound("the list of its storages is damaged")
        self._members: dict[str, memoryview] = {}
        place = code.tell()
        for key in keys:
            storage = program.storages.get(key) if isinstance(key, str) else None
            if storage is None or f"data/{key}" in self._members:
                raise Unsound("the list of its storages is damaged")
            if isinstance(storage, Foreign):  # how long it is nobody says
                raise Unsound(f"it has a {storage.name:.100}, whose numbers are of a type that is not read")
            if int.from_bytes(mapped[place : place + 8], "little") != storage.count:
                raise Unsound(f"the storage {quoted(key)} is not as long as it says, or was cut short")
            end = place + 8 + storage.count * DTYPES[storage.dtype][0]
            self._members[f"data/{key}"] = mapped[place + 8 : end]
            place = end
        if place != len(mapped):
            raise Unsound(f"it should have {place:,} bytes and has {len(mapped):,}")

    def size(self, name: str) -> int | None:
        """The bytes of a storage, or None if there is none of that name."""
        return len(self._members[name]) if name in self._members else None

    def content(self, name: str) -> memoryview:
        """A storage's bytes: a window on the file."""
        return self._members[name]


# --- tensors ------------------------------------------------------------------------------------------------


def _stored(
    path: str, archive: _Archive | _Series, name: str, tensor: PickledTensor, swapped: bool
) -> StoredTensor:
    """One tensor, its place checked against its storage and the bytes there are."""
    where = f"tensor {quoted(name)}"
    storage, width = tensor.storage, DTYPES[tensor.dtype][0]
    member = f"{archive.root}data/{storage.key}"
    needed, size = storage.count * DTYPES[storage.dtype][0], archive.size(member)
    if size is None:
        raise Unsound(f"{where} is in the storage {quoted(storage.key)}, which the file does not have")
    if size != needed:
        raise Unsound(f"{where}: its storage should have {needed:,} bytes and has {size:,}")
    shape, strides, offset = checked_shape(tensor.shape), checked_shape(tensor.strides), tensor.offset
    if shape is None or strides is None or len(shape) != len(strides):
        raise Unsound(f"{where}: its shape or strides are damaged")
    if type(offset) is not int or not 0 <= offset < 1 << 48:
        raise Unsound(f"{where}: its offset is damaged")
    count, there = prod(shape), size // width
    last = offset + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
    if count and last >= there:
        raise Unsound(f"{where}, {list(shape)}, ends at number {last + 1:,} of a storage of {there:,}")
    if count > there or any(n > 1 and not stride for n, stride in zip(shape, strides, strict=True)):
        raise Unsound(
            f"{where}, {list(shape)}, is expanded from fewer numbers", f"save {quoted(name)}.clone() instead"
        )
    if size % width:
        raise Unsound(f"{where}: its storage of {size:,} bytes holds no whole {tensor.dtype} numbers")

    def data() -> bytes | memoryview:
        try:
            numbers = archive.content(member)
        except (BadArchive, zlib.error) as error:
            _refuse(path, Unsound(str(error)))
        return _row_major(numbers, width, offset, shape, strides, swapped and width > 1)

    return StoredTensor(name, shape, tensor.dtype, data)


def _row_major(
    data: memoryview, width: int, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], swapped: bool
) -> bytes | memoryview:
    """The tensor's numbers, little-endian and the last index fastest: a window on `data` where they lie so."""
    count, dense = prod(shape), _dense(shape)
    if not count:
        return b""
    if all(n == 1 or there == here for n, there, here in zip(shape, strides, dense, strict=True)):
        window = data[offset * width : (offset + count) * width]
        return _swapped(window, width) if swapped else window
    code = CODES[width]
    numbers, result = data.cast(code), array(code, bytes(count * width))
    longest = shape.index(max(shape))  # copied in one slice, for each place of the other dimensions
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
    """The strides of a tensor whose numbers lie row after row."""
    return tuple(prod(shape[place + 1 :]) for place in range(len(shape)))


def _swapped(data: memoryview, width: int) -> bytes:
    numbers = array(CODES[width], bytes(data))
    numbers.byteswap()
    return numbers.tobytes()
