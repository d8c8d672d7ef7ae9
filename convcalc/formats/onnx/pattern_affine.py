"""Biases and factors that move into the layer before them, or become a scale."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from convcalc.formats.draft import DraftLayer, operator
from convcalc.formats.onnx.calls import Activation, Call, Value, without
from convcalc.formats.onnx.mapper import Mapper
from convcalc.formats.onnx.norms import filled
from convcalc.formats.onnx.pattern_tools import (
    pairs,
    vector_of,
)
from convcalc.formats.onnx.values import FLOATS, Const
from convcalc.ops.conv import Conv
from convcalc.ops.deconv import Deconv
from convcalc.ops.dense import Dense
from convcalc.ops.groupnorm import Groupnorm
from convcalc.ops.layernorm import Layernorm
from convcalc.shapes import Shape


def bias(mapper: Mapper, call: Call) -> Value | None:
    """A vector added to the output of a dense layer or a convolution without bias, or to a normalisation."""
    for x, const in pairs(call):
        layer = mapper.layer(x) if isinstance(x, Activation) else None
        if layer is None or not isinstance(x, Activation) or not mapper.read_once(x) or layer.shape != x.own:
            continue
        op = layer.op
        if isinstance(op, (Dense, Conv, Deconv)) and not op.bias:
            vector = vector_of(x, const, len(x.own) - 1 if isinstance(op, Dense) else 0)
            if vector is None or not _same_for_owner(mapper, layer, vector):
                continue
            layer.op = replace(op, bias=True)
            layer.tensors = {**layer.tensors, "bias": vector.stored((vector.count,))}
            layer.path = _path_by_bias(layer.path, vector)
            return x
        if isinstance(op, (Layernorm, Groupnorm)) and x.layer in mapper.unfinished:
            stored = _affine(x, const, op)
            if stored is not None:
                mapper.unfinished.discard(x.layer)
                layer.tensors = {**layer.tensors, "bias": stored[0].stored(stored[1])}
                return x
    return None


def _same_for_owner(mapper: Mapper, layer: DraftLayer, vector: Const) -> bool:
    """Whether a layer that shares weights would share the bias as well."""
    if layer.shares is None:
        return True
    owner = mapper.draft.layers[layer.shares]
    name = vector.tensor.name if vector.tensor is not None else None
    return "bias" in owner.tensors and owner.tensors["bias"].name == name


def _path_by_bias(path: str, vector: Const) -> str:
    """The path by the name of the bias, which keeps its name where the exporter transposes the matrix."""
    name = vector.tensor.name if vector.tensor is not None else ""
    own = name.removesuffix(".bias")
    if own != name and (own.rpartition(".")[0] in (path, path.rpartition(".")[0])):
        return own
    return path


def factor(mapper: Mapper, call: Call) -> Value | None:
    """A product with one number a channel: scale, or the weights of a normalisation."""
    for x, const in pairs(call):
        if not isinstance(x, Activation) or not isinstance(const, Const):
            continue
        layer = mapper.layer(x)
        if layer is not None and isinstance(layer.op, (Layernorm, Groupnorm)) and not layer.op.affine:
            stored = _affine(x, const, layer.op)
            if stored is not None and mapper.read_once(x) and layer.shape == x.own:
                layer.op = replace(layer.op, affine=True)
                zeros = filled(stored[0].count, 0.0)
                layer.tensors = {"weight": stored[0].stored(stored[1]), "bias": zeros.stored(stored[1])}
                mapper.unfinished.add(x.layer)
                return x
        vector = vector_of(x, const, 0)
        if vector is None or vector.count < 2:
            continue
        name = vector.tensor.name if vector.tensor is not None else ""
        own = mapper.paths.of(call.node)
        own = name.removesuffix(".weight") if name.endswith(".weight") else own
        tensors = {"weight": vector.stored((vector.count,))}
        return x._replace(layer=mapper.add(call, operator("scale"), [x.layer], tensors, path=own))
    return None


def _affine(x: Activation, const: Value, op: Layernorm | Groupnorm) -> tuple[Const, Shape] | None:
    """A constant as the weights of a normalisation, and their shape; None if it is broadcast in another way."""
    if not isinstance(const, Const) or const.dtype not in FLOATS or len(const.shape) > len(x.shape):
        return None
    own = x.own
    over = op.dimensions(own) if isinstance(op, Layernorm) else (0,)
    wide = without((1,) * (len(x.shape) - len(const.shape)) + const.shape, x.axis)
    shape = tuple(own[axis] for axis in over)
    if len(wide) != len(own) or any(size != (own[d] if d in over else 1) for d, size in enumerate(wide)):
        return None
    return (const, shape) if const.count == prod(shape) else None
