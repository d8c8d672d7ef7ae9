"""Decoding of image files with Pillow: supported formats, their memory cost, EXIF orientation, and processing in
strips.

Only the decoder holds the whole picture. Everything after it works on strips of rows, so that a picture of 88
million pixels, 353 MB decoded, needs hardly more memory than that.
"""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from convcalc.errors import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image as Bitmap
    from PIL.Image import Transpose


class ImageFormat(NamedTuple):
    """An image format. suffixes: of its file names; cost: peak bytes per pixel while Pillow decodes it, measured
    with Pillow 13 on 9400×9400 pixels and rounded up."""

    suffixes: tuple[str, ...]
    cost: int


# By Pillow's names. No others are allowed: decoding EPS would start Ghostscript.
FORMATS = {
    "PNG": ImageFormat((".png",), 4),
    "JPEG": ImageFormat((".jpg", ".jpeg"), 4),
    "GIF": ImageFormat((".gif",), 4),
    "BMP": ImageFormat((".bmp",), 4),
    "PPM": ImageFormat((".ppm", ".pgm", ".pbm", ".pnm"), 4),
    "WEBP": ImageFormat((".webp",), 16),
    "TIFF": ImageFormat((".tif", ".tiff"), 4),
    "AVIF": ImageFormat((".avif",), 10),
    "JPEG2000": ImageFormat((".jp2",), 20),
}
SUFFIXES = tuple(suffix for kind in FORMATS.values() for suffix in kind.suffixes)
UNDERSTOOD = "PNG, JPEG, GIF, BMP, PPM, WebP, TIFF, AVIF and JPEG 2000"

MAX_DECODER_BYTES = 1 << 29
MAX_COUNTED_BYTES = 1 << 18  # frames of larger files are not counted, because each has to be searched for
STRIP_PIXELS = 1 << 18

ORIENTATION = 0x0112  # EXIF tag


class Decoded:
    """A decoded picture, turned upright. size: (width, height); notes: decisions to tell the user about."""

    def __init__(self, image: Bitmap, notes: list[str]) -> None:
        self.notes = notes
        self._image = image
        self._turn = _turn(image)
        self.size: tuple[int, int] = image.size
        if self._turn is not None and self._turn.name in _SIDEWAYS:
            self.size = (image.height, image.width)
        self._white = _white(image)

    def strip(self, top: int, bottom: int) -> Bitmap:
        """Rows top to bottom − 1 as L, RGB or RGBA; 16-bit greys keep their upper 8 bits."""
        turn = self._turn
        if turn is None:
            return _simple(self._image.crop((0, top, self.size[0], bottom)), self._white)
        width, height = self._image.size
        if turn.name in _SIDEWAYS:
            left, right = (width - bottom, width - top) if turn.name in _FROM_THE_END else (top, bottom)
            part = self._image.crop((left, 0, right, height))
        else:
            upper, lower = (height - bottom, height - top) if turn.name in _FROM_THE_END else (top, bottom)
            part = self._image.crop((0, upper, width, lower))
        return _simple(part.transpose(turn), self._white)

    def strips(self, multiple: int = 1) -> Iterator[tuple[int, Bitmap]]:
        """The picture from top to bottom: each strip's first row, and the strip. Its height is a multiple of
        `multiple` rows."""
        width, height = self.size
        rows = max(1, STRIP_PIXELS // (width * multiple)) * multiple
        for top in range(0, height, rows):
            yield top, self.strip(top, min(height, top + rows))

    def reduced(self, factor: int, change: Callable[[Bitmap], Bitmap]) -> Bitmap:
        """The picture after `change`, reduced: one pixel, the mean, per factor × factor pixels."""
        size = (-(-self.size[0] // factor), -(-self.size[1] // factor))
        strips = ((top // factor, change(strip).reduce(factor)) for top, strip in self.strips(factor))
        return self._joined(size, strips)

    def resized(self, size: tuple[int, int], resampling: int, change: Callable[[Bitmap], Bitmap]) -> Bitmap:
        """`change(picture).resize(size, resampling)`, bit for bit: Pillow too scales the width first."""
        if size == self.size:
            return self.reduced(1, change)
        between = (size[0], self.size[1])
        strips = (
            (top, change(strip).resize((size[0], strip.height), resampling)) for top, strip in self.strips()
        )
        return self._joined(between, strips).resize(size, resampling)

    def _joined(self, size: tuple[int, int], strips: Iterator[tuple[int, Bitmap]]) -> Bitmap:
        from PIL import Image

        image: Bitmap | None = None
        for top, strip in strips:
            image = image or Image.new(strip.mode, size)
            image.paste(strip, (0, top))
        assert image is not None
        return image


_SIDEWAYS = ("TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90")
# those whose first row is the file's last row or column
_FROM_THE_END = ("ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSVERSE", "ROTATE_90")
_TURNS = (
    "FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90",
)  # fmt: skip


def _turn(image: Bitmap) -> Transpose | None:
    """The transposition for EXIF orientations 2 to 8."""
    from PIL import Image

    try:
        orientation = image.getexif().get(ORIENTATION, 1)
    except Exception:  # unreadable EXIF data are ignored
        return None
    return Image.Transpose[_TURNS[orientation - 2]] if orientation in range(2, 9) else None


def decode(name: str) -> Decoded:
    """The first frame of the file. All failures are ImageErrors."""
    from PIL import Image, UnidentifiedImageError

    try:
        found = os.stat(name)
    except FileNotFoundError:
        raise ImageError(f"{name}: there is no such file", hint="check the image's path") from None
    except (OSError, ValueError) as error:
        raise ImageError(f"{name!r} cannot be opened: {getattr(error, 'strerror', error)}") from None
    if not stat.S_ISREG(found.st_mode):
        kind = "a directory" if stat.S_ISDIR(found.st_mode) else "not a regular file"
        raise ImageError(f"{name}: this is {kind}; one image file is needed")
    if found.st_size == 0:
        raise ImageError(f"{name}: the file is empty", hint="export or download the image again")
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        Image.preinit()  # since Pillow 13 `open` knows the format of the suffix alone, and loads all for the next one
        image = Image.open(name, formats=tuple(FORMATS))
    except (UnidentifiedImageError, KeyError):  # KeyError: this Pillow was built without the format
        raise ImageError(
            f"{name}: this is not an image that can be read", hint=f"understood are {UNDERSTOOD}"
        ) from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise _too_large(name, Image.MAX_IMAGE_PIXELS or 0) from None
    except PermissionError as error:
        raise ImageError(f"{name} cannot be opened: {error.strerror}", hint="check its permissions") from None
    except Exception as error:  # decoders raise all kinds of exceptions for damaged headers
        raise _damaged(name, error) from None
    with image:
        try:
            most = MAX_DECODER_BYTES // _cost(image)
            if image.width * image.height > most:
                kind = "a progressive JPEG" if image.info.get("progressive") else str(image.format)
                raise _too_large(name, most, kind)
            notes = [f"the first of {_frames(image, found.st_size)} frames is used"] * _has_frames(image)
            image.load()
        except ImageError:
            raise
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise _too_large(name, Image.MAX_IMAGE_PIXELS or 0) from None
        except Exception as error:
            raise _damaged(name, error) from None
        if 0 in image.size:
            raise ImageError(f"{name}: the image has no pixels ({image.width}×{image.height})")
        return Decoded(image, notes)


def loaded(image: Bitmap) -> Decoded:
    """A picture of Pillow's, turned upright as its file says. Raises ImageError for one that cannot be read."""
    try:
        image.load()
    except Exception as error:
        raise _damaged("the picture", error) from None
    if 0 in image.size:
        raise ImageError(f"the image has no pixels ({image.width}×{image.height})")
    return Decoded(image, [])


def _has_frames(image: Bitmap) -> bool:
    return bool(getattr(image, "is_animated", False))


def _frames(image: Bitmap, size: int) -> str:
    """The number of frames, if the header states it or they can be counted quickly."""
    counted = "n_frames" in vars(image) or size <= MAX_COUNTED_BYTES
    return str(getattr(image, "n_frames", "several")) if counted else "several"


def _cost(image: Bitmap) -> int:
    """Bytes per pixel while the file is decoded."""
    cost = FORMATS[image.format].cost if image.format in FORMATS else 4
    if image.info.get(
        "progressive"
    ):  # a progressive JPEG keeps all coefficients, 2 bytes each, until the end
        cost += 2 * len(image.getbands())
    if image.format == "TIFF" and image.info.get("compression", "raw") != "raw":
        rows = getattr(image, "tag_v2", {}).get(
            278, image.height
        )  # RowsPerStrip: a strip is expanded as a whole
        if isinstance(rows, int) and rows > image.height // 8:
            cost += 4
    return cost


def _too_large(name: str, most: int, kind: str | None = None) -> ImageError:
    limit = f"more than {most:,} pixels" + (f", the most that are read from {kind}" if kind else "")
    return ImageError(
        f"{name}: the image has {limit}", hint="scale it down first; no network reads that many"
    )


def _damaged(name: str, error: Exception) -> ImageError:
    said = " ".join(str(error).split())[:200] or type(error).__name__
    return ImageError(
        f"{name}: the image is damaged or cut short: {said}", hint="export or download it again"
    )


def _white(image: Bitmap) -> float:
    """The level of white in a picture of integers or floats: the least of 1, 255 and 65,535 that no level exceeds."""
    if image.mode not in ("I", "F"):
        return 255.0
    top = max(float(level) for level in image.getextrema() if isinstance(level, (int, float)))
    white = next((white for white in (1.0, 255.0, 65535.0) if top <= white), top)
    return max(white, 255.0) if image.mode == "I" else white


def _simple(image: Bitmap, white: float) -> Bitmap:
    from PIL import Image

    if image.mode.startswith("I;16"):
        data = image.tobytes()
        return Image.frombytes("L", image.size, data[0::2] if image.mode.endswith("B") else data[1::2])
    if image.mode in ("I", "F"):
        return image.convert("F").point(lambda level: level * (255 / white) + 0).convert("L")
    if image.mode in ("LA", "PA", "La", "RGBA", "RGBa") or "transparency" in image.info:
        return image.convert("RGBA")
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


def opaque(image: Bitmap) -> Bitmap:
    """The image laid on white if any of it is transparent."""
    from PIL import Image

    if image.mode != "RGBA":
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
