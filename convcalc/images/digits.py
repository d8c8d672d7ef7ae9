"""Preparing a picture of one handwritten digit the way MNIST did.

Any size, polarity, colour or paper becomes bright ink on 0, scaled into a 20×20 box and centred by its centre of
mass in a field of 28×28 (LeCun, Bottou, Bengio & Haffner 1998, section III.A).

Pillow is imported at the top because `convcalc.images.preprocess` imports this module only for networks that need
it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from PIL import Image, ImageChops, ImageFilter, ImageOps, ImageStat
from PIL.Image import Image as Bitmap

from convcalc.errors import ImageError

FIELD, BOX = 28, 20  # MNIST: the field a digit is centred in, and the box it is scaled into
ANALYSED = 512  # longer side in pixels for the analysis; more only adds noise
THIN = 0.2  # share of ink that survives erosion: one MNIST digit in 500 has less, half of them have 0.5
FAINT = 20  # contrast, of 255 levels, below which a picture counts as empty
CROSSED = 0.05  # share of the border covered by ink from which ink and paper may be swapped


def digit_field(image: Bitmap, side: int = FIELD) -> Bitmap:
    """The digit in the picture (L, RGB or RGBA), bright on 0 in a square grey image. Raises ImageError.

    The square is MNIST's 28×28 if it fits the network's `side` but would not fit twice; else 28/32 of `side`, the
    proportion of LeNet's 32.

    Ink is measured along the line from the background colour (the median of the border) to the colour of the
    strongest strokes, so polarity and colour do not matter. A frame drawn around the picture is cut off. A
    morphological opening removes uneven light, a threshold taken from the border removes grain, and the size of
    connected components removes specks. Each step leaves a clean picture unchanged: MNIST's digits come out as they
    went in.
    """
    colours = _colours(image)
    factor = ANALYSED / max(colours.size)
    if factor < 1:
        colours = colours.resize(_scaled(colours.size, factor), Image.Resampling.BOX)
    found = _drawing(colours)
    field = _centred(_boxed_strokes(found.ink, found.visible))
    if FIELD <= side < 2 * FIELD:
        return field
    scaled = max(1, side * 28 // 32)
    return field.resize((scaled, scaled), Image.Resampling.BICUBIC)


class _EmptyPicture(ImageError):
    """The picture is empty."""


@dataclass(frozen=True)
class _Drawing:
    """Bright strokes on 0. visible: the level from which strokes are visible; likeness: how digit-like it is."""

    ink: Bitmap
    visible: int
    likeness: float


def _drawing(colours: Bitmap, lines: int = 3) -> _Drawing:
    """The drawing in the picture, or within at most this many frames around it. Raises ImageError."""
    ink = _ink(colours)
    negative = ImageOps.invert(ink)
    # the border's median may be the frame's colour; require a thin frame, or any margin would count as one
    inside = (_inside_frame(ink, 5, ANALYSED) or _inside_frame(negative, 10, 2)) if lines else None
    if inside:
        with contextlib.suppress(_EmptyPicture):  # an empty frame is itself the drawing: a square 0
            return _drawing(colours.crop(inside), lines - 1)
    border = _border(ink.size)
    crossed, grain = _share_of_ink(ink, border), _noise_level(ink.histogram(border))
    if crossed < CROSSED and grain <= 160:
        return _clean_strokes(ink, grain, crossed)
    _check_noise_and_shadow(ink)
    drawings = []
    for shade in (ink, negative):  # strokes cross the border, so its median may be their colour
        grain = min(64, _noise_level(shade.histogram()[:128]))
        spread = ImageOps.expand(
            shade, max(ink.size) // 3
        )  # otherwise strokes at the edges would look like shadows
        with contextlib.suppress(ImageError):
            drawings.append(_clean_strokes(spread, grain, _share_of_ink(shade, border)))
    if not drawings:
        raise ImageError(
            "strokes run across its edges, too many for one digit",
            hint="leave a margin of plain background around the digit",
        )
    return max(drawings, key=lambda drawing: drawing.likeness)


def _check_noise_and_shadow(ink: Bitmap) -> None:
    """Raises ImageError for noise, which a median filter mostly removes, and for shadows, which have no edges."""
    if _mean(ImageChops.difference(ink, ink.filter(ImageFilter.MedianFilter(3)))) > 45:
        raise ImageError(
            "its background is as rough as anything drawn on it",
            hint="give a picture of one digit on plain paper",
        )
    small = ink.resize(_scaled(ink.size, min(1.0, 32 / max(ink.size))), Image.Resampling.BOX)
    highest, lowest = small.filter(ImageFilter.MaxFilter(3)), small.filter(ImageFilter.MinFilter(3))
    if _quantile(ImageChops.difference(highest, lowest).histogram(), 0.95) < 100:
        raise _no_strokes()


def _noise_level(histogram: list[int]) -> int:
    """The level that noise in the background hardly exceeds."""
    middle, upper = _quantile(histogram, 0.5), _quantile(histogram, 0.8)
    return middle + 3 * (upper - middle)


def _share_of_ink(ink: Bitmap, mask: Bitmap) -> float:
    counts = ink.histogram(mask)
    return sum(counts[128:]) / sum(counts)


def _clean_strokes(ink: Bitmap, grain: int, crossed: float) -> _Drawing:
    """The strokes alone, with a score. A digit is mostly one connected piece, paper rarely is, and most of the
    border is paper.

    The weight 0.6 balances the two: with 0.5 to 0.75 the same digits of MNIST are read, except one in 500.
    """
    ink = ImageChops.subtract(ink, _uneven_light(ink))
    ink = ink.point([max(0, round((level - grain) * 255 / (255 - grain))) for level in range(256)])
    strokes, largest = _largest_pieces(ink)
    return _Drawing(ImageChops.darker(ink, strokes), 26 if grain else 1, largest - 0.6 * crossed)


def _inside_frame(ink: Bitmap, part: int, tilt: int) -> tuple[int, int, int, int] | None:
    """The box inside a frame line that runs close to all four sides; None if there is no such line.

    The box starts where every row and column, followed inwards from each side, has met ink and now meets hardly
    any. That must happen within a `part` of the shorter side, and at most `tilt` pixels after ink last filled all
    four sides at once.
    """
    drawn = ink.point(_from_level(64))
    turned = drawn.transpose(Image.Transpose.TRANSPOSE)
    sides = [drawn, ImageOps.flip(drawn), turned, ImageOps.flip(turned)]
    met = [Image.new("L", (side.width, 1)) for side in sides]
    filled = 0
    for edge in range(min(ink.size) // part + 1):
        lines = [side.crop((0, edge, side.width, edge + 1)) for side in sides]
        now = [_mean(line.crop((edge, 0, line.width - edge, 1))) for line in lines]
        before = [_mean(line.crop((edge, 0, line.width - edge, 1))) for line in met]
        if min(before) >= 0.98 * 255 and sum(now) < 0.5 * 255:
            return edge, edge, ink.width - edge, ink.height - edge
        filled = edge if min(now) >= 0.9 * 255 else filled
        if edge - filled >= tilt:
            return None
        met = [ImageChops.lighter(row, line) for row, line in zip(met, lines, strict=True)]
    return None


def _mean(image: Bitmap) -> float:
    return ImageStat.Stat(image).mean[0]


def _no_strokes() -> ImageError:
    return ImageError(
        "it has lighter and darker areas, but no strokes",
        hint="give a picture of one digit on plain paper, evenly lit",
    )


def _colours(image: Bitmap) -> Bitmap:
    """The picture in RGB. If the border is transparent, everything drawn counts as ink whatever its colour, unless
    it is a card with a digit on it."""
    if image.mode != "RGBA":
        return image.convert("RGB")
    alpha = image.getchannel("A")
    if _quantile(alpha.histogram(_border(alpha.size)), 0.5) >= 128:
        return _on_white(image)
    solid = alpha.point(_from_level(128))
    box = solid.getbbox()
    if box is not None:
        wide, high = box[2] - box[0], box[3] - box[1]
        covered = solid.histogram()[255] / (wide * high)
        shades = image.convert("L").histogram(solid)
        varied = _quantile(shades, 0.98) - _quantile(shades, 0.02) > 64
        if covered > 0.85 and min(wide, high) * 2 > max(wide, high) and varied:
            return _on_white(image.crop(box))
    return ImageOps.invert(alpha).convert("RGB")


def _on_white(image: Bitmap) -> Bitmap:
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def _from_level(level: float) -> list[int]:
    """A table for Image.point: 255 from this level on, 0 below."""
    return [255 * (value >= level) for value in range(256)]


def _border(size: tuple[int, int]) -> Bitmap:
    """A mask of the picture's border, a twentieth of its shorter side wide."""
    edge = max(1, min(size) // 20)
    mask = Image.new("L", size, 255)
    if min(size) > 2 * edge:
        mask.paste(0, (edge, edge, size[0] - edge, size[1] - edge))
    return mask


def _quantile(histogram: Sequence[int], share: float) -> int:
    """The lowest level that at least `share` of the counted pixels do not exceed."""
    wanted, seen = share * sum(histogram), 0
    for level, count in enumerate(histogram):
        seen += count
        if seen >= wanted and seen:
            return level
    return len(histogram) - 1


def _medians(histogram: list[int]) -> tuple[int, int, int]:
    red, green, blue = (_quantile(histogram[start : start + 256], 0.5) for start in (0, 256, 512))
    return red, green, blue


def _ink(colours: Bitmap) -> Bitmap:
    """For each pixel its position between background (0) and ink (255). Raises ImageError if nothing stands out."""
    paper = _medians(colours.histogram(_border(colours.size)))
    bands = ImageChops.difference(colours, Image.new("RGB", colours.size, paper)).split()
    distance = ImageChops.lighter(ImageChops.lighter(bands[0], bands[1]), bands[2])
    pixels = colours.width * colours.height
    strongest = _quantile(distance.histogram(), 1 - max(8, pixels / 5000) / pixels)
    stroke = distance.point(_from_level(0.9 * strongest))
    pen = _medians(colours.histogram(stroke))
    way = [to - start for start, to in zip(paper, pen, strict=True)]
    length = sum(step * step for step in way)
    contrast = min(strongest, int(length**0.5))
    if contrast < FAINT:
        raise _EmptyPicture(
            f"nothing in it differs from the background by more than {contrast} of 255 levels"
            if contrast
            else "all of it has one colour",
            hint="draw darker, and check that the digit was saved with the picture",
        )
    scales = [255 * step / length for step in way]
    start = sum(scale * level for scale, level in zip(scales, paper, strict=True))
    return colours.convert("L", (scales[0], scales[1], scales[2], -start))


def _uneven_light(ink: Bitmap) -> Bitmap:
    """The picture without structures narrower than half of it, which leaves its illumination."""
    small = ink.resize(_scaled(ink.size, min(1.0, 64 / max(ink.size))), Image.Resampling.BOX)
    window = max(small.size) // 4 * 2 + 1
    opened = small.filter(ImageFilter.MinFilter(window)).filter(ImageFilter.MaxFilter(window))
    return opened.resize(ink.size, Image.Resampling.BILINEAR)


def _largest_pieces(ink: Bitmap) -> tuple[Bitmap, float]:
    """A mask of the connected components that can be strokes, and the largest one's share of them. Raises
    ImageError if there is none, or only scattered specks."""
    small = ink.resize(_scaled(ink.size, min(1.0, 96 / max(ink.size))), Image.Resampling.BOX)
    width, levels = small.width + 1, bytearray()  # a column of 0 separates the rows
    for row in range(small.height):
        levels += small.crop((0, row, small.width, row + 1)).tobytes() + b"\0"
    left = {place for place, level in enumerate(levels) if level >= 24}
    steps = [down + across for down in (-width, 0, width) for across in (-1, 0, 1)]
    pieces = []
    while left:
        piece = [left.pop()]
        for place in piece:  # the list grows during the loop
            found = left.intersection([place + step for step in steps])
            left -= found
            piece += found
        pieces.append((sum(levels[place] for place in piece), piece))
    if not pieces:
        raise _no_strokes()
    largest = max(pieces)[0]
    strokes = [(mass, piece) for mass, piece in pieces if mass >= 0.02 * largest]
    if len(strokes) > 10:
        raise ImageError(
            f"{len(strokes)} separate marks are drawn in it", hint="cut the picture to the one digit"
        )
    marked = bytearray(len(levels))
    for place in (place for _, piece in strokes for place in piece):
        marked[place] = 255
    mask = Image.frombytes("L", (width, small.height), bytes(marked)).crop((0, 0, *small.size))
    mask = mask.filter(ImageFilter.MaxFilter(5)).resize(ink.size, Image.Resampling.NEAREST)
    return mask, largest / sum(mass for mass, _ in strokes)


def _boxed_strokes(ink: Bitmap, visible: int) -> Bitmap:
    """The ink scaled into the box. Hairlines, which would almost vanish, are thickened first."""
    digit = _boxed(ink, BOX, visible)
    if _eroded_share(digit) < THIN:
        large = _boxed(ink, 4 * BOX, visible)
        while _eroded_share(digit) < 2 * THIN and max(large.size) < 7 * BOX:
            thicker = Image.new("L", (large.width + 4, large.height + 4))
            thicker.paste(large, (2, 2))
            large = thicker.filter(ImageFilter.MaxFilter(3))
            digit = _boxed(large, BOX, visible)
    peak = _quantile([0, *digit.histogram()[1:]], 0.9)
    return digit if peak >= 240 else digit.point([min(255, round(v * 250 / peak)) for v in range(256)])


def _eroded_share(digit: Bitmap) -> float:
    """The share of ink that survives a 2×2 erosion: 0 for lines one pixel wide."""
    wide, high = digit.width - 1, digit.height - 1
    if not wide or not high:
        return 0.0
    corners = [digit.crop((x, y, x + wide, y + high)) for x in (0, 1) for y in (0, 1)]
    return sum(reduce(ImageChops.darker, corners).tobytes()) / sum(digit.tobytes())


def _boxed(drawing: Bitmap, side: int, visible: int) -> Bitmap:
    drawing = drawing.crop(drawing.point(_from_level(visible)).getbbox())
    factor = side / max(drawing.size)
    smooth = Image.Resampling.BOX if factor < 1 else Image.Resampling.BICUBIC
    return drawing if factor == 1 else drawing.resize(_scaled(drawing.size, factor), smooth)


def _centred(digit: Bitmap) -> Bitmap:
    """The digit in the field, its centre of mass at row and column 14 counted from 0.

    That is half a pixel off the middle, and where 99 of 100 MNIST digits have it; the others are a pixel off.
    """
    data, wide, high = digit.tobytes(), digit.width, digit.height
    mass = sum(data)
    across = sum(sum(data[column::wide]) * (column + 0.5) for column in range(wide)) / mass
    down = sum(sum(data[row * wide : (row + 1) * wide]) * (row + 0.5) for row in range(high)) / mass
    left = min(max(0, round(FIELD // 2 + 0.5 - across)), FIELD - wide)
    top = min(max(0, round(FIELD // 2 + 0.5 - down)), FIELD - high)
    field = Image.new("L", (FIELD, FIELD))
    field.paste(digit, (left, top))
    return field


def _scaled(size: tuple[int, int], factor: float) -> tuple[int, int]:
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
