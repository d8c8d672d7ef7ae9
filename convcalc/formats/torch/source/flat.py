"""PyTorch source of any graph: one class with containers along the paths, and one `forward` with a step a layer.

It is the form of networks that no tree of classes can express; `source` prefers a class for each block.
"""

from __future__ import annotations

from collections.abc import Iterator

from convcalc.formats.torch.source.flow import Flow, Step
from convcalc.formats.torch.source.forms import form
from convcalc.formats.torch.source.layout import signature, statement
from convcalc.formats.torch.source.members import Members, defined, reached
from convcalc.formats.torch.source.site import Call, Form, Site, quoted
from convcalc.formats.torch.source.symbols import identifier
from convcalc.graph import Graph, Node

MAX_GAPS = 16  # placeholders that a numbered container may have


class _Scope(dict[str, "_Scope | Form"]):
    """The members of a container by segment."""

    @property
    def is_numbered(self) -> bool:
        """Whether a ModuleList can hold the members: numbers with few gaps, and no bare tensors."""
        if not all(segment.isdecimal() and str(int(segment)) == segment for segment in self):
            return False
        modules = all(isinstance(member, _Scope) or not member.value for member in self.values())
        return modules and max(map(int, self)) < len(self) + MAX_GAPS


class Flat:
    """The class of a whole graph."""

    def __init__(self, graph: Graph, name: str) -> None:
        self.graph = graph
        self.name = name
        self.helpers: set[str] = set()
        self.tree = _Scope()
        self.owned: dict[int, Form] = {}
        arguments: list[str] = []
        for entry in graph.inputs:
            arguments.append("x" if len(graph.inputs) == 1 else identifier(entry.name, {*arguments, "self"}))
        self.flow = Flow(arguments)
        self.values = {-1 - place: place for place in range(len(arguments))}
        self.batched = dict.fromkeys(self.values, True)
        for node in graph:
            self._place(node)
        self.members = Members(taken=set(self.tree))

    def _form(self, node: Node) -> Form:
        site = Site(
            node.op,
            node.input_shapes,
            batched=tuple([self.batched[source] for source in node.inputs]),
            attribute=identifier(node.name),
        )
        found = form(site)
        self.batched[node.index] = found.batched
        self.helpers.update(found.helpers)
        return found

    def _place(self, node: Node) -> None:
        found = self.owned[node.index] = self._form(node)
        if not node.parameters or node.shares is not None:
            return
        scope = self.tree
        *outer, last = node.name.split(".")
        for segment in outer:
            inner = scope.setdefault(segment, _Scope())
            assert isinstance(inner, _Scope)
            scope = inner
        scope[last] = found

    def lines(self) -> list[str]:
        """The class's source, a text for each line."""
        for node in self.graph:
            self._step(node)
        results = {quoted(output.name): self.values[output.node] for output in self.graph.outputs}
        return [
            f"class {self.name}(nn.Module):",
            "    def __init__(self):",
            "        super().__init__()",
            *self._registered("self", self.tree),
            *self.members.lines(2),
            "",
            *signature("def forward", ["self", *self.flow.arguments], 1),
            *self.flow.lines(results, 2),
        ]

    def _registered(self, owner: str, scope: _Scope) -> Iterator[str]:
        """The statements that fill a container."""
        numbered = owner != "self" and scope.is_numbered
        segments = [str(number) for number in range(max(map(int, scope)) + 1)] if numbered else list(scope)
        for segment in segments:
            member = scope.get(segment)
            if member is None:
                yield f"        {owner}.append(nn.Identity())"
            elif isinstance(member, _Scope):
                container = "nn.ModuleList()" if member.is_numbered else "nn.Module()"
                inner = f"{owner}[{segment}]" if numbered else reached(owner, segment)
                if numbered:
                    yield f"        {owner}.append({container})"
                elif inner.endswith("]"):
                    yield f"        {owner}.add_module({quoted(segment)}, {container})"
                else:
                    yield f"        {inner} = {container}"
                yield from self._registered(inner, member)
            elif numbered:
                yield from statement("", Call(f"{owner}.append", (member.module or "",)), 2)
            else:
                yield from defined(owner, segment, member, 2)

    def _reached(self, node: Node) -> str:
        """The source that reads a layer's module, parameter or buffer."""
        found = self.owned[node.index]
        owner, scope = "self", self.tree
        *outer, last = node.name.split(".")
        for segment in outer:
            numbered = owner != "self" and scope.is_numbered
            owner = f"{owner}[{segment}]" if numbered else reached(owner, segment)
            inner = scope[segment]
            assert isinstance(inner, _Scope)
            scope = inner
        if owner != "self" and scope.is_numbered:
            return f"{owner}[{last}]"
        kind = "_buffers" if found.is_buffer else "_parameters" if found.value else "_modules"
        return reached(owner, last, kind)

    def _step(self, node: Node) -> None:
        found = self.owned[node.index]
        call = found.call
        if node.parameters:
            owner = node if node.shares is None else self.graph.nodes[node.shares]
            call = (call or "{self}({0})").replace("{self}", self._reached(owner))
        elif found.module is not None and not found.is_function:
            attribute = self.members.module(node.op, None, found.module)
            call = (call or "{self}({0})").replace("{self}", f"self.{attribute}")
        hint = identifier(node.name.rpartition(".")[2], {"self", "x"})
        step = Step(
            call, tuple([self.values[source] for source in node.inputs]), bool(node.parameters), hint=hint
        )
        self.values[node.index] = self.flow.add(step)
