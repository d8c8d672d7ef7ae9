"""An animation as GIF. Each frame is painted and stored only where it differs from the one before, and all frames have
one palette, so that they take little time and little space.

Pillow paints and compresses; the file around the frames is written here (GIF89a, CompuServe 1990). Measured on 196
frames of 960×558: Pillow 13 takes 7.7 s of processor time to save the painted frames, 690 KB; the whole command takes
1.3 s so, 650 KB. Pillow before 11 also stores unchanged pixels and gives every frame a palette of its own.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from math import ceil, floor
from struct import pack
from typing import TYPE_CHECKING, NamedTuple

from convcalc.render.drawing import lettering, palette, png, svg
from convcalc.render.drawing.animation import Animation
from convcalc.render.drawing.paths import bounds
from convcalc.render.drawing.scene import Circle, Item, Picture, Rectangle, Text

if TYPE_CHECKING:
    from PIL.Image import Image

WIDTH, ENLARGED = 960, 2  # pixels wide: enlarged so far at most to come near it
MAX_PIXELS = 1_000_000  # of a frame
COLOURS, UNCHANGED = 127, 127  # of the palette; the number that stands for the pixel of the frame before
NEAR = 16  # levels: colours nearer than this are one
APART = 8  # pixels: changed places nearer than this are painted as one

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels
Progress = Callable[[int, int], None]


class _Patch(NamedTuple):
    """What a frame changes: pixels as numbers of the palette, and where they are."""

    left: int
    top: int
    image: Image


def document(animation: Animation, progress: Progress | None = None) -> bytes:
    """An animation as a GIF file that begins again without end. progress: told after each frame how many of how many
    are done."""
    film = _Film(animation)
    frames = len(animation.seconds)
    out = io.BytesIO()
    out.write(b"GIF89a" + pack("<HHBBB", film.width, film.height, 0xF6, 0, 0) + film.colours)
    out.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00")  # again and again
    for number, (patch, seconds) in enumerate(zip(film.patches(), animation.seconds, strict=True), 1):
        # left in place; one colour is see-through; hundredths of a second
        out.write(b"\x21\xf9\x04" + pack("<BHBB", 0x05, round(seconds * 100), UNCHANGED, 0))
        out.write(b"\x2c" + pack("<HHHHB", patch.left, patch.top, *patch.image.size, 0))
        out.write(_compressed(patch.image))
        if progress is not None:
            progress(number, frames)
    out.write(b"\x3b")
    return out.getvalue()


class _Film:
    """The frames of an animation as pixels, each number a place in one palette."""

    def __init__(self, animation: Animation) -> None:
        scale = min(WIDTH / animation.width, ENLARGED)
        self._scale = min(scale, (MAX_PIXELS / (animation.width * animation.height)) ** 0.5)
        self.width, self.height = ceil(animation.width * self._scale), ceil(animation.height * self._scale)
        self._animation = animation
        self._extents = [_extent(timed.item) for timed in animation.items]
        whole = (0, 0, self.width, self.height)
        last = len(animation.seconds) - 1
        pages = [self._painted(self._seen(number), whole) for number in sorted({0, last // 2, last})]
        plain = [palette.colour(role) for role in sorted(svg.roles(timed.item for timed in animation.items))]
        self._palette, self.colours = _palette(plain, pages)
        self._first = self._numbered(pages[0])

    def patches(self) -> Iterator[_Patch]:
        """What each frame changes; the first is whole."""
        from PIL import Image, ImageChops

        shown = self._first
        yield _Patch(0, 0, shown)
        begin: dict[int, list[int]] = {}  # by frame, the places of the items that are new there
        end: dict[int, list[int]] = {}
        for place, timed in enumerate(self._animation.items):
            begin.setdefault(timed.first, []).append(place)
            end.setdefault(timed.last + 1, []).append(place)
        seen = set(begin[0])
        for number in range(1, len(self._animation.seconds)):
            new, gone = begin.get(number, []), end.get(number, [])
            seen = (seen | set(new)) - set(gone)
            boxes = self._boxes((*new, *gone))
            left, top, right, bottom = _around(boxes) if boxes else (0, 0, 1, 1)
            before = shown.crop((left, top, right, bottom))
            in_order = sorted(seen)
            for box in boxes:
                shown.paste(self._numbered(self._painted(in_order, box)), box[:2])
            now = shown.crop((left, top, right, bottom))
            same = ImageChops.difference(before, now).point([255, *[0] * 255])
            yield _Patch(left, top, Image.composite(Image.new("L", now.size, UNCHANGED), now, same))

    def _seen(self, number: int) -> list[int]:
        """The places of the items seen in a frame."""
        return [
            place for place, timed in enumerate(self._animation.items) if timed.first <= number <= timed.last
        ]

    def _painted(self, seen: Sequence[int], box: Box) -> Image:
        left, top, right, bottom = box
        scale = self._scale
        area = (left / scale, top / scale, right / scale, bottom / scale)
        items = [self._animation.items[place].item for place in seen if _meet(self._extents[place], area)]
        return png.painted(items, area[:2], (right - left, bottom - top), scale)

    def _numbered(self, page: Image) -> Image:
        from PIL import Image

        found = page.quantize(palette=self._palette, dither=Image.Dither.NONE)
        return Image.frombytes("L", found.size, found.tobytes())

    def _boxes(self, places: Sequence[int]) -> list[Box]:
        """What some items may paint, in pixels; no two overlap."""
        boxes: list[Box] = []
        for place in places:
            left, top, right, bottom = self._extents[place]
            box = (
                max(0, floor(left * self._scale) - 1),
                max(0, floor(top * self._scale) - 1),
                min(self.width, ceil(right * self._scale) + 1),
                min(self.height, ceil(bottom * self._scale) + 1),
            )
            if box[0] < box[2] and box[1] < box[3]:
                boxes = _with(boxes, box)
        return boxes


def _with(boxes: list[Box], box: Box) -> list[Box]:
    """Boxes and one more; those that come near it become one with it."""
    while True:
        near = [other for other in boxes if _meet(other, box, APART)]
        if not near:
            return [*boxes, box]
        boxes = [other for other in boxes if other not in near]
        box = _around([box, *near])


def _around(boxes: Sequence[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _meet(a: Sequence[float], b: Sequence[float], room: float = 0) -> bool:
    return a[0] < b[2] + room and b[0] < a[2] + room and a[1] < b[3] + room and b[1] < a[3] + room


def _extent(item: Item) -> tuple[float, float, float, float]:
    """What an item may paint, generously: left, top, right, bottom."""
    if isinstance(item, Text):
        left, top, right, bottom = lettering.box(item)
        room = 0.25 * item.size
    elif isinstance(item, Rectangle | Picture):
        left, top, right, bottom = item.left, item.top, item.left + item.width, item.top + item.height
        room = item.thickness if isinstance(item, Rectangle) else 1.0
    elif isinstance(item, Circle):
        room = item.radius + item.thickness
        left, top, right, bottom = item.x, item.y, item.x, item.y
    else:
        left, top, right, bottom = bounds(item.points)
        room = 5 * item.thickness
    return left - room, top - room, right + room, bottom + room


def _palette(plain: Sequence[str], pages: Sequence[Image]) -> tuple[Image, bytes]:
    """The colours in use and the most frequent of their mixtures on some pages, as Pillow and as the file take them."""
    from PIL import Image

    counts: dict[tuple[int, ...], int] = {}
    for page in pages:
        for count, colour in page.getcolors(page.width * page.height) or ():
            assert isinstance(colour, tuple)
            counts[colour] = counts.get(colour, 0) + count
    kept: list[tuple[int, ...]] = []
    mixtures = sorted(counts, key=lambda colour: (-counts[colour], colour))
    for colour in (*map(palette.channels, plain), *mixtures):
        # Pillow looks for the nearest colour in steps of four levels: nearer ones would be taken for one another
        if all(sum([(a - b) ** 2 for a, b in zip(colour, other, strict=True)]) > NEAR**2 for other in kept):
            kept.append(colour)
        if len(kept) == COLOURS:
            break
    levels = [level for colour in kept for level in colour]
    found = Image.new("P", (1, 1))
    found.putpalette(levels + levels[:3] * (256 - len(kept)))  # none beside those kept
    return found, bytes(levels).ljust(3 * (COLOURS + 1), b"\0")


def _compressed(image: Image) -> bytes:
    """The pixels as GIF stores them: the size of the first code, blocks, and an empty block. Taken from a file of the
    image alone."""
    file = io.BytesIO()
    image.save(file, "GIF", interlace=False, optimize=False)
    data = file.getvalue()
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    while data[at] == 0x21:  # an extension
        at = _after_blocks(data, at + 2)
    at += 10 + (3 << (data[at + 9] & 7) + 1 if data[at + 9] & 0x80 else 0)
    return data[at : _after_blocks(data, at + 1)]


def _after_blocks(data: bytes, at: int) -> int:
    while data[at]:
        at += data[at] + 1
    return at + 1
