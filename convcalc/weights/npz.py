"""NumPy's .npy and .npz files, read and written without NumPy (numpy.org, "NPY format"): an array, and a zip archive of
arrays.

Object arrays would need pickle and are refused. The declared sizes of an archive are checked against its size and
the arrays' shapes before anything is decompressed.
"""

from __future__ import annotations

import ast
import mmap
import os
import re
import struct
import sys
import warnings
import zlib
from array import array
from collections.abc import Callable, Mapping
from math import prod
from typing import NamedTuple, NoReturn

from convcalc.errors import WeightsError
from convcalc.weights.tensors import DTYPES, StoredTensor, checked_shape, quoted
from convcalc.weights.zips import BadArchive, members

MAX_HEADER = 10_000  # NumPy's own limit
USUAL_START = 1024  # enough bytes for nearly every header
MAX_ODD = 256  # headers in another layout than NumPy's; each needs Python's parser
KINDS = {"f": "F", "i": "I", "u": "U", "b": "BOOL"}
# A header in NumPy's layout.
USUAL = re.compile(
    rb"\s*\{\s*'descr'\s*:\s*'([<>|=]?[fiub][1248])'\s*,\s*'fortran_order'\s*:\s*(True|False)\s*,"
    rb"\s*'shape'\s*:\s*\((\s*|(?:\s*(?:0|[1-9]\d{0,17})\s*,)+(?:\s*(?:0|[1-9]\d{0,17})\s*)?)\)\s*,?\s*\}\s*"
)


def read(path: str) -> dict[str, StoredTensor]:
    """The arrays of an .npz file in order. Raises WeightsError unless all headers are valid.

    Damaged values are detected by their checksum when a tensor is read.
    """
    parse = _Headers(path, "npz", "numpy.savez")
    try:
        found = members(path, "NumPy")
        strangers = [name for name in found if not name.endswith(".npy")]
        if not found or strangers:
            held = f"a member {quoted(strangers[0])}" if strangers else "no member"
            parse.refuse(f"an .npz has only .npy arrays, this archive has {held}")
        tensors = [
            _array(member.name, member.start, member.size, member.content, parse) for member in found.values()
        ]
    except BadArchive as error:
        parse.refuse(str(error))
    except (WeightsError, PermissionError):
        raise
    except Exception as error:  # zipfile and zlib raise all kinds of exceptions for damaged files
        parse.refuse(_error_text(error))
    return {tensor.name: tensor for tensor in tensors}


def read_npy(path: str) -> StoredTensor:
    """The array of an .npy file, memory-mapped, under the file's name without folder and suffix. Raises WeightsError
    unless the file is one whole array of numbers, OSError if it cannot be opened."""
    parse = _Headers(path, "npy", "numpy.save")
    name = os.path.basename(path)
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if not size:
            parse.refuse("the file is empty")
        mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    return _array(name, lambda count: bytes(mapped[:count]), size, lambda: mapped, parse)


def _array(
    name: str,
    first: Callable[[int], bytes],
    size: int,
    content: Callable[[], bytes | memoryview],
    parse: _Headers,
) -> StoredTensor:
    """One array in NumPy's format. first: returns at most so many first bytes; size: the number of all bytes; content:
    returns them."""
    start = first(USUAL_START)
    if start[:6] != b"\x93NUMPY" or start[6:8] not in (b"\1\0", b"\2\0", b"\3\0"):
        parse.refuse(f"{quoted(name)} is not an .npy array of version 1, 2 or 3")
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(start[8 : 8 + width], "little")
    if length > MAX_HEADER:
        parse.refuse(f"the header of {quoted(name)} is {length:,} bytes; {MAX_HEADER:,} are the most")
    begin = 8 + width + length
    if begin > USUAL_START:
        start = first(begin)
    header = parse(name, start[8 + width : begin])
    needed = begin + prod(header.shape) * header.width
    if needed != size:
        parse.refuse(
            f"{quoted(name)} with shape {list(header.shape)} needs {needed:,} bytes and has {size:,}"
        )

    def data() -> bytes | memoryview:
        try:
            numbers = memoryview(content())[begin:]
        except (BadArchive, zlib.error) as error:
            parse.refuse(_error_text(error))
        return _as_row_major(
            numbers, header.width, header.order == ">", header.shape if header.column_major else None
        )

    return StoredTensor(name.removesuffix(".npy"), header.shape, header.dtype, data)


class Header(NamedTuple):
    """What an .npy header says. order: `<`, `>`, `|` or `=`; dtype: by safetensors' names; width: bytes a number."""

    order: str
    dtype: str
    width: int
    column_major: bool
    shape: tuple[int, ...]


class _Headers:
    """Parser of the .npy headers of a file. form: the kind of file; writer: NumPy's function that writes one."""

    def __init__(self, path: str, form: str, writer: str) -> None:
        self._path, self._form, self._writer = path, form, writer
        self._odd = 0

    def refuse(self, reason: str, hint: str | None = None) -> NoReturn:
        """Raises WeightsError."""
        raise WeightsError(
            f"{self._path}: not a valid .{self._form} file: {reason}",
            hint=hint or f"save it again with {self._writer}",
        )

    def __call__(self, name: str, text: bytes) -> Header:
        usual = USUAL.fullmatch(text)
        if usual:
            shape = tuple(map(int, usual[3].replace(b",", b" ").split()))
            return self._checked(name, usual[1].decode(), usual[2] == b"True", shape)
        self._odd += 1
        if self._odd > MAX_ODD:
            self.refuse(f"more than {MAX_ODD} of its headers are not as NumPy writes them")
        return self._unusual(name, text)

    def _unusual(self, name: str, text: bytes) -> Header:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # syntax warnings about literals in the header
                header = ast.literal_eval(text.decode("utf-8").strip())
        except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
            header = None
        if not isinstance(header, dict) or header.keys() != {"descr", "fortran_order", "shape"}:
            self.refuse(f"the header of {quoted(name)} is damaged")
        return self._checked(name, header["descr"], header["fortran_order"], header["shape"])

    def _checked(self, name: str, described: object, column_major: object, given: object) -> Header:
        shape = checked_shape(given)
        if isinstance(described, str) and described.lstrip("|=<>").startswith("O"):
            self.refuse(
                f"{quoted(name)} holds Python objects, which could run code",
                "save it as an array of floats",
            )
        parts = re.fullmatch(r"([<>|=]?)([fiub])([1248])", described if isinstance(described, str) else "")
        dtype = parts and KINDS[parts[2]] + ("" if parts[2] == "b" else str(8 * int(parts[3])))
        if not parts or dtype not in DTYPES or (parts[2] == "b" and parts[3] != "1"):
            self.refuse(f"{quoted(name)} is of the type {described!r:.60}", "save it as float32")
        if shape is None or not isinstance(column_major, bool):
            self.refuse(f"the shape or order of {quoted(name)} is damaged: {given!r:.80}")
        return Header(parts[1], dtype or "", int(parts[3]), column_major, shape)


def _as_row_major(
    data: memoryview, size: int, swapped: bool, columns_first: tuple[int, ...] | None
) -> bytes | memoryview:
    """The numbers little-endian and row-major. columns_first: the shape if they are stored in Fortran order."""
    if not swapped and (columns_first is None or len(columns_first) < 2):
        return data
    numbers = array({1: "B", 2: "H", 4: "I", 8: "Q"}[size], data.tobytes())
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


def _error_text(error: Exception) -> str:
    return f"{error!s:.200}" or type(error).__name__


# -- writing ---------------------------------------------------------------------------------------------------


def npy(shape: tuple[int, ...], kind: str, values: array[float] | array[int]) -> bytes:
    """Numbers in NumPy's .npy format, version 1.0. kind: NumPy's name of the type: `<f8`, `<i4`."""
    described = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {tuple(shape)!r}, }}"
    header = described.ljust(-(-(len(described) + 11) // 64) * 64 - 11) + "\n"
    if sys.byteorder == "big":
        values = values[:]
        values.byteswap()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + values.tobytes()


def npz(arrays: Mapping[str, bytes]) -> bytes:
    """NumPy's .npz: a compressed zip of .npy files."""
    import io
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in arrays.items():
            archive.writestr(f"{name}.npy", data)
    return out.getvalue()
