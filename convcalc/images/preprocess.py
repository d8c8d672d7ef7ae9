"""Image files as network inputs: decoded, resized, cropped and normalised with Pillow.

There are two ways to fit a picture to a network:

* `stretch`: torchvision's `Resize`, `CenterCrop`, `ToTensor` and `Normalize`, bit for bit, so that
  weights trained with them see what they saw in training;
* `digit`: any drawing or photo of one digit, prepared like MNIST's digits (`convcalc.images.digits`).

Pillow is imported inside the functions so that commands without images do not wait for it.
"""

from __future__ import annotations

import os
import warnings
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import TYPE_CHECKING, Literal

from convcalc.errors import ImageError
from convcalc.images.decode import Decoded, decode, loaded, opaque

if TYPE_CHECKING:
    from PIL.Image import Image as Bitmap

MAX_PIXELS = 1 << 26  # pixels of a resized picture: 67 million, far beyond any network's input
# For digits, a picture with more pixels than the first is first reduced to at most the second.
MAX_DIGIT_PIXELS, REDUCED_DIGIT_PIXELS = 1 << 24, 1 << 22


@dataclass(frozen=True)
class Preprocess:
    """How a picture becomes a network's input; the fields of a spec's `preprocess`.

    resize: length of the shorter side in pixels; crop: side of the central square (padded with 0 if the picture is
    smaller); mean, std: per channel or a single number, for values 0…1. Without resize and crop, the picture is
    resized to exactly the input's height and width.
    """

    resize: int | None = None
    crop: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    mode: Literal["rgb", "grey"] = "rgb"
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bilinear"
    fit: Literal["stretch", "digit"] = "stretch"


@dataclass(frozen=True)
class Picture:
    """A network input: `values` of `shape` (C, H, W), row-major; `size`: the file's (width, height).

    note: decisions that the user may want to know, or "".
    """

    shape: tuple[int, ...]
    values: array[float]
    size: tuple[int, int]
    note: str = ""


def load(
    source: str | os.PathLike[str] | Bitmap, preprocess: Preprocess, input_shape: Sequence[int]
) -> Picture:
    """A picture, the path of its file or Pillow's, as values of `input_shape` (C, H, W): (pixel / 255 − mean) / std.

    If the input's size was overridden, resize and crop are scaled in proportion. Raises ImageError for an unusable
    file and for a network that does not take pictures.
    """
    channels, height, width = _picture_shape(input_shape)
    tables = _normalisation(preprocess, channels)
    image, size, notes = fitted(source, preprocess, input_shape)
    planes = [band.tobytes() for band in image.split()]
    values = array("f")
    for channel, table in enumerate(tables):
        values.frombytes(_level_table(planes[channel % len(planes)], table))
    return Picture((channels, height, width), values, size, "; ".join(notes))


def _level_table(plane: bytes, table: array[float]) -> bytearray:
    """The table's float for every level, as bytes: `bytes.translate` is fast."""
    size, entries = table.itemsize, table.tobytes()
    result = bytearray(size * len(plane))
    for place in range(size):
        result[place::size] = plane.translate(entries[place::size])
    return result


def fitted(
    source: str | os.PathLike[str] | Bitmap, preprocess: Preprocess, input_shape: Sequence[int]
) -> tuple[Bitmap, tuple[int, int], list[str]]:
    """A picture before normalisation: L or RGB at the input's width and height; with its own (width, height) and
    notes. Raises ImageError."""
    name = os.fspath(source) if isinstance(source, (str, os.PathLike)) else "the picture"
    shape = _picture_shape(input_shape)
    from PIL.Image import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns about odd metadata; real problems are ImageErrors
        try:
            return _fit(
                loaded(source) if isinstance(source, Image) else decode(name), preprocess, shape, name
            )
        except (MemoryError, ValueError) as error:
            raise ImageError(f"{name}: this picture could not be prepared: {error}") from None


def pixels(path: str | os.PathLike[str], longest: int | None = None) -> Picture:
    """The picture in `path` unchanged: (C, H, W) levels 0…255, one channel if it is grey, else three.

    longest: a longer side is scaled down to this. Raises ImageError for an unusable file.
    """
    from PIL import Image

    name = os.fspath(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        picture = decode(name)
        size, notes = picture.size, picture.notes
        try:
            if longest is not None and max(size) > longest:
                factor = max(
                    1, max(size) // (2 * longest)
                )  # a fast integer reduction does most of the scaling
                image = picture.reduced(factor, opaque)
                width, height = (max(1, round(side * longest / max(size))) for side in size)
                box = (0, 0, size[0] / factor, size[1] / factor)
                image = image.resize((width, height), Image.Resampling.BOX, box)
                notes = [*notes, f"scaled from {size[0]}×{size[1]} to {width}×{height}"]
            else:
                image = picture.reduced(1, opaque)
            values = array("f")
            for band in image.split():
                values.extend(band.tobytes())
        except (MemoryError, ValueError) as error:
            raise ImageError(f"{name}: this picture could not be prepared: {error}") from None
    return Picture((len(image.getbands()), image.height, image.width), values, size, "; ".join(notes))


def _fit(
    picture: Decoded, preprocess: Preprocess, shape: tuple[int, int, int], name: str
) -> tuple[Bitmap, tuple[int, int], list[str]]:
    channels, height, width = shape
    size, notes = picture.size, picture.notes
    if preprocess.fit == "digit":
        from convcalc.images.digits import digit_field

        pixels = size[0] * size[1]
        factor = ceil(sqrt(pixels / REDUCED_DIGIT_PIXELS)) if pixels > MAX_DIGIT_PIXELS else 1
        image = picture.reduced(factor, lambda strip: strip)
        del picture  # possibly hundreds of megabytes
        try:
            return _centre(digit_field(image, min(height, width)), height, width), size, notes
        except ImageError as error:
            reason = f"{name}: no digit found in this picture: {error.message}"
            raise ImageError(reason, hint=error.hint) from None
    mode = "L" if preprocess.mode == "grey" or channels == 1 else "RGB"
    image = _stretch(picture, lambda strip: opaque(strip).convert(mode), preprocess, height, width, name)
    return image, size, notes


def _picture_shape(shape: Sequence[int]) -> tuple[int, int, int]:
    text = "×".join(map(str, shape))
    if len(shape) != 3:
        dimensions = max(0, len(shape) - 1)
        raise ImageError(
            f"a picture has 2 spatial dimensions, but this network's input is {text}, with {dimensions}",
            hint="only networks on channels×height×width read images; arrays of any shape come as .npy, .npz or "
            ".safetensors",
        )
    if shape[0] not in (1, 3):
        raise ImageError(
            f"a picture gives 1 channel (grey) or 3 (red, green, blue), but this network's input {text} "
            f"has {shape[0]}",
            hint="only networks of 1 or 3 input channels read images; arrays of any shape come as .npy, .npz or "
            ".safetensors",
        )
    if min(shape) < 1 or shape[1] * shape[2] > MAX_PIXELS:
        raise ImageError(f"no picture can be made to fit an input of {text}", hint="check the input's size")
    return shape[0], shape[1], shape[2]


def _normalisation(preprocess: Preprocess, channels: int) -> list[array[float]]:
    """Per channel, the float32 value of each of the 256 levels, rounded after each operation as in torchvision."""
    given = {"mean": preprocess.mean or (0.0,), "std": preprocess.std or (1.0,)}
    for field, numbers in given.items():
        if len(numbers) not in (1, channels):
            raise ImageError(
                f"preprocess: {field} has {len(numbers)} values for {channels} channel(s)",
                hint=f"give one value per channel: {channels}",
            )
    if 0 in given["std"]:
        raise ImageError(
            "preprocess: std is 0, and values are divided by it", hint="leave std out, or give 1"
        )
    units = array("f", (level / 255 for level in range(256)))
    tables = []
    for channel in range(channels):
        mean, std = (array("f", numbers)[channel % len(numbers)] for numbers in given.values())
        centred = array("f", (value - mean for value in units))
        tables.append(array("f", (value / std for value in centred)))
    return tables


# --- stretch: torchvision's Resize and CenterCrop -----------------------------------------------------------


def _stretch(
    picture: Decoded,
    change: Callable[[Bitmap], Bitmap],
    preprocess: Preprocess,
    height: int,
    width: int,
    name: str,
) -> Bitmap:
    """The picture resized and cropped as the spec's `preprocess` says."""
    from PIL import Image

    resize, crop = preprocess.resize, preprocess.crop
    across, down = picture.size
    if resize is None and crop is None:
        size = (width, height)
    elif (height, width) == (crop, crop):
        size = _shorter_side(across, down, resize) if resize else picture.size
    else:  # the picture covers the input by as much as the resized picture covers the crop
        if resize is None:
            factor = max(height, width) / (crop or 1)
            size = (round(across * factor), round(down * factor))
        else:
            margin = resize / (crop or resize)
            high, wide = round(height * margin), round(width * margin)
            size = (wide, int(wide * down / across))
            if height * across >= width * down:
                size = (int(high * across / down), high)
    size = (max(1, size[0]), max(1, size[1]))
    if size[0] * max(size[1], down) > MAX_PIXELS:
        raise ImageError(
            f"{name}: resized for this network, the {across}×{down} image would be {size[0]}×{size[1]}",
            hint="cut it to the part that matters; it is too long and thin",
        )
    image = picture.resized(size, Image.Resampling[preprocess.interpolation.upper()], change)
    return _centre(image, height, width)


def _shorter_side(width: int, height: int, size: int) -> tuple[int, int]:
    if width <= height:
        return size, int(size * height / width)
    return int(size * width / height), size


def _centre(image: Bitmap, height: int, width: int) -> Bitmap:
    """The central height×width of the image, padded with 0 if it is smaller; odd margins are split as in
    torchvision."""
    from PIL import Image

    if (image.width, image.height) == (width, height):
        return image
    padded = (max(width, image.width), max(height, image.height))
    canvas = Image.new(image.mode, padded)
    canvas.paste(image, ((padded[0] - image.width) // 2, (padded[1] - image.height) // 2))
    left, top = round((padded[0] - width) / 2), round((padded[1] - height) / 2)
    return canvas.crop((left, top, left + width, top + height))
