"""NumPy's .npz files, read and written without NumPy: a zip archive of .npy arrays (numpy.org, "NPY format").

Object arrays would need pickle and are refused. The declared sizes of an archive are checked against its size and
the arrays' shapes before anything is decompressed.
"""

from __future__ import annotations

import ast
import re
import struct
import sys
import warnings
import zlib
from array import array
from collections.abc import Mapping
from math import prod
from typing import NoReturn

from convcalc.errors import WeightsError
from convcalc.weights.tensors import DTYPES, StoredTensor, checked_shape, quoted
from convcalc.weights.zips import BadArchive, Member, members

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
    try:
        found = members(path, "NumPy")
        strangers = [name for name in found if not name.endswith(".npy")]
        if not found or strangers:
            held = f"a member {quoted(strangers[0])}" if strangers else "no member"
            _refuse(path, f"an .npz has only .npy arrays, this archive has {held}")
        parse = _Headers(path)
        tensors = [_tensor(path, member, parse) for member in found.values()]
    except BadArchive as error:
        _refuse(path, str(error))
    except (WeightsError, PermissionError):
        raise
    except Exception as error:  # zipfile and zlib raise all kinds of exceptions for damaged files
        _refuse(path, _error_text(error))
    return {tensor.name: tensor for tensor in tensors}


def _tensor(path: str, member: Member, parse: _Headers) -> StoredTensor:
    start = member.start(USUAL_START)
    if start[:6] != b"\x93NUMPY" or start[6:8] not in (b"\1\0", b"\2\0", b"\3\0"):
        _refuse(path, f"{quoted(member.name)} is not an .npy array of version 1, 2 or 3")
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(start[8 : 8 + width], "little")
    if length > MAX_HEADER:
        _refuse(path, f"the header of {quoted(member.name)} is {length:,} bytes; {MAX_HEADER:,} are the most")
    begin = 8 + width + length
    if begin > USUAL_START:
        start = member.start(begin)
    order, kind, size, fortran, shape = parse(member.name, start[8 + width : begin])
    data_size = prod(shape) * size
    if begin + data_size != member.size:
        _refuse(
            path,
            f"{quoted(member.name)} with shape {list(shape)} needs {begin + data_size:,} bytes "
            f"and has {member.size:,}",
        )

    def data() -> bytes | memoryview:
        try:
            numbers = memoryview(member.content())[begin:]
        except (BadArchive, zlib.error) as error:
            _refuse(path, _error_text(error))
        return _as_row_major(numbers, size, order == ">", shape if fortran else None)

    dtype = KINDS[kind] + ("" if kind == "b" else str(8 * size))
    return StoredTensor(member.name.removesuffix(".npy"), shape, dtype, data)


class _Headers:
    """Parser of .npy headers: byte order, kind, bytes per number, column-major or not, and shape."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.odd = 0

    def __call__(self, name: str, text: bytes) -> tuple[str, str, int, bool, tuple[int, ...]]:
        usual = USUAL.fullmatch(text)
        if usual:
            shape = tuple(map(int, usual[3].replace(b",", b" ").split()))
            return _checked(self.path, name, usual[1].decode(), usual[2] == b"True", shape)
        self.odd += 1
        if self.odd > MAX_ODD:
            _refuse(self.path, f"more than {MAX_ODD} of its headers are not as NumPy writes them")
        return _description(self.path, name, text)


def _description(path: str, name: str, text: bytes) -> tuple[str, str, int, bool, tuple[int, ...]]:
    """Byte order, kind, bytes per number, column-major or not, and shape, from an .npy header."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # syntax warnings about literals in the header
            header = ast.literal_eval(text.decode("utf-8").strip())
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        header = None
    if not isinstance(header, dict) or header.keys() != {"descr", "fortran_order", "shape"}:
        _refuse(path, f"the header of {quoted(name)} is damaged")
    return _checked(path, name, header["descr"], header["fortran_order"], header["shape"])


def _checked(
    path: str, name: str, described: object, fortran: object, given: object
) -> tuple[str, str, int, bool, tuple[int, ...]]:
    shape = checked_shape(given)
    if isinstance(described, str) and described.lstrip("|=<>").startswith("O"):
        _refuse(
            path,
            f"{quoted(name)} holds Python objects, which could run code",
            "save it as an array of floats",
        )
    parts = re.fullmatch(r"([<>|=]?)([fiub])([1248])", described if isinstance(described, str) else "")
    dtype = parts and KINDS[parts[2]] + ("" if parts[2] == "b" else str(8 * int(parts[3])))
    if not parts or dtype not in DTYPES or (parts[2] == "b" and parts[3] != "1"):
        _refuse(path, f"{quoted(name)} is of the type {described!r:.60}", "save it as float32")
    if shape is None or not isinstance(fortran, bool):
        _refuse(path, f"the shape or order of {quoted(name)} is damaged: {given!r:.80}")
    return parts[1], parts[2], int(parts[3]), fortran, shape


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


def _refuse(path: str, reason: str, hint: str = "save it again with numpy.savez") -> NoReturn:
    raise WeightsError(f"{path}: not a valid .npz file: {reason}", hint=hint)


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
