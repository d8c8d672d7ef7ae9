"""Tensors of a model that do not depend on its input: initialisers, and what nodes compute from them.

A constant has a shape and a type, and computes its values when somebody asks. Those that shapes follow from are known
while a model is mapped; the values of weights, and of what is computed from weights, are read only for a forward pass.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple

from convcalc.formats.onnx.paths import parameter_path
from convcalc.formats.onnx.records import OnnxTensor
from convcalc.weights.tensors import DTYPES, StoredTensor, little_endian

MAX_KNOWN = 1 << 19  # values of a constant that is computed while a model is mapped
MAX_FLOATS = 64  # values of a float initialiser that may be read for that
INTEGERS = {"I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL"}
FLOATS = {"F64", "F32", "F16", "BF16"}


class Array(NamedTuple):
    """Values in row-major order; integers and booleans as int, floats as float."""

    shape: tuple[int, ...]
    values: Sequence[Any]


Rule = Callable[[Sequence[Array]], Sequence[Any]]


class Const:
    """A tensor that does not depend on the input.

    dtype: by safetensors' names. tensor: the initialiser that it is, unchanged but for its shape. sources, rule: what
    it is computed from, and how. known: whether its values may be asked for while a model is mapped. learned: whether
    a parameter of a module is among what it is computed from, by the names of initialisers.
    """

    __slots__ = ("call", "dtype", "known", "learned", "rule", "shape", "sources", "tensor", "values_read")

    def __init__(
        self,
        shape: Sequence[int],
        dtype: str,
        *,
        tensor: OnnxTensor | None = None,
        sources: Sequence[Const] = (),
        rule: Rule | None = None,
        values: Sequence[Any] | None = None,
    ) -> None:
        self.shape = tuple(shape)
        self.dtype = dtype
        self.tensor = tensor
        self.sources = tuple(sources)
        self.rule = rule
        self.values_read = values
        self.call: Any = None  # the node that computes it, with its inputs
        if tensor is not None:
            most = MAX_KNOWN if dtype in INTEGERS else MAX_FLOATS
            self.known = tensor.missing is None and dtype != "STR" and self.count <= most
            self.learned = dtype in FLOATS and self.count > 1 and bool(parameter_path(tensor.name))
        else:
            self.known = values is not None or (
                self.count <= MAX_KNOWN and all(source.known for source in self.sources)
            )
            self.learned = any(source.learned for source in self.sources)

    @property
    def count(self) -> int:
        """The number of values."""
        return prod(self.shape)

    @property
    def integral(self) -> bool:
        """Whether its values are integers or booleans."""
        return self.dtype in INTEGERS

    def values(self) -> Sequence[Any]:
        """All values in row-major order."""
        return evaluate(self).values

    def reshaped(self, shape: Sequence[int]) -> Const:
        """The same values in another shape."""
        again = Const(
            shape, self.dtype, tensor=self.tensor, sources=(self,), rule=lambda given: given[0].values
        )
        again.known, again.learned, again.values_read = self.known, self.learned, self.values_read
        return again

    def stored(self, shape: Sequence[int] | None = None) -> StoredTensor:
        """The constant as a tensor of weights, whose bytes are read or computed on demand. shape: with the same
        number of values; default: its own."""
        shape = self.shape if shape is None else tuple(shape)
        tensor = self.tensor
        if tensor is not None and self.dtype in DTYPES:
            return StoredTensor(tensor.name, shape, self.dtype, tensor.read)
        name = tensor.name if tensor is not None else ""
        double = self.dtype == "F64"

        def read() -> bytes:
            return little_endian(array("d" if double else "f", self.values()))

        return StoredTensor(name, shape, "F64" if double else "F32", read)


def scalar(value: float, dtype: str = "F32") -> Const:
    """A constant with a single value and no dimensions."""
    return Const((), dtype, values=(value,))


def is_readable(const: Const) -> bool:
    """Whether the data of all initialisers that a constant is computed from are there."""
    stack, seen = [const], {id(const)}
    while stack:
        source = stack.pop()
        if source.values_read is not None:
            continue
        if source.tensor is not None and source.tensor.missing is not None:
            return False
        for inner in source.sources if source.tensor is None else ():
            if id(inner) not in seen:
                seen.add(id(inner))
                stack.append(inner)
    return True


def evaluate(wanted: Const) -> Array:
    """The values of a constant. Those of known ones are kept; the chain of sources may be of any length."""
    found: dict[int, Sequence[Any]] = {}
    stack = [wanted]
    while stack:
        const = stack[-1]
        if id(const) in found:
            stack.pop()
            continue
        if const.values_read is not None:
            found[id(const)] = const.values_read
        elif const.tensor is not None:
            found[id(const)] = const.tensor.values()
        else:
            missing = [source for source in const.sources if id(source) not in found]
            if missing:
                stack += missing
                continue
            assert const.rule is not None
            found[id(const)] = const.rule(
                [Array(source.shape, found[id(source)]) for source in const.sources]
            )
        if const.known:
            const.values_read = found[id(const)]
        stack.pop()
    return Array(wanted.shape, found[id(wanted)])


def permuted(given: Array, order: Sequence[int]) -> Sequence[Any]:
    """The values with dimensions permuted: dimension i of the result is dimension order[i]."""
    shape, values = given
    if len(shape) == 2 and tuple(order) == (1, 0) and shape[1]:
        columns = [values[column :: shape[1]] for column in range(shape[1])]
        if isinstance(values, array):
            joined: array[Any] = array(values.typecode)
            for column in columns:
                joined.extend(column)
            return joined
        return [value for column in columns for value in column]
    steps = [prod(shape[dimension + 1 :]) for dimension in order]
    return picked(values, [range(0, shape[d] * s, s) if s else () for d, s in zip(order, steps, strict=True)])


def picked(values: Sequence[Any], offsets: Sequence[Sequence[int]]) -> Sequence[Any]:
    """The values at the sums of one offset a dimension, in row-major order."""
    starts = [0]
    for places in offsets[:-1]:
        starts = [start + place for start in starts for place in places]
    last = offsets[-1] if offsets else (0,)
    if not isinstance(last, range):
        return [values[start + place] for start in starts for place in last]
    result: list[Any] = []
    if len(last) == 0:
        return result
    step = last.step
    for start in starts:
        first = start + last.start
        stop = first + step * len(last)
        result += values[first : (stop if stop >= 0 else None) : step]
    return result
