"""The worked formulas, against the lecture's and hand calculations."""

from __future__ import annotations

from pathlib import Path

import pytest

from convcalc.analysis import costs
from convcalc.analysis.analyse import analyse
from convcalc.analysis.explain import explain
from convcalc.language.load import load_graph


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


def test_a_turned_map_is_explained_along_the_axis_that_walks(tmp_path: Path) -> None:
    """Rows see 3, columns 5 apart by 2; after the turn the window of 2×4 takes rows by its 4 and columns by its 2."""
    path = tmp_path / "net.yaml"
    path.write_text(
        "name: net\ninput: [1, 20, 30]\nlayers:\n"
        "  - conv: {filters: 1, kernel: [3, 5], stride: [1, 2]}\n"
        "  - transpose: [0, 2, 1]\n"
        "  - conv: {name: turned, filters: 1, kernel: [2, 4], dilation: [3, 1]}\n",
        encoding="utf-8",
    )
    lines = worked(str(path), "turned")
    assert lines["receptive field, height"] == "3 + (4 − 1)·1 = 6, stride 1·1 = 1"
    assert lines["receptive field, width"] == "5 + (3·(2 − 1) + 1 − 1)·2 = 11, stride 2·1 = 2"


def test_a_normalisation_over_all_positions_and_what_is_repeated(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "name: net\ninput: [6, 20, 31]\nlayers:\n"
        "  - conv: {filters: 6, kernel: 3, stride: 2}\n"
        "  - groupnorm: {groups: 3, name: norm}\n"
        "  - add: {name: sum, branches: [[], [global_avgpool]]}\n",
        encoding="utf-8",
    )
    lines = worked(str(path), "norm")
    assert lines["channels a group"] == "6/3 = 2"
    assert lines["receptive field, height"] == "3 + (9 − 1)·2 = 19, all 9 units"
    assert lines["receptive field, width"] == "3 + (15 − 1)·2 = 31, all 15 units"
    assert worked(str(path), "sum")["repeated"] == "branch 2, 6×1×1 → 6×9×15"


def test_what_goes_backwards_and_what_is_resampled(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "name: net\ninput: [1, 20, 24]\nlayers:\n"
        "- conv: {filters: 1, kernel: 5, stride: 2, padding: 2}\n"
        "- slice: {axis: 2, step: -1}\n"
        "- conv: {filters: 1, kernel: 3, stride: [1, 2]}\n"
        "- upsample: {size: [12, 5], mode: bilinear}\n"
    )
    analysis = analyse(load_graph(str(path)))
    found = [
        {line.what: line.text for line in explain(analysis, node) if "field" in line.what}
        for node in analysis.graph
    ]
    assert found[1] == {"receptive field, width": "5 + (1 − 1)·2 = 5, stride 2·−1 = −2"}
    assert found[2] == {
        "receptive field, height": "5 + (3 − 1)·2 = 9, stride 2·1 = 2",
        "receptive field, width": "5 + (3 − 1)·2 = 9, stride −2·2 = −4",
    }
    # 8 rows to 12 that stand at (4·o − 1)/6, never on a row, so that each reads two; the 5 columns stay as they are
    assert found[3] == {"receptive field, height": "11, stride 2·2/3 = 4/3, 2 units read at most"}


def test_rows_that_became_channels_are_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "name: net\ninput: [2, 7, 9]\nlayers:\n"
        "  - maxpool: {kernel: 3, stride: 2}\n"
        "  - transpose: [1, 0, 2]\n"
        "  - conv: {name: turned, filters: 1, kernel: [1, 3]}\n",
        encoding="utf-8",
    )
    lines = worked(str(path), "turned")
    assert lines["receptive field, height"] == "3 + (3 − 1)·2 = 7, all 3 units"
    assert lines["receptive field, width"] == "3 + (3 − 1)·2 = 7, stride 2·1 = 2"


def test_every_reduction_is_worked_out_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Explaining all of 60 reductions asks for each of them, not for all of them each time, and for who reads whom
    once."""
    path = tmp_path / "net.yaml"
    pair = "{conv: {filters: 4, kernel: 1}}, {conv: {filters: 8, kernel: 3, padding: 1}}"
    path.write_text(f"name: net\ninput: [8, 2, 2]\nlayers:\n  - group: {{repeat: 60, layers: [{pair}]}}\n")
    analysis = analyse(load_graph(str(path)))
    asked = []
    reduction = costs.reduction
    monkeypatch.setattr(costs, "reduction", lambda graph, node: asked.append(node) or reduction(graph, node))
    costs._readers.cache_clear()
    worked_out = [line for node in analysis.graph for line in explain(analysis, node) if line.what == "saves"]
    assert len(worked_out) == len(asked) == 60
    assert costs._readers.cache_info().misses == 1
