"""The classes of a network's source: one for each block, each group with a `forward` of its own, and the network."""

from __future__ import annotations

from collections.abc import Sequence

from convcalc.formats.spec.records import (
    Expression,
    Group,
)
from convcalc.formats.torch.source.blocks import Argument, Blocks
from convcalc.formats.torch.source.bodies import Body, free_names
from convcalc.formats.torch.source.copies import filled_slots
from convcalc.formats.torch.source.heads import with_classes
from convcalc.formats.torch.source.links import Scope
from convcalc.formats.torch.source.made import Link, Made, NotAChain, Value
from convcalc.formats.torch.source.scopes import outside_paths
from convcalc.formats.torch.source.site import Call, InexpressibleError, quoted
from convcalc.formats.torch.source.sizes import Sizes
from convcalc.formats.torch.source.stages import staged
from convcalc.formats.torch.source.symbols import (
    class_name,
    identifier,
    is_identifier,
    unique,
)


class Classes(Blocks):
    """The source of a Document in the making."""

    def written(self) -> list[list[str]]:
        """The classes, a list of lines each."""
        for block in self.document.blocks.values():
            self.block(block)
        self._network()
        return self.classes

    # -- the network --------------------------------------------------------------------------------------------

    def _network(self) -> None:
        graph, document = self.graph, self.document
        arguments: dict[str, Value] = {}
        named: dict[str, Value] = {}
        for place, entry in enumerate(graph.inputs):
            single = len(graph.inputs) == 1
            argument = "x" if single else identifier(entry.name, {*arguments, "self", "x"})
            value = Value(place, tuple([str(size) for size in entry.shape]))
            arguments[argument] = named[entry.name] = value
            if single:
                named.setdefault("input", value)
        layers = with_classes(document.layers, self.heads)
        names = {"classes": "classes"} if self.heads else {}
        scope = Scope(self, names, layers, False, requested=tuple(document.outputs.values()))
        body = Body(scope, arguments, named)
        last = body.sequence(layers, next(iter(arguments.values())) if len(arguments) == 1 else None)
        assert last is not None
        results = {quoted(name): body.resolve(path).place for name, path in document.outputs.items()}
        if not results:
            results = {quoted(graph.outputs[0].name): last.place}
        free = free_names(body.lines(2))
        given = (
            [Argument("classes", str(graph.variables["classes"]))] if self.heads and "classes" in free else []
        )
        self.classes.append(self.class_lines(self.name, given, body, results))

    # -- groups -------------------------------------------------------------------------------------------------

    def grouped(
        self,
        scope: Scope,
        entry: Group,
        sizes: Sizes,
        segment: str,
        main: Value | None,
        requested: Sequence[str] = (),
    ) -> Made:
        """The module of a group: a Sequential, or a class of its own. requested: paths of layers within, whose values
        it gives besides its own."""
        inner = Scope(self, scope.names, entry.layers, entry.naming, requested=tuple(requested))
        outside = outside_paths(entry.layers, entry.naming)
        if not outside and not requested:
            try:
                links, after = inner.links(sizes)
                call = self._sequential(links, entry.naming, segment)
                if call is not None:
                    return Made(call, inner.without_locals(after))
            except NotAChain:
                pass
        arguments = {"x": Value(0, sizes)}
        refs: dict[str, Value] = {}
        inputs: list[str | Expression] = []
        for path in outside:
            if scope.body is None:
                raise NotAChain
            value = scope.body.resolve(path)
            if main is not None and value.place == main.place:
                refs[path.text if isinstance(path, Expression) else path] = arguments["x"]
                continue
            plain = path.text if isinstance(path, Expression) else path
            name = identifier(plain.rpartition(".")[2], {*arguments, "self"})
            refs[plain] = arguments[name] = Value(len(arguments), value.sizes)
            inputs.append(path)
        body = Body(inner, arguments, refs)
        last = body.sequence(entry.layers, arguments["x"])
        assert last is not None
        given_values = [last, *(body.resolve(path) for path in requested)]
        if requested and not all(value.batched for value in given_values):
            raise InexpressibleError(f"{segment}: others read learned tensors inside it")
        reads_main = body.flow.reads(0, [value.place for value in given_values])
        if not reads_main:
            body.flow.drop_first()
        results = {str(n): value.place - (not reads_main) for n, value in enumerate(given_values)}
        free = free_names(body.lines(2))
        known = [name for name in self._symbols(scope) if name in free]
        given = [Argument(name) for name in known]
        lines = self.class_lines("?", given, body, results)
        name = self.named(
            "\n".join(lines), lines, class_name(segment) if not segment.isdecimal() else "Block"
        )
        sizes = inner.without_locals(last.sizes)
        others = tuple([inner.without_locals(value.sizes) for value in given_values[1:]])
        return Made(
            Call(name, tuple(known)),
            sizes,
            tuple(inputs),
            reads_main=reads_main,
            others=others,
            batched=given_values[0].batched,
        )

    def _symbols(self, scope: Scope) -> list[str]:
        return list(
            dict.fromkeys(name for text in scope.names.values() for name in [text] if is_identifier(text))
        )

    def _sequential(self, links: Sequence[Link], naming: bool, segment: str) -> Call | None:
        """A chain as an expression; None if it takes statements."""
        if any(link.condition for link in links):
            return None
        if not naming:
            if all(is_identifier(link.segment) for link in links):
                items: tuple[str | Call, ...] = tuple(
                    Call(f"{link.segment}={link.call.name}", link.call.arguments, link.call.brackets)
                    for link in links
                )
            else:
                items = (Call("", tuple(f"({quoted(link.segment)}, {link.call})" for link in links), "[]"),)
            return Call("nn.Sequential", (Call("OrderedDict", items),))
        slots = filled_slots(links)
        if slots is None:
            return None
        name = unique(identifier(segment), self.taken)
        lines = staged(name, slots)
        if lines is None:
            return Call("nn.Sequential", tuple(slots))
        self.taken.add(name)
        self.classes.append(lines)
        return Call(name)
