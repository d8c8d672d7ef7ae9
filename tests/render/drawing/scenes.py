"""Scenes made by hand for the writers' tests."""

from __future__ import annotations

from convcalc.images.rasters import Raster
from convcalc.render.drawing.lettering import width
from convcalc.render.drawing.scene import (
    Circle,
    Picture,
    Placed,
    Polygon,
    Polyline,
    Rectangle,
    Scene,
    Text,
)

# Two rows of three pixels: red, green, blue; white, grey, black.
PIXELS = Raster(
    3, 2, (bytes([255, 0, 0, 255, 128, 0]), bytes([0, 255, 0, 255, 128, 0]), bytes([0, 0, 255, 255, 128, 0]))
)

# Every primitive in every variant, where a point of each is known (POINTS).
EVERY = Scene(
    400,
    300,
    "Every primitive",
    "Rectangles, a polygon, circles, lines, texts and a picture",
    (
        Rectangle(20, 20, 100, 40, "conv", "line", 2, 6),
        Rectangle(140, 20, 60, 40, None, "added", 3, dashed=True),
        Rectangle(220, 20, 40, 40, "frame", None),
        Polygon(((280, 60), (340, 60), (310, 20)), "pool:front", "line"),
        Circle(370, 40, 18, "join"),
        Polyline(((40, 100), (120, 100), (120, 160)), "line", 4, 20, True),
        Polyline(((20, 180), (120, 180)), "muted", 2, dashed=True),
        Picture(140, 80, 90, 60, PIXELS),
        Text(
            70,
            44,
            "conv K64 F3 P1",
            10.5,
            True,
            "on:conv",
            "middle",
            width("conv K64 F3 P1", 10.5, bold=True),
        ),
        Text(250, 100, "64×112×112", 12),
        Text(250, 120, "96 → 256", 12, True, "muted"),
        Text(390, 140, "α ≤ √β − ∑⌊x⌋", 12, anchor="end"),
        Text(250, 160, "0  1  2", 12, mono=True),
        Text(380, 280, "turned axis", 12, turned=True),
        Text(20, 230, "WIDE", 20, True, fit=160),
        Rectangle(20, 250, 60, 30, "ramp:0.6"),
        Rectangle(100, 250, 60, 30, "#abcdef", None),
    ),
    (Placed("conv1", "conv1: conv K64 F3 P1, output 64×112×112", 20, 20, 120, 60, (0, 1)),),
)

# A place, its colour on a light page and on a dark one.
POINTS = (
    ((300, 200), "#ffffff", "#14171c"),  # paper
    ((30, 52), "#2166ac", "#2166ac"),  # conv
    ((70, 20), "#16191d", "#dfe4ea"),  # its outline
    ((240, 40), "#f3f5f8", "#1d232b"),  # frame
    ((310, 50), "#c57159", "#c57159"),  # pool, with 14 % of black: 229·0.86, 131·0.86, 104·0.86
    ((370, 30), "#e8a33d", "#e8a33d"),  # join
    ((60, 100), "#16191d", "#dfe4ea"),  # the line
    ((120, 130), "#16191d", "#dfe4ea"),  # after its corner
    ((155, 95), "#ff0000", "#ff0000"),  # the pixels of the picture
    ((185, 95), "#00ff00", "#00ff00"),
    ((215, 95), "#0000ff", "#0000ff"),
    ((185, 125), "#808080", "#808080"),
    ((50, 265), "#4a90c4", "#4a90c4"),  # 0.6 of the ramp is its fourth colour of six
    ((130, 265), "#abcdef", "#abcdef"),
)
BARE = (
    (118, 102),
    (20, 150),
    (200, 70),
)  # places with paper alone: the first outside the line's rounded corner

# What names of other people's files can hold: a name of 10 KB, other scripts and directions, what ends elements,
# strings and documents, control characters, half a pair of surrogates, accents
# without a letter.
HOSTILE_NAMES = (
    "a" * 10_000,
    "שלום.conv1",
    "abc\u202ecba\u202c",
    "</script><script>alert(1)</script>",
    "\"quoted\" 'name' & <b>",
    "back\\slash \\input{/etc/passwd} $x^2$ %{}#_~^&",
    "(paren) ) \\) \\\\",
    "tab\tnew\nline\r\x00\x07\x1b[31mred\x7f",
    "]]>--><!--",
    "\ud800half \ufffe\uffff",
    "漢字 😀 e\u0301",
    "",
    "   ",
    "\u0301\u0302",
)
HOSTILE = Scene(
    600,
    400,
    HOSTILE_NAMES[3] + HOSTILE_NAMES[0],
    "\n".join(HOSTILE_NAMES),
    tuple(
        [
            Text(20, 20 + 25 * row, name, 11, fit=None if row % 2 else 120)
            for row, name in enumerate(HOSTILE_NAMES)
        ]
    ),
    tuple(
        [
            Placed(name, name, 20, 10 + 25 * row, 140, 25 + 25 * row, (row,))
            for row, name in enumerate(HOSTILE_NAMES)
        ]
    ),
)


def rgb(colour: str) -> tuple[int, int, int]:
    """The levels of `#rrggbb`."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def near(found: tuple[int, ...], colour: str, off: int = 3) -> bool:
    """Whether a pixel has a colour, each level at most `off` away."""
    return all(abs(a - b) <= off for a, b in zip(found[:3], rgb(colour), strict=True))
