"""The text of worked formulas: `(227 − 11 + 2·0)/4 + 1 = 55`, `(11·11·3)·96 = 34,848`."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from convcalc.ops._base import Working
from convcalc.shapes import AXIS_NAMES, Axis


def product(factors: Sequence[int]) -> str:
    """`11·11·3`."""
    return "·".join(map(str, factors))


def grouped(factors: Sequence[int]) -> str:
    """`(11·11·3)·96`: the factors of one output channel, times the number of output channels."""
    if len(factors) < 3:
        return product(factors)
    return f"({product(factors[:-1])})·{factors[-1]}"


def equation(factors: Sequence[int]) -> str:
    """`(11·11·3)·96 = 34,848`."""
    return f"{grouped(factors)} = {prod(factors):,}"


def pixels(count: int) -> str:
    """`1 pixel`, `3 pixels`."""
    return f"{count:,} pixel{'s' * (count != 1)}"


def values_read(what: str, sizes: Sequence[int]) -> tuple[Working, ...]:
    """The number of values that an output reads: `7·7 = 49`, or `64`."""
    text = f"{product(sizes)} = {prod(sizes):,}" if len(sizes) > 1 else f"{prod(sizes):,}"
    return (Working(what, text),)


def window_working(axes: Sequence[Axis]) -> tuple[Working, ...]:
    """The worked output size of each axis; a single line if all axes are alike."""
    return size_working([axis_working(axis) for axis in axes])


def size_working(texts: Sequence[str]) -> tuple[Working, ...]:
    """The worked output sizes, labelled by axis; a single line if all are alike."""
    if all(text == texts[0] for text in texts):
        return (Working("output size", texts[0]),)
    names = AXIS_NAMES[len(texts)]
    return tuple(Working(f"output {name}", text) for name, text in zip(names, texts, strict=True))


def axis_working(axis: Axis) -> str:
    """`(227 − 11 + 2·0)/4 + 1 = 55`, then any remainder and the pixels never covered."""
    text = f"{axis_equation(axis)} = {axis.output}"
    if axis.remainder:
        if axis.span >= 0:
            text += f", {axis.span}/{axis.stride} leaves remainder {axis.remainder}"
        if axis.drops_last:
            text += ", a last window would start in the padding and is dropped"
    between, trailing = axis.uncovered()
    if trailing:
        text += f", the last {pixels(trailing)} never covered"
    if between:
        text += f", {pixels(between)} between windows never covered"
    return text


def axis_equation(axis: Axis) -> str:
    """`(227 − 11 + 2·0)/4 + 1`, rounded up or down if the stride does not divide evenly.

    When rounding up, `+ 1 − 1` if the last window would start in the trailing padding and is therefore dropped.
    """
    kernel = str(axis.kernel)
    if axis.dilation > 1:
        kernel = f"({axis.dilation}·({axis.kernel} − 1) + 1)"
    moves = f"({axis.size} − {kernel} + {axis_paddings(axis)})"
    if not axis.remainder:
        return f"{moves}/{axis.stride} + 1"
    opening, closing = ("⌈", "⌉") if axis.rounding == "ceil" else ("⌊", "⌋")
    return f"{opening}{moves}/{axis.stride}{closing} + 1" + (" − 1" if axis.drops_last else "")


def axis_paddings(axis: Axis) -> str:
    """`2·1`, or `0 + 1` if the two sides differ."""
    return f"2·{axis.before}" if axis.before == axis.after else f"{axis.before} + {axis.after}"
