"""Several networks side by side, and which of them no other beats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

from convcalc.analysis.analyse import Analysis
from convcalc.errors import UsageError, did_you_mean
from convcalc.graph import Graph
from convcalc.shapes import Shape, elements

# Quantities computed for every network; less is better. Others are published, more is better.
COMPUTED = (
    "params", "macs", "flops", "activation_elements", "activation_bytes", "peak_activation_bytes", "layers", "depth",
)  # fmt: skip
ALIASES = {"memory": "peak_activation_bytes", "activations": "activation_bytes", "parameters": "params"}
PUBLISHED = ("top1", "top5")  # offered first; any figure of a spec's `published` can be taken
MAX_NETWORKS = 200


class Compared(NamedTuple):
    """A network's figures, for one image. depth: layers with weights, normalisations apart, on the longest path.
    receptive_field: of the first output, per axis; None where no single one holds. pareto: whether no other network of
    the comparison is at least as good in both axes and better in one."""

    name: str
    input: Shape
    layers: int
    depth: int
    params: int
    macs: int
    activation_elements: int
    activation_bytes: int
    peak_activation_bytes: int
    receptive_field: tuple[Any, ...] | None
    published: Mapping[str, Any]
    pareto: bool = False

    def quantity(self, name: str) -> float | None:
        """A figure by name; None if it is not published for this network."""
        if name == "flops":
            return 2 * self.macs
        if name in COMPUTED:
            return int(getattr(self, name))
        found = self.published.get(name)
        return None if isinstance(found, str | None) else float(found)


class Comparison(NamedTuple):
    """The networks in the order given. axes: the two quantities of the plot and of the Pareto front; left_out: networks
    that lack one of them."""

    networks: tuple[Compared, ...]
    axes: tuple[str, str] | None
    left_out: tuple[str, ...]


def compare(analyses: Sequence[Analysis], axes: Sequence[str] = ()) -> Comparison:
    """The networks side by side. axes: two quantities, by default macs and top1 where at least two networks publish it.

    Raises UsageError for an unknown quantity, one given twice, or if no two networks have both.
    """
    if len(analyses) > MAX_NETWORKS:
        raise UsageError(f"{len(analyses):,} networks are more than a comparison takes ({MAX_NETWORKS})")
    networks = [_compared(analysis) for analysis in analyses]
    chosen = _axes(networks, axes)
    if chosen is None:
        return Comparison(tuple(networks), None, ())
    points = {
        place: (x, y)
        for place, network in enumerate(networks)
        if (x := network.quantity(chosen[0])) is not None and (y := network.quantity(chosen[1])) is not None
    }
    if len(points) < 2:
        raise UsageError(
            f"fewer than two of the networks have both {chosen[0]} and {chosen[1]}",
            hint=f"every network has {', '.join(COMPUTED)}",
        )
    front = pareto(points, [name in COMPUTED for name in chosen])
    marked = [network._replace(pareto=place in front) for place, network in enumerate(networks)]
    left_out = tuple(network.name for place, network in enumerate(networks) if place not in points)
    return Comparison(tuple(marked), chosen, left_out)


def pareto(points: Mapping[int, tuple[float, float]], less_is_better: Sequence[bool]) -> set[int]:
    """The points that no other point dominates: none is at least as good in both quantities and better in one."""
    signs = [1 if less else -1 for less in less_is_better]
    scored = {place: (signs[0] * x, signs[1] * y) for place, (x, y) in points.items()}
    return {
        place
        for place, point in scored.items()
        if not any(
            all(a <= b for a, b in zip(other, point, strict=True)) and other != point
            for other in scored.values()
        )
    }


def _axes(networks: Sequence[Compared], asked: Sequence[str]) -> tuple[str, str] | None:
    if not asked:
        with_accuracy = [network for network in networks if network.quantity("top1") is not None]
        return ("macs", "top1") if len(with_accuracy) > 1 else None
    if len(asked) != 2:
        raise UsageError(f"--plot {','.join(asked)}: needs two quantities", hint="such as --plot macs,top1")
    names = [ALIASES.get(name.strip().lower(), name.strip()) for name in asked]
    published = {
        key for network in networks for key, value in network.published.items() if not isinstance(value, str)
    }
    for name in names:
        if name not in COMPUTED and name not in published:
            known = [*COMPUTED, *sorted(published)]
            raise UsageError(
                f"--plot: no network has {name!r}{did_you_mean(name, known)}",
                hint=f"there are {', '.join(known)}",
            )
    if names[0] == names[1]:
        raise UsageError(f"--plot {names[0]},{names[0]}: the axes are the same")
    return names[0], names[1]


def _compared(analysis: Analysis) -> Compared:
    graph, totals = analysis.graph, analysis.totals
    output = graph.output
    field = analysis.layers[output].receptive_field if output >= 0 else None
    return Compared(
        name=graph.name,
        input=graph.input_shape,
        layers=totals.layers,
        depth=depth(graph),
        params=totals.params,
        macs=totals.macs,
        activation_elements=sum(elements(node.output_shape) for node in graph),
        activation_bytes=totals.activation_bytes,
        peak_activation_bytes=totals.peak_activation_bytes,
        receptive_field=None if field is None else field.size,
        published=graph.published,
    )


def depth(graph: Graph) -> int:
    """The most layers with weights on a path from an input, normalisations not counted: 152 of ResNet-152."""
    found: list[int] = []
    for node in graph:
        own = node.op.role not in ("normalisation", "activation") and any(
            parameter.role == "weight" and prod(parameter.shape) for parameter in node.parameters
        )
        before = max((found[source] for source in node.inputs if source >= 0), default=0)
        found.append(before + own)
    return max(found, default=0)
