"""The records of a backward pass, and what the operators' backward passes share.

δ is the gradient of the output: how much the loss grows for a little more of each of its values. A backward pass
gives the same of the input and of every parameter that is learned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from convcalc.shapes import Axis, Shape

if TYPE_CHECKING:
    from convcalc.ops._base import Operator, Tensor


class Convolving(NamedTuple):
    """A convolution that computes a gradient.

    operator: a bound conv; source: what it reads; weights: its tensors; output: what comes out; axes: its windows.
    between: the zeros between the values of δ on each axis; turned: whether its kernel is the layer's, turned by 180°.
    """

    operator: Operator
    source: Tensor
    weights: Mapping[str, Sequence[Any]]
    output: Tensor
    axes: tuple[Axis, ...]
    between: tuple[int, ...] = ()
    turned: bool = False


class Gradient(NamedTuple):
    """The gradient of the input or of a parameter, of its shape.

    how: what it is, in words; by: the convolution that computes it, None where none does.
    """

    tensor: Tensor
    how: str
    by: Convolving | None = None


def planes(values: Sequence[Any], channels: int) -> list[Sequence[Any]]:
    """The values of each channel."""
    size = len(values) // channels
    return [values[channel * size : (channel + 1) * size] for channel in range(channels)]


def cut(shape: Shape, values: Sequence[Any], edges: Sequence[tuple[int, int]]) -> tuple[Shape, list[Any]]:
    """`(C, *spatial)` without so many pixels before and after each spatial axis."""
    kept = [range(first, size - last) for (first, last), size in zip(edges, shape[1:], strict=True)]
    steps = [prod(shape[axis + 1 :]) for axis in range(1, len(shape))]
    places = [sum(a * b for a, b in zip(place, steps, strict=True)) for place in product(*kept)]
    result = [plane[place] for plane in planes(values, shape[0]) for place in places]
    return (shape[0], *map(len, kept)), result


def spread(shape: Shape, values: Sequence[Any], strides: Sequence[int]) -> tuple[Shape, list[Any]]:
    """`(C, *spatial)` with stride − 1 zeros between the values of each spatial axis."""
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
    """Per window of a `Slide`, in row-major order, the numbers of the pixels it reads; None in the padding."""
    yield from slide.patches([range(prod(slide.spatial))], None)
