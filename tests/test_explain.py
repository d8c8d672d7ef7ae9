"""The worked formulas, against the lecture's and hand calculations."""

from __future__ import annotations

import pytest

from convcalc.analysis import analyse
from convcalc.explain import explain
from convcalc.spec.load import load_graph


def worked(arch: str, layer: str) -> dict[str, str]:
    analysis = analyse(load_graph(arch))
    node = next(node for node in analysis.graph if node.name == layer)
    return {line.what: line.text for line in explain(analysis, node)}


def test_the_lectures_first_layer() -> None:
    lines = worked("alexnet", "conv1")
    assert lines["output size"] == "(227 − 11 + 2·0)/4 + 1 = 55"
    assert lines["weights"] == "(11·11·3)·96 = 34,848"
    assert lines["MACs"] == "34,848 · 55×55 = 105,415,200"
    assert lines["receptive field"] == "1 + (11 − 1)·1 = 11, stride 1·4 = 4"


@pytest.mark.parametrize(
    ("arch", "layer", "weights"),
    [
        ("alexnet", "fc1", "(2·2·256)·4096 = 4,194,304"),
        ("alexnet", "fc2", "4096·4096 = 16,777,216"),
        ("lenet5", "dense1", "(5·5·16)·120 = 48,000"),
        ("vgg16", "fc1", "(7·7·512)·4096 = 102,760,448"),
    ],
)
def test_a_dense_layer_tells_what_was_flattened(arch: str, layer: str, weights: str) -> None:
    assert worked(arch, layer)["weights"] == weights


def test_a_remainder_and_the_pixels_never_covered() -> None:
    # zfnet: (56 − 3)/2 leaves 1, so the last row and column of conv1's 56×56 is never pooled
    text = worked("zfnet", "maxpool1")["output size"]
    assert text.startswith("⌊(56 − 3 + 2·0)/2⌋ + 1 = 27")
    assert "remainder 1" in text
    assert "last 1 pixel never covered" in text
