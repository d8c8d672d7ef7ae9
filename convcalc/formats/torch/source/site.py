"""A layer where it stands in PyTorch source, and what it becomes there: the records of `forms` and of its tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from convcalc.errors import ConvcalcError
from convcalc.ops import Operator
from convcalc.shapes import Shape


class InexpressibleError(ConvcalcError):
    """A network, or a layer, that PyTorch source cannot express; the message says what and why."""


@dataclass(frozen=True, slots=True)
class Call:
    """The source of a call, kept apart so that a long one can be broken into lines. name: what is called. arguments:
    texts or calls; `key=` belongs to the text, or to the name of the call. brackets: `[]` of a list."""

    name: str
    arguments: tuple[str | Call, ...] = ()
    brackets: str = "()"

    def __str__(self) -> str:
        return f"{self.name}{self.brackets[0]}{', '.join(map(str, self.arguments))}{self.brackets[1]}"


@dataclass(frozen=True, slots=True)
class Form:
    """A layer in source.

    module: the constructor of the module that computes it, or None. value: the constructor of the tensor that it is
    (a parameter or a buffer). call: the expression of its output: `{self}` is the attribute, `{0}`, `{1}` are the
    inputs; "" if it calls the module with its input. stored: attributes that `forward` needs, by name, with the source
    of their values. helpers: the names of helpers in the sources. batched: whether the output has a batch axis.
    """

    module: Call | None = None
    value: str = ""
    call: str = ""
    is_buffer: bool = False
    is_saved: bool = False  # of a buffer: whether it is in the state_dict
    stored: Mapping[str, str] = field(default_factory=dict)
    helpers: tuple[str, ...] = ()
    batched: bool = True

    @property
    def in_chain(self) -> bool:
        """Whether the module, called with its input alone, computes the layer."""
        return self.module is not None and "{self}" not in self.call

    @property
    def is_function(self) -> bool:
        """Whether `forward` computes the layer without a module of its own."""
        return bool(self.call) and "{self}" not in self.call


@dataclass(slots=True)
class Site:
    """A layer where it stands in the source.

    op, shapes: bound to its inputs. sizes: the source of each dimension of the first input, if it is known. fields:
    the source of the fields that the parameters of a block set. batched: for each input, whether it has a batch axis.
    attribute: the prefix of stored attributes. like: the source of the tensor whose size the output takes, if it is at
    hand.
    """

    op: Any
    shapes: tuple[Shape, ...]
    sizes: tuple[str | None, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    batched: tuple[bool, ...] = (True,)
    attribute: str = "layer"
    like: str | None = None
    stored: dict[str, str] = field(default_factory=dict)

    @property
    def shape(self) -> Shape:
        """The shape of the first input."""
        return self.shapes[0]

    @property
    def rank(self) -> int:
        """The number of spatial dimensions of the first input."""
        return len(self.shape) - 1

    @property
    def channels(self) -> str:
        """The source of the first input's channels."""
        return self.size(0)

    @property
    def lead(self) -> int:
        """The number of dimensions before the first input's channels: 1 with a batch axis."""
        return int(self.batched[0]) if self.batched else 0

    def size(self, dimension: int) -> str:
        """The source of the size of a dimension of the first input. Raises InexpressibleError if it is not known."""
        if not self.sizes:
            return str(self.shape[dimension])
        found = self.sizes[dimension]
        if found is None:
            raise InexpressibleError(f"{self.attribute}: the size of what it reads differs between uses")
        return found

    def text(self, name: str) -> str:
        """The source of a field's value, for a constructor."""
        return self.fields[name] if name in self.fields else source_of(getattr(self.op, name))

    def at_hand(self, name: str) -> str:
        """The source of a field's value, for `forward`: an attribute if parameters set it."""
        if name not in self.fields:
            return source_of(getattr(self.op, name))
        self.stored[name] = self.fields[name]
        return f"self.{name}"

    def is_set(self, name: str) -> bool:
        """Whether the parameters of a block set the field."""
        return name in self.fields

    def differs(self, name: str, default: object) -> bool:
        """Whether the field is not the default that PyTorch has."""
        return name in self.fields or getattr(self.op, name) != default

    def keyword(self, name: str, default: object, key: str | None = None) -> tuple[str, ...]:
        """`key=value` unless the value is PyTorch's default."""
        return (f"{key or name}={self.text(name)}",) if self.differs(name, default) else ()

    def axis(self, dimension: int) -> int:
        """The dimension of the tensor that is a dimension of ours."""
        return dimension + self.lead

    def axes(self, dimensions: Sequence[int]) -> str:
        """The source of dimensions of the tensor: one number, or a tuple."""
        places = [self.axis(dimension) for dimension in dimensions]
        return str(places[0]) if len(places) == 1 else tuple_of(places)


Maker = Callable[[Site], Form]
FORMS: dict[type[Operator], Maker] = {}
REFUSED: dict[type[Operator], str] = {}  # operators without a form, with the reason


def form_of(*operators: type[Operator]) -> Callable[[Maker], Maker]:
    """Registers a function as the form of operators."""

    def register(maker: Maker) -> Maker:
        for operator in operators:
            FORMS[operator] = maker
        return maker

    return register


def source_of(value: object) -> str:
    """The source of a value of a field: numbers as people write them, lists as tuples, equal ones once."""
    if isinstance(value, (tuple, list)):
        return tuple_of(value)
    if isinstance(value, float):
        if value in (float("inf"), float("-inf")) or value != value:
            return f'float("{value}")'
        if value.is_integer() and abs(value) < 1e15:
            return f"{value:.1f}"
        return re.sub(r"e([+-])0*(\d)", lambda match: f"e{match[1].replace('+', '')}{match[2]}", repr(value))
    if isinstance(value, str):
        return quoted(value)
    return repr(value)


def quoted(text: str) -> str:
    """A text in double quotes."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return ascii(text) if "'" in ascii(text)[1:-1] or '"' in text else f'"{ascii(text)[1:-1]}"'


def tuple_of(values: Sequence[object]) -> str:
    """A tuple of sources or values."""
    texts = [value if isinstance(value, str) else source_of(value) for value in values]
    return f"({texts[0]},)" if len(texts) == 1 else f"({', '.join(texts)})"


def compact_of(values: Sequence[int]) -> str:
    """One number if all are equal, else a tuple."""
    return str(values[0]) if len(set(values)) == 1 else tuple_of(values)
