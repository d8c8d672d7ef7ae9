"""The style volumes: a chain of solids whose faces are the maps and whose depth is the channels, as in the figures of
AlexNet and VGG."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from convcalc.analysis.boxes import Boxes
from convcalc.render.drawing import banks, lettering
from convcalc.render.drawing.arcs import LETTERS, Arc
from convcalc.render.drawing.banks import Figure, Look, Spot
from convcalc.render.drawing.chain import Chain, Part, chain, window
from convcalc.render.drawing.legend import Legend
from convcalc.render.drawing.lettering import Sizes
from convcalc.render.drawing.scales import Kind, Scale, scale, spatial
from convcalc.render.drawing.scene import Edge, Item, Placed, Point, Polyline, Scene
from convcalc.render.drawing.solids import (
    MIN_UNIT,
    MIN_WINDOW,
    UNIT,
    WINDOW,
    Solid,
    patch,
    patch_polygon,
    solid_items,
    window_items,
)
from convcalc.render.drawing.volume_lines import lines

__all__ = ["draw", "lines"]

MAX_SLABS = 4  # drawn of a run
MAX_UNDRAWN = 5  # kinds of layers named in the caption
BAR_SIDE = 11.0  # of a bar's face and front
SEQUENCE = 16.0  # the width of a sequence, which has none
ARROW_WORD = 14.0


class _Drawn(NamedTuple):
    """A part with its solid; None for the arrow of a flattening."""

    part: Part
    solid: Solid | None
    figure: Figure


def draw(
    boxes: Boxes,
    *,
    sizes: Sizes = "chw",
    compact: bool = False,
    wrap: bool = True,
    law: Kind = "sqrt",
    colours: Mapping[int, str] | None = None,
    legend: Legend | None = None,
    marks: Mapping[int, str] | None = None,
) -> Scene:
    """A network as volumes. boxes: with its modules of branches folded.

    compact: for print 8 cm wide, where its text is at least 6 pt. wrap: breaks long chains to fit the page. law:
    sides, depths and bars by square root or by logarithm. colours: fills by key of a box; marks: `changed`,
    `added`, `removed` or `same` by key, written and, if there are no colours, shown as colours. Raises UsageError
    if the network is no chain of maps and vectors.
    """
    network = chain(boxes, "volumes", marks)
    look = banks.COMPACT if compact else banks.SLIDE
    lengths = scale(network, law, look.size)
    drawn = [_drawn(part, lengths, look, sizes) for part in network.parts]
    figures = [entry.figure for entry in drawn]
    brackets = [banks.Bracket(span.first, span.last, f"×{span.times:,}") for span in network.spans]
    arcs = [Arc(arc.first, arc.last, arc.words) for arc in network.arcs]
    page = banks.page(figures, look, brackets, arcs, wrap=wrap)
    fills = {**(marks or {}), **(colours or {})}
    items: list[Item] = []
    for entry, spot in zip(drawn, page.spots, strict=True):
        if entry.solid is not None:
            shown = _shown(entry.part, entry.solid.slabs)
            roles = [fills.get(key, entry.part.kind) for key in shown]
            items += solid_items(entry.solid, spot.left, spot.axis, roles)
    edges, lines, enlarged = _edges(drawn, page)
    beside, passed = arc_edges(network, page)
    return banks.scene(
        page,
        figures,
        (*items, *lines),
        (*edges, *beside),
        title=network.title,
        sentences=[*_sentences(network, lengths, enlarged=enlarged), *cut_sentences(network, page)],
        look=look,
        legend=legend,
        passed=passed,
    )


def _drawn(part: Part, lengths: Scale, look: Look, sizes: Sizes) -> _Drawn:
    solid = _solid(part, lengths, look)
    if solid is None:
        width = lettering.width(part.title, look.text) + ARROW_WORD
        top, bottom = -4.0, 4.0
    else:
        width, top, bottom = solid.across, -solid.tall / 2, solid.tall / 2
    pools = part.form == "solid" and part.kind == "pool"
    figure = Figure(
        part.name,
        label(part, sizes),
        part.layers,
        width,
        top,
        bottom,
        "" if part.form == "arrow" else lettering.size_text(part.shape, sizes),
        part.heading,
        part.fields,
        part.notes,
        near=pools or part.form == "arrow",
        held=part.form == "arrow",
        quiet=part.form == "arrow",
        foot=width / 2 if solid is None else width - solid.depth / 2,
    )
    return _Drawn(part, solid, figure)


def arc_edges(network: Chain, page: banks.Page) -> tuple[list[Edge], list[Placed]]:
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


def _solid(part: Part, lengths: Scale, look: Look) -> Solid | None:
    if part.form == "arrow":
        return None
    if part.form == "bar":
        side = BAR_SIDE * look.size**0.5
        return Solid(lengths.height(part.shape[0]), side, side)
    height, width = spatial(part.shape)
    wide = SEQUENCE * look.size if len(part.shape) == 2 else lengths.side(width)
    return Solid(lengths.side(height), wide, lengths.depth(part.shape[0]), min(part.times, MAX_SLABS))


def _shown(part: Part, slabs: int) -> list[int]:
    """The key of the box that each slab shows: the first ones, and the last."""
    keys = [box.key for box in part.boxes]
    return keys if len(keys) <= slabs else [*keys[: slabs - 1], keys[-1]]


def _edges(drawn: list[_Drawn], page: banks.Page) -> tuple[list[Edge], list[Item], bool]:
    """The connections, what is drawn of them, and whether a window was enlarged."""
    edges: list[Edge] = []
    items: list[Item] = []
    enlarged = False
    for place in range(1, len(drawn)):
        a, b = drawn[place - 1], drawn[place]
        here, there = page.spots[place - 1], page.spots[place]
        path: tuple[Point, ...] = (
            (here.left + a.figure.width + 4, here.axis),
            (there.left - 4, there.axis),
        )
        if place in page.turns:
            path = page.turns[place]
        elif a.solid is None or b.solid is None:
            if a.solid is not None:  # one arrow for the flattening, across its column to what reads it
                ends_here = place + 1 == len(drawn) or place + 1 in page.turns
                end = there.left + b.figure.width if ends_here else page.spots[place + 1].left - 4
                items.append(Polyline((path[0], (end, here.axis)), arrow=True))
        elif b.part.form == "bar":
            items.append(Polyline(path, arrow=True))
        else:
            pair = _window(a, b, here, there)
            if pair is not None:
                path, drawings, larger = pair
                items += drawings
                enlarged = enlarged or larger
        edges.append(Edge(a.part.name, b.part.name, path))
    return edges, items, enlarged


def _window(
    a: _Drawn, b: _Drawn, here: Spot, there: Spot
) -> tuple[tuple[Point, ...], list[Item], bool] | None:
    """The window of a convolution on the face of its input, and the unit that it makes. A deconvolution has them the
    other way round."""
    share = window(b.part)
    if share is None or b.part.kind == "pool" or a.solid is None or b.solid is None:
        return None
    down, across = (share[0], 1.0) if len(share) == 1 else (share[-2], share[-1])
    reverse = b.part.kind == "deconv"
    wide, narrow = (b, a) if reverse else (a, b)
    assert wide.solid is not None
    assert narrow.solid is not None
    at, to = (UNIT, WINDOW) if reverse else (WINDOW, UNIT)
    height, width = spatial(narrow.part.shape)
    large = patch(wide.solid, (down, across), to if reverse else at, MIN_WINDOW)
    small = patch(narrow.solid, (1 / height, 1 / width), at if reverse else to, MIN_UNIT)
    spots = (there, here) if reverse else (here, there)
    first = patch_polygon(wide.solid, spots[0].left, spots[0].axis, large)
    second = patch_polygon(narrow.solid, spots[1].left, spots[1].axis, small)
    start, end = (second, first) if reverse else (first, second)
    path = (_middle(start[1], start[2]), _middle(end[0], end[3]))
    return path, window_items(start, end), large.enlarged


def cut_sentences(network: Chain, page: banks.Page) -> list[str]:
    """What the letters mean where skips are cut, and what these pass through."""
    cut = [arc for arc, lane in zip(network.arcs, page.lanes, strict=True) if lane.middle is None]
    if not cut:
        return []
    words = [f"{letter}: {arc.words}" for letter, arc in zip(LETTERS, cut, strict=False) if arc.words]
    told = f" ({', '.join(words)})" if words else ""
    return [f"Lines with the same letter are one{told}."]


def _middle(a: Point, b: Point) -> Point:
    return (a[0] + b[0]) / 2, (a[1] + b[1]) / 2


def _sentences(network: Chain, lengths: Scale, *, enlarged: bool) -> list[str]:
    """The caption: what the lengths mean, and what is not to scale."""
    sentences = [lengths.words(solids=network.has_maps, bars=network.largest_bar > 0)]
    ranks = {len(part.shape) for part in network.parts if part.form == "solid"}
    if 2 in ranks:
        sentences.append("Maps are sequences; their width means nothing.")
    if 4 in ranks:
        sentences.append("Of a clip's frames one is drawn.")
    if network.turned:
        sentences.append("Layers with channels last are written channels first.")
    if enlarged:
        sentences.append("Small windows are enlarged.")
    if any(part.form == "solid" and part.times > MAX_SLABS for part in network.parts):
        sentences.append(f"Of a run at most {MAX_SLABS} are drawn.")
    return [*sentences, *undrawn_sentences(network)]


def undrawn_sentences(network: Chain) -> list[str]:
    """What layers the figure leaves out."""
    if not network.undrawn:
        return []
    *kinds, last = network.undrawn[:MAX_UNDRAWN]
    rest = " and others" if len(network.undrawn) > MAX_UNDRAWN else ""
    words = f"{', '.join(kinds)} and {last}" if kinds and not rest else ", ".join([*kinds, last])
    return [f"Not drawn: {lettering.cut(words, 300, 10)}{rest}."]
