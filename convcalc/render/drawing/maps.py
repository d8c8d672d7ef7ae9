"""The style maps: a chain of stacks of flat maps, as in the figure of LeNet-5."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import NamedTuple

from convcalc.analysis.boxes import Boxes
from convcalc.render.drawing import banks, lettering, palette
from convcalc.render.drawing.banks import Figure, Look, Spot
from convcalc.render.drawing.chain import Chain, Part, chain, window
from convcalc.render.drawing.chain_scene import ARROW_WORD, Link, label, page_of, scene_of
from convcalc.render.drawing.legend import Legend
from convcalc.render.drawing.lettering import Sizes
from convcalc.render.drawing.map_lines import lines
from convcalc.render.drawing.scales import spatial
from convcalc.render.drawing.scene import Item, Point, Polygon, Polyline, Rectangle, Scene

__all__ = ["draw", "lines"]

SIDE, MIN_SIDE = 110.0, 9.0  # of a map, by the power 0.75 of its size
POWER = 0.75
FEW, MANY = 8, 16  # maps in a stack
STEP_FEW, STEP_MANY = 5.0, 3.4  # from one map to the next, both ways
MAX_BAR, BAR, MIN_BAR = 160.0, 9.0, 14.0  # height of a bar, per √unit
BAR_WIDTH, LEAN, MAX_LEAN = 10.0, 0.28, 32.0
SEQUENCE = 12.0  # the width of a sequence, which has none
FRONT, BEHIND = 0.25, 0.45  # of white in the fill
MIN_WINDOW, UNIT = 6.0, 4.0
HALO = 2.5  # of paper about the lines from a window
SPOTS = (((0.70, 0.27), (0.30, 0.64)), ((0.66, 0.60), (0.34, 0.42)))  # window and unit, by turns


class _Stack(NamedTuple):
    """Equal maps, each further right and down than the one before; the last lies in front. Lengths in pixels."""

    height: float
    width: float
    maps: int
    step: float

    @property
    def spread(self) -> float:
        """How far the front map is right of and below the one behind."""
        return self.step * (self.maps - 1)


class _Bar(NamedTuple):
    """A leaning bar, wide at neither end."""

    height: float
    size: float

    @property
    def lean(self) -> float:
        """How far its foot is right of its top."""
        return min(LEAN * self.height, MAX_LEAN * self.size)


class _Drawn(NamedTuple):
    part: Part
    shape: _Stack | _Bar | None  # None: an arrow
    figure: Figure


def draw(
    boxes: Boxes,
    *,
    sizes: Sizes = "chw",
    compact: bool = False,
    wrap: bool = True,
    colours: Mapping[int, str] | None = None,
    legend: Legend | None = None,
    marks: Mapping[int, str] | None = None,
) -> Scene:
    """A network as stacks of maps, `16@10×10` over each. Parameters and errors as of `volumes.draw`.

    sizes: only of what is not written so; of clips.
    """
    network = chain(boxes, "maps", marks)
    look = banks.COMPACT if compact else banks.SLIDE
    drawn = [_drawn(part, network, look, sizes) for part in network.parts]
    figures = [entry.figure for entry in drawn]
    page = page_of(network, figures, look, wrap=wrap)
    fills = {**(marks or {}), **(colours or {})}
    items: list[Item] = []
    for entry, spot in zip(drawn, page.spots, strict=True):
        items += _items(entry, spot, fills.get(entry.part.boxes[0].key, entry.part.kind))

    def link(place: int, path: tuple[Point, ...]) -> Link:
        a, b = drawn[place - 1 : place + 1]
        return _link(a, b, page.spots[place - 1], page.spots[place], place, path)

    return scene_of(
        network,
        figures,
        page,
        items,
        link=link,
        entry=lambda place: _inset(drawn[place]),
        sentences=lambda enlarged: _sentences(network, enlarged=enlarged),
        look=look,
        legend=legend,
    )


def _drawn(part: Part, network: Chain, look: Look, sizes: Sizes) -> _Drawn:
    shape = _shape(part, network, look)
    if shape is None:
        width, tall = lettering.width(part.title, look.text) + ARROW_WORD, 8.0
    elif isinstance(shape, _Bar):
        width, tall = shape.lean + BAR_WIDTH * shape.size, shape.height
    else:
        width, tall = shape.width + shape.spread, shape.height + shape.spread
    figure = Figure(
        part.name,
        label(part, sizes),
        part.layers,
        width,
        -tall / 2,
        tall / 2,
        "" if part.form == "arrow" else counted(part, sizes),
        part.heading,
        part.fields,
        part.notes,
        near=part.form == "arrow",
        held=part.form == "arrow",
        quiet=part.form == "arrow",
        foot=width - (shape.width / 2 if isinstance(shape, _Stack) else BAR_WIDTH / 2),
        bold_above=True,
    )
    return _Drawn(part, shape, figure)


def counted(part: Part, sizes: Sizes = "chw") -> str:
    """`16@10×10`: maps and their size; a vector's `120`."""
    if len(part.shape) == 1:
        return lettering.size_text(part.shape, sizes)
    return f"{part.shape[0]}@{lettering.size_text(part.shape[1:])}"


def _shape(part: Part, network: Chain, look: Look) -> _Stack | _Bar | None:
    if part.form == "arrow":
        return None
    if part.form == "bar":
        factor = min(BAR, MAX_BAR / sqrt(network.largest_bar))
        return _Bar(look.size * max(MIN_BAR, factor * sqrt(part.shape[0])), look.size**0.5)
    height, width = spatial(part.shape)
    maps = min(part.shape[0], MANY)

    def side(pixels: int) -> float:
        share: float = (pixels / network.largest_side) ** POWER
        return look.size * max(MIN_SIDE, SIDE * share)

    wide = SEQUENCE * look.size if len(part.shape) == 2 else side(width)
    return _Stack(side(height), wide, maps, (STEP_FEW if maps <= FEW else STEP_MANY) * look.size**0.5)


def _items(entry: _Drawn, spot: Spot, fill: str) -> list[Item]:
    colour = palette.colour(fill)
    shape = entry.shape
    if shape is None:
        return []
    if isinstance(shape, _Bar):
        return [Polygon(_bar_corners(shape, spot), fill, palette.outline(fill))]
    top = spot.axis + entry.figure.top
    behind, front = palette.mixed(colour, "#ffffff", BEHIND), palette.mixed(colour, "#ffffff", FRONT)
    return [
        Rectangle(
            spot.left + place * shape.step,
            top + place * shape.step,
            shape.width,
            shape.height,
            front if place == shape.maps - 1 else behind,
            palette.outline(behind),
        )
        for place in range(shape.maps)
    ]


def _bar_corners(bar: _Bar, spot: Spot) -> tuple[Point, Point, Point, Point]:
    """Top left, top right, bottom right, bottom left: it leans to the left at its top."""
    wide = BAR_WIDTH * bar.size
    top, bottom = spot.axis - bar.height / 2, spot.axis + bar.height / 2
    left = spot.left
    return (left, top), (left + wide, top), (left + bar.lean + wide, bottom), (left + bar.lean, bottom)


def _link(a: _Drawn, b: _Drawn, here: Spot, there: Spot, place: int, path: tuple[Point, ...]) -> Link:
    if not isinstance(b.shape, _Bar):
        return _window(a, b, here, there, place) or Link(path)
    if isinstance(a.shape, _Bar):
        first, second = _bar_corners(a.shape, here), _bar_corners(b.shape, there)
        pairs = (first[1], second[0]), (first[2], second[3])
        return Link(path, [Polyline(pair, thickness=0.8) for pair in pairs])
    return Link(path, [Polyline((path[0], (there.left + _inset(b) - 4, there.axis)), arrow=True)])


def _inset(entry: _Drawn) -> float:
    """How far inside its left end an arrow meets a part: a bar leans."""
    return entry.shape.lean / 2 + 1 if isinstance(entry.shape, _Bar) else 0.0


def _window(a: _Drawn, b: _Drawn, here: Spot, there: Spot, place: int) -> Link | None:
    """The window on the front map of what is read, and the unit it makes on that of the next."""
    share = window(b.part)
    if share is None or not isinstance(a.shape, _Stack) or not isinstance(b.shape, _Stack):
        return None
    at, to = SPOTS[(place + 1) % 2]
    reverse = b.part.kind == "deconv"
    down, across = (share[0], 1.0) if len(share) == 1 else (share[-2], share[-1])
    one = (0.0, 0.0)
    first, grew = _square(a, here, to if reverse else at, one if reverse else (down, across))
    second, also = _square(b, there, at if reverse else to, (down, across) if reverse else one)
    start, end = (first[0] + first[2], first[1]), (second[0], second[1])
    feet = (start[0], first[1] + first[3]), (second[0], second[1] + second[3])
    lines = [
        Polyline(points, role, thickness)
        for role, thickness in (("paper", HALO), ("line", 0.9))  # seen on every fill
        for points in ((start, end), feet)
    ]
    squares = [Rectangle(*square, "accent", "accent-dark") for square in (first, second)]
    middle = (
        (start[0], first[1] + first[3] / 2),
        (end[0], second[1] + second[3] / 2),
    )
    return Link(middle, [*lines, *squares], also if reverse else grew)


def _square(
    entry: _Drawn, spot: Spot, at: Point, share: tuple[float, float]
) -> tuple[tuple[float, float, float, float], bool]:
    """Left, top, width and height of a patch on the front map; then whether it is enlarged. A share of 0: a unit."""
    stack = entry.shape
    assert isinstance(stack, _Stack)
    least = MIN_WINDOW if any(share) else UNIT
    true = share[1] * stack.width, share[0] * stack.height
    wide, tall = min(max(true[0], least), stack.width), min(max(true[1], least), stack.height)
    left, top = spot.left + stack.spread, spot.axis + entry.figure.top + stack.spread
    x = min(max(at[0] * stack.width - wide / 2, 0), stack.width - wide)
    y = min(max(at[1] * stack.height - tall / 2, 0), stack.height - tall)
    return (left + x, top + y, wide, tall), wide > true[0] + 1e-9 or tall > true[1] + 1e-9


def _sentences(network: Chain, *, enlarged: bool) -> list[str]:
    """The caption: what is left out, and what is not to scale."""
    sentences = []
    if any(part.form == "solid" and part.shape[0] > MANY for part in network.parts):
        sentences.append(f"Of a layer at most {MANY} maps are drawn.")
    if network.has_maps:
        sentences.append(f"A map's sides are drawn by the power {POWER} of its size.")
    if network.largest_bar:
        sentences.append("Bars are drawn by the square root of the units.")
    ranks = {len(part.shape) for part in network.parts if part.form == "solid"}
    if 2 in ranks:
        sentences.append("Maps are sequences; their width means nothing.")
    if 4 in ranks:
        sentences.append("Of a clip's frames one is drawn.")
    if enlarged:
        sentences.append("Small windows are enlarged.")
    return sentences
