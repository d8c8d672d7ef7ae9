"""A drawing as plain records: primitives with colours by role, and what they stand for.

Coordinates are pixels of the drawing, y downwards, (0, 0) at the top left. A colour is a role of
`convcalc.render.drawing.palette`, such as `conv` or `muted`, or `#rrggbb`. Every layout makes a scene; every writer
(`svg`, `png`, `pdf`, `tikz`) takes one; `measure` finds overlaps in one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from convcalc.images.rasters import Raster

Point = tuple[float, float]
Anchor = Literal["start", "middle", "end"]


class Rectangle(NamedTuple):
    """A rectangle. radius: of its corners, in pixels. fill or stroke None: not painted."""

    left: float
    top: float
    width: float
    height: float
    fill: str | None
    stroke: str | None = "line"
    thickness: float = 1.0
    radius: float = 0.0
    dashed: bool = False


class Polygon(NamedTuple):
    """A closed polygon."""

    points: tuple[Point, ...]
    fill: str | None
    stroke: str | None = "line"
    thickness: float = 1.0


class Circle(NamedTuple):
    """A circle about (x, y)."""

    x: float
    y: float
    radius: float
    fill: str | None
    stroke: str | None = "line"
    thickness: float = 1.0


class Polyline(NamedTuple):
    """An open line through points. radius: its corners are rounded so far; arrow: it ends in a head at its last
    point."""

    points: tuple[Point, ...]
    stroke: str = "line"
    thickness: float = 1.2
    radius: float = 0.0
    arrow: bool = False
    dashed: bool = False


class Text(NamedTuple):
    """One line of text.

    x, y: its anchor on the baseline. size: of the font, in pixels. ink: `ink` or `muted` on paper, `on:conv` on a
    fill, whose colour stays in dark mode. fit: the width in pixels that the text is set to, whatever the reader's
    font; None leaves it to the font. turned: by 90° anticlockwise about its anchor. mono: in a font of equal widths.
    """

    x: float
    y: float
    text: str
    size: float = 11.0
    bold: bool = False
    ink: str = "ink"
    anchor: Anchor = "start"
    fit: float | None = None
    turned: bool = False
    mono: bool = False


class Picture(NamedTuple):
    """An image stretched over a rectangle, its pixels sharp when it is enlarged."""

    left: float
    top: float
    width: float
    height: float
    raster: Raster


Item = Rectangle | Polygon | Circle | Polyline | Text | Picture


class Placed(NamedTuple):
    """What one box of the network covers in the drawing. label: the box in words, for tooltips and screen readers;
    layers: indices of the layers it stands for."""

    name: str
    label: str
    left: float
    top: float
    right: float
    bottom: float
    layers: tuple[int, ...] = ()


class Edge(NamedTuple):
    """A connection between two boxes, by their names, and the points of its whole path. Polylines draw it: edges may
    share some of them."""

    source: str
    target: str
    points: tuple[Point, ...]


class Scene(NamedTuple):
    """A drawing. items: painted in order; title, description: for readers who do not see it; boxes and edges: what
    the items stand for."""

    width: float
    height: float
    title: str
    description: str
    items: tuple[Item, ...]
    boxes: tuple[Placed, ...] = ()
    edges: tuple[Edge, ...] = ()


def moved(item: Item, right: float, down: float) -> Item:
    """An item, moved."""
    if isinstance(item, Rectangle | Picture):
        return item._replace(left=item.left + right, top=item.top + down)
    if isinstance(item, Circle | Text):
        return item._replace(x=item.x + right, y=item.y + down)
    return item._replace(points=tuple([(x + right, y + down) for x, y in item.points]))


def shifted(scene: Scene, right: float, down: float) -> Scene:
    """A scene whose contents are moved; its size stays."""
    return scene._replace(
        items=tuple([moved(item, right, down) for item in scene.items]),
        boxes=tuple(
            [
                box._replace(
                    left=box.left + right,
                    right=box.right + right,
                    top=box.top + down,
                    bottom=box.bottom + down,
                )
                for box in scene.boxes
            ]
        ),
        edges=tuple(
            [
                edge._replace(points=tuple([(x + right, y + down) for x, y in edge.points]))
                for edge in scene.edges
            ]
        ),
    )


def head(line: Polyline) -> Polygon | None:
    """The arrowhead at the last point of a line, a triangle 6 long and 5.2 wide at thickness 1.2; None without one."""
    if not line.arrow or len(line.points) < 2:
        return None
    (x0, y0), (x, y) = line.points[-2:]
    length = ((x - x0) ** 2 + (y - y0) ** 2) ** 0.5 or 1.0
    along, across = (x - x0) / length, (y - y0) / length
    scale = max(1.0, line.thickness / 1.2)
    back, half = 6.0 * scale, 2.6 * scale
    left = (x - back * along - half * across, y - back * across + half * along)
    right = (x - back * along + half * across, y - back * across - half * along)
    return Polygon((left, (x, y), right), line.stroke, None)
