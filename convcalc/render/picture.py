"""Images on a terminal: half blocks show two pixels per character in colour; without colour, shade characters."""

from __future__ import annotations

from collections.abc import Sequence

from convcalc.images.rasters import Raster, scaled
from convcalc.render.layout import Line, TextSpan

SHADES = " ░▒▓█"
GAP = 2
TALLEST = 60  # maximum height in pixels: thirty lines


def side_by_side(pictures: Sequence[tuple[str, Raster]], width: int, colour: bool) -> list[Line]:
    """Images under their headings, next to one another within `width` columns."""
    room = max(8, (width - GAP * (len(pictures) - 1)) // len(pictures))
    drawn = [(heading, _lines(scaled(raster, room, TALLEST), colour)) for heading, raster in pictures]
    rows: list[Line] = []
    for index in range(max(len(lines) for _, lines in drawn) + 1):
        row: Line = []
        for heading, lines in drawn:
            spans = (
                [TextSpan(heading[:room])] if index == 0 else lines[index - 1] if index <= len(lines) else []
            )
            row += spans
            row.append(TextSpan(" " * (room + GAP - sum(len(span.text) for span in spans))))
        rows.append(row[:-1])
    return rows


def _lines(picture: Raster, colour: bool) -> list[Line]:
    return [
        [_span(picture, row, column, colour) for column in range(picture.width)]
        for row in range(0, picture.height, 2)
    ]


def _span(picture: Raster, row: int, column: int, colour: bool) -> TextSpan:
    """One character: the pixel at (row, column) above the one below it."""
    upper = _pixel(picture, row, column)
    lower = _pixel(picture, row + 1, column) if row + 1 < picture.height else None
    if colour:
        return TextSpan("▀", _hex(upper) + (f" on {_hex(lower)}" if lower else ""))
    shades = [sum(pixel) / 3 for pixel in (upper, lower) if pixel]
    return TextSpan(SHADES[min(len(SHADES) - 1, int(sum(shades) / len(shades) * len(SHADES) / 256))])


def _pixel(picture: Raster, row: int, column: int) -> tuple[int, int, int]:
    place = row * picture.width + column
    levels = [plane[place] for plane in picture.planes]
    return (levels[0], levels[0], levels[0]) if len(levels) == 1 else (levels[0], levels[1], levels[2])


def _hex(pixel: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*pixel)
