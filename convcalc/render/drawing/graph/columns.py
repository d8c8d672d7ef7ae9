"""The trunk broken into columns, so that the page comes near the shape of a screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log
from typing import Protocol

from convcalc.render.drawing.graph.place import SIZE_APART, STUB, Canvas, Margin, Wire
from convcalc.render.drawing.graph.stack import Stack

SHAPE = 16 / 9
MAX_COLUMNS = 8
SHORT = 0.2  # of the tallest column: what is shorter is no column of its own
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
    best: list[Stack] = [stack]
    if count == 1:
        return best
    wanted = (count,) if count is not None else range(1, MAX_COLUMNS + 1)
    nearest = float("inf")
    cuts = stack.cuts()
    for number in wanted:
        if number > len(cuts) + 1:
            break
        parts = _parts(stack, cuts, number)
        width = sum([part.left + part.right + margin(part) for part in parts]) + GUTTER * (len(parts) - 1)
        height = max([part.height for part in parts])
        distance = abs(log(width / height / SHAPE))
        if distance < nearest:
            nearest, best = distance, parts
    return best


def _parts(stack: Stack, cuts: Sequence[int], number: int) -> list[Stack]:
    """At most `number` columns, the tallest as short as possible."""
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
    best = _merged(stack, best)
    return [stack.cut(first, end) for first, end in best] if len(best) > 1 else [stack]


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
    port = top  # where lines from one column to the next run
    start = port + STUB if len(parts) > 1 else port
    axis = right = bottom = low = 0.0
    for place, (part, margin) in enumerate(zip(parts, margins, strict=True)):
        if place:
            turn = left - GUTTER / 2
            axis_before, axis = axis, left + part.left
            wires = [
                wire.to((axis_before, low), (turn, low), (turn, port), (axis, port), (axis, start))
                for wire in wires
            ]
        else:
            axis = left + part.left
        begun = len(canvas.trunk)
        wires = part.place(canvas, axis, start, wires, True)
        if margin:
            at = axis + part.right + SIZE_APART
            canvas.margins.append(Margin(tuple(canvas.trunk[begun:]), at, "start"))
        right = axis + part.right + margin
        low = start + part.height + (STUB if place < len(parts) - 1 else 0.0)
        bottom = max(bottom, low)
        left = right + GUTTER
    return right, bottom
