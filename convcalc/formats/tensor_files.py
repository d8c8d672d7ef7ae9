"""Weights alone as .safetensors or .npz, written tensor by tensor."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from io import RawIOBase

from convcalc.formats.convert import NewFile, Request, Written, tensor_bytes
from convcalc.weights.npz import npy
from convcalc.weights.tensors import StoredTensor

# NumPy's name of each type; bfloat16, which NumPy lacks, is widened to float32.
_KINDS = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<f4", "BOOL": "|b1",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1",
}  # fmt: skip


def write(request: Request) -> Written:
    """The file with the request's weights."""
    assert request.tensors is not None
    return Written((weights_file(request.target, request.tensors),), request.origin)


def weights_file(path: str, tensors: Mapping[str, StoredTensor]) -> NewFile:
    """A file of weights, .npz or .safetensors by its suffix. Types stay as they are, but for bfloat16 in an .npz."""
    size = sum(map(tensor_bytes, tensors.values()))
    holds = f"weights, {len(tensors):,} tensor{'s' * (len(tensors) != 1)}"
    parts = _npz if path.lower().endswith(".npz") else _safetensors
    return NewFile(path, lambda: parts(tensors), holds, size)


def _safetensors(tensors: Mapping[str, StoredTensor]) -> Iterator[bytes]:
    header: dict[str, object] = {}
    reached = 0
    for key, tensor in tensors.items():
        end = reached + tensor_bytes(tensor)
        header[key] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [reached, end]}
        reached = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little") + text
    for tensor in tensors.values():
        yield bytes(tensor.read())


class _Collector(RawIOBase):
    """Takes what a zip is written in, to be handed on part by part."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        part = bytes(data)  # type: ignore[call-overload]
        self.parts.append(part)
        return len(part)

    def taken(self) -> Iterable[bytes]:
        """The parts written since the last call."""
        parts, self.parts = self.parts, []
        return parts


def _npz(tensors: Mapping[str, StoredTensor]) -> Iterator[bytes]:
    out = _Collector()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for key, tensor in tensors.items():
            archive.writestr(zipfile.ZipInfo(f"{key}.npy"), _npy(tensor))
            yield from out.taken()
    yield from out.taken()


def _npy(tensor: StoredTensor) -> bytes:
    from array import array

    if tensor.dtype == "BF16":
        return npy(tensor.shape, "<f4", array("f", tensor.values()))
    head = npy(tensor.shape, _KINDS[tensor.dtype], array("B"))
    return head + bytes(tensor.read())
