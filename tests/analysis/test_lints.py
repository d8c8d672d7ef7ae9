"""Each lint finds what it is for, and keeps quiet beside it."""

from __future__ import annotations

import pytest

from convcalc.analysis.analyse import analyse
from convcalc.analysis.lints import LINTS, findings
from convcalc.language import budget
from convcalc.language.load import load_text


def found(layers: str, shape: str = "[16, 13, 18]") -> list[tuple[str, str, str]]:
    graph = load_text(f"name: t\ninput: {shape}\nlayers:\n" + layers)
    return [(finding.lint, finding.node.name, finding.message) for finding in findings(analyse(graph))]


def names(layers: str, shape: str = "[16, 13, 18]") -> list[tuple[str, str]]:
    return [(lint, layer) for lint, layer, _ in found(layers, shape)]


def test_the_table_is_the_languages():
    assert list(LINTS) == list(budget.LINTS)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        # (13 − 3)/2 is whole; (18 − 3)/2 leaves one column
        ("conv: {filters: 8, kernel: 3, stride: 2}", "no window reads the last column of 13×18"),
        ("maxpool: {kernel: 5, stride: 5}", "no window reads the last 3 rows and 3 columns of 13×18"),
        # 7 of 13 rows and 9 of 18 columns
        (
            "conv: {filters: 8, kernel: 1, stride: 2}",
            "its windows read 63 of 13×18 pixels and leave 73% unread between them",
        ),
    ],
)
def test_dropped_pixels(layer, message):
    assert found(f"  - {layer}\n") == [
        ("dropped_pixels", layer.split(":")[0] + "1", message),
    ]


@pytest.mark.parametrize(
    "layer",
    [
        "conv: {filters: 8, kernel: 3, stride: 2, padding: [[0, 0], [0, 1]]}",  # the column left over is padding
        "conv: {filters: 8, kernel: 3, padding: 1}",
        "maxpool: {kernel: 3, stride: 2, rounding: ceil}",
        "conv: {filters: 8, kernel: 3, dilation: 2}",
        "deconv: {filters: 8, kernel: 2, stride: 3}",
    ],
)
def test_no_dropped_pixels(layer):
    assert names(f"  - {layer}\n") == []


def test_unread_layer():
    layers = "  - conv: {name: a, filters: 8, kernel: 3}\n  - relu: {name: b}\n  - tanh: {name: c, from: a}\n"
    assert names(layers) == [("unread_layer", "b")]
    graph = load_text(f"name: t\ninput: [3, 9, 8]\noutputs: [b, c]\nlayers:\n{layers}")
    assert findings(analyse(graph)) == ()


def test_a_field_beyond_the_image_is_named_once():
    block = "  - conv: {filters: 16, kernel: 7, padding: 3}\n"
    # fields 7, 13, 19: the third is the first beyond 18 columns as well as 13 rows
    assert names(4 * block) == [("field_beyond_image", "conv3")]
    assert names(2 * block) == []
    assert names("  - global_avgpool\n") == []


@pytest.mark.parametrize(
    ("fields", "finds"),
    [
        ("groups: 4", True),
        ("groups: 2", False),
        ("groups: 8", True),
        ("depthwise: true", False),
        ("groups: 1", False),
    ],
)
def test_narrow_groups(fields, finds):
    layers = f"  - conv: {{filters: 16, kernel: 3, {fields}}}\n"
    assert names(layers) == [("narrow_groups", "conv1")] * finds


@pytest.mark.parametrize(
    ("layers", "finds"),
    [
        ("- conv: {filters: 8, kernel: 3}\n- batchnorm", True),
        ("- conv: {filters: 8, kernel: 3}\n- instancenorm", True),
        ("- deconv: {filters: 8, kernel: 3}\n- batchnorm", True),
        ("- flatten\n- dense: 9\n- batchnorm", True),
        ("- conv: {filters: 8, kernel: 3, bias: false}\n- batchnorm", False),
        ("- conv: {filters: 8, kernel: 3}\n- relu\n- batchnorm", False),
        ("- conv: {filters: 8, kernel: 3}\n- batchnorm: {frozen: true}", False),
        # the mean is over several channels, whose biases differ
        ("- conv: {filters: 8, kernel: 3}\n- groupnorm: {groups: 2}", False),
        ("- conv: {name: a, filters: 8, kernel: 3}\n- batchnorm: {name: b}\n- add: {from: [a, b]}", False),
    ],
)
def test_bias_before_normalisation(layers, finds):
    expected = [("bias_before_normalisation", layers.split("\n")[0][2:].split(":")[0] + "1")] if finds else []
    if finds and layers.startswith("- flatten"):
        expected = [("bias_before_normalisation", "dense1")]
    assert names("".join(f"  {line}\n" for line in layers.split("\n"))) == expected


@pytest.mark.parametrize(
    ("middle", "last", "between", "finds"),
    [
        (16, 8, "", True),
        (8, 8, "", True),  # no narrower than the narrower end
        (4, 8, "", False),  # a bottleneck
        (24, 32, "", True),
        (8, 32, "", False),
        (24, 8, "  - relu\n", False),
        (24, 8, "  - batchnorm\n", False),
        (24, 8, "  - dropout\n", True),
    ],
)
def test_consecutive_1x1(middle, last, between, finds):
    first = f"  - conv: {{name: a, filters: {middle}, kernel: 1, bias: false}}\n"
    second = f"  - conv: {{name: b, filters: {last}, kernel: 1}}\n"
    result = found(first + between + second)
    assert [(lint, layer) for lint, layer, _ in result] == [("consecutive_1x1", "b")] * finds
    if finds:
        saved = 16 * middle + middle * last - 16 * last
        assert f"16 → {last} computes the same with {saved:,} weights fewer" in result[0][2]


def test_a_1x1_convolution_that_others_read_too_is_meant():
    layers = (
        "  - conv: {name: a, filters: 24, kernel: 1}\n  - conv: {name: b, filters: 24, kernel: 1}\n"
        "  - add: {from: [a, b]}\n"
    )
    assert names(layers) == []
