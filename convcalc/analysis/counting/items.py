"""What can be counted in a network: its layers as PyTorch modules and function calls, and rules that sum over them.

Counting tools hook into PyTorch: into the modules of a network, into the functions that it calls, or both. The spec
says which layers are modules: a layer that it names or numbers is a module; an unnamed layer, such as GoogLeNet's
`relu`, is a function call. The bundled `torchvision/` networks keep torchvision's module paths, so there this matches
torchvision's code. Layers with weights are always modules. If a spec names no layer without weights, all of them are
taken to be modules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import prod
from typing import Literal, NamedTuple

from convcalc.analysis.analyse import peak_elements
from convcalc.graph import Graph, Node
from convcalc.shapes import Shape, elements

# Which layers without weights are modules: as the spec says (""), all that PyTorch has a module for, or none.
Modules = Literal["", "all", "none"]


class Item(NamedTuple):
    """Something that a rule can count: a layer, or one of

    - the input;
    - a block: a module that contains others; some tools count its output in addition to theirs;
    - the peak: the most elements alive at once.

    role: the operator's, or "input", "block", "peak". name: of the PyTorch module, such as ReLU, or of the function,
    such as relu; "" if there is neither. module: whether it is a module. shape: of the output. inputs, outputs:
    elements of its first input and of its output. weights, biases, buffers: how many the layer uses; owns: whether
    they are its own, not shared. normalised: whether a batch normalisation reads its output.
    """

    role: str
    shape: Shape
    name: str = ""
    module: bool = False
    node: Node | None = None
    inputs: int = 0
    outputs: int = 0
    macs: int = 0
    weights: int = 0
    biases: int = 0
    buffers: int = 0
    owns: bool = True
    normalised: bool = False


class Rule(NamedTuple):
    """A count over items: `each` times the sum of `measure` over the items with one of the names and one of the roles;
    empty names or roles match any item. what: a description, the same for the same thing in all conventions."""

    what: str
    measure: Callable[[Item], int]
    each: int = 1
    names: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()

    def takes(self, item: Item) -> bool:
        """Whether the rule applies to an item."""
        return (not self.names or item.name in self.names) and (not self.roles or item.role in self.roles)

    def times(self, factor: int) -> Rule:
        """The same rule with `each` multiplied by `factor`."""
        return self._replace(each=self.each * factor)


class Term(NamedTuple):
    """A term of a total: what is counted, how many there are, and how much each contributes."""

    what: str
    number: int
    each: int

    @property
    def sum(self) -> int:
        """number · each."""
        return self.number * self.each


class Tally:
    """The results of rules over a graph. Every sum is computed only once."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        normalised = {node.inputs[0] for node in graph if node.op.torch_module == "BatchNorm"}
        self._layers = [(node, _item(node, node.index in normalised)) for node in graph]
        either = [node for node in graph if node.op.module_name(node.input_shapes) and not node.parameters]
        told = any(node.named for node in either)
        self._functions: dict[Modules, frozenset[int]] = {
            "": frozenset([node.index for node in either if told and not node.named]),
            "all": frozenset(),
            "none": frozenset([node.index for node in either]),
        }
        self._items: dict[frozenset[int], dict[str, list[Item]]] = {}
        self._sums: dict[tuple[object, ...], int] = {}

    @property
    def readings(self) -> tuple[Modules, ...]:
        """The choices of `modules` that differ for this graph, the spec's own first."""
        distinct: dict[frozenset[int], Modules] = {}
        for modules, functions in self._functions.items():
            distinct.setdefault(functions, modules)
        return tuple(distinct.values())

    def items(self, modules: Modules = "") -> list[Item]:
        """Everything that a rule can count."""
        return [item for items in self._by_role(modules).values() for item in items]

    def number(self, rule: Rule, modules: Modules = "") -> int:
        """The sum of a rule's measure over the items that it applies to, without the factor `each`."""
        key = (rule.measure, rule.names, rule.roles, modules)
        if key not in self._sums:
            by_role = self._by_role(modules)
            self._sums[key] = sum(
                [
                    rule.measure(item)
                    for role in rule.roles or by_role
                    for item in by_role.get(role, ())
                    if not rule.names or item.name in rule.names
                ]
            )
        return self._sums[key]

    def terms(self, rules: Iterable[Rule], modules: Modules = "") -> tuple[Term, ...]:
        """A term for each rule that counts anything."""
        terms = [Term(rule.what, self.number(rule, modules), rule.each) for rule in rules]
        return tuple([term for term in terms if term.number])

    def _by_role(self, modules: Modules) -> dict[str, list[Item]]:
        functions = self._functions[modules]
        if functions not in self._items:
            shape = self.graph.input_shape
            found = {
                "input": [Item("input", shape, outputs=elements(shape))],
                "peak": [Item("peak", (), outputs=peak_elements(self.graph))],
                "block": [
                    Item("block", output, module=True, outputs=elements(output))
                    for output in _block_outputs(self.graph, functions)
                ],
            }
            for node, item in self._layers:
                if node.index in functions:
                    item = item._replace(name=node.op.torch_function, module=False)
                found.setdefault(item.role, []).append(item)
            self._items[functions] = found
        return self._items[functions]


def _item(node: Node, normalised: bool) -> Item:
    counts = {"weight": 0, "bias": 0, "buffer": 0}
    for parameter in node.parameters:
        counts[parameter.role] += prod(parameter.shape)
    module = node.op.module_name(node.input_shapes)
    return Item(
        role=node.op.role,
        shape=node.output_shape,
        name=module or node.op.torch_function,
        module=bool(module),
        node=node,
        inputs=elements(node.input_shapes[0]) if node.input_shapes else 0,
        outputs=elements(node.output_shape),
        macs=node.op.macs(node.input_shapes),
        weights=counts["weight"],
        biases=counts["bias"],
        buffers=counts["buffer"],
        owns=node.shares is None,
        normalised=normalised,
    )


def _block_outputs(graph: Graph, functions: frozenset[int]) -> list[Shape]:
    """The output shapes of scopes with a `forward` of their own: modules that join branches or call a function. Other
    scopes, such as `layer1` of ResNet, are nn.Sequential, which no tool counts."""
    composed = graph.joining | {graph.nodes[index].scope for index in functions}
    outputs: dict[str, Shape] = {}
    for node in graph:
        scope = node.scope
        while scope:
            if scope in composed:
                outputs[scope] = node.output_shape
            scope = scope.rpartition(".")[0]
    return list(outputs.values())
