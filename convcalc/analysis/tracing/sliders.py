"""What of a network can be moved: the sizes of its inputs, the batch, and the spec's variables that are numbers."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from convcalc.analysis.tracing.numbers import Trace, is_traced
from convcalc.graph import Graph, Input
from convcalc.language.load import Loader
from convcalc.shapes import AXIS_NAMES

BATCH = "batch size"
MAX_CHOICES = 1_000

Number = int | float
Kind = Literal["size", "channels", "batch", "variable"]


class Slider(NamedTuple):
    """A number that can be moved, from `low` to `high` in steps. symbol: its name in the formulas. label: what it is
    called. value: where it stands in the network as it is."""

    symbol: str
    label: str
    kind: Kind
    value: Number
    low: Number
    high: Number
    step: Number

    def choices(self) -> list[Number]:
        """All values, ascending."""
        if isinstance(self.value, int):
            return list(range(int(self.low), int(self.high) + 1, int(self.step)))
        low, step = Decimal(repr(self.low)), Decimal(repr(self.step))
        count = int((Decimal(repr(self.high)) - low) / step)
        return [float(low + step * place) for place in range(count + 1)]


class Setup(NamedTuple):
    """How a network is loaded with traced numbers. values: of every symbol. axes: the symbol of each input's axis, None
    where the spec computes it from its variables. variables: those that are symbols."""

    values: Mapping[str, Number]
    axes: tuple[tuple[str | None, ...], ...]
    kinds: Mapping[str, Kind]
    variables: tuple[str, ...]


def setup(loader: Loader | None, graph: Graph, settings: Mapping[str, str], batch: int) -> Setup:
    """The symbols of a network. loader: its spec; None if it has none, and only the batch can be moved."""
    values: dict[str, Number] = {BATCH: batch}
    kinds: dict[str, Kind] = {BATCH: "batch"}
    if loader is None:
        return Setup(values, (), kinds, ())
    free = loader.free(settings)
    variables = tuple([name for name, value in graph.variables.items() if name in free and _is_number(value)])
    from_variables = _own_inputs(loader, graph, settings, variables)
    axes = []
    for position, entry in enumerate(graph.inputs):
        first = next(other for other in graph.inputs if other.shape == entry.shape)
        prefix = "input" if len({other.shape for other in graph.inputs}) == 1 else first.name
        names = axis_names(len(entry.shape))
        computed = None if from_variables is None else from_variables[position]
        named: list[str | None] = []
        for place, (name, size) in enumerate(zip(names, entry.shape, strict=True)):
            if computed is not None and is_traced(computed.shape[place]):
                named.append(None)
                continue
            symbol = f"{prefix} {name}"
            named.append(symbol)
            values[symbol] = size
            kinds[symbol] = "channels" if name == "channels" else "size"
        axes.append(tuple(named))
    for name in variables:
        values[name] = graph.variables[name]
        kinds[name] = "variable"
    order = ("size", "channels", "batch", "variable")
    symbols = sorted(values, key=lambda symbol: order.index(kinds[symbol]))
    return Setup({symbol: values[symbol] for symbol in symbols}, tuple(axes), kinds, variables)


def _own_inputs(
    loader: Loader, graph: Graph, settings: Mapping[str, str], variables: tuple[str, ...]
) -> tuple[Input, ...] | None:
    """The inputs as the spec computes them from traced variables; None if the graph has others."""
    from convcalc.analysis.tracing.numbers import plain
    from convcalc.analysis.tracing.table import Table

    trace = Trace(Table(), {name: graph.variables[name] for name in variables})
    inputs = loader.inputs(settings, {name: trace.symbol(name) for name in variables})
    if inputs is None or [tuple(map(plain, entry.shape)) for entry in inputs] != [
        entry.shape for entry in graph.inputs
    ]:
        return None
    return inputs


def axis_names(rank: int) -> tuple[str, ...]:
    """The names of the dimensions of a shape: channels, height and width; features of a vector."""
    return ("features",) if rank == 1 else ("channels", *AXIS_NAMES[rank - 1])


def slider(symbol: str, kind: Kind, value: Number) -> Slider:
    """The slider of a symbol: from an eighth of its value to twice of it for sizes, from next to nothing for others."""
    if isinstance(value, int):
        low, high = 1, max(2 * value, 8)
        if kind == "size":
            low = max(1, value // 8)
        elif kind == "batch":
            high = max(2 * value, 256)
        elif kind == "variable":
            low = min(1, value)
        step = 1
        while (high - low) // step > MAX_CHOICES and (value - low) % (step * 2) == 0:
            step *= 2
        return Slider(symbol, symbol, kind, value, low, high, step)
    exact = Decimal(repr(abs(value)))
    pace = Decimal("0.05") if exact < 8 else Decimal(1)
    while exact % pace:
        pace = pace / 2 if exact % (pace / 2) == 0 else pace / 5 if exact % (pace / 5) == 0 else pace / 10
    high_end = max(exact * 2, pace * 20)
    while high_end / pace > MAX_CHOICES:
        pace *= 2
    low_end = exact % pace or pace
    high_end = low_end + (high_end - low_end) // pace * pace
    return Slider(symbol, symbol, kind, value, float(low_end), float(high_end), float(pace))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
