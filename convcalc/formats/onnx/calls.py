"""A node of an ONNX model with the values of its inputs, as functions that map or fold it see it."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

from convcalc.formats.onnx.records import OnnxNode, OnnxTensor
from convcalc.formats.onnx.values import Const
from convcalc.shapes import Shape


class Unmapped(Exception):
    """A form of an operator that is not mapped. The message says which; the layer becomes `unknown`."""


class AcrossBatch(Unmapped):
    """An operator that acts along the batch, so that the first dimension cannot be one."""


class Invalid(Exception):
    """A node that contradicts itself or its inputs; the caller adds its name."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Activation(NamedTuple):
    """The output of a layer, or an input of the network.

    layer: its index in the draft. shape: as in the model, with a batch of 1. batch: the dimension that is the batch,
    or None. merged: the batch is a factor of that dimension rather than all of it, as after a reshape that merges
    windows with the batch; the draft's shape then keeps the dimension. integral: its values are integers.
    """

    layer: int
    shape: Shape
    batch: int | None = None
    merged: bool = False
    integral: bool = False

    @property
    def own(self) -> Shape:
        """The shape without the batch, as the draft has it: at least one dimension."""
        return without(self.shape, self.axis) or (1,)

    @property
    def axis(self) -> int | None:
        """The dimension that the draft's shape leaves out, or None."""
        return None if self.merged else self.batch

    def own_axis(self, axis: int) -> int:
        """The number in the draft of a dimension of the model. Raises AcrossBatch if it is the batch."""
        rank = len(self.shape)
        if not -rank <= axis < max(1, rank):
            raise Invalid(f"axis {axis} of an input with {rank} dimensions")
        axis %= max(1, rank)
        if self.axis is None or not rank:
            return axis
        if axis == self.axis:
            raise AcrossBatch("it acts along the batch")
        return axis - (axis > self.axis)


Value = Const | Activation


def without(shape: Sequence[int], axis: int | None) -> Shape:
    """The shape without one dimension; all of it for None."""
    return tuple([size for dimension, size in enumerate(shape) if dimension != axis])


class Call:
    """A node and its inputs' values; None for an input that is left out. opset: of the node's domain."""

    __slots__ = ("inputs", "node", "opset")

    def __init__(self, node: OnnxNode, opset: int, inputs: Sequence[Value | None]) -> None:
        self.node = node
        self.opset = opset
        self.inputs = tuple(inputs)

    @property
    def op(self) -> str:
        return self.node.op

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute, with byte strings decoded."""
        value = self.node.attributes.get(name, default)
        return value.decode(errors="replace") if isinstance(value, bytes) else value

    def integer(self, name: str, default: int) -> int:
        """An attribute that is an integer. Raises Invalid for another type."""
        value = self.attribute(name, default)
        if not isinstance(value, int):
            raise Invalid(f"attribute {name} is not an integer")
        return value

    def number(self, name: str, default: float) -> float:
        """An attribute that is a number, rounded to the decimal that a 32-bit float stands for."""
        value = self.attribute(name, default)
        if not isinstance(value, (int, float)):
            raise Invalid(f"attribute {name} is not a number")
        return decimal(float(value))

    def text(self, name: str, default: str) -> str:
        """An attribute that is a text."""
        value = self.attribute(name, default)
        if not isinstance(value, str):
            raise Invalid(f"attribute {name} is not a text")
        return value

    def integers(self, name: str) -> tuple[int, ...] | None:
        """An attribute that is a list of integers; None without it."""
        value = self.attribute(name)
        if value is None:
            return None
        if not isinstance(value, (tuple, list)) or not all(isinstance(item, int) for item in value):
            raise Invalid(f"attribute {name} is not a list of integers")
        return tuple(value)

    def tensor(self, name: str) -> OnnxTensor | None:
        """An attribute that is a tensor; None without it."""
        value = self.attribute(name)
        return value if isinstance(value, OnnxTensor) else None

    def given(self, place: int) -> Value | None:
        """An input; None if it is left out."""
        return self.inputs[place] if place < len(self.inputs) else None

    def value(self, place: int) -> Value:
        """An input that must be there. Raises Invalid."""
        value = self.given(place)
        if value is None:
            raise Invalid(f"input {place + 1} is missing")
        return value

    def activation(self, place: int = 0) -> Activation:
        """An input that must depend on the network's input. Raises Unmapped."""
        value = self.value(place)
        if isinstance(value, Const):
            raise Unmapped(f"input {place + 1} is a constant")
        return value

    def const(self, place: int) -> Const:
        """An input that must be a constant. Raises Unmapped."""
        value = self.value(place)
        if not isinstance(value, Const):
            raise Unmapped(f"input {place + 1} is computed from the network's input")
        return value

    def optional(self, place: int) -> Const | None:
        """A constant input, or None if it is left out. Raises Unmapped if it is computed."""
        return None if self.given(place) is None else self.const(place)

    def numbers(self, place: int) -> list[Any] | None:
        """The values of a constant input; None if it is left out. Raises Unmapped if they are not known."""
        const = self.optional(place)
        if const is None:
            return None
        if not const.known:
            raise Unmapped(f"input {place + 1} is not known without its weights")
        return list(const.values())

    def whole(self, place: int) -> list[int] | None:
        """Like `numbers`, for integers."""
        numbers = self.numbers(place)
        return None if numbers is None else [int(number) for number in numbers]

    def axes(self, place: int, since: int) -> list[int] | None:
        """`axes`: an input from opset `since` on, an attribute before; None without it."""
        if self.opset >= since or self.given(place) is not None:
            return self.whole(place)
        given = self.integers("axes")
        return None if given is None else list(given)


def decimal(value: float) -> float:
    """The shortest decimal that rounds to the same 32-bit float: 1e-05 for 9.999999747378752e-06."""
    from struct import error, pack

    try:
        wanted = pack("<f", value)
    except (OverflowError, error):
        return value
    for digits in range(1, 10):
        short = float(f"{value:.{digits}g}")
        if pack("<f", short) == wanted:
            return short
    return value


def normal(axis: int, rank: int) -> int:
    """An axis counted from 0. Raises Invalid if it is out of range."""
    if not -rank <= axis < rank:
        raise Invalid(f"axis {axis} of an input with {rank} dimensions")
    return axis % rank


def broadcast(*shapes: Sequence[int]) -> Shape:
    """The common shape of several, aligned at their last dimensions. Raises Invalid if they do not fit."""
    rank = max(map(len, shapes))
    wide = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    result = []
    for sizes in zip(*wide, strict=True):
        others = {size for size in sizes if size != 1}
        if len(others) > 1:
            raise Invalid(
                f"shapes {' and '.join(str(list(shape)) for shape in shapes)} do not fit each other"
            )
        result.append(others.pop() if others else 1)
    return tuple(result)


def target_shape(wanted: Sequence[int], shape: Sequence[int], allow_zero: bool) -> Shape:
    """The shape that Reshape's target means for an input: 0 copies a dimension unless allow_zero, -1 is inferred.
    Raises Invalid if the numbers of values differ."""
    sizes = list(wanted)
    if not allow_zero:
        for place, size in enumerate(sizes):
            if size == 0:
                if place >= len(shape):
                    raise Invalid(f"a shape {list(wanted)} copies dimension {place} of {list(shape)}")
                sizes[place] = shape[place]
    total = prod(shape)
    if sizes.count(-1) == 1:
        known = prod(size for size in sizes if size != -1)
        if known and total % known == 0:
            sizes[sizes.index(-1)] = total // known
    if min(sizes, default=0) < 0 or prod(sizes) != total:
        raise Invalid(f"the shape {list(wanted)} does not fit an input of {list(shape)}")
    return tuple(sizes)


def sliced(call: Call, rank: int, sizes: Sequence[int]) -> list[range]:
    """The indices that Slice keeps of each dimension. Raises Unmapped if its numbers are not known."""
    given: Sequence[int] | None
    if call.opset < 10 and call.given(1) is None:
        starts, ends = list(call.integers("starts") or ()), list(call.integers("ends") or ())
        given, steps = call.integers("axes"), [1] * len(starts)
    else:
        starts, ends = call.whole(1) or [], call.whole(2) or []
        given, steps = call.whole(3), call.whole(4) or [1] * len(starts)
    axes = list(range(len(starts))) if given is None else [normal(axis, rank) for axis in given]
    kept = [range(size) for size in sizes]
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise Invalid("starts, ends, axes and steps do not fit each other")
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        if axis >= rank:
            raise Invalid(f"axis {axis} of an input with {rank} dimensions")
        if step < 0 and end < -sizes[axis]:
            kept[axis] = range(sizes[axis])[start::step]
        else:
            kept[axis] = range(sizes[axis])[start:end:step]
    return kept


def pieces(call: Call, length: int) -> list[int]:
    """The sizes of Split's outputs along its axis. Raises Invalid if they do not add up."""
    given = call.whole(1) if call.opset >= 13 or call.given(1) is not None else call.integers("split")
    count = call.integer("num_outputs", len(call.node.outputs))
    if given is None:
        if count < 1:
            raise Invalid("no outputs")
        size = -(-length // count)
        sizes = [max(0, min(size, length - place * size)) for place in range(count)]
    else:
        sizes = list(given)
    if sum(sizes) != length or min(sizes, default=0) < 0:
        raise Invalid(f"parts of {sizes} of {length}")
    return sizes
