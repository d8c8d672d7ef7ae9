"""A traced PyTorch module as plain data: what `trace` makes with PyTorch, and `mapping` reads without it.

Shapes are PyTorch's, with a batch of `Program.batch` images: a prime that no other dimension is a multiple of. A
dimension equal to it is the batch; one that is a multiple of it has the batch merged into it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from convcalc.shapes import Shape

BATCHES = (10007, 10009, 10037, 10039, 10061, 10067)  # primes, of which one stands for the number of images


class Ref(NamedTuple):
    """A value in the arguments of a call, by name."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A call of an operator.

    op: the name of the aten operator without overload, `conv2d`; overload: `default`. arguments: by the name in the
    operator's schema, defaults filled in; tensors are `Ref`s. shapes: of its results, None for one that is no tensor.
    path: the innermost module whose `forward` makes the call.
    """

    name: str
    op: str
    overload: str
    arguments: Mapping[str, Any]
    shapes: tuple[Shape | None, ...]
    path: str = ""

    def refs(self) -> list[str]:
        """The names of the values that the call takes."""
        return [ref.name for ref in _refs(tuple(self.arguments.values()))]


def _refs(value: Any) -> list[Ref]:
    if isinstance(value, Ref):
        return [value]
    if isinstance(value, (list, tuple)):
        return [ref for item in value for ref in _refs(item)]
    return []


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor that does not depend on the network's inputs, with one image's share of a batch dimension.

    shape: PyTorch's, with the batch; size: the shape of the values, without. key: the name of the parameter or buffer
    whose numbers these are in their order, or "". learned: the parameters that the values depend on. read: returns the
    bytes, row-major and little-endian, of type dtype (safetensors' name). call: what made it, if it is not a
    parameter or buffer itself.
    """

    shape: Shape
    size: Shape
    dtype: str
    read: Callable[[], bytes | memoryview] = field(repr=False, compare=False)
    key: str = ""
    learned: frozenset[str] = frozenset()
    call: Call | None = None


@dataclass(frozen=True)
class ModuleCall:
    """A module that is one operator, whatever its `forward` is made of. kind: its class, one of `WHOLE_MODULES`.
    fields: its attributes; keys: its parameters by their names in it."""

    kind: str
    fields: Mapping[str, Any]
    keys: Mapping[str, str]


@dataclass(frozen=True)
class Program:
    """A traced module.

    inputs: names of values with the name that the user knows them by and their shape. outputs: the name of each, None
    if it has none, and the value. stored: tensors by value's name; calls: in order. classes: of modules, by path;
    modules: those that are one operator, by path.
    """

    name: str
    batch: int
    inputs: Sequence[tuple[str, str, Shape]]
    outputs: Sequence[tuple[str | None, str]]
    stored: Mapping[str, Stored]
    calls: Sequence[Call]
    classes: Mapping[str, str] = field(default_factory=dict)
    modules: Mapping[str, ModuleCall] = field(default_factory=dict)

    def size(self, shape: Shape) -> Shape:
        """A shape without the batch: (1,) if nothing else is left."""
        return without_batch(shape, self.batch)


def without_batch(shape: Shape, batch: int) -> Shape:
    """A shape without the batch: (1,) if nothing else is left."""
    sizes = [size // batch if size and not size % batch else size for size in shape if size != batch]
    return tuple(sizes) or (1,)
