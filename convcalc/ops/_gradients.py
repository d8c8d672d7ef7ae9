"""Helpers of the backward passes: splitting, cropping and dilating maps, and the pixels of each window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from typing import Any

from convcalc.shapes import Shape


def planes(values: Sequence[Any], channels: int) -> list[Sequence[Any]]:
    """The values of each channel, as one sequence per channel."""
    size = len(values) // channels
    return [values[channel * size : (channel + 1) * size] for channel in range(channels)]


def cut(shape: Shape, values: Sequence[Any], edges: Sequence[tuple[int, int]]) -> tuple[Shape, list[Any]]:
    """A map `(C, *spatial)` with (before, after) pixels removed at the ends of each spatial axis."""
    kept = [range(first, size - last) for (first, last), size in zip(edges, shape[1:], strict=True)]
    steps = [prod(shape[axis + 1 :]) for axis in range(1, len(shape))]
    places = [sum(a * b for a, b in zip(place, steps, strict=True)) for place in product(*kept)]
    result = [plane[place] for plane in planes(values, shape[0]) for place in places]
    return (shape[0], *map(len, kept)), result


def spread(shape: Shape, values: Sequence[Any], strides: Sequence[int]) -> tuple[Shape, list[Any]]:
    """A map `(C, *spatial)` with stride − 1 zeros inserted between neighbouring values of each spatial axis."""
    lengths = [(size - 1) * stride + 1 for size, stride in zip(shape[1:], strides, strict=True)]
    steps = [prod(lengths[axis + 1 :]) for axis in range(len(lengths))]
    places = [
        sum(place * stride * step for place, stride, step in zip(cell, strides, steps, strict=True))
        for cell in product(*map(range, shape[1:]))
    ]
    result: list[Any] = []
    for plane in planes(values, shape[0]):
        wide: list[Any] = [0] * prod(lengths)
        for place, value in zip(places, plane, strict=True):
            wide[place] = value
        result += wide
    return (shape[0], *lengths), result


def window_pixels(slide: Any) -> Iterator[list[int | None]]:
    """The pixel indices that each window of a `Slide` reads, in row-major order; None in the padding."""
    yield from slide.patches([range(prod(slide.spatial))], None)
