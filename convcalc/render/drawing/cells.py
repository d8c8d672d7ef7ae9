"""Matrices as numbered cells: the figure of one layer's input, kernel and output, still or with its window moving."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from convcalc.images.rasters import Raster
from convcalc.render.drawing import lettering, palette
from convcalc.render.drawing.animation import Animation, Timed, durations
from convcalc.render.drawing.scene import (
    Item,
    Picture,
    Placed,
    Polyline,
    Rectangle,
    Scene,
    Text,
)

Place = tuple[int, int]  # row and column of a cell

SIDE = 34.0  # of a cell; it is wider where its text is
SIZE = 14.0  # of a number
MIN_SIZE = 10.0  # of a text whose cell would be wider than MAX_WIDTH
MAX_WIDTH = 260.0
CORNER = 10.0  # of the weight in the corner of a covered cell
HEADING, TITLE, LINE, WORKING = 12.0, 15.0, 12.0, 14.0
LEADING = 1.4  # lines of text, in their sizes
MARGIN = 16.0
APART = 40.0  # between columns of matrices: room for a sign
STACK = 16.0  # between matrices of one column
MIN_PAGE, MAX_TITLE, MAX_LINE = 300.0, 560.0, 460.0
PICTURE = 320.0  # the longest side of a matrix drawn as a picture
SIGN = 22.0

WINDOW, RESULT, DONE = "accent", "conv", "block"  # fills: what is read, what comes out, what came out before


class Grid(NamedTuple):
    """A matrix. rows: the texts of its cells; faint: cells of the padding; hidden: no cell is drawn but those that a
    step marks; cornered: steps write into the corners of its cells; numbers: the rows' and columns' own; picture: the
    matrix as an image instead of cells; below: what is written under it; fill: of the cells; fills: of some of them;
    side: of a cell; size: of its text."""

    heading: str
    rows: tuple[tuple[str, ...], ...] = ()
    faint: frozenset[Place] = frozenset()
    hidden: bool = False
    cornered: bool = False
    numbers: tuple[Sequence[int | str], Sequence[int | str]] | None = None
    picture: Raster | None = None
    below: str = ""
    fill: str = "paper"
    fills: Mapping[Place, str] = {}
    side: float = SIDE
    size: float = SIZE


class Mark(NamedTuple):
    """How a step paints a cell: its fill, its text, and what stands in its corner."""

    fill: str
    text: str
    corner: str = ""


class Outline(NamedTuple):
    """A rectangle of cells with a heavy border, both ends included. dashed: not all of its cells are read."""

    grid: int
    first: Place
    last: Place
    dashed: bool = False


class Step(NamedTuple):
    """One position. marks, done: cells by the number of their matrix, painted in this step only, and from the next one
    on; outlines: around what is read; label, working: `step 3 of 9`, `1·1 + 4·0 = 1`."""

    label: str
    working: str
    marks: Mapping[int, Mapping[Place, Mark]]
    done: Mapping[int, Mapping[Place, Mark]]
    outlines: tuple[Outline, ...] = ()


class Panel(NamedTuple):
    """One layer's figure. lines: below the title. columns: its matrices, each column one below the other, numbered in
    this order. signs: between the columns: `*`, `=` or `→`. aligned: all matrices have cells of one width."""

    title: str
    lines: tuple[str, ...]
    columns: tuple[tuple[Grid, ...], ...]
    signs: tuple[str, ...] = ()
    aligned: bool = False


Spot = tuple[int, Place] | None  # a cell, by the number of its matrix
Spotted = tuple[Spot, Item]


class Laid(NamedTuple):
    """A matrix with the place of its cells. wide: of a cell; size: of its texts; width, height: of all cells."""

    number: int
    grid: Grid
    left: float
    top: float
    wide: float
    size: float
    width: float
    height: float

    def cell(self, place: Place) -> tuple[float, float]:
        """Left and top of a cell."""
        return self.left + place[1] * self.wide, self.top + place[0] * self.grid.side


class Layout(NamedTuple):
    """A panel with the place of everything. still: what no step changes; working: where that of a step begins; head:
    where title and lines end."""

    width: float
    height: float
    matrices: tuple[Laid, ...]
    still: tuple[Spotted, ...]
    working: float
    head: float


def figure(panels: Sequence[Panel], title: str, example: Step | None = None) -> Scene:
    """Panels one below the other, in one still drawing. example: a step that is drawn on each."""
    items: list[Item] = []
    boxes: list[Placed] = []
    width = top = 0.0
    for panel in panels:
        laid = _laid(panel, (), top)
        items += [item for _, item in laid.still]
        if example is not None:
            for grid, cells in example.marks.items():
                for place, mark in cells.items():
                    items += _cell(laid.matrices[grid], place, mark)
            items += _outlined(laid, example)
        boxes += _boxes(laid.matrices)
        width, top = max(width, laid.width), top + laid.height
    return Scene(width, top, title, described(panels), tuple(items), tuple(boxes))


def animation(
    panels: Sequence[tuple[Panel, Sequence[Step]]], title: str, delay: float | None = None
) -> Animation:
    """The steps of panels, panel after panel on the same page. delay: seconds of a step."""
    laid = [_laid(panel, steps, 0.0) for panel, steps in panels]
    width, height = max(each.width for each in laid), max(each.height for each in laid)
    frames = sum(len(steps) for _, steps in panels)
    items: list[Timed] = []
    start = 0
    for (_, steps), placed in zip(panels, laid, strict=True):
        end = start + len(steps) - 1
        items += [Timed(item, start, end, spot) for spot, item in placed.still]
        for number, step in enumerate(steps, start):
            for grid, cells in step.done.items() if number < end else ():
                for place, mark in cells.items():
                    cell = _cell(placed.matrices[grid], place, mark)
                    items += [Timed(item, number + 1, end, (grid, place), number + 1) for item in cell]
        for spot, mark, first, last in _runs(steps):
            cell = _cell(placed.matrices[spot[0]], spot[1], mark, bold=True)
            items += [Timed(item, start + first, start + last, spot, frames + 1) for item in cell]
        for number, step in enumerate(steps, start):
            items += [Timed(item, number, number) for item in _above_all(placed, step)]
        start = end + 1
    boxes = _boxes(laid[0].matrices) if len(laid) == 1 else ()
    return Animation(
        width,
        height,
        title,
        described([panel for panel, _ in panels]),
        tuple(items),
        durations(frames, delay),
        tuple(boxes),
        laid[0].head if len(laid) == 1 else 0.0,
    )


def described(panels: Sequence[Panel]) -> str:
    """The figure for readers who do not see it."""
    return " ".join(
        f"{panel.title}. "
        + " ".join(
            f"{grid.heading}: {'; '.join(' '.join(row) for row in grid.rows)}."
            for column in panel.columns
            for grid in column
            if any(map(any, grid.rows)) and sum(map(len, grid.rows)) <= 400
        )
        for panel in panels
    )


# -- places -------------------------------------------------------------------------------------------------


def _laid(panel: Panel, steps: Sequence[Step], top: float) -> Layout:
    sizes = _sizes(panel, steps)
    columns: list[list[tuple[Grid, float, float, float, float]]] = []
    number = 0
    for column in panel.columns:
        columns.append([])
        for grid in column:
            wide, size = sizes[number]
            across, down = _extent(grid, wide)
            columns[-1].append((grid, wide, size, across, down))
            number += 1
    widths = [max(_outer_width(grid, across) for grid, _, _, across, _ in column) for column in columns]
    heights = [
        sum(_above(grid) + down + _below(grid) for grid, _, _, _, down in column) + STACK * (len(column) - 1)
        for column in columns
    ]
    across = sum(widths) + APART * (len(columns) - 1)
    title = lettering.cut(panel.title, MAX_TITLE, TITLE, bold=True)
    lines = max((min(lettering.width(line, LINE), MAX_LINE) for line in panel.lines), default=0.0)
    inner = max(across, MIN_PAGE - 2 * MARGIN, lettering.width(title, TITLE, bold=True), lines)
    items: list[Spotted] = []
    y = top + MARGIN + TITLE
    items.append((None, Text(MARGIN, y, title, TITLE, bold=True)))
    y += 6
    for text in panel.lines:
        for part in wrapped(text, inner, LINE):
            y += LINE * LEADING
            items.append((None, Text(MARGIN, y, part, LINE, ink="muted")))
    head = y + 8
    y += 16
    tallest = max(heights)
    left = MARGIN
    matrices: list[Laid] = []
    for place, stack in enumerate(columns):
        below = y + (tallest - heights[place]) / 2
        for grid, wide, size, width, height in stack:
            below += _above(grid)
            matrices.append(Laid(len(matrices), grid, left + _before(grid), below, wide, size, width, height))
            below += height + _below(grid) + STACK
        left += widths[place]
        if place < len(panel.signs) and place + 1 < len(columns):
            items += [(None, item) for item in _sign(panel.signs[place], left + APART / 2, y + tallest / 2)]
        left += APART
    for laid in matrices:
        items += _grid_items(laid)
    y += tallest
    working = y + 14
    if steps:
        most = max(len(wrapped(step.working, inner, WORKING)) for step in steps)
        y = working + LINE * LEADING + most * WORKING * LEADING
    return Layout(inner + 2 * MARGIN, y + MARGIN - top, tuple(matrices), tuple(items), working, head)


def _sizes(panel: Panel, steps: Sequence[Step]) -> list[tuple[float, float]]:
    """For each matrix the width of a cell and the size of its texts."""
    grids = [grid for column in panel.columns for grid in column]
    found = []
    for number, grid in enumerate(grids):
        texts = {text for row in grid.rows for text in row}
        corners: set[str] = set()
        for step in steps:
            for mark in (*step.marks.get(number, {}).values(), *step.done.get(number, {}).values()):
                texts.add(mark.text)
                corners.add(mark.corner)
        size = grid.size
        room = min(12.0, 0.35 * grid.side)
        widest = max((lettering.width(text, size) for text in texts), default=0.0) * 1.07  # bold is wider
        if widest + room > MAX_WIDTH:
            size = max(MIN_SIZE, size * (MAX_WIDTH - room) / widest)
            widest = min(widest * size / grid.size, MAX_WIDTH - room)
        corner = max((lettering.width(text, CORNER) for text in corners), default=0.0)
        numbers = max(
            (lettering.width(_integer(number), CORNER) for number in (grid.numbers or ((), ()))[1]),
            default=0.0,
        )
        found.append((max(grid.side, widest + room, corner + 10, numbers + 4), size))
    if panel.aligned:
        wide, size = max(wide for wide, _ in found), min(size for _, size in found)
        return [(wide, size)] * len(found)
    return found


def _extent(grid: Grid, wide: float) -> tuple[float, float]:
    """Width and height of all cells."""
    if grid.picture is not None:
        longest = max(grid.picture.width, grid.picture.height)
        scale = PICTURE / longest if longest > PICTURE else int(PICTURE / longest)
        return max(grid.picture.width * scale, 2.0), max(grid.picture.height * scale, 2.0)
    return len(grid.rows[0]) * wide, len(grid.rows) * grid.side


def _before(grid: Grid) -> float:
    """Room at the left, for the rows' numbers."""
    if grid.numbers is None or not grid.numbers[0]:
        return 0.0
    return max(lettering.width(_integer(number), CORNER) for number in grid.numbers[0]) + 7


def _above(grid: Grid) -> float:
    return HEADING + 8 + (CORNER + 4 if grid.numbers is not None else 0)


def _below(grid: Grid) -> float:
    return CORNER * LEADING + 4 if grid.below else 0.0


def _outer_width(grid: Grid, across: float) -> float:
    return max(
        _before(grid) + across,
        lettering.width(grid.heading, HEADING, bold=True),
        lettering.width(grid.below, CORNER),
    )


def wrapped(text: str, room: float, size: float, *, bold: bool = False) -> list[str]:
    """The text in lines of at most `room` pixels, broken at blanks; a longer word is cut."""
    lines: list[str] = []
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and lettering.width(longer, size, bold=bold) <= room:
            lines[-1] = longer
        else:
            lines.append(lettering.cut(word, room, size, bold=bold))
    return lines


# -- items --------------------------------------------------------------------------------------------------


def _boxes(matrices: Iterable[Laid]) -> list[Placed]:
    return [
        Placed(
            f"{laid.grid.heading} {number}",
            laid.grid.heading,
            laid.left,
            laid.top,
            laid.left + laid.width,
            laid.top + laid.height,
        )
        for number, laid in enumerate(matrices)
        if not laid.grid.hidden
    ]


def _sign(sign: str, x: float, y: float) -> Iterator[Item]:
    if sign == "→":
        yield Polyline(((x - 12, y), (x + 12, y)), arrow=True)
    elif sign:
        drop = 0.62 if sign == "*" else 0.34  # an asterisk stands high
        yield Text(x, y + SIGN * drop, sign, SIGN, ink="muted", anchor="middle")


def _grid_items(laid: Laid) -> Iterator[Spotted]:
    grid = laid.grid
    yield from ((None, item) for item in _around(laid))
    if grid.picture is not None or grid.hidden:
        return
    places = [(i, j) for i, row in enumerate(grid.rows) for j in range(len(row))]
    for place in sorted(
        places, key=lambda place: (place not in grid.faint, place in grid.fills)
    ):  # the input's lines above the padding's
        fill = grid.fills.get(place) or ("padding" if place in grid.faint else grid.fill)
        mark = Mark(fill, grid.rows[place[0]][place[1]])
        yield from (((laid.number, place), item) for item in _cell(laid, place, mark))


def _around(laid: Laid) -> Iterator[Item]:
    """A matrix without its cells: heading, numbers, what stands below."""
    grid = laid.grid
    above = laid.top - 7 - (CORNER + 4 if grid.numbers is not None else 0)
    yield Text(laid.left, above, grid.heading, HEADING, bold=True)
    if grid.below:
        base = laid.top + laid.height + CORNER * 1.3
        yield Text(laid.left, base, grid.below, CORNER, ink="muted")
    if grid.picture is not None:
        yield Picture(laid.left, laid.top, laid.width, laid.height, grid.picture)
        yield Rectangle(laid.left, laid.top, laid.width, laid.height, None)
    if grid.numbers is not None:
        for i, number in enumerate(grid.numbers[0]):
            y = laid.top + (i + 0.5) * grid.side + CORNER * 0.36
            yield Text(laid.left - 5, y, _integer(number), CORNER, ink="muted", anchor="end")
        for j, number in enumerate(grid.numbers[1]):
            x = laid.left + (j + 0.5) * laid.wide
            yield Text(x, laid.top - 5, _integer(number), CORNER, ink="muted", anchor="middle")


def _integer(number: int | str) -> str:
    if isinstance(number, str):
        return number
    return f"−{-number}" if number < 0 else str(number)


def _cell(laid: Laid, place: Place, mark: Mark, bold: bool = False) -> Iterator[Item]:
    left, top = laid.cell(place)
    yield Rectangle(
        left,
        top,
        laid.wide,
        laid.grid.side,
        mark.fill,
        palette.border(mark.fill),
        0.8,
    )
    ink = {"paper": "ink", "padding": "muted"}.get(mark.fill) or palette.on(mark.fill)
    if mark.text:
        text = lettering.cut(mark.text, laid.wide - 3, laid.size, bold=bold)
        y = top + laid.grid.side / 2 + 0.36 * laid.size - (4 if laid.grid.cornered else 0)
        room = lettering.width(text, laid.size, bold=bold)
        yield Text(left + laid.wide / 2, y, text, laid.size, bold, ink, "middle", room)
    if mark.corner:
        room = lettering.width(mark.corner, CORNER)
        yield Text(
            left + laid.wide - 4, top + laid.grid.side - 4, mark.corner, CORNER, False, ink, "end", room
        )


def _runs(steps: Sequence[Step]) -> Iterator[tuple[tuple[int, Place], Mark, int, int]]:
    """The marks of all steps, each with the first and the last step in which it stands unchanged."""
    since: dict[tuple[int, Place], tuple[Mark, int]] = {}
    for number, step in enumerate((*steps, Step("", "", {}, {}))):
        now = {(grid, place): mark for grid, cells in step.marks.items() for place, mark in cells.items()}
        for spot, (mark, first) in [*since.items()]:
            if now.get(spot) != mark:
                yield spot, mark, first, number - 1
                del since[spot]
        for spot, mark in now.items():
            since.setdefault(spot, (mark, number))


def _above_all(laid: Layout, step: Step) -> Iterator[Item]:
    """The outlines of a step and its texts."""
    yield from _outlined(laid, step)
    y = laid.working + LINE
    yield Text(MARGIN, y, step.label, LINE, ink="muted")
    for part in wrapped(step.working, laid.width - 2 * MARGIN, WORKING):
        y += WORKING * LEADING
        yield Text(MARGIN, y, part, WORKING)


def _outlined(laid: Layout, step: Step) -> Iterator[Item]:
    for outline in step.outlines:
        matrix = laid.matrices[outline.grid]
        left, top = matrix.cell(outline.first)
        right, bottom = matrix.cell((outline.last[0] + 1, outline.last[1] + 1))
        yield Rectangle(left, top, right - left, bottom - top, None, "line", 2.6, dashed=outline.dashed)
