"""Layers for what is not series-parallel, such as feature pyramids: ranks by longest path, the longest path straight.

After Sugiyama, Tagawa & Toda 1981, with the trunk pinned to the axis and lines routed in tracks between the ranks. What
is series-parallel inside is laid out as a stack and takes part as one cell.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from convcalc.errors import UsageError
from convcalc.render.drawing.graph.cells import (
    RAIL,
    TRACK,
    Cell,
    Net,
    assign_tracks,
    count_crossings,
    least_apart,
    median,
    move_aside,
    separated,
    standing,
    topological,
)
from convcalc.render.drawing.graph.place import BESIDE, DROP, GAP, STUB, Canvas, Piece, Wire
from convcalc.render.drawing.graph.stack import Layers

SWEEPS = 8
MANY = 6_000  # cells, from which on fewer sweeps have to do
STRAIGHTENINGS = 4
SETTLING = 12  # sweeps that settle the places across
PINNED, STRAIGHT = 1e6, 8.0
MAX_RAILS = 30_000  # places that lines pass; they take three seconds
MAX_CUT = 4  # lines that may pass from one column to the next


class Tangle(Layers):
    """Cells in ranks. links: (source, target), places in `pieces`; −1 is what enters at the top, len(pieces) what
    leaves at the bottom. entered, left_by: whether there is anything to enter, to leave."""

    def __init__(
        self, pieces: Sequence[Piece], links: Iterable[tuple[int, int]], *, entered: bool, left_by: bool
    ) -> None:
        self.keys: Sequence[int] = [key for piece in pieces for key in piece.keys]
        self._pieces = list(pieces)
        self._entry = Cell(0, None, -1.0) if entered else None
        self._exit = Cell(0, None, float("inf")) if left_by else None
        cells = [Cell(0, piece, min(piece.keys)) for piece in pieces]
        by_place: dict[int, Cell] = dict(enumerate(cells))
        if self._entry is not None:
            by_place[-1] = self._entry
        if self._exit is not None:
            by_place[len(pieces)] = self._exit
        for cell in (self._entry, self._exit):
            if cell is not None:
                cell.left = cell.right = 0.0
        for source, target in links:
            by_place[source].targets.append(by_place[target])
        self._cells = list(by_place.values())
        self._rank()
        self._pin()
        self._rails()
        self._order()
        self._settle()
        self._route()
        self.open(0.0)

    def _rank(self) -> None:
        order = topological(self._cells)
        for cell in order:
            for target in cell.targets:
                target.rank = max(target.rank, cell.rank + 1)
        entered = {id(target) for cell in order for target in cell.targets}
        for cell in reversed(order):  # an input of its own stands just above its reader
            if id(cell) not in entered and cell is not self._entry and cell.targets:
                cell.rank = min([target.rank for target in cell.targets]) - 1
        if self._exit is not None:
            self._exit.rank = max([cell.rank for cell in self._cells if cell is not self._exit]) + 1
        self._in_order = order

    def _pin(self) -> None:
        """Pins the path with the most boxes to the axis."""
        best: dict[int, tuple[int, Cell | None]] = {}
        for cell in reversed(self._in_order):
            follower = max(cell.targets, key=lambda target: best[id(target)][0], default=None)
            count = best[id(follower)][0] if follower is not None else 0
            best[id(cell)] = (count + (len(cell.piece.keys) if cell.piece else 0), follower)
        start = self._entry or max(self._cells, key=lambda cell: best[id(cell)][0])
        step: Cell | None = start
        while step is not None:
            step.pinned = True
            step = best[id(step)][1]
        if self._exit is not None:
            self._exit.pinned = True

    def _rails(self) -> None:
        """Ranks of cells, with a cell for every line that passes a rank. Lines of one source share theirs. Raises
        UsageError for more lines beside one another than anybody could follow."""
        passed = sum(
            [
                max([target.rank for target in cell.targets]) - cell.rank - 1
                for cell in self._cells
                if cell.targets
            ]
        )
        if passed > MAX_RAILS:
            raise UsageError(
                f"the connections run past {passed:,} places, too many to draw; at most {MAX_RAILS:,}",
                hint="fold blocks: --depth 1; in characters it may go: leave -o out",
            )
        count = max([cell.rank for cell in self._cells]) + 1
        self._ranks: list[list[Cell]] = [[] for _ in range(count)]
        for cell in sorted(self._cells, key=lambda cell: cell.key):
            self._ranks[cell.rank].append(cell)
        self._rail: dict[tuple[int, int], Cell] = {}
        for cell in self._cells:
            last = max([target.rank for target in cell.targets], default=0)
            before = cell
            for rank in range(cell.rank + 1, last):
                rail = Cell(rank, None, cell.key)
                before.below.append(rail)
                rail.above.append(before)
                self._ranks[rank].append(rail)
                self._rail[id(cell), rank] = rail
                before = rail
            for target in cell.targets:
                near = self._rail.get((id(cell), target.rank - 1), cell)
                near.below.append(target)
                target.above.append(near)

    @property
    def _small(self) -> bool:
        """Whether there is time for all sweeps."""
        return sum([len(rank) for rank in self._ranks]) < MANY

    def _order(self) -> None:
        """Orders the ranks by barycentres, and keeps the order with the fewest crossings."""
        best = [list(rank) for rank in self._ranks]
        fewest = count_crossings(best)
        for sweep in range(SWEEPS if self._small else 2):
            down = sweep % 2 == 0
            ranks = self._ranks if down else self._ranks[::-1]
            for rank in ranks:
                place = {
                    id(cell): index
                    for other in self._ranks[max(0, rank[0].rank - 1) : rank[0].rank + 2]
                    for index, cell in enumerate(other)
                }
                mean = {}
                for cell in rank:
                    near = cell.above if down else cell.below
                    own = place[id(cell)]
                    mean[id(cell)] = sum([place[id(other)] for other in near]) / len(near) if near else own
                rank.sort(key=lambda cell: mean[id(cell)])
            found = count_crossings(self._ranks)
            if found < fewest:
                fewest, best = found, [list(rank) for rank in self._ranks]
        self._ranks = best

    def _settle(self) -> None:
        """The places across: as near to those above and below as the cells' widths allow."""
        for rank in self._ranks:
            x = 0.0
            for cell in rank:
                cell.x = x + cell.left
                x += cell.left + cell.right + BESIDE
            middle = next((cell.x for cell in rank if cell.pinned), x / 2)
            for cell in rank:
                cell.x -= middle
        for sweep in range(SETTLING if self._small else 2):
            for rank in self._ranks if sweep % 2 == 0 else self._ranks[::-1]:
                wishes, weights = [], []
                for cell in rank:
                    near = cell.above if sweep % 2 == 0 else cell.below
                    near = near or cell.above or cell.below
                    rail = cell.piece is None and not cell.pinned
                    straight = [other for other in near if other.piece is None and not other.pinned]
                    if rail and straight:
                        near = straight
                    wishes.append(
                        0.0 if cell.pinned else median([other.x for other in near]) if near else cell.x
                    )
                    weights.append(PINNED if cell.pinned else STRAIGHT if rail else 1.0)
                gaps = [least_apart(a, b) for a, b in itertools.pairwise(rank)]
                for cell, x in zip(rank, separated(wishes, weights, gaps), strict=True):
                    cell.x = x
        self._straighten()
        self._untie()
        for rank in self._ranks:
            shift = next((cell.x for cell in rank if cell.pinned), 0.0)
            for cell in rank:
                cell.x -= shift
        everything = [cell for rank in self._ranks for cell in rank]
        self.left = max([cell.left - cell.x for cell in everything])
        self.right = max([cell.right + cell.x for cell in everything])

    def _straighten(self) -> None:
        """Gives a line that passes several ranks one place in all of them, where its neighbours leave room."""
        chains: list[list[Cell]] = []
        for cell in self._cells:
            chain = []
            for number in range(cell.rank + 1, len(self._ranks)):
                if (id(cell), number) not in self._rail:
                    break
                chain.append(self._rail[id(cell), number])
            if not chain:
                continue
            if not cell.pinned and cell.piece is not None and len(cell.below) == 1:
                chain.insert(0, cell)
            last = chain[-1].below
            if (
                len(last) == 1
                and last[0].piece is not None
                and not last[0].pinned
                and len(last[0].above) == 1
            ):
                chain += last
            chains.append(chain)
        chains.sort(key=len, reverse=True)
        place = {id(cell): index for rank in self._ranks for index, cell in enumerate(rank)}
        for _ in range(STRAIGHTENINGS):
            for chain in chains:
                low, high = float("-inf"), float("inf")
                for cell in chain:
                    rank, at = self._ranks[cell.rank], place[id(cell)]
                    if at:
                        low = max(low, rank[at - 1].x + least_apart(rank[at - 1], cell))
                    if at + 1 < len(rank):
                        high = min(high, rank[at + 1].x - least_apart(cell, rank[at + 1]))
                if low <= high:
                    x = min(max(median([cell.x for cell in chain]), low), high)
                    for cell in chain:
                        cell.x = x

    def _untie(self) -> None:
        """Moves a cell aside where two lines would each have to turn above the other: both cells stand right above the
        ones that the other's line goes to."""
        for rank in self._ranks:
            for a in rank:
                for b in standing(rank, [cell.x for cell in a.below]):
                    if a.x < b.x and a in standing(rank, [cell.x for cell in b.below]):
                        moved = b if a.pinned else a
                        move_aside(rank, rank.index(moved))

    def _route(self) -> None:
        """Tracks of the lines between each rank and the next."""
        self._tracks: list[dict[int, list[Net]]] = []
        self._gaps: list[float] = []
        for rank in self._ranks[:-1]:
            nets: dict[int, list[Net]] = {}
            for cell in rank:
                to_left = [end for end in cell.below if end.x < cell.x - 0.01]
                to_right = [end for end in cell.below if end.x > cell.x + 0.01]
                nets[id(cell)] = [Net(cell, ends) for ends in (to_left, to_right) if ends]
            count = assign_tracks([net for of_cell in nets.values() for net in of_cell])
            self._tracks.append(nets)
            self._gaps.append(STUB + TRACK * (count - 1) + DROP if count else GAP)

    def open(self, pads: float) -> None:
        """Makes room for frames that open at the top."""
        self._starts: list[float] = []
        y = 0.0
        for index, rank in enumerate(self._ranks):
            self._starts.append(y)
            y += max([cell.piece.height for cell in rank if cell.piece] or [0.0])
            if index < len(self._gaps):
                y += self._gaps[index] + (pads if index == 0 else 0.0)
        self.lead = self._starts[1] if self._entry is not None and len(self._ranks) > 1 else pads
        if self._entry is None:
            self._starts = [start + pads for start in self._starts]
            y += pads
        self.height = y

    def place(self, canvas: Canvas, x: float, top: float, wires: Sequence[Wire], trunk: bool) -> list[Wire]:
        """Places the cells rank by rank."""
        arriving = self._arriving(wires)
        return self._place_ranks(canvas, x, top, 0, len(self._ranks), arriving, trunk)

    def _arriving(self, wires: Sequence[Wire]) -> dict[int, list[Wire]]:
        arriving: dict[int, list[Wire]] = {id(cell): [] for rank in self._ranks for cell in rank}
        if self._entry is not None:
            arriving[id(self._entry)] = list(wires)
        return arriving

    def _place_ranks(
        self,
        canvas: Canvas,
        x: float,
        top: float,
        first: int,
        end: int,
        arriving: dict[int, list[Wire]],
        trunk: bool,
    ) -> list[Wire]:
        """Places the ranks first to end - 1. arriving: the wires at each cell's top; those of rank `end` end at the
        lower end of the one before it. Returns what leaves the last rank of all."""
        leaving: list[Wire] = []
        for index in range(first, end):
            start = top + self._starts[index]
            base = start + self._tallest(index)
            for cell in self._ranks[index]:
                axis = x + cell.x
                going = arriving[id(cell)]
                if cell.piece is not None:
                    going = cell.piece.place(canvas, axis, start, going, trunk and cell.pinned)
                if cell is self._exit:
                    leaving = going
                    continue
                going = [wire.to((axis, base)) for wire in going]
                arriving[id(cell)] = going
            if index + 1 < end:
                self._cross(x, base, index, top + self._starts[index + 1], arriving)
        return leaving

    def _cross(
        self, x: float, base: float, index: int, below: float, arriving: dict[int, list[Wire]]
    ) -> None:
        """Leads the wires at the lower end of a rank to the next."""
        for cell in self._ranks[index]:
            for end in cell.below:
                bend = self._bend(cell, end, x, base)
                arriving[id(end)] += [wire.to(*bend, (x + end.x, below)) for wire in arriving[id(cell)]]

    def _tallest(self, index: int) -> float:
        return max([cell.piece.height for cell in self._ranks[index] if cell.piece] or [0.0])

    def slices(self) -> list[Slice]:
        """The layers cut wherever few lines pass from one rank to the next: the same picture, which can be broken."""
        bounds = [0]
        last = len(self._ranks) - (2 if self._exit is not None else 1)
        for index in range(1 if self._entry is not None else 0, last):
            if len([cell for cell in self._ranks[index] if cell.below]) <= MAX_CUT:
                bounds.append(index + 1)
        bounds.append(len(self._ranks))
        shared: dict[int, list[Wire]] = {}
        return [Slice(self, first, end, shared) for first, end in itertools.pairwise(bounds)]

    def _bend(self, cell: Cell, end: Cell, x: float, base: float) -> tuple[tuple[float, float], ...]:
        for net in self._tracks[cell.rank][id(cell)]:
            if any(other is end for other in net.ends):
                y = base + STUB + TRACK * net.track
                return ((x + cell.x, y), (x + end.x, y))
        return ()


class Slice(Layers):
    """Some ranks of layers: first to end - 1. shared: the wires at each cell, for all slices of the layers."""

    def __init__(self, whole: Tangle, first: int, end: int, shared: dict[int, list[Wire]]) -> None:
        self._whole = whole
        self._first, self._end = first, end
        self._shared = shared
        self.continued = first > 0
        ranks = whole._ranks
        self.open_ended = end < len(ranks)
        cells = [cell for rank in ranks[first:end] for cell in rank]
        self.keys = [key for cell in cells if cell.piece is not None for key in cell.piece.keys]
        self.count = len([cell for cell in ranks[end - 1] if cell.below])  # lines that go on below
        self._entering = [cell for cell in ranks[first - 1] if cell.below] if first else []
        everything = [*cells, *self._entering]
        self.left = max([(cell.left if cell in cells else RAIL) - cell.x for cell in everything])
        self.right = max([(cell.right if cell in cells else RAIL) + cell.x for cell in everything])
        self.open(0.0)

    def open(self, pads: float) -> None:
        """Takes its height from the layers' measures; frames open only at whole layers."""
        whole = self._whole
        starts = whole._starts
        self._top = starts[self._first - 1] + whole._tallest(self._first - 1) if self._first else 0.0
        last = self._end - 1
        self.height = starts[last] + whole._tallest(last) - self._top
        self.lead = starts[self._first] - self._top

    def place(self, canvas: Canvas, x: float, top: float, wires: Sequence[Wire], trunk: bool) -> list[Wire]:
        """Places its ranks. The wires of another slice end on the axes of the cells that they come from."""
        whole, shared = self._whole, self._shared
        top -= self._top
        if self._first == 0:
            shared.clear()
            shared.update(whole._arriving(wires))
        else:
            coming = iter(wires)
            for cell in self._entering:
                shared[id(cell)] = [next(coming) for _ in shared[id(cell)]]
            base = top + self._top
            whole._cross(x, base, self._first - 1, top + whole._starts[self._first], shared)
        leaving = whole._place_ranks(canvas, x, top, self._first, self._end, shared, trunk)
        if not self.open_ended:
            return leaving
        return [wire for cell in whole._ranks[self._end - 1] if cell.below for wire in shared[id(cell)]]
