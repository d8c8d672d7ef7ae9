"""Values of PyTorch as plain data."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping
from typing import Any

from convcalc.shapes import Shape

DTYPES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "bool": "BOOL", "int64": "I64",
    "int32": "I32", "int16": "I16", "int8": "I8", "uint8": "U8",
}  # fmt: skip


def batch_share(shape: Shape, batch: int) -> Shape:
    """A shape for a batch of one image."""
    return tuple(size // batch if size and not size % batch else size for size in shape)


def tensor_bytes(tensor: Any, dtype: str) -> memoryview:
    """The tensor's numbers as bytes, without NumPy."""
    import torch

    flat = tensor.detach().cpu().contiguous()
    if dtype == "F32" and flat.dtype != torch.float32:
        flat = flat.real.float() if flat.is_complex() else flat.float()
    count = flat.numel() * flat.element_size()
    if not count:
        return memoryview(b"")
    if sys.byteorder == "big":  # pragma: no cover
        import numpy

        return memoryview(numpy.asarray(flat).astype(flat.numpy().dtype.newbyteorder("<")).tobytes())
    return memoryview(ctypes.string_at(flat.data_ptr(), count))


def node_shapes(node: Any) -> tuple[Shape | None, ...]:
    """The shapes of a node's results; None for one that is no tensor."""
    value = node.meta.get("val")
    values = value if isinstance(value, (list, tuple)) else [value]
    return tuple(tuple(item.shape) if hasattr(item, "shape") else None for item in values)


def labelled(tree: Any, label: str | None = None) -> list[tuple[str | None, int]]:
    """The leaves of the outputs' structure with names from the keys of mappings."""
    if isinstance(tree, Mapping):
        return [
            leaf
            for key, item in tree.items()
            for leaf in labelled(item, str(key) if label is None else f"{label}_{key}")
        ]
    if hasattr(tree, "_asdict"):
        return labelled(tree._asdict(), label)
    if isinstance(tree, (list, tuple)):
        return [
            leaf
            for place, item in enumerate(tree)
            for leaf in labelled(item, None if label is None else f"{label}_{place}")
        ]
    return [] if tree is None or not isinstance(tree, int) else [(label, tree)]
