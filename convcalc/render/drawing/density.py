"""A large matrix as a picture: how many of the entries under each pixel are not zero, with axes and a legend."""

from __future__ import annotations

from typing import NamedTuple

from convcalc.images.rasters import Raster
from convcalc.render.drawing import lettering, palette
from convcalc.render.drawing.scene import Item, Picture, Placed, Polyline, Rectangle, Scene, Text

SIDE = 520.0  # the longer side of the picture
MIN_SIDE = 90.0
MAX_PIXELS = 520  # each way
MARGIN = 16.0
TITLE, LINE, TICK = 15.0, 12.0, 11.0
LEADING = 1.4
STEPS = 24  # of the legend
BAR, BAR_HIGH = 180.0, 12.0


class Density(NamedTuple):
    """A matrix of rows × columns. shares: of the entries that are not zero, by pixel, row by row, as many as width ·
    height; across, down: the names of the axes; parts: how many equal parts, such as maps, each axis has."""

    title: str
    lines: tuple[str, ...]
    rows: int
    columns: int
    width: int
    height: int
    shares: tuple[float, ...]
    across: str
    down: str
    parts: tuple[int, int] = (1, 1)


def density_scene(density: Density) -> Scene:
    """The picture with its axes and what its colours mean."""
    left = MARGIN + TICK + 10 + max(lettering.width(f"{density.rows:,}", TICK), TICK) + 6
    y = MARGIN + TITLE
    items: list[Item] = [
        Text(MARGIN, y, lettering.cut(density.title, 600, TITLE, bold=True), TITLE, bold=True)
    ]
    for line in density.lines:
        y += LINE * LEADING
        items.append(Text(MARGIN, y + 3, line, LINE, ink="muted"))
    top = y + 3 + LINE * LEADING + TICK + 8
    scale = SIDE / max(density.width, density.height)
    wide, tall = max(density.width * scale, MIN_SIDE), max(density.height * scale, MIN_SIDE)
    most = max(density.shares) or 1.0
    items.append(Picture(left, top, wide, tall, _raster(density, most)))
    for part in range(1, density.parts[0]):
        at = top + tall * part / density.parts[0]
        items.append(Polyline(((left, at), (left + wide, at)), "#aab4c0", 0.6, dashed=True))
    for part in range(1, density.parts[1]):
        at = left + wide * part / density.parts[1]
        items.append(Polyline(((at, top), (at, top + tall)), "#aab4c0", 0.6, dashed=True))
    items.append(Rectangle(left, top, wide, tall, None))
    items.append(Text(left, top - 5, "1", TICK, ink="muted"))
    items.append(Text(left + wide, top - 5, f"{density.columns:,}", TICK, ink="muted", anchor="end"))
    items.append(Text(left, top + tall + TICK + 4, density.across, TICK))
    items.append(Text(left - 6, top + TICK * 0.8, "1", TICK, ink="muted", anchor="end"))
    items.append(Text(left - 6, top + tall, f"{density.rows:,}", TICK, ink="muted", anchor="end"))
    items.append(Text(MARGIN + TICK, top + tall / 2, density.down, TICK, anchor="middle", turned=True))
    base = top + tall + TICK + 22
    for step in range(STEPS):
        fill = f"ramp:{step / (STEPS - 1):.3f}"
        items.append(Rectangle(left + step * BAR / STEPS, base, BAR / STEPS + 0.3, BAR_HIGH, fill, None))
    items.append(Rectangle(left, base, BAR, BAR_HIGH, None, "line", 0.8))
    words = f"0 to {100 * most:.3g} % of the entries under a pixel are not zero"
    items.append(Text(left, base + BAR_HIGH + TICK * 1.3, words, TICK, ink="muted"))
    widths = [lettering.width(line, LINE) for line in density.lines]
    widths += [lettering.width(density.title, TITLE, bold=True), left - MARGIN + wide]
    widths.append(left - MARGIN + lettering.width(words, TICK))
    page = min(max(widths), max(620.0, left + wide)) + 2 * MARGIN
    box = Placed("matrix", density.title, left, top, left + wide, top + tall)
    bottom = base + BAR_HIGH + TICK * 1.3 + 6 + MARGIN
    return Scene(page, bottom, density.title, " ".join((*density.lines, words)), tuple(items), (box,))


def _raster(density: Density, most: float) -> Raster:
    ramp = [palette.channels(palette.colour(f"ramp:{level / 255:.4f}")) for level in range(256)]
    levels = [round(255 * (share / most) ** 0.5) for share in density.shares]
    return Raster(
        density.width,
        density.height,
        tuple([bytes([ramp[level][band] for level in levels]) for band in range(3)]),
    )
