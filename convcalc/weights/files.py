"""Weights files of any kind.

`open_weights` recognises a file by its first bytes, never by its name; `READERS` is the table. A reader validates
all of a file's metadata before it returns: the cost of a damaged or hostile file is bounded by its size on disk.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from convcalc.errors import WeightsError
from convcalc.weights.checkpoint import Fit
from convcalc.weights.tensors import StoredTensor, Tensors

UNDERSTOOD = "safetensors (.safetensors), NumPy (.npz) and PyTorch (.pth, .pt)"
TORCH_MAGIC = (
    b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"  # pickled, the magic number before version 1.6
)


def open_weights(path: str | os.PathLike[str], fit: Fit | None = None) -> Tensors:
    """The tensors of a weights file by name, in file order. Raises WeightsError for a damaged file.

    fit: returns how many of a network's parameters some keys name, to find its weights in a checkpoint. Values are
    read later from the open file: replacing the file meanwhile is harmless, truncating it is not.
    """
    name = os.fspath(path)
    try:
        mode = os.stat(name).st_mode
        if not stat.S_ISREG(mode):
            kind = "a directory" if stat.S_ISDIR(mode) else "not a regular file"
            raise WeightsError(f"{name}: this is {kind}; a weights file is needed", hint=_understood())
        with open(name, "rb") as file:
            start, size = file.read(256), os.fstat(file.fileno()).st_size
        if not size:
            raise WeightsError(f"{name}: the file is empty", hint="download or save it again")
        for fits, reader in READERS:
            if fits(start):
                tensors = reader(name, fit)
                return tensors if isinstance(tensors, Tensors) else Tensors(tensors)
    except FileNotFoundError:
        raise WeightsError(f"{name}: there is no such file", hint="check the path of the weights") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WeightsError(
            f"{name!r} cannot be read: {reason}", hint="check the path and its rights"
        ) from None
    raise WeightsError(f"{name}: this is not a weights file of a known kind", hint=_understood())


def _understood() -> str:
    return f"understood are {UNDERSTOOD}"


def _safetensors(path: str, _: Fit | None) -> dict[str, StoredTensor]:
    from convcalc.weights.safetensors import read

    return read(path)


def _npz(path: str, _: Fit | None) -> dict[str, StoredTensor]:
    from convcalc.weights.npz import read

    return read(path)


def _pth(path: str, fit: Fit | None) -> Tensors:
    from convcalc.weights.pth import read

    return read(path, fit)


def _legacy_pth(path: str, fit: Fit | None) -> Tensors:
    from convcalc.weights.pth import read_legacy

    return read_legacy(path, fit)


def _torch_zip(start: bytes) -> bool:
    """Whether a zip's first member lies in a folder and is not a NumPy array: PyTorch puts all members into one
    folder."""
    name = start[30 : 30 + int.from_bytes(start[26:28], "little")]
    return start[:4] == b"PK\x03\x04" and b"/" in name and not name.endswith(b".npy")


# The first reader whose test accepts the file's first 256 bytes, which include the name of a zip's first member.
READERS: tuple[tuple[Callable[[bytes], bool], Callable[[str, Fit | None], dict[str, StoredTensor]]], ...] = (
    (_torch_zip, _pth),
    (lambda start: TORCH_MAGIC in start[2:32], _legacy_pth),
    (lambda start: start[:4] in (b"PK\x03\x04", b"PK\x05\x06"), _npz),
    (lambda start: start[8:9] == b"{", _safetensors),
)
