"""Records of a written spec: what `fold` makes of a graph, and what the writers of YAML and PyTorch source read.

The records say what the spec language says (`convcalc docs language`), so a Document can be written as YAML without
further decisions. Paths in `origin`, `share` and `keys` are relative, as the language resolves them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from convcalc.graph import Input


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression over a block's parameters and `channels`, without its `$( )`: `width`, `4 * width`,
    `stride != 1 or channels != 4 * width`, `hidden != null`.

    It has Python's syntax and precedence, but for the words `true`, `false` and `null`; operators are
    `+ - * //`, comparisons, `and`, `or` and `not`. In an entry's fields and condition, `channels` is the channel count
    of what the entry reads; in a parameter's default it is that of what the use of the block reads.
    """

    text: str


# A value of a field or parameter: None, bool, int, float, str, Expression, or a tuple of values (a list in YAML).
Value = Any


@dataclass(frozen=True, slots=True)
class Required:
    """The default of a parameter that every use of its block gives."""


REQUIRED = Required()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry of a list of layers: a Layer, Group or Use, with the keys common to all of them.

    name: its path segment as written; None if it follows from kind and ordinal (`conv2`), from the numbers of an
    indexed scope, or if a join with branches adds no segment.
    origin: `from`: what it reads instead of the entry before; several for a join or an unknown operator. A text is a
    relative path, an Expression a reference of the enclosing block (`$skip`). Empty: the entry before.
    condition: `if`, an Expression over the block's parameters and `channels`, or None.
    repeat: the number of copies, an int or an Expression; None: no copies and no further scope. The copies read one
    another and are scopes `name.copies(i)`. copies: their segments if not the index: an Expression template such as
    `denselayer$(i + 1)` as text. first: fields or arguments that are added or replaced in copy 0.
    share: relative path of the layer, or for a group or use the scope, whose weights it uses.
    keys: other names of its parameters in a weights file, relative to the enclosing scope, by parameter; under "" one
    path for all of them.
    reads: for each instance of the entry in the graph, the index of the node (or input, below 0) that it reads; its
    first source if it has several. An entry outside blocks has one instance, or none if it is not there; an entry in a
    block's body has one per instance of the block, None where a condition leaves it out. A repeated entry counts by
    its copy 0. `graph.shape(read)[0]` is then the value of `channels`.
    """

    name: str | None = None
    origin: tuple[str | Expression, ...] = ()
    condition: Expression | None = None
    repeat: int | Expression | None = None
    copies: str | None = None
    first: Mapping[str, Value] = field(default_factory=dict)
    share: str | Expression | None = None
    keys: Mapping[str, str] = field(default_factory=dict)
    reads: tuple[int | None, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A branch of a join: its entries read the join's input one after another; none of them is the identity.

    name, naming: as a group's; without a name the entries belong to the join's scope. condition: when false the branch
    is not there; a join with one branch left is that branch.
    """

    layers: tuple[Entry, ...]
    name: str | None = None
    naming: bool = False
    condition: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer(Entry):
    """One operator. kind: its name. fields: those that differ from its defaults (and the Document's `defaults`), in the
    order of writing; names are full (`kernel`, not F).

    branches: of a join written with branches; None for any other layer, and for a join with `from`.
    nodes: for each instance, the index of its node in the graph; None where it is absent (see Entry.reads).
    """

    kind: str
    fields: Mapping[str, Value] = field(default_factory=dict)
    branches: tuple[Branch, ...] | None = None
    nodes: tuple[int | None, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group(Entry):
    """Layers under one name. naming: whether its entries are numbered (`naming: index`) instead of named: an entry's
    segment is then the number after the one before, from 0; a numeric `name` sets it."""

    layers: tuple[Entry, ...]
    naming: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Use(Entry):
    """The use of a block. block: its name. arguments: the parameters that differ from their defaults, then the
    references, whose values are relative paths or, within another block, Expressions."""

    block: str
    arguments: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Layers with parameters. The scope of a use holds the layers directly.

    params: defaults by name, in order: REQUIRED, a value, or an Expression of `channels`, that of the block's input.
    refs: names of layers outside that the body reads (`from: $skip`). naming: as in Group.
    class_name: the class in the original source that the block stands for, such as `Bottleneck`, or None.
    """

    name: str
    layers: tuple[Entry, ...]
    params: Mapping[str, Value] = field(default_factory=dict)
    refs: tuple[str, ...] = ()
    naming: bool = False
    class_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A whole spec.

    blocks: by name, each after those that it uses. defaults: fields by operator, for every layer that does not write
    them. outputs: relative paths by name; empty if the only output is the last layer. head: title, source, task,
    labels, preprocess, published, … in the order of writing, as plain values.
    """

    name: str
    inputs: tuple[Input, ...]
    layers: tuple[Entry, ...]
    blocks: Mapping[str, Block] = field(default_factory=dict)
    defaults: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    head: Mapping[str, Value] = field(default_factory=dict)

    def entries(self) -> Iterator[Entry]:
        """Every entry of the document once, those of blocks first, outer entries before inner ones."""
        for block in self.blocks.values():
            yield from inner_entries(block.layers)
        yield from inner_entries(self.layers)


def inner_entries(layers: tuple[Entry, ...]) -> Iterator[Entry]:
    """The entries and all entries within their groups and branches, outer ones first."""
    stack = list(reversed(layers))
    while stack:
        entry = stack.pop()
        yield entry
        inner: list[Entry] = []
        if isinstance(entry, Group):
            inner += entry.layers
        elif isinstance(entry, Layer):
            for branch in entry.branches or ():
                inner += branch.layers
        stack += reversed(inner)
