"""What a layout is made of: pieces that know how much room they take, and the canvas that they place themselves on.

A piece has an axis, on which its lines enter at the top and leave at the bottom. It is measured when it is made, from
the inside out, and placed from the outside in. Sizes are in pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from convcalc.analysis.boxes import Box, Frame
from convcalc.render.drawing import lettering
from convcalc.render.drawing.scene import Anchor, Point

GAP = 20.0  # from one box to the next on an axis
STUB = 10.0  # from a box to the bus of a fork, and from the lowest branch to the bus of a join
DROP = 14.0  # from a bus to the box below it
BESIDE = 18.0  # between branches
LANE = 12.0  # from a branch to a direct edge beside it
FIRST_LINE, FURTHER_LINES = 10.5, 9.0  # sizes of the text in a box; the first line is bold
LINE = 13.0  # height of a line of text in a box
PADDING = 8.0
MIN_WIDTH, MAX_TEXT = 70.0, 230.0
CIRCLE = 9.0  # radius of a join
PILL, PILL_TEXT = 16.0, 9.5
SIZE_APART = 14.0  # from the pieces to the sizes in the margin
NOTE = 9.0  # size of the names of outputs and frames
NOTE_LINE = 11.0
TIMES = 15.0  # size of ×n


class Wire(NamedTuple):
    """An edge on its way: the box it comes from, and its path so far."""

    source: int
    points: tuple[Point, ...]

    def to(self, *points: Point) -> Wire:
        """The wire, longer."""
        return Wire(self.source, self.points + points)


class Outline(NamedTuple):
    """A frame where it is drawn."""

    frame: Frame
    left: float
    top: float
    right: float
    bottom: float


class Margin(NamedTuple):
    """Where the sizes of some boxes are written, in running order: at x, which is their start or their end."""

    keys: tuple[int, ...]
    x: float
    anchor: Anchor


class Canvas:
    """What pieces have placed: boxes by their key (axis, top), paths of edges, outlines of frames, and where sizes are
    written: margins, and captions (middle, baseline, words before the size, key)."""

    def __init__(self) -> None:
        self.places: dict[int, Point] = {}
        self.trunk: list[int] = []  # keys of boxes on the axis of their column
        self.edges: list[tuple[int, int, tuple[Point, ...]]] = []
        self.outlines: list[Outline] = []
        self.margins: list[Margin] = []
        self.captions: list[tuple[float, float, str, int]] = []
        self.risen: set[int] = set()  # keys of boxes that are read upwards


class Piece(Protocol):
    """Something with an axis and room at its sides. keys: of the boxes in it."""

    left: float
    right: float
    height: float
    keys: Sequence[int]

    def place(self, canvas: Canvas, x: float, top: float, wires: Sequence[Wire], trunk: bool) -> list[Wire]:
        """Places the piece with its axis at x; wires end at its top. Returns the wires that leave at its bottom."""
        ...


class Lettered(NamedTuple):
    """A box with its size and what is written in it."""

    width: float
    height: float
    lines: tuple[str, ...]


def lettered(box: Box, *more: str) -> Lettered:
    """The size of a box and its lines, each cut to what a box may hold. more: further lines, but for
    empty ones."""
    if box.form == "join":
        return Lettered(2 * CIRCLE, 2 * CIRCLE, (box.symbol or "+",))
    if box.form == "pill":
        word = lettering.cut(box.words[0] if box.words else box.symbol, MAX_TEXT, PILL_TEXT, bold=True)
        return Lettered(max(46.0, lettering.width(word, PILL_TEXT, bold=True) + PADDING + 4), PILL, (word,))
    first, *rest = box.words or (box.name,)
    rest += filter(None, more)
    lines = [lettering.cut(first, MAX_TEXT, FIRST_LINE, bold=True)]
    lines += [lettering.cut(line, MAX_TEXT, FURTHER_LINES) for line in rest]
    widest = lettering.width(lines[0], FIRST_LINE, bold=True)
    for line in lines[1:]:
        widest = max(widest, lettering.width(line, FURTHER_LINES))
    return Lettered(max(MIN_WIDTH, widest + 2 * PADDING), 10 + LINE * len(lines), tuple(lines))


class Single:
    """A box. note: the name of an output, below a box that nothing reads and else at its left."""

    def __init__(self, key: int, size: Lettered, *, read: bool = True, note: str = "") -> None:
        self.keys: Sequence[int] = (key,)
        self.key = key
        self.half = size.width / 2
        self.left = self.right = self.half
        self.height = self.body = size.height
        self.read = read
        if note:
            room = lettering.width(note, NOTE)
            if read:
                self.left += room + 5
            else:
                self.height += NOTE_LINE + 3
                self.left = self.right = max(self.half, room / 2)

    def place(self, canvas: Canvas, x: float, top: float, wires: Sequence[Wire], trunk: bool) -> list[Wire]:
        """Places the box; the wires end in its top, those from a lane beside it in its side."""
        canvas.places[self.key] = (x, top)
        if trunk:
            canvas.trunk.append(self.key)
        middle = top + self.body / 2
        for wire in wires:
            lane = wire.points[-1][0]
            if lane > x + 0.01:
                ends: tuple[Point, ...] = ((lane, middle), (x + self.half, middle))
            elif lane < x - 0.01:
                ends = ((lane, middle), (x - self.half, middle))
            else:
                ends = ((x, top),)
            canvas.edges.append((wire.source, self.key, wire.points + ends))
        return [Wire(self.key, ((x, top + self.height),))] if self.read else []


Sizes = Mapping[int, Lettered]
