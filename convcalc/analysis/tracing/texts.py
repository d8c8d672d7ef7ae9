"""What is said of a network's layers, as texts with formulas in them: operators and worked figures.

The words are those of the code that says them of any network; it is run on a traced one. Their guards are kept apart
from those of the figures: a text that would be another elsewhere does not take the figures with it. It is also tried at
other values, and the page takes the text whose guards hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from convcalc.analysis.explain import weight_factors
from convcalc.analysis.receptive import ReceptiveField, receptive_fields, reported
from convcalc.analysis.tracing.numbers import Hole, Trace, is_traced, parts
from convcalc.graph import Graph, Node

Text = tuple[str | Hole, ...]


class Words(NamedTuple):
    """What is said of a layer. operator: `conv K96 F11 S4`; working: the label and the text of each worked figure."""

    operator: str
    working: Sequence[tuple[str, str]]


class Describe(NamedTuple):
    """The code that says it: of a layer, and of a receptive field (None: no single one)."""

    layer: Callable[[Graph, Node], Words]
    field: Callable[[ReceptiveField | None], str]


class FieldTexts(NamedTuple):
    """The receptive field of each layer as text. guards: the conditions under which they are these."""

    guards: Mapping[int, bool]
    layers: tuple[Text, ...]


class Wording(NamedTuple):
    """The words for a layer with formulas in them. guards: the conditions under which they are these."""

    guards: Mapping[int, bool]
    operator: Text
    working: tuple[tuple[str, Text], ...]


class LayerText(NamedTuple):
    """What is said of a layer: of its wordings, the first whose guards hold; nothing if none does."""

    wordings: tuple[Wording, ...]

    def guards(self) -> set[int]:
        """The conditions of all wordings."""
        return {node for wording in self.wordings for node in wording.guards}

    def with_guards(self, kept: Callable[[Mapping[int, bool]], dict[int, bool]]) -> LayerText:
        """The same with some of the guards only."""
        return LayerText(tuple([each._replace(guards=kept(each.guards)) for each in self.wordings]))


def field_texts(trace: Trace, graph: Graph, describe: Callable[[ReceptiveField | None], str]) -> FieldTexts:
    """The receptive fields of a traced graph's layers, each on the first input that reaches it."""
    with trace.apart() as guards:
        tracks = [(graph.shape(origin), receptive_fields(graph, origin)[0]) for origin in graph.input_indices]
        found = []
        for node in graph:
            seen = [
                (track, shape) for shape, of_nodes in tracks if (track := of_nodes[node.index]) is not None
            ]
            field = reported(*seen[0], node.output_shape) if seen else None
            found.append(tuple(parts(describe(field))))
    apart = {guard: truth for guard, truth in guards.items() if guard not in trace.guards}
    return FieldTexts(apart, tuple(found))


def layer_texts(
    trace: Trace,
    graph: Graph,
    points: Sequence[Mapping[str, Any]],
    describe: Callable[[Graph, Node], Words],
) -> tuple[LayerText, ...]:
    """The texts of each layer of a traced graph. points: values of the symbols at which they are tried; the guards of
    the graph hold there."""
    keys = [_key(graph, node) for node in graph]
    nodes = dict(zip(reversed(keys), reversed(graph.nodes), strict=True))  # the first of each kind
    wordings: dict[Any, list[Wording]] = {key: [] for key in nodes}
    for point in points:
        with trace.moved(point):
            for key, node in nodes.items():
                found = wordings[key]
                if any(
                    all(trace.at[guard] == truth for guard, truth in each.guards.items()) for each in found
                ):
                    continue
                with trace.apart() as guards:
                    words = describe(graph, node)
                found.append(
                    Wording(
                        {guard: truth for guard, truth in guards.items() if guard not in trace.guards},
                        tuple(parts(words.operator)),
                        tuple([(label, tuple(parts(text))) for label, text in words.working]),
                    )
                )
    texts = {key: LayerText(tuple(found)) for key, found in wordings.items()}
    return tuple([texts[key] for key in keys])


def _key(graph: Graph, node: Node) -> Any:
    """Equal for layers of which the same is said: the operator, its fields, what it reads, and whose weights it has."""
    fields = tuple([_plain(getattr(node.op, name)) for name in node.op.fields()])
    factors = _plain(weight_factors(graph, node))  # of a dense layer, those of the map that was flattened
    return type(node.op), fields, _plain(node.input_shapes), factors, node.shares


def _plain(value: Any) -> Any:
    """A value as part of a key: of a traced number its node."""
    if type(value) is tuple:
        return tuple([_plain(item) for item in value])
    return ("node", value.node) if is_traced(value) else (type(value).__name__, value)
