"""The figures of a network as formulas of what can be moved, in as many variants as its rules take different ways.

Each variant comes from one run of the spec and the operators with traced numbers. It holds where all its guards hold:
there its formulas give the figures that `show` gives, or its message is the error of `show`. The figures are checked
against runs with plain numbers before they are given away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from convcalc.analysis.analyse import (
    DTYPES,
    Analysis,
    alive_elements,
    parameter_counts,
)
from convcalc.analysis.tracing.checks import agree
from convcalc.analysis.tracing.formulas import Formulas, LayerNodes, Variant, figure_nodes
from convcalc.analysis.tracing.numbers import Sum, Trace, is_marked, parts
from convcalc.analysis.tracing.sliders import BATCH, Setup, Slider, setup, slider
from convcalc.analysis.tracing.table import (
    Interval,
    Number,
    Table,
    bounds,
    evaluated_columns,
    needs,
)
from convcalc.analysis.tracing.texts import Describe, LayerText, field_texts, layer_texts
from convcalc.errors import ConvcalcError
from convcalc.graph import Graph, Input
from convcalc.language.load import Loader
from convcalc.shapes import Shape, elements

MAX_VARIANTS = 16
MAX_TRACED = 2_500  # layers built in search of variants; about 0.2 s
NEAR = (0, 1, -1, 2, 3, 5, 8, 16)  # from a size to those at which the words for a layer are tried
MAX_FIELD_GUARDS = 200  # of receptive fields; beyond, as behind a resampled map, they would hold nowhere else


def formulas(
    analysis: Analysis,
    loader: Loader | None,
    settings: Mapping[str, str],
    describe: Describe | None = None,
) -> Formulas | None:
    """The formulas of a network's figures. loader: its spec, or None if it has none; settings: what it was loaded with.
    describe: what is said of a layer in words, to become formulas too.

    None if the formulas do not give the figures of `show` where they are tried.
    """
    run = _Runs(analysis, loader, settings, describe)
    try:
        found = run.explored()
    except (
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ):
        return None  # an operator needed of a number what a traced one does not have
    if found is None or not agree(found, analysis, loader, settings, run.setup):
        return None
    return found


class _Runs:
    """Runs of one network with traced numbers."""

    def __init__(
        self,
        analysis: Analysis,
        loader: Loader | None,
        settings: Mapping[str, str],
        describe: Describe | None = None,
    ) -> None:
        self.describe = describe
        self.analysis = analysis
        self.loader = loader
        self.settings = settings
        self.unit = DTYPES[analysis.dtype]
        self.table = Table()
        self.setup: Setup = setup(loader, analysis.graph, settings, analysis.batch)
        self.built = 0  # layers

    def explored(self) -> Formulas | None:
        """The variants found by moving each slider by itself, as far as the limits allow."""
        first, counted = self.variant(self.setup.values)
        if first.error or first.other:
            return None
        symbols = self._symbols(needs(self.table, figure_nodes(first)))
        kinds = self.setup.kinds
        sliders = [
            slider(symbol, kinds[symbol], value)
            for symbol, value in self.setup.values.items()
            if symbol in symbols
        ]
        structural = self._symbols(needs(self.table, counted)) - symbols
        variants = [self._pruned(first, self._ranges(sliders))]
        for moved in sliders:
            if moved.kind != "batch":
                self._explore(variants, moved, self._ranges(sliders))
        useful = [
            moved
            for moved in sliders
            if moved.low < moved.high and any(variant.layers for variant in self._reached(variants, moved))
        ]
        ranges = self._ranges(useful)
        found = [self._pruned(variant, ranges) for variant in variants if self._can_hold(variant, ranges)]
        fixed = structural | ({moved.symbol for moved in sliders} - {moved.symbol for moved in useful})
        variables = [name for name in self.setup.variables if name in fixed]
        inputs = [
            (entry.name, tuple([symbol for symbol in symbols if symbol is not None]))
            for entry, symbols in zip(self.analysis.graph.inputs, self.setup.axes, strict=False)
            if None not in symbols
        ]
        return Formulas(
            self.table, tuple(useful), tuple(found), tuple(variables), self.setup.values, tuple(inputs)
        )

    def _explore(self, variants: list[Variant], moved: Slider, ranges: Mapping[str, Interval]) -> None:
        """Add variants until one holds for each value of a slider. Height and width are moved together."""
        points = self._points(moved)
        holding = self._holding(variants, points)
        while None in holding and len(variants) < MAX_VARIANTS and self.built < MAX_TRACED:
            left = [point for point, variant in zip(points, holding, strict=True) if variant is None]
            nearest = min(
                left, key=lambda point: (abs(point[moved.symbol] - moved.value), point[moved.symbol])
            )
            variant = self._pruned(self.variant(nearest)[0], ranges)
            variants.append(variant)
            added = self._holding([variant], points)
            holding = [old or new for old, new in zip(holding, added, strict=True)]

    def _ranges(self, sliders: Sequence[Slider]) -> dict[str, Interval]:
        """The interval of each symbol: that of its slider, or its value."""
        ranges: dict[str, Interval] = {symbol: (value, value) for symbol, value in self.setup.values.items()}
        return ranges | {moved.symbol: (moved.low, moved.high) for moved in sliders}

    def _points(self, moved: Slider) -> list[dict[str, Number]]:
        """The values of all symbols as a slider moves; with it those of the same kind that stand at the same value, as
        height and width do."""
        together = [
            symbol
            for symbol, value in self.setup.values.items()
            if symbol == moved.symbol
            or (moved.kind == "size" == self.setup.kinds[symbol] and value == moved.value)
        ]
        return [{**self.setup.values, **dict.fromkeys(together, value)} for value in moved.choices()]

    def _holding(
        self, variants: Sequence[Variant], points: Sequence[Mapping[str, Number]]
    ) -> list[Variant | None]:
        columns = {symbol: [point[symbol] for point in points] for symbol in self.setup.values}
        guards = {node for variant in variants for node in variant.guards}
        found, varies = evaluated_columns(self.table, columns, guards)
        result: list[Variant | None] = [None] * len(points)
        for variant in reversed(variants):
            fixed = [node for node in variant.guards if node not in varies]
            if any(bool(found[node]) is not variant.guards[node] for node in fixed):
                continue
            holds = [True] * len(points)
            for node in variant.guards.keys() & varies:
                truth = variant.guards[node]
                holds = [held and value == truth for held, value in zip(holds, found[node], strict=True)]
            result = [variant if held else other for held, other in zip(holds, result, strict=True)]
        return result

    def _reached(self, variants: Sequence[Variant], moved: Slider) -> Iterator[Variant]:
        """The variants that hold at values of a slider other than its own."""
        points = self._points(moved)
        for point, variant in zip(points, self._holding(variants, points), strict=True):
            if variant is not None and point[moved.symbol] != moved.value:
                yield variant

    def variant(self, values: Mapping[str, Number]) -> tuple[Variant, set[int]]:
        """The variant at these values of the symbols, and the guards on values that were used as plain integers."""
        trace = Trace(self.table, values)
        try:
            graph = self._graph(trace)
        except ConvcalcError as error:
            failed = getattr(error, "graph", None)
            self.built += len(failed.nodes) if isinstance(failed, Graph) else 1
            return Variant(values, trace.guards, error=tuple(parts(error.message))), trace.counted
        self.built += len(graph)
        if not self._is_alike(graph):
            return Variant(values, trace.guards, other=True), trace.counted
        return self._formulas(trace, graph), trace.counted

    def _graph(self, trace: Trace) -> Graph:
        if self.loader is None:
            return self.analysis.graph
        variables = {name: trace.symbol(name) for name in self.setup.variables}
        own = self.loader.inputs(self.settings, variables) or self.analysis.graph.inputs
        inputs = tuple(
            [
                Input(entry.name, self._shape(trace, symbols, computed.shape))
                for entry, symbols, computed in zip(
                    self.analysis.graph.inputs, self.setup.axes, own, strict=True
                )
            ]
        )
        return self.loader.load_values(self.settings, variables, inputs)

    def _shape(self, trace: Trace, symbols: Sequence[str | None], computed: Shape) -> Shape:
        if None not in symbols:
            return tuple([trace.symbol(symbol) for symbol in symbols if symbol is not None])
        return tuple(
            [
                size if symbol is None else trace.symbol(symbol)
                for symbol, size in zip(symbols, computed, strict=True)
            ]
        )

    def _is_alike(self, graph: Graph) -> bool:
        """Whether a graph has the network's own layers and wiring."""
        own = self.analysis.graph
        return (
            len(graph) == len(own)
            and all(
                node.name == other.name and node.kind == other.kind and node.inputs == other.inputs
                for node, other in zip(graph, own, strict=True)
            )
            and graph.outputs == own.outputs
            and not any(is_marked(node.name) for node in graph)
        )

    def _formulas(self, trace: Trace, graph: Graph) -> Variant:
        table, node = self.table, trace.node
        batch = trace.symbol(BATCH)
        bytes_of = node(batch * self.unit)

        def in_bytes(number: int) -> int:
            return table.apply("*", *sorted((number, bytes_of)))

        def summed(nodes: Sequence[int]) -> int:
            counts: dict[int, int] = {}
            for each in nodes:
                counts[each] = counts.get(each, 0) + 1
            return Sum(counts).node(table)

        alive = [
            in_bytes(total.node(table))
            for total in alive_elements(graph, lambda shape: Sum({node(elements(shape)): 1}))
        ]
        layers = []
        for layer, alive_bytes in zip(graph, alive[1:], strict=True):
            counts = parameter_counts(layer)
            layers.append(
                LayerNodes(
                    shape=tuple(map(node, layer.output_shape)),
                    weights=node(counts["weight"]),
                    biases=node(counts["bias"]),
                    buffers=node(counts["buffer"]),
                    macs=node(layer.op.macs(layer.input_shapes)),
                    activation_bytes=in_bytes(node(elements(layer.output_shape))),
                    alive=alive_bytes,
                )
            )
        totals = {
            quantity: summed([getattr(layer, quantity) for layer in layers])
            for quantity in ("weights", "biases", "buffers", "macs", "activation_bytes")
        }
        totals["params"] = summed([totals["weights"], totals["biases"]])
        totals["peak_activation_bytes"] = trace.largest_node(alive)
        totals["param_bytes"] = table.apply("*", *sorted((totals["params"], table.constant(self.unit))))
        inputs = tuple([tuple(map(node, entry.shape)) for entry in graph.inputs])
        found = Variant(trace.values, trace.guards, inputs, tuple(layers), totals)
        if self.describe is None:
            return found
        return found._replace(
            texts=self._texts(trace, graph, self.describe),
            fields=field_texts(trace, graph, self.describe.field),
        )

    def _texts(self, trace: Trace, graph: Graph, describe: Describe) -> tuple[LayerText, ...]:
        """What is said of each layer, at these values and at sizes near them, where it may be said otherwise."""
        sizes = [symbol for symbol, kind in self.setup.kinds.items() if kind == "size"]
        moves = [(sizes, step) for step in NEAR] + [([size], step) for size in sizes for step in NEAR[1:6]]
        whole = [name for name in self.setup.variables if isinstance(trace.values[name], int)]
        moves += [([name], step) for name in whole for step in NEAR[1:3]]
        points = [
            {symbol: value + step if symbol in moved else value for symbol, value in trace.values.items()}
            for moved, step in moves
        ]
        columns = {symbol: [point[symbol] for point in points] for symbol in trace.values}
        found, varies = evaluated_columns(self.table, columns, trace.guards)
        same_way = [
            point
            for place, point in enumerate(points)
            if all(
                (found[node][place] if node in varies else found[node]) == truth
                for node, truth in trace.guards.items()
            )
        ]
        return layer_texts(trace, graph, same_way, describe)

    def _symbols(self, nodes: set[int]) -> set[str]:
        return {
            str(self.table.nodes[node].left) for node in nodes if self.table.nodes[node].operation == "symbol"
        }

    def _pruned(self, variant: Variant, ranges: Mapping[str, Interval]) -> Variant:
        """The variant without the guards that hold wherever the sliders stand."""
        known = {*variant.guards, *(node for layer in variant.texts for node in layer.guards())}
        if variant.fields:
            known |= variant.fields.guards.keys()
        limits = bounds(self.table, ranges, known)

        def kept(guards: Mapping[int, bool]) -> dict[int, bool]:
            return {node: truth for node, truth in guards.items() if limits[node] != (truth, truth)}

        done: dict[int, LayerText] = {}
        for layer in variant.texts:
            if id(layer) not in done:
                done[id(layer)] = layer.with_guards(kept)
        texts = tuple([done[id(layer)] for layer in variant.texts])
        fields = variant.fields and variant.fields._replace(guards=kept(variant.fields.guards))
        if fields and len(fields.guards) > MAX_FIELD_GUARDS:
            fields = None
        return variant._replace(guards=kept(variant.guards), texts=texts, fields=fields)

    def _can_hold(self, variant: Variant, ranges: Mapping[str, Interval]) -> bool:
        """Whether no guard is broken wherever the sliders stand."""
        limits = bounds(self.table, ranges, variant.guards)
        return all(limits[node] != (not truth, not truth) for node, truth in variant.guards.items())
