"""Parameters of a block: what differs between the instances of a pattern, said with as few numbers as possible.

A field that is equal in all instances stays as it is. Of the others, channel counts are said as another parameter, a
multiple of one, or a multiple or part of the channels that come in; a padding as half the kernel; the rest becomes a
parameter. Entries that some instances lack get an `if`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from convcalc import ops
from convcalc.formats.spec.conditions import Conditions
from convcalc.formats.spec.parameter_names import name_parameters
from convcalc.formats.spec.parts import Body, Part, Reference
from convcalc.formats.spec.patterns import Column, Pattern, Row
from convcalc.formats.spec.records import Expression, Required
from convcalc.formats.spec.slots import (
    CHANNEL_FIELDS,
    FIRST,
    MAX_FACTOR,
    MISSING,
    Parameter,
    Slot,
    Text,
    fits,
    half,
    is_listed,
    itself,
    labelled,
    multiple,
    relation,
    size,
    spelled,
    times,
)
from convcalc.graph import Graph

NOWHERE = -(2**40)  # the layer that a reference means in an instance without the entry


@dataclass(slots=True, eq=False)
class DraftBlock:
    """A block in the making. channels: the parameters that are channel counts, for patterns that use the block."""

    name: str
    body: Body
    params: dict[str, Any]
    refs: tuple[str, ...]
    indexed: bool
    channels: frozenset[str]
    arguments: list[dict[str, Any]]
    class_name: str | None = None


class Parametriser:
    """Finds the parameters of a pattern. blocks: those made so far, which its entries may use."""

    def __init__(self, graph: Graph, blocks: Mapping[str, DraftBlock], pattern: Pattern) -> None:
        self.graph = graph
        self.blocks = blocks
        self.pattern = pattern
        self.params: list[Parameter] = []
        self.entering: Parameter | None = None
        self.written: dict[int, dict[str, Any]] = {}  # by column: its fields in the template
        self.conditions = Conditions(self.params, self._channels)
        self.refs: list[list[int]] = []
        self.slots: dict[tuple[int, str], Slot] = {}

    def block(self, name: str, class_name: str | None) -> DraftBlock:
        """The block of the pattern, with the arguments of each instance."""
        row = self.pattern.row
        varying: list[Slot] = []
        for column, label in labelled(row, None):
            self.written[id(column)] = {}
            for slot in self._slots(column, label):
                self.slots[id(column), slot.key] = slot
                known = [value for value in slot.values if value is not MISSING]
                if all(value == known[0] for value in known):
                    if known[0] != slot.standard:
                        self.written[id(column)][slot.key] = known[0]
                else:
                    varying.append(slot)
                    self.written[id(column)][slot.key] = slot
        for slot in sorted((slot for slot in varying if slot.channel), key=size):
            slot.text = self._channel_text(slot)
        for slot in sorted((slot for slot in varying if not slot.channel), key=is_listed):
            slot.items = self._items(slot)
            if slot.items is None:
                slot.text = self._text(slot)
        self.conditions.settle(row)
        name_parameters(self.params, self._texts(row))
        body = self._template(row)
        params = {parameter.name: parameter.default for parameter in self.params}
        refs = tuple(["skip" if len(self.refs) == 1 else f"skip{n + 1}" for n in range(len(self.refs))])
        return DraftBlock(
            name,
            body,
            params,
            refs,
            row.counted,
            frozenset(parameter.name for parameter in self.params if parameter.channel),
            [self._arguments(instance, refs) for instance in range(len(self.pattern.instances))],
            class_name,
        )

    # -- slots --------------------------------------------------------------------------------------------------

    def _slots(self, column: Column, label: str | None) -> Iterator[Slot]:
        """A slot for each field that the entry has in any instance."""
        keys: dict[str, None] = {}
        for part in column.parts:
            if part is not None:
                keys |= dict.fromkeys(part.fields)
                if part.repeat is not None:
                    keys["repeat"] = None
                keys |= dict.fromkeys(FIRST + name for name in part.first)
        for key in keys:
            values = [MISSING if part is None else self._value(part, key) for part in column.parts]
            if any(isinstance(value, Reference) for value in values):
                continue
            yield Slot(column, key, values, self._is_channel(column, key), label, self._standard(column, key))

    def _value(self, part: Part, key: str) -> Any:
        if key == "repeat":
            return part.repeat
        if key.startswith(FIRST):
            return part.first[key.removeprefix(FIRST)]
        if key in part.fields:
            return part.fields[key]
        default = self._default(part.kind, key, part.is_use)
        if isinstance(default, Expression):
            return evaluated(default, self.graph.shape(part.main)[0]) if part.main is not None else None
        return default

    def _default(self, kind: str, key: str, is_use: bool) -> Any:
        if is_use:
            return self.blocks[kind].params.get(key)
        info = ops.get(kind).fields()[key]
        return info.default

    def _standard(self, column: Column, key: str) -> Any:
        """The value of a field that is not written, MISSING if it has to be."""
        if key == "repeat" or key.startswith(FIRST) or key not in self._known(column):
            return MISSING
        default = self._default(column.kind, key, column.part.is_use)
        if not column.part.is_use and ops.get(column.kind).fields()[key].required:
            return MISSING
        return MISSING if isinstance(default, (Expression, Required)) else default

    def _known(self, column: Column) -> Mapping[str, Any]:
        return self.blocks[column.kind].params if column.part.is_use else ops.get(column.kind).fields()

    def _is_channel(self, column: Column, key: str) -> bool:
        bare = key.removeprefix(FIRST)
        if column.part.is_use:
            return bare in self.blocks[column.kind].channels
        of_channels = bare in ("start", "stop") and all(
            part is None or "axis" not in part.fields for part in column.parts
        )
        return bare in CHANNEL_FIELDS or of_channels

    # -- texts --------------------------------------------------------------------------------------------------

    def _channel_text(self, slot: Slot) -> Text:
        """A channel count as parameter, as a multiple of one, or relative to the channels that come in."""
        for factor in range(1, MAX_FACTOR + 1):
            for parameter in self.params:
                if parameter.channel and fits(slot.values, parameter.values, times(factor)):
                    return [parameter] if factor == 1 else [f"{factor} * ", parameter]
        known = {value for value in slot.values if value is not MISSING}
        if len(known) > 1 and sum(value is not MISSING for value in slot.values) > 2:
            own = [self._channels(start) for start in slot.column.starts]
            if (follows := relation(slot.values, own)) is not None:
                return follows("channels")
            around = [self._channels(instance.main) for instance in self.pattern.instances]
            if (follows := relation(slot.values, around)) is not None:
                if self.entering is None:
                    self.entering = Parameter("entering", around, computed=Expression("channels"))
                    self.params.append(self.entering)
                return follows(self.entering)
        return [self._new(slot)]

    def _text(self, slot: Slot) -> Text:
        """Another value as half the kernel or as parameter."""
        kernel = self.slots.get((id(slot.column), slot.key.replace("padding", "kernel")))
        single = slot.key.endswith("padding") and kernel is not None and len(kernel.text or ()) == 1
        if single and kernel is not None and kernel.text and fits(slot.values, kernel.values, half):
            return [*kernel.text, " // 2"]
        like = [parameter for parameter in self.params if parameter.key == slot.key]
        for parameter in sorted(like, key=lambda parameter: parameter.label != slot.label):
            if fits(slot.values, parameter.values, itself):
                return [parameter]
        return [self._new(slot)]

    def _items(self, slot: Slot) -> list[Any] | None:
        """The items of a list that differs in numbers which other parameters have: `[1, $heads, 49, 49]`."""
        lists = [value for value in slot.values if value is not MISSING]
        if not all(isinstance(value, tuple) and len(value) == len(lists[0]) for value in lists):
            return None
        found: list[Any] = []
        for place in range(len(lists[0])):
            values = [value if value is MISSING else value[place] for value in slot.values]
            if all(value[place] == lists[0][place] for value in lists):
                found.append(lists[0][place])
                continue
            for factor in range(1, MAX_FACTOR + 1):
                same = [
                    p
                    for p in self.params
                    if type(p.value(0)) is int and fits(values, p.values, times(factor))
                ]
                if same and all(value is MISSING or type(value) is int for value in values):
                    found.append(multiple(factor, same[0]))
                    break
            else:
                return None
        return found

    def _new(self, slot: Slot) -> Parameter:
        parameter = Parameter(
            slot.key, list(slot.values), slot.channel, slot.label, slot.standard, kind=slot.column.kind
        )
        self.params.append(parameter)
        return parameter

    def _channels(self, index: int | None) -> Any:
        return MISSING if index is None else self.graph.shape(index)[0]

    # -- the template -------------------------------------------------------------------------------------------

    def _texts(self, row: Row) -> list[Text]:
        """What the template says with parameters, in its order."""
        found: list[Text] = []
        for column, _ in labelled(row, None):
            for value in self.written[id(column)].values():
                if isinstance(value, Slot):
                    found += value.texts()
            found += [self.conditions.found.get(id(place), []) for place in (column, *column.bodies)]
        return found

    def _template(self, row: Row) -> Body:
        """The body of the block: the parts of the pattern with expressions for what varies."""
        parts = [self._template_part(column) for column in row.columns]
        condition = self.conditions.found.get(id(row))
        return Body(
            parts,
            row.body.entry,
            row.body.path,
            None if condition is None else Expression(spelled(condition)),
        )

    def _template_part(self, column: Column) -> Part:
        part = column.part
        fields: dict[str, Any] = {}
        first: dict[str, Any] = {}
        repeat = part.repeat
        for key, value in self.written[id(column)].items():
            written = value.written() if isinstance(value, Slot) else value
            if key == "repeat":
                repeat = written
            elif key.startswith(FIRST):
                first[key.removeprefix(FIRST)] = written
            else:
                fields[key] = written
        for key, value in part.fields.items():
            if isinstance(value, Reference):
                fields[key] = self._reference(column, value, partial(_field_reference, key))
        origin = tuple(
            [
                self._reference(column, source, partial(_origin_at, place))
                for place, source in enumerate(part.origin)
            ]
        )
        condition = self.conditions.found.get(id(column))
        bodies = [self._template(row) for row in column.bodies]
        return replace(
            part,
            fields=fields,
            first=first,
            repeat=repeat,
            origin=origin,
            condition=None if condition is None else Expression(spelled(condition)),
            branches=bodies if part.branches is not None else None,
            body=part.body if part.is_use else bodies[0] if part.body is not None else None,
            reads=tuple(
                [start if has else None for start, has in zip(column.starts, column.present, strict=True)]
            ),
            nodes=tuple([None if p is None or p.node is None else p.node.index for p in column.parts]),
        )

    def _reference(self, column: Column, value: Any, of: Callable[[Part], Any]) -> Any:
        """A reference as it is within the group, or the block's own name of a layer outside."""
        instances = self.pattern.instances
        where = next(place for place, part in enumerate(column.parts) if part is column.part)
        if not isinstance(value, Reference) or value.index in instances[where].inner:
            return value
        indices = [NOWHERE if part is None else of(part).index for part in column.parts]
        for place, known in enumerate(self.refs):
            if all(a == b or NOWHERE in (a, b) for a, b in zip(indices, known, strict=True)):
                self.refs[place] = [max(a, b) for a, b in zip(indices, known, strict=True)]
                return _Ref(place)
        self.refs.append(indices)
        return _Ref(len(self.refs) - 1)

    def _arguments(self, instance: int, refs: Sequence[str]) -> dict[str, Any]:
        """What an instance gives: the arguments that differ from their defaults, and its references."""
        found: dict[str, Any] = {}
        for parameter in self.params:
            if parameter.computed is None:
                value = parameter.value(instance)
                if parameter.values[instance] is not MISSING and (
                    isinstance(parameter.default, Required) or value != parameter.default
                ):
                    found[parameter.name] = value
        for place, name in enumerate(refs):
            index = self.refs[place][instance]
            found[name] = None if index == NOWHERE else Reference(index)
        return found


@dataclass(frozen=True, slots=True)
class _Ref:
    """A block's reference by its number, until all are known."""

    number: int


def name_references(body: Body, refs: Sequence[str]) -> None:
    """Put the names of a block's references in their places."""
    stack = [body]
    while stack:
        for part in stack.pop().parts:
            part.origin = tuple([_named(source, refs) for source in part.origin])
            part.fields = {key: _named(value, refs) for key, value in part.fields.items()}
            if not part.is_use:
                stack += part.bodies()


def _named(value: Any, refs: Sequence[str]) -> Any:
    return Expression(refs[value.number]) if isinstance(value, _Ref) else value


def evaluated(expression: Expression, channels: int) -> int:
    """The value of a default computed from the channels that come in, such as `channels`."""
    assert expression.text == "channels"
    return channels


def _field_reference(name: str, part: Part) -> Any:
    return part.fields[name]


def _origin_at(place: int, part: Part) -> Any:
    return part.origin[place]
