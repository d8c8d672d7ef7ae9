"""From a traced PyTorch module to a draft of its layers, without the batch.

Each call is looked up in a table by the name of its aten operator. What a call gives is a `Value`: a layer of the draft
with its shape in PyTorch. Tensors that depend on no input stay as they are until a layer needs them: as its kernel, or
as a layer of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from convcalc.errors import Misfit
from convcalc.formats.draft import Draft
from convcalc.formats.torch.read.constants import rule_of
from convcalc.formats.torch.read.memory import Memory, writes, written_argument
from convcalc.formats.torch.read.records import Call, Program, Ref, Stored
from convcalc.graph import Input
from convcalc.ops import Operator
from convcalc.ops import get as operator_class
from convcalc.shapes import Shape
from convcalc.weights.tensors import StoredTensor

MAX_EXAMPLES = 5  # layers or tensors that a note names


@dataclass(frozen=True, slots=True)
class Value:
    """A layer of the draft, or an input. shape: PyTorch's, with the batch."""

    index: int
    shape: Shape

    def shaped(self, shape: Shape) -> Value:
        """The same layer with another shape in PyTorch, such as with dimensions of 1."""
        return Value(self.index, shape)


Values = tuple[Value | None, ...]
Handler = Callable[["Mapper", Call], "Value | Stored | Values"]


class Unmapped(Exception):
    """A call that cannot be expressed by our operators; the text says why."""


# What a handler raises for arguments that it cannot express, or that the table does not foresee.
UNREADABLE = (Unmapped, Misfit, LookupError, TypeError, ValueError)


class Mapper:
    """The state of a mapping: the draft, and what each name of the program stands for."""

    def __init__(self, program: Program, max_layers: int, handlers: Mapping[str, Handler]) -> None:
        self.program = program
        self.handlers = handlers
        self.draft = Draft(
            [Input(name, program.size(shape)) for _, name, shape in program.inputs], max_layers
        )
        self.draft.classes.update(
            {path: kind.rpartition(".")[2] for path, kind in program.classes.items() if path}
        )
        self.env: dict[str, Value | Stored | Values] = {
            value: Value(-1 - place, shape) for place, (value, _, shape) in enumerate(program.inputs)
        }
        self.env.update(program.stored)
        self.memory = Memory()
        self.layers: dict[tuple[str, Shape], int] = {}  # layers of stored tensors, by key or name and shape
        self.kernels: dict[tuple[str, type[Operator]], int] = {}  # the first layer with a kernel
        self.joins: dict[tuple[Any, ...], int] = {}  # concatenations by their inputs
        self.computed: list[str] = []  # tensors computed from parameters
        self.fixed: list[str] = []  # kernels that are no parameters, yet counted as weights
        self.call = Call("", "", "", {}, ())
        self._readers: dict[str, set[str]] = {}
        for call in program.calls:
            for name in call.refs():
                self._readers.setdefault(name, set()).add(call.op)

    # -- arguments ---------------------------------------------------------------------------------------

    def value(self, given: Any) -> Value:
        """An argument as a layer. Raises Unmapped if it is no tensor."""
        found = self.given(given)
        if isinstance(found, Value):
            return found
        if isinstance(found, Stored):
            return Value(self.layer_of(found, found.size), found.shape)
        raise Unmapped("an argument is no tensor")

    def value_of(self, name: str) -> Value:
        """A value by name."""
        return self.value(Ref(name))

    def readers(self, name: str) -> set[str]:
        """The operators that read a value."""
        return self._readers.get(name, set())

    def given(self, given: Any) -> Value | Stored | Values | None:
        """What an argument stands for; None if it is no tensor."""
        return self.env.get(given.name) if isinstance(given, Ref) else None

    def stored(self, given: Any) -> Stored | None:
        """An argument that depends on no input, else None."""
        found = self.given(given)
        return found if isinstance(found, Stored) else None

    def number(self, given: Any) -> float | None:
        """An argument's number: written, or a single fixed one; None if it is neither."""
        if isinstance(given, (int, float)) and not isinstance(given, bool):
            return float(given)
        found = self.stored(given)
        if found is not None and not found.learned and prod(found.size) == 1:
            return float(tensor(found).values()[0])
        return None

    def size(self, value: Value) -> Shape:
        """The shape of a value without the batch."""
        return self.draft.shape(value.index)

    def axis(self, shape: Shape, dimension: int) -> int | None:
        """A dimension of PyTorch's shape in ours; None for the batch."""
        dimension %= len(shape)
        if shape[dimension] == self.program.batch:
            return None
        return dimension - (self.program.batch in shape[:dimension])

    # -- layers ------------------------------------------------------------------------------------------

    def add(
        self,
        op: Operator,
        inputs: Sequence[int],
        shape: Shape | None = None,
        tensors: Mapping[str, Stored] | None = None,
        path: str | None = None,
    ) -> Value:
        """Add a layer for the current call. shape: PyTorch's, by default that of the call's first result. tensors: by
        the names of the operator's parameters; the first decides about sharing and about the path."""
        call = self.call
        given = dict(tensors or {})
        first = next(iter(given.values()), None)
        place = path if path is not None else call.path
        shares = None
        if first is not None and first.key:
            owner = first.key.rpartition(".")[0]
            if path is None and (owner.startswith(f"{call.path}.") or not call.path):
                place = owner
            shares = self.kernels.get((first.key, type(op)))
        if first is not None:
            self.computed += [
                f"{place}.{name}" for name, entry in given.items() if entry.learned and not entry.key
            ]
            if "weight" in given and not given["weight"].learned:
                self.fixed.append(f"{place}.weight")
        index = self.draft.add(
            op,
            inputs,
            path=place,
            call=call.op,
            tensors={name: tensor(entry) for name, entry in given.items()},
            shares=shares,
            source=call.name,
        )
        if first is not None and first.key and shares is None:
            self.kernels[first.key, type(op)] = index
        return Value(index, self.result() if shape is None else shape)

    def result(self, place: int = 0) -> Shape:
        """The shape of a result of the current call in PyTorch. Raises Unmapped if it is no tensor."""
        shape = self.call.shapes[place] if place < len(self.call.shapes) else None
        if shape is None:
            raise Unmapped("the result is no tensor")
        return shape

    def layer_of(self, stored: Stored, size: Shape) -> int:
        """The layer of a tensor that depends on no input: a parameter, or what computes it from parameters."""
        name = stored.key or (stored.call.name if stored.call else "")
        known = self.layers.get((name, size))
        if known is not None:
            return known
        if stored.learned and not stored.key and stored.call is not None:
            index = self._computed(stored, size)
        else:
            index = self._parameter(stored, size, name)
        self.layers[name, size] = index
        return index

    def _computed(self, stored: Stored, size: Shape) -> int:
        """The layer of a tensor computed from parameters, by the table; as a parameter if the table does not do."""
        outer, self.call = self.call, stored.call or self.call
        before = len(self.draft.layers)
        try:
            found = self.mapped(self.call)
            value = found[0] if isinstance(found, tuple) else found
            if isinstance(value, Stored):
                value = Value(self.layer_of(value, value.size), value.shape)
            if not isinstance(value, Value):
                raise Unmapped("it stays as it is")
            return self.reshaped(value, size).index
        except UNREADABLE:
            del self.draft.layers[before:]
            self.computed.append(self.call.name)
            return self._parameter(stored, size, "")
        finally:
            self.call = outer

    def _parameter(self, stored: Stored, size: Shape, name: str) -> int:
        path = stored.key or self.call.path
        if not stored.learned:
            rule = rule_of(stored, size)
            if rule is not None:
                return self.draft.add(rule, (), path=path, call="buffer", source=name)
        op = operator_class("parameter")(shape=size, fixed=not stored.learned)  # type: ignore[call-arg]
        entry = StoredTensor(stored.key, size, stored.dtype, stored.read)
        return self.draft.add(op, (), path=path, call="parameter", tensors={"": entry}, source=name)

    def reshaped(self, value: Value, size: Shape, shape: Shape | None = None) -> Value:
        """The value with another shape of ours; no layer if it has it. Successive reshapes become one."""
        index, shape = value.index, value.shape if shape is None else shape
        while self.draft.shape(index) != size and getattr(self.draft.op(index), "regroups", False):
            index = self.draft.layers[index].inputs[0]
        if self.draft.shape(index) == size:
            return Value(index, shape)
        shuffled = self._shuffled(index, size)
        if shuffled is not None:
            return shuffled.shaped(shape)
        if len(size) == 1 and len(self.draft.shape(index)) > 1:
            return self.add(operator_class("flatten")(), (index,), shape)
        return self.add(operator_class("reshape")(shape=size), (index,), shape)  # type: ignore[call-arg]

    def _shuffled(self, index: int, size: Shape) -> Value | None:
        """Channels reshaped into groups, transposed and put together again, as one layer."""
        op = self.draft.op(index)
        if op is None or op.kind != "transpose" or op.shown_fields()["order"][:2] != [1, 0]:
            return None
        before = self.draft.layers[index].inputs[0]
        grouped = self.draft.shape(before)
        if before < 0 or not self.draft.layers[before].op.regroups or len(grouped) != len(size) + 1:
            return None
        source = self.draft.layers[before].inputs[0]
        whole = (grouped[0] * grouped[1], *grouped[2:])
        ordered = op.shown_fields()["order"][2:] == list(range(2, len(grouped)))
        if not ordered or self.draft.shape(source) != size or whole != size:
            return None
        return self.add(operator_class("channel_shuffle")(groups=grouped[0]), (source,))  # type: ignore[call-arg]

    # -- calls -------------------------------------------------------------------------------------------

    def mapped(self, call: Call) -> Value | Stored | Values:
        """What a call gives, by the table. Raises Unmapped or Misfit."""
        handler = self.handlers.get(call.op) or self.handlers.get(call.op.removesuffix("_"))
        if handler is None:
            raise Unmapped("the operator is not known")
        return handler(self, call)

    def run(self, instead: Mapping[str, Callable[[], None]]) -> Draft:
        """The draft of the whole program. instead: what to do at some calls, by name, in place of the table."""
        for call in self.program.calls:
            if call.name in self.program.stored or call.op.startswith(("_assert", "sym_")):
                continue
            self.call = call
            if call.name in instead:
                instead[call.name]()
                continue
            try:
                found = self._checked(self.mapped(call))
            except UNREADABLE:
                found = self._unknown()
            self.env[call.name] = found
            self._changed_in_place(call, found)
        for place, (label, name) in enumerate(self.program.outputs):
            self.call = Call("", "output", "", {}, ())
            self.draft.outputs.append((label or f"output{place + 1}", self.value(Ref(name)).index))
        self.draft.notes += self._notes()
        return self.draft

    def _checked(self, found: Value | Stored | Values) -> Value | Stored | Values:
        """The result, with the shape that PyTorch says; dimensions of 1 may differ on the way."""
        if not isinstance(found, Value):
            return found
        size = self.program.size(found.shape)
        if self.draft.shape(found.index) != size:
            if prod(self.draft.shape(found.index)) != prod(size):
                raise Unmapped("shapes differ")
            return self.reshaped(found, size)
        return found

    def _unknown(self) -> Value | Values:
        """Layers in place of a call that is not known, one for each result."""
        call = self.call
        inputs = [self._source(name) for name in call.refs()]
        sources = [index for index in inputs if index is not None]
        results: list[Value | None] = []
        for shape in call.shapes:
            if shape is None:
                results.append(None)
                continue
            op = operator_class("unknown")(op=call.op, shape=self.program.size(shape))  # type: ignore[call-arg]
            results.append(self.add(op, sources, shape))
        if len(results) == 1 and results[0] is not None:
            return results[0]
        return tuple(results)

    def _source(self, name: str) -> int | None:
        found = self.env.get(name)
        return found.index if isinstance(found, Value) else None

    def _changed_in_place(self, call: Call, found: Value | Stored | Values) -> None:
        """After a call that writes into its first argument, other names of that memory mean the result. What is only
        partly changed is not known any more, should a later call read it."""
        first = written_argument(call)
        if first is not None and writes(call) and isinstance(found, Value):
            whole, parts = self.memory.changed(first)
            for name in whole:
                before = self.env.get(name)
                if isinstance(before, Value):
                    self.env[name] = self.reshaped(found, self.program.size(before.shape), before.shape)
            for name in parts:
                before = self.env.get(name)
                if isinstance(before, Value) and name in self._readers:
                    size = self.program.size(before.shape)
                    op = operator_class("unknown")(op=call.op, shape=size)  # type: ignore[call-arg]
                    self.env[name] = self.add(op, (before.index, found.index), before.shape)
        self.memory.record(call)

    def _notes(self) -> list[str]:
        notes = []
        if self.computed:
            notes.append(
                f"{_listed(self.computed)} computed from other parameters: what comes out is counted, not what goes in"
            )
        if self.fixed:
            notes.append(f"{_listed(self.fixed)} fixed, no parameters in PyTorch; counted as weights here")
        return notes


def _listed(names: Sequence[str]) -> str:
    """`a and 3 more are`, `a, b are`, `a is`."""
    unique = list(dict.fromkeys(names))
    more = f" and {len(unique) - MAX_EXAMPLES:,} more" if len(unique) > MAX_EXAMPLES else ""
    return ", ".join(unique[:MAX_EXAMPLES]) + more + (" is" if len(unique) == 1 else " are")


def tensor(stored: Stored) -> StoredTensor:
    """A stored tensor as the weights of a layer, under its name in the module."""
    return StoredTensor(stored.key, stored.size, stored.dtype, stored.read)
