"""Forms in ONNX of the operators with several inputs: element-wise joins, concat, matrix products."""

from __future__ import annotations

from typing import Any

from convcalc.formats.onnx.writer_encoding import INT64
from convcalc.formats.onnx.writer_forms import form
from convcalc.formats.onnx.writer_layer import LayerDraft
from convcalc.formats.onnx.writer_network import Value
from convcalc.ops.add import Add
from convcalc.ops.concat import Concat
from convcalc.ops.matmul import Matmul
from convcalc.ops.maximum import Maximum
from convcalc.ops.minimum import Minimum
from convcalc.ops.multiply import Multiply


@form(Add)
def add(layer: LayerDraft[Add]) -> Value:
    """Add of two branches; Sum of more."""
    return _joined(layer, "Sum")


@form(Multiply)
def multiply(layer: LayerDraft[Multiply]) -> Value:
    """Mul, once more for every further branch."""
    return _joined(layer, "")


def _joined(layer: LayerDraft[Any], of_many: str) -> Value:
    """A join of two branches by an operator of two inputs, of more by one of any number if it broadcasts."""
    if len(layer.inputs) > 2 and of_many and layer.opset >= 8:
        return layer.add(of_many, layer.inputs, layer.shape)
    operator = layer.op.onnx_operator
    total, *others = layer.inputs
    for place, other in enumerate(others, 1):
        shape = tuple(map(max, total.shape, other.shape))
        part = "" if place == len(others) else operator.lower()
        total = layer.add(operator, [total, other], shape, part)
    return total


@form(Maximum)
def maximum(layer: LayerDraft[Maximum]) -> Value:
    """Max, which broadcasts from opset 8 on."""
    return _extreme(layer)


@form(Minimum)
def minimum(layer: LayerDraft[Minimum]) -> Value:
    """Min, which broadcasts from opset 8 on."""
    return _extreme(layer)


def _extreme(layer: LayerDraft[Any]) -> Value:
    operator = layer.op.onnx_operator
    if len({(value.shape, value.batched) for value in layer.inputs}) > 1:
        layer.needs_opset(8, f"{operator} of different shapes")
    return layer.add(operator, layer.inputs, layer.shape)


@form(Concat)
def concat(layer: LayerDraft[Concat]) -> Value:
    """Concat; a branch that is the same for all samples, such as a class token, is repeated for each."""
    axis = layer.op.dimension(tuple([value.shape for value in layer.inputs])) + 1
    inputs = list(layer.inputs)
    model = next((value for value in inputs if value.batched), None)
    if model is not None:
        inputs = [value if value.batched else _repeated(layer, value, model) for value in inputs]
    return layer.add("Concat", inputs, layer.shape, axis=axis)


def _repeated(layer: LayerDraft[Any], value: Value, model: Value) -> Value:
    """The value, repeated as often as the other has samples."""
    layer.needs_opset(8, "Expand, which repeats a tensor for each sample,")
    sizes = layer.add_plain("Shape", [model], (len(model.shape) + 1,), "sizes", INT64)
    count = layer.add_plain("Gather", [sizes, layer.integers("first", [0])], (1,), "samples", INT64, axis=0)
    ones = layer.integers("ones", [1] * len(value.shape))
    wanted = layer.add_plain(
        "Concat", [count, ones], (len(value.shape) + 1,), "expanded_shape", INT64, axis=0
    )
    found = layer.add("Expand", [value, wanted], value.shape, "expand")
    return layer.made(found._replace(batched=True))


@form(Matmul)
def matmul(layer: LayerDraft[Matmul]) -> Value:
    """MatMul, after a Transpose of what is to be transposed."""
    inputs = [
        layer.transpose(value, _swapped(len(value.shape))) if swaps else value
        for value, swaps in zip(layer.inputs, (layer.op.transpose_a, layer.op.transpose_b), strict=True)
    ]
    return layer.add("MatMul", inputs, layer.shape)


def _swapped(rank: int) -> list[int]:
    """The order of dimensions with the last two exchanged."""
    return [*range(rank - 2), rank - 1, rank - 2]
