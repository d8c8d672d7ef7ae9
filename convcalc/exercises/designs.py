"""Layers to design: choose K, F, S and P for an output and a limit of weights; an answer is marked by computing."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from convcalc.errors import Misfit
from convcalc.exercises.question import Chance, Design
from convcalc.ops import axis_equation
from convcalc.shapes import Axis, show

MAX_FIELD = 100_000


class Fields(NamedTuple):
    """A convolution as it is answered: filters, kernel, stride, padding."""

    filters: int
    kernel: int
    stride: int
    padding: int


def draw(level: int, chance: Chance) -> dict[str, Any]:
    """A layer to design. Level 1: stride 1; 2: strides that divide; 3: sides that differ, a remainder; 4: a least
    kernel and a tight limit."""
    while True:
        channels = chance.pick((3, 8, 16, 32, 64))
        height = chance.between(8, 64)
        width = height if level < 3 else chance.between(8, 64)
        fields = Fields(
            filters=chance.pick((8, 16, 32, 64, 96)),
            kernel=chance.pick((3, 5) if level == 1 else (2, 3, 4, 5, 7)),
            stride=1 if level == 1 else chance.pick((2, 3, 4)),
            padding=chance.between(0, 2) if level == 1 else chance.between(0, 3),
        )
        axes = [_axis(size, fields) for size in (height, width)]
        if min(axis.output for axis in axes) < 4 or 2 * fields.padding >= fields.kernel + 1:
            continue
        remainders = [axis.remainder for axis in axes]
        if (level < 3) == any(remainders):
            continue
        weights = fields.kernel**2 * channels * fields.filters
        limit = _rounded_up(weights + 1 if level == 4 else weights * 3 // 2)
        source = (channels, height, width)
        output = (fields.filters, *(axis.output for axis in axes))
        design = Design(source, output, limit, fields.kernel if level == 4 else 2)
        least = f" F is at least {design.kernel}." if level == 4 else " F is at least 2."
        return {
            "text": f"The input is {show(source)}. Choose K, F, S and P of a convolution so that the output is "
            f"{show(output)}, with fewer than {limit:,} weights.{least}",
            "answer": written(fields),
            "working": f"{_sizes(design, fields)}; {_weights(design, fields)}",
            "hint": "K is the output's depth, (W − F + 2P)/S + 1 its size, rounded down; F·F·depth·K are its weights",
            "design": design,
        }


def _rounded_up(number: int) -> int:
    """The next number with two digits and zeros."""
    unit = 10 ** max(0, len(str(number)) - 2)
    rounded: int = -(-number // unit) * unit
    return rounded


def _axis(size: int, fields: Fields) -> Axis:
    return Axis(size, fields.kernel, fields.stride, before=fields.padding, after=fields.padding)


def written(fields: Fields) -> str:
    """`K64 F3 S1 P1`."""
    return f"K{fields.filters} F{fields.kernel} S{fields.stride} P{fields.padding}"


def read_design(text: str) -> Fields | None:
    """`K64 F3 S1 P1` in any order, also `K = 64, F = 3×3`; S is 1 and P is 0 where they are left out; or the four
    numbers `64 3 1 1`. None for anything else."""
    plain = text.lower().replace("×", "x")
    field = r"(?<![a-z])([kfsp])\s*[:=]?\s*(\d{1,9})(?:\s*x\s*(\d{1,9}))?"  # also K64F3, without blanks
    named = re.findall(field, plain)
    if named:
        rest = re.sub(field, "", plain)
        values = {letter: int(number) for letter, number, _ in named}
        uneven = any(again and again != number for _, number, again in named)
        if len(values) != len(named) or uneven or rest.strip(" ,;.") or not {"k", "f"} <= set(values):
            return None
        return _fields([values["k"], values["f"], values.get("s", 1), values.get("p", 0)])
    if not re.fullmatch(r"[\s,;]*(\d{1,9}[\s,;]+){3}\d{1,9}[\s,;]*", plain):
        return None
    return _fields([int(number) for number in re.findall(r"\d+", plain)])


def _fields(numbers: list[int]) -> Fields | None:
    fields = Fields(*numbers)
    return fields if min(fields[:3]) > 0 and max(fields) <= MAX_FIELD else None


def _sizes(design: Design, fields: Fields) -> str:
    axes = list(dict.fromkeys(_axis(size, fields) for size in design.source[1:]))
    return ", ".join(f"{axis_equation(axis)} = {axis.output}" for axis in axes)


def _weights(design: Design, fields: Fields) -> str:
    depth = design.source[0]
    total = fields.kernel**2 * depth * fields.filters
    return f"({fields.kernel}·{fields.kernel}·{depth})·{fields.filters} = {total:,} weights"


def design_mistake(design: Design, fields: Fields) -> str:
    """Why a layer does not fulfil the design, worked out; "" where it does."""
    depth, *sizes = design.output
    if fields.filters != depth:
        return f"K is the output's depth, {depth}"
    if fields.kernel < design.kernel:
        return f"F is to be at least {design.kernel}"
    if fields.padding >= fields.kernel:
        return "P is smaller than F, or a window would lie in the padding"
    for size, wanted in zip(design.source[1:], sizes, strict=True):
        axis = _axis(size, fields)
        try:
            found = axis.output
        except Misfit:
            return "the kernel is larger than the padded input"
        if found != wanted:
            return f"the output's size is another: {axis_equation(axis)} = {found}, not {wanted}"
    if fields.kernel**2 * design.source[0] * depth >= design.limit:
        return f"too many weights: {_weights(design, fields)}, not fewer than {design.limit:,}"
    return ""
