"""Image files as the numbers a network reads: decoded, resized, cropped and normalised with Pillow.

Two ways to fit a picture to a network:

* `stretch`: torchvision's `Resize`, `CenterCrop`, `ToTensor` and `Normalize`, to the last bit, so that
  weights trained with them see what they saw in training;
* `digit`: any drawing or photo of one digit, prepared the way MNIST's digits were (`convcalc.images.digits`).

Pillow is imported inside the functions: commands that read no image do not wait for it.
"""

from __future__ import annotations

import os
import stat
import warnings
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from convcalc.errors import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image as Bitmap

MAX_PIXELS = 1 << 26  # of a resized picture: 67 million is far beyond any network's input


@dataclass(frozen=True)
class Preprocess:
    """How a picture becomes a network's input; the fields of a spec's `preprocess`.

    resize: pixels of the shorter side; crop: side of the square cut from the middle (padded with 0 where the
    picture is smaller); mean, std: per channel, or one for all, of values 0…1. With neither resize nor
    crop the picture is resized to exactly the input's height and width.
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
    """A network's input: `values` of `shape` (C, H, W), row-major; `size` is the file's (width, height).

    `note` says what was decided on the way and a user may want to know, or is empty.
    """

    shape: tuple[int, ...]
    values: array[float]
    size: tuple[int, int]
    note: str = ""


def load(path: str | os.PathLike[str], preprocess: Preprocess, input_shape: Sequence[int]) -> Picture:
    """The picture in `path` as values of `input_shape` (C, H, W): (pixel / 255 − mean) / std.

    When the input is not the size that resize and crop lead to (because it was overridden), both are scaled
    in proportion. ImageError for a file that cannot be used and for a network that takes no pictures.
    """
    channels, height, width = _picture_shape(input_shape)
    tables = _normalisation(preprocess, channels)
    image, size, notes = fitted(path, preprocess, input_shape)
    planes = [band.tobytes() for band in image.split()]
    values = array("f")
    for channel, table in enumerate(tables):
        values.frombytes(_looked_up(planes[channel % len(planes)], table))
    return Picture((channels, height, width), values, size, "; ".join(notes))


def _looked_up(plane: bytes, table: array[float]) -> bytearray:
    """The table's floats, in memory's form, for every level: byte by byte, as `translate` is quick."""
    size, entries = table.itemsize, table.tobytes()
    result = bytearray(size * len(plane))
    for place in range(size):
        result[place::size] = plane.translate(entries[place::size])
    return result


def fitted(
    path: str | os.PathLike[str], preprocess: Preprocess, input_shape: Sequence[int]
) -> tuple[Bitmap, tuple[int, int], list[str]]:
    """The picture in `path` as the network sees it, before its values are normalised: L or RGB, as wide and high
    as the input; with the file's own (width, height) and notes. Raises ImageError."""
    name = os.fspath(path)
    shape = _picture_shape(input_shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on odd metadata; what matters is an ImageError
        image, notes = _decode(name)
        try:
            return _fit(_simple(image), preprocess, shape, name), image.size, notes
        except (MemoryError, ValueError) as error:
            raise ImageError(f"{name}: this picture could not be prepared: {error}") from None


def pixels(path: str | os.PathLike[str], longest: int | None = None) -> Picture:
    """The picture in `path` as it is: (C, H, W) levels 0…255, one channel for a grey picture, else three.

    longest: a longer side is scaled down to so many pixels. ImageError for a file that cannot be used.
    """
    from PIL import Image

    name = os.fspath(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image, notes = _decode(name)
        size = image.size
        try:
            image = _opaque(_simple(image))
            if longest is not None and max(size) > longest:
                image.thumbnail((longest, longest), Image.Resampling.BOX)
                notes.append(f"scaled from {size[0]}×{size[1]} to {image.width}×{image.height}")
            values = array("f")
            for band in image.split():
                values.extend(band.tobytes())
        except (MemoryError, ValueError) as error:
            raise ImageError(f"{name}: this picture could not be prepared: {error}") from None
    return Picture((len(image.getbands()), image.height, image.width), values, size, "; ".join(notes))


def _fit(image: Bitmap, preprocess: Preprocess, shape: tuple[int, int, int], name: str) -> Bitmap:
    channels, height, width = shape
    if preprocess.fit == "digit":
        from convcalc.images.digits import digit_field

        try:
            return _centre(digit_field(image, min(height, width)), height, width)
        except ImageError as error:
            reason = f"{name}: no digit found in this picture: {error.message}"
            raise ImageError(reason, hint=error.hint) from None
    grey = preprocess.mode == "grey" or channels == 1
    return _stretch(_opaque(image).convert("L" if grey else "RGB"), preprocess, height, width, name)


def _picture_shape(shape: Sequence[int]) -> tuple[int, int, int]:
    text = "×".join(map(str, shape))
    if len(shape) != 3:
        dimensions = max(0, len(shape) - 1)
        raise ImageError(
            f"a picture has 2 spatial dimensions, but this network's input is {text}, with {dimensions}",
            hint="only networks on channels×height×width read images",
        )
    if shape[0] not in (1, 3):
        raise ImageError(
            f"a picture gives 1 channel (grey) or 3 (red, green, blue), but this network's input {text} "
            f"has {shape[0]}",
            hint="only networks of 1 or 3 input channels read images",
        )
    if min(shape) < 1 or shape[1] * shape[2] > MAX_PIXELS:
        raise ImageError(f"no picture can be made to fit an input of {text}", hint="check the input's size")
    return shape[0], shape[1], shape[2]


def _normalisation(preprocess: Preprocess, channels: int) -> list[array[float]]:
    """Per channel, the float32 value of each of the 256 levels, rounded at each step as torchvision does."""
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


# --- reading ------------------------------------------------------------------------------------------------


def _decode(name: str) -> tuple[Bitmap, list[str]]:
    """The first frame of the file, turned upright, with notes; every way to fail is an ImageError."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        mode = os.stat(name).st_mode
    except FileNotFoundError:
        raise ImageError(f"{name}: there is no such file", hint="check the image's path") from None
    except (OSError, ValueError) as error:
        raise ImageError(f"{name!r} cannot be opened: {getattr(error, 'strerror', error)}") from None
    if not stat.S_ISREG(mode):
        kind = "a directory" if stat.S_ISDIR(mode) else "not a regular file"
        raise ImageError(f"{name}: this is {kind}; one image file is needed")
    if os.path.getsize(name) == 0:
        raise ImageError(f"{name}: the file is empty", hint="export or download the image again")
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        image = Image.open(name)
    except UnidentifiedImageError:
        raise ImageError(f"{name}: this is not an image Pillow can read", hint="give a PNG or JPEG") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise _too_large(name) from None
    except PermissionError as error:
        raise ImageError(f"{name} cannot be opened: {error.strerror}", hint="check its permissions") from None
    except Exception as error:  # decoders meet damaged headers with whatever they happen to trip over
        raise _damaged(name, error) from None
    with image:
        notes = []
        try:
            if getattr(image, "is_animated", False):
                notes.append(f"the first of {getattr(image, 'n_frames', 'several')} frames is used")
            image.load()
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise _too_large(name) from None
        except Exception as error:
            raise _damaged(name, error) from None
        if 0 in image.size:
            raise ImageError(f"{name}: the image has no pixels ({image.width}×{image.height})")
        try:
            return ImageOps.exif_transpose(image) or image, notes
        except Exception:  # unreadable EXIF data turn no picture
            return image.copy(), notes


def _too_large(name: str) -> ImageError:
    from PIL import Image

    return ImageError(
        f"{name}: the image has more than {Image.MAX_IMAGE_PIXELS or 0:,} pixels",
        hint="scale it down first; no network reads that many",
    )


def _damaged(name: str, error: Exception) -> ImageError:
    said = " ".join(str(error).split())[:200] or type(error).__name__
    return ImageError(
        f"{name}: the image is damaged or cut short: {said}", hint="export or download it again"
    )


def _simple(image: Bitmap) -> Bitmap:
    """The image in L, RGB or RGBA; deeper greys keep their upper 8 bits."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        data = image.tobytes()
        return Image.frombytes("L", image.size, data[0::2] if image.mode.endswith("B") else data[1::2])
    if image.mode in ("I", "F"):
        top = max(float(level) for level in image.getextrema() if isinstance(level, (int, float)))
        white = next((white for white in (1, 255, 65535) if top <= white), top)
        if image.mode == "I":
            white = max(white, 255)
        return image.convert("F").point(lambda level: level * (255 / white) + 0).convert("L")
    if image.mode in ("LA", "PA", "La", "RGBA", "RGBa") or "transparency" in image.info:
        return image.convert("RGBA")
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


def _opaque(image: Bitmap) -> Bitmap:
    """The image laid on white, if any of it is transparent."""
    from PIL import Image

    if image.mode != "RGBA":
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


# --- stretch: torchvision's Resize and CenterCrop -----------------------------------------------------------


def _stretch(image: Bitmap, preprocess: Preprocess, height: int, width: int, name: str) -> Bitmap:
    from PIL import Image

    resize, crop = preprocess.resize, preprocess.crop
    across, down = image.size
    if resize is None and crop is None:
        size = (width, height)
    elif (height, width) == (crop, crop):
        size = _shorter_side(across, down, resize) if resize else image.size
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
    if size[0] * size[1] > MAX_PIXELS:
        raise ImageError(
            f"{name}: resized for this network, the {across}×{down} image would be {size[0]}×{size[1]}",
            hint="cut it to the part that matters; it is too long and thin",
        )
    if size != image.size:
        image = image.resize(size, Image.Resampling[preprocess.interpolation.upper()])
    return _centre(image, height, width)


def _shorter_side(width: int, height: int, size: int) -> tuple[int, int]:
    if width <= height:
        return size, int(size * height / width)
    return int(size * width / height), size


def _centre(image: Bitmap, height: int, width: int) -> Bitmap:
    """The middle height×width of the image, 0 where it is smaller; odd pixels as torchvision has them."""
    from PIL import Image

    if (image.width, image.height) == (width, height):
        return image
    padded = (max(width, image.width), max(height, image.height))
    canvas = Image.new(image.mode, padded)
    canvas.paste(image, ((padded[0] - image.width) // 2, (padded[1] - image.height) // 2))
    left, top = round((padded[0] - width) / 2), round((padded[1] - height) / 2)
    return canvas.crop((left, top, left + width, top + height))
