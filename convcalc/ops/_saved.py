"""What a layer saves between its forward and its backward pass, as PyTorch's autograd does on a processor.

Each rule was measured with PyTorch 2.14 (`tests/torchvision/kept.py`). Whole tensors are named, not counted: two layers
may keep the same one, and a view keeps the tensor that it is a view of.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

from convcalc.shapes import Shape

OUTPUT = -1


class Saved(NamedTuple):
    """A tensor that a layer saves for its backward pass.

    what: in words, such as `input` or `indices`. tensor: the index of the input that it is, OUTPUT for the layer's own
    output, None if it is made for the backward pass. Of one that is made: elements, per image, or for the whole batch
    if `once`; integers: numbers of 8 bytes whatever the network's number type. buffer: one of the layer's own buffers.
    """

    what: str
    tensor: int | None = None
    elements: int = 0
    once: bool = False
    integers: bool = False
    buffer: bool = False


def given(saves: str, inputs: Sequence[Shape], output: Shape) -> tuple[Saved, ...]:
    """The tensors that an operator's `saves` names: `input`, each of the `inputs`, `output`, `input and indices`."""
    if saves == "output":
        return (Saved("output", OUTPUT),)
    if saves == "input and indices":  # of the largest values
        return (Saved("input", 0), Saved("indices", elements=prod(output), integers=True))
    if saves == "input" or (saves == "inputs" and len(inputs) == 1):
        return (Saved("input", 0),)
    return tuple([Saved(f"input {place + 1}", place) for place in range(len(inputs))]) if saves else ()


def made(what: str, elements: int) -> Saved:
    """Numbers made for the backward pass, so many per image."""
    return Saved(what, elements=elements)


def contiguous(shape: Shape) -> tuple[int, ...]:
    """The strides of a tensor whose values lie one after another, row-major."""
    return tuple([prod(shape[dimension + 1 :]) for dimension in range(len(shape))])


def view_strides(shape: Shape, strides: Sequence[int], wanted: Shape) -> tuple[int, ...] | None:
    """The strides with which a tensor can be seen in another shape without a copy; None if it cannot.

    Neighbouring dimensions can be merged if a step of the outer one equals the length of the inner one; the new
    dimensions must divide such merged ones (PyTorch's rule for `view`).
    """
    found: list[int] = []
    left = list(wanted)
    merged, base = 1, 0
    dimensions = [(size, stride) for size, stride in zip(shape, strides, strict=True) if size != 1]
    for place in reversed(range(len(dimensions))):
        size, stride = dimensions[place]
        base = base or stride
        merged *= size
        if place and dimensions[place - 1][1] == size * stride:
            continue
        covered = 1
        while left and (covered < merged or left[-1] == 1):
            found.append(covered * base)
            covered *= left.pop()
        if covered != merged:
            return None
        merged, base = 1, 0
    found += [1] * len(left)
    return tuple(reversed(found))
