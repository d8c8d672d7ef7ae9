"""The style volumes: a chain of solids whose faces are the maps and whose depth is the channels, as in the figures of
AlexNet and VGG."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from convcalc.analysis.boxes import Boxes
from convcalc.render.drawing import banks, lettering
from convcalc.render.drawing.banks import Figure, Look, Spot
from convcalc.render.drawing.chain import Chain, Part, chain, window
from convcalc.render.drawing.chain_scene import ARROW_WORD, Link, label, page_of, scene_of
from convcalc.render.drawing.legend import Legend
from convcalc.render.drawing.lettering import Sizes
from convcalc.render.drawing.scales import Kind, Scale, scale, spatial
from convcalc.render.drawing.scene import Item, Point, Polyline, Scene
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
BAR_SIDE = 11.0  # of a bar's face and front
SEQUENCE = 16.0  # the width of a sequence, which has none


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
    page = page_of(network, figures, look, wrap=wrap)
    fills = {**(marks or {}), **(colours or {})}
    items: list[Item] = []
    for entry, spot in zip(drawn, page.spots, strict=True):
        if entry.solid is not None:
            shown = _shown(entry.part, entry.solid.slabs)
            roles = [fills.get(key, entry.part.kind) for key in shown]
            items += solid_items(entry.solid, spot.left, spot.axis, roles)

    def link(place: int, path: tuple[Point, ...]) -> Link:
        if drawn[place].part.form == "bar":
            return Link(path, (Polyline(path, arrow=True),))
        a, b = drawn[place - 1 : place + 1]
        return _window(a, b, page.spots[place - 1], page.spots[place]) or Link(path)

    return scene_of(
        network,
        figures,
        page,
        items,
        link=link,
        entry=lambda place: 0.0,
        sentences=lambda enlarged: _sentences(network, lengths, enlarged=enlarged),
        look=look,
        legend=legend,
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


def _window(a: _Drawn, b: _Drawn, here: Spot, there: Spot) -> Link | None:
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
    return Link(path, window_items(start, end), large.enlarged)


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
    return sentences
