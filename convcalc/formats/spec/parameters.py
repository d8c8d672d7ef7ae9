"""Parameters of a block: what differs between the instances of a pattern, said with as few numbers as possible.

A field that is equal in all instances stays as it is. Of the others, channel counts are said as another parameter, a
multiple of one, or a multiple or part of the channels that come in; a padding as half the kernel; the rest becomes a
parameter. Entries that some instances lack get an `if`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from convcalc import ops
from convcalc.formats.spec.parts import Body, Part, Reference
from convcalc.formats.spec.patterns import Column, Pattern, Row, lacks
from convcalc.formats.spec.records import REQUIRED, Expression, Required
from convcalc.graph import Graph
from convcalc.language.reader import YamlSource
from convcalc.language.words import COMMON, name_problem

MAX_FACTOR = 16
MISSING: Any = object()  # the value of a field in an instance that lacks the entry
CHANNEL_FIELDS = ("filters", "units")
FIRST = "first:"
WORDS = {"repeat": "depth", "shape": "dims"}  # names of parameters for fields whose own name is taken
NOWHERE = -(2**40)  # the layer that a reference means in an instance without the entry


@dataclass(slots=True, eq=False)
class Parameter:
    """A parameter in the making. key: the field that it is of. values: by instance, MISSING where it plays no part.

    label, kind: of the entry that it is first used in. default: None is null.
    """

    key: str
    values: list[Any]
    channel: bool = False
    label: str | None = None
    standard: Any = MISSING
    computed: Expression | None = None
    kind: str = ""
    name: str = ""
    default: Any = REQUIRED

    def value(self, instance: int) -> Any:
        """The argument of an instance."""
        found = self.values[instance]
        return None if found is MISSING else found


# A text with parameters in it, whose names are settled at the end.
Text = list["str | Parameter"]


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


@dataclass(slots=True, eq=False)
class _Slot:
    column: Column
    key: str
    values: list[Any]
    channel: bool
    label: str | None
    standard: Any
    text: Text | None = None
    items: list[Any] | None = None  # of a list, values and texts

    def texts(self) -> list[Text]:
        """All texts of the value."""
        items = [item for item in self.items or () if isinstance(item, list)]
        return items if self.text is None else [self.text]

    def written(self) -> Any:
        """The value in the template."""
        if self.items is None:
            return Expression(_spelled(self.text))
        return tuple([Expression(_spelled(item)) if isinstance(item, list) else item for item in self.items])


class Parametriser:
    """Finds the parameters of a pattern. blocks: those made so far, which its entries may use."""

    def __init__(self, graph: Graph, blocks: Mapping[str, DraftBlock], pattern: Pattern) -> None:
        self.graph = graph
        self.blocks = blocks
        self.pattern = pattern
        self.params: list[Parameter] = []
        self.entering: Parameter | None = None
        self.written: dict[int, dict[str, Any]] = {}  # by column: its fields in the template
        self.conditions: dict[int, Text] = {}  # by column or row
        self.refs: list[list[int]] = []
        self.slots: dict[tuple[int, str], _Slot] = {}

    def block(self, name: str, class_name: str | None) -> DraftBlock:
        """The block of the pattern, with the arguments of each instance."""
        row = self.pattern.row
        varying: list[_Slot] = []
        for column, label in _labelled(row, None):
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
        for slot in sorted((slot for slot in varying if slot.channel), key=_size):
            slot.text = self._channel_text(slot)
        for slot in sorted((slot for slot in varying if not slot.channel), key=_is_listed):
            slot.items = self._items(slot)
            if slot.items is None:
                slot.text = self._text(slot)
        self._set_conditions(row, None, False)
        self._name_all()
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

    def _slots(self, column: Column, label: str | None) -> Iterator[_Slot]:
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
            yield _Slot(
                column, key, values, self._is_channel(column, key), label, self._standard(column, key)
            )

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

    def _channel_text(self, slot: _Slot) -> Text:
        """A channel count as parameter, as a multiple of one, or relative to the channels that come in."""
        for factor in range(1, MAX_FACTOR + 1):
            for parameter in self.params:
                if parameter.channel and _fits(slot.values, parameter.values, _times(factor)):
                    return [parameter] if factor == 1 else [f"{factor} * ", parameter]
        known = {value for value in slot.values if value is not MISSING}
        if len(known) > 1 and sum(value is not MISSING for value in slot.values) > 2:
            own = [self._channels(start) for start in slot.column.starts]
            if (relation := _relation(slot.values, own)) is not None:
                return relation("channels")
            around = [self._channels(instance.main) for instance in self.pattern.instances]
            if (relation := _relation(slot.values, around)) is not None:
                if self.entering is None:
                    self.entering = Parameter("entering", around, computed=Expression("channels"))
                    self.params.append(self.entering)
                return relation(self.entering)
        return [self._new(slot)]

    def _text(self, slot: _Slot) -> Text:
        """Another value as half the kernel or as parameter."""
        kernel = self.slots.get((id(slot.column), slot.key.replace("padding", "kernel")))
        single = slot.key.endswith("padding") and kernel is not None and len(kernel.text or ()) == 1
        if single and kernel is not None and kernel.text and _fits(slot.values, kernel.values, _half):
            return [*kernel.text, " // 2"]
        like = [parameter for parameter in self.params if parameter.key == slot.key]
        for parameter in sorted(like, key=lambda parameter: parameter.label != slot.label):
            if _fits(slot.values, parameter.values, _itself):
                return [parameter]
        return [self._new(slot)]

    def _items(self, slot: _Slot) -> list[Any] | None:
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
                    if type(p.value(0)) is int and _fits(values, p.values, _times(factor))
                ]
                if same and all(value is MISSING or type(value) is int for value in values):
                    found.append(_multiple(factor, same[0]))
                    break
            else:
                return None
        return found

    def _new(self, slot: _Slot) -> Parameter:
        parameter = Parameter(
            slot.key, list(slot.values), slot.channel, slot.label, slot.standard, kind=slot.column.kind
        )
        self.params.append(parameter)
        return parameter

    def _channels(self, index: int | None) -> Any:
        return MISSING if index is None else self.graph.shape(index)[0]

    # -- conditions ---------------------------------------------------------------------------------------------

    def _set_conditions(self, row: Row, join: Column | None, identity: bool) -> None:
        """Give an `if` to what some instances lack. join: the join that the list is a branch of."""
        if join is not None and lacks(row.present, join.present):
            self.conditions[id(row)] = self._condition(
                row.present, join.present, join, row.columns, "shortcut"
            )
        for place, column in enumerate(row.columns):
            if lacks(column.present, row.present):
                own = column.part.node is None or column.part.node.named
                label = column.label if column.label and own and not column.label.isdecimal() else column.kind
                if column.kind == "group" or (not place and join is None and len(row.columns) > 2):
                    label = column.label or "expand"
                alone = join if join is not None and not place else None
                self.conditions[id(column)] = self._condition(
                    column.present, row.present, alone, [column], label
                )
            for inner in column.bodies:
                self._set_conditions(inner, column if column.part.branches is not None else None, False)

    def _condition(
        self,
        present: Sequence[bool],
        around: Sequence[bool],
        join: Column | None,
        columns: Sequence[Column],
        label: str,
    ) -> Text:
        """The expression that is true for the instances that have an entry, among those that have what it is in."""
        cases = [(instance, has) for instance, has in enumerate(present) if around[instance]]
        if join is not None and (text := self._by_shape(cases, join)) is not None:
            return text
        for parameter in self.params:
            if parameter.key.startswith("if ") and all(parameter.values[i] is has for i, has in cases):
                return [parameter]
            if parameter.key.startswith("if ") and all(parameter.values[i] is not has for i, has in cases):
                return ["not ", parameter]
        parameter = Parameter(f"if {label}", [bool(has) for has in present], label=label)
        self.params.append(parameter)
        return [parameter]

    def _by_shape(self, cases: Sequence[tuple[int, bool]], join: Column) -> Text | None:
        """A projection is there where stride or channels change, an identity where they do not."""
        channels = [self._channels(start) for start in join.starts]
        strides = [parameter for parameter in self.params if parameter.key in ("stride", FIRST + "stride")]
        widths = [parameter for parameter in self.params if parameter.channel]
        for factor in (1, 2, 4):
            for width in widths:
                wide = [
                    MISSING if value is MISSING or value is None else factor * value for value in width.values
                ]
                if any(channels[i] is MISSING or wide[i] is MISSING for i, _ in cases):
                    continue
                product: Text = [width] if factor == 1 else [f"{factor} * ", width]
                for stride in strides:
                    changes = {i: stride.values[i] != 1 or channels[i] != wide[i] for i, _ in cases}
                    if all(changes[i] is has for i, has in cases):
                        return [stride, " != 1 or channels != ", *product]
                    if all(changes[i] is not has for i, has in cases):
                        return [stride, " == 1 and channels == ", *product]
                differs = {i: channels[i] != wide[i] for i, _ in cases}
                if all(differs[i] is has for i, has in cases):
                    return ["channels != ", *product]
                if all(differs[i] is not has for i, has in cases):
                    return ["channels == ", *product]
        for stride in strides:
            if all((stride.values[i] != 1) is has for i, has in cases):
                return [stride, " != 1"]
            if all((stride.values[i] == 1) is has for i, has in cases):
                return [stride, " == 1"]
        return None

    # -- names and defaults -------------------------------------------------------------------------------------

    def _name_all(self) -> None:
        """Names for all parameters, and their defaults."""
        channels = [parameter for parameter in self.params if parameter.channel]
        taken: set[str] = set()
        self._name_channels(channels)
        for parameter in self.params:
            if not parameter.name:
                word = parameter.key.removeprefix(FIRST).removeprefix("if ")
                parameter.name = _word(WORDS.get(word, word))
            name = parameter.name
            if name in taken and parameter.label:
                name = _word(f"{parameter.label}_{name}")
            number = 2
            while name in taken or not _is_name(name):
                name = f"{parameter.name}_{number}"
                number += 1
            parameter.name = name
            taken.add(name)
            parameter.default = self._default_of(parameter)
        order = {id(parameter): place for place, parameter in enumerate(self._by_appearance())}
        self.params.sort(key=lambda parameter: order.get(id(parameter), len(order)))

    def _name_channels(self, channels: Sequence[Parameter]) -> None:
        """Names for channel counts: the inner block's own, if all come from one use; `width` for the last one and
        `hidden` for another; of several in branches, those of the branches."""
        keys = [parameter.key for parameter in channels]
        labels = Counter(parameter.label for parameter in channels)
        if len(set(keys)) == len(keys) and not {*CHANNEL_FIELDS, "start", "stop"} & set(keys):
            for parameter in channels:
                parameter.name = _word(parameter.key)
        elif len(channels) < 3 or len(labels) == 1:
            last = self._last_channel(channels) if channels else None
            for parameter in channels:
                squeezes = parameter.kind.startswith("squeeze")
                parameter.name = "width" if parameter is last else "squeeze" if squeezes else "hidden"
        else:
            left = Counter(labels)
            for parameter in channels:
                left[parameter.label] -= 1
                stem = _word(parameter.label or "width")
                more = labels[parameter.label] > 1 and left[parameter.label]
                parameter.name = f"{stem}_{labels[parameter.label] - left[parameter.label]}" if more else stem

    def _last_channel(self, channels: Sequence[Parameter]) -> Parameter:
        """Of channel parameters, the one that the last entry uses."""
        found = channels[-1]
        for column, _ in _labelled(self.pattern.row, None):
            for value in self.written[id(column)].values():
                if isinstance(value, _Slot) and value.text:
                    found = next((piece for piece in value.text if piece in channels), found)  # type: ignore[assignment]
        return found

    def _by_appearance(self) -> list[Parameter]:
        found: dict[int, Parameter] = {}
        for column, _ in _labelled(self.pattern.row, None):
            texts = [
                text
                for value in self.written[id(column)].values()
                if isinstance(value, _Slot)
                for text in value.texts()
            ]
            texts += [self.conditions.get(id(place), []) for place in (column, *column.bodies)]
            for text in texts:
                for piece in text:
                    if isinstance(piece, Parameter):
                        found.setdefault(id(piece), piece)
        return list(found.values())

    def _default_of(self, parameter: Parameter) -> Any:
        """The default of a parameter: computed, the operator's own, null where an instance needs none, or what most
        instances have, unless it is a channel count."""
        if parameter.computed is not None:
            return parameter.computed
        values = [value for value in parameter.values if value is not MISSING]
        if parameter.standard is not MISSING and parameter.standard in values and not parameter.channel:
            return parameter.standard
        if len(values) < len(parameter.values) or None in values:
            return None
        if parameter.channel or parameter.key == "repeat":
            return REQUIRED
        common, count = Counter(values).most_common(1)[0]
        return common if 2 * count > len(values) else REQUIRED

    # -- the template -------------------------------------------------------------------------------------------

    def _template(self, row: Row) -> Body:
        """The body of the block: the parts of the pattern with expressions for what varies."""
        parts = [self._template_part(column) for column in row.columns]
        condition = self.conditions.get(id(row))
        return Body(
            parts,
            row.body.entry,
            row.body.path,
            None if condition is None else Expression(_spelled(condition)),
        )

    def _template_part(self, column: Column) -> Part:
        part = column.part
        fields: dict[str, Any] = {}
        first: dict[str, Any] = {}
        repeat = part.repeat
        for key, value in self.written[id(column)].items():
            written = value.written() if isinstance(value, _Slot) else value
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
        condition = self.conditions.get(id(column))
        bodies = [self._template(row) for row in column.bodies]
        return replace(
            part,
            fields=fields,
            first=first,
            repeat=repeat,
            origin=origin,
            condition=None if condition is None else Expression(_spelled(condition)),
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


def _labelled(row: Row, around: str | None) -> Iterator[tuple[Column, str | None]]:
    """All entries in order, each with its own name or that of what it is in."""
    for column in row.columns:
        label = column.label if column.label and not column.label.isdecimal() else around
        if around is not None and label in ops.names():
            label = around
        yield column, label
        for inner in column.bodies:
            yield from _labelled(inner, label)


def _size(slot: _Slot) -> float:
    known = [value for value in slot.values if isinstance(value, int)]
    return sum(known) / (len(known) or 1)


def _fits(values: Sequence[Any], others: Sequence[Any], made: Callable[[Any], Any]) -> bool:
    """Whether each value is what the function makes of the other one."""
    return all(
        value is MISSING or (other is not MISSING and other is not None and made(other) == value)
        for value, other in zip(values, others, strict=True)
    )


def _field_reference(name: str, part: Part) -> Any:
    return part.fields[name]


def _origin_at(place: int, part: Part) -> Any:
    return part.origin[place]


def _is_listed(slot: _Slot) -> bool:
    return any(isinstance(value, tuple) for value in slot.values)


def _itself(value: Any) -> Any:
    return value


def _half(value: Any) -> Any:
    return value // 2 if isinstance(value, int) else MISSING


def _times(factor: int) -> Callable[[Any], Any]:
    return lambda value: factor * value


def _multiple(factor: int, name: str | Parameter) -> Text:
    return [name] if factor == 1 else [f"{factor} * ", name]


def _part(divisor: int, name: str | Parameter) -> Text:
    return [name, f" // {divisor}"]


def _relation(values: Sequence[Any], channels: Sequence[Any]) -> Callable[[str | Parameter], Text] | None:
    """How values follow from channel counts: the same factor or divisor for all."""
    pairs = [(v, c) for v, c in zip(values, channels, strict=True) if v is not MISSING]
    if any(type(v) is not int or type(c) is not int for v, c in pairs):
        return None
    value, count = pairs[0]
    if value % count == 0 and all(v == c * (value // count) for v, c in pairs):
        factor = value // count
        return partial(_multiple, factor)
    if count % value == 0 and all(v == c // (count // value) for v, c in pairs):
        divisor = count // value
        return partial(_part, divisor)
    return None


def _spelled(text: Text | None) -> str:
    assert text is not None
    return "".join(piece if isinstance(piece, str) else piece.name for piece in text)


def _word(text: str) -> str:
    """A text as a name: `branch-1` as `branch_1`."""
    word = "".join(character if character.isalnum() and character.isascii() else "_" for character in text)
    return f"p{word}" if word[:1].isdigit() else word


def _is_name(name: str) -> bool:
    from convcalc.language.reader import Scalar

    scalar = Scalar(YamlSource("", ""), 0, 0, 1, name, True)
    return name_problem(name, scalar, "parameter") is None and name not in COMMON
