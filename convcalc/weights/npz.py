"""NumPy's .npz files, read without NumPy: a zip archive of .npy arrays (numpy.org, "NPY format").

Arrays of objects would need pickle and are refused. What an archive says it expands to is compared with its
size and with the arrays' shapes before anything is expanded.
"""

from __future__ import annotations

import ast
import os
import re
import warnings
import zipfile
from array import array
from math import prod
from typing import NoReturn

from convcalc.errors import WeightsError
from convcalc.weights.tensors import DTYPES, StoredTensor, checked_shape

MAX_HEADER = 10_000  # NumPy's own limit for headers it did not write itself
BOMB_SIZE, BOMB_RATIO = 1 << 28, 100  # trained weights hardly compress; beyond both this is no weights file
KINDS = {"f": "F", "i": "I", "u": "U", "b": "BOOL"}


def read(path: str) -> dict[str, StoredTensor]:
    """The arrays of an .npz file, in its order. WeightsError unless all headers are sound.

    Damaged numbers are found, by their checksum, when a tensor's values are read.
    """
    try:
        archive = zipfile.ZipFile(path)
        members = archive.infolist()
        _bounded(path, members)
        tensors: dict[str, StoredTensor] = {}
        for member in members:
            tensor = _member(path, archive, member)
            if tensor.name in tensors:
                _refuse(path, f"it has {tensor.name!r} twice")
            tensors[tensor.name] = tensor
    except (WeightsError, PermissionError):
        raise
    except Exception as error:  # zipfile meets damage with many kinds of exceptions
        _refuse(path, _said(error))
    return tensors


def _bounded(path: str, members: list[zipfile.ZipInfo]) -> None:
    """Refuses archives without arrays, and those whose members overlap or expand beyond measure."""
    size = os.path.getsize(path)
    strangers = [member.filename for member in members if not member.filename.endswith(".npy")]
    if not members or strangers:
        found = f"a member {strangers[0]!r:.80}" if strangers else "no member"
        _refuse(path, f"an .npz has only .npy arrays, this archive has {found}")
    for member in members:
        if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            _refuse(path, f"{member.filename!r} is encrypted or compressed in a way NumPy does not use")
    expanded = sum(member.file_size for member in members)
    if sum(member.compress_size for member in members) > size:
        _refuse(path, "its members take more bytes than the file has")
    if expanded > BOMB_SIZE and expanded > BOMB_RATIO * size:
        _refuse(path, f"its {size:,} bytes would expand to {expanded:,}")


def _member(path: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> StoredTensor:
    with archive.open(member) as stream:
        start = stream.read(8)
        if start[:6] != b"\x93NUMPY" or start[6:] not in (b"\1\0", b"\2\0", b"\3\0"):
            _refuse(path, f"{member.filename!r} is no .npy array of version 1, 2 or 3")
        width = 2 if start[6] == 1 else 4
        length = int.from_bytes(stream.read(width), "little")
        if length > MAX_HEADER:
            _refuse(
                path, f"the header of {member.filename!r} is {length:,} bytes; {MAX_HEADER:,} are the most"
            )
        text = stream.read(length)
    order, kind, size, fortran, shape = _description(path, member.filename, text)
    begin, data_size = 8 + width + length, prod(shape) * size
    if begin + data_size != member.file_size:
        _refuse(
            path,
            f"{member.filename!r} with shape {list(shape)} needs {begin + data_size:,} bytes "
            f"and has {member.file_size:,}",
        )

    def data() -> bytes:
        try:
            with archive.open(member) as stream:
                stream.read(begin)
                numbers = stream.read(data_size)
                rest = stream.read(1)  # reading to the end is what compares the checksum
        except Exception as error:
            _refuse(path, f"{member.filename!r}: {_said(error)}")
        if len(numbers) != data_size or rest:
            _refuse(path, f"{member.filename!r} is not as long as it says")
        return _ordered(numbers, size, order == ">", shape if fortran else None)

    dtype = KINDS[kind] + ("" if kind == "b" else str(8 * size))
    return StoredTensor(member.filename.removesuffix(".npy"), shape, dtype, data)


def _description(path: str, name: str, text: bytes) -> tuple[str, str, int, bool, tuple[int, ...]]:
    """Byte order, kind, bytes of a number, column-major or not, and shape, from an .npy header."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what the parser thinks of a stranger's literals
            header = ast.literal_eval(text.decode("utf-8").strip())
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        header = None
    if not isinstance(header, dict) or header.keys() != {"descr", "fortran_order", "shape"}:
        _refuse(path, f"the header of {name!r} is damaged")
    described, fortran, shape = header["descr"], header["fortran_order"], checked_shape(header["shape"])
    if isinstance(described, str) and described.lstrip("|=<>").startswith("O"):
        _refuse(path, f"{name!r} holds Python objects, which could run code", "save it as an array of floats")
    parts = re.fullmatch(r"([<>|=]?)([fiub])([1248])", described if isinstance(described, str) else "")
    dtype = parts and KINDS[parts[2]] + ("" if parts[2] == "b" else str(8 * int(parts[3])))
    if not parts or dtype not in DTYPES or (parts[2] == "b" and parts[3] != "1"):
        _refuse(path, f"{name!r} is of the type {described!r:.60}", "save it as float32")
    if shape is None or not isinstance(fortran, bool):
        _refuse(path, f"the shape or order of {name!r} is damaged: {header['shape']!r:.80}")
    return parts[1], parts[2], int(parts[3]), fortran, shape


def _ordered(data: bytes, size: int, swapped: bool, columns_first: tuple[int, ...] | None) -> bytes:
    """The numbers little-endian and row-major; `columns_first`: the shape, if in Fortran's order."""
    if not swapped and (columns_first is None or len(columns_first) < 2):
        return data
    numbers = array({1: "B", 2: "H", 4: "I", 8: "Q"}[size], data)
    if swapped:
        numbers.byteswap()
    return (numbers if columns_first is None else _row_major(numbers, columns_first)).tobytes()


def _row_major(numbers: array[int], shape: tuple[int, ...]) -> array[int]:
    if len(shape) < 2 or not numbers:
        return numbers
    rows = array(numbers.typecode)
    for row in range(shape[0]):
        rows += _row_major(numbers[row :: shape[0]], shape[1:])
    return rows


def _said(error: Exception) -> str:
    return f"{error!s:.200}" or type(error).__name__


def _refuse(path: str, reason: str, hint: str = "save it again with numpy.savez") -> NoReturn:
    raise WeightsError(f"{path}: not a sound .npz file: {reason}", hint=hint)
