"""Receptive fields by formula: one size, stride and start per layer and axis, through branches.

What single units see, the clipping at borders included, is in windows.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import ceil, lcm
from typing import NamedTuple

from convcalc.graph import INPUT, Graph, Node
from convcalc.ops.base import SPREAD, WHOLE, Reach
from convcalc.shapes import Shape

Number = int | Fraction


class Field(NamedTuple):
    """The receptive field on one axis of the network's input.

    Unit u of output dimension `walker` sees input pixels u·stride + start … + size − 1; before clipping to the
    image. stride 0: every unit sees the same. walker None: no output dimension walks this axis. spread: units
    see different parts that no stride describes (a flattened map); size and start then hold the union.
    """

    size: Number
    stride: Number
    start: Number
    walker: int | None
    spread: bool = False


class ReceptiveField(NamedTuple):
    """Per spatial axis of the input: size and stride in pixels, start of output unit 0 (negative: in the padding)."""

    size: tuple[Number, ...]
    stride: tuple[Number, ...]
    start: tuple[Number, ...]


def receptive_fields(graph: Graph) -> tuple[list[tuple[Field, ...]], list[str]]:
    """Per node, one Field per spatial axis of the network's input; and warnings where branches disagree."""
    rank = len(graph.input_shape) - 1
    source = tuple(Field(1, 1, 0, axis + 1) for axis in range(rank))
    fields: list[tuple[Field, ...]] = []
    warnings: list[str] = []
    for node in graph:
        walked = [
            _through(node, position, source if index == INPUT else fields[index], graph.input_shape)
            for position, index in enumerate(node.inputs)
        ]
        if len(walked) == 1:
            fields.append(walked[0])
            continue
        fields.append(
            tuple(
                union([branch[axis] for branch in walked], graph.input_shape[axis + 1])
                for axis in range(rank)
            )
        )
        disagreement = _disagreement(walked)
        if disagreement:
            warnings.append(
                f"{node.name}: its branches' receptive fields differ in {disagreement}; theirs is the union"
            )
    return fields, warnings


def _through(node: Node, position: int, before: tuple[Field, ...], image: Shape) -> tuple[Field, ...]:
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
        count = shape[field.walker]
        if isinstance(walk, Reach):
            # the last unit read lies below o·stride + start + size by at least one step of their common grid
            step = Fraction(1, lcm(*(Fraction(value).denominator for value in walk[1:4])))
            result.append(
                Field(
                    _plain((walk.size - step) * field.stride + field.size),
                    _plain(walk.stride * field.stride),
                    _plain(field.start + walk.start * field.stride),
                    walk.out,
                )
            )
        else:
            whole = _plain((count - 1) * field.stride + field.size)
            result.append(Field(whole, 0, field.start, None, spread=walk == SPREAD and count > 1))
    return tuple(result)


def union(fields: Iterable[Field], size: int) -> Field:
    """The least field of one stride that covers all of them, for a join of branches over an axis of `size`."""
    branches = list(fields)
    first = branches[0]
    if all(branch == first for branch in branches):
        return first
    if any(branch.spread for branch in branches):
        start = min(branch.start for branch in branches)
        stop = max(branch.start + branch.size for branch in branches)
        return Field(stop - start, 0, start, None, spread=True)
    strides = {branch.stride for branch in branches}
    start = min(branch.start for branch in branches)
    stop = max(branch.start + branch.size for branch in branches)
    if len(strides) == 1:
        return Field(_plain(stop - start), first.stride, _plain(start), first.walker)
    if 0 in strides:  # a branch that sees everything alike: so does the join
        walker = next(branch.walker for branch in branches if branch.walker is not None or branch.stride)
        return Field(_plain(max(size, stop) - min(0, start)), 0, _plain(min(0, start)), walker)
    widest = max(strides)
    return Field(_plain(stop - start), widest, _plain(start), first.walker)


def _disagreement(branches: list[tuple[Field, ...]]) -> str:
    """What walking branches disagree in: "stride", "centre" or nothing. A branch that sees all is no disagreement."""
    for fields in zip(*branches, strict=True):
        walking = [field for field in fields if field.stride]
        if len({field.stride for field in walking}) > 1:
            return "stride"
        if len({2 * field.start + field.size for field in walking}) > 1:
            return "centre"
    return ""


def reported(fields: tuple[Field, ...]) -> ReceptiveField | None:
    """One layer's fields as they are reported; None where units see parts that no stride describes."""
    if any(field.spread for field in fields):
        return None
    return ReceptiveField(
        tuple([ceil(field.size) for field in fields]),
        tuple([_plain(field.stride) for field in fields]),
        tuple([_plain(field.start) for field in fields]),
    )


def _plain(value: Number) -> Number:
    return value.numerator if isinstance(value, Fraction) and value.denominator == 1 else value
