"""The batch is left out of shapes wherever an exporter puts it, and files without one keep all dimensions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convcalc.errors import ModelError, UsageError
from tests.formats.onnx.small_models import Small, node, weights


def test_a_batch_that_moves_behind_and_merges(tmp_path: Path) -> None:
    """Attention of older PyTorch: (batch, L, E) → (L, batch, E) → (L, batch·heads, d) → (batch·heads, L, d)."""
    small = Small(
        tmp_path,
        [
            node("Transpose", "x", "t", perm=[1, 0, 2]),
            node("Reshape", "t shape", "r"),
            node("Transpose", "r", "h", perm=[1, 0, 2]),
            node("Softmax", "h", "s", axis=-1),
            node("Transpose", "s", "b", perm=[1, 0, 2]),
            node("Reshape", "b back", "c"),
            node("Transpose", "c", "y", perm=[1, 0, 2]),
        ],
        {"x": [1, 7, 12]},
        {"shape": np.array([7, 3, 4]), "back": np.array([7, 1, 12])},
    )
    graph = small.checked().graph
    assert graph.input_shape == (7, 12)
    assert [(layer.kind, layer.output_shape) for layer in graph] == [
        ("reshape", (7, 3, 4)), ("transpose", (3, 7, 4)), ("softmax", (3, 7, 4)), ("transpose", (7, 3, 4)),
        ("reshape", (7, 12)),
    ]  # fmt: skip


def test_windows_merge_with_the_batch_and_part_again(tmp_path: Path) -> None:
    """Swin: (batch, 6, 10, C) in windows of 3×5."""
    small = Small(
        tmp_path,
        [
            node("Reshape", "x cut", "a"),
            node("Transpose", "a", "b", perm=[0, 1, 3, 2, 4, 5]),
            node("Reshape", "b windows", "w"),
            node("MatMul", "w k", "d"),
            node("Reshape", "d parted", "e"),
            node("Transpose", "e", "f", perm=[0, 1, 3, 2, 4, 5]),
            node("Reshape", "f map", "y"),
        ],
        {"x": [1, 6, 10, 4]},
        {
            "cut": np.array([1, 2, 3, 2, 5, 4]), "windows": np.array([-1, 15, 4]), "k": weights(4, 7),
            "parted": np.array([-1, 2, 2, 3, 5, 7]), "map": np.array([1, 6, 10, 7]),
        },
    )  # fmt: skip
    graph = small.checked().graph
    assert [layer.output_shape for layer in graph][2:4] == [(4, 15, 4), (4, 15, 7)]
    assert graph.output_shape == (6, 10, 7)


@pytest.mark.parametrize("batch", ["N", 1, 8])
def test_files_for_any_batch_or_a_fixed_one(tmp_path: Path, batch: int | str) -> None:
    size = batch if isinstance(batch, int) else -1
    small = Small(
        tmp_path,
        [
            node("Conv", "x w", "c", pads=[1, 0, 0, 2]),
            node("Reshape", "c shape", "f"),
            node("MatMul", "f k", "y"),
        ],
        {"x": [batch, 3, 5, 4]},
        {"w": weights(6, 3, 2, 3), "shape": np.array([size, 120]), "k": weights(120, 9)},
    )
    graph = small.checked(batch=batch if isinstance(batch, int) else 1).graph
    assert [(layer.kind, layer.output_shape) for layer in graph] == [
        ("conv", (6, 5, 4)), ("flatten", (120,)), ("dense", (9,)),
    ]  # fmt: skip


def test_a_token_repeated_for_eight_inputs_is_one_parameter(tmp_path: Path) -> None:
    token = np.repeat(weights(1, 1, 4), 8, axis=0)
    small = Small(
        tmp_path,
        [node("Conv", "x w", "c"), node("Reshape", "c shape", "r"), node("Transpose", "r", "t", perm=[0, 2, 1]),
         node("Concat", "token t", "y", axis=1)],
        {"x": [8, 3, 5, 2]},
        {"w": weights(4, 3, 1, 1), "shape": np.array([8, 4, 10]), "token": token},
    )  # fmt: skip
    graph = small.checked(batch=8).graph
    assert graph.output_shape == (11, 4)
    assert sum(layer.op.macs(layer.input_shapes) for layer in graph) == 4 * 3 * 10


def test_a_file_without_a_batch_keeps_all_dimensions(tmp_path: Path) -> None:
    small = Small(tmp_path, [node("Concat", "x x", "y", axis=0)], {"x": [3, 4, 5]})
    graph = small.checked().graph
    assert (graph.input_shape, graph.output_shape) == ((3, 4, 5), (6, 4, 5))


def test_an_operator_along_the_first_dimension_shows_that_it_is_no_batch(tmp_path: Path) -> None:
    small = Small(
        tmp_path, [node("Softmax", "x", "s", axis=0), node("Concat", "x s", "y", axis=0)], {"x": [1, 4, 5]}
    )
    graph = small.checked().graph
    assert (graph.input_shape, graph.output_shape) == ((1, 4, 5), (2, 4, 5))


def test_free_sizes_come_from_the_user(tmp_path: Path) -> None:
    small = Small(
        tmp_path,
        [node("Conv", "x w", "c", strides=[2, 1]), node("GlobalAveragePool", "c", "y")],
        {"x": ["N", 3, "H", "W"]},
        {"w": weights(6, 3, 2, 3)},
    )
    with pytest.raises(UsageError, match="input 'x' has free dimensions: 3×H×W"):
        small.opened()
    assert small.checked({"x": (3, 9, 8)}).graph.nodes[0].output_shape == (6, 4, 6)
    with pytest.raises(UsageError, match="3 dimensions without the batch, not 2"):
        small.opened({"x": (9, 8)})


def test_shapes_of_the_input_are_worked_out(tmp_path: Path) -> None:
    """Flatten as TensorFlow's converter writes it: the batch from Shape, the rest as −1."""
    small = Small(
        tmp_path,
        [
            node("Shape", "x", "s"),
            node("Slice", "s zero one", "n"),
            node("Concat", "n rest", "target", axis=0),
            node("Reshape", "x target", "f"),
            node("Gemm", "f k", "y", transB=1),
        ],
        {"x": [1, 3, 4, 5]},
        {"zero": np.array([0]), "one": np.array([1]), "rest": np.array([-1]), "k": weights(7, 60)},
    )
    assert small.kinds() == ["flatten", "dense"]
    small.checked()


def test_a_gather_of_everything_is_a_reshape(tmp_path: Path) -> None:
    """`as_strided` of PyTorch's newer exporter: a flat input, indices from 0 on in the wanted shape."""
    small = Small(
        tmp_path,
        [node("ReduceMean", "x", "m", axes=[2, 3]), node("Reshape", "m flat", "f"), node("Gather", "f all", "g"),
         node("Reshape", "g vector", "v"), node("Gemm", "v k", "y", transB=1)],
        {"x": [1, 6, 3, 5]},
        {"flat": np.array([-1]), "all": np.arange(6).reshape(1, 6, 1, 1), "vector": np.array([1, 6]),
         "k": weights(7, 6)},
    )  # fmt: skip
    graph = small.checked().graph
    assert [(layer.kind, layer.output_shape) for layer in graph] == [
        ("global_avgpool", (6, 1, 1)), ("flatten", (6,)), ("dense", (7,)),
    ]  # fmt: skip


def test_an_unknown_operator_has_the_shape_of_the_file(tmp_path: Path) -> None:
    from onnx import helper

    nodes = [node("Det", "x", "d"), node("Relu", "d", "y")]
    claimed = [helper.make_tensor_value_info("d", 1, [1, 3])]
    model = Small(tmp_path, nodes, {"x": [1, 3, 4, 4]}, values=claimed).opened()
    assert [(layer.kind, layer.output_shape) for layer in model.graph] == [("unknown", (3,)), ("relu", (3,))]
    assert model.graph.warnings == (
        "1 layer is of an operator that convcalc does not know, and not counted: Det",
    )
    with pytest.raises(ModelError, match="the file does not say the shape of its output 'd'"):
        Small(tmp_path, nodes, {"x": [1, 3, 4, 4]}).opened()


def test_weights_that_are_used_twice_are_shared_and_equal_vectors_are_not(tmp_path: Path) -> None:
    small = Small(
        tmp_path,
        [
            node("Conv", "x w", "a", name="/c/Conv"), node("Relu", "a", "r"),
            node("Conv", "r w", "b", name="/c_1/Conv"),
            node("InstanceNormalization", "b v v", "n", name="/n/InstanceNormalization"),
            node("InstanceNormalization", "n v v", "y", name="/m/InstanceNormalization"),
        ],
        {"x": [1, 3, 4, 5]},
        {"w": weights(3, 3, 1, 1), "v": weights(3)},
    )  # fmt: skip
    graph = small.checked().graph
    assert [(layer.name, layer.shares) for layer in graph] == [
        ("c", None), ("relu1", None), ("conv2", 0), ("n", None), ("m", None),
    ]  # fmt: skip


def test_a_branch_with_a_known_condition_is_taken(tmp_path: Path) -> None:
    from onnx import helper

    branches = [
        helper.make_graph([node(op, "x", out)], "g", [], [helper.make_tensor_value_info(out, 1, None)])
        for op, out in (("Relu", "p"), ("Sigmoid", "q"))
    ]
    small = Small(
        tmp_path,
        [node("Shape", "x", "s"), node("Gather", "s two", "c"), node("Equal", "c four", "is"),
         node("If", "is", "y", then_branch=branches[0], else_branch=branches[1])],
        {"x": [1, 3, 4, 5]},
        {"two": np.array(2), "four": np.array(4)},
    )  # fmt: skip
    assert small.kinds() == ["relu"]


def test_zeros_that_an_exporter_constructs_are_no_bias(tmp_path: Path) -> None:
    """PyTorch's newer exporter without its optimiser: CastLike of the input, and Expand to the number of filters."""
    small = Small(
        tmp_path,
        [node("CastLike", "zero x", "z"), node("Shape", "w", "s", end=1), node("Expand", "z s", "b"),
         node("Conv", "x w b", "y")],
        {"x": [1, 3, 4, 5]},
        {"zero": np.array(0), "w": weights(6, 3, 2, 3)},
    )  # fmt: skip
    (layer,) = small.checked().graph
    assert layer.op.shown_fields()["bias"] is False


def test_a_kernel_of_integers_is_an_error(tmp_path: Path) -> None:
    """ONNX's Conv takes floating-point kernels only; a quantised one comes through DequantizeLinear."""
    kernel = np.arange(24).reshape(4, 3, 2, 1)
    small = Small(tmp_path, [node("Conv", "x w", "y")], {"x": [1, 3, 7, 5]}, {"w": kernel})
    with pytest.raises(ModelError, match="a kernel of I64 numbers, where floating-point ones are needed"):
        small.opened()
