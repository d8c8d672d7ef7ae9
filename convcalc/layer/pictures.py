"""What an operator made of a picture: its maps, and how values beyond black and white are to be shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from convcalc.layer.apply import Application, per_channel
from convcalc.ops._base import Tensor
from convcalc.shapes import elements


class Result(NamedTuple):
    """One picture to show: `(C, H, W)`, in colour or one grey per channel, and its tone (see rasters)."""

    name: str
    tensor: Tensor
    tone: str
    colour: bool
    least: float
    greatest: float
    mean: float


def results(application: Application, tone: str | None, channelwise: int) -> list[Result]:
    """A result per filter; one for an operator without filters. channelwise: the filters that were run on each
    channel by itself; 0: they spanned all.

    Without a tone, a filter whose weights sum to 0 is shown by magnitude, as its signs only tell the side of an
    edge; others are cut to 0…255. Raises UsageError for an output that is no picture.
    """
    from convcalc.errors import UsageError

    output = application.output
    if len(output.shape) != 3:
        raise UsageError(f"{application.op.kind} makes no picture of an image", hint="apply conv or a pool")
    if channelwise:
        tensors = per_channel(application, channelwise)
        colour = True
    elif application.filters:
        size = elements(output.shape[1:])
        tensors = [
            Tensor((1, *output.shape[1:]), output.values[index * size : (index + 1) * size])
            for index in range(output.shape[0])
        ]
        colour = False
    else:
        tensors = [output]
        colour = True
    return [
        _result(_name(application, index, len(tensors)), tensor, tone or _tone(application, index), colour)
        for index, tensor in enumerate(tensors)
    ]


def _name(application: Application, index: int, count: int) -> str:
    if application.names:
        return application.names[index]
    return f"map {index + 1}" if count > 1 else "after"


def _tone(application: Application, index: int) -> str:
    if index >= len(application.filters):
        return "clip"
    total = sum(float(value) for value in application.filters[index].values)
    return "magnitude" if abs(total) < 1e-9 else "clip"


def _result(name: str, tensor: Tensor, tone: str, colour: bool) -> Result:
    values: Sequence[float] = tensor.values
    return Result(name, tensor, tone, colour, min(values), max(values), sum(values) / len(values))
