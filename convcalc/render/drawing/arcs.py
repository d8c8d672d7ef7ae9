"""Skips under a bank of figures: lanes from foot to foot, nested; where the ends lie in different banks, a letter at
both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from convcalc.render.drawing import lettering
from convcalc.render.drawing.scene import Item, Point, Polyline, Text

STUB = 12.0  # of the line to a letter
STEP = 13.0  # from one lane to the next
APART = 11.0  # between two lines at one foot
FROM_BODY = 2.0
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Arc(NamedTuple):
    """A skip from one figure to another, by their places, and the word written on it."""

    first: int
    last: int
    word: str = ""


class Foot(NamedTuple):
    """The lowest point of a figure, where skips begin and end."""

    x: float
    bottom: float


class Lane(NamedTuple):
    """The path of a skip, a point in its middle (None: it is cut and has letters), and the rectangle of its word: left,
    top, right and bottom."""

    path: tuple[Point, ...]
    middle: Point | None
    word: tuple[float, float, float, float]


def depths(
    arcs: Sequence[Arc], bottoms: Mapping[int, float], size: float
) -> tuple[dict[int, float], dict[int, float]]:
    """How far down each skip runs whose two ends are among the figures of one bank, by its place in `arcs`; and how far
    down each figure reaches with the letters of its other skips. bottoms: of the bank's figures."""
    reach = dict(bottoms)
    for arc in arcs:
        inside = [end for end in (arc.first, arc.last) if end in bottoms]
        if len(inside) == 1:
            reach[inside[0]] = bottoms[inside[0]] + FROM_BODY + STUB + size
    found: dict[int, float] = {}
    for place in sorted(range(len(arcs)), key=lambda place: arcs[place].last - arcs[place].first):
        arc = arcs[place]
        if arc.first not in bottoms or arc.last not in bottoms:
            continue
        low = max(reach[figure] for figure in range(arc.first, arc.last + 1))
        for other, depth in found.items():
            if arcs[other].first <= arc.last and arc.first <= arcs[other].last:
                low = max(low, depth)
        found[place] = low + STEP + (size if arc.word else 0)
    return found, reach


def lanes(
    arcs: Sequence[Arc], feet: Sequence[Foot], runs: Mapping[int, float], size: float
) -> tuple[list[Lane], list[Item]]:
    """Each skip's lane, and what is drawn of them. feet: of every figure; runs: the height at which a skip runs, for
    those that are not cut."""
    total = Counter(end for arc in arcs for end in (arc.first, arc.last))
    used: Counter[int] = Counter()

    def foot(place: int) -> Foot:
        x = feet[place].x + (used[place] - (total[place] - 1) / 2) * APART
        used[place] += 1
        return Foot(x, feet[place].bottom + FROM_BODY)

    found: list[Lane] = []
    items: list[Item] = []
    letters = iter(LETTERS)
    for place, arc in enumerate(arcs):
        start, end = foot(arc.first), foot(arc.last)
        if place in runs:
            y = runs[place]
            path: tuple[Point, ...] = ((start.x, start.bottom), (start.x, y), (end.x, y), (end.x, end.bottom))
            items.append(Polyline(path, radius=6, arrow=True))
            middle = ((start.x + end.x) / 2, y)
            word = Text(
                middle[0],
                y - 4,
                lettering.cut(arc.word, max(end.x - start.x - 12, 20), size),
                size,
                ink="muted",
                anchor="middle",
            )
            if arc.word:
                items.append(word)
            found.append(Lane(path, middle, lettering.box(word)))
            continue
        letter = next(letters)
        texts = [
            Text(end.x, end.bottom + STUB + size, letter, size, True, anchor="middle") for end in (start, end)
        ]
        path = ((start.x, start.bottom), (start.x, start.bottom + STUB))
        items += [
            Polyline(path),
            Polyline(((end.x, end.bottom + STUB), (end.x, end.bottom)), arrow=True),
            *texts,
        ]
        found.append(Lane(path, None, lettering.box(texts[0])))
    return found, items
