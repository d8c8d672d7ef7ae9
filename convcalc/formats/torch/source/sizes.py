"""Sizes of outputs in source: `4 * width` channels, where the shape rules give numbers for one use alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from convcalc.formats.torch.source.symbols import product_of, replaced, sum_of
from convcalc.graph import Node
from convcalc.ops import axis_dimensions

# For each dimension its source, or None where only the numbers of each use are known.
Sizes = tuple[str | None, ...]


def literal(size: str | None) -> bool:
    """Whether a size is a number."""
    return size is not None and size.isdecimal()


def output_sizes(node: Node, inputs: Sequence[Sizes], fields: Mapping[str, str]) -> Sizes:
    """The sizes of a layer's output. node: one of its uses; fields: sources of fields that parameters set."""
    op, output = node.op, node.output_shape
    unknown: Sizes = (None,) * len(output)
    if not inputs:
        return unknown
    first = inputs[0]
    kind = node.kind
    if kind in ("conv", "deconv"):
        filters = fields.get("filters")
        if filters is None and getattr(op, "depthwise", False) and output[0] == node.input_shapes[0][0]:
            filters = first[0]
        return (filters or str(output[0]), *unknown[1:])
    if kind == "dense":
        return (*first[:-1], fields.get("units", str(output[-1])))
    if kind == "concat":
        place = axis_dimensions(op.shown_fields()["axis"], len(output))[0]
        parts = [sizes[place] for sizes in inputs]
        joined = None if None in parts else sum_of([part for part in parts if part is not None])
        return (*first[:place], joined, *first[place + 1 :])
    if kind in ("slice", "select"):
        place = axis_dimensions(op.shown_fields()["axis"], len(output))[0]
        return (*first[:place], _taken(node, first[place], fields, place), *first[place + 1 :])
    if kind == "transpose":
        return tuple([first[dimension] for dimension in op.shown_fields()["order"]])
    if kind == "reshape" and "shape" in fields:
        return tuple([replaced(f"{fields['shape']}[{place}]", {}) for place in range(len(output))])
    if kind == "flatten":
        return (flattened(node, first),)
    if kind in ("global_avgpool", "global_maxpool"):
        return (first[0], *["1"] * (len(output) - 1))
    if kind in ("maxpool", "avgpool", "adaptive_avgpool", "adaptive_maxpool", "upsample", "crop"):
        return (first[0], *unknown[1:])
    if kind == "pixel_shuffle" and first[0] is not None and "factor" not in fields:
        return (
            replaced(f"({first[0]}) // {node.input_shapes[0][0] // output[0]}", {}),
            *unknown[1:],
        )
    if op.role == "join" and kind != "matmul":
        return tuple([_broadcast(node, inputs, dimension) for dimension in range(len(output))])
    if output == node.input_shapes[0] and (op.pointwise or kind in ("attention", "channel_shuffle", "roll")):
        return first
    return unknown


def flattened(node: Node, sizes: Sizes) -> str | None:
    """The size of a flattened map: a product, in which sizes of 1 are left out."""
    texts = ["1" if size == 1 else text for size, text in zip(node.input_shapes[0], sizes, strict=True)]
    if None in texts:
        return None
    return product_of([text for text in texts if text is not None])


def _taken(node: Node, size: str | None, fields: Mapping[str, str], place: int) -> str | None:
    """How many of a dimension's indices a slice keeps."""
    shown = node.op.shown_fields()
    if node.kind == "select":
        return None if "indices" in fields else str(node.output_shape[place])
    if not fields.keys() & {"start", "stop", "step"} and literal(size):
        return str(node.output_shape[place])
    if shown["step"] != 1 or "step" in fields:
        return None
    start = fields.get("start", str(shown["start"] or 0))
    whole = shown["stop"] in (None, node.input_shapes[0][place]) and "stop" not in fields
    stop = size if whole else fields.get("stop", str(shown["stop"]))
    return None if stop is None else replaced(f"({stop}) - ({start})", {})


def _broadcast(node: Node, inputs: Sequence[Sizes], dimension: int) -> str | None:
    """The size of a dimension of an element-wise join: that of an input which is not broadcast."""
    for shape, sizes in zip(node.input_shapes, inputs, strict=True):
        if shape[dimension] == node.output_shape[dimension] and sizes[dimension] is not None:
            return sizes[dimension]
    return None
