"""Chains in stages, as VGG has them: a loop over depths and widths instead of a line for each layer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from convcalc.formats.torch.source.site import Call, tuple_of

MIN_STAGES = 3
MIN_CALLS = 12


class _Stages(NamedTuple):
    """unit: the sources of what repeats in a stage, over `channels` and `width`; end: the source of each stage's last
    module."""

    channels: str
    depths: list[int]
    widths: list[int]
    unit: tuple[str, ...]
    end: str


def staged(name: str, calls: Sequence[Call | str]) -> list[str] | None:
    """The lines of a function that makes a Sequential of the modules in loops; None if they are not in stages."""
    modules = [call for call in calls if isinstance(call, Call)]
    found = _stages(modules) if len(modules) == len(calls) else None
    if found is None:
        return None
    layers = f"[{', '.join(found.unit)}]"
    return [
        f"def {name}(depths={tuple_of(found.depths)}, widths={tuple_of(found.widths)}):",
        f"    layers, channels = [], {found.channels}",
        "    for depth, width in zip(depths, widths):",
        "        for _ in range(depth):",
        f"            layers += {layers}",
        "            channels = width",
        f"        layers.append({found.end})",
        "    return nn.Sequential(*layers)",
    ]


def _stages(calls: Sequence[Call]) -> _Stages | None:
    if len(calls) < MIN_CALLS or not calls[0].arguments:
        return None
    end = str(calls[-1])
    if any(_is_number(argument) for argument in calls[-1].arguments[1:2]):
        return None  # it has channels of its own
    bodies = [list(run) for last, run in groupby(calls, key=lambda call: str(call) == end) if not last]
    if len(bodies) < MIN_STAGES or sum(map(len, bodies)) + len(bodies) != len(calls):
        return None
    first = channels = str(calls[0].arguments[0])
    size = next((place for place in range(2, len(bodies[0]) + 1) if _begins(bodies[0], place)), 0)
    units: set[tuple[str, ...]] = set()
    depths, widths = [], []
    for body in bodies:
        if not size or len(body) % size:
            return None
        width = _width(body[0])
        for start in range(0, len(body), size):
            unit = [_general(call, channels, width) for call in body[start : start + size]]
            if width is None or None in unit:
                return None
            units.add(tuple([text for text in unit if text is not None]))
            channels = width
        depths.append(len(body) // size)
        widths.append(int(width or 0))
    return _Stages(first, depths, widths, units.pop(), end) if len(units) == 1 else None


def _begins(body: Sequence[Call], place: int) -> bool:
    """Whether a place in a stage is its end, or begins with the module that the stage begins with."""
    return place == len(body) or body[place].name == body[0].name


def _is_number(argument: str | Call) -> bool:
    return isinstance(argument, str) and argument.isdecimal()


def _width(call: Call) -> str | None:
    """The output channels of a convolution."""
    if len(call.arguments) < 3 or not all(map(_is_number, call.arguments[:2])):
        return None
    return str(call.arguments[1])


def _general(call: Call, channels: str, width: str | None) -> str | None:
    """The source of a module over `channels` and `width`; None if its numbers are others."""
    arguments = list(map(str, call.arguments))
    if _width(call) is not None:
        if arguments[:2] != [channels, width]:
            return None
        arguments[:2] = ["channels", "width"]
    elif arguments and arguments[0].isdecimal():
        if arguments[0] != width:
            return None
        arguments[0] = "width"
    return f"{call.name}({', '.join(arguments)})"
