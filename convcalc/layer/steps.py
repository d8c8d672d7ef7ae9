"""A sliding window step by step: the input cells it covers at each position, and the result there. Of a deconvolution,
what each pixel of the input adds to the output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

from convcalc.errors import UsageError
from convcalc.layer.apply import Application
from convcalc.layer.symbols import Expression, written
from convcalc.ops import Pooling
from convcalc.ops.conv import Conv
from convcalc.ops.deconv import Deconv
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


class Scattering(NamedTuple):
    """What the input at one position adds to one channel of a deconvolution's output.

    channel: of the output; position: of the input; channels: the input channels that are read; written: output cells,
    one per weight, outside the output where they are cropped; added: to each of them; working: `1·2, 1·3`, "" if the
    values alone say it; so_far: the channel's cells after it, row by row.
    """

    channel: int
    position: tuple[int, ...]
    channels: range
    written: tuple[tuple[int, ...], ...]
    added: tuple[Any, ...]
    working: str
    so_far: tuple[Any, ...]


AnyStep = Placement | Scattering


def walked(application: Application, decimal: bool | None = None) -> tuple[AnyStep, ...]:
    """The steps of an operator: of its window, or of a deconvolution's input. Raises UsageError as `placements`."""
    if isinstance(application.op, Deconv):
        return scatterings(application, decimal)
    return placements(application, decimal)


def scatterings(application: Application, decimal: bool | None = None) -> tuple[Scattering, ...]:
    """What every position of the input adds to every channel of a deconvolution's output.

    Raises UsageError for more than MAX_STEPS steps, and for volumes.
    """
    op, source, output = application.op, application.source, application.output
    assert isinstance(op, Deconv)
    if len(source.shape) > 3:
        raise UsageError(
            "a deconvolution of volumes has no steps to show", hint="use an input of two dimensions"
        )
    positions = source.shape[1:]
    area, size = elements(positions), elements(output.shape[1:])
    total = output.shape[0] * area
    if total > MAX_STEPS:
        raise UsageError(
            f"{total:,} steps are more than --steps shows ({MAX_STEPS})", hint="use a smaller input"
        )
    axes = op.axes((source.shape,))
    depth, share = source.shape[0] // op.groups, op.filters // op.groups
    taps = list(product(*(range(axis.kernel) for axis in axes)))
    found = []
    for channel in range(op.filters):
        group, place = divmod(channel, share)
        channels = range(group * depth, (group + 1) * depth)
        so_far = [application.weights["bias"][channel] if op.bias else 0] * size
        for index, position in enumerate(product(*map(range, positions))):
            read = [source.values[each * area + index] for each in channels]
            written, added, workings = [], [], []
            for number, tap in enumerate(taps):
                weights = [
                    application.weights["weight"][(each * share + place) * len(taps) + number]
                    for each in channels
                ]
                value = sum(a * b for a, b in zip(read, weights, strict=True))
                cell = tuple(
                    at * axis.stride - axis.before + step * axis.dilation
                    for at, step, axis in zip(position, tap, axes, strict=True)
                )
                if _inside(output.shape, cell):
                    offset = 0
                    for at, width in zip(cell, output.shape[1:], strict=True):
                        offset = offset * width + at
                    so_far[offset] = so_far[offset] + value
                written.append(cell)
                added.append(value)
                workings.append(_sum(read, weights, 0, value, decimal))
            text = ", ".join(workings) if all(workings) else ""
            if len(taps) * depth > MAX_TERMS:
                text = f"{len(taps)} weights"
            found.append(
                Scattering(channel, position, channels, tuple(written), tuple(added), text, tuple(so_far))
            )
    return tuple(found)


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
