"""Boxes as a stack of pieces: what every path passes stands on the axis, what lies between two such boxes beside it.

A box is on the axis if nothing born before it is read after it: one walk in running order that keeps the last reader
so far. Between two boxes on the axis lie branches, each the same again; what has no such structure goes into layers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from convcalc.analysis.boxes import Boxes, Frame
from convcalc.render.drawing import lettering
from convcalc.render.drawing.graph.layered import Tangle
from convcalc.render.drawing.graph.place import NOTE, Piece, Single, Sizes
from convcalc.render.drawing.graph.stack import FEW, Framed, Side, Split, Stack

FEED_DEPTH = 3  # boxes above its reader, from which on an input stands beside it and not at the top
MAX_NOTE = 120.0
MAX_NESTED = 60  # branches within branches
MAX_ENDS = 16  # outputs that are tried as the end of the axis


class _Part(NamedTuple):
    """A box on the axis, above = below, or the boxes between two. feeds: groups read by the one below alone."""

    keys: Sequence[int]
    above: int | None
    below: int | None
    feeds: Sequence[Sequence[int]]


class Structure:
    """The stack of a network, with what was set aside from it."""

    def __init__(self, boxes: Boxes, sizes: Sizes) -> None:
        self.sizes = sizes
        self.inputs = [box.inputs for box in boxes.boxes]
        count = len(self.inputs)
        self.readers: list[list[int]] = [[] for _ in range(count)]
        for key, read in enumerate(self.inputs):
            for source in read:
                self.readers[source].append(key)
        self.notes: dict[int, str] = {}
        if len(boxes.outputs) > 1:
            for name, key in boxes.outputs:
                self.notes[key] = f"{self.notes[key]}, {name}" if key in self.notes else name
        self.sides: dict[
            int, list[list[int]]
        ] = {}  # groups of boxes that only lead to outputs, by what they read
        self.feeds: dict[int, list[list[int]]] = {}  # groups with an input of their own, by their one reader
        self.unplaced: list[Frame] = []
        self._nested = 0
        rest = self._set_feeds_aside(self._set_sides_aside(set(range(count))))
        keys = sorted(rest)
        self.stack = self._stack(keys, None, None, boxes.frames)
        lost = [frame for frame in self.unplaced if frame.times > 1]
        if lost:  # their boxes do not stand together: the first says it
            for frame in lost:
                note = f"×{frame.times} {frame.name}".strip()
                before = self.notes.get(frame.first)
                self.notes[frame.first] = f"{note}, {before}" if before else note
            self.stack = self._stack(
                keys, None, None, [frame for frame in boxes.frames if frame not in self.unplaced]
            )

    def _set_sides_aside(self, keys: set[int]) -> set[int]:
        """Takes away what only leads to outputs other than the furthest and reads one box of the rest."""
        ends = [key for key in keys if not self.readers[key]]
        if len(ends) < 2:
            return keys
        depth = self._depths()
        best = keys
        least: tuple[int, int, int] | None = None
        for main in sorted(ends, key=lambda key: (-depth[key], -key))[:MAX_ENDS]:
            core = self._reached([main], self.inputs)
            aside = self._groups(keys - core, keys - core)
            shared = [group for group in aside if len(self._sources(group)) != 1]
            found = (sum([len(group) for group in shared]), -depth[main], -main)
            if least is None or found < least:
                least, best = found, core.union(*shared)
        for group in self._groups(keys - best, keys - best):
            self.sides.setdefault(self._sources(group).pop(), []).append(group)
        return best

    def _sources(self, group: Sequence[int]) -> set[int]:
        """What a group of boxes reads outside it."""
        return {source for key in group for source in self.inputs[key]} - set(group)

    def _set_feeds_aside(self, keys: set[int]) -> set[int]:
        """Takes away short branches with an input of their own, read by one box far down."""
        depth = self._depths()
        starts = [key for key in keys if not self.inputs[key]]
        if len(starts) < 2:
            return keys
        main = min(starts, key=lambda key: (-len(self._reached([key], self.readers)), key))
        core = self._reached([main], self.readers) & keys
        for group in self._groups(keys - core, keys - core):
            read_by = {reader for key in group for reader in self.readers[key]} - set(group)
            reader = min(read_by) if len(read_by) == 1 else None
            few = len(group) <= FEW and reader is not None and reader in core
            if reader is not None and few and depth[reader] >= FEED_DEPTH:
                self.feeds.setdefault(reader, []).append(group)
            else:
                core |= set(group)
        return core

    def _depths(self) -> list[int]:
        depth: list[int] = []
        for read in self.inputs:
            depth.append(max([depth[source] for source in read], default=-1) + 1)
        return depth

    def _reached(self, starts: Iterable[int], links: Sequence[Sequence[int]]) -> set[int]:
        found = set(starts)
        waiting = list(found)
        while waiting:
            for near in links[waiting.pop()]:
                if near not in found:
                    found.add(near)
                    waiting.append(near)
        return found

    def _groups(self, keys: Collection[int], within: set[int]) -> list[list[int]]:
        """The weakly connected groups of some boxes, each in running order, by their first boxes."""
        groups = []
        left = set(keys)
        for start in sorted(left):
            if start not in left:
                continue
            left.discard(start)
            group, waiting = [start], [start]
            while waiting:
                key = waiting.pop()
                for near in (*self.inputs[key], *self.readers[key]):
                    if near in left and near in within:
                        left.discard(near)
                        group.append(near)
                        waiting.append(near)
            groups.append(sorted(group))
        return groups

    def _stack(
        self,
        keys: Sequence[int],
        source: int | None,
        target: int | None,
        frames: Sequence[Frame],
        *,
        direct: bool = False,
    ) -> Stack:
        """The stack of these boxes, in running order, between two boxes outside it. direct: it has the edge between
        these two as well, if there is one."""
        cuts = self._cuts(keys, source, target, direct=direct)
        parts: list[_Part] = []
        place = {key: index for index, key in enumerate(keys)}
        above, start = source, 0
        for cut in cuts:
            between, feeds = keys[start : place[cut]], self.feeds.get(cut, [])
            if between or feeds:
                parts.append(_Part(between, above, cut, feeds))
            parts.append(_Part([cut], cut, cut, []))
            above, start = cut, place[cut] + 1
        if start < len(keys):
            parts.append(_Part(keys[start:], above, target, []))
        here, inner = self._framed(frames, [self._span(part) for part in parts])
        elements: list[Piece] = []
        sides: dict[int, Side] = {}
        for index, part in enumerate(parts):
            if part.above == part.below is not None:
                elements.append(self._single(part.keys[0]))
                if part.keys[0] in self.sides:
                    sides[index] = self._side(part.keys[0], inner[index])
            else:
                own = direct or (part.above, part.below) != (source, target)
                elements.append(self._between(part, inner[index], direct=own))
        return Stack(elements, here, sides)

    def note(self, key: int) -> str:
        """The name of the output that a box is, as it is written; empty if it is none or the only one."""
        return lettering.cut(self.notes[key], MAX_NOTE, NOTE) if key in self.notes else ""

    def read(self, key: int) -> bool:
        """Whether a box's output is read on its axis: not only by what stands aside."""
        aside = {other for group in self.sides.get(key, ()) for other in group}
        return any(reader not in aside for reader in self.readers[key])

    def _single(self, key: int) -> Single:
        return Single(key, self.sizes[key], read=self.read(key), note=self.note(key))

    def _side(self, key: int, frames: Sequence[Frame]) -> Side:
        groups = self.sides[key]
        stacks = []
        for group in groups:
            mine = [frame for frame in frames if any(frame.first <= other <= frame.last for other in group)]
            stacks.append(self._stack(group, key, None, mine))
        return Side(stacks)

    def _span(self, part: _Part) -> list[int]:
        """The boxes of an element, with what stands beside and before it."""
        keys = [*part.keys, *[key for group in part.feeds for key in group]]
        for key in tuple(keys):
            keys += [other for group in self.sides.get(key, ()) for other in self._whole(group)]
        return keys

    def _whole(self, group: Sequence[int]) -> list[int]:
        keys = list(group)
        for key in group:
            keys += [other for inner in self.sides.get(key, ()) for other in self._whole(inner)]
        return keys

    def _framed(
        self, frames: Sequence[Frame], spans: Sequence[Sequence[int]]
    ) -> tuple[list[Framed], list[list[Frame]]]:
        """Which frames go about elements of this stack, and which into an element."""
        here: list[Framed] = []
        inner: list[list[Frame]] = [[] for _ in spans]
        if not frames:
            return here, inner
        bounds = [(min(span), max(span)) for span in spans]
        for frame in frames:
            size = frame.last - frame.first + 1
            within = [
                index
                for index, (low, high) in enumerate(bounds)
                if low <= frame.last
                and high >= frame.first
                and any(frame.first <= key <= frame.last for key in spans[index])
            ]
            if not within:
                continue
            held = sum([sum([frame.first <= key <= frame.last for key in spans[at]]) for at in within])
            outside = any(
                not frame.first <= key <= frame.last for at in within for key in self._own(spans[at])
            )
            if held == size and not outside and within == list(range(within[0], within[-1] + 1)):
                here.append(Framed(frame, within[0], within[-1]))
                continue
            if len(within) == 1:
                inner[within[0]].append(frame)
            else:
                self.unplaced.append(frame)
        return here, inner

    def _own(self, span: Sequence[int]) -> list[int]:
        """The boxes of an element without what stands aside beside it."""
        aside = {key for groups in self.sides.values() for group in groups for key in group}
        return [key for key in span if key not in aside] or list(span)

    def _cuts(
        self, keys: Sequence[int], source: int | None, target: int | None, *, direct: bool
    ) -> list[int]:
        """The boxes that every path passes."""
        place = {key: index for index, key in enumerate(keys)}
        end = len(keys)
        # The last reader of all that came before: of what stands above, too, which every input counts as.
        reached = max([place[key] for key in keys if not self.inputs[key]], default=0)
        if source is not None:
            for reader in self.readers[source]:
                if reader in place:
                    reached = max(reached, place[reader])
                elif reader == target and direct:
                    reached = end
        found = []
        for index, key in enumerate(keys):
            if reached <= index:
                found.append(key)
            last = -1
            for reader in self.readers[key]:
                if reader in place:
                    last = max(last, place[reader])
                elif reader == target:
                    last = end
            reached = max(reached, last if last >= 0 else end)
        return found

    def _between(self, part: _Part, frames: Sequence[Frame], *, direct: bool) -> Split | Tangle:
        """What lies between two boxes on the axis. direct: the edge between them belongs to it, if there is one."""
        keys, source, target, feeds = part
        direct = direct and source is not None and target is not None and source in self.inputs[target]
        if self._nested >= MAX_NESTED:
            return self._flat(part, frames, direct=direct)
        groups = self._groups(keys, set(keys))
        if source is not None:  # what begins with inputs of its own alone
            feeds = [*feeds, *[group for group in groups if source not in self._sources(group)]]
            groups = [group for group in groups if source in self._sources(group)]
        self._nested += 1
        found: Split | Tangle
        if len(groups) == 1 and not direct and not feeds:
            found = self._tangle(keys, source, target, frames)
        else:
            found = self._split(groups, feeds, source, target, frames, direct=direct)
        self._nested -= 1
        return found

    def _split(
        self,
        groups: Sequence[Sequence[int]],
        feeds: Sequence[Sequence[int]],
        source: int | None,
        target: int | None,
        frames: Sequence[Frame],
        *,
        direct: bool,
    ) -> Split:
        """Branches, those of feeds with inputs of their own, as a split."""
        parts = [*groups, *feeds]
        inner: list[list[Frame]] = [[] for _ in parts]
        for frame in frames:
            at = [
                index
                for index, group in enumerate(parts)
                if any(frame.first <= key <= frame.last for key in self._whole(group))
            ]
            if len(at) == 1:
                inner[at[0]].append(frame)
            else:
                self.unplaced.append(frame)
        branches = [self._stack(group, source, target, inner[index]) for index, group in enumerate(groups)]
        loose = [
            self._stack(group, None, target, inner[index + len(groups)]) for index, group in enumerate(feeds)
        ]
        return Split(branches, loose, direct=direct, fed=source is not None)

    def _flat(self, part: _Part, frames: Sequence[Frame], *, direct: bool) -> Tangle:
        """Layers of single boxes, for what is nested too deeply for anything else."""
        self.unplaced += frames
        keys = [*part.keys, *[key for group in part.feeds for key in group]]
        keys += [other for key in part.keys for group in self.feeds.get(key, ()) for other in group]
        index = {key: place for place, key in enumerate(keys)}
        ends = dict(index)
        if part.above is not None:
            ends[part.above] = -1
        if part.below is not None:
            ends[part.below] = len(keys)
        links = [(ends[read], index[key]) for key in keys for read in self.inputs[key]]
        if part.below is not None:
            links += [(index[read], len(keys)) for read in self.inputs[part.below] if read in index]
        if direct:
            links.append((-1, len(keys)))
        pieces = [self._alone(key, ()) for key in keys]
        return Tangle(pieces, links, entered=part.above is not None, left_by=part.below is not None)

    def _tangle(
        self, keys: Sequence[int], source: int | None, target: int | None, frames: Sequence[Frame]
    ) -> Tangle:
        """Layers, in which what is series-parallel is one cell."""
        bundles = self._reduced(keys, source, target)
        inside = {key for held in bundles.values() for key in held}
        entering: dict[int, list[int]] = {}
        for above, below in bundles:
            entering.setdefault(below, []).append(above)
        groups: list[tuple[list[int], int | None, int | None]] = []
        absorbed: set[tuple[int, int]] = set()
        for key in keys:
            if key in inside:
                continue
            above_it = entering.get(key, [])
            held = bundles[above_it[0], key] if len(above_it) == 1 else set()
            if held:  # what leads to this box alone stands above it
                absorbed.add((above_it[0], key))
                groups.append(([*sorted(held), key], above_it[0], None))
            else:
                groups.append(([key], key, key))
        groups += [(sorted(held), *ends) for ends, held in bundles.items() if held and ends not in absorbed]
        inner: list[list[Frame]] = [[] for _ in groups]
        for frame in frames:
            at = [
                index
                for index, (part, _, _) in enumerate(groups)
                if any(frame.first <= key <= frame.last for key in self._whole(part))
            ]
            if len(at) == 1:
                inner[at[0]].append(frame)
            else:
                self.unplaced.append(frame)
        pieces: list[Piece] = []
        of_box: dict[int, int] = {}
        for index, (part, start, end) in enumerate(groups):
            if start == end:
                of_box[part[0]] = index
                pieces.append(self._alone(part[0], inner[index]))
            else:
                pieces.append(self._stack(part, start, end, inner[index], direct=True))
            if end is None:
                of_box[part[-1]] = index
        links: list[tuple[int, int]] = []
        for key, index in tuple(of_box.items()):
            for feed in self.feeds.get(key, ()) if len(groups[index][0]) == 1 else ():
                links.append((len(pieces), index))
                pieces.append(self._stack(feed, None, key, ()))
        if source is not None:
            of_box[source] = -1
        if target is not None:
            of_box[target] = len(pieces)
        for index, (_, start, end) in enumerate(groups):
            if start is not None and start != end:
                links.append((of_box[start], index))
                if end is not None:
                    links.append((index, of_box[end]))
        links += [(of_box[a], of_box[b]) for (a, b), held in bundles.items() if not held]
        return Tangle(pieces, links, entered=source is not None, left_by=target is not None)

    def _alone(self, key: int, frames: Sequence[Frame]) -> Stack:
        sides = {0: self._side(key, frames)} if key in self.sides else {}
        here = [Framed(frame, 0, 0) for frame in frames if frame.first == frame.last == key]
        return Stack([self._single(key)], here, sides)

    def _reduced(
        self, keys: Sequence[int], source: int | None, target: int | None
    ) -> Mapping[tuple[int, int], set[int]]:
        """The graph after replacing, again and again, a box with one edge in and one out by an edge that holds it, and
        parallel edges by one (Valdes, Tarjan & Lawler 1982): edges with the boxes they hold."""
        members = (
            set(keys)
            | ({source} if source is not None else set())
            | ({target} if target is not None else set())
        )
        out: dict[int, dict[int, set[int]]] = {key: {} for key in members}
        into: dict[int, set[int]] = {key: set() for key in members}
        for key in members:
            if key == source:
                continue
            for read in self.inputs[key]:
                if read in members and read != target and not (key == target and read == source):
                    out[read][key] = set()
                    into[key].add(read)
        waiting, own = list(keys), set(keys)
        while waiting:
            key = waiting.pop()
            if key not in out or len(into[key]) != 1 or len(out[key]) != 1:
                continue
            (above,), (below,) = into[key], out[key]
            held = out[above].pop(key) | {key} | out.pop(key)[below]
            into[below].discard(key)
            out[above].setdefault(below, set()).update(held)
            into[below].add(above)
            waiting += [end for end in (above, below) if end in own]
        return {(above, below): held for above, ends in out.items() for below, held in ends.items()}
