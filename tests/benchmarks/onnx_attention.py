"""Attention in the operators of ONNX, as PyTorch exports torchvision's: matrix products and a softmax."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from convcalc.graph import Node

if TYPE_CHECKING:
    from onnx_export import Exporter


def add_attention(to: Exporter, node: Node, inputs: list[str], out: str) -> None:
    """`attention` on (…, C); with a window, rolled and cut as Swin does it."""
    op: Any = node.op
    assert op.axis == "last"
    shape = node.input_shapes[0]
    features = shape[-1]
    axes = op.window_axes(shape)
    windows = _Windows(to, axes, features, out)
    cut = op.window is not None
    count, places = windows.count if cut else 1, windows.places
    x = windows.cut(inputs[0]) if cut else to.reshape(inputs[0], (1, places, features), f"{out}.x")
    bias = "in_proj_bias" if op.in_bias else None
    by_head = (count, places, op.heads, features // op.heads)  # four axes, since ncnn has no more
    parts = []
    for place, scale in enumerate((1 / sqrt(features // op.heads), 1, 1)):
        rows = slice(place * features, (place + 1) * features)
        projected = to.dense(node, x, "in_proj_weight", bias, f"{out}.i{place}", scale, rows)
        split = to.reshape(projected, by_head, f"{out}.s{place}")
        parts.append(to.op("Transpose", [split], f"{out}.{place}", perm=[0, 2, 1, 3]))
    q, k, v = parts
    keys = to.op("Transpose", [k], f"{out}.k", perm=[0, 1, 3, 2])
    scores = to.op("MatMul", [q, keys], f"{out}.qk")
    for name, place in op.named_inputs(node.input_shapes).items():
        added = inputs[place]  # (1, heads, N, N), or a mask (1, N, N) or (1, windows, N, N)
        if name == "mask" and len(node.input_shapes[place]) == 3:
            added = to.op("Transpose", [added], f"{out}.{name}t", perm=[1, 0, 2, 3])
        scores = to.op("Add", [scores, added], f"{out}.{name}")
    if op.masks_itself(shape):
        scores = to.op("Add", [scores, to.constant(f"{out}.apart", _apart(op.tiles(shape)))], f"{out}.a")
    shares = to.op("Softmax", [scores], f"{out}.f", axis=-1)
    mixed = to.op("Transpose", [to.op("MatMul", [shares, v], f"{out}.v")], f"{out}.t", perm=[0, 2, 1, 3])
    joined = to.reshape(mixed, (count, places, features), f"{out}.j")
    result = to.dense(node, joined, "out_proj.weight", "out_proj.bias" if op.out_bias else None, f"{out}.o")
    if cut:
        result = windows.join(result)
    to.reshape(result, (1, *shape), out)


def _apart(tiles: Any) -> Any:
    wrapped = [[slot.wrapped for slot in tile] for tile in tiles]
    return np.array(
        [[[[0 if a == b else -100 for b in tile] for a in tile]] for tile in wrapped], np.float32
    )  # (windows, 1, N, N), as Swin's code has it


class _Windows:
    """(1, *positions, C) to (windows, places, C) and back."""

    def __init__(self, to: Exporter, axes: Any, features: int, out: str) -> None:
        self._to, self._axes, self._features, self._out = to, axes, features, out
        self.count = self.places = 1
        for axis in axes:
            self.count *= axis.windows
            self.places *= axis.window

    def cut(self, x: str) -> str:
        added = [axis.padded - axis.size for axis in self._axes]
        if any(added):
            amounts = np.array([0] * (len(added) + 3) + added + [0], np.int64)
            x = self._to.op("Pad", [x, self._to.constant(f"{self._out}.pads", amounts)], f"{self._out}.pad")
        x = self._roll(x, [-axis.moved for axis in self._axes], "r")
        split = [size for axis in self._axes for size in (axis.windows, axis.window)]
        rank = len(self._axes)
        perm = [*range(0, 2 * rank, 2), *range(1, 2 * rank, 2), 2 * rank]
        x = self._to.reshape(x, (*split, self._features), f"{self._out}.w")
        x = self._to.op("Transpose", [x], f"{self._out}.wt", perm=perm)
        return self._to.reshape(x, (self.count, self.places, self._features), f"{self._out}.wr")

    def join(self, x: str) -> str:
        rank = len(self._axes)
        split = [axis.windows for axis in self._axes] + [axis.window for axis in self._axes]
        perm = [place for axis in range(rank) for place in (axis, rank + axis)] + [2 * rank]
        x = self._to.reshape(x, (*split, self._features), f"{self._out}.b")
        x = self._to.op("Transpose", [x], f"{self._out}.bt", perm=perm)
        padded = [axis.padded for axis in self._axes]
        x = self._to.reshape(x, (1, *padded, self._features), f"{self._out}.br")
        x = self._roll(x, [axis.moved for axis in self._axes], "u")
        if padded != [axis.size for axis in self._axes]:
            for place, axis in enumerate(self._axes, 1):
                x = self._to.part(x, place, 0, axis.size, f"{self._out}.c{place}")
        return x

    def _roll(self, x: str, shifts: list[int], name: str) -> str:
        for place, (axis, shift) in enumerate(zip(self._axes, shifts, strict=True), 1):
            if first := -shift % axis.padded:
                parts = [(first, axis.padded), (0, first)]
                names = [
                    self._to.part(x, place, *part, f"{self._out}.{name}{place}{n}")
                    for n, part in enumerate(parts)
                ]
                x = self._to.op("Concat", names, f"{self._out}.{name}{place}", axis=place)
        return x
