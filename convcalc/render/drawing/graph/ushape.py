"""Networks that narrow and widen again, as a U: U-Net, feature pyramids.

The left leg runs down to the smallest maps, the right leg up again, and what is copied across runs level, through at
most two boxes. A rung of the U is a fork on the left and its join on the right with maps of one size at both and
smaller maps between; two rungs, one inside the other, make a U.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import log, prod
from typing import NamedTuple

from convcalc.analysis.boxes import Box, Boxes
from convcalc.render.drawing.graph.columns import GUTTER, SHAPE
from convcalc.render.drawing.graph.place import (
    DROP,
    GAP,
    SIZE_APART,
    STUB,
    Canvas,
    Margin,
    Outline,
    Single,
    Sizes,
    Wire,
)
from convcalc.render.drawing.graph.series import Structure
from convcalc.render.drawing.graph.stack import FEW, Split, Stack
from convcalc.render.drawing.scene import Point

RUNGS = 2  # that make a U
ROW = 6  # boxes that the bottom may hold
BETWEEN = 26.0  # between the boxes of the bottom, and about those of a rung
TALL = 1.3  # of its width: the height from which on a U is broken
LEGS = 150.0  # least distance of the legs


class _Rung(NamedTuple):
    """Where a stack forks to the right leg: before the element `at`, which has the rest of the U as its main branch."""

    stack: Stack
    at: int
    lateral: Stack | None


class U(NamedTuple):
    """The rungs of a U, outermost first, and the stack at its bottom. gates: see `gates`."""

    rungs: list[_Rung]
    bottom: Stack
    gates: Mapping[int, int]


def u_of(boxes: Boxes, stack: Stack, sizes: Sizes) -> U | None:
    """The U that a network is, given as its boxes and as the stack of them; None if it is none."""
    found = _rungs(stack, boxes.boxes)
    if found is not None:
        return U(*found, {})
    gated = gates(boxes.boxes)
    if not gated:
        return None
    ungated = [
        box._replace(inputs=tuple([source for source in box.inputs if source != gated.get(box.key)]))
        for box in boxes.boxes
    ]
    stack = Structure(boxes._replace(boxes=tuple(ungated)), sizes).stack
    found = _rungs(stack, ungated)
    return U(*found, gated) if found is not None else None


def gates(boxes: Sequence[Box]) -> dict[int, int]:
    """Boxes that gate what a U copies, as in Attention U-Net, with the box of the right leg that each reads besides:
    the join after it reads both."""
    readers: dict[int, set[int]] = {}
    for box in boxes:
        for source in box.inputs:
            readers.setdefault(source, set()).add(box.key)
    found = {}
    for join in boxes:
        if len(join.inputs) != 2:
            continue
        for gate, rising in (join.inputs, join.inputs[::-1]):
            beside = readers[gate] == {join.key} and readers[rising] == {gate, join.key}
            if beside and len(boxes[gate].inputs) == 2 and rising in boxes[gate].inputs:
                found[gate] = rising
    return found


def _rungs(stack: Stack, boxes: Sequence[Box]) -> tuple[list[_Rung], Stack] | None:
    found: list[_Rung] = []
    inner = stack
    while True:
        rung = _rung(inner, boxes)
        if rung is None:
            break
        found.append(rung)
        split = inner.elements[rung.at]
        assert isinstance(split, Split)
        assert split.main is not None
        inner = split.main
    return (found, inner) if len(found) >= RUNGS else None


def _rung(stack: Stack, boxes: Sequence[Box]) -> _Rung | None:
    best: _Rung | None = None
    most = 0
    for at, element in enumerate(stack.elements):
        if not isinstance(element, Split) or element.main is None or element.loose or not element.keys:
            continue
        if not 0 < at < len(stack.elements) - 1 or any(
            framed.first <= at <= framed.last for framed in stack.frames
        ):
            continue
        fork, join = stack.elements[at - 1], stack.elements[at + 1]
        others = [branch for branch in element.branches if branch is not element.main]
        if not isinstance(fork, Single) or not isinstance(join, Single):
            continue
        if len(others) + element.direct != 1 or not all(_flat(branch) for branch in others):
            continue
        if _narrows(boxes, fork.key, join.key, element.main) and len(element.main.keys) > most:
            best, most = _Rung(stack, at, others[0] if others else None), len(element.main.keys)
    return best


def _narrows(boxes: Sequence[Box], fork: int, join: int, main: Stack) -> bool:
    """Whether most maps of the main branch are smaller than those at both its ends, and the last is as large as the
    join's again: unlike in a squeeze and excitation, whose weights are one number a channel."""
    least = min(prod(boxes[fork].shape[1:]), prod(boxes[join].shape[1:]))
    if not main.elements or not len(boxes[join].shape) > 1:
        return False
    keys = main.keys
    smaller = sum([prod(boxes[key].shape[1:]) < least for key in keys])
    last = boxes[main.elements[-1].keys[-1]].shape[1:]
    return 2 * smaller >= len(keys) and (boxes[join].kind == "block" or last == boxes[join].shape[1:])


def _flat(branch: Stack) -> bool:
    return (
        len(branch.elements) <= FEW
        and not branch.sides
        and not branch.frames
        and all(isinstance(element, Single) for element in branch.elements)
    )


def before_and_u(
    found: U, sizes: Sizes, widths: Mapping[int, float], margin: Callable[[Stack], float]
) -> tuple[list[Stack], Ladder]:
    """A U, and of a tall one what comes before it in a column of its own, if that brings the page nearer to 16:9."""
    outer = found.rungs[0]
    whole = Ladder(found, sizes, widths)
    best: tuple[list[Stack], Ladder] = ([], whole)
    nearest = _distance(whole.left + whole.right, whole.height)
    if whole.height < TALL * (whole.left + whole.right):
        return best
    for start in outer.stack.cuts():
        if start >= outer.at:
            break
        ladder = Ladder(found, sizes, widths, first=start)
        before = outer.stack.cut(0, start)
        if before.height > ladder.height:
            break
        width = before.left + before.right + margin(before) + GUTTER + ladder.left + ladder.right
        distance = _distance(width, ladder.height)
        if distance < nearest - 0.02:
            nearest, best = distance, ([before], ladder)
    return best


def _distance(width: float, height: float) -> float:
    return abs(log(width / height / SHAPE))


class Ladder:
    """A U with its axis at the left leg. first: the element of the outermost stack that it begins with."""

    def __init__(self, found: U, sizes: Sizes, widths: Mapping[int, float], *, first: int = 0) -> None:
        self.rungs, bottom, self.gates = found
        self.boxes = sizes
        self.widths = widths  # of the sizes of boxes, as they are written
        self.down = [
            rung.stack.cut(first if level == 0 else 0, rung.at, ported=level > 0 or first > 0)
            for level, rung in enumerate(self.rungs)
        ]
        self.up = [rung.stack.cut(rung.at + 1, len(rung.stack.elements), ported=False) for rung in self.rungs]
        start = _tail(bottom)
        tail = bottom.elements[start:]
        aside = any(at >= start for at in bottom.sides)
        self.row = [] if aside else [element for element in tail if isinstance(element, Single)]
        self.rising = bottom.cut(start, len(bottom.elements), ported=False) if aside else None
        self.sinking = bottom.cut(0, start, ported=True) if start else None
        self._measure_across()
        self._measure_down()

    def _left(self) -> list[Stack]:
        return [*self.down, self.sinking] if self.sinking else self.down

    def _right(self) -> list[Stack]:
        return [*self.up, self.rising] if self.rising else self.up

    def _measure_across(self) -> None:
        self._left_edge = max([stack.left for stack in self._left()])
        self._right_edge = max([stack.right for stack in self._right()])
        near = max([stack.right for stack in self._left()])
        far = max([stack.left for stack in self._right()])
        inner = 0.0
        for rung in self.rungs:
            if rung.lateral is None:
                inner = max(inner, self.widths[self._fork(rung).key] + 70)
            else:
                boxes = [element for element in rung.lateral.elements if isinstance(element, Single)]
                inner = max(inner, sum([2 * box.half + BETWEEN for box in boxes]) + BETWEEN)
        row = sum([single.left + single.right + BETWEEN for single in self.row]) + BETWEEN
        self.legs = max(LEGS, near + inner + far, row)
        self._middle = (near + self.legs - far) / 2
        left = max([self.widths[key] for stack in self._left() for key in stack.keys])
        right = max([self.widths[key] for stack in self._right() for key in stack.keys])
        self.left = self._left_edge + SIZE_APART + left
        self.right = self.legs + self._right_edge + SIZE_APART + right

    def _fork(self, rung: _Rung) -> Single:
        fork = rung.stack.elements[rung.at - 1]
        assert isinstance(fork, Single)
        return fork

    def _measure_down(self) -> None:
        """The levels of the rungs: the higher of the two that the legs allow."""
        self.levels: list[float] = []
        self.tops: list[float] = []  # of the sections of the left leg
        self.starts: list[float] = []  # where those of the right leg begin, at their lower end
        end = 0.0  # of the left leg so far
        for level, (down, up) in enumerate(zip(self.down, self.up, strict=True)):
            exit_at = self._exit(level)
            join = up.elements[0]
            assert isinstance(join, Single)
            offset = up.tops[0] + join.body / 2
            lowest = end + exit_at
            if level == 0:
                lowest = max(lowest, up.height - offset)
            else:
                lowest = max(lowest, self.starts[-1] + GAP + up.height - offset)
            self.levels.append(lowest)
            self.tops.append(lowest - exit_at)
            self.starts.append(lowest + offset)
            end = self.tops[-1] + down.height
        if self.sinking is not None:
            self.tops.append(end)
            end += self.sinking.height
        if self.rising is not None:
            start = max(end, self.starts[-1] + GAP + self.rising.height)
            self.starts.append(start)
            self._base = max(end, start) + STUB + DROP
            self.height = self._base
        else:
            tall = max([single.body for single in self.row], default=0.0)
            self._base = max(end, self.starts[-1]) + GAP + STUB + tall / 2
            self.height = self._base + tall / 2 + (16.0 if self.row else 0.0)

    def _exit(self, level: int) -> float:
        """How far below a section's top its rung leaves: from the side of its last box, or from the line below it."""
        down = self.down[level]
        fork = down.elements[-1]
        assert isinstance(fork, Single)
        beside = len(down.elements) > 1 and not isinstance(down.elements[-2], Single)
        framed = any(framed.last == len(down.elements) - 1 for framed in down.frames)
        if beside or framed or len(down.elements) - 1 in down.sides:
            return down.height + STUB
        return down.tops[-1] + fork.body / 2

    def place(self, canvas: Canvas, x: float, top: float, wires: Sequence[Wire], trunk: bool) -> list[Wire]:
        """Places the legs, the rungs and the bottom."""
        going = list(wires)
        begun = len(canvas.trunk)
        for stack, down in zip(self._left(), self.tops, strict=True):
            going = [wire.to((x, top + down)) for wire in going]
            going = stack.place(canvas, x, top + down, going, trunk)
        left = canvas.trunk[begun:]
        canvas.margins.append(Margin(tuple(left), x - self._left_edge - SIZE_APART, "end"))
        axis = x + self.legs
        going = self._place_bottom(canvas, x, axis, top + self._base, going)
        begun = len(canvas.trunk)
        for level in range(len(self.starts) - 1, -1, -1):
            going = _risen(canvas, self._right()[level], axis, top + self.starts[level], going, self.boxes)
            if level < len(self.rungs):
                self._place_rung(canvas, level, x, axis, top)
        for gate, rising in self.gates.items():
            self._place_gate(canvas, gate, rising)
        right = canvas.trunk[begun:]
        canvas.margins.append(Margin(tuple(right), axis + self._right_edge + SIZE_APART, "start"))
        return going

    def _place_bottom(
        self, canvas: Canvas, x: float, axis: float, base: float, wires: list[Wire]
    ) -> list[Wire]:
        if not self.row:
            return [wire.to((x, base), (axis, base)) for wire in wires]
        wide = sum([single.left + single.right for single in self.row])
        space = (self.legs - wide) / (len(self.row) + 1)
        at = x
        going = [wire.to((x, base)) for wire in wires]
        for single in self.row:
            at += space + single.left
            single.place(canvas, at, base - single.body / 2, [], False)
            for wire in going:
                canvas.edges.append((wire.source, single.key, (*wire.points, (at - single.half, base))))
            canvas.captions.append((at, base + single.body / 2 + 12, "", single.key))
            going = [Wire(single.key, ((at + single.half, base),))]
            at += single.right
        return [wire.to((axis, base)) for wire in going]

    def _place_gate(self, canvas: Canvas, gate: int, rising: int) -> None:
        """Leads the line of a box on the right leg, or at the end of the bottom, up into the gate at its left."""
        x, low = canvas.places[gate][0], canvas.places[gate][1] + self.boxes[gate].height
        across, high = canvas.places[rising]
        path: tuple[Point, ...]
        if rising in [single.key for single in self.row]:
            path = ((across, high), (across, (low + high) / 2), (x, (low + high) / 2), (x, low))
        else:
            side, y = across - self.boxes[rising].width / 2, high + self.boxes[rising].height / 2
            path = ((side, y), (x, y), (x, low))
        canvas.edges.append((rising, gate, path))

    def _place_rung(self, canvas: Canvas, level: int, x: float, axis: float, top: float) -> None:
        rung = self.rungs[level]
        fork, join = self._fork(rung), rung.stack.elements[rung.at + 1]
        assert isinstance(join, Single)
        y = top + self.levels[level]
        low = canvas.places[fork.key][1] + fork.body
        wire = Wire(fork.key, ((x, low), (x, y)) if y > low else ((x + fork.half, y),))
        if rung.lateral is None:
            canvas.captions.append((x + self._middle, y - 4, "copy ", fork.key))
        else:
            boxes = [element for element in rung.lateral.elements if isinstance(element, Single)]
            at = x + self._middle - (sum([2 * box.half + BETWEEN for box in boxes]) - BETWEEN) / 2
            for box in boxes:
                at += box.half
                box.place(canvas, at, y - box.body / 2, [], False)
                canvas.edges.append((wire.source, box.key, (*wire.points, (at - box.half, y))))
                wire = Wire(box.key, ((at + box.half, y),))
                at += box.half + BETWEEN
        canvas.edges.append((wire.source, join.key, (*wire.points, (axis - join.half, y))))


def _tail(bottom: Stack) -> int:
    """The first of the boxes at the end of a stack that lie in the bottom of the U."""
    start = len(bottom.elements)
    framed = max([framed.last + 1 for framed in bottom.frames], default=0)
    while (
        start > framed
        and len(bottom.elements) - start < ROW
        and isinstance(bottom.elements[start - 1], Single)
    ):
        start -= 1
    return start


def _risen(
    canvas: Canvas, stack: Stack, x: float, start: float, wires: Sequence[Wire], boxes: Sizes
) -> list[Wire]:
    """Places a stack upwards from `start`: upside down."""

    def turned(points: Sequence[Point]) -> tuple[Point, ...]:
        return tuple([(across, start - y) for across, y in points])

    upside = Canvas()
    entering = [Wire(wire.source, turned((*wire.points, (x, start)))) for wire in wires]
    leaving = stack.place(upside, x, 0.0, entering, trunk=True)
    for key, (across, y) in upside.places.items():
        canvas.places[key] = (across, start - y - boxes[key].height)
        canvas.risen.add(key)
    canvas.trunk += upside.trunk
    canvas.edges += [(source, target, turned(points)) for source, target, points in upside.edges]
    for outline in upside.outlines:
        canvas.outlines.append(
            Outline(outline.frame, outline.left, start - outline.bottom, outline.right, start - outline.top)
        )
    return [Wire(wire.source, turned(wire.points)) for wire in leaving]
