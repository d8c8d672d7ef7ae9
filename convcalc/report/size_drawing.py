"""A character drawing of a window sliding over one axis."""

from __future__ import annotations

from collections.abc import Sequence

from convcalc.render.layout import Line, TextSpan
from convcalc.shapes import Axis

MARGIN = 14  # columns of the labels
SHOWN = 8  # windows drawn at most; of more, the first three and the last two
PIXEL, PADDING, READ, OMITTED = "cyan", "dim", "bold green", "dim"


def drawing(axis: Axis, width: int, label: str = "", *, written: int | None = None) -> list[Line]:
    """The axis as the last digits of its pixels' numbers, dots for padding, and below it one row per window.

    A long axis is cut in the middle. width: columns available, labels included. written: the axis is the output of a
    transposed convolution of so many pixels, and each row shows what one of them writes.
    """
    positions = axis.output if written is None else written
    end = max(axis.padded, (positions - 1) * axis.stride + axis.extent)
    columns = _columns(end, max(20, width - MARGIN))
    rows = [
        [TextSpan(label, "bold")],
        _ruler(axis, columns),
        _cells("axis" if written is None else "output", axis, columns),
    ]
    if not label:
        rows = rows[1:]
    shown = list(range(positions)) if positions <= SHOWN else [0, 1, 2, positions - 2, positions - 1]
    previous = -1
    for position in shown:
        if position > previous + 1:
            rows.append([TextSpan(f"{'':<{MARGIN}}⋮  {position - previous - 1:,} more", OMITTED)])
        rows.append(_window("window" if written is None else "input", axis, position, columns))
        previous = position
    missed = _missed("never covered" if written is None else "never written", axis, positions, columns)
    if missed:
        rows.append(missed)
    return rows


def _columns(end: int, width: int) -> list[int | None]:
    """The positions drawn, counted from the start of the padded axis; None at the cut."""
    if end <= width:
        return list(range(end))
    half = (width - 3) // 2
    return [*range(half), None, *range(end - half, end)]


def _row(label: str, cells: Sequence[TextSpan]) -> Line:
    """The cells as spans: neighbours of equal style are joined, trailing blanks dropped."""
    spans = [TextSpan(f"{label:<{MARGIN}}")]
    last = max((index for index, cell in enumerate(cells) if cell.text.strip()), default=-1)
    for cell in cells[: last + 1]:
        if spans[-1].style == cell.style:
            spans[-1] = TextSpan(spans[-1].text + cell.text, cell.style)
        else:
            spans.append(cell)
    return spans


def _ruler(axis: Axis, columns: Sequence[int | None]) -> Line:
    """The number of every tenth pixel."""
    text = [" "] * (len(columns) + 2 * columns.count(None) + 12)
    place = free = 0
    for column in columns:
        if column is None:
            place += 3
            continue
        pixel = column - axis.before
        if 0 <= pixel < axis.size and (pixel % 10 == 0) and place >= free:
            number = str(pixel)
            text[place : place + len(number)] = number
            free = place + len(number) + 1
        place += 1
    return _row("pixel", [TextSpan("".join(text).rstrip(), OMITTED)])


def _cells(label: str, axis: Axis, columns: Sequence[int | None]) -> Line:
    cells: list[TextSpan] = []
    for column in columns:
        if column is None:
            cells.append(TextSpan(" … ", OMITTED))
        elif 0 <= column - axis.before < axis.size:
            cells.append(TextSpan(str((column - axis.before) % 10), PIXEL))
        else:
            cells.append(TextSpan("·", PADDING))
    return _row(label, cells)


def _window(what: str, axis: Axis, position: int, columns: Sequence[int | None]) -> Line:
    start = position * axis.stride
    taps = range(start, start + axis.extent, axis.dilation)
    cells = [
        TextSpan("   ") if column is None else TextSpan("█", READ) if column in taps else TextSpan(" ")
        for column in columns
    ]
    return _row(f"{what} {position + 1:,}", cells)


def _missed(label: str, axis: Axis, positions: int, columns: Sequence[int | None]) -> Line:
    """A mark under every pixel that none of the windows at the positions reads; [] if there is none."""
    if axis.uncovered() == (0, 0) and positions == axis.output:
        return []
    cells: list[TextSpan] = []
    for column in columns:
        missed = (
            column is not None
            and 0 <= column - axis.before < axis.size
            and not is_read(axis, positions, column)
        )
        cells.append(TextSpan("×" if missed else "   " if column is None else " ", "red"))
    return _row(label, cells)


def is_read(axis: Axis, positions: int, place: int) -> bool:
    """Whether some window reads this position of the padded axis."""
    for tap in range(0, min(axis.extent, place + 1), axis.dilation):
        position, rest = divmod(place - tap, axis.stride)
        if rest == 0 and position < positions:
            return True
    return False
