"""A graph with its weights as an ONNX model, so that ONNX Runtime can run the same network."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx_attention import add_attention

from convcalc.formats.onnx.writer_windows import window
from convcalc.graph import INPUT, Graph, Node
from convcalc.ops import axis_dimensions
from convcalc.shapes import pads, per_axis
from convcalc.weights.load import Weights

SAME_NAME = {
    "relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "hardswish": "HardSwish", "mish": "Mish",
    "softplus": "Softplus", "identity": "Identity", "dropout": "Identity",
}  # fmt: skip


class Exporter:
    """Collects nodes and initialisers, one network node after the other."""

    def __init__(self, graph: Graph, weights: Weights) -> None:
        self.graph = graph
        self.weights = weights
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def model(self) -> Any:
        """The model: input `x` with a batch axis, output `y`."""
        for node in self.graph:
            self._add(node)
        names = {f"n{self.graph.output}": "y"}
        for made in self.nodes:
            made.output[:] = [names.get(name, name) for name in made.output]
            made.input[:] = [names.get(name, name) for name in made.input]
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, *self.graph.input_shape])
        y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, *self.graph.output_shape])
        graph = helper.make_graph(self.nodes, "network", [x], [y], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
        model.ir_version = 9
        return model

    def constant(self, name: str, values: Any) -> str:
        self.constants.append(onnx.numpy_helper.from_array(np.asarray(values, order="C"), name))
        return name

    def _parameter(self, node: Node, name: str, shape: tuple[int, ...] | None = None) -> str:
        values = np.asarray(self.weights.nodes[node.index][name], np.float32)
        shapes = {parameter.name: parameter.shape for parameter in node.parameters}
        return self.constant(f"{name}{node.index}", values.reshape(shape or shapes[name]))

    def op(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def reshape(self, x: str, shape: tuple[int, ...], output: str) -> str:
        """The same numbers in another shape."""
        return self.op("Reshape", [x, self.constant(f"{output}.shape", np.array(shape, np.int64))], output)

    def part(self, x: str, axis: int, start: int, stop: int, output: str, step: int = 1) -> str:
        """What lies from start to stop along an axis, the batch being the first."""
        places = [
            self.constant(f"{output}.{name}", np.array([value], np.int64))
            for name, value in zip("sean", (start, stop, axis, step), strict=True)
        ]
        return self.op("Slice", [x, *places], output)

    def dense(
        self,
        node: Node,
        x: str,
        weight: str,
        bias: str | None,
        output: str,
        scale: float = 1,
        rows: slice = slice(None),
    ) -> str:
        """scale·(weight·x + bias) along the last dimension, by some rows of the weights."""
        shapes = {parameter.name: parameter.shape for parameter in node.parameters}
        values = np.asarray(self.weights.nodes[node.index][weight], np.float32).reshape(shapes[weight])
        matrix = self.constant(f"{output}.{weight}", (values[rows] * np.float32(scale)).T)
        if bias is None:
            return self.op("MatMul", [x, matrix], output)
        offset = np.asarray(self.weights.nodes[node.index][bias], np.float32)[rows] * np.float32(scale)
        product = self.op("MatMul", [x, matrix], f"{output}.p")
        return self.op("Add", [product, self.constant(f"{output}.{bias}", offset)], output)

    def _add(self, node: Node) -> None:
        inputs = ["x" if source == INPUT else f"n{source}" for source in node.inputs]
        out = f"n{node.index}"
        op: Any = node.op
        kind = node.kind
        rank = len((node.input_shapes or (node.output_shape,))[0]) - 1
        channelwise = (-1, *(1,) * rank)
        if kind in SAME_NAME:
            self.op(SAME_NAME[kind], inputs, out)
        elif kind == "conv":
            names = [self._parameter(node, name) for name in ("weight", "bias")[: 1 + op.bias]]
            axes = op.axes(node.input_shapes)
            self.op("Conv", [*inputs, *names], out, group=op.groups, **window(axes))
        elif kind == "deconv":
            names = [self._parameter(node, name) for name in ("weight", "bias")[: 1 + op.bias]]
            axes = op.axes(node.input_shapes)
            self.op(
                "ConvTranspose", [*inputs, *names], out, kernel_shape=[a.kernel for a in axes],
                strides=[a.stride for a in axes], dilations=[a.dilation for a in axes], group=op.groups,
                pads=[*(a.before for a in axes), *(a.after for a in axes)], output_padding=[a.extra for a in axes],
            )  # fmt: skip
        elif kind in ("maxpool", "avgpool"):
            axes = op.axes(node.input_shapes)
            if kind == "maxpool":
                self.op("MaxPool", inputs, out, **window(axes))
            else:
                self.op(
                    "AveragePool", inputs, out, kernel_shape=[a.kernel for a in axes],
                    strides=[a.stride for a in axes], pads=[*(a.before for a in axes), *(a.after for a in axes)],
                    ceil_mode=int(op.rounding == "ceil"), count_include_pad=int(op.count_padding),
                )  # fmt: skip
        elif kind == "global_avgpool" or (kind == "adaptive_avgpool" and prod(node.output_shape[1:]) == 1):
            self.op("GlobalAveragePool", inputs, out)
        elif kind == "adaptive_avgpool":
            sizes = [n // m for n, m in zip(node.input_shapes[0][1:], node.output_shape[1:], strict=True)]
            assert all(
                n % m == 0 for n, m in zip(node.input_shapes[0][1:], node.output_shape[1:], strict=True)
            )
            self.op("AveragePool", inputs, out, kernel_shape=sizes, strides=sizes)
        elif kind == "dense" and rank == 0:
            names = [self._parameter(node, name) for name in ("weight", "bias")[: 1 + op.bias]]
            self.op("Gemm", [*inputs, *names], out, transB=1)
        elif kind == "dense":
            self.dense(node, inputs[0], "weight", "bias" if op.bias else None, out)
        elif kind == "attention":
            add_attention(self, node, inputs, out)
        elif kind in ("parameter", "constant"):
            values = self.weights.nodes[node.index][""]
            shaped = np.asarray(values, np.float32).reshape(1, *node.output_shape)
            self.op("Identity", [self.constant(f"{out}c", shaped)], out)
        elif kind == "gather":
            (axis,) = axis_dimensions(op.axis, rank + 1)
            indices = self.reshape(inputs[1], node.input_shapes[1], f"{out}i")
            whole = self.op("Cast", [indices], f"{out}w", to=TensorProto.INT64)
            self.op("Gather", [inputs[0], whole], out, axis=axis + 1)
        elif kind == "batchnorm":
            names = [self._parameter(node, n) for n in ("weight", "bias", "running_mean", "running_var")]
            self.op("BatchNormalization", [*inputs, *names], out, epsilon=op.eps)
        elif kind == "layernorm":
            names = [self._parameter(node, n) for n in ("weight", "bias")]
            if axis_dimensions(op.axis, rank + 1) == (0,) and rank:
                order = [0, *range(2, rank + 2), 1]
                moved = self.op("Transpose", inputs, f"{out}t", perm=order)
                done = self.op("LayerNormalization", [moved, *names], f"{out}l", axis=-1, epsilon=op.eps)
                self.op("Transpose", [done], out, perm=[0, rank + 1, *range(1, rank + 1)])
            else:
                self.op("LayerNormalization", [*inputs, *names], out, axis=-1, epsilon=op.eps)
        elif kind == "scale":
            self.op("Mul", [*inputs, self._parameter(node, "weight", channelwise)], out)
        elif kind == "lrn":
            self.op("LRN", inputs, out, size=op.size, alpha=op.alpha, beta=op.beta, bias=op.k)
        elif kind == "softmax":
            self.op("Softmax", inputs, out, axis=1)
        elif kind in ("add", "multiply"):
            name = "Add" if kind == "add" else "Mul"
            total = inputs[0]
            for place, other in enumerate(inputs[1:], 2):
                total = self.op(name, [total, other], out if place == len(inputs) else f"{out}_{place}")
        elif kind == "concat":
            (axis,) = axis_dimensions(op.axis, rank + 1)
            self.op("Concat", inputs, out, axis=axis + 1)
        elif kind in ("flatten", "reshape"):
            shape = np.array([1, *node.output_shape], np.int64)
            self.op("Reshape", [*inputs, self.constant(f"shape{node.index}", shape)], out)
        elif kind == "transpose":
            self.op("Transpose", inputs, out, perm=[0, *(dimension + 1 for dimension in op.order)])
        elif kind == "slice":
            (axis,) = axis_dimensions(op.axis, rank + 1)
            self.part(inputs[0], axis + 1, op.start, op.stop, out, op.step)
        elif kind == "channel_shuffle":
            channels, *spatial = node.output_shape
            split = np.array([1, op.groups, channels // op.groups, *spatial], np.int64)
            back = np.array([1, channels, *spatial], np.int64)
            a = self.op("Reshape", [*inputs, self.constant(f"{out}r", split)], f"{out}a")
            b = self.op("Transpose", [a], f"{out}b", perm=[0, 2, 1, *range(3, rank + 3)])
            self.op("Reshape", [b, self.constant(f"{out}q", back)], out)
        elif kind == "relu6":
            bounds = [self.constant(f"{out}{n}", np.array(v, np.float32)) for n, v in (("lo", 0), ("hi", 6))]
            self.op("Clip", [*inputs, *bounds], out)
        elif kind == "silu":
            gate = self.op("Sigmoid", inputs, f"{out}s")
            self.op("Mul", [*inputs, gate], out)
        elif kind == "hardsigmoid":
            self.op("HardSigmoid", inputs, out, alpha=1 / 6, beta=0.5)
        elif kind == "gelu":
            self.op("Gelu", inputs, out, approximate=op.approximate)
        elif kind == "leaky_relu":
            self.op("LeakyRelu", inputs, out, alpha=op.slope)
        elif kind == "elu":
            self.op("Elu", inputs, out, alpha=op.alpha)
        elif kind == "prelu":
            count = -1 if op.per_channel else 1
            self.op("PRelu", [*inputs, self._parameter(node, "weight", (count, *(1,) * rank))], out)
        elif kind == "pad":
            margins = [pads(op.padding, axis, rank) for axis in range(rank)]
            amounts = np.array([0, 0, *(b for b, _ in margins), 0, 0, *(a for _, a in margins)], np.int64)
            value = self.constant(f"{out}v", np.array(op.value, np.float32))
            self.op("Pad", [*inputs, self.constant(f"{out}p", amounts), value], out)
        elif kind == "upsample":
            scales = np.array([1, 1, *per_axis(op.scale, rank, "scale")], np.float32)
            mode = "nearest" if op.mode == "nearest" else "linear"
            how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
            if mode == "linear":
                how = {"coordinate_transformation_mode": "half_pixel"}
            self.op("Resize", [*inputs, "", self.constant(f"{out}c", scales)], out, mode=mode, **how)
        else:
            raise NotImplementedError(f"{node.name}: {kind} is not exported")


def export(graph: Graph, weights: Weights) -> Any:
    """The ONNX model of a graph."""
    return Exporter(graph, weights).model()
