"""The four questions of `field`, with a record for each answer: receptive fields over the depth of a network, what a
unit sees, which units a pixel reaches, and where two pixels meet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from convcalc.analysis.analyse import Analysis
from convcalc.analysis.fold import FoldedRow, rows
from convcalc.analysis.receptive import ReceptiveField
from convcalc.analysis.units import (
    Area,
    Pixel,
    Position,
    Sight,
    meeting_areas,
    middle,
    reached_areas,
    sight,
    sights,
    trace,
)
from convcalc.errors import UsageError, did_you_mean
from convcalc.graph import Graph, Node

MAX_STEPS = 2_000_000  # rows times layers: about ten seconds


class DepthLayer(NamedTuple):
    """A row of the depth table, and what the middle unit of its last layer sees."""

    row: FoldedRow
    sight: Sight

    @property
    def node(self) -> Node:
        """The row's last layer."""
        return self.row.nodes[-1]

    @property
    def field(self) -> ReceptiveField | None:
        """The receptive field by formula; None where no single field fits all units."""
        return self.row.receptive_field


@dataclass(frozen=True, eq=False)
class DepthField:
    """Receptive fields over the depth of a network. depth: folds each block this many path segments deep into a row;
    unfold: gives every layer its own row; to: only the layers that this output or layer depends on.

    Rows are computed on first access, which raises UsageError if there are too many.
    """

    analysis: Analysis
    depth: int | None = None
    unfold: bool = False
    to: str | None = None

    @cached_property
    def layers(self) -> list[DepthLayer]:
        """The rows of the table."""
        return self._made(self.depth, self.unfold)

    @cached_property
    def every(self) -> list[DepthLayer]:
        """The rows for machine-readable output: one per layer, unless blocks are folded."""
        if self.unfold or self.depth is not None:
            return self.layers
        return self._made(None, True)

    def _made(self, depth: int | None, unfold: bool) -> list[DepthLayer]:
        folded: Sequence[FoldedRow] = rows(self.analysis, depth=depth, unfold=unfold)
        if self.to is not None:
            folded = list(_on_the_way(self.analysis, folded, _target(self.analysis.graph, self.to)))
        return _depth_layers(self.analysis, folded)


class UnitField(NamedTuple):
    """What a unit sees. sights: what it sees of each input that it depends on; trace: the area that it reads of every
    layer before it, from the nearest back to the image."""

    analysis: Analysis
    node: Node
    sights: tuple[Sight, ...]
    trace: tuple[Area, ...]

    @property
    def sight(self) -> Sight:
        """What the unit sees of the first input that it depends on."""
        return self.sights[0]


class PixelField(NamedTuple):
    """The units that a pixel reaches in every layer. shown: the areas that the table has rows for."""

    analysis: Analysis
    pixel: Pixel
    areas: tuple[Area, ...]
    shown: tuple[Area, ...]


class MeetingField(NamedTuple):
    """Two pixels, and the units of every layer that depend on both. first: the area in the first layer with any such
    unit; sight: what its first unit sees; both are None if the pixels never meet. shown: the areas of the table.
    """

    analysis: Analysis
    pixels: tuple[Pixel, Pixel]
    areas: tuple[Area, ...]
    shown: tuple[Area, ...]
    first: Area | None
    sight: Sight | None


def depth_field(
    analysis: Analysis, *, depth: int | None = None, unfold: bool = False, to: str | None = None
) -> DepthField:
    """Receptive fields over the depth of a network. Raises UsageError if `to` is not an output, layer or block."""
    if to is not None:
        _target(analysis.graph, to)
    return DepthField(analysis, depth, unfold, to)


def unit_field(analysis: Analysis, layer: str, unit: Position | None = None) -> UnitField:
    """What a unit of a layer sees, by default the middle unit. Raises UsageError if the layer or unit does not
    exist."""
    graph = analysis.graph
    node = _node(graph, layer)
    chosen = middle(node.output_shape) if unit is None else unit
    return UnitField(analysis, node, tuple(sights(graph, node, chosen)), tuple(trace(graph, node, chosen)))


def pixel_field(analysis: Analysis, pixel: Pixel, *, unfold: bool = False) -> PixelField:
    """The units that a pixel reaches. unfold: the table has a row for every layer, activations included.

    Raises UsageError if the pixel does not exist.
    """
    areas = tuple(reached_areas(analysis.graph, pixel))
    return PixelField(analysis, pixel, areas, _shown(areas, unfold))


def meeting_field(analysis: Analysis, a: Pixel, b: Pixel, *, unfold: bool = False) -> MeetingField:
    """Where two pixels first reach the same unit. unfold: the table has a row for every layer, activations included.
    Raises UsageError if a pixel does not exist."""
    areas = tuple(meeting_areas(analysis.graph, a, b))
    first = next((area for area in areas if area.positions), None)
    found = None
    if first is not None:
        assert first.node is not None
        found = sight(analysis.graph, first.node, tuple(spans[0][0] for spans in first.region[0]))
    return MeetingField(analysis, (a, b), areas, _shown(areas, unfold, first), first, found)


def _shown(areas: Sequence[Area], unfold: bool, always: Area | None = None) -> tuple[Area, ...]:
    """The areas without those of layers that keep positions, unless `unfold`; `always` is kept."""
    return tuple(
        [
            area
            for area in areas
            if unfold
            or area is always
            or not (area.node and area.node.op.keeps_positions(area.node.input_shapes))
        ]
    )


def _depth_layers(analysis: Analysis, folded: Sequence[FoldedRow]) -> list[DepthLayer]:
    graph = analysis.graph
    if len(folded) * len(graph) > MAX_STEPS:
        raise UsageError(
            f"a table of {len(folded):,} rows over {len(graph):,} layers would take too long",
            hint="--depth 1 folds blocks; --layer NAME shows one layer",
        )
    return [DepthLayer(row, sight(graph, row.nodes[-1], middle(row.output_shape))) for row in folded]


def _on_the_way(analysis: Analysis, folded: Sequence[FoldedRow], target: int) -> Iterator[FoldedRow]:
    """The rows of a node and of the layers it depends on; a row is cut down to those layers."""
    graph = analysis.graph
    needed = {target}
    for node in reversed(graph.nodes[: target + 1]):
        if node.index in needed:
            needed.update(source for source in node.inputs if source >= 0)
    for row in folded:
        nodes = tuple([node for node in row.nodes if node.index in needed])
        if nodes:
            end = analysis.layers[nodes[-1].index]
            yield row._replace(
                nodes=nodes, output_shape=end.output_shape, receptive_field=end.receptive_field
            )


def _target(graph: Graph, name: str) -> int:
    """The index of the node that an output, layer or block refers to; for a block, its last node."""
    for output in graph.outputs:
        if output.name == name:
            return output.node
    inside = [node.index for node in graph if node.name == name or node.name.startswith(f"{name}.")]
    if inside:
        return inside[-1]
    names = [*(output.name for output in graph.outputs), *(node.name for node in graph)]
    raise _nothing_called(graph, "output or layer", name, names)


def _node(graph: Graph, name: str) -> Node:
    for node in graph:
        if node.name == name:
            return node
    raise _nothing_called(graph, "layer", name, [node.name for node in graph])


def _nothing_called(graph: Graph, what: str, name: str, names: list[str]) -> UsageError:
    return UsageError(
        f"{graph.name} has no {what} '{name}'{did_you_mean(name, names)}",
        hint=f"'convcalc field {graph.name} --all' lists them",
    )
