"""A graph with its weights as a PyTorch module, batch norm folded into convolutions as `fuse_conv_bn` would do."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - its customary name
from torch import nn

from convcalc.graph import INPUT, Graph, Node
from convcalc.shapes import pads, per_axis
from convcalc.weights.load import Weights

POINTWISE = {
    "relu": F.relu, "relu6": F.relu6, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "silu": F.silu, "mish": F.mish,
    "hardsigmoid": F.hardsigmoid, "hardswish": F.hardswish, "softplus": F.softplus,
}  # fmt: skip


class TorchNetwork(nn.Module):
    """Runs the nodes in order; x has a batch axis."""

    def __init__(self, graph: Graph, weights: Weights) -> None:
        super().__init__()
        self.graph = graph
        readers: dict[int, list[Node]] = {}
        for node in graph:
            for source in node.inputs:
                readers.setdefault(source, []).append(node)
        self.skipped: set[int] = set()
        for node in graph:
            tensors = {
                p.name: torch.from_numpy(
                    np.array(weights.nodes[node.index][p.name], np.float32).reshape(p.shape)
                )
                for p in node.parameters
            }
            after = readers.get(node.index, [])
            if node.kind == "conv" and len(after) == 1 and after[0].kind == "batchnorm":
                tensors = _fold(tensors, after[0], weights)
                self.skipped.add(after[0].index)
            if node.index in self.skipped:
                continue
            for name, tensor in tensors.items():
                self.register_buffer(_buffer(node, name), tensor)

    def _get(self, node: Node, name: str) -> Any:
        return getattr(self, _buffer(node, name), None)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The network's output."""
        values = {INPUT: x}
        last = self.graph.last_readers()
        for node in self.graph:
            inputs = [values[source] for source in node.inputs]
            values[node.index] = inputs[0] if node.index in self.skipped else self._run(node, inputs)
            for source in set(node.inputs):
                if source != INPUT and last[source] <= node.index:
                    del values[source]
        return values[self.graph.output]

    def _run(self, node: Node, inputs: list[torch.Tensor]) -> torch.Tensor:
        op: Any = node.op
        kind = node.kind
        if kind == "parameter":
            return self._get(node, "")[None]
        x = inputs[0]
        rank = len(node.input_shapes[0]) - 1
        if kind in POINTWISE:
            return POINTWISE[kind](x)
        if kind in ("identity", "dropout"):
            return x
        if kind == "conv":
            axes = op.axes(node.input_shapes)
            before = [a.before for a in axes]
            after = [max(0, (a.output - 1) * a.stride + a.extent - a.size - a.before) for a in axes]
            padding: Any = before
            if any(a > b for a, b in zip(after, before, strict=True)):
                x = F.pad(x, [n for pair in zip(before[::-1], after[::-1], strict=True) for n in pair])
                padding = 0
            function = (F.conv1d, F.conv2d, F.conv3d)[rank - 1]
            return function(
                x, self._get(node, "weight"), self._get(node, "bias"), [a.stride for a in axes], padding,
                [a.dilation for a in axes], op.groups,
            )  # fmt: skip
        if kind == "deconv":
            axes = op.axes(node.input_shapes)
            function = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[rank - 1]
            return function(
                x, self._get(node, "weight"), self._get(node, "bias"), [a.stride for a in axes],
                [a.before for a in axes], [a.extra for a in axes], op.groups, [a.dilation for a in axes],
            )  # fmt: skip
        if kind in ("maxpool", "avgpool"):
            axes = op.axes(node.input_shapes)
            kernel, stride, before = (
                [a.kernel for a in axes],
                [a.stride for a in axes],
                [a.before for a in axes],
            )
            ceil = op.rounding == "ceil"
            if kind == "maxpool":
                after = [max(0, (a.output - 1) * a.stride + a.extent - a.size - a.before) for a in axes]
                if not ceil and any(a > b for a, b in zip(after, before, strict=True)):
                    x = F.pad(
                        x,
                        [n for p in zip(before[::-1], after[::-1], strict=True) for n in p],
                        value=-torch.inf,
                    )
                    before = [0] * rank
                return (F.max_pool1d, F.max_pool2d, F.max_pool3d)[rank - 1](
                    x, kernel, stride, before, [a.dilation for a in axes], ceil
                )
            function = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[rank - 1]
            return function(x, kernel, stride, before, ceil, op.count_padding)
        if kind == "global_avgpool":
            return x.mean(dim=tuple(range(2, rank + 2)), keepdim=True)
        if kind == "adaptive_avgpool":
            function = (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)[rank - 1]
            return function(x, node.output_shape[1:])
        if kind == "dense":
            return F.linear(x, self._get(node, "weight"), self._get(node, "bias"))
        if kind == "attention" and op.window is None and op.axis == "last" and len(inputs) == 1:
            packed = F.linear(x, self._get(node, "in_proj_weight"), self._get(node, "in_proj_bias"))
            q, k, v = packed.reshape(1, x.shape[1], 3, op.heads, -1).permute(2, 0, 3, 1, 4)
            mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape)
            return F.linear(mixed, self._get(node, "out_proj.weight"), self._get(node, "out_proj.bias"))
        if kind == "batchnorm":
            names = ("running_mean", "running_var", "weight", "bias")
            return F.batch_norm(x, *(self._get(node, name) for name in names), False, 0.1, op.eps)
        if kind == "layernorm":
            weight, bias = self._get(node, "weight"), self._get(node, "bias")
            if op.axis == "channels" and rank:
                moved = x.movedim(1, -1)
                return F.layer_norm(moved, weight.shape, weight, bias, op.eps).movedim(-1, 1)
            return F.layer_norm(x, weight.shape, weight, bias, op.eps)
        if kind == "scale":
            return x * self._get(node, "weight").reshape(-1, *(1,) * rank)
        if kind == "lrn":
            return F.local_response_norm(x, op.size, op.alpha, op.beta, op.k)
        if kind == "softmax":
            return F.softmax(x, 1)
        if kind in ("add", "multiply"):
            for other in inputs[1:]:
                x = x + other if kind == "add" else x * other
            return x
        if kind == "concat":
            return torch.cat(inputs, 1)
        if kind in ("flatten", "reshape"):
            return x.reshape(1, *node.output_shape)
        if kind == "transpose":
            return x.permute(0, *(dimension + 1 for dimension in op.order))
        if kind == "slice":
            return x[:, op.start : op.stop]
        if kind == "channel_shuffle":
            return F.channel_shuffle(x, op.groups)
        if kind == "gelu":
            return F.gelu(x, approximate=op.approximate)
        if kind == "upsample":
            scales = tuple(map(float, per_axis(op.scale, rank, "scale")))
            mode = op.mode if op.mode == "nearest" else ("linear", "bilinear", "trilinear")[rank - 1]
            return F.interpolate(x, scale_factor=scales, mode=mode)
        if kind == "pad":
            margins = [pads(op.padding, axis, rank) for axis in range(rank)]
            return F.pad(x, [n for pair in margins[::-1] for n in pair], value=op.value)
        raise NotImplementedError(f"{node.name}: {kind}")


def _buffer(node: Node, name: str) -> str:
    return f"{name.replace('.', '_')}_{node.index}"


def _fold(tensors: dict[str, torch.Tensor], node: Node, weights: Weights) -> dict[str, torch.Tensor]:
    own = {
        name: torch.from_numpy(np.array(values, np.float32))
        for name, values in weights.nodes[node.index].items()
    }
    op: Any = node.op
    factor = own.get("weight", torch.ones(1)) / torch.sqrt(own["running_var"] + op.eps)
    bias = tensors.get("bias", torch.zeros(1)) - own["running_mean"]
    kernel = tensors["weight"]
    return {
        "weight": kernel * factor.reshape(-1, *(1,) * (kernel.ndim - 1)),
        "bias": bias * factor + own.get("bias", torch.zeros(1)),
    }


def parameters_of(graph: Graph) -> int:
    """How many numbers a network's parameters hold."""
    return sum(prod(p.shape) for node in graph for p in node.parameters)
