"""The trunk broken into columns, so that the page comes near the shape of a screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import log
from typing import Protocol

from convcalc.render.drawing.graph.layered import Slice, Tangle
from convcalc.render.drawing.graph.place import SIZE_APART, STUB, Canvas, Margin, Piece, Wire
from convcalc.render.drawing.graph.stack import Framed, Split, Stack

SHAPE = 16 / 9
MAX_COLUMNS = 40
SHORT = 0.2  # of the tallest column: what is shorter is no column of its own
BETWEEN_LINES = 8.0  # from one line to the next, where several go from column to column
TALL = 1200.0  # from here on branches are broken with the trunk
GUTTER = 40.0  # from one column's margin to the next column


class Part(Protocol):
    """A column: a stack, or a U."""

    left: float
    right: float
    height: float

    def place(self, canvas: Canvas, x: float, top: float, wires: Sequence[Wire], trunk: bool) -> list[Wire]:
        """Places the column."""
        ...


def chosen(stack: Stack, margin: Callable[[Stack], float], count: int | None) -> list[Stack]:
    """The columns of a stack: `count` of them or as near as it can be cut, else the number whose page comes nearest to
    16:9. margin: what sizes at the right of a column take."""
    if count == 1:
        return [stack]
    stack = sliced(stack)
    wanted = (count,) if count is not None else range(1, MAX_COLUMNS + 1)
    nearest, worse = float("inf"), 0
    cuts = stack.cuts()
    beside = margin(stack) + GUTTER
    found = [(0, len(stack.elements))]
    for number in wanted:
        if number > len(cuts) + 1:
            break
        spans = _spans(stack, cuts, number)
        width = sum(
            [max(stack.lefts[first:end]) + max(stack.rights[first:end]) + beside for first, end in spans]
        )
        height = max([stack.bottoms[end - 1] - stack.tops[first] for first, end in spans]) + 2 * STUB
        distance = abs(log((width - GUTTER) / height / SHAPE))
        if distance < nearest:
            nearest, found, worse = distance, spans, 0
        else:
            worse += 1
        if worse > 1:
            break
    return [stack.cut(first, end) for first, end in found] if len(found) > 1 else [stack]


def _spans(stack: Stack, cuts: Sequence[int], number: int) -> list[tuple[int, int]]:
    """The elements of at most `number` columns, first and end each, the tallest as short as possible."""
    starts = [0, *cuts]
    ends = [*cuts, len(stack.elements)]

    def filled(limit: float) -> list[tuple[int, int]] | None:
        """The columns when each is filled up to a height; None if they are too many."""
        found: list[tuple[int, int]] = []
        first = 0
        for place, end in enumerate(ends):
            if stack.bottoms[end - 1] - stack.tops[first] > limit and starts[place] > first:
                found.append((first, starts[place]))
                first = starts[place]
                if len(found) == number:
                    return None
        found.append((first, ends[-1]))
        return found if len(found) <= number else None

    # What cannot be cut is one column at least: the others are filled up to its height.
    pieces = [stack.bottoms[end - 1] - stack.tops[start] for start, end in zip(starts, ends, strict=True)]
    low, high = max(pieces) - 1, stack.height + 1
    best = [(0, len(stack.elements))]
    while high - low > 4:
        middle = (low + high) / 2
        found = filled(middle)
        if found is None:
            low = middle
        else:
            high, best = middle, found
    return _merged(stack, best)


def _merged(stack: Stack, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The columns, the short ones at the ends with their neighbours."""
    merged = list(spans)

    def height(span: tuple[int, int]) -> float:
        return stack.bottoms[span[1] - 1] - stack.tops[span[0]]

    limit = SHORT * max([height(span) for span in merged])
    if len(merged) > 1 and height(merged[-1]) < limit:
        merged[-2:] = [(merged[-2][0], merged[-1][1])]
    if len(merged) > 1 and height(merged[0]) < limit:
        merged[:2] = [(merged[0][0], merged[1][1])]
    return merged


def placed(
    canvas: Canvas, parts: Sequence[Part], margins: Sequence[float], left: float, top: float
) -> tuple[float, float]:
    """Places columns from (left, top) on, each line from one to the next in the gutter between them. margins: what the
    sizes at the right of each take. Returns the right and the lower end."""
    wires: list[Wire] = []
    passing = max([_lines(part) for part in parts[:-1]], default=0)
    port = top  # where the topmost line from one column to the next runs
    start = port + STUB + BETWEEN_LINES * (passing - 1) if passing else port
    axis = right = bottom = low = 0.0
    for place, (part, margin) in enumerate(zip(parts, margins, strict=True)):
        axis_before, axis = axis, left + part.left
        if place:
            turn = left - GUTTER / 2
            wires = _connected(wires, axis - axis_before, low, turn, port, start)
        begun = len(canvas.trunk)
        wires = part.place(canvas, axis, start, wires, True)
        if margin:
            at = axis + part.right + SIZE_APART
            canvas.margins.append(Margin(tuple(canvas.trunk[begun:]), at, "start"))
        right = axis + part.right + margin
        low = start + part.height
        if place < len(parts) - 1:
            low += STUB
            bottom = max(bottom, low + BETWEEN_LINES * (_lines(part) - 1))
        bottom = max(bottom, low)
        left = right + GUTTER
    return right, bottom


def _lines(part: Part) -> int:
    """How many lines leave a column for the next."""
    last = part.elements[-1] if isinstance(part, Stack) else None
    return last.count if isinstance(last, Slice) else 1


def _connected(
    wires: Sequence[Wire], shift: float, low: float, turn: float, port: float, start: float
) -> list[Wire]:
    """Wires led from a column to the next, `shift` to the right: the leftmost lies outermost below and innermost above,
    so none cross."""
    axes = sorted({wire.points[-1][0] for wire in wires})
    last = len(axes) - 1
    led = []
    for wire in wires:
        x = wire.points[-1][0]
        place = axes.index(x)
        below = low + BETWEEN_LINES * (last - place)
        across = turn + BETWEEN_LINES * (last / 2 - place)
        above = port + BETWEEN_LINES * (last - place)
        led.append(
            wire.to((x, below), (across, below), (across, above), (x + shift, above), (x + shift, start))
        )
    return led


def sliced(stack: Stack) -> Stack:
    """The stack with its layers cut into slices, between which columns may break."""
    framed = {at for frame in stack.frames for at in range(frame.first, frame.last + 1)}
    elements: list[Piece] = []
    new: dict[int, int] = {}
    for at, element in enumerate(stack.elements):
        new[at] = len(elements)
        layers = element
        if at not in framed and isinstance(element, Split) and element.height > TALL:
            layers = _as_layers(element) or element
        if at not in framed and isinstance(layers, Tangle):
            elements += layers.slices()
        else:
            elements.append(element)
    if len(elements) == len(stack.elements):
        return stack
    return Stack(
        elements,
        [Framed(framed.frame, new[framed.first], new[framed.last]) for framed in stack.frames],
        {new[at]: side for at, side in stack.sides.items()},
    )


def _as_layers(split: Split) -> Tangle | None:
    """Branches as layers, the long one in pieces, so that it can be broken with the others passing beside it."""
    main = split.main
    if main is None or not split.fed or split.loose:
        return None
    bounds = [0, *main.cuts(), len(main.elements)]
    pieces: list[Piece] = [main.cut(first, end, ported=False) for first, end in pairwise(bounds)]
    chain = [-1, *range(len(pieces))]
    others = [branch for branch in split.branches if branch is not main]
    links = list(pairwise(chain))
    end = len(pieces) + len(others)
    links.append((chain[-1], end))
    for branch in others:
        links += [(-1, len(pieces)), (len(pieces), end)]
        pieces.append(branch)
    if split.direct:
        links.append((-1, end))
    return Tangle(pieces, links, entered=True, left_by=True)
