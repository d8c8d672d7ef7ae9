"""Sheets of small pictures as PNG: a grid on paper, under a heading and a scale of grey.

Pillow does all the work on pixels: a sheet of VGG-16's largest maps has three million of them. Text is written by
`png`, as in every drawing.
"""

from __future__ import annotations

import io
from array import array
from collections.abc import Iterator, Sequence
from math import ceil, isfinite, log
from typing import TYPE_CHECKING, NamedTuple

from convcalc.images.rasters import Raster
from convcalc.render.drawing import lettering, palette, png
from convcalc.render.drawing.scene import Item, Picture, Rectangle, Scene, Text

if TYPE_CHECKING:
    from PIL.Image import Image

WIDTH = 1400  # pixels that a grid is enlarged to, at most
MAX_SIDE = 4_800  # of a grid whose pictures cannot be enlarged: beyond it they are reduced
ASPECT = 4 / 3
NUMBERED = 24  # pixels: narrower pictures have no room for their number
FRAMED = 4  # pixels: narrower gaps have no room for the frames of two pictures
MARGIN = 28
# Sizes of text as parts of the width. Printed 8 cm wide, which are 227 pt, the heading has 6.4 pt.
TITLE, LINE = 0.028, 0.022
NUMBER = 12  # of the smallest pictures; of larger ones an eighth of their width
WRONG = "removed"  # the colour of what is no finite number


class Levels(NamedTuple):
    """What black and white stand for; between them, grey is in proportion."""

    low: float
    high: float


class Heading(NamedTuple):
    """What stands over a sheet. scale: what black and white stand for, as text; None where there is no one scale."""

    title: str
    lines: tuple[str, ...] = ()
    scale: tuple[str, str, str] | None = None  # at black, at white, and behind


class Grid(NamedTuple):
    """How many pictures stand beside one another, and how a picture's pixels are drawn: `across` wide and `down` high,
    after each `reduced` × `reduced` of them have become one. gap: pixels between pictures; numbered: whether each has
    its number above it, instead of one for each row at the side."""

    columns: int
    across: int
    down: int
    reduced: int
    gap: int
    numbered: bool


def grid(count: int, width: int, height: int, *, sliced: bool = False) -> Grid:
    """The grid for so many pictures of one size, in pixels: near 4:3, with full rows where that is possible. sliced:
    each shows slices side by side, and the gap beside it is wider than those within."""
    columns = min(range(1, count + 1), key=lambda columns: _awkward(count, columns, width, height))
    rows = ceil(count / columns)
    largest = max(columns * width, rows * height)
    factor = max(1, min(WIDTH // (columns * width), WIDTH // (rows * height)))
    reduced = ceil(largest / MAX_SIDE)
    shorter = min(width, height) * factor // reduced
    gap = 2 if shorter < 16 else 4 if shorter < NUMBERED else 6
    return Grid(columns, factor, factor, reduced, gap + 2 * factor * sliced, shorter >= NUMBERED)


def _awkward(count: int, columns: int, width: int, height: int) -> float:
    rows = ceil(count / columns)
    empty = columns * rows - count
    uneven = 0.0 if columns % 4 == 0 else 0.35  # numbers are read off best in fours
    return abs(log(columns * width / (rows * height) / ASPECT)) + 10 * empty / (columns * rows) + uneven


def strips(count: int, length: int) -> Grid:
    """The grid for rows of numbers: one below the other, as high as there is room for."""
    columns = 1 if count <= 800 else min(8, max(1, round((count / max(1, length) * ASPECT) ** 0.5)))
    pitch = max(1, min(32, 900 // ceil(count / columns)))
    gap = pitch // 5 if pitch >= 8 else 0
    across = max(1, WIDTH // (columns * length))
    return Grid(columns, across, pitch - gap, ceil(columns * length / MAX_SIDE), gap, numbered=False)


def greys(values: Sequence[float], width: int, levels: Levels) -> tuple[Image, Image | None]:
    """Numbers as grey pixels, in rows of `width`; and a mask of those that are no finite numbers, if there are such."""
    from PIL import Image, ImageChops

    numbers = array("f", values) if not (isinstance(values, array) and values.typecode == "f") else values
    size = (width, len(numbers) // width)
    wrong = None
    if not isfinite(sum(numbers)):
        flags = bytes([0 if isfinite(number) else 255 for number in numbers])
        if any(flags):
            wrong = Image.frombytes("L", size, flags)
            numbers = array("f", [number if isfinite(number) else 0.0 for number in numbers])
    spread = levels.high - levels.low
    if not spread > 0:
        return Image.new("L", size, 128), wrong
    picture = Image.frombytes("F", size, numbers.tobytes())
    factor, offset = 255 / spread, -255 * levels.low / spread + 0.5
    grey = picture.point(lambda value: value * factor + offset).convert("L")
    return (grey if wrong is None else ImageChops.multiply(grey, ImageChops.invert(wrong))), wrong


def colours(planes: Sequence[tuple[Image, Image | None]]) -> Image:
    """Grey pixels, with those that are no finite numbers in a colour; or three planes as red, green and blue."""
    from PIL import Image

    if len(planes) == 3:
        picture = Image.merge("RGB", [grey for grey, _ in planes])
    elif planes[0][1] is None:
        return planes[0][0]
    else:
        picture = planes[0][0].convert("RGB")
    for _, wrong in planes:
        if wrong is not None:
            picture.paste(palette.colour(WRONG), mask=wrong)
    return picture


def cut(picture: Image, height: int, slices: int = 1) -> Iterator[Image]:
    """Pictures of `height` rows from one of many; of each, so many slices side by side, a pixel of paper between."""
    from PIL import Image

    width = picture.width
    for top in range(0, picture.height, height * slices):
        if slices == 1:
            yield picture.crop((0, top, width, top + height))
            continue
        row = Image.new("RGB", (slices * (width + 1) - 1, height), palette.colour("paper"))
        for place in range(slices):
            start = top + place * height
            row.paste(picture.crop((0, start, width, start + height)), (place * (width + 1), 0))
        yield row


def draw(heading: Heading, pictures: Sequence[Image], form: Grid, *, first: int = 0) -> bytes:
    """A sheet as a PNG file. pictures: all of one size. first: the number of the first of them."""
    from PIL import Image, ImageDraw, PngImagePlugin

    width = ceil(pictures[0].width / form.reduced) * form.across
    height = max(1, pictures[0].height // form.reduced) * form.down
    gap, numbered = form.gap, form.numbered
    size = min(round(LINE * WIDTH), max(NUMBER, width // 8))
    tall = size + 1 if numbered else 0
    rows = ceil(len(pictures) / form.columns)
    side = MARGIN if numbered else MARGIN + NUMBER * 3
    wide = max(form.columns * (width + gap) - gap + side + MARGIN, WIDTH * 3 // 4)
    left = max(side, (wide - (form.columns * (width + gap) - gap) + side - MARGIN) // 2)
    scene, top = _words(heading, wide)
    labels: list[Item] = []
    places = []
    for place in range(len(pictures)):
        row, column = divmod(place, form.columns)
        x, y = left + column * (width + gap), top + row * (height + gap + tall) + tall
        places.append((x, y))
        if numbered:
            labels.append(Text(x, y - round(0.2 * size), str(first + place), size, ink="muted"))
        elif column == 0 and (row == 0 or _is_marked(row, height + gap)):
            base = y + min(height, NUMBER) - 1
            labels.append(Text(left - 5, base, str(first + place), NUMBER, ink="muted", anchor="end"))
    bottom = top + rows * (height + gap + tall) - gap + MARGIN
    scene = scene._replace(height=bottom, items=(*scene.items, *labels))
    sheet = Image.open(io.BytesIO(png.image(scene, wide))).convert("RGB")
    pen = ImageDraw.Draw(sheet)
    for (x, y), picture in zip(places, pictures, strict=True):
        if gap >= FRAMED:  # a white picture would be lost on the paper
            pen.rectangle((x - 1, y - 1, x + width, y + height), outline=palette.colour("frame-line"))
        if form.reduced > 1:
            picture = picture.reduce((form.reduced, min(form.reduced, picture.height)))
        sheet.paste(picture.resize((width, height), Image.Resampling.NEAREST), (x, y))
    about = PngImagePlugin.PngInfo()
    about.add_itxt("Title", lettering.cut(heading.title, WIDTH, 11))
    out = io.BytesIO()
    sheet.save(out, "PNG", pnginfo=about)
    return out.getvalue()


def _is_marked(row: int, pitch: int) -> bool:
    """Whether a row has its number: every row, or as many as there is room for."""
    every = next(step for step in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512) if step * pitch >= NUMBER + 2)
    return row % every == 0


def _words(heading: Heading, wide: int) -> tuple[Scene, int]:
    """The heading on its paper, and where the pictures begin."""
    title, line = round(TITLE * wide), round(LINE * wide)
    room = wide - 2 * MARGIN
    y = MARGIN + round(lettering.ABOVE * title)
    text = lettering.cut(heading.title, room, title, bold=True)
    items: list[Item] = [Text(MARGIN, y, text, title, bold=True)]
    y += round(0.35 * title)
    for words in heading.lines:
        y += round(1.3 * line)
        items.append(Text(MARGIN, y, lettering.cut(words, room, line), line, ink="muted"))
    if heading.scale is not None:
        y += round(1.45 * line)
        items += _scale(heading.scale, y, line, wide)
    top = y + round(1.1 * line)
    return Scene(wide, top, heading.title, " ".join(heading.lines), tuple(items)), top


def _scale(scale: tuple[str, str, str], y: int, size: int, wide: int) -> list[Item]:
    low, high, behind = scale
    x = float(MARGIN)
    items: list[Item] = [Text(x, y, low, size)]
    x += lettering.width(low, size) + 0.5 * size
    ramp = Raster(256, 1, (bytes(range(256)),))
    length, height = round(0.16 * wide), round(0.72 * size)
    items.append(Picture(round(x), y - height, length, height, ramp))
    items.append(Rectangle(round(x), y - height, length, height, None, "muted"))
    x += length + 0.5 * size
    items.append(Text(x, y, high, size))
    x += lettering.width(high, size) + size
    items.append(Text(x, y, lettering.cut(behind, wide - MARGIN - x, size), size, ink="muted"))
    return items
