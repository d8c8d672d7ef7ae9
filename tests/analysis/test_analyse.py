"""Totals, memory and receptive fields, against hand calculations and published figures."""

from __future__ import annotations

from pathlib import Path

import pytest

import convcalc
from convcalc.analysis.analyse import analyse
from convcalc.language.load import load_graph


def write(tmp_path: Path, layers: str, size: str = "[2, 9, 7]", extra: str = "") -> str:
    path = tmp_path / "net.yaml"
    path.write_text(f"name: net\ninput: {size}\n{extra}layers:\n{layers}")
    return str(path)


def test_counts_of_one_convolution(tmp_path: Path) -> None:
    # 5 filters of 3×2 over 2 channels: 5·2·3·2 = 60 weights, 5 biases; output (9−3+1)/… = 7 × (7−2+1)/… = 6
    net = convcalc.load(write(tmp_path, "  - conv: {filters: 5, kernel: [3, 2]}\n"))
    layer = net.layers[0]
    assert (layer.weights, layer.biases, layer.params) == (60, 5, 65)
    assert layer.output_shape == (5, 7, 6)
    assert layer.macs == 60 * 7 * 6
    assert layer.activation_bytes == 5 * 7 * 6 * 4
    assert net.totals.param_bytes == 65 * 4


def test_batch_and_dtype_scale_memory_and_nothing_else(tmp_path: Path) -> None:
    path = write(tmp_path, "  - conv: {filters: 5, kernel: 3}\n  - flatten\n  - dense: 3\n")
    one = analyse(load_graph(path))
    many = analyse(load_graph(path), batch=6, dtype="float16")
    assert many.totals.activation_bytes == one.totals.activation_bytes * 3
    assert many.totals.peak_activation_bytes == one.totals.peak_activation_bytes * 3
    assert many.totals.param_bytes * 2 == one.totals.param_bytes
    assert many.totals.macs == one.totals.macs


def test_shared_weights_count_once_but_multiply_twice(tmp_path: Path) -> None:
    layers = (
        "  - conv: {name: a, filters: 2, kernel: 3, padding: 1}\n"
        "  - conv: {name: b, filters: 2, kernel: 3, padding: 1, share: a}\n"
    )
    net = convcalc.load(write(tmp_path, layers))
    assert net.totals.params == 2 * 2 * 9 + 2
    assert net.totals.macs == 2 * (2 * 2 * 9) * 63
    assert net.layers[1].params == 0


def test_buffers_are_not_parameters(tmp_path: Path) -> None:
    net = convcalc.load(write(tmp_path, "  - batchnorm\n"))
    assert (net.totals.weights, net.totals.biases, net.totals.buffers) == (2, 2, 4)


def test_peak_of_activations_by_hand(tmp_path: Path) -> None:
    # numbers alive: input 126. conv a → 4·63 = 252 (alive 378; the input is read again by the branch).
    # relu → 252 (630), a is freed (378). conv c from the input → 252 (630), then the input is freed (504).
    # add → 252 (756 at its peak).
    layers = (
        "  - add:\n"
        "      - [{conv: {name: a, filters: 4, kernel: 1}}, relu]\n"
        "      - [{conv: {name: c, filters: 4, kernel: 1}}]\n"
    )
    net = convcalc.load(write(tmp_path, layers))
    assert net.totals.peak_activation_bytes == 756 * 4


# Araujo, Norris & Sim 2019, "Computing Receptive Fields of Convolutional Neural Networks", table 1 (size, stride).
PUBLISHED_FIELDS = {
    "vgg16": (212, 32),
    "resnet50": (483, 32),
    "resnet101": (1027, 32),
    "resnet152": (1507, 32),
}


@pytest.mark.parametrize(("name", "expected"), PUBLISHED_FIELDS.items())
def test_published_receptive_fields(name: str, expected: tuple[int, int]) -> None:
    maps = [
        layer
        for layer in convcalc.load(name).layers
        if len(layer.output_shape) == 3 and layer.output_shape[1] > 1
    ]
    field = maps[-1].receptive_field
    assert field is not None
    assert (field.size, field.stride) == ((expected[0],) * 2, (expected[1],) * 2)


def test_receptive_field_of_asymmetric_windows(tmp_path: Path) -> None:
    # height: kernel 3, stride 2, 1 before; width: kernel 2, stride 1, none. Then 2×3, stride 1:
    # height 3 + (2−1)·2 = 5, stride 2, start −1; width 2 + (3−1)·1 = 4, stride 1, start 0.
    layers = (
        "  - conv: {filters: 1, kernel: [3, 2], stride: [2, 1], padding: [[1, 2], [0, 0]]}\n"
        "  - conv: {filters: 1, kernel: [2, 3]}\n"
    )
    field = convcalc.load(write(tmp_path, layers)).layers[-1].receptive_field
    assert field == ((5, 4), (2, 1), (-1, 0), (5, 4))


def test_flattened_units_have_no_single_field_and_dense_ones_see_their_union(tmp_path: Path) -> None:
    net = convcalc.load(
        write(tmp_path, "  - maxpool: {kernel: 2, stride: 2}\n  - flatten\n  - relu\n  - dense: 3\n")
    )
    assert [layer.receptive_field for layer in net.layers[1:3]] == [None, None]
    # pool: 4×3 units of 2 pixels, stride 2: rows 0…7, columns 0…5
    assert net.layers[3].receptive_field == ((8, 6), (0, 0), (0, 0), (8, 6))


def test_branches_give_the_union_and_a_warning_where_they_disagree(tmp_path: Path) -> None:
    layers = (
        "  - concat:\n"
        "      - [{conv: {filters: 1, kernel: 3, padding: 1}}]\n"
        "      - [{conv: {filters: 1, kernel: 1}}]\n"
    )
    net = analyse(load_graph(write(tmp_path, layers)))
    assert net.layers[-1].receptive_field == ((3, 3), (1, 1), (-1, -1), (3, 3))
    assert net.warnings == ()
    shifted = layers.replace("kernel: 1}", "kernel: 2, padding: [[0, 1], [0, 1]]}")
    warned = analyse(load_graph(write(tmp_path, shifted)))
    assert warned.layers[-1].receptive_field == ((3, 3), (1, 1), (-1, -1), (3, 3))
    assert len(warned.warnings) == 1
    assert "centre" in warned.warnings[0]


def test_squeeze_and_excitation_sees_the_whole_image(tmp_path: Path) -> None:
    layers = "  - multiply: [[], [global_avgpool, {conv: {filters: 2, kernel: 1}}, sigmoid]]\n"
    field = convcalc.load(write(tmp_path, layers)).layers[-1].receptive_field
    assert field is not None
    assert field.size == (9, 7)


def test_a_layer_that_nothing_reads_is_a_warning(tmp_path: Path) -> None:
    fields = "filters: 3, kernel: 3"
    layers = f"  - conv: {{name: lost, {fields}}}\n  - conv: {{name: kept, from: input, {fields}}}\n"
    assert any("lost" in text for text in analyse(load_graph(write(tmp_path, layers))).warnings)


def test_outputs_are_alive_to_the_end(tmp_path: Path) -> None:
    """Three results of 4096·8·8 float32 = 1,048,576 bytes each, and the stem of 8·8·8 that the last one reads."""
    layers = (
        "  - conv: {name: stem, K: 8, F: 3, P: 1, S: 8}\n  - conv: {name: head1, K: 4096, F: 1}\n"
        "  - conv: {name: head2, from: stem, K: 4096, F: 1}\n  - conv: {name: head3, from: stem, K: 4096, F: 1}\n"
    )
    net = convcalc.load(write(tmp_path, layers, "[3, 64, 64]", "outputs: [head1, head2, head3]\n"))
    assert net.totals.peak_activation_bytes == 3 * 1_048_576 + 4 * 8 * 8 * 8
    assert net.graph.warnings == ()


TWO_INPUTS = """\
name: net
inputs: {left: [2, 9, 7], right: [3, 8, 6]}
layers:
  - conv: {name: a, from: left, K: 5, F: 3}
  - conv: {name: b, from: right, K: 5, F: 2, S: 1}
  - add: {name: sum, from: [a, b]}
"""


def test_peak_with_two_inputs_by_hand(tmp_path: Path) -> None:
    """left 126 and right 144 numbers are there from the start: 270; a adds 175, and frees left; b adds 175: 494, and
    frees right; the sum adds 175 to 350: 525."""
    path = tmp_path / "net.yaml"
    path.write_text(TWO_INPUTS)
    assert convcalc.load(path).totals.peak_activation_bytes == 4 * 525


def test_receptive_fields_from_each_input(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(TWO_INPUTS)
    net = convcalc.load(path)
    sizes = [
        {name: field and field.size for name, field in layer.receptive_fields.items()} for layer in net.layers
    ]
    assert sizes == [{"left": (3, 3)}, {"right": (2, 2)}, {"left": (3, 3), "right": (2, 2)}]
    assert [layer.receptive_field.size for layer in net.layers] == [(3, 3), (2, 2), (3, 3)]
    assert net.record.warnings == ()
    assert [layer.inputs for layer in net.layers] == [("left",), ("right",), ("a", "b")]


def test_a_vector_has_no_receptive_field(tmp_path: Path) -> None:
    layers = "  - dense: 72\n  - reshape: [6, 4, 3]\n  - deconv: {K: 5, F: 3, S: 2}\n"
    net = convcalc.load(write(tmp_path, layers, "[100]"))
    assert [layer.receptive_field for layer in net.layers] == [None] * 3
    assert net.totals.params == 100 * 72 + 72 + 6 * 5 * 9 + 5
    assert net.record.warnings == ()
