"""Pieces one below the other on an axis, branches between a fork and a join, and branches that lead to outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from convcalc.analysis.boxes import Frame
from convcalc.render.drawing import lettering
from convcalc.render.drawing.graph.place import (
    BESIDE,
    DROP,
    GAP,
    LANE,
    NOTE,
    NOTE_LINE,
    STUB,
    TIMES,
    Canvas,
    Outline,
    Piece,
    Single,
    Wire,
)

FRAME_SIDE, FRAME_TOP, FRAME_BOTTOM, FRAME_APART = 9.0, 13.0, 8.0, 10.0
COPY = 3.0  # what the frames of an equal run are apart
LABEL_APART = 8.0  # from a frame to its name
MAX_LABEL = 150.0
SNAP = 14.0  # a branch so close to the axis is put on it
FEW = 2  # boxes of a branch that may stand beside the trunk


class Label(NamedTuple):
    """A line at the left of a frame."""

    text: str
    size: float
    bold: bool
    down: float  # from the frame's top to the baseline


def labels(frame: Frame) -> list[Label]:
    """The lines at the left of a frame: ×n, its name, its note."""
    found = []
    down = 0.0
    if frame.times > 1:
        found.append(Label(f"×{frame.times}", TIMES, True, 14.0))
        down = 17.0
    for text in (frame.name, frame.note):
        if text:
            down += NOTE_LINE
            found.append(Label(lettering.cut(text, MAX_LABEL, NOTE), NOTE, False, down))
    return found


def label_room(frame: Frame) -> float:
    """What the lines at the left of a frame take, in pixels."""
    lines = labels(frame)
    if not lines:
        return 0.0
    return LABEL_APART + max([lettering.width(line.text, line.size, bold=line.bold) for line in lines])


class Framed(NamedTuple):
    """A frame around the elements first to last of a stack."""

    frame: Frame
    first: int
    last: int


def _copies(frame: Frame) -> float:
    return 2 * COPY if frame.times > 1 else 0.0


class Stack:
    """Elements one below the other. sides: what stands beside the elements after the one with this index.

    ported: lines come from another column, so the first element keeps a distance from the top.
    """

    height: float

    def __init__(
        self,
        elements: Sequence[Piece],
        frames: Sequence[Framed] = (),
        sides: Mapping[int, Side] | None = None,
        *,
        ported: bool = False,
    ) -> None:
        self.elements = tuple(elements)
        self.frames = tuple(frames)  # outer first
        self.sides = dict(sides or {})
        self.keys: Sequence[int] = [key for element in elements for key in element.keys]
        for side in self.sides.values():
            self.keys = [*self.keys, *side.keys]
        self._opening: dict[int, list[Framed]] = {}
        self._closing: dict[int, list[Framed]] = {}
        for framed in self.frames:
            self._opening.setdefault(framed.first, []).append(framed)
            self._closing.setdefault(framed.last, []).insert(0, framed)
        self.tops: list[float] = []
        self.bottoms: list[float] = []  # of elements, frames that close there included
        self._frame_tops: dict[int, float] = {}  # by the frame's place in self.frames
        self._frame_bottoms: dict[int, float] = {}
        self._frame_sides: dict[int, tuple[float, float]] = {}
        self._sides_at: dict[int, tuple[float, float]] = {}  # left, and y of the bus
        self._measure_down(ported)
        self._measure_across()

    def _measure_down(self, ported: bool) -> None:
        y = 0.0
        side_end = 0.0  # down to here something stands beside the elements
        framed_side: int | None = None
        place = {id(framed): index for index, framed in enumerate(self.frames)}
        for index, element in enumerate(self.elements):
            opening = self._opening.get(index, ())
            single = isinstance(element, Single)
            near = index > 0 or ported or not single
            apart = FRAME_APART if near and (opening or self._closing.get(index - 1)) else 0.0
            pads = sum([FRAME_TOP + _copies(framed.frame) for framed in opening])
            if isinstance(element, Layers) and element.continued:
                lead = STUB if index == 0 else 0.0
            elif index == 0:
                lead = (GAP if single else STUB) if ported else 0.0
            elif not isinstance(self.elements[index - 1], Single):
                lead = DROP
            elif index - 1 in self.sides:
                lead = STUB + DROP if single else STUB
            else:
                lead = GAP if single else STUB
            y += lead
            if isinstance(element, Single):
                y += apart + pads
                inside = y
            else:
                assert isinstance(element, Split | Layers)
                if not opening:
                    y += apart
                element.open((apart if opening else 0.0) + pads)
                inside = y + element.lead
            self.tops.append(y)
            for framed in reversed(opening):
                inside -= FRAME_TOP
                self._frame_tops[place[id(framed)]] = inside
                inside -= _copies(framed.frame)
            y += element.height
            for framed in self._closing.get(index, ()):
                if framed_side is not None and framed.first <= framed_side:
                    side = self.sides[framed_side]
                    if _inside(side.keys, framed.frame):
                        y = max(y, side_end)
                y += FRAME_BOTTOM
                self._frame_bottoms[place[id(framed)]] = y
            self.bottoms.append(y)
            if index in self.sides:
                y = max(y, side_end - STUB + GAP if framed_side is not None else y)
                self.bottoms[-1] = y
                self._sides_at[index] = (0.0, y + STUB)
                side_end = y + STUB + DROP + self.sides[index].height
                framed_side = index
        self.height = max(y, side_end)

    def _measure_across(self) -> None:
        left = [element.left for element in self.elements]
        right = []
        for index, element in enumerate(self.elements):
            if isinstance(element, Split) and element.direct and index + 1 < len(self.elements):
                below = self.elements[index + 1]
                if isinstance(below, Single):
                    element.widen(below.half + LANE)
            right.append(element.right)
        rooms = [0.0] * len(self.elements)  # of names at the left of frames
        waiting = set(self.sides)
        for place in sorted(
            range(len(self.frames)), key=lambda at: self.frames[at].last - self.frames[at].first
        ):
            framed = self.frames[place]
            inner = range(framed.first, framed.last + 1)
            widest_left = max([left[at] + rooms[at] for at in inner]) + FRAME_SIDE
            widest_right = max([right[at] for at in inner])
            for index in sorted(waiting & set(inner)):
                if _inside(self.sides[index].keys, framed.frame):
                    waiting.discard(index)
                    widest_right = max(widest_right, self._beside(index, right))
            widest_right += FRAME_SIDE
            self._frame_sides[place] = (widest_left, widest_right)
            room = label_room(framed.frame)
            for at in inner:
                left[at], right[at], rooms[at] = widest_left, widest_right + _copies(framed.frame), room
        self.lefts = [
            a + b for a, b in zip(left, rooms, strict=True)
        ]  # of elements, with frames and their names
        self.rights = right
        self.left = max(self.lefts, default=0.0)
        self.right = max(right, default=0.0)
        for index in sorted(waiting):
            self.right = max(self.right, self._beside(index, right))
        for index, side in self.sides.items():
            self.rights[index] = max(right[index], self._sides_at[index][0] + side.width)

    def _beside(self, index: int, right: Sequence[float]) -> float:
        """Puts what stands beside the elements after this one; returns its right end."""
        side = self.sides[index]
        bus = self._sides_at[index][1]
        end = bus + DROP + side.height
        start = right[index] if bus < self.bottoms[index] + STUB else self._half(index)
        for at in range(index + 1, len(self.elements)):
            if self.tops[at] - STUB - FRAME_TOP * 2 > end:
                break
            start = max(start, right[at])
        self._sides_at[index] = (start + BESIDE, bus)
        return start + BESIDE + side.width

    def _half(self, index: int) -> float:
        element = self.elements[index]
        return element.half if isinstance(element, Single) else element.right

    def cuts(self) -> list[int]:
        """The indices before which the stack may continue in another column: after a box, outside frames."""
        framed = {at for frame in self.frames for at in range(frame.first + 1, frame.last + 1)}
        return [
            at for at in range(1, len(self.elements)) if at not in framed and _ends(self.elements[at - 1])
        ]

    def cut(self, first: int, end: int, *, ported: bool | None = None) -> Stack:
        """The elements first to end - 1 as a stack of their own, which begins at a port if something comes before."""
        return Stack(
            self.elements[first:end],
            [
                Framed(framed.frame, framed.first - first, framed.last - first)
                for framed in self.frames
                if framed.first >= first and framed.last < end
            ],
            {at - first: side for at, side in self.sides.items() if first <= at < end},
            ported=first > 0 if ported is None else ported,
        )

    def place(
        self, canvas: Canvas, x: float, top: float, wires: Sequence[Wire], trunk: bool = False
    ) -> list[Wire]:
        """Places the elements, with frames around them."""
        for place, framed in enumerate(self.frames):
            left, right = self._frame_sides[place]
            outline = Outline(
                framed.frame,
                x - left,
                top + self._frame_tops[place],
                x + right,
                top + self._frame_bottoms[place],
            )
            canvas.outlines.append(outline)
        going = list(wires)
        for index, element in enumerate(self.elements):
            going = element.place(canvas, x, top + self.tops[index], going, trunk)
            if index in self.sides:
                assert isinstance(element, Single)
                left, bus = self._sides_at[index]
                source = Wire(element.key, ((x, top + self.tops[index] + element.body),))
                self.sides[index].place(canvas, x + left, top + bus, source)
        end = top + self.height
        leaving = []
        last = self.elements[-1]
        for wire in going:
            at, y = wire.points[-1]
            if isinstance(last, Layers) and last.open_ended:
                leaving.append(wire.to((at, end)))
                continue
            if abs(at - x) > 0.01:  # a direct edge beside the branches
                wire = wire.to((x, y))
            leaving.append(wire.to((x, end)))
        return leaving


def _ends(element: Piece) -> bool:
    """Whether a column may end with an element."""
    return isinstance(element, Single) or (isinstance(element, Layers) and element.open_ended)


def _inside(keys: Sequence[int], frame: Frame) -> bool:
    return min(keys) >= frame.first and max(keys) <= frame.last


class Layers:
    """What has a bus at its top: see Split and convcalc.render.drawing.graph.layered.Tangle."""

    left: float
    right: float
    height: float
    keys: Sequence[int]
    lead: float  # from the top to the first box
    continued = False  # whether lines come from layers above, each on its own axis
    open_ended = False  # whether lines go on to layers below, each on its own axis

    def open(self, pads: float) -> None:
        """Makes room at the top for frames that open there."""
        raise NotImplementedError

    def place(self, canvas: Canvas, x: float, top: float, wires: Sequence[Wire], trunk: bool) -> list[Wire]:
        """Places it."""
        raise NotImplementedError


class Split(Layers):
    """Branches side by side. fed: they leave one box by a bus. loose: branches that begin with an input of their own;
    direct: an edge from the fork to the join, in a lane at the right, or on the axis if all branches are loose."""

    def __init__(self, branches: Sequence[Stack], loose: Sequence[Stack], *, direct: bool, fed: bool) -> None:
        self.branches = tuple(branches)
        self.loose = tuple(loose)
        self.direct = direct
        self.fed = fed
        self.keys: Sequence[int] = [key for stack in (*branches, *loose) for key in stack.keys]
        self.main: Stack | None = None  # the branch on the axis
        self._across = self._placed_across()
        self.lane: float | None = None
        if direct and branches:
            self.lane = self.right + LANE
            self.right = self.lane + 2
        self._inner = max([stack.height for stack in (*branches, *loose)])
        self.open(0.0)

    def _placed_across(self) -> list[tuple[Stack, float]]:
        """Each branch with its axis; sets the extents."""
        stacks = [*self.branches, *self.loose]
        if self.direct and not self.branches:  # the axis is taken by the direct edge
            self.left, self.right = 4.0, 4.0
            return self._at_the_right([], self.loose)
        main = self._trunk(stacks)
        if main is not None:
            self.main = main
            self.left, self.right = main.left, main.right
            return self._at_the_right([(main, 0.0)], [stack for stack in stacks if stack is not main])
        total = sum([stack.left + stack.right for stack in stacks]) + BESIDE * (len(stacks) - 1)
        start = -total / 2
        axes = []
        for stack in stacks:
            axes.append(start + stack.left)
            start += stack.left + stack.right + BESIDE
        nearest = min(axes, key=abs)
        if abs(nearest) < SNAP:
            axes = [axis - nearest for axis in axes]
        self.left = stacks[0].left - axes[0]
        self.right = axes[-1] + stacks[-1].right
        return list(zip(stacks, axes, strict=True))

    def _at_the_right(
        self, placed: list[tuple[Stack, float]], stacks: Sequence[Stack]
    ) -> list[tuple[Stack, float]]:
        for stack in stacks:
            axis = self.right + BESIDE + stack.left
            placed.append((stack, axis))
            self.right = axis + stack.right
        return placed

    def _trunk(self, stacks: Sequence[Stack]) -> Stack | None:
        """The branch that belongs on the axis: far longer than the others, or all that is fed."""
        if len(self.branches) == 1 and (self.fed or len(stacks) == 1):
            return self.branches[0]
        counts = [len(stack.keys) for stack in stacks]
        most = max(counts)
        rest = sum(counts) - most
        if counts.count(most) == 1 and (rest <= FEW or most >= 6 * rest):
            return stacks[counts.index(most)]
        return None

    def open(self, pads: float) -> None:
        """Makes room for frames that open at the top."""
        self.lead = max(DROP, pads) if self.fed else pads
        self.height = self.lead + self._inner + STUB

    def widen(self, least: float) -> None:
        """Moves the lane of the direct edge at least so far from the axis."""
        if self.lane is not None and self.lane < least:
            self.lane = least
            self.right = max(self.right, least + 2)

    def place(self, canvas: Canvas, x: float, top: float, wires: Sequence[Wire], trunk: bool) -> list[Wire]:
        """Places the branches; the bus of the fork is at the top, that of the join at the bottom."""
        end = top + self.height
        leaving: list[Wire] = []
        loose = {id(stack) for stack in self.loose}
        for stack, axis in self._across:
            down = 0.0
            if self.main is not None and stack is not self.main and self.fed:
                down = (self._inner - stack.height) / 2
            if id(stack) in loose and self.fed:
                down = self._inner - stack.height
            at = top + self.lead + down
            entering: list[Wire] = []
            if id(stack) not in loose:
                for wire in wires:
                    entering.append(wire.to((x, top), (x + axis, top), (x + axis, at)))
            for wire in stack.place(canvas, x + axis, at, entering, trunk and stack is self.main):
                leaving.append(wire.to((x + axis, end), (x, end)))
        if self.direct:
            for wire in wires:
                if self.lane is None:
                    leaving.append(wire.to((x, end)))
                else:
                    leaving.append(wire.to((x, top), (x + self.lane, top), (x + self.lane, end)))
        return leaving


class Side:
    """Branches that leave a box for outputs of their own, beside what follows it."""

    def __init__(self, branches: Sequence[Stack]) -> None:
        self.branches = tuple(branches)
        self.keys: Sequence[int] = [key for stack in branches for key in stack.keys]
        self.height = max([stack.height for stack in branches])
        self.width = sum([stack.left + stack.right for stack in branches]) + BESIDE * (len(branches) - 1)

    def place(self, canvas: Canvas, left: float, bus: float, wire: Wire) -> None:
        """Places the branches from `left` on, below a bus that the wire reaches straight down."""
        x = wire.points[-1][0]
        for stack in self.branches:
            axis = left + stack.left
            stack.place(canvas, axis, bus + DROP, [wire.to((x, bus), (axis, bus), (axis, bus + DROP))], False)
            left = axis + stack.right + BESIDE
