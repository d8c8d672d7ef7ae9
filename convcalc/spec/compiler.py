"""Layers as written → checked entries.

Everything that can be said without running the spec is said here, for every line of the file, blocks that no
layer uses included: unknown layers and fields, values of the wrong kind, expressions that cannot be read,
variables that do not exist. Errors are collected, so that one reading shows them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from convcalc import ops
from convcalc.errors import SpecError, did_you_mean
from convcalc.ops.base import Operator
from convcalc.ops.fields import FieldError
from convcalc.spec import reader
from convcalc.spec.documents import Spec, is_required, name_problem
from convcalc.spec.entries import COMMON, Block, Branch, Call, Entry, Group, Layer, Loop, Use
from convcalc.spec.values import Value, compile_value

STRUCTURES = ("group", "use", "foreach")
GROUP_FIELDS = ("naming", "layers")
BRANCH_FIELDS = ("name", "naming", "if", "layers")
LOOP_FIELDS = ("in", "as", "index", "layers")
BLOCK_KEYS = ("params", "naming", "layers")


Fields = dict[str, tuple[reader.Scalar, reader.Node]]


class Compiler:
    """Compiles entries; collects problems. `blocks` holds the compiled blocks by name."""

    def __init__(self, spec: Spec, variables: Mapping[str, Any]) -> None:
        self.problems = spec.problems
        self.variables = frozenset(spec.variables)
        self.blocks: dict[str, Block] = {}
        self.defaults = self._defaults(spec, variables)
        self._operators: dict[tuple[Any, ...], Operator] = {}
        bodies: list[tuple[Block, reader.Mapping]] = []
        for name, (key, node) in spec.blocks.items():
            self._block(name, key, node, bodies)
        for block, body in bodies:
            known = self.variables | set(block.params)
            layers = body.entries.get("layers")
            if layers is None:
                self.problems.append(block.node.error(f"block {block.name} has no layers"))
            else:
                block.layers = self.entries(layers, known)

    # -- blocks and defaults ----------------------------------------------------------------------------

    def _block(self, name: str, key: reader.Scalar, node: reader.Node, bodies: list[Any]) -> None:
        block = self.blocks[name] = Block(name, key)
        if name in ops.names() or name in STRUCTURES or name in COMMON:
            what = "an operator" if name in ops.names() else "a word of the language"
            self.problems.append(
                key.error(f"'{name}' cannot name a block: it is {what}", "choose another name")
            )
        if not isinstance(node, reader.Mapping):
            self.problems.append(node.error(f"block {name} needs layers, and params if it takes any"))
            return
        self._known_keys(node, BLOCK_KEYS, f"block {name}")
        params = node.entries.get("params")
        if isinstance(params, reader.Sequence):
            for item in params.items:
                if isinstance(item, reader.Scalar):
                    self._parameter(block, item.text, item, None)
                else:
                    self.problems.append(
                        item.error("a parameter is a name", "defaults: params: {name: default}")
                    )
        elif isinstance(params, reader.Mapping):
            for parameter, default in params.entries.items():
                self._parameter(block, parameter, params.keys[parameter], default)
        elif params is not None and params.value is not None:
            self.problems.append(params.error("params needs a list of names, or a mapping with defaults"))
        block.indexed = self._indexed(node.entries.get("naming"))
        bodies.append((block, node))

    def _parameter(self, block: Block, name: str, node: reader.Scalar, default: reader.Node | None) -> None:
        problem = name_problem(name, node, "parameter")
        if problem:
            self.problems.append(problem)
        if name in block.params:
            self.problems.append(node.error(f"parameter '{name}' is given twice"))
        known = self.variables | set(block.params) | {"channels"}
        block.params[name] = (
            None
            if default is None or is_required(default)
            else self._value(default, known) or Value(default, None, True)
        )

    def _defaults(self, spec: Spec, variables: Mapping[str, Any]) -> dict[str, dict[str, Value]]:
        result: dict[str, dict[str, Value]] = {}
        for kind, (key, fields) in spec.defaults.items():
            if kind not in ops.names():
                self.problems.append(key.error(f"no operator '{kind}'{did_you_mean(kind, ops.names())}"))
                continue
            operator = ops.get(kind)
            known = self._fields(operator, fields, kind, self.variables, common=False)
            result[kind] = {}
            for name, value in known.items():
                try:
                    settled = value.evaluate(variables)
                    result[kind][name] = Value(value.node, settled, True)
                    if settled is not None:
                        operator.fields()[name].kind.check(settled)
                except FieldError as error:
                    self.problems.append(value.node.error(f"defaults of {kind}: {name} {error}"))
                except SpecError as error:
                    if not any(name in spec.required for name in value.names()):
                        self.problems.append(error)
        return result

    # -- entries ----------------------------------------------------------------------------------------

    def entries(self, node: reader.Node, known: frozenset[str]) -> list[Entry]:
        """The entries of a `layers` list; problems are collected and their entries left out."""
        if isinstance(node, reader.Scalar) and node.plain and not node.text:
            return []
        if not isinstance(node, reader.Sequence):
            self.problems.append(node.error("layers needs a list", "write each layer on a line after '- '"))
            return []
        result = []
        for item in node.items:
            try:
                result.append(self.entry(item, known))
            except SpecError as error:
                self.problems.append(error)
        return result

    def entry(self, node: reader.Node, known: frozenset[str]) -> Entry:
        """One entry: `op`, `op: scalar` or `op: {fields}`."""
        if isinstance(node, reader.Scalar):
            if node.value is None:
                raise node.error("an empty entry", "write a layer after the '-', such as '- relu'")
            return self._dispatch(node.text, node, None, known)
        if isinstance(node, reader.Sequence):
            raise node.error(
                "an entry is a layer, not a list", "branches belong to a join: concat, add or multiply"
            )
        assert isinstance(node, reader.Mapping)
        if not node.entries:
            raise node.error("an empty entry", "write a layer, such as conv: {filters: 8, kernel: 3}")
        kinds = list(node.entries)
        if len(kinds) > 1:
            raise self._several_keys(node, kinds)
        kind = kinds[0]
        return self._dispatch(kind, node.keys[kind], node.entries[kind], known)

    def _several_keys(self, node: reader.Mapping, kinds: list[str]) -> SpecError:
        first, value = kinds[0], node.entries[kinds[0]]
        others = ", ".join(kinds[1:5])
        if isinstance(value, reader.Scalar) and value.value is None and self._is_kind(first):
            return node.keys[kinds[1]].error(
                f"the fields of {first} stand beside it, not under it",
                f"indent {others} further than {first}, or write {first}: {{{kinds[1]}: ..., ...}}",
            )
        if not self._is_kind(first):
            return node.keys[first].error(
                f"no layer or block '{first}'{did_you_mean(first, self._kinds())}",
                "an entry is one layer with its fields: conv: {name: ..., filters: ...}",
            )
        return node.keys[kinds[1]].error(
            f"an entry is one layer, here are {first} and {others}",
            "start each layer on a line of its own with '- '",
        )

    def _is_kind(self, kind: str) -> bool:
        return kind in self.blocks or kind in STRUCTURES or kind in ops.names()

    def _kinds(self) -> Iterable[str]:
        return (*ops.names(), *STRUCTURES, *self.blocks)

    def _dispatch(
        self, kind: str, key: reader.Scalar, body: reader.Node | None, known: frozenset[str]
    ) -> Entry:
        if isinstance(body, reader.Scalar) and body.plain and not body.text:
            body = None
        if kind == "foreach":
            return self._loop(key, body, known)
        main: str | None
        if kind in self.blocks:
            main = next(iter(self.blocks[kind].params), None)
        elif kind == "group":
            main = "layers"
        elif kind == "use":
            main = "block"
        elif kind in ops.names():
            operator = ops.get(kind)
            main = "branches" if operator.role == "join" else operator.main
        elif "$" in kind:
            raise key.error("a layer's kind cannot be an expression", "write use: {block: $kind, ...}")
        else:
            raise key.error(f"no layer or block '{kind}'{did_you_mean(kind, self._kinds())}")
        if isinstance(body, reader.Mapping):
            fields: Fields = {name: (body.keys[name], value) for name, value in body.entries.items()}
        elif body is None:
            fields = {}
        elif main is None:
            raise body.error(
                f"{kind} takes no bare value", f"write {kind}: {{field: value}}, or {kind} alone"
            )
        else:
            fields = {main: (key, body)}
        return self._whole_entry(kind, key, fields, known)

    def _whole_entry(self, kind: str, key: reader.Scalar, fields: Fields, known: frozenset[str]) -> Entry:
        """The entry with its common keys, and its variant for copy 0 where it has `first`."""
        inner = known | {"channels"}
        if "repeat" in fields:
            inner |= {"i"}
        entry = self._special(kind, key, fields, inner)
        entry.name = self._common(fields, "name", known | {"channels"})
        entry.origin = self._common(fields, "from", known | {"channels"})
        entry.condition = self._common(fields, "if", known | {"channels"})
        entry.repeat = self._common(fields, "repeat", known | {"channels"})
        entry.share = self._common(fields, "share", inner)
        entry.copies = self._common(fields, "copies", inner)
        for name in ("copies", "first"):
            if name in fields and "repeat" not in fields:
                raise fields[name][0].error(f"{name} goes with repeat", "add repeat: n, or leave it out")
        if "keys" in fields:
            entry.keys = self._keys(fields["keys"][1], inner)
        if entry.share is not None or entry.keys is not None:
            what = "share" if entry.share is not None else "keys"
            if not isinstance(entry, (Layer, Use)):
                raise fields[what][0].error(f"{what} belongs to a layer, not to {kind}")
        if "first" in fields:
            entry.first = self._first(kind, key, fields, inner)
        return entry

    def _first(self, kind: str, key: reader.Scalar, fields: Fields, known: frozenset[str]) -> Entry:
        node = fields["first"][1]
        if not isinstance(node, reader.Mapping):
            raise node.error("first needs a mapping of fields", "write first: {stride: 2}")
        replaced = dict(fields)
        for name, value in node.entries.items():
            if name in COMMON:
                raise node.keys[name].error(
                    f"first cannot change {name}", "it changes fields of the layer or block"
                )
            for other in self._same_field(kind, name):
                replaced.pop(other, None)
            replaced[name] = (node.keys[name], value)
        entry = self._special(kind, key, replaced, known)
        if "keys" in fields:
            entry.keys = self._keys(fields["keys"][1], known)
        entry.share = self._common(fields, "share", known)
        return entry

    def _same_field(self, kind: str, name: str) -> tuple[str, ...]:
        """The names a field goes by: its own and its alias."""
        if kind in ops.names():
            for info in ops.get(kind).fields().values():
                if name in (info.name, info.alias):
                    return tuple(word for word in (info.name, info.alias) if word)
        return (name,)

    def _special(self, kind: str, key: reader.Scalar, fields: Fields, known: frozenset[str]) -> Entry:
        """The part of an entry that is its kind's own."""
        if kind in self.blocks:
            return self._call(self.blocks[kind], key, fields, known)
        if kind == "group":
            return self._group(key, fields, known)
        if kind == "use":
            return self._use(key, fields, known)
        return self._layer(kind, key, fields, known)

    def _layer(self, kind: str, key: reader.Scalar, fields: Fields, known: frozenset[str]) -> Layer:
        operator = ops.get(kind)
        layer = Layer(kind, key, operator)
        join = operator.role == "join"
        label = self._label(kind, fields)
        if join and "branches" in fields:
            layer.branches = self._branches(label, fields["branches"], known)
        elif join and "from" not in fields:
            raise key.error(
                f"{label}: {kind} needs branches, or from: [a, b]",
                "a branch is a list of layers; [] is the identity",
            )
        layer.fields = self._fields(operator, fields, label, known, extra=("branches",) if join else ())
        missing = [
            name
            for name, info in operator.fields().items()
            if info.required and name not in layer.fields and name not in self.defaults.get(kind, {})
        ]
        if missing:
            raise key.error(f"{label}: {kind} needs {' and '.join(missing)}", self._needs(operator))
        if all(value.constant for value in layer.fields.values()):
            layer.op = self.operator(layer, {}, label)
        return layer

    @staticmethod
    def _needs(operator: type[Operator]) -> str:
        shown = [
            f"{name}{f' ({info.alias})' if info.alias else ''}: {info.doc}"
            for name, info in operator.fields().items()
            if info.required
        ]
        return "\n".join(shown)

    def operator(self, layer: Layer, names: Mapping[str, Any], label: str) -> Operator:
        """The layer's operator with its fields' values: written ones over the spec's defaults."""
        infos = layer.operator.fields()
        defaults = self.defaults.get(layer.kind, {})
        values: dict[str, Any] = {}
        for name, info in infos.items():
            value = layer.fields.get(name) or defaults.get(name)
            if value is None:
                continue
            plain = value.evaluate(names)
            if plain is None:  # null: the operator's own default
                if info.required:
                    raise value.node.error(f"{label}: {name} has no default, null does not serve")
                continue
            try:
                values[name] = info.kind.check(plain)
            except FieldError as error:
                raise value.node.error(f"{label}: {name} {error}") from None
        memo = (layer.operator, *values.items())
        operator = self._operators.get(memo)
        if operator is None:
            operator = self._operators[memo] = layer.operator(**values)
        return operator

    def _fields(
        self,
        operator: type[Operator],
        fields: Fields,
        label: str,
        known: frozenset[str],
        *,
        common: bool = True,
        extra: tuple[str, ...] = (),
    ) -> dict[str, Value]:
        """Values by canonical name; unknown names and doubles are collected as problems."""
        infos = operator.fields()
        aliases = {info.alias: name for name, info in infos.items() if info.alias}
        result: dict[str, Value] = {}
        for written, (key, node) in fields.items():
            if written in extra or (common and written in COMMON):
                continue
            name = aliases.get(written, written)
            if name not in infos:
                kind = operator.kind
                options = [*infos, *aliases, *(COMMON if common else ()), *extra]
                known_fields = ", ".join(
                    f"{name} ({info.alias})" if info.alias else name for name, info in infos.items()
                )
                self.problems.append(
                    key.error(
                        f"{label}: no field '{written}' for {kind}{did_you_mean(written, options)}",
                        f"fields of {kind}: {known_fields}"
                        if known_fields
                        else f"{kind} has no fields of its own",
                    )
                )
                continue
            if name in result:
                self.problems.append(
                    key.error(
                        f"{label}: {name} is given twice, as {name} and {infos[name].alias}", "keep one"
                    )
                )
                continue
            value = self._value(node, known)
            if value is None:
                continue
            result[name] = value
            if value.constant:
                plain = value.evaluate({})
                try:
                    if plain is not None:
                        infos[name].kind.check(plain)
                except FieldError as error:
                    self.problems.append(node.error(f"{label}: {name} {error}"))
                    del result[name]
                    result[name] = Value(node, None, True) if not infos[name].required else value
        return result

    def _call(self, block: Block, key: reader.Scalar, fields: Fields, known: frozenset[str]) -> Call:
        call = Call(key, block)
        label = self._label(block.name, fields)
        for name, (name_key, node) in fields.items():
            if name in COMMON:
                continue
            if name not in block.params:
                given = ", ".join(block.params)
                raise name_key.error(
                    f"{label}: no parameter '{name}' for block {block.name}"
                    f"{did_you_mean(name, [*block.params, *COMMON])}",
                    f"its parameters: {given}" if given else "it takes none",
                )
            value = self._value(node, known)
            if value is not None:
                call.arguments[name] = value
        missing = [
            name
            for name, default in block.params.items()
            if default is None and name not in call.arguments and name not in fields
        ]
        if missing:
            raise key.error(f"{label}: block {block.name} needs {' and '.join(missing)}")
        return call

    def _group(self, key: reader.Scalar, fields: Fields, known: frozenset[str]) -> Group:
        group = Group(key)
        self._only(fields, (*GROUP_FIELDS, *COMMON), "group")
        if "layers" not in fields:
            raise key.error("group needs layers")
        group.indexed = self._indexed(fields["naming"][1] if "naming" in fields else None)
        group.layers = self.entries(fields["layers"][1], known - {"channels"})
        return group

    def _use(self, key: reader.Scalar, fields: Fields, known: frozenset[str]) -> Use:
        if "block" not in fields:
            raise key.error("use needs block: the name of a block or operator")
        _, choice_node = fields["block"]
        choice = self._value(choice_node, known)
        if choice is None:
            raise key.error("use needs block: the name of a block or operator")
        rest = {name: pair for name, pair in fields.items() if name != "block"}
        compiled: dict[str, Entry] = {}

        def compile_as(kind: str) -> Entry:
            if kind not in compiled:
                if kind in ("use", "foreach", "group") or not self._is_kind(kind):
                    raise choice_node.error(
                        f"no block or operator '{kind}'{did_you_mean(kind, [*self.blocks, *ops.names()])}"
                    )
                before = len(self.problems)
                compiled[kind] = self._special(kind, key, rest, known)
                if len(self.problems) > before:
                    raise self.problems[before]
            return compiled[kind]

        use = Use(key, choice, compile_as)
        if choice.constant:
            name = choice.evaluate({})
            if not isinstance(name, str):
                raise choice_node.error("block needs the name of a block or operator")
            compile_as(name)
        return use

    def _loop(self, key: reader.Scalar, body: reader.Node | None, known: frozenset[str]) -> Loop:
        if not isinstance(body, reader.Mapping):
            raise key.error("foreach needs in, as and layers")
        self._known_keys(body, LOOP_FIELDS, "foreach")
        missing = [name for name in ("in", "as", "layers") if name not in body.entries]
        if missing:
            raise key.error(f"foreach needs {' and '.join(missing)}")
        items = compile_value(body.entries["in"])
        items.check_names(known | {"channels"})
        target = body.entries["as"]
        names = target.items if isinstance(target, reader.Sequence) else [target]
        index = body.entries.get("index")
        targets = []
        for node in [*names, *([index] if index is not None else [])]:
            if not isinstance(node, reader.Scalar):
                raise node.error("as and index need names")
            problem = name_problem(node.text, node, "loop variable")
            if problem:
                raise problem
            if node.text in targets:
                raise node.error(f"'{node.text}' is named twice")
            targets.append(node.text)
        loop = Loop(key, items, targets[: len(names)], isinstance(target, reader.Sequence))
        loop.index = targets[-1] if index is not None else None
        loop.layers = self.entries(body.entries["layers"], known | set(targets))
        return loop

    def _branches(
        self, label: str, pair: tuple[reader.Scalar, reader.Node], known: frozenset[str]
    ) -> list[Branch]:
        key, node = pair
        if not isinstance(node, reader.Sequence):
            raise node.error(
                f"{label}: branches needs a list of branches", "a branch is a list of layers: - - conv: ..."
            )
        inner = known - {"channels"}
        branches = []
        for item in node.items:
            if isinstance(item, reader.Sequence):
                branches.append(Branch(item, self.entries(item, inner)))
            elif isinstance(item, reader.Mapping) and "layers" in item.entries:
                self._known_keys(item, BRANCH_FIELDS, "a branch")
                branch = Branch(item, self.entries(item.entries["layers"], inner))
                if "name" in item.entries:
                    branch.name = self._value(item.entries["name"], known)
                if "if" in item.entries:
                    branch.condition = self._value(item.entries["if"], known)
                branch.indexed = self._indexed(item.entries.get("naming"))
                branches.append(branch)
            else:
                self.problems.append(
                    item.error(
                        f"{label}: a branch is a list of layers, or {{name, naming, if, layers}}",
                        "a branch of one layer is a list of one: - - relu",
                    )
                )
        if not branches and not self.problems:
            raise key.error(f"{label}: no branches")
        return branches

    # -- parts ------------------------------------------------------------------------------------------

    def _value(self, node: reader.Node, known: frozenset[str]) -> Value | None:
        """The compiled value, or None with the problem collected."""
        try:
            value = compile_value(node)
            value.check_names(known)
        except SpecError as error:
            self.problems.append(error)
            return None
        return value

    def _common(self, fields: Fields, name: str, known: frozenset[str]) -> Value | None:
        if name not in fields:
            return None
        _, node = fields[name]
        value = self._value(node, known)
        if value is not None and value.constant and name in ("if", "repeat"):
            plain = value.evaluate({})
            if name == "if" and not isinstance(plain, bool):
                self.problems.append(
                    node.error("if needs true or false", "write a condition: $(stride != 1)")
                )
            if name == "repeat" and (isinstance(plain, bool) or not isinstance(plain, int) or plain < 0):
                self.problems.append(node.error("repeat needs a number of copies, 0 or more"))
        return value

    def _keys(self, node: reader.Node, known: frozenset[str]) -> Mapping[str, Value] | Value | None:
        if isinstance(node, reader.Mapping):
            values = {name: self._value(value, known) for name, value in node.entries.items()}
            return {name: value for name, value in values.items() if value is not None}
        if isinstance(node, reader.Scalar):
            return self._value(node, known)
        raise node.error("keys needs a word for the layer's own segment, or {weight: other_name}")

    def _indexed(self, node: reader.Node | None) -> bool:
        if node is None:
            return False
        if not isinstance(node, reader.Scalar) or node.text != "index":
            self.problems.append(node.error("naming takes one word: index"))
        return True

    def _label(self, kind: str, fields: Fields) -> str:
        """The name an error gives the entry: its own if it is written out, else its kind."""
        node = fields["name"][1] if "name" in fields else None
        return node.text if isinstance(node, reader.Scalar) and "$" not in node.text and node.text else kind

    def _only(self, fields: Fields, allowed: tuple[str, ...], what: str) -> None:
        for name, (key, _) in fields.items():
            if name not in allowed:
                self.problems.append(key.error(f"no field '{name}' for {what}{did_you_mean(name, allowed)}"))

    def _known_keys(self, node: reader.Mapping, allowed: tuple[str, ...], what: str) -> None:
        self._only({name: (node.keys[name], value) for name, value in node.entries.items()}, allowed, what)
