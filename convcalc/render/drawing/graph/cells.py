"""Cells of layers: their order within ranks, their places across, and the tracks of lines between ranks."""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence

from convcalc.render.drawing.graph.place import BESIDE, Piece

TRACK = 8.0  # from one line to the next, between ranks
RAIL = 5.0  # half of what a line takes that passes a rank
NEAR = 4.0  # cells nearer than this stand right below one another


class Cell:
    """A piece, a line that passes a rank (piece None), or an end of the layers."""

    __slots__ = ("above", "below", "key", "left", "piece", "pinned", "rank", "right", "targets", "x")

    def __init__(self, rank: int, piece: Piece | None, key: float) -> None:
        self.rank = rank
        self.piece = piece
        self.key = key  # place in running order
        self.left = piece.left if piece else RAIL
        self.right = piece.right if piece else RAIL
        self.above: list[Cell] = []
        self.below: list[Cell] = []
        self.targets: list[Cell] = []
        self.pinned = False
        self.x = 0.0


class Net:
    """What leaves a cell to one side, in one track: from its axis to those of cells in the next rank."""

    __slots__ = ("cell", "ends", "track")

    def __init__(self, cell: Cell, ends: Sequence[Cell]) -> None:
        self.cell = cell
        self.ends = ends
        self.track = 0

    @property
    def span(self) -> tuple[float, float]:
        xs = [self.cell.x, *[end.x for end in self.ends]]
        return min(xs), max(xs)


def least_apart(a: Cell, b: Cell) -> float:
    """The least distance of the axes of two neighbours in a rank."""
    return a.right + b.left + (TRACK if a.piece is None and b.piece is None else BESIDE * 0.7)


def standing(rank: Sequence[Cell], places: Sequence[float]) -> list[Cell]:
    """The cells of a rank that stand at these places across, nearer than NEAR."""
    found = []
    for x in places:
        at = bisect_left(rank, x - NEAR, key=lambda cell: cell.x)
        while at < len(rank) and rank[at].x < x + NEAR:
            found.append(rank[at])
            at += 1
    return found


def move_aside(rank: Sequence[Cell], at: int) -> None:
    """Moves a cell by more than NEAR to the side that has more room: half of the least distance of neighbours is left
    at least."""
    cell, step = rank[at], NEAR + 2
    before = cell.x - rank[at - 1].x - least_apart(rank[at - 1], cell) if at else step
    after = rank[at + 1].x - cell.x - least_apart(cell, rank[at + 1]) if at + 1 < len(rank) else step
    cell.x += step if after >= before else -step


def topological(cells: Sequence[Cell]) -> list[Cell]:
    """The cells, each before its targets."""
    waiting = {id(cell): 0 for cell in cells}
    for cell in cells:
        for target in cell.targets:
            waiting[id(target)] += 1
    ready = [cell for cell in cells if not waiting[id(cell)]]
    order = []
    while ready:
        cell = ready.pop()
        order.append(cell)
        for target in cell.targets:
            waiting[id(target)] -= 1
            if not waiting[id(target)]:
                ready.append(target)
    return order


def count_crossings(ranks: Sequence[Sequence[Cell]]) -> int:
    """How many pairs of lines from a rank to the next cross: inversions of their lower ends."""
    total = 0
    for upper, lower in itertools.pairwise(ranks):
        place = {id(cell): index for index, cell in enumerate(lower)}
        ends: list[int] = []  # of the lines further left, sorted
        for cell in upper:
            own = sorted([place[id(other)] for other in cell.below])
            total += sum([len(ends) - bisect_right(ends, end) for end in own])
            for end in own:
                insort(ends, end)
    return total


def median(values: Sequence[float]) -> float:
    """The middle value, or the mean of the two in the middle."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def separated(wishes: Sequence[float], weights: Sequence[float], gaps: Sequence[float]) -> list[float]:
    """The places nearest to the wishes, by weighted squares, of which each is at least its gap after the one before
    (pool adjacent violators)."""
    offsets = [0.0]
    for gap in gaps:
        offsets.append(offsets[-1] + gap)
    blocks: list[tuple[float, float, int]] = []  # mean, weight, members
    for wish, weight, offset in zip(wishes, weights, offsets, strict=True):
        mean, members = wish - offset, 1
        while blocks and blocks[-1][0] > mean:
            before, heavy, count = blocks.pop()
            mean = (before * heavy + mean * weight) / (heavy + weight)
            weight += heavy
            members += count
        blocks.append((mean, weight, members))
    means = [mean for mean, _, members in blocks for _ in range(members)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def assign_tracks(nets: list[Net]) -> int:
    """Gives each net its track, counted from the top; returns their number.

    What goes right is tracked from the right, what goes left from the left, so that lines cross only where their ends
    do. A line that leaves at some x must turn above one that arrives there.
    """
    before: dict[int, set[int]] = {index: set() for index in range(len(nets))}
    for a, upper in enumerate(nets):
        for b, lower in enumerate(nets):
            if (
                a != b
                and any(abs(end.x - upper.cell.x) < NEAR for end in lower.ends)
                and upper.cell is not lower.cell
            ):
                before[b].add(a)
    waiting = sorted(
        range(len(nets)),
        key=lambda index: (
            -nets[index].cell.x if nets[index].ends[0].x > nets[index].cell.x else nets[index].cell.x
        ),
    )
    spans = [net.span for net in nets]
    placed: list[int] = []
    track = 0
    while waiting:
        chosen = next((index for index in waiting if not before[index] & set(waiting)), waiting[0])
        waiting.remove(chosen)
        low, high = spans[chosen]
        level = 0
        for other in placed:
            apart = spans[other][1] + NEAR < low or high + NEAR < spans[other][0]
            if not apart or other in before[chosen]:
                level = max(level, nets[other].track + 1)
        nets[chosen].track = level
        track = max(track, level + 1)
        placed.append(chosen)
    return track
