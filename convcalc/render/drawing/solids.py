"""Volumes in oblique projection: maps at the left, channels to the right, and the kernel's window on a map.

Channels run to the right, height runs down, width recedes to the left and upwards. So both the window on a map and the
unit that it makes in the next volume lie on visible faces.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from convcalc.render.drawing import palette
from convcalc.render.drawing.scene import Item, Point, Polygon, Polyline

RIGHT, DOWN = 0.42, 0.24  # what a unit of width takes in the drawing
BETWEEN_SLABS = 4.0
WINDOW = (0.70, 0.27)  # where on the face it lies: across and down
UNIT = (0.36, 0.64)
MIN_WINDOW, MAX_WINDOW = 7.0, 0.8  # pixels, and of the face
MIN_UNIT = 4.4


class Solid(NamedTuple):
    """A run of equal slabs, lengths in pixels of the drawing. Its middle lies on the axis y = 0; x counts from its
    left edge."""

    height: float
    width: float
    depth: float
    slabs: int = 1

    @property
    def across(self) -> float:
        """The width in the drawing."""
        return RIGHT * self.width + self.slabs * self.depth + (self.slabs - 1) * BETWEEN_SLABS

    @property
    def tall(self) -> float:
        """The height in the drawing."""
        return self.height + DOWN * self.width

    def face(self, x: float, axis: float, across: float, down: float) -> Point:
        """A point of the map at the left: 0 to 1 from the far edge to the near one, and from top to bottom."""
        top = axis - self.tall / 2
        return (
            x + RIGHT * self.width * across,
            top + DOWN * self.width * across + self.height * down,
        )


class Patch(NamedTuple):
    """A rectangle on a face, in shares of it. enlarged: drawn larger than it is."""

    left: float
    top: float
    right: float
    bottom: float
    enlarged: bool = False


def shade(fill: str, side: str) -> str:
    """The colour of one side of a solid with this fill, a role or `#rrggbb`."""
    if ":" not in fill and not fill.startswith("#"):
        return f"{fill}:{side}"
    onto, share = palette.SHADES[side]
    return palette.mixed(palette.colour(fill), onto, share)


def solid_items(solid: Solid, x: float, axis: float, fills: Sequence[str]) -> list[Item]:
    """The visible sides of each slab, from right to left. fills: one for each slab, or one for all."""
    items: list[Item] = []
    top = axis - solid.tall / 2
    recede, rise = RIGHT * solid.width, DOWN * solid.width
    for slab in range(solid.slabs - 1, -1, -1):
        fill = fills[min(slab, len(fills) - 1)]
        line = palette.outline(fill)
        left = x + slab * (solid.depth + BETWEEN_SLABS)
        near, right = left + recede, left + recede + solid.depth
        low, high = top + rise, top + rise + solid.height
        items += [
            Polygon(
                ((left, top), (near, low), (near, high), (left, top + solid.height)),
                shade(fill, "face"),
                line,
            ),
            Polygon(((near, low), (right, low), (right, high), (near, high)), shade(fill, "front"), line),
            Polygon(
                ((left, top), (left + solid.depth, top), (right, low), (near, low)), shade(fill, "top"), line
            ),
        ]
    return items


def patch(solid: Solid, share: tuple[float, float], at: Point, least: float) -> Patch:
    """A rectangle of `share` of the face, down and across, about a point of it, kept inside the face. least: the
    smallest it is drawn, in pixels."""
    down, across = share[0], share[1]
    wide = min(max(across, least / solid.width), MAX_WINDOW)
    tall = min(max(down, least / solid.height), MAX_WINDOW)
    edge = 0.04
    left = min(max(at[0] - wide / 2, edge), 1 - edge - wide)
    top = min(max(at[1] - tall / 2, edge), 1 - edge - tall)
    enlarged = wide > across + 1e-9 or tall > down + 1e-9
    return Patch(left, top, left + wide, top + tall, enlarged)


def patch_polygon(solid: Solid, x: float, axis: float, place: Patch) -> tuple[Point, Point, Point, Point]:
    """The corners of a patch: top left, top right, bottom right, bottom left."""
    return (
        solid.face(x, axis, place.left, place.top),
        solid.face(x, axis, place.right, place.top),
        solid.face(x, axis, place.right, place.bottom),
        solid.face(x, axis, place.left, place.bottom),
    )


def window_items(window: tuple[Point, ...], unit: tuple[Point, ...]) -> list[Item]:
    """A window, the unit that it makes, and two lines from one to the other, each dark below and light above, so that
    they show on every fill."""
    lines = ((window[1], unit[0]), (window[2], unit[3]))
    return [
        Polygon(window, "accent", "accent-dark"),
        Polygon(unit, "accent", "accent-dark"),
        *[Polyline(line, "accent-dark", 2.2) for line in lines],
        *[Polyline(line, "accent", 1.1) for line in lines],
    ]
