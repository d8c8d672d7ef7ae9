"""A window sliding along one axis: the pixels with their numbers, the window's positions below them, what they make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from convcalc.render.drawing import lettering, palette
from convcalc.render.drawing.animation import Animation, Timed, durations
from convcalc.render.drawing.cells import DONE, RESULT, WINDOW, wrapped
from convcalc.render.drawing.scene import Item, Placed, Rectangle, Scene, Text
from convcalc.shapes import Axis

MARGIN, GAP = 16.0, 12.0
TITLE, LINE, LABEL, FORMULA = 15.0, 12.0, 12.0, 15.0
LEADING = 1.4
SIDES = ((14, 30.0), (24, 25.0), (42, 20.0))  # of a cell, by the number of cells; of more the axis is a bar
BAR = 640.0  # the length of a bar
MAX_CELLS = 42
ROW, HIGH = 22.0, 14.0  # from one window to the next; of a window's cells
BREAK = 30.0  # the gap where a long axis is cut
SHOWN, ENDS = 8, (3, 2)  # windows drawn at most; of more the first and the last
FRAMES = 60
MIN_PAGE = 320.0
MISSED = "pool"  # the fill of pixels that no window reads


class AxisFigure(NamedTuple):
    """A window on an axis. axis: the pixels that windows cover; positions: of the window; over, each, made: what the
    pixels, a position and what a position stands for are called: `input`, `window`, `output`, of a transposed
    convolution `output`, `pixel`, `input`; missed: columns of `visible` that no window reads; formulas: the letters
    and the numbers; notes: below them."""

    heading: str
    axis: Axis
    positions: int
    over: str
    each: str
    made: str
    missed: tuple[int, ...]
    missed_label: str
    formulas: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()


class _Places(NamedTuple):
    """Where the columns of the padded axis lie. starts: left ends by column; side: of a column; cut: whether some are
    left out."""

    starts: dict[int, float]
    side: float
    right: float
    bar: bool

    def span(self, first: int, last: int) -> tuple[float, float]:
        """Left and right ends of columns, both included."""
        return self.starts[first], self.starts[last] + self.side


Spot = tuple[str, int] | None  # a cell: of the pixels or of what is made, and its number
Spotted = tuple[Spot, Item]


class _Laid(NamedTuple):
    figure: AxisFigure
    places: _Places
    outputs: dict[int, float]  # left ends of the cells of what is made
    items: tuple[Spotted, ...]
    top: float  # of the pixels
    made: float  # the top of what is made
    bottom: float
    width: float
    boxes: tuple[Placed, ...]


def visible(axis: Axis, positions: int) -> list[int | None]:
    """The columns of the padded axis that are drawn, counted from its start; None where it is cut."""
    end = _end(axis, positions)
    if end <= MAX_CELLS:
        return list(range(end))
    half = (MAX_CELLS - 2) // 2 if end <= 1_000 else MAX_CELLS // 3  # longer numbers take wider cells
    if axis.extent + axis.stride > half:
        return list(range(end))  # as a bar
    return [*range(half), None, *range(end - half, end)]


def axis_scene(title: str, lines: Sequence[str], figures: Sequence[AxisFigure]) -> Scene:
    """Axes one below the other, each with the positions of its window, what they leave out, and the formula."""
    items, y = _heading(title, lines)
    width = MIN_PAGE
    boxes: list[Placed] = []
    for figure in figures:
        laid = _laid(figure, y + 14, windows=True)
        items += [item for _, item in laid.items]
        boxes += laid.boxes
        y, width = laid.bottom, max(width, laid.width)
    width = max(width, lettering.width(title, TITLE, bold=True) + 2 * MARGIN)
    described = " ".join(f"{figure.heading} {text}" for figure in figures for _, text in figure.formulas)
    return Scene(width, y + MARGIN, title, described, tuple(items), tuple(boxes))


def axis_animation(
    title: str, lines: Sequence[str], figures: Sequence[AxisFigure], delay: float | None = None
) -> Animation:
    """The window moves along each axis, axis after axis."""
    found = [(figure, _frames(figure)) for figure in figures]
    total = sum(len(shown) for _, shown in found)
    heading, y = _heading(title, lines)
    timed = [Timed(item, 0, total - 1) for item in heading]
    start, width, bottom = 0, MIN_PAGE, y
    boxes: tuple[Placed, ...] = ()
    for figure, shown in found:
        laid = _laid(figure, y + 14, windows=False)
        end = start + len(shown) - 1
        timed += [Timed(item, start, end, spot and (*spot, start)) for spot, item in laid.items]
        for number, position in enumerate(shown, start):
            if number < end and position in laid.outputs:
                cell = _made_cell(laid, position, DONE)
                timed += [Timed(item, number + 1, end, ("made", position, start), 1) for item in cell]
        for number, position in enumerate(shown, start):
            timed += [
                Timed(item, number, number, spot and (*spot, start), 2)
                for spot, item in _moment(laid, position)
            ]
        start, width, bottom = end + 1, max(width, laid.width), max(bottom, laid.bottom)
        boxes = laid.boxes if len(found) == 1 else ()
    width = max(width, lettering.width(title, TITLE, bold=True) + 2 * MARGIN)
    described = " ".join(text for figure in figures for _, text in figure.formulas)
    return Animation(
        width,
        bottom + MARGIN,
        title,
        described,
        tuple(timed),
        durations(total, delay),
        boxes,
        y + 4 if len(found) == 1 else 0.0,
    )


def _frames(figure: AxisFigure) -> list[int]:
    """The positions whose windows lie wholly in what is drawn; of many the first and the last."""
    columns = set(visible(figure.axis, figure.positions))
    extent, stride = figure.axis.extent, figure.axis.stride
    found = [
        position
        for position in _candidates(figure.positions)
        if {position * stride, position * stride + extent - 1} <= columns
        and not _across_the_cut(figure, position)
    ]
    if len(found) > FRAMES:
        found = [*found[: FRAMES // 2], *found[-FRAMES // 2 :]]
    return found or [0]


def _candidates(positions: int) -> Sequence[int]:
    if positions <= 2 * FRAMES:
        return range(positions)
    return [*range(FRAMES), *range(positions - FRAMES, positions)]


def _across_the_cut(figure: AxisFigure, position: int) -> bool:
    columns = visible(figure.axis, figure.positions)
    if None not in columns:
        return False
    cut = columns.index(None)
    first = position * figure.axis.stride
    return first < cut <= first + figure.axis.extent - 1


def _heading(title: str, lines: Sequence[str]) -> tuple[list[Item], float]:
    y = MARGIN + TITLE
    items: list[Item] = [Text(MARGIN, y, title, TITLE, bold=True)]
    y += 5
    for line in lines:
        y += LINE * LEADING
        items.append(Text(MARGIN, y, line, LINE, ink="muted"))
    return items, y


def _end(axis: Axis, positions: int) -> int:
    return max(axis.padded, (positions - 1) * axis.stride + axis.extent)


def _places(axis: Axis, positions: int, left: float) -> _Places:
    columns = visible(axis, positions)
    bar = len(columns) > MAX_CELLS
    side = BAR / len(columns)
    if not bar:
        longest = lettering.width(str(_end(axis, positions)), 10) + 3
        side = max(longest, next(side for count, side in SIDES if len(columns) <= count))
    starts: dict[int, float] = {}
    x = left
    for column in columns:
        if column is None:
            x += BREAK
            continue
        starts[column] = x
        x += side
    return _Places(starts, side, x, bar)


def _laid(figure: AxisFigure, top: float, *, windows: bool) -> _Laid:
    axis = figure.axis
    shown = _shown(figure) if windows else []
    labels = [f"{figure.each} {position + 1:,}" for position in shown]
    labels += [figure.over, figure.made] + ([figure.missed_label] if figure.missed else [])
    left = MARGIN + max(lettering.width(label, LABEL) for label in labels) + GAP
    places = _places(axis, figure.positions, left)
    high = max(places.side, 20.0) if not places.bar else 20.0
    y = top
    items: list[Item] = []
    spotted: list[Spotted] = []
    if figure.heading:
        y += LABEL
        items.append(Text(MARGIN, y, figure.heading, LABEL + 1, bold=True))
        y += 8
    y += 10 if places.bar else 0  # for the numbers at its ends
    pixels = y
    spotted += _pixels(figure, places, y, high)
    items.append(_side_label(figure.over, left, y + high / 2))
    y += high + 8
    previous = -1
    for position in shown:
        if position > previous + 1:
            text = f"{position - previous - 1:,} more"
            items.append(Text(left, y + HIGH / 2 + LABEL * 0.36, text, LABEL, ink="muted"))
            y += ROW
        items += _window(figure, places, position, y)
        items.append(_side_label(f"{figure.each} {position + 1:,}", left, y + HIGH / 2))
        y += ROW
        previous = position
    if figure.missed:
        y += 2
        for column in figure.missed:
            start, end = places.span(column, column)
            items.append(Rectangle(start, y, end - start, HIGH, MISSED, None if places.bar else "line", 0.8))
        items.append(_side_label(figure.missed_label, left, y + HIGH / 2))
        y += ROW
    y += 6
    made = y
    outputs = _outputs(figure, places, left)
    spotted += _made(figure, places, outputs, y, filled=windows)
    items.append(_side_label(figure.made, left, y + _made_side(figure, places) / 2))
    y += _made_side(figure, places) + 6
    widest = places.right
    for letters, numbers in figure.formulas:
        y += LINE * 1.7
        items.append(Text(MARGIN, y, letters, LINE, ink="muted"))
        y += FORMULA * 1.4
        items.append(Text(MARGIN, y, numbers, FORMULA, bold=True))
        widest = max(
            widest,
            MARGIN + lettering.width(numbers, FORMULA, bold=True),
            MARGIN + lettering.width(letters, LINE),
        )
    for note in figure.notes:
        for part in wrapped(note, max(widest, MIN_PAGE) - MARGIN, LINE):
            y += LINE * LEADING
            items.append(Text(MARGIN, y + 2, part, LINE, ink="muted"))
    if not windows:
        y += LINE * 2
    box = Placed(f"{figure.heading} {figure.over}", figure.over, left, pixels, places.right, pixels + high)
    spotted += [(None, item) for item in items]
    return _Laid(
        figure, places, outputs, tuple(spotted), pixels, made, y, max(widest + MARGIN, MIN_PAGE), (box,)
    )


def _side_label(text: str, left: float, middle: float) -> Text:
    return Text(left - GAP, middle + LABEL * 0.36, text, LABEL, anchor="end")


def _shown(figure: AxisFigure) -> list[int]:
    if figure.positions <= SHOWN:
        wanted = list(range(figure.positions))
    else:
        first, last = ENDS
        wanted = [*range(first), *range(figure.positions - last, figure.positions)]
    drawn = [position for position in wanted if not _across_the_cut(figure, position)]
    columns = set(visible(figure.axis, figure.positions))
    return [position for position in drawn if position * figure.axis.stride in columns]


def _pixels(figure: AxisFigure, places: _Places, top: float, high: float) -> Iterator[Spotted]:
    """The padded axis: cells with the pixels' numbers, or a bar with the first and the last one's."""
    axis = figure.axis
    if places.bar:
        start, end = places.span(0, max(places.starts))
        yield None, Rectangle(start, top, end - start, high, "padding", "frame-line", 0.8)
        start, end = places.span(axis.before, axis.before + axis.size - 1)
        yield ("bar", 0), Rectangle(start, top, end - start, high, "paper", "line", 0.8)
        yield None, Text(start, top - 4, "0", 11, ink="muted")
        yield None, Text(end, top - 4, str(axis.size - 1), 11, ink="muted", anchor="end")
        return
    real = range(axis.before, axis.before + axis.size)
    for column in sorted(places.starts, key=lambda column: column in real):
        for item in _pixel(figure, places, column, top, high, None):
            yield ("pixel", column), item
    cut = _cut(places)
    if cut is not None:
        yield None, Text(cut, top + high / 2 + 3, "…", 14, ink="muted", anchor="middle")


def _pixel(
    figure: AxisFigure, places: _Places, column: int, top: float, high: float, fill: str | None
) -> Iterator[Item]:
    """A cell of the padded axis. fill: None for its own."""
    axis = figure.axis
    left = places.starts[column]
    inside = axis.before <= column < axis.before + axis.size
    own = fill or ("paper" if inside else "padding")
    ink = {"paper": "ink", "padding": "muted"}.get(own) or palette.on(own)
    yield Rectangle(left, top, places.side, high, own, palette.border(own), 0.8)
    if inside:  # what has no number is padding
        yield _number(column - axis.before, left, top + high / 2, places.side, ink)


def _cut(places: _Places) -> float | None:
    """The middle of the gap where the axis is cut."""
    columns = sorted(places.starts)
    for before, after in pairwise(columns):
        if after > before + 1:
            return places.starts[before] + places.side + BREAK / 2
    return None


def _number(number: int, left: float, middle: float, side: float, ink: str) -> Text:
    size = 11.0 if side >= 24 else 10.0
    x = left + side / 2
    return Text(x, middle + size * 0.36, str(number), size, False, ink, "middle")


def _window(figure: AxisFigure, places: _Places, position: int, top: float) -> Iterator[Item]:
    """A position: the pixels it reads, between them those that dilation leaves out."""
    axis = figure.axis
    first = position * axis.stride
    taps = range(first, first + axis.extent, axis.dilation)
    start, end = places.span(first, first + axis.extent - 1)
    if axis.dilation > 1:
        yield Rectangle(start, top + HIGH / 2 - 1, end - start, 2, "line", None)
    if places.bar and axis.dilation == 1:
        yield Rectangle(start, top, max(end - start, 1.5), HIGH, WINDOW, palette.border(WINDOW), 0.8)
        return
    for tap in taps:
        left, right = places.span(tap, tap)
        yield Rectangle(left, top, max(right - left, 1.0), HIGH, WINDOW, palette.border(WINDOW), 0.8)


def _made_side(figure: AxisFigure, places: _Places) -> float:
    longest = lettering.width(str(figure.positions), 10) + 3
    return max(20.0, longest) if places.bar else max(places.side, 20.0)


def _outputs(figure: AxisFigure, places: _Places, left: float) -> dict[int, float]:
    """The left ends of the cells of what is made; {} if there are too many to be seen."""
    side = _made_side(figure, places)
    most = max(3, int((places.right - left) / side))
    if figure.positions <= most:
        return {position: left + position * side for position in range(figure.positions)}
    half = max(1, int((places.right - left - BREAK) / side / 2))
    cells = {position: left + position * side for position in range(half)}
    start = left + half * side + BREAK
    return cells | {figure.positions - half + place: start + place * side for place in range(half)}


def _made(
    figure: AxisFigure, places: _Places, outputs: dict[int, float], top: float, *, filled: bool
) -> Iterator[Spotted]:
    side = _made_side(figure, places)
    for position, left in outputs.items():
        spot = ("made", position)
        fill = DONE if filled else "paper"
        yield spot, Rectangle(left, top, side, side, fill, palette.border(fill), 0.8)
        ink = palette.on(DONE) if filled else "muted"
        yield spot, _number(position, left, top + side / 2, side, ink)
    if len(outputs) < figure.positions:
        half = len(outputs) // 2
        x = list(outputs.values())[half - 1] + side + BREAK / 2
        yield None, Text(x, top + side / 2 + 3, "…", 14, ink="muted", anchor="middle")


def _made_cell(laid: _Laid, position: int, fill: str) -> Iterator[Item]:
    side = _made_side(laid.figure, laid.places)
    left = laid.outputs[position]
    yield Rectangle(left, laid.made, side, side, fill, palette.border(fill), 0.8)
    yield _number(position, left, laid.made + side / 2, side, palette.on(fill))


def _moment(laid: _Laid, position: int) -> Iterator[Spotted]:
    """The window at a position, on the pixels themselves, what it makes, and what is said of it."""
    figure, places = laid.figure, laid.places
    axis = figure.axis
    first = position * axis.stride
    high = max(places.side, 20.0) if not places.bar else 20.0
    start, end = places.span(first, first + axis.extent - 1)
    if places.bar:
        yield (
            None,
            Rectangle(start, laid.top, max(end - start, 2.0), high, WINDOW, palette.border(WINDOW), 1.2),
        )
    else:
        for tap in range(first, first + axis.extent, axis.dilation):
            for item in _pixel(figure, places, tap, laid.top, high, WINDOW):
                yield ("pixel", tap), item
        dashed = axis.dilation > 1
        yield None, Rectangle(start, laid.top, end - start, high, None, "line", 2.4, dashed=dashed)
    if position in laid.outputs:
        for item in _made_cell(laid, position, RESULT):
            yield ("made", position), item
    low, last = first - axis.before, first - axis.before + axis.extent - 1
    text = f"{figure.each} {position + 1:,} of {figure.positions:,}: pixels {_signed(low)} to {_signed(last)}"
    if low < 0 or last >= axis.size:
        text += ", in part padding"
    yield None, Text(MARGIN, laid.bottom - 2, text, LINE)


def _signed(number: int) -> str:
    return f"−{-number}" if number < 0 else str(number)
