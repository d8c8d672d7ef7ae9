"""JSON values with fixed keys: the same keys in the same order for every network."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from convcalc.analysis.analyse import Analysis, LayerFigures, Totals
from convcalc.analysis.receptive import ReceptiveField
from convcalc.graph import Graph

CONVENTIONS = (
    "weights multiply, biases are added, params = weights + biases; shared weights count once; MACs are "
    "multiply-accumulates of conv, deconv, dense, matmul and attention (its projections and both its products) for one "
    "image, padded zeros included, biases excluded; "
    "1 MAC = 2 FLOPs; shapes are channels first, without the batch"
)


def analysis_value(analysis: Analysis) -> dict[str, Any]:
    """JSON of `show`: every layer, unfolded."""
    return {
        "name": analysis.graph.name,
        "title": analysis.graph.title,
        "source": analysis.graph.source,
        "notes": list(analysis.graph.notes),
        "task": analysis.graph.task,
        "published": dict(analysis.graph.published) or None,
        "conventions": CONVENTIONS,
        "input": list(analysis.graph.input_shape),
        "inputs": [{"name": entry.name, "shape": list(entry.shape)} for entry in analysis.graph.inputs],
        "outputs": outputs_value(analysis.graph),
        "batch": analysis.batch,
        "dtype": analysis.dtype,
        "layers": [layer_value(layer) for layer in analysis.layers],
        "totals": totals_value(analysis.totals),
        "warnings": list(analysis.warnings),
    }


def outputs_value(graph: Graph) -> list[dict[str, Any]]:
    """The network's outputs, each with the layer that gives it."""
    return [
        {"name": name, "layer": graph.input_name(node), "shape": list(graph.shape(node))}
        for name, node in graph.outputs
    ]


def layer_value(layer: LayerFigures) -> dict[str, Any]:
    """JSON of one layer."""
    return {
        "name": layer.name,
        "kind": layer.kind,
        "inputs": list(layer.inputs),
        "input_shapes": [list(shape) for shape in layer.input_shapes],
        "output_shape": list(layer.output_shape),
        "weights": layer.weights,
        "biases": layer.biases,
        "params": layer.params,
        "buffers": layer.buffers,
        "macs": layer.macs,
        "activation_bytes": layer.activation_bytes,
        "receptive_field": field_value(layer.receptive_field),
        "receptive_fields": fields_value(layer),
        "fields": dict(layer.fields),
        "block": layer.block,
        "shares": layer.shares,
        "keys": dict(layer.keys),
    }


def totals_value(totals: Totals) -> dict[str, int]:
    """JSON of a network's totals."""
    return {
        "layers": totals.layers,
        "weights": totals.weights,
        "biases": totals.biases,
        "params": totals.params,
        "buffers": totals.buffers,
        "macs": totals.macs,
        "activation_bytes": totals.activation_bytes,
        "peak_activation_bytes": totals.peak_activation_bytes,
        "param_bytes": totals.param_bytes,
    }


def fields_value(layer: LayerFigures) -> dict[str, Any]:
    """A layer's receptive field of each input that reaches it."""
    return {name: field_value(field) for name, field in layer.receptive_fields.items()}


def field_value(field: ReceptiveField | None) -> Mapping[str, list[int | float]] | None:
    """Size, stride, start and smallest size per axis; null if no single field describes all units, as after
    flatten. A stride is an integer, or the nearest float if it is a fraction of a pixel."""
    if field is None:
        return None
    return {
        "size": [_number(value) for value in field.size],
        "stride": [_number(value) for value in field.stride],
        "start": [_number(value) for value in field.start],
        "smallest": list(field.smallest),
    }


def _number(value: int | Fraction) -> int | float:
    return float(value) if isinstance(value, Fraction) else value
