"""Indexing of tensors, for the reference forward pass of operators that only move values."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Any

from convcalc.ops._base import Tensor


def taken(tensor: Tensor, places: Sequence[Sequence[int | None]], fill: Any = 0) -> Tensor:
    """The tensor indexed by `places`, one list of indices per dimension; None gives `fill`."""
    shape, values = tensor
    steps = [prod(shape[dimension + 1 :]) for dimension in range(len(shape))]
    *lead, last = places
    result: list[Any] = []
    for place in product(*lead):
        if None in place:
            result += [fill] * len(last)
            continue
        start = sum(at * step for at, step in zip(place, steps, strict=False) if at is not None)
        result += [fill if at is None else values[start + at] for at in last]
    return Tensor(tuple(map(len, places)), result)
