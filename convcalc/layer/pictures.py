"""What an operator made of a picture: its maps, and how values beyond black and white are to be shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from convcalc.layer.apply import Application, per_channel
from convcalc.ops import Tensor
from convcalc.shapes import elements

DARK = 16  # levels of 255: a picture that stays below is black to the eye
MIN_CUT = 0.25  # of the pixels, from where a picture is spoilt; fewer are the edges of any sharpened one


class Result(NamedTuple):
    """One picture to show: `(C, H, W)`, in colour or one grey per channel, and its tone (see rasters).

    cut: the share of its values, 0 to 1, that lie beyond black or white and are cut; remedy: what would do where the
    picture is mostly white or black, else "".
    """

    name: str
    tensor: Tensor
    tone: str
    colour: bool
    least: float
    greatest: float
    mean: float
    cut: float
    remedy: str


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
        _result(application, index, len(tensors), tensor, tone or _tone(application, index), colour)
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


def _result(
    application: Application, index: int, count: int, tensor: Tensor, tone: str, colour: bool
) -> Result:
    values: Sequence[float] = tensor.values
    cut = cut_share(values, tone)
    return Result(
        _name(application, index, count),
        tensor,
        tone,
        colour,
        min(values),
        max(values),
        sum(values) / len(values),
        cut,
        _remedy(application, index) if _spoilt(application, tensor, tone, cut) else "",
    )


def cut_share(values: Sequence[float], tone: str) -> float:
    """The share of the values that a tone cuts: those that are not within a rounding of 0 to 255."""
    if tone == "stretch":
        return 0.0
    lowest = -255.5 if tone == "magnitude" else -0.5
    return sum(not lowest <= value < 255.5 for value in values) / len(values)


def _spoilt(application: Application, tensor: Tensor, tone: str, cut: float) -> bool:
    """Whether the picture is mostly white or black, which its input is not."""
    dark = max(abs(value) for value in tensor.values) < DARK <= max(application.source.values)
    return cut >= MIN_CUT or (dark and tone != "stretch")


def _remedy(application: Application, index: int) -> str:
    """Other weights, where those given brighten the picture as a whole; a tone that cuts nothing."""
    stretch = "use --tone stretch"
    if index >= len(application.filters) or application.names:
        return stretch
    taps = application.weights["weight"]
    size = len(taps) // application.output.shape[0]
    total = sum(taps[index * size : (index + 1) * size])
    if total <= 1.001:
        return stretch
    kept = f"divide them by it ({_fraction(total)} for 1) to keep the brightness"
    return f"the weights sum to {total:.6g}: {kept}, or {stretch}"


def _fraction(total: float) -> str:
    return f"1/{round(total)}" if total == round(total) else f"{1 / total:.4g}"
