"""Matrices as users type them: `1 4 2 1; 5 8 3 4`, CSV files, letters.

`;` or a line break separates rows, blanks or commas separate values, `|` (in a file an empty line) separates
channels. A single row is a signal (one spatial dimension) unless a `;` ends it. Nested lists in Python's, NumPy's
or JSON's notation are read too: `[[1, 2], [3, 4]]`. In a CSV file with `;` between values, a comma is a decimal
sign.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

from convcalc.errors import ConvcalcError, UsageError
from convcalc.layer.symbols import Exact, Expression, has_letters, read, written
from convcalc.ops import Tensor

Typed = str | Sequence[Any]  # "1 2; 3 4", [[1, 2], [3, 4]], an array of NumPy's

MAX_VALUES = 1_000_000
MAX_BYTES = 16 * 2**20


class Matrix(NamedTuple):
    """Planes of equal size. decimal: True if decimals were typed, False if fractions were, else None.

    signal: whether a single row is a signal rather than a 1×n matrix.
    """

    planes: tuple[tuple[tuple[Any, ...], ...], ...]
    signal: bool = False
    decimal: bool | None = None

    @property
    def height(self) -> int:
        """Rows."""
        return len(self.planes[0])

    @property
    def width(self) -> int:
        """Columns."""
        return len(self.planes[0][0])

    @property
    def spatial(self) -> tuple[int, ...]:
        """`(height, width)`, or `(length,)` for a signal."""
        return (self.width,) if self.signal else (self.height, self.width)

    @property
    def values(self) -> list[Any]:
        """All values in row-major order, channel by channel."""
        return [value for plane in self.planes for row in plane for value in row]

    @property
    def tensor(self) -> Tensor:
        """`(C, *spatial)`."""
        return Tensor((len(self.planes), *self.spatial), self.values)

    @property
    def letters(self) -> bool:
        """Whether any value is a letter."""
        return has_letters(self.values)


def typed(given: Typed | Exact | float | Expression) -> str:
    """A matrix as text: text unchanged, lists and arrays in brackets with every value."""
    if isinstance(given, str):
        return given
    given = given.tolist() if hasattr(given, "tolist") else given
    if isinstance(given, Sequence):
        return f"[{', '.join(map(typed, given))}]"
    return written(given, minus="-").replace(" ", "") if isinstance(given, Expression) else str(given)


def several(given: Typed | Sequence[Typed]) -> list[str]:
    """One matrix or a list of matrices, as a list of texts; nested lists of numbers are one matrix."""
    if isinstance(given, str) or hasattr(given, "tolist"):
        return [typed(given)]
    if all(isinstance(item, str) or hasattr(item, "tolist") for item in given):
        return [typed(item) for item in given]
    return [typed(given)]


def parse(text: str, what: str) -> Matrix:
    """Parse a matrix given as an argument. Raises UsageError that names the row and the value."""
    return _matrix(_channels(text, what, UsageError), what, UsageError)


def _channels(text: str, what: str, error: type[ConvcalcError]) -> list[str]:
    """The text of each channel."""
    if text.lstrip().startswith("["):
        return _lists(text, what, error)
    return [part.strip() for part in text.split("|")]


def _lists(text: str, what: str, error: type[ConvcalcError]) -> list[str]:
    """Nested lists as texts of channels: `[1, 2]` is a signal, `[[1, 2]]` a matrix of one row."""
    rows: list[tuple[int, int, str]] = []  # depth of brackets, channel and values of each row
    depth = channel = 0
    before = ""
    for part in re.findall(r"[\[\]]|[^\[\]]+", text):
        if part == "[":
            depth += 1
        elif part == "]":
            depth -= 1
            channel += depth == 1
        elif part.strip(" ,\r\n\t"):
            if before != "[":
                raise error(f"{what}: '{part.strip()[:30]}' stands between brackets", hint=_LISTS)
            rows.append((depth, channel, " ".join(part.split()).strip(" ,")))  # NumPy wraps long rows
        if depth < 0:
            break
        before = part
    levels = {level for level, _, _ in rows}
    if depth or len(levels) > 1 or levels - {1, 2, 3} or (levels == {1} and len(rows) > 1):
        raise error(f"{what}: brackets that are uneven, open or more than three deep", hint=_LISTS)
    if levels <= {1}:
        return [row for _, _, row in rows]
    channels: dict[int, list[str]] = {}
    for level, place, row in rows:
        channels.setdefault(place if level == 3 else 0, []).append(row)
    return [";".join(lines) + ";" for lines in channels.values()]


_LISTS = "write a row as [1, 2], rows as [[1, 2], [3, 4]], channels as a list of those; or '1 2; 3 4'"


def load(path: str) -> Matrix:
    """Read a matrix from a CSV, text or JSON file, or from standard input for `-`. Raises ConvcalcError."""
    shown = "<stdin>" if path == "-" else path
    text = _read(path, shown)
    if text.lstrip().startswith("["):
        return _matrix(_lists(text, shown, ConvcalcError), shown, ConvcalcError)
    planes: list[list[str]] = [[]]
    for line in text.splitlines():
        if path.lower().endswith(".csv") and ";" in line:
            # written by spreadsheets in locales with a decimal comma
            line = line.replace(",", ".").replace(";", ",")
        if line.strip():
            planes[-1].append(line)
        elif planes[-1]:
            planes.append([])
    texts = ["\n".join(plane) for plane in planes if plane]
    return _matrix(texts, shown, ConvcalcError)


def _read(path: str, shown: str) -> str:
    try:
        if path == "-":
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        elif not stat.S_ISREG(os.stat(path).st_mode):
            raise ConvcalcError(f"{path}: not a regular file")
        else:
            with open(path, "rb") as file:
                data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConvcalcError(f"{path}: no such file", hint="check the path") from None
    except (OSError, ValueError) as error:
        raise ConvcalcError(f"{shown}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > MAX_BYTES:
        raise ConvcalcError(f"{shown}: larger than {MAX_BYTES // 2**20} MiB")
    if data.count(b"\n") > 2 * MAX_VALUES or data.count(b"[") > MAX_VALUES:
        raise ConvcalcError(f"{shown}: more lines or lists than {MAX_VALUES:,} values need")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        known = "not" if path == "-" else "neither an image nor"
        raise ConvcalcError(f"{shown}: {known} UTF-8 text") from None


def _matrix(texts: Sequence[str], what: str, error: type[ConvcalcError]) -> Matrix:
    values = (None for text in texts for _ in re.finditer(r"[^\s,;]+", text))
    if next(islice(values, MAX_VALUES, None), False) is None:  # stop counting at the limit
        raise error(f"{what}: more than {MAX_VALUES:,} values")
    planes = []
    signal = len(texts) >= 1
    for number, text in enumerate(texts, 1):
        where = what if len(texts) == 1 else f"{what}, channel {number}"
        signal = signal and ";" not in text and "\n" not in text.strip()
        rows = _rows(text, where, error)
        planes.append(rows)
    if not planes:
        raise error(f"{what}: no values", hint="write rows with ; between them: '1 2; 3 4'")
    sizes = [(len(plane), len(plane[0])) for plane in planes]
    for number, size in enumerate(sizes, 1):
        if size != sizes[0]:
            raise error(
                f"{what}: channel {number} is {size[0]}×{size[1]}, channel 1 is {sizes[0][0]}×{sizes[0][1]}",
                hint="all channels have the same size",
            )
    joined = "".join(texts)
    decimal = False if "/" in joined else True if "." in joined else None
    return Matrix(tuple(planes), signal, decimal)


def _rows(text: str, what: str, error: type[ConvcalcError]) -> tuple[tuple[Any, ...], ...]:
    rows: list[tuple[Any, ...]] = []
    lines = [line for line in text.replace("\n", ";").split(";") if line.strip(" \t\r,")]
    for number, line in enumerate(lines, 1):
        row = []
        for column, token in enumerate(line.replace(",", " ").replace("\t", " ").split(), 1):
            value = read(token.strip("\"'"))
            if value is None:
                shown = token if len(token) <= 30 else token[:27] + "..."
                raise error(
                    f"{what}: '{shown}' in row {number}, column {column} is neither a number nor a letter",
                    hint="write numbers such as 3, -0.5, 1/9, or letters such as a and x1, with blanks between",
                )
            row.append(value)
        if rows and len(row) != len(rows[0]):
            raise error(
                f"{what}: row {number} has {_values(len(row))}, row 1 has {_values(len(rows[0]))}",
                hint="every row needs the same number of values",
            )
        rows.append(tuple(row))
    if not rows:
        raise error(f"{what}: no values", hint="write rows with ; between them: '1 2; 3 4'")
    return tuple(rows)


def _values(count: int) -> str:
    return f"{count:,} value{'s' * (count != 1)}"
