"""Figures from left to right, each over its label, broken into banks like lines of a text to fit the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import inf
from typing import NamedTuple

from convcalc.render.drawing import lettering
from convcalc.render.drawing.arcs import Arc, Foot, Lane, depths, lanes
from convcalc.render.drawing.legend import Legend, legend_items
from convcalc.render.drawing.scene import Edge, Item, Placed, Polyline, Scene, Text


class Look(NamedTuple):
    """The measures of a page, in pixels.

    room: the width at which the chain is broken; text: the size of all words; caption: of the sentences below.
    gap, near: between two figures, and where the second pools or flattens the first; margin: around the page;
    line: from one row of words to the next; word: the widest a row of a label may be; size: a factor on the figures.
    """

    room: float
    text: float
    caption: float
    gap: float
    near: float
    margin: float
    line: float
    word: float
    size: float


SLIDE = Look(1400, 11, 10, 26, 10, 18, 15, 96, 1.0)
# 8 cm are 227 pt: text of 10 on a page of at most 372 is at least 6.1 pt high in print.
COMPACT = Look(372, 10, 10, 13, 6, 6, 12.5, 80, 0.55)
LABEL_GAP = 14.0  # between two labels
OVER = 8.0  # from a figure to the words above it
UNDER = 30.0  # from the lowest figure of a bank to its labels
GUTTER = 30.0  # from one bank to the next
LANE = 16.0  # at both sides, for the line from one bank to the next
MAX_ROWS = 4  # of fields in a label


class Figure(NamedTuple):
    """One item of a bank. name, label, layers: for `Placed`. width; top, bottom: of what is drawn, from the axis that
    runs through the middle of the bank. above: words over it; title, fields: words below, fields one after another;
    near: stands close to the figure before it; held: must not begin a bank; quiet: its title is muted."""

    name: str
    label: str
    layers: tuple[int, ...]
    width: float
    top: float
    bottom: float
    above: str
    title: str
    fields: tuple[str, ...]
    notes: tuple[str, ...] = ()
    near: bool = False
    held: bool = False
    quiet: bool = False
    bold_above: bool = False
    foot: float = 0.0  # where skips begin and end, from its left


class Spot(NamedTuple):
    """Where a figure stands: its left edge, the axis of its bank, and the bank's number."""

    left: float
    axis: float
    bank: int


class _Column(NamedTuple):
    """A figure's words, cut and broken into rows, and half of the width that it and they take."""

    above: str
    title: str
    rows: tuple[str, ...]
    half: float
    above_half: float
    label_half: float


class _Bank(NamedTuple):
    first: int
    last: int
    centres: tuple[float, ...]
    width: float
    axis: float
    base: float  # of the first row of labels
    bottom: float


class Bracket(NamedTuple):
    """A line under the labels of figures first to last, with a word: `×5`."""

    first: int
    last: int
    word: str


class Page(NamedTuple):
    """The figures in their places. spots: one for each; words: labels, brackets and the lines between banks."""

    width: float
    height: float
    spots: tuple[Spot, ...]
    words: tuple[Item, ...]
    turns: Mapping[int, tuple[tuple[float, float], ...]]  # the path to the first figure of each further bank
    lanes: tuple[Lane, ...] = ()  # of the skips


def page(
    figures: Sequence[Figure],
    look: Look,
    brackets: Sequence[Bracket] = (),
    arcs: Sequence[Arc] = (),
    *,
    wrap: bool = True,
) -> Page:
    """Where figures and their words stand. Nothing overlaps: each has a column as wide as it and its words.

    arcs: skips; wrap: several banks where one does not fit the page."""
    columns = [_column(figure, look) for figure in figures]
    pitches = [
        _pitch(figures[place], figures[place + 1], columns[place], columns[place + 1], look)
        for place in range(len(figures) - 1)
    ]
    breaks = _breaks(figures, columns, pitches, look) if wrap else [(0, len(figures) - 1)]
    several = len(breaks) > 1
    left = look.margin + (LANE if several else 0)
    words: list[Item] = []
    spots: list[Spot] = []
    banks: list[_Bank] = []
    top = look.margin
    runs: dict[int, float] = {}
    feet: list[Foot] = []
    for first, last in breaks:
        bottoms = {place: figures[place].bottom for place in range(first, last + 1)}
        deep, reach = depths(arcs, bottoms, look.text)
        lowest = max([*deep.values(), *reach.values()])
        bank = _bank(figures, columns, pitches, (first, last), left, top, lowest, look)
        runs |= {place: bank.axis + depth for place, depth in deep.items()}
        held = [bracket for bracket in brackets if first <= bracket.last and bracket.first <= last]
        banks.append(bank)
        words += _bank_words(bank, figures, columns, look)
        words += _bracket_items(bank, held, columns, look)
        for place in range(first, last + 1):
            centre = bank.centres[place - first]
            spots.append(Spot(centre - figures[place].width / 2, bank.axis, len(banks) - 1))
            feet.append(Foot(spots[-1].left + figures[place].foot, bank.axis + figures[place].bottom))
        top = bank.bottom + (look.line + 6 if held else 0) + (GUTTER if look is SLIDE else GUTTER * 0.7)
    width = max(bank.width for bank in banks) + (LANE if several else 0)
    turns = {}
    for before, bank in pairwise(banks):
        end, start = spots[before.last], spots[bank.first]
        middle = (
            bank.axis - _rise(figures, columns, bank, look) - (GUTTER if look is SLIDE else GUTTER * 0.7) / 2
        )
        outer = width - look.margin / 2 - 3
        inner = look.margin / 2 + 3
        turns[bank.first] = (
            (end.left + figures[before.last].width + 3, before.axis),
            (outer, before.axis),
            (outer, middle),
            (inner, middle),
            (inner, bank.axis),
            (start.left - 3, bank.axis),
        )
        words.append(Polyline(turns[bank.first], radius=6, arrow=True))
    height = top - (GUTTER if look is SLIDE else GUTTER * 0.7)
    found, drawn = lanes(arcs, feet, runs, look.text)
    return Page(width, height, tuple(spots), (*words, *drawn), turns, tuple(found))


def scene(
    placed: Page,
    figures: Sequence[Figure],
    items: Sequence[Item],
    edges: Sequence[Edge],
    *,
    title: str,
    sentences: Sequence[str],
    look: Look,
    legend: Legend | None,
    passed: Sequence[Placed] = (),
) -> Scene:
    """The drawing: figures, words, sentences below and the legend. passed: the layers on skips."""
    width = placed.width
    y = placed.height + (22 if look is SLIDE else 12)
    below: list[Item] = []
    name = lettering.cut(title, 300, look.caption)
    text = " ".join([name if name.endswith((".", "…")) else f"{name}.", *sentences])
    lines = wrapped(text.split(" "), max(width, 300) - 2 * look.margin, look.caption)
    for line in lines:
        y += look.caption * 1.35
        below.append(Text(look.margin, y, line, look.caption, ink="muted"))
        width = max(width, look.margin * 2 + lettering.width(line, look.caption))
    y += look.caption * 0.3
    if legend is not None:
        rows, wide, tall = legend_items(legend, look.margin, y + 10, width - 2 * look.margin)
        below += rows
        y += 10 + tall
        width = max(width, wide + 2 * look.margin)
    boxes = [
        Placed(
            figure.name,
            figure.label,
            spot.left,
            spot.axis + figure.top,
            spot.left + figure.width,
            spot.axis + figure.bottom,
            figure.layers,
        )
        for figure, spot in zip(figures, placed.spots, strict=True)
    ]
    description = f"{name}, from left to right: " + "; ".join([figure.label for figure in figures]) + "."
    return Scene(
        width,
        y + look.margin,
        title,
        description,
        (*items, *placed.words, *below),
        (*boxes, *passed),
        tuple(edges),
    )


def wrapped(words: Sequence[str], room: float, size: float) -> list[str]:
    """Words in lines of at most `room` pixels; none is broken."""
    lines = [""]
    for word in words:
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and lettering.width(longer, size) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _column(figure: Figure, look: Look) -> _Column:
    title = lettering.cut(figure.title, look.word * 1.25, look.text, bold=not figure.quiet)
    above = lettering.cut(figure.above, look.word * 2, look.text, bold=figure.bold_above)
    rows = wrapped(figure.fields, look.word, look.text) if figure.fields else []
    rows = [lettering.cut(row, look.word * 1.25, look.text) for row in (*rows[:MAX_ROWS], *figure.notes)]
    above_half = lettering.width(above, look.text, bold=figure.bold_above) / 2
    widths = [lettering.width(title, look.text, bold=not figure.quiet)]
    label_half = max(widths + [lettering.width(row, look.text) for row in rows]) / 2
    return _Column(
        above, title, tuple(rows), max(figure.width / 2, above_half, label_half), above_half, label_half
    )


def _pitch(a: Figure, b: Figure, first: _Column, second: _Column, look: Look) -> float:
    """From the middle of one figure to that of the next."""
    gap = look.near if b.near else look.gap
    between = LABEL_GAP if look is SLIDE else LABEL_GAP * 0.6
    needs = [
        a.width / 2 + gap + b.width / 2,
        first.label_half + between + second.label_half,
    ]
    over_a, over_b = a.top - OVER, b.top - OVER
    if abs(over_a - over_b) < look.text + 2 and first.above and second.above:
        needs.append(first.above_half + between + second.above_half)
    # Words over the lower figure beside the higher one.
    if second.above and a.top < over_b + 3 and a.bottom > over_b - look.text:
        needs.append(a.width / 2 + 6 + second.above_half)
    if first.above and b.top < over_a + 3 and b.bottom > over_a - look.text:
        needs.append(first.above_half + 6 + b.width / 2)
    return max(needs)


def _breaks(
    figures: Sequence[Figure], columns: Sequence[_Column], pitches: Sequence[float], look: Look
) -> list[tuple[int, int]]:
    """First and last figure of each bank: as few banks as fit the room, the widest as narrow as possible."""
    places = [0.0]
    for pitch in pitches:
        places.append(places[-1] + pitch)

    def width(first: int, last: int) -> float:
        return columns[first].half + places[last] - places[first] + columns[last].half

    count = len(figures)
    room = look.room - 2 * look.margin
    if width(0, count - 1) <= room:
        return [(0, count - 1)]
    room -= 2 * LANE
    # best[i]: banks and cost of figures i to the end
    best: list[tuple[int, float, int]] = [(0, 0.0, 0)] * (count + 1)
    for first in range(count - 1, -1, -1):
        options = []
        for last in range(first, count):
            taken = width(first, last)
            if taken > room and last > first:
                break
            if last + 1 < count and figures[last + 1].held:
                continue
            banks, cost, _ = best[last + 1]
            near = 0.1 if last + 1 < count and not figures[last + 1].near else 0.0
            options.append((banks + 1, max(cost, (taken / room) ** 2) - near, last))
        best[first] = min(options, default=(count, inf, first))
    breaks = []
    first = 0
    while first < count:
        last = best[first][2]
        breaks.append((first, last))
        first = last + 1
    return breaks


def _bank(
    figures: Sequence[Figure],
    columns: Sequence[_Column],
    pitches: Sequence[float],
    ends: tuple[int, int],
    left: float,
    top: float,
    lowest: float,
    look: Look,
) -> _Bank:
    """lowest: how far down figures and skips reach from the axis."""
    first, last = ends
    centres = [left + columns[first].half]
    for place in range(first, last):
        centres.append(centres[-1] + pitches[place])
    # A wide label in the middle may reach further left than the first column.
    lack = max(left - (centre - columns[first + at].half) for at, centre in enumerate(centres))
    if lack > 0:
        centres = [centre + lack for centre in centres]
    width = max(centre + columns[first + at].half for at, centre in enumerate(centres)) + look.margin
    draft = _Bank(first, last, tuple(centres), width, 0.0, 0.0, 0.0)
    axis = top + _rise(figures, columns, draft, look)
    under = UNDER if look is SLIDE else UNDER * 0.7
    base = axis + lowest + under
    rows = max(len(columns[place].rows) for place in range(first, last + 1))
    bottom = base + rows * look.line + lettering.BELOW * look.text
    return draft._replace(axis=axis, base=base, bottom=bottom)


def _rise(figures: Sequence[Figure], columns: Sequence[_Column], bank: _Bank, look: Look) -> float:
    """From the top of a bank, its words included, to its axis."""
    return max(
        -figures[place].top + (OVER + look.text * lettering.ABOVE if columns[place].above else 0)
        for place in range(bank.first, bank.last + 1)
    )


def _bank_words(bank: _Bank, figures: Sequence[Figure], columns: Sequence[_Column], look: Look) -> list[Item]:
    items: list[Item] = []
    for place in range(bank.first, bank.last + 1):
        figure, column, x = figures[place], columns[place], bank.centres[place - bank.first]
        if column.above:
            y = bank.axis + figure.top - OVER
            items.append(Text(x, y, column.above, look.text, figure.bold_above, anchor="middle"))
        ink = "muted" if figure.quiet else "ink"
        items.append(Text(x, bank.base, column.title, look.text, not figure.quiet, ink, "middle"))
        for number, row in enumerate(column.rows, 1):
            y = bank.base + number * look.line
            items.append(Text(x, y, row, look.text, ink="muted", anchor="middle"))
    return items


def _bracket_items(
    bank: _Bank, brackets: Sequence[Bracket], columns: Sequence[_Column], look: Look
) -> list[Item]:
    """A line under a run of figures with its word in the middle; it goes on where the bank ends inside the run."""
    items: list[Item] = []
    y = bank.bottom + 7
    for bracket in brackets:
        first, last = max(bracket.first, bank.first), min(bracket.last, bank.last)
        left = bank.centres[first - bank.first] - columns[first].half + 2
        right = bank.centres[last - bank.first] + columns[last].half - 2
        start = [(left, y - 5)] if first == bracket.first else []
        end = [(right, y - 5)] if last == bracket.last else []
        half = lettering.width(bracket.word, look.text, bold=True) / 2 + 5
        middle = (left + right) / 2
        items.append(Polyline((*start, (left, y), (middle - half, y)), "muted", 1.0))
        items.append(Polyline(((middle + half, y), (right, y), *end), "muted", 1.0))
        items.append(Text(middle, y + look.text * 0.34, bracket.word, look.text, True, anchor="middle"))
    return items
