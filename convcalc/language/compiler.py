"""Compilation of layers as written into checked entries.

Reports every error that can be found without expanding the spec, also in unused blocks: unknown layers and
fields, values of the wrong kind, malformed expressions, undefined variables. Errors are collected, so that one
run shows them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convcalc import language, ops
from convcalc.errors import SpecError
from convcalc.language import checks, reader
from convcalc.language.blocks import block_head, indexed, only
from convcalc.language.documents import Spec
from convcalc.language.entries import Block, Branch, Call, Entry, Group, Layer, Loop, NetworkEntry, Use
from convcalc.language.expressions import Names
from convcalc.language.networks import NETWORK_FIELDS, identity, include
from convcalc.language.operators import Fields, Known, Operators, cut_off
from convcalc.language.order import in_order
from convcalc.language.values import NONE, Value, names_within
from convcalc.language.words import (
    COMMON,
    FIXED_IN_FIRST,
    STRUCTURES,
    canonical,
    circle,
    cut,
    is_kind,
    listed,
    name_problem,
)
from convcalc.ops import describe

GROUP_FIELDS = ("layers", "naming")
BRANCH_FIELDS = ("layers", "name", "naming", "if")
LOOP_FIELDS = ("in", "as", "index", "layers")
MEASURES = frozenset(("channels", "shape"))  # names that describe an entry's input

_LOOP_HINTS = dict.fromkeys(
    ("name", "if", "from", "repeat"),
    "foreach opens no scope and is no layer; put its layers in a group for that",
)
_BRANCH_HINTS = {"from": "every branch starts from the join's input", "repeat": "put the layers in a group"}


class Compiler:
    """Compiles entries and collects problems. `blocks` maps names to compiled blocks."""

    def __init__(self, spec: Spec, variables: Names) -> None:
        self.problems = spec.problems
        self._spec = spec
        self._variables = variables
        self.operators = Operators(spec, variables)
        self.blocks: dict[str, Block] = {}
        self.known: Known = frozenset(spec.variables) | MEASURES
        # lists of layers used by both an entry and its copy 0, by node id: compiled once and shared
        self._shared: dict[int, Any] = {}
        self._calls: dict[str, list[Call]] = {}
        self._networks: dict[tuple[object, ...], NetworkEntry] = {}
        self._inside = ""  # the block whose body is being compiled
        bodies = [
            (self._head(name, key, node), node)
            for name, (key, node) in spec.blocks.items()
            if isinstance(node, reader.Mapping) or self._no_block(name, node)
        ]
        for block, body in bodies:
            assert isinstance(body, reader.Mapping)
            self._inside = block.name
            layers = body.entries.get("layers")
            if layers is None:
                self.problems.append(
                    block.node.error(f"block {block.name} has no layers", "add layers: [...]")
                )
            else:
                block.layers = self.entries(layers, self.known | block.params.keys() | set(block.refs))
        self._inside = ""
        self._check_recursion()

    # -- blocks -----------------------------------------------------------------------------------------

    def _no_block(self, name: str, node: reader.YamlNode) -> bool:
        self.blocks[name] = Block(name, node)
        self.problems.append(
            node.error(f"block {name} needs a mapping with its layers", "params: [...] and layers: [...]")
        )
        return False

    def _head(self, name: str, key: reader.Scalar, node: reader.YamlNode) -> Block:
        assert isinstance(node, reader.Mapping)
        block = self.blocks[name] = block_head(name, key, node, self.operators, self.known)
        return block

    def _check_recursion(self) -> None:
        needs = {name: [call.block.name for call in calls] for name, calls in self._calls.items()}
        for names in in_order(needs)[1]:
            second = names[1] if len(names) > 1 else names[0]
            call = next(call for call in self._calls[names[0]] if call.block.name == second)
            way = circle(names) + "; " if len(names) > 1 else ""
            self.problems.append(
                call.node.error(f"block {names[0]} uses itself", way + "repeat makes copies in sequence")
            )

    # -- entries ----------------------------------------------------------------------------------------

    def entries(self, node: reader.YamlNode, known: Known) -> list[Entry]:
        """The compiled entries of a `layers` list, without those in error; problems are collected."""
        if id(node) in self._shared and self._shared[id(node)] is not None:
            shared: list[Entry] = self._shared[id(node)]
            return shared
        if isinstance(node, reader.Scalar) and node.plain and not node.text:
            return []
        if not isinstance(node, reader.Sequence):
            slip = isinstance(node, reader.Scalar) and node.text.startswith("-")
            self.problems.append(
                node.error(
                    "layers needs a list",
                    "the '-' needs a space after it" if slip else "write each layer on a line after '- '",
                )
            )
            return []
        result = []
        for item in node.items:
            try:
                result.append(self.entry(item, known))
            except SpecError as error:
                self.problems.append(error)
        if id(node) in self._shared:
            self._shared[id(node)] = result
        return result

    def entry(self, node: reader.YamlNode, known: Known) -> Entry:
        """Compile one entry: `op`, `op: scalar` or `op: {fields}`. Raises SpecError if it is malformed."""
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
            raise language.mistakes.several_keys(node, self.blocks)
        kind = kinds[0]
        return self._dispatch(kind, node.keys[kind], node.entries[kind], known)

    def _dispatch(self, kind: str, key: reader.Scalar, body: reader.YamlNode | None, known: Known) -> Entry:
        if isinstance(body, reader.Scalar) and body.plain and not body.text:
            body = None
        if kind == "foreach":
            return self._loop(key, body, known)
        main: str | None  # the field that a bare value sets
        if kind in self.blocks:
            block = self.blocks[kind]
            main = next(iter((*block.params, *block.refs)), None)
        elif kind in ops.names():
            operator = ops.get(kind)
            main = "branches" if operator.role == "join" else operator.main
        elif kind in STRUCTURES:
            main = {"group": "layers", "use": "block", "network": "arch"}[kind]
        else:
            raise language.mistakes.unknown_kind(kind, key, self.blocks, body)
        if isinstance(body, reader.Mapping):
            keys = body.keys
            fields: Fields = {name: (keys[name], value) for name, value in body.entries.items()}
        elif body is None:
            fields = {}
        elif main is None:
            raise language.mistakes.bare_value(kind, body)
        else:
            fields = {main: (key, body)}
        return self._whole_entry(kind, key, fields, known)

    def _whole_entry(self, kind: str, key: reader.Scalar, fields: Fields, known: Known) -> Entry:
        """The entry with its common keys, and its variant for copy 0 if it has `first`."""
        if fields.keys().isdisjoint(COMMON):
            return self._special(kind, key, fields, known)
        inner = known | {"i"} if "repeat" in fields else known
        if "first" in fields:
            for name in ("layers", "branches"):
                if name in fields:
                    self._shared.setdefault(id(fields[name][1]), None)
        entry = self._special(kind, key, fields, inner)
        entry.name = self._common(fields, "name", known)
        if "from" in fields:
            entry.origin = self._from(fields["from"][1], known - MEASURES)  # it determines the input
        entry.condition = self._common(fields, "if", known)
        entry.late = (
            entry.condition is not None
            and entry.origin is not None
            and not MEASURES.isdisjoint(entry.condition.names())
        )
        entry.repeat = self._common(fields, "repeat", known)
        for name in ("copies", "first"):
            if name in fields and "repeat" not in fields:
                self.problems.append(
                    fields[name][0].error(f"{name} goes with repeat", "add repeat: n, or leave it out")
                )
        entry.copies = self._common(fields, "copies", inner)
        self._weights(entry, kind, fields, inner)
        if "first" in fields:
            entry.first = self._first(kind, key, fields, inner)
        return entry

    def _weights(self, entry: Entry, kind: str, fields: Fields, known: Known) -> None:
        """Set `share`, and `keys`, which only layers may have."""
        for name in ("share", "keys"):
            if name in fields and name == "keys" and not isinstance(entry, (Layer, Use)):
                self.problems.append(language.mistakes.not_for_scopes(name, fields[name][0], kind))
                return
        entry.share = self._common(fields, "share", known)
        if "keys" in fields:
            entry.keys = self._keys(fields["keys"][1], known)

    def _first(self, kind: str, key: reader.Scalar, fields: Fields, known: Known) -> Entry | None:
        node = fields["first"][1]
        if not isinstance(node, reader.Mapping):
            self.problems.append(node.error("first needs a mapping of fields", "write first: {stride: 2}"))
            return None
        over: Fields = {}
        for name, value in node.entries.items():
            if name in FIXED_IN_FIRST:
                self.problems.append(
                    node.keys[name].error(
                        f"first cannot change {name}", "it changes a layer's or block's fields"
                    )
                )
            else:
                over[name] = (node.keys[name], value)
        if kind == "use":
            entry: Entry = self._use(key, fields, known, over)
        else:
            entry = self._special(kind, key, _overlaid(kind, fields, over), known)
        self._weights(entry, kind, {**fields, **over}, known)
        return entry

    def _special(self, kind: str, key: reader.Scalar, fields: Fields, known: Known) -> Entry:
        """The entry without its common keys, compiled according to its kind."""
        if kind in self.blocks:
            return self._call(self.blocks[kind], key, fields, known)
        if kind == "group":
            return self._group(key, fields, known)
        if kind == "use":
            return self._use(key, fields, known, {})
        if kind == "network":
            return self._network(key, fields)
        return self._layer(kind, key, fields, known)

    def _layer(self, kind: str, key: reader.Scalar, fields: Fields, known: Known) -> Layer:
        operator = ops.get(kind)
        layer = Layer(kind, key, operator)
        before = len(self.problems)
        named = self._label("", fields)
        allowed: tuple[str, ...] = tuple(COMMON)
        if operator.role == "join":
            allowed = (*COMMON, "branches")
            if "branches" in fields:
                layer.branches = self._branches(kind, named, fields["branches"], known)
            elif "from" not in fields and not any(
                language.foreign.stands_for(operator, name, allowed) in ("from", "branches")
                for name in fields
                if name not in allowed
            ):
                self.problems.append(
                    key.error(
                        f"{named}{kind} needs branches, or from: [a, b]",
                        "a branch is a list of layers; [] is the identity",
                    )
                )
        layer.fields = self.operators.fields(operator, fields, named, known, allowed)
        missing = self.operators.missing(operator, fields, allowed)
        if missing:
            needs = [f"{name}: {operator.fields()[name].doc}" for name in missing]
            self.problems.append(key.error(f"{named}{kind} needs {' and '.join(missing)}", "\n".join(needs)))
        if len(self.problems) == before and all(value.constant for value in layer.fields.values()):
            layer.op = self.operators.make(layer, NONE, named.removesuffix(": ") or kind)
        return layer

    def _call(self, block: Block, key: reader.Scalar, fields: Fields, known: Known) -> Call:
        call = Call(key, block)
        if self._inside:
            self._calls.setdefault(self._inside, []).append(call)
        label = self._label("", fields)
        taken = [*block.params, *block.refs]
        for name, (name_key, node) in fields.items():
            if name in COMMON:
                continue
            if name in block.refs:
                reference = self._reference(node, known)
                if reference is not None:
                    call.arguments[name] = reference
                continue
            if name not in block.params:
                if name not in cut_off(fields):
                    self.problems.append(
                        name_key.error(
                            f"{label}no parameter {describe(name)} for block {block.name}"
                            f"{language.synonyms.suggest(name, [*taken, *COMMON], 'field')}",
                            f"its parameters: {listed(taken)}" if taken else "it takes none",
                        )
                    )
                continue
            value = self.operators.value(node, known)
            if value is not None:
                call.arguments[name] = value
        missing = [name for name, default in block.params.items() if default is None and name not in fields]
        missing += [name for name in block.refs if name not in fields]
        if missing and any(name not in taken and name not in COMMON for name in fields):
            meant = {language.synonyms.suggestion(name, [*taken, *COMMON], "field") for name in fields}
            missing = [name for name in missing if name not in meant]
        if missing:
            self.problems.append(
                key.error(
                    f"{label}block {block.name} needs {' and '.join(missing)}",
                    f"write {block.name}: {{{', '.join(f'{name}: ...' for name in missing)}}}",
                )
            )
        return call

    def _group(self, key: reader.Scalar, fields: Fields, known: Known) -> Group:
        group = Group(key)
        self.operators.only(fields, (*GROUP_FIELDS, *COMMON), "group", {})
        if "layers" not in fields:
            raise key.error(f"{self._label('', fields)}group needs layers", "write layers: and a list")
        group.indexed = indexed(fields["naming"][1] if "naming" in fields else None, self.problems)
        group.layers = self.entries(fields["layers"][1], known)
        return group

    def _network(self, key: reader.Scalar, fields: Fields) -> NetworkEntry:
        """Another spec as a layer, compiled with its own variables and defaults."""
        self.operators.only(fields, (*NETWORK_FIELDS, *COMMON), "network", {})
        memo = identity(fields)
        included = None if memo is None else self._networks.get(memo)
        if included is None:
            included = self._include(key, fields)
            if memo is not None:
                self._networks[memo] = included
        network = NetworkEntry(
            key,
            included.arch,
            included.layers,
            included.variables,
            included.make,
            included.inputs,
            included.outputs,
        )
        network.until = self._common(fields, "until", frozenset(self._variables))
        return network

    def _include(self, key: reader.Scalar, fields: Fields) -> NetworkEntry:
        """Compile the spec that a `network` entry refers to."""
        included = include(key, fields, self._spec, self._variables)
        nested = Compiler(included.spec, included.variables)
        layers = included.spec.keys.get("layers")
        if layers is None:
            raise key.error(f"{included.arch} has no layers")
        entries = nested.entries(layers, nested.known)
        self.problems += included.spec.problems
        self.operators.reads_shape = self.operators.reads_shape or nested.operators.reads_shape
        return NetworkEntry(
            key,
            included.arch,
            entries,
            included.variables,
            nested.operators.make,
            tuple([entry.name for entry in included.inputs]),
            included.outputs,
        )

    def _use(self, key: reader.Scalar, fields: Fields, known: Known, over: Fields) -> Use:
        """over: fields that `first` adds or replaces; their aliases can be resolved only once the kind is known."""
        if "block" not in fields:
            raise language.mistakes.use_without_block(key, fields)
        _, choice_node = over.get("block", fields["block"])
        choice = self.operators.value(choice_node, known)
        if choice is None:
            choice = Value(choice_node, "identity", True)
        rest = {name: pair for name, pair in fields.items() if name != "block"}
        added = {name: pair for name, pair in over.items() if name != "block"}
        compiled: dict[str, Entry] = {}

        def compile_as(kind: str) -> Entry:
            if kind not in compiled:
                if kind in STRUCTURES or not is_kind(kind, self.blocks):
                    raise language.mistakes.unknown_choice(kind, choice_node, self.blocks)
                before = len(self.problems)
                entry = self._special(kind, key, _overlaid(kind, rest, added), known)
                if len(self.problems) > before:
                    raise self.problems[before]
                compiled[kind] = entry
            return compiled[kind]

        if choice.constant:
            name = choice.evaluate(NONE)
            if not isinstance(name, str):
                raise choice_node.error(f"block needs the name of a block or operator, not {describe(name)}")
            compile_as(name)
        reads = names_within([node for _, node in (*rest.values(), *added.values())])
        self.operators.reads_shape = self.operators.reads_shape or "shape" in reads
        return Use(key, choice, compile_as, reads)

    def _loop(self, key: reader.Scalar, body: reader.YamlNode | None, known: Known) -> Loop:
        if not isinstance(body, reader.Mapping):
            raise key.error("foreach needs in, as and layers", "foreach: {in: [1, 2], as: k, layers: [...]}")
        only(self.operators, body, LOOP_FIELDS, "foreach", _LOOP_HINTS)
        missing = [name for name in ("in", "as", "layers") if name not in body.entries]
        if missing:
            raise key.error(f"foreach needs {' and '.join(missing)}")
        items = self.operators.value(body.entries["in"], known)
        if items is not None and items.constant and not isinstance(items.evaluate(NONE), list):
            self.problems.append(
                items.node.error(
                    f"foreach goes through a list, not {describe(items.evaluate(NONE))}",
                    "write in: [1, 2, 3], in: $list or in: $(range(3))",
                )
            )
        target = body.entries["as"]
        names = target.items if isinstance(target, reader.Sequence) else [target]
        index = body.entries.get("index")
        targets: list[str] = []
        for node in [*names, *([index] if index is not None else [])]:
            if not isinstance(node, reader.Scalar):
                raise node.error("as and index need names", "write as: [width, depth], index: s")
            problem = name_problem(node.text, node, "loop variable")
            if problem:
                self.problems.append(problem)
            if node.text in targets:
                self.problems.append(node.error(f"{describe(node.text)} is named twice"))
            targets.append(node.text)
        if not targets:
            raise target.error("as needs at least one name")
        loop = Loop(
            key, items or Value(target, [], True), targets[: len(names)], isinstance(target, reader.Sequence)
        )
        loop.index = targets[-1] if index is not None else None
        loop.layers = self.entries(body.entries["layers"], known | set(targets))
        return loop

    def _branches(
        self, kind: str, label: str, pair: tuple[reader.Scalar, reader.YamlNode], known: Known
    ) -> list[Branch]:
        key, node = pair
        if id(node) in self._shared and self._shared[id(node)] is not None:
            shared: list[Branch] = self._shared[id(node)]
            return shared
        if (problem := checks.no_branches(kind, label, key, node, self.blocks)) is not None:
            self.problems.append(problem)
            return []
        assert isinstance(node, reader.Sequence)
        branches = []
        for item in node.items:
            if isinstance(item, reader.Sequence):
                branches.append(Branch(item, self.entries(item, known)))
            else:
                assert isinstance(item, reader.Mapping)
                branches.append(self._branch(item, known))
        if id(node) in self._shared:
            self._shared[id(node)] = branches
        return branches

    def _branch(self, node: reader.Mapping, known: Known) -> Branch:
        only(self.operators, node, BRANCH_FIELDS, "a branch", _BRANCH_HINTS)
        fields: Fields = {name: (node.keys[name], value) for name, value in node.entries.items()}
        if "layers" not in fields:
            raise node.error("a branch needs layers", "write layers: and a list")
        branch = Branch(node, self.entries(fields["layers"][1], known))
        branch.name = self._common(fields, "name", known)
        branch.condition = self._common(fields, "if", known)
        branch.indexed = indexed(node.entries.get("naming"), self.problems)
        return branch

    # -- common keys ------------------------------------------------------------------------------------

    def _common(self, fields: Fields, name: str, known: Known) -> Value | None:
        """The compiled value of a common key, or None. Constants are checked here, expressions when evaluated."""
        if name not in fields:
            return None
        key, node = fields[name]
        value = self.operators.value(node, known)
        if value is not None and value.constant:
            problem = checks.common_key(name, key, value)
            if problem:
                self.problems.append(problem)
        return value

    def _from(self, node: reader.YamlNode, known: Known) -> Value | list[Value] | None:
        """The value of `from`: a path, or a list of paths."""
        if not isinstance(node, reader.Sequence):
            return self._reference(node, known)
        if not node.items:
            self.problems.append(node.error("from is empty", "write from: [a, b]"))
        values = [self._reference(item, known) for item in node.items]
        return [value for value in values if value is not None]

    def _reference(self, node: reader.YamlNode, known: Known) -> Value | None:
        """A path, or a reference of the enclosing block. A parameter is refused: its text would be looked up among the
        block's own layers, not where the block is used."""
        value = self.operators.value(node, known - MEASURES)
        block = self.blocks.get(self._inside)
        if value is None or block is None:
            return value
        for place, name in value.bare_names():
            if name in block.params:
                self.problems.append(
                    place.error(
                        f"${name} is a parameter of block {block.name}, and from needs a layer",
                        f"write refs: [{name}] beside params: {name} is then looked up where the block is used",
                    )
                )
                return None
        return value

    def _keys(self, node: reader.YamlNode, known: Known) -> Mapping[str, Value] | Value | None:
        if isinstance(node, reader.Mapping):
            values = {name: self.operators.value(value, known) for name, value in node.entries.items()}
            return {name: value for name, value in values.items() if value is not None}
        if isinstance(node, reader.Scalar):
            return self.operators.value(node, known)
        self.problems.append(
            node.error("keys needs a word for the layer's own segment, or {weight: other_name}")
        )
        return None

    def _label(self, other: str, fields: Fields) -> str:
        """A message prefix: `name: ` if the entry has a literal name, else `other`."""
        if "name" not in fields:
            return other
        node = fields["name"][1]
        written = isinstance(node, reader.Scalar) and node.text and "$" not in node.text
        return f"{cut(node.text)}: " if written and isinstance(node, reader.Scalar) else other


def _overlaid(kind: str, fields: Fields, over: Fields) -> Fields:
    """The fields, with those of `first` replacing fields of the same name or alias."""
    replaced = {canonical(kind, name) for name in over}
    kept = {name: pair for name, pair in fields.items() if canonical(kind, name) not in replaced}
    return {**kept, **over}
