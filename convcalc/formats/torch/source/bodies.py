"""The body of a class: the statements of `__init__` and the steps of `forward`, from the entries of a scope."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from convcalc.formats.spec.records import Branch, Entry, Expression, Group, Layer
from convcalc.formats.torch.source.copies import MAX_GAP, numbered
from convcalc.formats.torch.source.flow import Flow, Step, broken
from convcalc.formats.torch.source.layout import statement
from convcalc.formats.torch.source.links import Scope
from convcalc.formats.torch.source.made import NotAChain, Value
from convcalc.formats.torch.source.members import Members, reached
from convcalc.formats.torch.source.scopes import (
    is_last,
    owner_of,
    paths_into,
)
from convcalc.formats.torch.source.site import Call, Form, InexpressibleError, quoted
from convcalc.formats.torch.source.sizes import Sizes
from convcalc.formats.torch.source.symbols import (
    identifier,
    is_identifier,
    replaced,
)
from convcalc.graph import Node


class Body:
    """A class with a `forward` of its own.

    inputs: the first value and further ones, by the name of the argument. outside: values of the enclosing scopes by
    path, with their argument.
    """

    def __init__(self, scope: Scope, arguments: Mapping[str, Value], refs: Mapping[str, Value]) -> None:
        self.scope = scope
        scope.body = self
        self.flow = Flow(list(arguments))
        named = {scope.segments.get(id(entry), entry.name or "") for entry in registered(scope)}
        self.members = Members(taken=named)
        self.statements: list[str] = []
        self.slots: list[Call] = []  # of a numbered container
        self.refs = refs
        self.values: dict[str, Value] = {}
        self.reach: dict[str, str] = {}  # segments of modules, by what reads them

    # -- constructor --------------------------------------------------------------------------------------------

    def lines(self, depth: int) -> list[str]:
        """The statements of `__init__`, that of the base class first."""
        start = statement("", Call("super().__init__", tuple(self.slots)), depth)
        return [*start, *without_unused(self.statements)]

    def define(self, segment: str, call: Call, condition: str = "", after: Sequence[str] = ()) -> str:
        """Registers a module under a segment; the source that reads it."""
        if self.scope.naming and segment.isdecimal() and not condition:
            place = int(segment)
            if len(self.slots) <= place < len(self.slots) + MAX_GAP:
                self.slots += [Call("nn.Identity")] * (place - len(self.slots))
                self.slots.append(call)
                return f"self[{segment}]"
        access = reached("self", segment)
        plain = access == f"self.{segment}"

        def registered(module: Call, depth: int) -> list[str]:
            if plain:
                return statement(f"self.{segment} = ", module, depth)
            return statement("", Call("self.add_module", (quoted(segment), module)), depth)

        if condition:
            self.statements += registered(Call("nn.Identity"), 2)
            self.statements.append(f"        if {condition}:")
            self.statements += registered(call, 3)
            self.statements += [f"        {line}" for line in after]
        else:
            self.statements += registered(call, 2)
        return access

    def shared(self, entry: Layer, segment: str, call: Call) -> str:
        """The attribute of a module without weights, registered where it is first used."""
        known = set(self.members.calls)
        name = entry.name if entry.name is not None else None
        attribute = self.members.module(self.scope.nodes(entry)[0].op, name, call)
        if attribute not in known:
            self.statements += statement(f"self.{attribute} = ", call, 2)
        return f"self.{attribute}"

    def stored(self, values: Mapping[str, str]) -> dict[str, str]:
        """Attributes for `forward`, registered where they are first used."""
        known = set(self.members.stored)
        names = self.members.attributes(values)
        for name, value in self.members.stored.items():
            if name not in known:
                self.statements += broken(f"self.{name} = ", value, 2)
        return names

    def flag(self, wanted: str, condition: str) -> str:
        """The attribute that holds a condition."""
        return f"self.{self.stored({wanted: condition})[wanted]}"

    # -- entries ------------------------------------------------------------------------------------------------

    def sequence(self, entries: Sequence[Entry], value: Value | None) -> Value | None:
        """The entries one after another; the last one's value."""
        for entry in entries:
            segment = self.scope.segments[id(entry)]
            inside = paths_into(self.scope.entries, segment, self.scope.requested)
            last = [path for path in inside if is_last(entry, path)]
            inside = [path for path in inside if path not in last]
            if inside:
                value = self._opened(entry, self._source(entry, value), segment, inside)
            else:
                value = self.entry(entry, value, segment)
            self.values[segment] = value
            self.values.update({f"{segment}.{path}": value for path in last})
        return value

    def entry(self, entry: Entry, value: Value | None, segment: str) -> Value:
        """One entry, with all that it reads."""
        if isinstance(entry, Layer) and entry.repeat is None:
            if entry.branches is not None:
                if entry.name is not None or self.scope.naming:
                    return self._named_join(entry, self._source(entry, value), segment)
                return self._join(entry, self._source(entry, value), segment)
            return self._layer(entry, value, segment)
        return self._module(entry, self._source(entry, value), segment)

    def resolve(self, path: str | Expression) -> Value:
        """The value that a path or reference names."""
        text = path.text if isinstance(path, Expression) else path
        found = (
            self.refs.get(text)
            if isinstance(path, Expression)
            else self.values.get(text, self.refs.get(text))
        )
        if found is None:
            raise InexpressibleError(f"{text}: it is read from another part of the network")
        return found

    def _source(self, entry: Entry, value: Value | None) -> Value:
        if entry.origin:
            return self.resolve(entry.origin[0])
        if value is None:
            raise InexpressibleError(f"{entry.name}: it reads nothing")
        return value

    def _module(self, entry: Entry, value: Value, segment: str) -> Value:
        """A group, the use of a block, or copies: a module that is called."""
        owner = (
            owner_of(entry, self._has_weights)
            if isinstance(entry, Group) and entry.share is None
            else entry.share
        )
        if owner is not None:
            access = self.reach.get(str(owner))
            if access is None:
                raise InexpressibleError(f"{segment}: it shares weights with a part elsewhere")
            shared = self.values[str(owner)]
            return self._call(access, [value], shared.sizes, segment, True)
        made = self.scope.made(entry, value.sizes, segment, value)
        condition = self.scope.condition(entry, value.sizes)
        sizes = made.sizes
        after: tuple[str, ...] = ()
        if condition:
            if entry.origin or made.inputs:
                raise InexpressibleError(f"{segment}: a condition on a part that reads several places")
            sizes, after = self.scope.either(condition, value.sizes, made.sizes)
        access = self.define(segment, made.call, condition, after)
        self.reach[segment] = access
        read = [*([value] if made.reads_main else []), *map(self.resolve, made.inputs)]
        return self._call(access, read, sizes, segment, made.weighted, made.batched)

    def _has_weights(self, entry: Layer) -> bool:
        return any(node.parameters for node in self.scope.nodes(entry)[:1])

    def _opened(self, entry: Entry, value: Value, segment: str, inside: Sequence[str]) -> Value:
        """A part that others read layers of: a Sequential in slices, or a class that gives several values."""
        if entry.condition is not None or entry.share is not None or isinstance(entry, Layer):
            raise InexpressibleError(f"{segment}: other layers read layers inside it")
        found = self._sliced(entry, value, segment, inside)
        if found is not None:
            return found
        if not isinstance(entry, Group) or entry.repeat is not None:
            raise InexpressibleError(f"{segment}: other layers read layers inside it")
        sizes = self.scope.read_sizes(entry, value.sizes)
        made = self.scope.program.grouped(self.scope, entry, sizes, segment, value, inside)
        access = self.reach[segment] = self.define(segment, made.call)
        read = [*([value] if made.reads_main else []), *map(self.resolve, made.inputs)]
        if not all(item.batched for item in read):
            raise InexpressibleError(f"{segment}: it reads learned tensors, and others read layers inside it")
        whole = self._call(access, read, made.sizes, segment, True)
        for place, (path, other) in enumerate(zip(inside, made.others, strict=True), 1):
            self.values[f"{segment}.{path}"] = self._part(whole, place, other)
        return self._part(whole, 0, made.sizes)

    def _part(self, whole: Value, place: int, sizes: Sizes) -> Value:
        return Value(self.flow.add(Step(f"{{0}}[{place}]", (whole.place,))), sizes)

    def _sliced(self, entry: Entry, value: Value, segment: str, inside: Sequence[str]) -> Value | None:
        """A numbered Sequential called slice by slice; None if it is no such part."""
        if not value.batched or not all(path.isdecimal() for path in inside):
            return None
        sizes = self.scope.read_sizes(entry, value.sizes)
        after: list[Sizes]
        try:
            if isinstance(entry, Group) and entry.repeat is None and entry.naming:
                inner = Scope(self.scope.program, self.scope.names, entry.layers, True)
                links, _ = inner.links(sizes)
                if any(link.condition for link in links) or inner.locals:
                    return None
                slots = numbered(links)
                if slots is None:
                    return None
                call = Call("nn.Sequential", tuple([link.call for link in slots]))
                after = [link.sizes for link in slots]
            elif entry.repeat is not None and isinstance(entry.repeat, int) and entry.copies in (None, "$i"):
                made = self.scope.made(entry, sizes, segment, value)
                call, after = made.call, [(made.sizes[0], *made.sizes[1:])] * entry.repeat
            else:
                return None
        except NotAChain:
            return None
        access = self.reach[segment] = self.define(segment, call)
        start = 0
        for stop in sorted({*map(int, inside), len(after) - 1}):
            whole = start == 0 and stop == len(after) - 1
            part = "" if whole else f"[{start or ''}:{stop + 1 if stop + 1 < len(after) else ''}]"
            step = Step(f"{access}{part}({{0}})", (value.place,), True, self._hint(segment))
            value = self.values[f"{segment}.{stop}"] = Value(self.flow.add(step), after[stop])
            start = stop + 1
        return value

    def _call(
        self,
        access: str,
        read: Sequence[Value],
        sizes: Sizes,
        segment: str,
        weighted: bool,
        batched: bool = True,
    ) -> Value:
        """A call of a module; a learned tensor has no batch axis, and gets one for it. batched: whether the result has
        one."""
        places = [
            f"{{{place}}}" + ("" if value.batched else ".unsqueeze(0)") for place, value in enumerate(read)
        ]
        alone = bool(read) and not any(value.batched for value in read)
        call = f"{access}({', '.join(places)})" + (".squeeze(0)" if alone and batched else "")
        step = Step(call, tuple([value.place for value in read]), weighted, self._hint(segment))
        return Value(self.flow.add(step), sizes, batched and not alone)

    def _hint(self, segment: str) -> str:
        name = identifier(segment, {"self", "x"})
        return "" if re.fullmatch(r"layer\d+", name) and not is_identifier(segment) else name

    def _layer(self, entry: Layer, value: Value | None, segment: str) -> Value:
        nodes = self.scope.nodes(entry)
        if not nodes:
            raise InexpressibleError(f"{segment}: it is in no use of its block")
        inputs = self._inputs(entry, value, nodes[0])
        like = self._like(entry)
        found, sizes = self.scope.form(entry, inputs, segment, None if like is None else "{like}")
        names = self.stored(found.stored)
        call = found.call
        for wanted, name in names.items():
            call = re.sub(rf"\bself\.{wanted}\b", f"self.{name}", call)
        condition = self.scope.condition(entry, inputs[0].sizes if inputs else ())
        weighted = bool(nodes[0].parameters)
        flag = ""
        after: tuple[str, ...] = ()
        if condition:
            if entry.origin or len(inputs) != 1:
                raise InexpressibleError(f"{segment}: a condition on a layer that reads several places")
            sizes, after = self.scope.either(condition, inputs[0].sizes, sizes)
        if entry.share is not None or all(node.shares is not None for node in nodes):
            access = self.reach.get(str(entry.share))
            if access is None:
                raise InexpressibleError(f"{segment}: it shares weights with a layer elsewhere")
            call = (call or "{self}({0})").replace("{self}", access)
        elif found.value:
            call = call.replace("{self}", self._tensor(segment, found))
        elif found.module is not None and (weighted or (condition and not found.is_function)):
            if condition and call:
                raise InexpressibleError(f"{segment}: a condition on {entry.kind}")
            access = self.define(segment, found.module, condition, after)
            self.reach[segment] = access
            call = (call or "{self}({0})").replace("{self}", access)
        else:
            if found.module is not None and not found.is_function:
                call = (call or "{self}({0})").replace("{self}", self.shared(entry, segment, found.module))
            if condition:
                flag = self.flag(f"has_{identifier(segment)}", condition)
                self.statements += [f"        {line}" for line in after]
        places = [source.place for source in inputs]
        if like is not None and "{like}" in call:
            call = call.replace("{like}", f"{{{len(places)}}}")
            places.append(like.place)
        hint = self._hint(segment) if entry.name is not None else ""
        step = Step(call, tuple(places), weighted, hint=hint, flag=flag)
        return Value(self.flow.add(step), sizes, found.batched)

    def _tensor(self, segment: str, found: Form) -> str:
        """Registers a bare tensor; the source that reads it."""
        access = reached("self", segment, "_buffers" if found.is_buffer else "_parameters")
        if found.is_buffer:
            words = (quoted(segment), found.value, *([] if found.is_saved else ["persistent=False"]))
            self.statements += statement("", Call("self.register_buffer", words), 2)
        elif access == f"self.{segment}":
            self.statements += broken(f"self.{segment} = ", found.value, 2)
        else:
            self.statements += statement(
                "", Call("self.register_parameter", (quoted(segment), found.value)), 2
            )
        return access

    def _inputs(self, entry: Layer, value: Value | None, node: Node) -> tuple[Value, ...]:
        """The values that a layer reads, in the order of its node's inputs."""
        added = [
            self.resolve(entry.fields[name])
            for name in node.op.layer_fields()
            if entry.fields.get(name) is not None
        ]
        if len(node.inputs) == len(added):
            return tuple(added)
        if entry.origin:
            return (*(self.resolve(path) for path in entry.origin), *added)
        if value is None:
            raise InexpressibleError(f"{node.name}: it reads nothing")
        return (value, *added)

    def _like(self, entry: Layer) -> Value | None:
        """The value whose size a layer's output takes, where it is at hand."""
        for name in ("like",):
            path = entry.fields.get(name)
            if path is not None:
                try:
                    return self.resolve(path)
                except InexpressibleError:
                    return None
        return None

    # -- joins --------------------------------------------------------------------------------------------------

    def _join(self, entry: Layer, value: Value, segment: str) -> Value:
        assert entry.branches is not None
        values: list[Value] = []
        conditions: list[str] = []
        for branch in entry.branches:
            values.append(self._branch(branch, value))
            condition = (
                ""
                if branch.condition is None
                else replaced(branch.condition.text, self.scope.named(value.sizes))
            )
            conditions.append(condition)
        found, sizes = self.scope.form(entry, values, segment)
        call = found.call
        given = [place for place, condition in enumerate(conditions) if condition]
        if given:
            if len(given) > 1 or len(values) != 2 or entry.kind == "concat":
                raise InexpressibleError(f"{segment}: several of its branches have conditions")
            (place,) = given
            wanted = (
                "residual" if entry.kind == "add" and not entry.branches[place].layers else f"has_{segment}"
            )
            call = f"{call} if {self.flag(wanted, conditions[place])} else {{{1 - place}}}"
            sizes = values[1 - place].sizes
        if entry.condition is not None:
            raise InexpressibleError(f"{segment}: a condition on a join")
        step = Step(call, tuple([item.place for item in values]))
        return Value(self.flow.add(step), sizes, found.batched)

    def _named_join(self, entry: Layer, value: Value, segment: str) -> Value:
        """A join whose branches lie in a scope of its name: a class of its own if they have weights."""
        assert entry.branches is not None
        plain = replace(entry, name=None, condition=None, origin=())
        scope = Scope(self.scope.program, self.scope.names, (plain,), False)
        if not any(True for _ in registered(scope)):
            self.scope.segments.update(scope.segments)
            return self._join(plain, value, segment)
        group = Group(name=segment, layers=(plain,), condition=entry.condition, reads=entry.reads)
        return self._module(group, value, segment)

    def _branch(self, branch: Branch, value: Value) -> Value:
        if branch.name is not None:
            group = Group(name=branch.name, layers=branch.layers, naming=branch.naming)
            found = self.values[branch.name] = self._module(group, value, branch.name)
            return found
        found_value = self.sequence(branch.layers, value)
        assert found_value is not None
        return found_value


def registered(scope: Scope) -> Iterator[Entry]:
    """The entries of a scope that become attributes under their segments."""
    stack = list(scope.entries)
    while stack:
        entry = stack.pop()
        if not isinstance(entry, Layer) or entry.repeat is not None:
            yield entry
            continue
        if any(node.parameters for node in scope.nodes(entry)[:1]):
            yield entry
        for branch in entry.branches or ():
            if branch.name is None:
                stack += branch.layers
            else:
                yield Group(name=branch.name, layers=branch.layers)


def without_unused(lines: Sequence[str]) -> list[str]:
    """The statements without those that give values to variables which no other one reads."""
    kept = []
    for place, line in enumerate(lines):
        found = re.match(r"\s+(inner\d*) = ", line)
        others = [*lines[:place], *lines[place + 1 :]]
        if found is None or any(re.search(rf"\b{found[1]}\b", other) for other in others):
            kept.append(line)
    return kept


def free_names(lines: Sequence[str]) -> set[str]:
    """The names that statements read."""
    return set(re.findall(r"(?<![\w.\"])[A-Za-z_]\w*", "\n".join(lines)))
