"""Operators applied to images: the resulting maps, and how to show values below black or above white."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from convcalc.layer.apply import Application, per_channel
from convcalc.ops import Tensor
from convcalc.shapes import elements

DARK = 16  # level, of 255, below which a picture looks black
MIN_CUT = 0.25  # share of cut pixels from which a picture is spoilt; less occurs at the edges of any sharpened picture


class PictureMap(NamedTuple):
    """A picture to show, `(C, H, W)`, in colour or one grey picture per channel, and its tone (see rasters).

    cut: the share of values, 0 to 1, below black or above white; remedy: advice if the picture is mostly black or
    white, else "".
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


def results(application: Application, tone: str | None, channelwise: int) -> list[PictureMap]:
    """One result per filter; a single one for operators without filters. channelwise: the number of filters that
    were applied to each channel separately; 0 if filters span all channels.

    Without a tone, a filter whose weights sum to 0 is shown by magnitude, because signs only tell the side of an
    edge; other maps are clipped to 0…255. Raises UsageError if the output is not a picture.
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
) -> PictureMap:
    values: Sequence[float] = tensor.values
    cut = cut_share(values, tone)
    return PictureMap(
        _name(application, index, count),
        tensor,
        tone,
        colour,
        min(values),
        max(values),
        sum(values) / len(values),
        cut,
        _remedy(application, index) if _mostly_black_or_white(application, tensor, tone, cut) else "",
    )


def cut_share(values: Sequence[float], tone: str) -> float:
    """The share of values that a tone cuts: those outside 0 to 255 by more than rounding."""
    if tone == "stretch":
        return 0.0
    lowest = -255.5 if tone == "magnitude" else -0.5
    return sum(not lowest <= value < 255.5 for value in values) / len(values)


def _mostly_black_or_white(application: Application, tensor: Tensor, tone: str, cut: float) -> bool:
    """Whether the picture is mostly white or black although the input is not."""
    dark = max(abs(value) for value in tensor.values) < DARK <= max(application.source.values)
    return cut >= MIN_CUT or (dark and tone != "stretch")


def _remedy(application: Application, index: int) -> str:
    """Advice: other weights if these brighten the whole picture, else a tone that cuts nothing."""
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
