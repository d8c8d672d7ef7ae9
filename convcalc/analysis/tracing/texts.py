"""What is said of a network's layers, as texts with formulas in them: operators and worked figures.

The words are those of the code that says them of any network; it is run on a traced one. Their guards are kept apart
from those of the figures: a text that would be another elsewhere does not take the figures with it. It is also tried at
other values, and the page takes the text whose guards hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from convcalc.analysis.explain import weight_factors
from convcalc.analysis.receptive import ReceptiveField, receptive_fields, reported
from convcalc.analysis.tracing.numbers import Hole, Trace, is_traced, parts
from convcalc.graph import Graph, Node
from convcalc.ops import Operator

Text = tuple[str | Hole, ...]


class Lines(NamedTuple):
    """Lines of text with formulas in them, each with a label. guards: the conditions under which they are so."""

    guards: Mapping[int, bool]
    lines: tuple[tuple[str, Text], ...]


class LayerText(NamedTuple):
    """What is said of a layer: its operator, and its worked figures. Of several wordings, the first whose guards hold;
    nothing if none does."""

    operator: tuple[Lines, ...]
    working: tuple[Lines, ...]

    def guards(self) -> set[int]:
        """The conditions of all wordings."""
        return {node for lines in (*self.operator, *self.working) for node in lines.guards}

    def with_guards(self, kept: Callable[[Mapping[int, bool]], dict[int, bool]]) -> LayerText:
        """The same with some of the guards only."""
        return LayerText(
            *[
                tuple([lines._replace(guards=kept(lines.guards)) for lines in wordings])
                for wordings in (self.operator, self.working)
            ]
        )


class Describe(NamedTuple):
    """The code that says it: texts of a layer's operator, each with a label; label and text of each of its worked
    figures; and its receptive field (None: no single one)."""

    operator: Callable[[Operator], Iterable[tuple[str, str]]]
    working: Callable[[Graph, Node], Iterable[tuple[str, str]]]
    field: Callable[[ReceptiveField | None], str]


class FieldTexts(NamedTuple):
    """The receptive field of each layer as text. guards: the conditions under which they are these."""

    guards: Mapping[int, bool]
    layers: tuple[Text, ...]


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
    trace: Trace, graph: Graph, points: Sequence[Mapping[str, Any]], describe: Describe
) -> tuple[LayerText, ...]:
    """The texts of each layer of a traced graph. points: values of the symbols at which they are tried; the guards of
    the graph hold there."""
    keys = [_key(graph, node) for node in graph]
    nodes = dict(zip(reversed(keys), reversed(graph.nodes), strict=True))  # the first of each kind
    operators: dict[Any, list[Lines]] = {key: [] for key in nodes}
    workings: dict[Any, list[Lines]] = {key: [] for key in nodes}
    for point in points:
        with trace.moved(point):
            for key, node in nodes.items():
                _try(trace, operators[key], describe.operator, node.op)
                _try(trace, workings[key], lambda each: describe.working(graph, each), node)
    texts = {key: LayerText(tuple(operators[key]), tuple(workings[key])) for key in nodes}
    return tuple([texts[key] for key in keys])


def _try(
    trace: Trace, found: list[Lines], say: Callable[[Any], Iterable[tuple[str, str]]], subject: Any
) -> None:
    """Add what is said of a subject at the trace's values, unless it is known."""
    if any(all(trace.at[guard] == truth for guard, truth in lines.guards.items()) for lines in found):
        return
    with trace.apart() as guards:
        lines = tuple([(label, tuple(parts(text))) for label, text in say(subject)])
    own = {guard: truth for guard, truth in guards.items() if guard not in trace.guards}
    found.append(Lines(own, lines))


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
