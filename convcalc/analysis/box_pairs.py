"""Which boxes of two networks correspond, and which differ, as their layers are paired by `diff`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from convcalc.analysis.boxes import Boxes, Frame
from convcalc.analysis.diff import Diff, paired_inputs

Mark = Literal["same", "changed", "added", "removed"]


class BoxPairs(NamedTuple):
    """a, b: a mark for each box, by its key; A has no `added` and B no `removed`. pairs: keys of boxes of A and B that
    correspond, each box at most once, in the order of A."""

    a: Mapping[int, Mark]
    b: Mapping[int, Mark]
    pairs: tuple[tuple[int, int], ...]


def pair_boxes(a: Boxes, b: Boxes, diff: Diff) -> BoxPairs:
    """The boxes of two networks in pairs. A box is changed if any of its layers is, in any copy of it, or if it is
    repeated another number of times; in a pair, both boxes are changed if one is."""
    homes_a, homes_b = _homes(a), _homes(b)
    votes: dict[int, Counter[int]] = {}
    statuses: tuple[dict[int, set[str]], dict[int, set[str]]] = ({}, {})
    for pair in diff.pairs:
        if pair.a is not None and pair.b is not None:
            votes.setdefault(homes_a[pair.a.index], Counter())[homes_b[pair.b.index]] += 1
        for node, homes, found in ((pair.a, homes_a, statuses[0]), (pair.b, homes_b, statuses[1])):
            if node is not None:
                found.setdefault(homes[node.index], set()).add(pair.status)
    marks_a = {box.key: _mark(statuses[0].get(box.key, ())) for box in a.boxes}
    marks_b = {box.key: _mark(statuses[1].get(box.key, ())) for box in b.boxes}

    pairs = [(-1 - first, -1 - second) for first, second in paired_inputs(diff.a.graph, diff.b.graph).items()]
    inputs_a, inputs_b = (
        {box.key for box in drawn.boxes if box.kind == "input"} - {pair[side] for pair in pairs}
        for side, drawn in enumerate((a, b))
    )
    marks_a |= dict.fromkeys(inputs_a, "removed")
    marks_b |= dict.fromkeys(inputs_b, "added")

    taken: set[int] = set()
    for first in sorted(votes):
        for second, _ in votes[first].most_common():
            if second not in taken:
                taken.add(second)
                pairs.append((first, second))
                break
    times_a, times_b = _times(a), _times(b)
    for first, second in pairs:
        one, other = a.boxes[first], b.boxes[second]
        if (
            marks_a[first] != "same"
            or marks_b[second] != "same"
            or times_a[first] != times_b[second]
            or (one.kind == "input" and one.shape != other.shape)
        ):
            marks_a[first] = marks_b[second] = "changed"
    return BoxPairs(marks_a, marks_b, tuple(sorted(pairs)))


def _homes(drawn: Boxes) -> dict[int, int]:
    """By the index of each node, the box that shows it."""
    return {layer: box.key for box in drawn.boxes for layers in (box.layers, *box.copies) for layer in layers}


def _mark(statuses: Iterable[str]) -> Mark:
    found = set(statuses)
    if found <= {"same"}:
        return "same"
    if found == {"added"}:
        return "added"
    return "removed" if found == {"removed"} else "changed"


def _times(drawn: Boxes) -> list[tuple[int, ...]]:
    """Per box, how often each frame around it is repeated, outer ones first."""
    times: list[tuple[int, ...]] = []
    around: list[Frame] = []
    frames = list(drawn.frames)[::-1]
    for box in drawn.boxes:
        while around and around[-1].last < box.key:
            around.pop()
        while frames and frames[-1].first == box.key:
            around.append(frames.pop())
        times.append(tuple([frame.times for frame in around]))
    return times
