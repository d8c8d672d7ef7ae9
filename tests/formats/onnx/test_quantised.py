"""QuantizeLinear and DequantizeLinear: computed on weights, left out between layers. Oracle: onnx's own evaluator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import convcalc
from convcalc.errors import ModelError
from convcalc.formats.onnx.load import load_onnx

random = np.random.default_rng(5)


def saved(path: Path, nodes: list, tensors: dict[str, np.ndarray], shape: list[int], opset: int = 21) -> str:
    """A model from x to y."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", "c", "h", "w"])],
        [
            value if isinstance(value, onnx.TensorProto) else numpy_helper.from_array(value, name)
            for name, value in tensors.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 10
    onnx.checker.check_model(model)
    onnx.save(model, path / "net.onnx")
    return str(path / "net.onnx")


def kernel_of(path: str) -> np.ndarray:
    """The kernel of the only layer with weights, from our tensors."""
    model = load_onnx(path)
    assert len([node for node in model.graph if node.parameters]) == 1
    (kernel,) = (tensor for key, tensor in model.tensors.items() if key.endswith("weight"))
    return np.array(kernel.values(), np.float32).reshape(kernel.shape)


def reference(path: str, name: str) -> np.ndarray:
    """The value of this name by onnx's evaluator."""
    model = onnx.load(path)
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    while model.graph.node[-1].output[0] != name:
        model.graph.node.pop()
    (found,) = ReferenceEvaluator(model).run(None, {"x": np.zeros((1, 3, 6, 5), np.float32)})
    return found


CASES = {
    # scale, zero point, axis, block size
    "one scale": ((), True, None, None),
    "one scale without a zero point": ((), False, None, None),
    "a scale for each filter": ((4,), True, 0, None),
    "a scale for each channel": ((3,), True, 1, None),
    "a scale for each column": ((5,), False, -1, None),
    "blocks of channels": ((4, 2, 2, 5), True, 1, 2),
    "blocks of columns": ((4, 3, 2, 2), True, 3, 3),
}


@pytest.mark.parametrize("code", [TensorProto.INT8, TensorProto.UINT8, TensorProto.INT4])
@pytest.mark.parametrize("case", CASES)
def test_weights_are_multiplied_out(tmp_path: Path, case: str, code: int) -> None:
    scale_shape, with_zero, axis, block = CASES[case]
    low, high = {2: (0, 255), 3: (-128, 127), 22: (-8, 7)}[code]
    shape = (4, 3, 2, 5)

    def integers(name: str, sizes: tuple[int, ...]) -> onnx.TensorProto:
        values = random.integers(low, high, sizes, endpoint=True).reshape(-1).tolist()
        return helper.make_tensor(name, code, sizes, values)

    tensors = {
        "w_q": integers("w_q", shape),
        "s": np.asarray(random.uniform(0.01, 0.3, scale_shape), np.float32),
    }
    if with_zero:
        tensors["z"] = integers("z", scale_shape)
    attributes = {key: value for key, value in (("axis", axis), ("block_size", block)) if value is not None}
    nodes = [
        helper.make_node("DequantizeLinear", list(tensors), ["w"], **attributes),
        helper.make_node("Conv", ["x", "w"], ["y"], name="/conv/Conv"),
    ]
    path = saved(tmp_path, nodes, tensors, [1, 3, 6, 5])
    np.testing.assert_array_equal(kernel_of(path), reference(path, "w"))


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_long_runs_with_one_scale(tmp_path: Path, axis: int | None, dtype: type) -> None:
    """All 256 integers in rows of 130 that share a scale, which are looked up in a table."""
    shape = (4, 3, 10, 13)
    limits = np.iinfo(dtype)
    values = np.resize(np.arange(limits.min, limits.max + 1), shape).astype(dtype)
    sizes = () if axis is None else (shape[axis],)
    tensors = {
        "w_q": values,
        "s": np.asarray(random.uniform(0.01, 0.3, sizes), np.float32),
        "z": np.asarray(random.integers(limits.min, limits.max, sizes), dtype),
    }
    attributes = {} if axis is None else {"axis": axis}
    nodes = [
        helper.make_node("DequantizeLinear", list(tensors), ["w"], **attributes),
        helper.make_node("Conv", ["x", "w"], ["y"], name="/conv/Conv", pads=[9, 9, 9, 9]),
    ]
    path = saved(tmp_path, nodes, tensors, [1, 3, 6, 5])
    np.testing.assert_array_equal(kernel_of(path), reference(path, "w"))


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_weights_that_the_model_rounds(tmp_path: Path, dtype: type) -> None:
    """As quantisation-aware training exports them: float weights through QuantizeLinear and DequantizeLinear. Some
    lie beyond the range, some halfway between two integers."""
    weight = random.normal(0, 1, (4, 3, 2, 5)).astype(np.float32)
    weight[0, 0, 0] = [0.0625, 0.1875, -0.0625, 100, -100]
    tensors = {
        "w_f": weight,
        "s": np.array([0.125, 0.01, 0.02, 0.03], np.float32),
        "z": np.array([3, 0, 7, 1], dtype),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["w_f", "s", "z"], ["w_q"], axis=0),
        helper.make_node("DequantizeLinear", ["w_q", "s", "z"], ["w"], axis=0),
        helper.make_node("Conv", ["x", "w"], ["y"], name="/conv/Conv"),
    ]
    path = saved(tmp_path, nodes, tensors, [1, 3, 6, 5])
    np.testing.assert_array_equal(kernel_of(path), reference(path, "w"))


def quantised_net(path: Path, opset: int = 13) -> str:
    """x → Q → DQ → Conv (int8 weights, int32 bias) → Relu → Q → DQ → y."""
    scale = np.array([0.02, 0.01, 0.05, 0.03], np.float32)
    tensors = {
        "s_x": np.float32(0.01), "z_x": np.int8(-5), "w_q": random.integers(-127, 127, (4, 3, 2, 5)).astype(np.int8),
        "s_w": scale, "z_w": np.zeros(4, np.int8), "b_q": random.integers(-900, 900, 4).astype(np.int32),
        "s_b": scale * np.float32(0.01), "s_y": np.float32(0.04), "z_y": np.int8(-128),
    }  # fmt: skip
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s_x", "z_x"], ["x_q"]),
        helper.make_node("DequantizeLinear", ["x_q", "s_x", "z_x"], ["x_f"]),
        helper.make_node("DequantizeLinear", ["w_q", "s_w", "z_w"], ["w"], axis=0),
        helper.make_node("DequantizeLinear", ["b_q", "s_b"], ["b"], axis=0),
        helper.make_node("Conv", ["x_f", "w", "b"], ["c"], name="/conv/Conv"),
        helper.make_node("Relu", ["c"], ["r"], name="/act/Relu"),
        helper.make_node("QuantizeLinear", ["r", "s_y", "z_y"], ["r_q"]),
        helper.make_node("DequantizeLinear", ["r_q", "s_y", "z_y"], ["y"]),
    ]
    return saved(path, nodes, tensors, [1, 3, 6, 5], opset)


@pytest.mark.parametrize("opset", [13, 21])
def test_a_quantised_network_opens_with_its_float_meaning(tmp_path: Path, opset: int) -> None:
    """Within a rounding step of input and output each (0.01 and 0.04), the outputs are the quantised model's."""
    path = quantised_net(tmp_path, opset)
    network = convcalc.load(path)
    assert [node.kind for node in network.graph] == ["conv", "relu"]
    assert network.totals.params == 4 * 3 * 2 * 5 + 4
    assert any("rounding is not computed" in note for note in network.graph.notes)
    x = random.uniform(-1, 1, (1, 3, 6, 5)).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    (expected,) = onnxruntime.InferenceSession(path, options).run(None, {"x": x})
    found = np.array(network.forward(x[0]).run.values).reshape(expected.shape)
    kernel = np.abs(kernel_of(path)).sum(axis=(1, 2, 3)).max()
    clipped = np.minimum(found, 0.04 * 255)  # the largest number that the output's type holds
    assert np.abs(clipped - expected).max() < 0.005 * kernel + 0.02 + 1e-4


def test_scales_that_do_not_fit(tmp_path: Path) -> None:
    tensors = {"w_q": np.zeros((4, 3, 2, 5), np.int8), "s": np.ones(3, np.float32)}
    nodes = [
        helper.make_node("DequantizeLinear", list(tensors), ["w"], axis=0),
        helper.make_node("Conv", ["x", "w"], ["y"]),
    ]
    path = saved(tmp_path, nodes, tensors, [1, 3, 6, 5])
    with pytest.raises(ModelError, match=r"DequantizeLinear that makes 'w': 3 scales for axis 0"):
        load_onnx(path)


@pytest.mark.parametrize(
    ("zero", "scale", "kinds"),
    [
        (np.uint8(0), 0.05, ["conv", "relu", "maxpool"]),
        (np.int8(-128), 0.05, ["conv", "relu", "maxpool"]),
        (np.uint8(0), 6 / 255, ["conv", "relu6", "maxpool"]),
        (np.uint8(1), 0.05, ["conv", "maxpool"]),
        (np.int8(0), 0.05, ["conv", "maxpool"]),
        (None, 0.05, ["conv", "relu", "maxpool"]),
    ],
)
def test_an_activation_that_became_the_end_of_a_range(
    tmp_path: Path, zero: np.generic | None, scale: float, kinds: list[str]
) -> None:
    """ONNX Runtime's quantiser removes a Relu if the smallest integer stands for 0. What follows is not negative, so
    the next cut is none."""
    tensors = {"w": random.normal(0, 0.5, (4, 3, 2, 5)).astype(np.float32), "s": np.float32(scale)}
    if zero is not None:
        tensors["z"] = zero
    ends = ["s"] if zero is None else ["s", "z"]
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="/conv/Conv"),
        helper.make_node("QuantizeLinear", ["c", *ends], ["c_q"], name="/act/Relu_output_0_QuantizeLinear"),
        helper.make_node("DequantizeLinear", ["c_q", *ends], ["c_f"]),
        helper.make_node("MaxPool", ["c_f"], ["p"], kernel_shape=[2, 1]),
        helper.make_node("QuantizeLinear", ["p", *ends], ["p_q"]),
        helper.make_node("DequantizeLinear", ["p_q", *ends], ["y"]),
    ]
    path = saved(tmp_path, nodes, tensors, [1, 3, 6, 7])
    network = convcalc.load(path)
    assert [node.kind for node in network.graph] == kinds
    x = random.uniform(-1, 1, (1, 3, 6, 7)).astype(np.float32)
    (expected,) = onnxruntime.InferenceSession(path).run(None, {"x": x})
    found = np.array(network.forward(x[0]).run.values).reshape(expected.shape)
    low, high = (0, 255) if zero is None or zero.dtype == np.uint8 else (-128, 127)
    shift = 0 if zero is None else int(zero)
    clipped = np.clip(found, (low - shift) * scale, (high - shift) * scale)
    assert np.abs(clipped - expected).max() < scale / 2 + 1e-4
