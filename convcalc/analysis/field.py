"""The questions that `field` answers: receptive fields over a network's depth, what one unit sees, what one pixel
reaches, where two pixels meet. A record each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from convcalc.analysis.analyse import Analysis
from convcalc.analysis.fold import FoldedRow, rows
from convcalc.analysis.receptive import ReceptiveField
from convcalc.analysis.units import Area, Position, Sight, meeting_areas, middle, reached_areas, sight, trace
from convcalc.errors import UsageError, did_you_mean
from convcalc.graph import Graph, Node

MAX_STEPS = 2_000_000  # rows times layers: about ten seconds


class DepthLayer(NamedTuple):
    """A row of the table over depth, and what the unit in the middle of its last layer sees."""

    row: FoldedRow
    sight: Sight

    @property
    def node(self) -> Node:
        """The row's last layer."""
        return self.row.nodes[-1]

    @property
    def field(self) -> ReceptiveField | None:
        """By formula; None where no single one fits all units."""
        return self.row.receptive_field


@dataclass(frozen=True, eq=False)
class DepthField:
    """Receptive fields over the depth of a network. depth: blocks that many path segments deep are folded into a row;
    unfold: every layer has a row of its own.

    The rows are made when they are asked for, which raises UsageError where they would take too long.
    """

    analysis: Analysis
    depth: int | None = None
    unfold: bool = False

    @cached_property
    def layers(self) -> list[DepthLayer]:
        """The rows of the table."""
        return _depth_layers(self.analysis, rows(self.analysis, depth=self.depth, unfold=self.unfold))

    @cached_property
    def every(self) -> list[DepthLayer]:
        """The rows for programs: all layers, unless blocks are folded."""
        if self.unfold or self.depth is not None:
            return self.layers
        return _depth_layers(self.analysis, rows(self.analysis, unfold=True))


class UnitField(NamedTuple):
    """What a unit sees: of the image, and of every layer before it, the nearest first, the image last."""

    analysis: Analysis
    node: Node
    sight: Sight
    trace: tuple[Area, ...]


class PixelField(NamedTuple):
    """What a pixel reaches in every layer. shown: the areas of the table."""

    analysis: Analysis
    pixel: Position
    areas: tuple[Area, ...]
    shown: tuple[Area, ...]


class MeetingField(NamedTuple):
    """Two pixels, and in every layer the units that depend on both. first: the area in the first layer that has any;
    sight: what the first of its units sees. Both are None where the pixels never meet. shown: the areas of the table.
    """

    analysis: Analysis
    pixels: tuple[Position, Position]
    areas: tuple[Area, ...]
    shown: tuple[Area, ...]
    first: Area | None
    sight: Sight | None


def unit_field(analysis: Analysis, layer: str, unit: Position | None = None) -> UnitField:
    """What a unit of a layer sees, by default the one in the middle. Raises UsageError for a layer or a unit that is
    not there."""
    graph = analysis.graph
    node = _node(graph, layer)
    chosen = middle(node.output_shape) if unit is None else unit
    return UnitField(analysis, node, sight(graph, node, chosen), tuple(trace(graph, node, chosen)))


def pixel_field(analysis: Analysis, pixel: Position, *, unfold: bool = False) -> PixelField:
    """Which units a pixel reaches. unfold: the table has a row for every layer, activations too.

    Raises UsageError for a pixel that is not there.
    """
    areas = tuple(reached_areas(analysis.graph, pixel))
    return PixelField(analysis, pixel, areas, _shown(areas, unfold))


def meeting_field(analysis: Analysis, a: Position, b: Position, *, unfold: bool = False) -> MeetingField:
    """Where two pixels first reach one unit. unfold: the table has a row for every layer, activations too. Raises
    UsageError for a pixel that is not there."""
    areas = tuple(meeting_areas(analysis.graph, a, b))
    first = next((area for area in areas if area.positions), None)
    found = None
    if first is not None:
        assert first.node is not None
        found = sight(analysis.graph, first.node, tuple(spans[0][0] for spans in first.region[0]))
    return MeetingField(analysis, (a, b), areas, _shown(areas, unfold, first), first, found)


def _shown(areas: Sequence[Area], unfold: bool, always: Area | None = None) -> tuple[Area, ...]:
    """Without the layers that act on each position by itself, unless all are wanted."""
    return tuple(
        [area for area in areas if unfold or area is always or not (area.node and area.node.op.pointwise)]
    )


def _depth_layers(analysis: Analysis, folded: Sequence[FoldedRow]) -> list[DepthLayer]:
    graph = analysis.graph
    if len(folded) * len(graph) > MAX_STEPS:
        raise UsageError(
            f"a table of {len(folded):,} rows over {len(graph):,} layers would take too long",
            hint="--depth 1 folds blocks; --layer NAME shows one layer",
        )
    return [DepthLayer(row, sight(graph, row.nodes[-1], middle(row.output_shape))) for row in folded]


def _node(graph: Graph, name: str) -> Node:
    for node in graph:
        if node.name == name:
            return node
    names = [node.name for node in graph]
    raise UsageError(
        f"{graph.name} has no layer '{name}'{did_you_mean(name, names)}",
        hint=f"'convcalc field {graph.name} --all' lists them",
    )
