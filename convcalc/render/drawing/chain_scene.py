"""What the styles of chains have in common: the page with its skips, the lines from part to part, and the caption."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from convcalc.render.drawing import banks, lettering
from convcalc.render.drawing.arcs import LETTERS, Arc
from convcalc.render.drawing.banks import Figure, Look
from convcalc.render.drawing.chain import Chain, Part
from convcalc.render.drawing.legend import Legend
from convcalc.render.drawing.lettering import Sizes
from convcalc.render.drawing.scene import Edge, Item, Placed, Point, Polyline, Scene

ARROW_WORD = 14.0  # that an arrow is longer than its word
MAX_UNDRAWN = 5  # kinds of layers named in the caption


class Link(NamedTuple):
    """What is drawn from one part to the next. path: of the connection; enlarged: whether a window is."""

    path: tuple[Point, ...]
    items: Sequence[Item] = ()
    enlarged: bool = False


def page_of(network: Chain, figures: Sequence[Figure], look: Look, *, wrap: bool) -> banks.Page:
    """Where the figures of a chain's parts stand, with brackets about runs and lanes of skips."""
    brackets = [banks.Bracket(span.first, span.last, f"×{span.times:,}") for span in network.spans]
    arcs = [Arc(arc.first, arc.last, arc.words) for arc in network.arcs]
    return banks.page(figures, look, brackets, arcs, wrap=wrap)


def scene_of(
    network: Chain,
    figures: Sequence[Figure],
    page: banks.Page,
    items: Iterable[Item],
    *,
    link: Callable[[int, tuple[Point, ...]], Link],
    entry: Callable[[int], float],
    sentences: Callable[[bool], list[str]],
    look: Look,
    legend: Legend | None,
) -> Scene:
    """The figure of a chain.

    items: of its parts. link: what is drawn from the part before the place to that at it, given the straight path;
    entry: how far inside its left end an arrow meets a part; sentences: the caption, given whether a window was
    enlarged.
    """
    edges: list[Edge] = []
    lines: list[Item] = []
    enlarged = False
    for place, (a, b) in enumerate(zip(network.parts, network.parts[1:], strict=False), 1):
        here, there = page.spots[place - 1], page.spots[place]
        path: tuple[Point, ...] = (
            (here.left + figures[place - 1].width + 4, here.axis),
            (there.left - 4, there.axis),
        )
        if place in page.turns:
            path = page.turns[place]
        elif (
            b.form == "arrow" and a.form != "arrow"
        ):  # one arrow for the flattening, across its column to its reader
            ends_here = place + 1 == len(figures) or place + 1 in page.turns
            end = there.left + figures[place].width
            if not ends_here:
                end = page.spots[place + 1].left + entry(place + 1) - 4
            lines.append(Polyline((path[0], (end, here.axis)), arrow=True))
        elif a.form != "arrow" and b.form != "arrow":
            made = link(place, path)
            path = made.path
            lines += made.items
            enlarged = enlarged or made.enlarged
        edges.append(Edge(a.name, b.name, path))
    beside, passed = _arc_edges(network, page)
    return banks.scene(
        page,
        figures,
        (*items, *lines),
        (*edges, *beside),
        title=network.title,
        sentences=[*sentences(enlarged), *_undrawn_sentences(network), *_cut_sentences(network, page)],
        look=look,
        legend=legend,
        passed=passed,
    )


def _arc_edges(network: Chain, page: banks.Page) -> tuple[list[Edge], list[Placed]]:
    """The connections of the skips, and the layers on them, which lie on their words."""
    edges: list[Edge] = []
    passed: list[Placed] = []
    for arc, lane in zip(network.arcs, page.lanes, strict=True):
        source, target = network.parts[arc.first].name, network.parts[arc.last].name
        if not arc.through:
            edges.append(Edge(source, target, lane.path))
            continue
        name = arc.through[0].name
        layers = tuple([layer for box in arc.through for layer in box.layers])
        told = lettering.cut(f"{name}: {arc.words}", 600, 11)
        passed.append(Placed(name, told, *lane.word, layers))
        halves = (lane.path, lane.path)
        if lane.middle is not None:
            halves = ((*lane.path[:2], lane.middle), (lane.middle, *lane.path[2:]))
        edges += [Edge(source, name, halves[0]), Edge(name, target, halves[1])]
    return edges, passed


def label(part: Part, sizes: Sizes) -> str:
    """A part in words, for readers who do not see it: `conv1: conv K96 F11 S4, 96×55×55`."""
    words = " ".join([part.heading, *part.fields])
    name = lettering.cut(part.name, 400, 11)
    told = words if part.name in (part.title, words) else f"{name}: {words}"
    return f"{lettering.cut(told, 600, 11)}, {lettering.size_text(part.shape, sizes)}"


def _cut_sentences(network: Chain, page: banks.Page) -> list[str]:
    """What the letters mean where skips are cut, and what these pass through."""
    cut = [arc for arc, lane in zip(network.arcs, page.lanes, strict=True) if lane.middle is None]
    if not cut:
        return []
    words = [f"{letter}: {arc.words}" for letter, arc in zip(LETTERS, cut, strict=False) if arc.words]
    told = f" ({', '.join(words)})" if words else ""
    return [f"Lines with the same letter are one{told}."]


def _undrawn_sentences(network: Chain) -> list[str]:
    """What layers the figure leaves out."""
    if not network.undrawn:
        return []
    *kinds, last = network.undrawn[:MAX_UNDRAWN]
    rest = " and others" if len(network.undrawn) > MAX_UNDRAWN else ""
    words = f"{', '.join(kinds)} and {last}" if kinds and not rest else ", ".join([*kinds, last])
    return [f"Not drawn: {lettering.cut(words, 300, 10)}{rest}."]
