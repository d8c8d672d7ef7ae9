"""Formulas checked against runs with plain numbers."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from convcalc.analysis.analyse import DTYPES, Analysis, parameter_counts, peak_elements
from convcalc.analysis.tracing.formulas import TOTALS, Formulas, figures_at
from convcalc.analysis.tracing.sliders import BATCH, Setup
from convcalc.analysis.tracing.table import Number
from convcalc.errors import ConvcalcError
from convcalc.graph import Graph
from convcalc.language.load import Loader
from convcalc.shapes import elements

MAX_CHECKED = 1_000  # layers built to check the formulas
MAX_CHECKS = 8


def agree(
    found: Formulas,
    analysis: Analysis,
    loader: Loader | None,
    settings: Mapping[str, str],
    setup: Setup,
) -> bool:
    """Whether the formulas give the figures of the network itself, and of it at some settings of the sliders."""
    if figures_at(found, found.variants[0], found.values) != _own_figures(analysis):
        return False
    if loader is None:
        return True
    chance = random.Random(len(analysis.layers))
    built = 0
    for number in range(MAX_CHECKS):
        values = dict(found.values)
        for moved in found.sliders:
            if number % 2 or moved.kind == "size":
                values[moved.symbol] = chance.choice(moved.choices())
        variant = found.holding(values)
        if variant is None or variant.other:
            continue
        if figures_at(found, variant, values) != shown(analysis, loader, settings, setup, values):
            return False
        built += len(analysis.layers)
        if built > MAX_CHECKED:
            break
    return True


def _own_figures(analysis: Analysis) -> Any:
    """The figures of `show` for the network itself."""
    layers = [
        (
            layer.output_shape,
            layer.weights,
            layer.biases,
            layer.buffers,
            layer.macs,
            layer.activation_bytes,
        )
        for layer in analysis.layers
    ]
    return layers, {quantity: getattr(analysis.totals, quantity) for quantity in TOTALS}


def shown(
    analysis: Analysis,
    loader: Loader,
    settings: Mapping[str, str],
    setup: Setup,
    values: Mapping[str, Number],
) -> Any:
    """The figures at these values, or the message of the error; by the way that `show` takes."""
    graph = analysis.graph
    given = dict(settings)
    for name in setup.variables:
        if values[name] != setup.values[name]:
            given[name] = repr(values[name])
    inputs = loader.inputs(given, {}) or graph.inputs
    shapes = {
        entry.name: tuple(
            [
                size if symbol is None else int(values[symbol])
                for size, symbol in zip(computed.shape, symbols, strict=True)
            ]
        )
        for entry, computed, symbols in zip(graph.inputs, inputs, setup.axes, strict=True)
    }
    try:
        moved = loader.load(given, shapes)
    except ConvcalcError as error:
        return error.message
    unit = DTYPES[analysis.dtype]
    return _plain_figures(moved, int(values[BATCH]) * unit, unit)


def _plain_figures(graph: Graph, activation: int, unit: int) -> Any:
    """The figures of a network as plain numbers. activation, unit: bytes of an activation and of a parameter."""
    layers: list[tuple[Any, ...]] = []
    for node in graph:
        counts = parameter_counts(node)
        layers.append(
            (
                node.output_shape,
                *counts.values(),
                node.op.macs(node.input_shapes),
                elements(node.output_shape) * activation,
            )
        )
    weights, biases, buffers, macs, activations = [
        sum(layer[place] for layer in layers) for place in range(1, 6)
    ]
    totals = (
        weights,
        biases,
        buffers,
        weights + biases,
        macs,
        activations,
        peak_elements(graph) * activation,
        (weights + biases) * unit,
    )
    return layers, dict(zip(TOTALS, totals, strict=True))
