"""The figures of a network as formulas, as they are found by `variants.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from convcalc.analysis.tracing.numbers import Hole
from convcalc.analysis.tracing.sliders import Slider
from convcalc.analysis.tracing.table import Number, Table, evaluated
from convcalc.analysis.tracing.texts import FieldTexts, LayerText, Text

TOTALS = (
    "weights",
    "biases",
    "buffers",
    "params",
    "macs",
    "activation_bytes",
    "peak_activation_bytes",
    "param_bytes",
)  # fields of Totals


class LayerNodes(NamedTuple):
    """The nodes of a layer's figures. shape: of its output, a node per dimension. alive: bytes alive while it runs."""

    shape: tuple[int, ...]
    weights: int
    biases: int
    buffers: int
    macs: int
    activation_bytes: int
    alive: int


class Variant(NamedTuple):
    """The formulas of one run. guards: the truth of each condition under which they hold. inputs: the shapes of the
    network's inputs. error: why there is no network, as text and numbers; layers and totals are then empty. other:
    there is one, with other layers than the network's own. texts, fields: what is said of the layers, if asked for."""

    values: Mapping[str, Number]
    guards: Mapping[int, bool]
    inputs: tuple[tuple[int, ...], ...] = ()
    layers: tuple[LayerNodes, ...] = ()
    totals: Mapping[str, int] = {}
    error: Text = ()
    other: bool = False
    texts: tuple[LayerText, ...] = ()
    fields: FieldTexts | None = None


class Formulas(NamedTuple):
    """The variants of a network, the first of them the network as it is, and the sliders that move them.

    structural: variables without a slider, because they decide which layers there are. values: of all symbols, where
    the network stands. inputs: by name, the symbols of the axes of inputs; without those that the spec computes.
    """

    table: Table
    sliders: tuple[Slider, ...]
    variants: tuple[Variant, ...]
    structural: tuple[str, ...]
    values: Mapping[str, Number]
    inputs: tuple[tuple[str, tuple[str, ...]], ...]

    def holding(self, values: Mapping[str, Number]) -> Variant | None:
        """The variant that holds for these values of sliders; None if none was found for them."""
        found = evaluated(self.table, {**self.values, **values}, self.guards())
        for variant in self.variants:
            if all(bool(found[node]) is truth for node, truth in variant.guards.items()):
                return variant
        return None

    def guards(self) -> set[int]:
        """The conditions of all variants."""
        return {node for variant in self.variants for node in variant.guards}


def figure_nodes(variant: Variant) -> list[int]:
    """All nodes of a variant's figures."""
    found = [node for shape in variant.inputs for node in shape]
    for layer in variant.layers:
        found += [*layer.shape, *layer[1:]]
    return [
        *found,
        *variant.totals.values(),
        *(part.node for part in variant.error if isinstance(part, Hole)),
    ]


def figures_at(found: Formulas, variant: Variant, values: Mapping[str, Number]) -> Any:
    """The figures that a variant gives: per layer the shape and the counts, and the totals; or its error as text."""
    at = evaluated(found.table, {**found.values, **values}, figure_nodes(variant))
    if variant.error:
        return "".join(
            part if isinstance(part, str) else format(at[part.node], part.form) for part in variant.error
        )
    layers = [
        (tuple([at[node] for node in layer.shape]), *[at[node] for node in layer[1:6]])
        for layer in variant.layers
    ]
    return layers, {quantity: at[variant.totals[quantity]] for quantity in TOTALS}
