"""A picture of one handwritten digit as MNIST would have it.

Any size, polarity, colour or paper: bright ink on 0, scaled into a 20×20 box and centred by its centre of
mass in a field of 28×28 (LeCun, Bottou, Bengio & Haffner 1998, section III.A).

`convcalc.images` imports this module when a network asks for it, so Pillow is imported at the top.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from PIL import Image, ImageChops, ImageFilter, ImageOps
from PIL.Image import Image as Bitmap

FIELD, BOX = 28, 20  # MNIST: the field a digit is centred in, and the box it is scaled into
ANALYSED = 512  # pixels of the longer side at which a digit is looked for; more only adds grain
THIN = 0.2  # of ink in squares of four: one digit of MNIST in 500 has less, half of them have 0.5
FAINT = 20  # levels of 255 between ink and paper below which nothing was drawn


def digit_field(image: Bitmap, side: int = FIELD) -> Bitmap | None:
    """The one digit in the picture (L, RGB or RGBA), bright on 0 in a grey square; None if there is none.

    The square is MNIST's 28×28 if `side`, the network's, leaves room for it and not for twice as much; else
    28/32 of `side`, as in LeNet's 32.

    Ink is what lies on the line from the background's colour (the median of the border) to the colour of the
    strongest strokes, so polarity and colour do not matter. Uneven light goes with a morphological opening,
    grain with a threshold taken from the border, specks by the size of their connected piece. Each of these
    leaves a clean picture as it is: a digit of MNIST comes out as it went in.
    """
    colours = _colours(image)
    factor = ANALYSED / max(colours.size)
    if factor < 1:
        colours = colours.resize(_scaled(colours.size, factor), Image.Resampling.BOX)
    ink = _ink(colours)
    if ink is None:
        return None
    ink = ImageChops.subtract(ink, _uneven_light(ink))
    border = ink.histogram(_border(ink.size))
    middle, upper = _quantile(border, 0.5), _quantile(border, 0.8)
    grain = middle + 3 * (upper - middle)
    if grain > 160:
        return None
    ink = ink.point([max(0, round((level - grain) * 255 / (255 - grain))) for level in range(256)])
    strokes = _largest_pieces(ink)
    if strokes is None:
        return None
    field = _centred(_boxed_strokes(ImageChops.darker(ink, strokes), visible=26 if grain else 1))
    if FIELD <= side < 2 * FIELD:
        return field
    scaled = max(1, side * 28 // 32)
    return field.resize((scaled, scaled), Image.Resampling.BICUBIC)


def _colours(image: Bitmap) -> Bitmap:
    """The picture in RGB. Where the border is transparent, what is drawn is the ink, whatever its colour,
    unless it is a card of its own with a digit on it."""
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
    """A table for Image.point: 255 for this level and above, 0 below."""
    return [255 * (value >= level) for value in range(256)]


def _border(size: tuple[int, int]) -> Bitmap:
    """A mask of the picture's border, a twentieth of its shorter side."""
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


def _ink(colours: Bitmap) -> Bitmap | None:
    """How much of the way from background to ink each pixel is, 0…255; None where nothing stands out."""
    paper = _medians(colours.histogram(_border(colours.size)))
    bands = ImageChops.difference(colours, Image.new("RGB", colours.size, paper)).split()
    distance = ImageChops.lighter(ImageChops.lighter(bands[0], bands[1]), bands[2])
    pixels = colours.width * colours.height
    strongest = _quantile(distance.histogram(), 1 - max(8, pixels / 5000) / pixels)
    if strongest < FAINT:
        return None
    stroke = distance.point(_from_level(0.9 * strongest))
    pen = _medians(colours.histogram(stroke))
    way = [to - start for start, to in zip(paper, pen, strict=True)]
    length = sum(step * step for step in way)
    if length < FAINT * FAINT:
        return None
    scales = [255 * step / length for step in way]
    start = sum(scale * level for scale, level in zip(scales, paper, strict=True))
    return colours.convert("L", (scales[0], scales[1], scales[2], -start))


def _uneven_light(ink: Bitmap) -> Bitmap:
    """What remains of the picture when everything narrower than half of it is taken away."""
    small = ink.resize(_scaled(ink.size, min(1.0, 64 / max(ink.size))), Image.Resampling.BOX)
    window = max(small.size) // 4 * 2 + 1
    opened = small.filter(ImageFilter.MinFilter(window)).filter(ImageFilter.MaxFilter(window))
    return opened.resize(ink.size, Image.Resampling.BILINEAR)


def _largest_pieces(ink: Bitmap) -> Bitmap | None:
    """A mask of the connected pieces that can be strokes; None if there is none, or only scattered specks."""
    small = ink.resize(_scaled(ink.size, min(1.0, 96 / max(ink.size))), Image.Resampling.BOX)
    width, levels = small.width + 1, bytearray()  # one column of 0 keeps rows from touching
    for row in range(small.height):
        levels += small.crop((0, row, small.width, row + 1)).tobytes() + b"\0"
    left = {place for place, level in enumerate(levels) if level >= 24}
    steps = [down + across for down in (-width, 0, width) for across in (-1, 0, 1)]
    pieces = []
    while left:
        piece = [left.pop()]
        for place in piece:  # grows while it is read
            found = left.intersection([place + step for step in steps])
            left -= found
            piece += found
        pieces.append((sum(levels[place] for place in piece), piece))
    strokes = [piece for mass, piece in pieces if mass >= 0.02 * max(pieces)[0]]
    if not 1 <= len(strokes) <= 10:
        return None
    marked = bytearray(len(levels))
    for place in (place for piece in strokes for place in piece):
        marked[place] = 255
    mask = Image.frombytes("L", (width, small.height), bytes(marked)).crop((0, 0, *small.size))
    return mask.filter(ImageFilter.MaxFilter(5)).resize(ink.size, Image.Resampling.NEAREST)


def _boxed_strokes(ink: Bitmap, visible: int) -> Bitmap:
    """The ink scaled into the box; hairlines, which would all but vanish there, are thickened first."""
    digit = _boxed(ink, BOX, visible)
    if _solid(digit) < THIN:
        large = _boxed(ink, 4 * BOX, visible)
        while _solid(digit) < 2 * THIN and max(large.size) < 7 * BOX:
            thicker = Image.new("L", (large.width + 4, large.height + 4))
            thicker.paste(large, (2, 2))
            large = thicker.filter(ImageFilter.MaxFilter(3))
            digit = _boxed(large, BOX, visible)
    peak = _quantile([0, *digit.histogram()[1:]], 0.9)
    return digit if peak >= 240 else digit.point([min(255, round(v * 250 / peak)) for v in range(256)])


def _solid(digit: Bitmap) -> float:
    """The share of the ink that is left when each pixel is the least of a square of four: 0 for lines 1 wide."""
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
    """The digit in the field, its centre of mass on row and column 14 counted from 0.

    That is half a pixel off the middle, and where 99 of 100 MNIST digits have it; the rest are a pixel off.
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
