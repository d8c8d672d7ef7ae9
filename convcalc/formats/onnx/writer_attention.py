"""The form of attention in ONNX: projections, products and Softmax, as exporters of frameworks write it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from math import inf, log, prod, sqrt

from convcalc.formats.onnx.writer_forms import form
from convcalc.formats.onnx.writer_layer import LayerDraft
from convcalc.formats.onnx.writer_moves import padded, rolled, sliced
from convcalc.formats.onnx.writer_network import Value
from convcalc.formats.onnx.writer_normalisation import at_least, reduced
from convcalc.ops.attention import MAX_SCALE, MIN_LENGTH, Attention


@form(Attention)
def attention(layer: LayerDraft[Attention]) -> Value:
    """MatMuls with the projections' matrices, q·kᵀ, Softmax and the product with v. Windows are cut with Pad, Slice,
    Concat, Reshape and Transpose, and stay an axis of their own."""
    op, rank = layer.op, len(layer.shape)
    channels = op.axis == "channels"
    x = layer.transpose(layer.x, [*range(1, rank), 0], "features_last") if channels else layer.x
    axes = op.window_axes(layer.shape)
    count, places = prod(axis.windows for axis in axes), prod(axis.window for axis in axes)
    if count == 1 and all(axis.padded == axis.size for axis in axes):
        attended = _attended(layer, layer.reshape(x, (places, x.shape[-1]), "positions"), ())
        result = layer.reshape(attended, x.shape, "map")
    else:
        result = _windowed(layer, x)
    return layer.transpose(result, [rank - 1, *range(rank - 1)], "features_first") if channels else result


def _windowed(layer: LayerDraft[Attention], x: Value) -> Value:
    """Attention within windows: the map is padded, shifted and cut into windows, and put together again."""
    axes = layer.op.window_axes(layer.shape)
    features = x.shape[-1]
    margins = [*((0, axis.padded - axis.size) for axis in axes), (0, 0)]
    if any(after for _, after in margins):
        x = padded(layer, x, margins)
    x = rolled(layer, x, {place: -axis.moved for place, axis in enumerate(axes)})
    whole, rank = x.shape, len(axes)
    cut = list(chain.from_iterable((axis.windows, axis.window) for axis in axes))
    order = [*range(0, 2 * rank, 2), *range(1, 2 * rank, 2), 2 * rank]
    apart = layer.transpose(layer.reshape(x, (*cut, features), "cut"), order, "to_windows")
    count, places = prod(axis.windows for axis in axes), prod(axis.window for axis in axes)
    windows = layer.reshape(apart, (count, places, features), "windows")
    attended = layer.reshape(_attended(layer, windows, (count,)), apart.shape, "apart")
    back = layer.transpose(attended, [order.index(place) for place in range(2 * rank + 1)], "from_windows")
    x = rolled(
        layer, layer.reshape(back, whole, "whole"), {place: axis.moved for place, axis in enumerate(axes)}
    )
    kept = {place: range(axis.size) for place, axis in enumerate(axes) if axis.padded != axis.size}
    return sliced(layer, x, kept, "crop") if kept else x


def _attended(layer: LayerDraft[Attention], x: Value, windows: Sequence[int]) -> Value:
    """Attention over the positions of (*windows, positions, features)."""
    op = layer.op
    *lead, places, features = x.shape
    depth = features // op.heads
    projected = _projected(layer, x, "in_proj_weight", "in_proj_bias", 3 * features, "in_proj")
    heads = layer.reshape(projected, (*lead, places, 3, op.heads, depth), "heads")
    rank = len(lead)
    # (*windows, positions, 3, heads, depth) → (3, *windows, heads, positions, depth)
    order = [rank + 1, *range(rank), rank + 2, rank, rank + 3]
    stacked = layer.transpose(heads, order, "stack")
    query, key, value = (
        _taken(layer, stacked, place, name) for place, name in enumerate(("query", "key", "value"))
    )
    if op.similarity == "cosine":
        query, key = _unit(layer, query, "query"), _unit(layer, key, "key")
    key = layer.transpose(key, [*range(rank + 1), rank + 2, rank + 1], "key_transpose")
    query = layer.binary("Mul", query, _scale(layer, depth), "scale_query")
    scores = layer.add("MatMul", [query, key], (*lead, op.heads, places, places), "scores")
    for name, added in _added(layer, windows, places):
        scores = layer.binary("Add", scores, added, f"add_{name}")
    shares = layer.add("Softmax", [scores], scores.shape, "softmax", axis=len(scores.shape))
    mixed = layer.add("MatMul", [shares, value], (*lead, op.heads, places, depth), "mix")
    joined = layer.transpose(mixed, [*range(rank), rank + 1, rank, rank + 2], "unstack")
    flat = layer.reshape(joined, x.shape, "join")
    return _projected(layer, flat, "out_proj.weight", "out_proj.bias", features, "out_proj")


def _unit(layer: LayerDraft[Attention], vectors: Value, name: str) -> Value:
    """Queries or keys divided by their length."""
    length = reduced(layer, "ReduceL2", vectors, [len(vectors.shape) - 1], part=f"{name}_length")
    bounded = at_least(layer, length, MIN_LENGTH, f"{name}_clip")
    return layer.add("Div", [vectors, bounded], vectors.shape, f"{name}_unit")


def _scale(layer: LayerDraft[Attention], depth: int) -> str:
    """What queries are multiplied by: a number, or for cosines e^logit_scale of each head, at most 100."""
    op = layer.op
    if op.similarity == "dot":
        return layer.floats("scale", [1 / sqrt(depth) if op.scale is None else op.scale])
    most = layer.filled("logit_most", log(MAX_SCALE), (op.heads, 1, 1))
    bounded = layer.add_plain("Min", [layer.weight("logit_scale"), most], (op.heads, 1, 1), "logit_min")
    return layer.add_plain("Exp", [bounded], (op.heads, 1, 1), "logit_exp")


def _bias(layer: LayerDraft[Attention], name: str, units: int) -> str:
    """A projection's bias; with cosines that of the keys is 0."""
    weight = layer.weight(name)
    if name == "out_proj.bias" or layer.op.similarity == "dot":
        return weight
    third = units // 3
    used = layer.floats("bias_used", [1.0] * third + [0.0] * third + [1.0] * third, (units,))
    return layer.add_plain("Mul", [weight, used], (units,), "bias_of_queries_and_values")


def _projected(
    layer: LayerDraft[Attention], x: Value, weight: str, bias: str, units: int, part: str
) -> Value:
    found = layer.add("MatMul", [x, layer.transposed(weight)], (*x.shape[:-1], units), part)
    return layer.binary("Add", found, _bias(layer, bias, units), f"{part}_bias") if layer.has(bias) else found


def _taken(layer: LayerDraft[Attention], stacked: Value, place: int, name: str) -> Value:
    """Queries, keys or values: a Gather by a single number, which takes the dimension away."""
    index = layer.integers(f"{name}_index", [place], ())
    return layer.add("Gather", [stacked, index], stacked.shape[1:], name, axis=1)


def _added(
    layer: LayerDraft[Attention], windows: Sequence[int], places: int
) -> list[tuple[str, Value | str]]:
    """What is added to the scores (*windows, heads, positions, positions), by name."""
    op, found = layer.op, list[tuple[str, Value | str]]()
    for name, place in op.named_inputs(tuple([value.shape for value in layer.inputs])).items():
        value = layer.inputs[place]
        if name == "bias":
            shape = (*(1 for _ in windows), *value.shape)
        else:
            shape = (*(windows if len(value.shape) == 3 else (1,) * len(windows)), 1, places, places)
        found.append((name, layer.reshape(value, shape, f"{name}_shape")))
    if op.masks_itself(layer.shape):
        masks = [
            0.0 if here.sees(other) else -inf
            for window in op.tiles(layer.shape)
            for here in window
            for other in window
        ]
        found.append(("mask", layer.floats("window_mask", masks, (*windows, 1, places, places))))
    return found
