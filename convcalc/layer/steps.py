"""A sliding window step by step: the input cells it covers at each position, and the result there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

from convcalc.errors import UsageError
from convcalc.layer.apply import Application
from convcalc.layer.symbols import Expression, written
from convcalc.ops import Pooling
from convcalc.ops.conv import Conv
from convcalc.shapes import Axis, elements

MAX_TERMS = 30  # of a sum that is written out
MAX_STEPS = 400  # more than anybody looks at


class Placement(NamedTuple):
    """The window at one position. channel: of the output; channels: the input channels it reads; covered: input
    cells, outside the input in the padding; working: `max(1, 4, 5, 8)`, "" if the value alone says it."""

    channel: int
    position: tuple[int, ...]
    channels: range
    covered: tuple[tuple[int, ...], ...]
    working: str
    value: Any


def placements(application: Application, decimal: bool | None = None) -> tuple[Placement, ...]:
    """The window at every position of every output channel, row by row.

    Raises UsageError for an operator without a window, and for more than MAX_STEPS positions.
    """
    op = application.op
    if not application.axes or len(application.source.shape) > 3:
        raise UsageError(f"{op.kind} moves no window that --steps could follow")
    total = elements(application.output.shape)
    if total > MAX_STEPS:
        raise UsageError(
            f"{total:,} steps are more than --steps shows ({MAX_STEPS})", hint="use a smaller input"
        )
    return tuple(iter_placements(application, decimal))


def iter_placements(application: Application, decimal: bool | None = None) -> Iterator[Placement]:
    """The window at every position of every output channel, row by row."""
    op, source, output = application.op, application.source, application.output
    axes = application.axes
    positions = output.shape[1:]
    size, depth = elements(positions), source.shape[0]
    groups = op.groups if isinstance(op, Conv) else depth
    share = output.shape[0] // groups
    taps = elements(tuple(axis.kernel for axis in axes)) * (depth // groups)
    for channel in range(output.shape[0]):
        first = channel // share * (depth // groups)
        channels = range(first, first + depth // groups)
        for index, position in enumerate(product(*map(range, positions))):
            covered = tuple(
                product(
                    *(
                        [
                            place * axis.stride - axis.before + tap * axis.dilation
                            for tap in range(axis.kernel)
                        ]
                        for place, axis in zip(position, axes, strict=True)
                    )
                )
            )
            value = output.values[channel * size + index]
            values = [_cell(source.shape, source.values, each, cell) for each in channels for cell in covered]
            if isinstance(op, Conv):
                weights = application.weights["weight"][channel * taps : (channel + 1) * taps]
                bias = application.weights["bias"][channel] if op.bias else 0
                working = _sum(values, weights, bias, value, decimal)
            else:
                assert isinstance(op, Pooling)
                counted = [_counts(op, axes, cell) for cell in covered]
                working = _pooled(op, values, counted, decimal)
            yield Placement(channel, position, channels, covered, working, value)


def _inside(shape: Sequence[int], cell: Sequence[int]) -> bool:
    return all(0 <= place < size for place, size in zip(cell, shape[1:], strict=True))


def _counts(op: Pooling, axes: Sequence[Axis], cell: Sequence[int]) -> bool:
    """Whether a pool includes the cell: real pixels, and padding if the pool counts it."""
    return all(
        -axis.before * op.counts_padding <= place < axis.size + axis.after * op.counts_padding
        for place, axis in zip(cell, axes, strict=True)
    )


def _cell(shape: Sequence[int], values: Sequence[Any], channel: int, cell: Sequence[int]) -> Any:
    """The input's value; 0 in the padding."""
    if not _inside(shape, cell):
        return 0
    offset = channel
    for place, size in zip(cell, shape[1:], strict=True):
        offset = offset * size + place
    return values[offset]


def _sum(values: Sequence[Any], weights: Sequence[Any], bias: Any, value: Any, decimal: bool | None) -> str:
    """`1·1 + 4·0 + 5·0 + 8·(−1)`."""
    if isinstance(value, Expression) or any(isinstance(number, Expression) for number in (*values, *weights)):
        return ""
    if len(values) > MAX_TERMS:
        return f"the sum of {len(values):,} products"
    text = " + ".join(
        f"{_factor(number, decimal)}·{_factor(weight, decimal)}"
        for number, weight in zip(values, weights, strict=True)
    )
    return text + (f" + {_factor(bias, decimal)}" if bias else "")


def _pooled(op: Pooling, values: Sequence[Any], counted: Sequence[bool], decimal: bool | None) -> str:
    """`max(1, 4, 5, 8)` of the cells that count."""
    read = [number for number, counts in zip(values, counted, strict=True) if counts]
    if any(isinstance(number, Expression) for number in read):
        return ""
    if len(read) > MAX_TERMS:
        return f"the {op.reduction} of {len(read):,} values"
    listed = ", ".join(written(number, decimal=decimal) for number in read)
    return f"{op.reduction}({listed})"


def _factor(value: Any, decimal: bool | None) -> str:
    text = written(value, decimal=decimal)
    return f"({text})" if text.startswith("−") or "/" in text else text
