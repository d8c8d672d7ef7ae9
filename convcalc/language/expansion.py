"""Expansion of checked entries into the graph: blocks, branches, repeats and loops, in one pass.

`$channels` and `$shape` depend on shapes, so each layer is wired and its shape computed before the next entry. The work
is linear in the number of layers, and bounded: the builder counts layers, `Expansion` counts steps that add none.
"""

from __future__ import annotations

from collections.abc import Callable

from convcalc.errors import Misfit, SpecError, did_you_mean
from convcalc.graph import INPUT, Builder, Trail, input_index, is_input
from convcalc.language import reader
from convcalc.language.bounds import MAX_NESTING, Bounds, max_steps, too_many_copies, too_many_steps
from convcalc.language.compiler import Compiler
from convcalc.language.entries import Block, Branch, Call, Entry, Group, Layer, Loop, NetworkEntry, Use
from convcalc.language.expressions import LAYER_BUDGET, Names
from convcalc.language.lookup import Lookup, segment_of
from convcalc.language.outputs import found_outputs
from convcalc.language.scopes import Scope
from convcalc.language.sharing import check_keys, other_keys, shared_layer, shared_scope, twin_layer
from convcalc.language.values import boolean, integer, text
from convcalc.language.words import listed
from convcalc.ops import Operator, describe

# The input of the first entry of a network with several inputs: none, so the entry needs `from`.
NO_INPUT = -(2**40)


class Reached(Exception):
    """Raised to stop a network at its `until` layer. index: the node's index."""

    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = index


class Expansion:
    """One pass over a spec's entries. `start` returns the index of the network's last layer. joining: the paths of the
    scopes that directly contain a join with branches."""

    def __init__(self, builder: Builder, compiler: Compiler, max_layers: int) -> None:
        self.builder = builder
        self.lookup = Lookup(builder)
        self.make: Callable[[Layer, Names, str], Operator] = compiler.operators.make
        self.max_layers = max_layers
        self.steps = max_steps(max_layers)
        self.reads_shape = compiler.operators.reads_shape
        self.blocks: list[Block] = []
        self.variables = Names({})
        self.depth = 0
        self.joining: set[str] = set()
        self.until: str | None = None  # path of the layer at which the current network stops
        self.top = Scope("", None, None)

    def start(self, entries: list[Entry], variables: Names) -> int:
        """Expand the whole network. variables: those of the file, which every block sees."""
        self.variables = variables
        Bounds(self.max_layers, variables).entries(entries)
        inputs = self.builder.inputs
        for position, entry in enumerate(inputs):
            self.top.members[entry.name] = input_index(position)
        if len(inputs) == 1:
            self.top.members["input"] = INPUT
        current = INPUT if len(inputs) == 1 else NO_INPUT
        return self.run(entries, self.top, current, variables.inner(), None)

    def run(self, entries: list[Entry], scope: Scope, current: int, names: Names, trail: Trail | None) -> int:
        """Expand entries in sequence, each reading the one before. names: modified, so pass a copy."""
        self.depth += 1
        for entry in entries:
            if self.depth > MAX_NESTING:
                raise entry.node.error(f"blocks, groups and loops nested more than {MAX_NESTING} deep")
            self._measure(current, names)
            current = (
                self.loop(entry, scope, current, names, trail)
                if isinstance(entry, Loop)
                else self.entry(entry, scope, current, names, trail)
            )
        self.depth -= 1
        return current

    def loop(self, entry: Loop, scope: Scope, current: int, names: Names, trail: Trail | None) -> int:
        """Expand a `foreach` loop, which opens no scope: its layers belong to the enclosing scope."""
        items = entry.items.evaluate(names)
        if not isinstance(items, list):
            raise entry.items.node.error(f"foreach goes through a list, not {describe(items)}")
        for position, item in enumerate(items):
            self._step(entry.node)
            inner = names.inner()
            if not entry.unpack:
                inner[entry.targets[0]] = item
            elif isinstance(item, list) and len(item) == len(entry.targets):
                inner.update(zip(entry.targets, item, strict=True))
            else:
                nodes = entry.items.node.items if isinstance(entry.items.node, reader.Sequence) else []
                node = nodes[position] if position < len(nodes) else entry.items.node
                raise node.error(
                    f"item {position} is {describe(item)}, but as names {len(entry.targets)}: "
                    + ", ".join(entry.targets),
                    "each item is a list of one value per name",
                )
            if entry.index:
                inner[entry.index] = position
            current = self.run(entry.layers, scope, current, inner, trail)
        return current

    def entry(self, entry: Entry, scope: Scope, current: int, names: Names, trail: Trail | None) -> int:
        """Expand an entry with its `if`, `from`, `name` and `repeat`; returns the index of its output."""
        self._step(entry.node)
        inputs: tuple[int, ...] = (current,)
        condition = entry.condition
        if condition is not None and not entry.late and not boolean(condition, names, "if"):
            return current
        if entry.origin is not None:
            inputs = self.lookup.origin(entry, scope, current, names)
            self._measure(inputs[0], names)  # a late `if` reads the shape of `from`
        if condition is not None and entry.late and not boolean(condition, names, "if"):
            return current
        if isinstance(entry, Use):
            entry = self._choose(entry, names)
        ordinal = scope.counts[entry.kind] = scope.counts.get(entry.kind, 0) + 1
        number = scope.next
        scope.next += 1
        written = None if entry.name is None else segment_of(entry.name, names, "name")
        if scope.indexed and written is not None and written.isdecimal():
            scope.next = int(written) + 1  # numbering continues after an explicit number
        segment = written or (str(number) if scope.indexed else f"{entry.kind}{ordinal}")
        if segment in scope.members:
            raise self.lookup.clash(entry, entry.name, scope, segment)
        if entry.repeat is None:
            named = written is not None or scope.indexed
            result = self.single(entry, scope, segment, named, inputs, names, trail)
        else:
            result = self.repeated(entry, scope.inner(segment, entry.node), inputs, names, trail)
        if self.until is not None:
            self._check_end(scope, segment, result)
        return result

    def repeated(
        self, entry: Entry, scope: Scope, inputs: tuple[int, ...], names: Names, trail: Trail | None
    ) -> int:
        """Expand the copies of an entry, each under a segment of its scope; without copies, return the input."""
        assert entry.repeat is not None
        count = integer(entry.repeat, names, "repeat")
        if count > self.max_layers:
            raise too_many_copies(entry.repeat.node, count, self.max_layers)
        if not count and len(inputs) > 1:
            raise entry.repeat.node.error("no copy of a join of several inputs: there is no one output")
        for copy in range(count):
            self._step(entry.node)
            inner = names.inner()
            inner["i"] = copy
            self._measure(inputs[0], inner)
            part = None if entry.copies is None else segment_of(entry.copies, inner, "copies")
            part = part or str(copy)
            if part in scope.members:
                raise self.lookup.clash(entry, entry.copies, scope, part)
            used = entry.first if copy == 0 and entry.first is not None else entry
            inputs = (self.single(used, scope, part, True, inputs, inner, trail),)
            self._check_end(scope, part, inputs[0])
        scope.last = inputs[0]
        return inputs[0]

    def single(
        self,
        entry: Entry,
        scope: Scope,
        segment: str,
        named: bool,
        inputs: tuple[int, ...],
        names: Names,
        trail: Trail | None,
    ) -> int:
        """Expand one copy of an entry under the given segment."""
        if isinstance(entry, Use):
            entry = self._choose(entry, names)
        if isinstance(entry, Layer):
            if entry.branches is not None:
                return self.join(entry, scope, segment, named, inputs, names, trail)
            return self.layer(entry, scope, segment, named, inputs, names, trail)
        if isinstance(entry, NetworkEntry):
            return self.network(entry, scope, segment, inputs, names, trail)
        if len(inputs) > 1:
            raise entry.node.error(
                "a list of inputs belongs to a join: concat, add or multiply", "from takes one name here"
            )
        if isinstance(entry, Group):
            inner = self._inner(entry, scope, segment, names, entry.indexed)
            result = self.run(entry.layers, inner, inputs[0], names.inner(), trail)
        else:
            assert isinstance(entry, Call)
            inner = self._inner(entry, scope, segment, names, entry.block.indexed)
            result = self.call(entry, inner, inputs[0], names, trail)
        inner.last = result
        return result

    def network(
        self,
        entry: NetworkEntry,
        scope: Scope,
        segment: str,
        inputs: tuple[int, ...],
        names: Names,
        trail: Trail | None,
    ) -> int:
        """Expand another spec under a segment. It sees only its own variables, layers and inputs."""
        path = scope.joined(segment, entry.node)
        if len(inputs) != len(entry.inputs):
            needs = listed(entry.inputs) if len(entry.inputs) > 1 else "one"
            raise entry.node.error(
                f"{path}: {entry.arch} has {len(entry.inputs)} input{'s' * (len(entry.inputs) > 1)}, "
                f"here {'are' if len(inputs) > 1 else 'is'} {len(inputs)}",
                f"from: [...] names a layer for each of them: {needs}" if len(entry.inputs) > 1 else None,
            )
        until = None if entry.until is None else text(entry.until, names, "until")
        inner = self._inner(entry, scope, segment, names)
        inner.outer = None  # lookups within the network stop at its own top
        inner.members.update(zip(entry.inputs, inputs, strict=True))
        if len(inputs) == 1:
            inner.members["input"] = inputs[0]
        around = self.make, self.variables, self.blocks, self.depth, self.until
        self.make, self.variables, self.blocks = entry.make, entry.variables, []
        self.until = None if until is None else inner.prefix + until
        first = len(self.builder.nodes)
        own = Names(entry.variables, names.budget)
        current = inputs[0] if len(inputs) == 1 else NO_INPUT
        inner_trail = Trail(entry.node, trail)
        try:
            result = self.run(entry.layers, inner, current, own, inner_trail)
            if entry.until is not None and until is not None:
                known = [node.name.removeprefix(inner.prefix) for node in self.builder.nodes[first:]]
                raise entry.until.node.error(
                    f"{path}: {entry.arch} has no layer {describe(until)}{did_you_mean(until, known)}",
                    f"its last ones: {listed(known[-8:])}" if known else None,
                )
            if entry.outputs:
                result = found_outputs(entry.outputs, inner)[0].node
        except Reached as reached:
            result = reached.index
        except SpecError as error:
            if not error.used_at and error.mark is not None and error.mark.file != entry.node.mark.file:
                error.used_at = tuple(inner_trail.marks())
            raise
        finally:
            self.make, self.variables, self.blocks, self.depth, self.until = around
        inner.outer = scope
        inner.last = result
        return result

    def call(self, entry: Call, scope: Scope, current: int, names: Names, trail: Trail | None) -> int:
        """Expand a block's body, which sees its parameters and the file's variables but no names of the caller."""
        block = entry.block
        if block in self.blocks:
            raise entry.node.error(f"block {block.name} uses itself", "repeat makes copies in sequence")
        given = {
            name: self.lookup.reference(name, value, scope.outer or scope, names)
            if name in block.refs
            else value.evaluate(names)
            for name, value in entry.arguments.items()
        }
        inner_trail = Trail(entry.node, trail)
        inner = self.variables.inner()
        self._measure(current, inner)
        self.blocks.append(block)
        try:
            for name, default in block.params.items():
                if name in given:
                    inner[name] = given[name]
                else:
                    assert default is not None, name
                    inner[name] = default.evaluate(inner)
            for name in block.refs:
                inner[name] = given[name]
            result = self.run(block.layers, scope, current, inner, inner_trail)
        except SpecError as error:
            if not error.used_at:
                error.used_at = tuple(inner_trail.marks())
            raise
        self.blocks.pop()
        return result

    def layer(
        self,
        entry: Layer,
        scope: Scope,
        segment: str,
        named: bool,
        inputs: tuple[int, ...],
        names: Names,
        trail: Trail | None,
    ) -> int:
        """Wire one operator; returns the index of its node."""
        path = scope.joined(segment, entry.node)
        operator = entry.op
        if operator is None:
            operator = self.make(entry, names, path)
        if operator.shape_field is not None:
            operator = self._sized(entry, operator, operator.shape_field, scope, path, names)
        if operator.inputs[1] == 0 or NO_INPUT in inputs or operator.layer_fields():
            inputs = self._inputs(entry, operator, scope, path, inputs, names)
        if len(inputs) > 1:
            self._step(entry.node, len(inputs) - 1)  # so the total number of edges is bounded too
        shares = None
        if entry.share is not None or scope.twin is not None:
            shares = self._shared(entry, scope, segment, names)
        keys = None if entry.keys is None else other_keys(entry, scope, names)
        index = self.builder.add(
            path,
            operator,
            inputs,
            scope=scope.path,
            place=entry.node,
            trail=trail,
            shares=shares,
            keys=keys,
            named=named,
        )
        names.budget.left += LAYER_BUDGET  # the budget grows with the network
        if keys is not None:
            check_keys(entry, self.builder.nodes[index])
        if scope.twin is not None and shares is None and entry.share is None:
            self._check_twin(entry, scope, segment, index)
        scope.members[segment] = index
        return index

    def _inputs(
        self, entry: Layer, operator: Operator, scope: Scope, path: str, inputs: tuple[int, ...], names: Names
    ) -> tuple[int, ...]:
        """The inputs of a layer: the previous layer or those in `from`, then the layers that its fields name; none if
        the operator takes no input."""
        if operator.inputs[1] == 0:
            if entry.origin is not None:
                raise entry.node.error(f"{path}: {entry.kind} reads no layer", "leave out from")
            inputs = ()
        for name in operator.layer_fields():
            source = getattr(operator, name)
            if source is not None:
                inputs = (*inputs, self.lookup.named_layer(entry, name, source, scope, names))
        if NO_INPUT in inputs:
            network = self.builder.inputs
            raise entry.node.error(
                f"{path}: the network has {len(network)} inputs: {listed([given.name for given in network])}",
                f"say which this layer reads: from: {network[0].name}",
            )
        return inputs

    def _sized(
        self, entry: Layer, operator: Operator, field: str, scope: Scope, path: str, names: Names
    ) -> Operator:
        """The operator, sized like the layer that its field names. Only that layer's shape is used, not its output."""
        named = getattr(operator, field)
        if named is None:
            return operator
        node = entry.fields[field].node if field in entry.fields else entry.node
        found = self.lookup.named_layer(entry, field, named, scope, names)
        name = named if is_input(found) else self.builder.nodes[found].name
        try:
            return operator.sized_like(name, self.builder.shape(found))
        except Misfit as misfit:
            raise node.error(f"{path}: {misfit.message}", misfit.hint) from None

    def join(
        self,
        entry: Layer,
        scope: Scope,
        segment: str,
        named: bool,
        inputs: tuple[int, ...],
        names: Names,
        trail: Trail | None,
    ) -> int:
        """Expand a join and its branches, all of which start from the join's input."""
        path = scope.prefix + segment
        self.joining.add(scope.path)
        if len(inputs) > 1:
            raise entry.node.error(
                f"{path}: a join has branches or a list of inputs, not both",
                "from: [a, b] joins layers that exist; with branches, from names one input",
            )
        start = inputs[0]
        inner = scope.inner(segment, entry.node) if named else scope
        ends: list[int] = []
        assert entry.branches is not None
        for branch in entry.branches:
            self._step(entry.node)
            self._measure(start, names)
            if branch.condition is None or boolean(branch.condition, names, "if"):
                ends.append(self.branch(branch, inner, start, names, trail))
        self._measure(start, names)  # the join's own fields see its input, not the end of a branch
        if not named and segment in scope.members:
            raise self.lookup.clash(entry, None, scope, segment)
        if not ends:
            raise entry.node.error(
                f"{path}: every branch of this {entry.kind} is switched off", "use if on the join itself"
            )
        if len(ends) == 1:  # a single branch needs no join
            if named:
                inner.last = ends[0]
            else:
                scope.members[segment] = ends[0]
            return ends[0]
        if all(end == start for end in ends):
            raise entry.node.error(
                f"{path}: all branches of this {entry.kind} are the identity",
                "give one of them a layer, or switch the join off with if",
            )
        index = self.layer(entry, scope, segment, named, tuple(ends), names, trail)
        if named:
            scope.members[segment] = inner
            inner.last = index
        return index

    def branch(self, branch: Branch, scope: Scope, start: int, names: Names, trail: Trail | None) -> int:
        """Expand a branch; returns its last layer, or the join's input if it is empty."""
        segment = None if branch.name is None else segment_of(branch.name, names, "name")
        if segment is None:
            inner = scope.numbered() if branch.indexed else scope
            return self.run(branch.layers, inner, start, names.inner(), trail)
        if segment in scope.members:
            raise self.lookup.clash(branch, branch.name, scope, segment)
        inner = scope.inner(segment, branch.node, branch.indexed)
        inner.last = self.run(branch.layers, inner, start, names.inner(), trail)
        self._check_end(scope, segment, inner.last)
        return inner.last

    def _inner(self, entry: Entry, scope: Scope, segment: str, names: Names, indexed: bool = False) -> Scope:
        """A new scope for a group, block or network; its twin is the scope with which it shares weights."""
        shared = None if entry.share is None else text(entry.share, names, "share")
        twin = None
        if shared is not None:
            assert entry.share is not None
            found = self.lookup.find(shared, scope, entry.share.node)
            twin = shared_scope(found, shared, entry.share.node)
        inner = scope.inner(segment, entry.node, indexed)
        inner.twin = twin or inner.twin
        return inner

    def _shared(self, entry: Layer, scope: Scope, segment: str, names: Names) -> int | None:
        """The layer whose weights a layer shares: the one in `share`, or its counterpart in the scope's twin."""
        if entry.share is None:
            return None if scope.twin is None else twin_layer(scope.twin, segment, self.builder.nodes)
        path = text(entry.share, names, "share")
        if path is None:
            return None
        found = self.lookup.find(path, scope, entry.share.node)
        return shared_layer(found, path, entry.share.node, self.builder.nodes)

    def _check_twin(self, entry: Layer, scope: Scope, segment: str, index: int) -> None:
        """Raise SpecError if a layer has weights but the scope's twin has none under the same segment."""
        node = self.builder.nodes[index]
        assert scope.twin is not None
        if node.parameters:
            raise entry.node.error(
                f"{node.name}: {scope.twin.path} has no weights called {describe(segment)} to share",
                f"it holds {listed(scope.twin.members)}",
            )

    def _check_end(self, scope: Scope, segment: str, result: int) -> None:
        """Raise Reached if this is the layer at which the current network stops."""
        if self.until is not None and scope.prefix + segment == self.until:
            raise Reached(result)

    def _measure(self, current: int, names: Names) -> None:
        """Set $channels and $shape to those of the output that the next entry reads."""
        if current == NO_INPUT:
            names.pop("channels", None)
            names.pop("shape", None)
        else:
            shape = self.builder.shape(current)
            names["channels"] = shape[0]
            if self.reads_shape:
                names["shape"] = list(shape)

    # -- helpers ----------------------------------------------------------------------------------------

    def _step(self, node: reader.YamlNode, steps: int = 1) -> None:
        self.steps -= steps
        if self.steps < 0:
            raise too_many_steps(node, self.max_layers)

    def _choose(self, use: Use, names: Names) -> Entry:
        """The entry that a `use` selects, with the name, repeat and weight keys of the `use`."""
        kind = use.choice.evaluate(names)
        if not isinstance(kind, str):
            raise use.choice.node.error(f"block needs the name of a block or operator, not {describe(kind)}")
        chosen = use.compiled(kind)
        if use.keys is not None and not isinstance(chosen, Layer):
            raise use.node.error(f"keys belongs to a layer, and {kind} is a block")
        chosen.name, chosen.repeat, chosen.copies, chosen.first = use.name, use.repeat, use.copies, use.first
        chosen.share, chosen.keys = use.share, use.keys
        return chosen
