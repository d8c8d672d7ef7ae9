"""Numbers of tensors in files beside the model: `x.onnx.data`, as PyTorch's exporter writes by default."""

from __future__ import annotations

import mmap
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import NoReturn

from convcalc.errors import ModelError
from convcalc.formats.onnx.wire import WireFile, shown

# how a pointer of Git LFS starts, and its size at most
POINTER, MAX_POINTER = b"version https://git-lfs", 1024
PUT_THERE = (
    "put it into the model's folder ('git lfs pull', if it is in Git LFS), or give --weights FILE or random"
)


def external(
    file: WireFile, name: str, entries: list[tuple[int, int]], needed: int
) -> tuple[Callable[[], bytes | memoryview], str | None]:
    """How to read the tensor's bytes, and the missing file, if it is missing.

    entries: location (relative to the model's folder and within it), offset and length as texts. needed: the bytes of
    the tensor. Raises ModelError for a location outside the folder, or data that reach past the end of their file.
    """
    values = dict(file.pair(start, end) for start, end in entries)
    location = values.get("location", "")
    offset, length = _whole(file, name, values, "offset", 0), _whole(file, name, values, "length", needed)
    if length != needed:
        raise file.invalid(
            f"tensor {shown(name)} needs {needed:,} bytes and has {length:,} in {shown(location)}"
        )
    if location not in file.located:
        place = _place(file, name, location)
        file.located[location] = place, _size(file, place, name, location)
    place, size = file.located[location]
    if size is None:
        return partial(_missing, file, name, place), location
    if offset + length > size:
        raise ModelError(
            f"{place}: tensor {shown(name)} should end at byte {offset + length:,} of {size:,}: the file was cut short "
            "or belongs to another model",
            hint="download or export the model and this file again, together",
        )
    return partial(_read, file, name, place, offset, length), None


def _place(file: WireFile, name: str, location: str) -> str:
    """The path of the file with the data. A model may come from anywhere, so it may name files beside it only; if its
    path is a link, as in caches of downloads, also files beside what the link points to."""
    parts = location.replace("\\", "/").split("/")
    absolute = location.startswith(("/", "\\")) or location[1:2] == ":"
    if not location or absolute or ".." in parts or "\0" in location:
        _outside(file, name, location, "is not a path within the model's folder")
    folder = file.folder or "."
    target = os.path.dirname(os.path.realpath(file.path))  # where the model lies if its own path is a link
    place = os.path.join(file.folder, *parts)
    if not os.path.lexists(place) and os.path.realpath(folder) != target:
        place = os.path.join(target, *parts)
    if not any(_is_within(place, own) for own in (os.path.realpath(folder), target)):
        _outside(file, name, location, "is a link out of the model's folder")
    return place


def _is_within(path: str, folder: str) -> bool:
    """Whether a path, links followed, lies in a folder or below."""
    try:
        return os.path.commonpath([folder, os.path.realpath(path)]) == folder
    except ValueError:  # on another drive
        return False


def _outside(file: WireFile, name: str, location: str, why: str) -> NoReturn:
    raise ModelError(
        f"{file.path}: tensor {shown(name)} lies in {shown(location)}, which {why}",
        hint="keep the files of a model in one folder",
    )


def _whole(file: WireFile, name: str, values: dict[str, str], key: str, default: int) -> int:
    text = values.get(key, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise file.invalid(f"the {key} of tensor {shown(name)} is {shown(text)}")
    return int(text)


def _size(file: WireFile, place: str, name: str, location: str) -> int | None:
    """The file's size in bytes; None if there is no such file, or a pointer of Git LFS in its place."""
    try:
        found = os.stat(place)
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        _outside(file, name, location, "is not a regular file")
    if found.st_size < MAX_POINTER:
        with suppress(OSError), open(place, "rb") as opened:
            if opened.read(len(POINTER)) == POINTER:
                return None
    return found.st_size


def _missing(file: WireFile, name: str, place: str) -> bytes:
    raise ModelError(
        f"{file.path}: the file {shown(place)} is missing; it holds tensor {shown(name)}",
        hint=PUT_THERE,
    )


def _read(file: WireFile, name: str, place: str, offset: int, length: int) -> bytes | memoryview:
    if not length:
        return b""
    if place not in file.mapped:
        try:
            with open(place, "rb") as opened:
                file.mapped[place] = memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))
        except FileNotFoundError:
            _missing(file, name, place)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ModelError(f"{place}: cannot be read: {reason}", hint="check its rights") from None
    mapped = file.mapped[place]
    if offset + length > len(mapped):
        raise ModelError(f"{place}: the file became shorter while it was read", hint="try again")
    return mapped[offset : offset + length]
