"""Rows of a table: equal copies that follow one another are one row."""

from __future__ import annotations

import pytest

from convcalc.analysis.analyse import Analysis, analyse
from convcalc.analysis.fold import FoldedRow, fold_copies, rows, sources
from convcalc.graph import INPUT
from convcalc.language import bundled
from convcalc.language.load import load_graph


def analysis(tmp_path, layers: str, blocks: str = "") -> Analysis:
    path = tmp_path / "net.yaml"
    path.write_text(f"name: net\ninput: [8, 12, 10]\n{blocks}layers:\n{layers}", encoding="utf-8")
    return analyse(load_graph(str(path)))


def folded(network: Analysis, **options) -> list[tuple[str, str, int]]:
    """First name, last name, how many."""
    return [
        (row.name, row.last.name if row.last else row.name, row.times)
        for row in fold_copies(rows(network, **options))
    ]


def test_resnet152_has_the_blocks_of_its_paper() -> None:
    """He et al. 2015, table 1: 3, 8, 36 and 3 blocks, the first of each stage with its projection."""
    found = folded(analyse(load_graph("resnet152")))
    assert [entry for entry in found if entry[0].endswith("add1")] == [
        ("conv2.1.add1", "conv2.1.add1", 1),
        ("conv2.2.add1", "conv2.3.add1", 2),
        ("conv3.1.add1", "conv3.1.add1", 1),
        ("conv3.2.add1", "conv3.8.add1", 7),
        ("conv4.1.add1", "conv4.1.add1", 1),
        ("conv4.2.add1", "conv4.36.add1", 35),
        ("conv5.1.add1", "conv5.1.add1", 1),
        ("conv5.2.add1", "conv5.3.add1", 2),
    ]


def test_vgg19_keeps_its_sixteen_convolutions() -> None:
    found = folded(analyse(load_graph("vgg19")))
    assert sum(name.startswith("conv") for name, _, _ in found) == 16


@pytest.mark.parametrize("name", bundled.members())
def test_copies_times_their_figures_are_the_totals(name: str) -> None:
    network = analyse(load_graph(name))
    found = fold_copies(rows(network))
    for figure in ("weights", "biases", "macs"):
        assert sum(row.times * getattr(row, figure) for row in found) == getattr(network.totals, figure)
    assert sum(row.times * len(row.nodes) for row in found) == network.totals.layers


def test_copies_within_copies_multiply(tmp_path) -> None:
    blocks = "blocks:\n  pair:\n    layers:\n      - conv: {K: 8, F: 3, P: 1}\n      - conv: {K: 8, F: 1}\n"
    layers = "  - group: {name: outer, repeat: 4, layers: [pair: {name: p, repeat: 3}, relu]}\n"
    assert folded(analysis(tmp_path, layers, blocks)) == [
        ("outer.0.p.0.conv1", "outer.3.p.2.conv1", 12),
        ("outer.0.p.0.conv2", "outer.3.p.2.conv2", 12),
        ("outer.0.relu1", "outer.3.relu1", 4),
    ]


def test_layers_without_a_block_are_folded_from_five_on(tmp_path) -> None:
    layer = "  - conv: {K: 8, F: 3, P: 1}\n"
    assert len(folded(analysis(tmp_path, 4 * layer))) == 4
    assert folded(analysis(tmp_path, 5 * layer)) == [("conv1", "conv5", 5)]


DIFFERENT = {
    "another field": "[conv: {K: 8, F: 3, P: 1}, conv: {K: 8, F: 1}], [conv: {K: 8, F: 1}, conv: {K: 8, F: 1}]",
    "another name": "[conv: {name: a, K: 8, F: 1}, relu], [conv: {name: b, K: 8, F: 1}, relu]",
    "other weights": "[conv: {name: a, K: 8, F: 1}, relu, pad: 1], "
    "[conv: {name: a, K: 8, F: 1, share: block0.a}, relu, pad: 1]",
}


@pytest.mark.parametrize("groups", DIFFERENT.values(), ids=DIFFERENT)
def test_what_differs_is_not_folded(tmp_path, groups: str) -> None:
    first, second = groups.split("], [")
    layers = (
        f"  - group: {{name: block0, layers: {first}]}}\n  - group: {{name: block1, layers: [{second}}}\n"
    )
    assert {times for _, _, times in folded(analysis(tmp_path, layers))} == {1}


def test_another_wiring_is_not_folded(tmp_path) -> None:
    """Three blocks of the same layers: the first two add what they read, the third what the first block read."""
    block = (
        "  - group: {{name: block{0}, layers: [conv: {{name: a, K: 8, F: 1}}, add: {{from: [a, {1}]}}]}}\n"
    )
    layers = "".join(block.format(*pair) for pair in ((0, "input"), (1, "block0"), (2, "input")))
    found = folded(analysis(tmp_path, layers))
    assert found == [
        ("block0.a", "block1.a", 2),
        ("block0.add1", "block1.add1", 2),
        ("block2.a", "block2.a", 1),
        ("block2.add1", "block2.add1", 1),
    ]


def test_blocks_of_other_names_are_not_copies(tmp_path) -> None:
    layers = "".join(
        f"  - group: {{name: {name}, layers: [conv: {{K: 8, F: 1}}, maxpool: {{F: 1}}]}}\n"
        for name in ("left", "right")
    )
    assert {times for _, _, times in folded(analysis(tmp_path, layers))} == {1}


def test_blocks_folded_by_depth_are_counted() -> None:
    assert ("conv4.2", "conv4.6", 5) in folded(analyse(load_graph("resnet50")), depth=2)


def test_what_a_row_reads_where_it_is_not_the_row_before() -> None:
    network = analyse(load_graph("inception-module"))
    every = rows(network)
    read = {
        row.name: [INPUT if source == INPUT else network.graph.nodes[source].name for source in found]
        for row, found in zip(every, sources(every), strict=True)
        if found
    }
    assert read == {
        "inception.reduce3x3": [INPUT],
        "inception.reduce5x5": [INPUT],
        "inception.pool": [INPUT],
        "inception": ["inception.relu1", "inception.relu3", "inception.relu5", "inception.relu6"],
    }


def test_the_field_of_copies_goes_from_the_first_to_the_last() -> None:
    """ResNet-50 adds (3 − 1)·16 pixels in each block of its stage conv4, stride 16: 131 after the first of six."""
    row = next(
        row for row in fold_copies(rows(analyse(load_graph("resnet50")))) if row.name == "conv4.2.conv2"
    )
    last: FoldedRow | None = row.last
    assert row.receptive_field is not None
    assert last is not None
    assert last.receptive_field is not None
    assert row.receptive_field.size == (131 + 32, 131 + 32)
    assert last.receptive_field.size == (131 + 5 * 32, 131 + 5 * 32)
