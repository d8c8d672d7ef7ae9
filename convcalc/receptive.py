"""Receptive fields by formula: one size, stride and start per layer and axis, through branches.

What single units see, the clipping at borders included, is in windows.py.

Behind a deconvolution or upsampling, units see windows that differ from one to the next, and repeat: every
`period` units the same again, `step` pixels further. So a field is the first and last pixel of each unit of one
period; everywhere else the period is 1 and these are the usual start and size.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import ceil, floor, gcd, lcm
from typing import NamedTuple

from convcalc.graph import INPUT, Graph, Node
from convcalc.ops.base import SPREAD, WHOLE, Reach

Number = int | Fraction
MAX_PERIOD = 1024  # beyond it (upsampling by over a thousand) the first units stand for all


class Field(NamedTuple):
    """The receptive field on one axis of the network's input, before clipping to the image.

    Unit u = q·period + r of output dimension `walker` sees the pixels lows[r] + q·step … highs[r] + q·step.
    step 0: every unit sees the same. walker None: no output dimension walks this axis. spread: units see different
    parts that no step describes (a flattened map); lows and highs then hold the union.
    """

    lows: tuple[int, ...]
    highs: tuple[int, ...]
    step: int
    walker: int | None
    spread: bool = False

    @property
    def period(self) -> int:
        """How many units until the pattern repeats."""
        return len(self.lows)

    @property
    def size(self) -> int:
        """The most pixels a unit sees."""
        return max(high - low + 1 for low, high in zip(self.lows, self.highs, strict=True))

    @property
    def stride(self) -> Number:
        """Pixels from one unit to the next, on average: a Fraction where several units see the same."""
        return plain(Fraction(self.step, self.period))

    def first(self, unit: int) -> int:
        """The first pixel that a unit sees."""
        turn, phase = divmod(unit, self.period)
        return self.lows[phase] + turn * self.step

    def last(self, unit: int) -> int:
        """The last one."""
        turn, phase = divmod(unit, self.period)
        return self.highs[phase] + turn * self.step


class ReceptiveField(NamedTuple):
    """Per spatial axis of the input: size and stride in pixels, start of output unit 0 (negative: in the padding)."""

    size: tuple[int, ...]
    stride: tuple[Number, ...]
    start: tuple[int, ...]


def receptive_fields(graph: Graph) -> tuple[list[tuple[Field, ...]], list[str]]:
    """Per node, one Field per spatial axis of the network's input; and warnings where branches disagree."""
    rank = len(graph.input_shape) - 1
    source = tuple(Field((0,), (0,), 1, axis + 1) for axis in range(rank))
    fields: list[tuple[Field, ...]] = []
    warnings: list[str] = []
    for node in graph:
        walked = [
            _through(node, position, source if index == INPUT else fields[index])
            for position, index in enumerate(node.inputs)
        ]
        if len(walked) == 1:
            fields.append(walked[0])
            continue
        joined = zip(*walked, strict=True)
        fields.append(
            tuple([union(one, size) for one, size in zip(joined, graph.input_shape[1:], strict=True)])
        )
        disagreement = _disagreement(walked)
        if disagreement:
            warnings.append(
                f"{node.name}: the receptive fields of its branches differ in {disagreement}; "
                "shown is what covers them all"
            )
    return fields, warnings


def _through(node: Node, position: int, before: tuple[Field, ...]) -> tuple[Field, ...]:
    """The fields after an operator, seen through its input number `position`."""
    if node.op.pointwise and len(node.inputs) == 1:
        return before
    shape = node.input_shapes[position]
    walks = node.op.reach(node.input_shapes, position)
    result = []
    for field in before:
        if field.walker is None:
            # a flattened map: what collapses its one dimension sees the union of all its units
            result.append(field._replace(spread=False) if walks[0] == WHOLE and field.spread else field)
            continue
        walk = walks[field.walker]
        if isinstance(walk, Reach):
            result.append(_walked(field, walk))
        else:
            count = shape[field.walker]
            low, high = field.first(0), field.last(count - 1)
            result.append(Field((low,), (high,), 0, None, spread=walk == SPREAD and count > 1))
    return tuple(result)


def _walked(field: Field, walk: Reach) -> Field:
    """The field behind a window: output unit v sees what the units it reads see together."""
    if type(walk.stride) is int and field.period == 1:
        low = field.lows[0] + ceil(walk.start) * field.step
        high = field.highs[0] + (ceil(walk.start + walk.size) - 1) * field.step
        return Field((low,), (high,), walk.stride * field.step, walk.out)
    stride = Fraction(walk.stride)
    period = stride.denominator * (field.period // gcd(field.period, stride.numerator))
    reads = [
        (ceil(unit * stride + walk.start), ceil(unit * stride + walk.start + walk.size) - 1)
        for unit in range(min(period, MAX_PERIOD))
    ]
    lows = tuple([field.first(low) for low, _ in reads])
    highs = tuple([field.last(high) for _, high in reads])
    if period > MAX_PERIOD:
        size = max(high - low for low, high in zip(lows, highs, strict=True))
        return Field(lows[:1], (lows[0] + size,), floor(stride * field.stride), walk.out)
    units = int(period * stride)  # how many units of the layer before a period advances
    return _shortest(Field(lows, highs, units // field.period * field.step, walk.out))


def _shortest(field: Field) -> Field:
    """The same field with period 1 where its units follow one another evenly."""
    period = field.period
    if field.step % period:
        return field
    pace = field.step // period
    even = all(
        ends[unit] - ends[0] == unit * pace for ends in (field.lows, field.highs) for unit in range(period)
    )
    return Field(field.lows[:1], field.highs[:1], pace, field.walker) if even else field


def union(branches: Iterable[Field], size: int) -> Field:
    """The least field that covers all of them, for a join of branches over an axis of `size` pixels."""
    fields = list(branches)
    first = fields[0]
    if all(field == first for field in fields):
        return first
    if any(field.spread for field in fields):
        return Field(
            (min(min(field.lows) for field in fields),),
            (max(max(field.highs) for field in fields),),
            0,
            None,
            True,
        )
    period = lcm(*(field.period for field in fields))
    paces = {field.stride for field in fields}
    if 0 in paces and len(paces) > 1:  # a branch that sees everything alike: so does the join
        walker = next((field.walker for field in fields if field.walker is not None), None)
        low = min(0, *(min(field.lows) for field in fields))
        high = max(size - 1, *(max(field.highs) for field in fields))
        return Field((low,), (high,), 0, walker)
    if len(paces) > 1 or period > MAX_PERIOD:
        walker = first.walker if first.walker is not None else 0
        low, high = min(field.first(0) for field in fields), max(field.last(0) for field in fields)
        return Field((low,), (high,), floor(max(paces)), walker)
    return _shortest(
        Field(
            tuple([min(field.first(unit) for field in fields) for unit in range(period)]),
            tuple([max(field.last(unit) for field in fields) for unit in range(period)]),
            first.step * (period // first.period),
            first.walker,
        )
    )


def _disagreement(branches: list[tuple[Field, ...]]) -> str:
    """What walking branches disagree in: "stride", "centre" or nothing. A branch that sees all is no disagreement."""
    for fields in zip(*branches, strict=True):
        walking = [field for field in fields if field.step]
        if len({field.stride for field in walking}) > 1:
            return "stride"
        if len({(field.first(0) + field.last(0)) for field in walking if field.period == 1}) > 1:
            return "centre"
    return ""


def reported(fields: tuple[Field, ...]) -> ReceptiveField | None:
    """One layer's fields as they are reported; None where units see parts that no stride describes."""
    if any(field.spread for field in fields):
        return None
    return ReceptiveField(
        tuple([field.size for field in fields]),
        tuple([field.stride for field in fields]),
        tuple([field.lows[0] for field in fields]),
    )


def plain(value: Number) -> Number:
    """A whole Fraction as an int."""
    return value.numerator if isinstance(value, Fraction) and value.denominator == 1 else value
