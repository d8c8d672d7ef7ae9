"""Forms of operators that changed with ONNX's opsets, each before and after the change: ONNX Runtime's outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.formats.onnx.small_models import Small, node, weights

Array = Any
X = {"x": [1, 4, 3, 5]}
VECTORS = {name: abs(weights(4, seed=seed)) + 0.5 for seed, name in enumerate("wbmv")}


def ints(*numbers: int) -> Array:
    return np.array(numbers, np.int64)


def single(value: float) -> Array:
    return np.array(value, np.float32)


FORMS: dict[str, tuple[int, list[Any], dict[str, Array]]] = {
    "slice by attributes": (9, [node("Slice", "x", "y", starts=[1, 0], ends=[9, -1], axes=[2, 3])], {}),
    "slice by inputs": (10, [node("Slice", "x s e a t", "y")],
                        {"s": ints(-1, 0), "e": ints(-9, 9), "a": ints(2, 3), "t": ints(-1, 2)}),
    "clip by attributes": (10, [node("Clip", "x", "y", min=-0.2, max=0.5)], {}),
    "clip by inputs": (11, [node("Clip", "x _ h", "y")], {"h": single(0.5)}),
    "pad by attributes": (10, [node("Pad", "x", "y", pads=[0, 0, 1, 0, 0, 0, 0, 2], value=0.5)], {}),
    "pad by inputs": (11, [node("Pad", "x p v", "y")], {"p": ints(0, 1, 1, 0, 0, 0, 0, 2), "v": single(0.5)}),
    "pad with axes": (18, [node("Pad", "x p _ a", "y", mode="reflect")], {"p": ints(1, 2, 0, 1), "a": ints(2, -1)}),
    "squeeze by attributes": (11, [node("Unsqueeze", "x", "u", axes=[2]), node("Squeeze", "u", "y", axes=[2])], {}),
    "squeeze by inputs": (13, [node("Unsqueeze", "x a", "u"), node("Squeeze", "u a", "y")], {"a": ints(1)}),
    "softmax over all that follows": (11, [node("Softmax", "x", "y", axis=2)], {}),
    "softmax from the channels on": (11, [node("Softmax", "x", "y")], {}),
    "softmax over one axis": (13, [node("Softmax", "x", "y", axis=1)], {}),
    "softmax over the last axis": (13, [node("Softmax", "x", "y")], {}),
    "reduce by attributes": (13, [node("ReduceMean", "x", "y", axes=[2, 3], keepdims=0)], {}),
    "reduce by inputs": (18, [node("ReduceMean", "x a", "y")], {"a": ints(1)}),
    "sum by attributes": (11, [node("ReduceSum", "x", "y", axes=[-1])], {}),
    "sum by inputs": (13, [node("ReduceSum", "x a", "y", keepdims=0)], {"a": ints(3)}),
    "split by attributes": (11, [node("Split", "x", "y z", axis=1, split=[1, 3])], {}),
    "split by inputs": (13, [node("Split", "x s", "y z", axis=1)], {"s": ints(3, 1)}),
    "split by a number": (18, [node("Split", "x", "y z", axis=3, num_outputs=2)], {}),
    "upsample": (9, [node("Upsample", "x s", "y", mode="nearest")], {"s": np.array([1, 1, 2, 3], np.float32)}),
    "resize by scales": (10, [node("Resize", "x s", "y", mode="nearest")], {"s": np.array([1, 1, 2, 3], np.float32)}),
    "resize by sizes": (13, [node("Resize", "x _ _ s", "y", mode="linear",
                                  coordinate_transformation_mode="align_corners")], {"s": ints(1, 4, 7, 6)}),
    "resize of some axes": (18, [node("Resize", "x _ s", "y", mode="nearest", axes=[3, 2], nearest_mode="floor",
                                      coordinate_transformation_mode="asymmetric")],
                            {"s": np.array([1.5, 2], np.float32)}),
    "batch normalisation": (8, [node("BatchNormalization", "x w b m v", "y", epsilon=1e-3)], VECTORS),
    "batch normalisation of today": (15, [node("BatchNormalization", "x w b m v", "y", epsilon=1e-3)], VECTORS),
    "dropout by attributes": (11, [node("Dropout", "x", "y", ratio=0.3)], {}),
    "dropout by inputs": (12, [node("Dropout", "x r", "y")], {"r": single(0.3)}),
    "reshape with a zero": (13, [node("Reshape", "x s", "y")], {"s": ints(0, 2, 0, -1)}),
    "flatten from the end": (11, [node("Flatten", "x", "y", axis=-3)], {}),
    "average pool with ceil": (11, [node("AveragePool", "x", "y", kernel_shape=[2, 3], strides=[2, 2], ceil_mode=1,
                                         pads=[1, 0, 0, 1])], {}),
    "average pool that counts": (11, [node("AveragePool", "x", "y", kernel_shape=[2, 3], pads=[1, 0, 0, 2],
                                           count_include_pad=1)], {}),
    "max pool": (8, [node("MaxPool", "x", "y", kernel_shape=[2, 3], strides=[1, 2], pads=[0, 1, 1, 2])], {}),
    "dilated max pool": (10, [node("MaxPool", "x", "y", kernel_shape=[2, 2], dilations=[1, 3], strides=[2, 1])], {}),
    "same lower": (11, [node("Conv", "x k", "y", auto_pad="SAME_LOWER", strides=[2, 2])], {"k": weights(6, 4, 2, 2)}),
    "same upper": (11, [node("Conv", "x k", "y", auto_pad="SAME_UPPER", strides=[1, 2])], {"k": weights(6, 4, 2, 4)}),
    "grouped": (11, [node("Conv", "x k b", "y", group=2, pads=[1, 0, 2, 1])],
                {"k": weights(6, 2, 2, 3), "b": weights(6)}),
    "transposed": (11, [node("ConvTranspose", "x k", "y", strides=[2, 1], pads=[1, 0, 0, 1], output_padding=[1, 0])],
                   {"k": weights(4, 3, 3, 2)}),
    "transposed to a shape": (11, [node("ConvTranspose", "x k", "y", strides=[2, 3], output_shape=[6, 14])],
                              {"k": weights(4, 3, 3, 2)}),
    "tiles": (13, [node("Tile", "x r", "y")], {"r": ints(1, 1, 2, 3)}),
    "gather of runs": (13, [node("Gather", "x i", "y", axis=3)], {"i": ints(0, 2, 4, 3, -5)}),
    "gather of one": (13, [node("Gather", "x i", "y", axis=2)], {"i": np.array(1)}),
    "depth to space": (13, [node("DepthToSpace", "x", "y", blocksize=2)], {}),
    "depth to space of PyTorch": (13, [node("DepthToSpace", "x", "y", blocksize=2, mode="CRD")], {}),
    "an outer product": (12, [node("Einsum", "x k", "y", equation="bchw,oc->bohw")], {"k": weights(7, 4)}),
    "a product with a vector": (13, [node("MatMul", "x k", "y")], {"k": weights(5)}),
    "a product repeated for channels": (13, [node("MatMul", "x k", "y")], {"k": weights(1, 1, 5, 2)}),
    "slopes for each channel": (9, [node("PRelu", "x s", "y")], {"s": weights(4, 1, 1)}),
    "slopes for each column": (9, [node("PRelu", "x s", "y")], {"s": weights(5)}),
    "a factor and a sum for each channel": (13, [node("Mul", "x w", "a"), node("Add", "a b", "y")],
                                            {"w": weights(4, 1, 1), "b": weights(1, 4, 1, 1)}),
    "numbers": (13, [node("Sub", "one x", "a"), node("Div", "a two", "b"), node("Max", "b zero", "y")],
                {"one": single(1), "two": single(2), "zero": single(0)}),
    "layer normalisation of maps": (17, [node("LayerNormalization", "x w b", "y", axis=-2)],
                                    {"w": weights(3, 5), "b": weights(3, 5, seed=2)}),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_forms(tmp_path: Path, name: str) -> None:
    opset, nodes, constants = FORMS[name]
    outputs = tuple(nodes[-1].output)
    model = Small(tmp_path, nodes, X, constants, outputs, opset).checked()
    assert all(layer.op.is_known for layer in model.graph)


@pytest.mark.parametrize(
    ("alpha", "beta", "trans_a", "trans_b", "shape"),
    [(1.0, 1.0, 0, 1, (7,)), (0.5, 2.0, 0, 0, (1, 7)), (1.5, 0.5, 1, 1, (1,)), (1.0, 1.0, 1, 0, (4, 7))],
)
def test_gemm(
    tmp_path: Path, alpha: float, beta: float, trans_a: int, trans_b: int, shape: tuple[int, ...]
) -> None:
    nodes = [node("Gemm", "x k c", "y", alpha=alpha, beta=beta, transA=trans_a, transB=trans_b)]
    kernel = weights(7, 5) if trans_b else weights(5, 7)
    model = Small(
        tmp_path, nodes, {"x": [5, 4] if trans_a else [4, 5]}, {"k": kernel, "c": weights(*shape)}
    ).checked()
    assert "dense" in [layer.kind for layer in model.graph]
