"""A vector as bars: in one row, or in several below one another, on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, isfinite, log10

from convcalc.render.drawing import lettering
from convcalc.render.drawing.scene import Item, Polyline, Rectangle, Scene, Text
from convcalc.render.drawing.sheet import LINE, MARGIN, TITLE, WIDTH, WRONG, Heading

WIDE = WIDTH + 2 * MARGIN
MAX_ROW, MAX_ROWS = 512, 4  # bars in a row, unless there would be more rows
MAX_LABELLED = 20  # bars that have their number below and their value above
MAX_PITCH = 140  # pixels from one bar to the next
ROOM = 640  # pixels for all rows


def scene(
    heading: Heading,
    values: Sequence[float],
    low: float,
    high: float,
    *,
    first: int = 0,
    marked: int | None = None,
) -> Scene:
    """The bars of a vector. low, high: the ends of the scale, 0 between them; first: the number of the first bar;
    marked: the place of one to stand out. What is no finite number has a bar over the whole height, in a colour."""
    title, line = round(TITLE * WIDE), round(LINE * WIDE)
    y = MARGIN + lettering.ABOVE * title
    room = WIDE - 2 * MARGIN
    items: list[Item] = [
        Text(MARGIN, y, lettering.cut(heading.title, room, title, bold=True), title, bold=True)
    ]
    y += 0.35 * title
    for words in heading.lines:
        y += 1.3 * line
        items.append(Text(MARGIN, y, lettering.cut(words, room, line), line, ink="muted"))
    y += 1.2 * line
    rows = min(MAX_ROWS, ceil(len(values) / MAX_ROW))
    count = ceil(len(values) / rows)
    height = ROOM / rows - 1.6 * line
    for row in range(rows):
        part = values[row * count : (row + 1) * count]
        mark = None if marked is None else marked - row * count
        items += _row(part, low, high, y, height, count, first + row * count, mark, line)
        y += height + 1.6 * line
    return Scene(WIDE, y + MARGIN / 2, heading.title, " ".join(heading.lines), tuple(items))


def _row(
    values: Sequence[float],
    low: float,
    high: float,
    top: float,
    height: float,
    count: int,
    first: int,
    marked: int | None,
    line: int,
) -> list[Item]:
    """A row of `count` places."""
    few = len(values) <= MAX_LABELLED and count == len(values)
    size = float(line if few else round(0.75 * line))
    written = rounded(values) if few else []
    widest = max((lettering.width(text, 1) for text in written), default=0.0)
    if widest:
        size = min(size, 0.94 * (WIDE - 2 * MARGIN) / count / widest)
    head = 1.3 * size if few else 0.0  # room for the values over their bars
    foot = 1.3 * size if few and low < 0 else 0.0
    spread = high - low or 1.0
    full = height - head - foot
    zero = top + head + full * high / spread
    axis = MARGIN if few else MARGIN + 3.6 * size
    pitch = min((WIDE - MARGIN - axis) / count, MAX_PITCH)
    gap = pitch * 0.2 if pitch >= 4 else 0.0
    items: list[Item] = []
    for place, value in enumerate(values):
        left = axis + place * pitch
        fill = "conv" if place == marked or not few else "block"
        if not isfinite(value):
            items.append(Rectangle(left, top + head, pitch - gap, full, WRONG, None))
            continue
        end = zero - full * value / spread
        items.append(Rectangle(left, min(zero, end), pitch - gap, abs(end - zero), fill, None))
        if few:
            over = end - 0.35 * size if value >= 0 else end + 1.0 * size
            items.append(Text(left + (pitch - gap) / 2, over, written[place], size, anchor="middle"))
    items.append(Polyline(((axis, zero), (WIDE - MARGIN, zero)), "line", 1.0))
    for value, y in ((high, top + head), (low, top + head + full)):
        if not few:
            items.append(Text(axis - 6, y + 0.38 * size, short(value), size, ink="muted", anchor="end"))
    base = top + height + 1.05 * size
    if few:
        middles = [axis + (place + 0.5) * pitch - gap / 2 for place in range(len(values))]
        numbers = [(x, str(first + place), "middle") for place, x in enumerate(middles)]
    else:
        numbers = [(axis, str(first), "start")]
        if len(values) > 1:
            numbers.append((axis + len(values) * pitch, str(first + len(values) - 1), "end"))
    for x, text, anchor in numbers:
        items.append(Text(x, base, text, size, ink="muted", anchor=anchor))  # type: ignore[arg-type]
    return items


def rounded(values: Sequence[float]) -> list[str]:
    """Numbers with as many decimals as give the largest three digits."""
    largest = max((abs(value) for value in values if isfinite(value)), default=0.0)
    if not 1e-4 <= largest < 1e6:
        return [short(value) for value in values]
    decimals = max(0, 2 - floor(log10(largest)))
    return [f"{value:.{decimals}f}".replace("-", "−") for value in values]


def short(value: float) -> str:
    """Three digits: `0.988`, `−12.5`, `3e−05`."""
    return f"{value:.3g}".replace("-", "−")
