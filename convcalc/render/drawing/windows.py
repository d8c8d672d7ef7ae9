"""Windows on an image, each ring with its name, and maps with some of their positions filled in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from typing import NamedTuple

from convcalc.images.rasters import Raster
from convcalc.render.drawing import lettering
from convcalc.render.drawing.cells import wrapped
from convcalc.render.drawing.scene import (
    Circle,
    Item,
    Picture,
    Placed,
    Polyline,
    Rectangle,
    Scene,
    Text,
)

Span = tuple[int, int]  # first and last pixel

SIDE = 340.0  # the longer side of the image with its windows, about: a pixel of it takes whole pixels of the drawing
MIN_SIDE = 200.0
MARGIN, GAP = 16.0, 22.0
TITLE, LINE, LABEL, TICK = 15.0, 12.0, 12.5, 11.0
LEADING = 1.4
MAX_LABEL, MIN_TEXT, MAX_TEXT = 230.0, 340.0, 460.0
FINE = 8.0  # pixels of the drawing: larger pixels of the image have lines between them
MAP, MAPS_ACROSS, MAP_GAP = 108.0, 6, 22.0
MAX_BOXES = 300  # of a map filled in as rectangles


class Window(NamedTuple):
    """A window by its first and last rows and columns; those outside the image lie in the padding."""

    label: str
    rows: Span
    columns: Span


class Mark(NamedTuple):
    """A pixel to point out."""

    label: str
    row: int
    column: int


class WindowFigure(NamedTuple):
    """Windows on an image. lines: below the title; picture: the image, a pixel each; caption: its size; windows: the
    smallest first."""

    title: str
    lines: tuple[str, ...]
    picture: Raster
    caption: str
    windows: tuple[Window, ...]
    marks: tuple[Mark, ...] = ()


class MapFigure(NamedTuple):
    """A layer's map. boxes: first and last row, first and last column of what is filled in."""

    name: str
    height: int
    width: int
    boxes: tuple[tuple[int, int, int, int], ...]


class _Frame(NamedTuple):
    """Where pixels of the image lie: `scale` wide, pixel (row, column) at (left, top) + ..."""

    left: float
    top: float
    row: int  # the first that is drawn
    column: int
    scale: float

    def x(self, column: float) -> float:
        return self.left + (column - self.column) * self.scale

    def y(self, row: float) -> float:
        return self.top + (row - self.row) * self.scale


def window_scene(figure: WindowFigure) -> Scene:
    """The image with its windows as rings; from each a line leads to its name."""
    height, width = figure.picture.height, figure.picture.width
    rows = _hull((0, height - 1), [window.rows for window in figure.windows])
    columns = _hull((0, width - 1), [window.columns for window in figure.windows])
    longest = max(rows[1] - rows[0], columns[1] - columns[0]) + 1
    scale = max(1.0, SIDE // longest) if longest <= 2 * SIDE else SIDE / longest
    if longest * scale < MIN_SIDE:
        scale = MIN_SIDE / longest
    ticks = _ticks(figure, height, scale, upright=True)
    room = max(lettering.width(text, TICK) for _, text in ticks) + 8
    across = (columns[1] - columns[0] + 1) * scale
    wide = _widest(figure)
    inner = max(room + across + GAP + wide, _text_width(figure.lines))
    items, y = _heading(figure.title, figure.lines, inner)
    frame = _Frame(MARGIN + room, y + 14, rows[0], columns[0], scale)
    items += _image(figure, frame)
    items += _rings(figure, frame)
    items += _marks(figure, frame)
    right = frame.left + across + GAP
    tags, lowest = _tags(figure, frame, right)
    items += tags
    base = frame.y(rows[1] + 1)
    for place, text in ticks:
        items.append(
            Text(frame.left - 6, frame.y(place + 0.5) + TICK * 0.36, text, TICK, ink="muted", anchor="end")
        )
    for place, text in _ticks(figure, width, scale, upright=False):
        items.append(Text(frame.x(place + 0.5), base + TICK + 3, text, TICK, ink="muted", anchor="middle"))
    caption = base + TICK + 3 + LINE * 1.6
    items.append(Text(frame.x(0), caption, figure.caption, LINE, bold=True))
    bottom = max(caption + 4, lowest) + MARGIN
    box = Placed("input", figure.caption, frame.x(0), frame.y(0), frame.x(width), frame.y(height))
    described = f"{' '.join(figure.lines)} " + "; ".join(
        f"{window.label}: rows {window.rows[0]} to {window.rows[1]}, columns {window.columns[0]} to {window.columns[1]}"
        for window in figure.windows
    )
    captioned = frame.x(0) + lettering.width(figure.caption, LINE, bold=True)
    page = max(inner + MARGIN, captioned) + MARGIN
    return Scene(page, bottom, figure.title, described, tuple(items), (box,))


def _hull(own: Span, spans: Sequence[Span]) -> Span:
    return min(own[0], *(low for low, _ in spans)), max(own[1], *(high for _, high in spans))


def _text_width(lines: Sequence[str]) -> float:
    """The width that the lines below a title ask for."""
    return max([MIN_TEXT, *[min(lettering.width(line, LINE), MAX_TEXT) for line in lines]])


def _heading(title: str, lines: Sequence[str], inner: float) -> tuple[list[Item], float]:
    """Title and lines, and where the last of them ends."""
    y = MARGIN + TITLE
    items: list[Item] = []
    for part in wrapped(title, inner, TITLE, bold=True):
        items.append(Text(MARGIN, y, part, TITLE, bold=True))
        y += TITLE * LEADING
    y -= TITLE * LEADING - 5
    for line in lines:
        for part in wrapped(line, inner, LINE):
            y += LINE * LEADING
            items.append(Text(MARGIN, y, part, LINE, ink="muted"))
    return items, y


def _image(figure: WindowFigure, frame: _Frame) -> Iterator[Item]:
    height, width = figure.picture.height, figure.picture.width
    for window in figure.windows:  # what of it lies outside the image
        yield _rectangle(frame, window)._replace(fill="padding", stroke=None)
    yield Picture(frame.x(0), frame.y(0), width * frame.scale, height * frame.scale, figure.picture)
    if frame.scale >= FINE:
        for row in range(1, height):
            yield Polyline(((frame.x(0), frame.y(row)), (frame.x(width), frame.y(row))), "#aab4c0", 0.5)
        for column in range(1, width):
            yield Polyline(
                ((frame.x(column), frame.y(0)), (frame.x(column), frame.y(height))), "#aab4c0", 0.5
            )
    yield Rectangle(frame.x(0), frame.y(0), width * frame.scale, height * frame.scale, None)


def _rectangle(frame: _Frame, window: Window) -> Rectangle:
    left, top = frame.x(window.columns[0]), frame.y(window.rows[0])
    return Rectangle(
        left, top, frame.x(window.columns[1] + 1) - left, frame.y(window.rows[1] + 1) - top, None
    )


def _rings(figure: WindowFigure, frame: _Frame) -> Iterator[Item]:
    """Every ring as two lines, so that one of them shows on whatever lies below."""
    for number, window in reversed([*enumerate(figure.windows)]):
        ring = _rectangle(frame, window)
        single = len(figure.windows) == 1
        yield ring._replace(stroke="#16191d" if single else "#ffffff", thickness=4.2)
        yield ring._replace(stroke="accent" if single else _shade(number, len(figure.windows)), thickness=2.0)


def _shade(number: int, total: int) -> str:
    """From a clear blue, of the smallest window, to a dark one."""
    return f"ramp:{0.5 + 0.5 * number / max(1, total - 1):.2f}"


def _marks(figure: WindowFigure, frame: _Frame) -> Iterator[Item]:
    for mark in figure.marks:
        x, y = frame.x(mark.column + 0.5), frame.y(mark.row + 0.5)
        yield Circle(x, y, max(4.5, min(7.0, frame.scale / 2)), "removed", "#ffffff", 1.6)


def _widest(figure: WindowFigure) -> float:
    labels = [window.label for window in figure.windows] + [mark.label for mark in figure.marks]
    return max((min(lettering.width(label, LABEL), MAX_LABEL) for label in labels), default=0.0)


def _tags(figure: WindowFigure, frame: _Frame, left: float) -> tuple[list[Item], float]:
    """The names at the right, from above in the order of their rings' upper corners, each with a line to its ring; and
    how far down they reach."""
    ends = [
        (frame.y(window.rows[0]), frame.x(window.columns[1] + 1), window.label) for window in figure.windows
    ]
    radius = max(4.5, min(7.0, frame.scale / 2))
    ends += [
        (frame.y(mark.row + 0.5), frame.x(mark.column + 0.5) + radius, mark.label) for mark in figure.marks
    ]
    ends.sort(key=lambda end: (end[0], -end[1]))
    items: list[Item] = []
    y = frame.top - LABEL
    for top, right, label in ends:
        y = max(y + LABEL * 1.32, top + LABEL * 0.36)
        middle = y - LABEL * 0.36
        items.append(Polyline(((right, top), (left - 10, middle), (left - 3, middle)), "#ffffff", 2.4))
        items.append(Polyline(((right, top), (left - 10, middle), (left - 3, middle)), "#5b6470", 1.0))
        items.append(Text(left, y, lettering.cut(label, MAX_LABEL, LABEL), LABEL))
    return items, y + LABEL * 0.3


def _ticks(figure: WindowFigure, size: int, scale: float, *, upright: bool) -> list[tuple[int, str]]:
    """The pixels whose numbers stand beside the image: the first and the last, and those of a single window."""
    wanted = []
    if len(figure.windows) == 1:
        span = figure.windows[0].rows if upright else figure.windows[0].columns
        wanted = [max(0, span[0]), min(size - 1, span[1])]
    kept: list[int] = []
    for place in (*wanted, 0, size - 1):
        room = TICK * 1.2 if upright else max(lettering.width(str(size - 1), TICK), TICK) + 5
        if 0 <= place < size and all(abs(place - other) * scale >= room for other in kept):
            kept.append(place)
    return [(place, str(place)) for place in sorted(kept)]


# -- maps ---------------------------------------------------------------------------------------------------


def map_scene(title: str, lines: Sequence[str], maps: Sequence[MapFigure]) -> Scene:
    """Maps in rows, each with its name and size, and what is filled in."""
    across = min(len(maps), MAPS_ACROSS)
    inner = max(across * (MAP + MAP_GAP) - MAP_GAP, _text_width(lines))
    items, y = _heading(title, lines, inner)
    boxes = []
    tall = MAP + MAP_GAP + 2 * LINE * LEADING
    for number, found in enumerate(maps):
        left = MARGIN + number % across * (MAP + MAP_GAP)
        top = y + 14 + number // across * tall
        scale = MAP / max(found.height, found.width)
        wide, high = max(1.0, found.width * scale), max(1.0, found.height * scale)
        items.append(Rectangle(left, top, wide, high, "input", None))
        for low, last, first, end in found.boxes:
            x, top_of = left + first * scale, top + low * scale
            items.append(
                Rectangle(
                    x,
                    top_of,
                    min(max((end - first + 1) * scale, 1.5), left + wide - x + 0.01),
                    min(max((last - low + 1) * scale, 1.5), top + high - top_of + 0.01),
                    "conv",
                    None,
                )
            )
        items.append(Rectangle(left, top, wide, high, None))
        base = top + MAP + LINE * 1.1
        items.append(Text(left, base, lettering.cut(found.name, MAP + 14, LINE, bold=True), LINE, bold=True))
        items.append(Text(left, base + LINE * LEADING, f"{found.height}×{found.width}", LINE, ink="muted"))
        boxes.append(Placed(f"{found.name} {number}", found.name, left, top, left + wide, top + high))
    height = y + 14 + ceil(len(maps) / across) * tall - MAP_GAP / 2
    described = "; ".join(found.name for found in maps)
    return Scene(inner + 2 * MARGIN, height, title, described, tuple(items), tuple(boxes))
