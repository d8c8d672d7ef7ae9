"""What the functions that fold constants share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from convcalc.formats.onnx.calls import (
    Call,
)
from convcalc.formats.onnx.values import Array, Const, Rule, picked

Fold = Callable[[Call], "Const | list[Const]"]


# ONNX's numbers of types, by safetensors' names
TYPES = {
    1: "F32", 2: "U8", 3: "I8", 4: "U16", 5: "I16", 6: "I32", 7: "I64", 8: "STR", 9: "BOOL", 10: "F16", 11: "F64",
    12: "U32", 13: "U64", 16: "BF16",
}  # fmt: skip


def consts(call: Call) -> list[Const]:
    """The inputs that are there, which are all constants."""
    return [value for value in call.inputs if isinstance(value, Const)]


def computed(
    call: Call, shape: Sequence[int], rule: Rule, dtype: str | None = None, *, only: int = 0
) -> Const:
    """A constant computed from the node's inputs, by default with the type of the first. only: the number of inputs
    that the rule uses, 0 for all."""
    sources = consts(call)
    const = Const(shape, dtype or sources[0].dtype, sources=sources[: only or None], rule=rule)
    const.call = call
    return const


def expanded(given: Array, shape: Sequence[int]) -> Sequence[Any]:
    """The values repeated to a larger shape."""
    if given.shape == tuple(shape):
        return given.values
    if len(given.values) == 1:
        return [given.values[0]] * prod(shape)
    own = (1,) * (len(shape) - len(given.shape)) + given.shape
    steps = [prod(own[place + 1 :]) for place in range(len(own))]
    offsets: list[Sequence[int]] = [
        range(0, size * step, step) if have == size else [0] * size
        for have, size, step in zip(own, shape, steps, strict=True)
    ]
    return picked(given.values, offsets)


def only(found: Const | list[Const]) -> Const:
    assert isinstance(found, Const)
    return found
