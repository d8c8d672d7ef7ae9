"""Numbers as pictures: grey levels 0…255, scaling for display, and PNG files encoded by Pillow."""

from __future__ import annotations

import io
from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple

from convcalc.ops import Tensor

TONES = ("clip", "magnitude", "stretch")


class Raster(NamedTuple):
    """A picture with 1 plane (grey) or 3 (red, green, blue), each of `width·height` levels, row-major."""

    width: int
    height: int
    planes: tuple[bytes, ...]


def rasters(tensor: Tensor, tone: str, *, colour: bool) -> list[Raster]:
    """The maps of `(C, H, W)` as pictures: a colour picture of three channels if `colour`, else one grey picture
    per map.

    tone: clip limits values to 0…255; magnitude takes absolute values first; stretch maps the range to black and
    white.
    """
    channels, height, width = tensor.shape
    levels = _levels(tensor.values, tone)
    size = height * width
    planes = [levels[index * size : (index + 1) * size] for index in range(channels)]
    if colour and channels == 3:
        return [Raster(width, height, tuple(planes))]
    return [Raster(width, height, (plane,)) for plane in planes]


def _levels(values: Sequence[float], tone: str) -> bytes:
    if tone == "stretch":
        finite = [value for value in values if isfinite(value)]
        low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
        scale = 255 / (high - low) if high > low else 0.0
        return bytes(_level((value - low) * scale) for value in values)
    if tone == "magnitude":
        return bytes(_level(abs(value)) for value in values)
    return bytes(map(_level, values))


def _level(value: float) -> int:
    return 0 if not value > 0 else 255 if value >= 255 else int(value + 0.5)


def beside(pictures: Sequence[Raster], gap: int = 4) -> Raster:
    """Pictures of equal size in a row, separated by white."""
    if len(pictures) == 1:
        return pictures[0]
    height = pictures[0].height
    blank = b"\xff" * gap
    planes = []
    for plane in range(max(len(picture.planes) for picture in pictures)):
        rows = []
        for row in range(height):
            parts = [
                picture.planes[min(plane, len(picture.planes) - 1)][
                    row * picture.width : (row + 1) * picture.width
                ]
                for picture in pictures
            ]
            rows.append(blank.join(parts))
        planes.append(b"".join(rows))
    return Raster(
        sum(picture.width for picture in pictures) + gap * (len(pictures) - 1), height, tuple(planes)
    )


def png(picture: Raster) -> bytes:
    """The picture as a PNG file."""
    out = io.BytesIO()
    _image(picture).save(out, "PNG")
    return out.getvalue()


def scaled(picture: Raster, width: int, height: int) -> Raster:
    """The picture reduced to fit a box of pixels, never enlarged."""
    factor = min(width / picture.width, height / picture.height, 1)
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    from PIL import Image

    image = _image(picture).resize(size, Image.Resampling.BOX)
    return Raster(size[0], size[1], tuple(band.tobytes() for band in image.split()))


def _image(picture: Raster):  # type: ignore[no-untyped-def]  # Pillow is not imported at the top
    from PIL import Image

    size = (picture.width, picture.height)
    bands = [Image.frombytes("L", size, plane) for plane in picture.planes]
    return bands[0] if len(bands) == 1 else Image.merge("RGB", bands)
