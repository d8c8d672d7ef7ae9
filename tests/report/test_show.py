"""`show` as a table: a line a row on a terminal, where layers read, copies, what a total says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from convcalc.analysis.analyse import analyse
from convcalc.analysis.catalogue import LECTURE
from convcalc.analysis.fold import Listing
from convcalc.language import bundled
from convcalc.language.load import load_graph
from convcalc.render.layout import cells, table_lines
from convcalc.render.table import Table, text_of, texts, to_csv, to_markdown, total_text
from convcalc.report.show import COLUMNS, columns_table, network_table, totals_lines

WIDE = ("maxvit_", "swin_v2_", "r2plus1d_", "s3d")
AT_THE_TOP = [name for name in bundled.members() if "/" not in name]


def table(name: str, **options) -> Table:
    return network_table(Listing(analyse(load_graph(name)), **options))


def screen(shown: Table, width: int | None) -> list[str]:
    """The lines; width None: where stdout is no terminal."""
    return ["".join(span.text for span in line).rstrip() for line in table_lines(shown, width)]


def grid(shown: Table, width: int | None) -> list[str]:
    """The lines between the rules."""
    lines = screen(shown, width)
    rules = [number for number, line in enumerate(lines) if set(line) == {"─"}]
    return lines[rules[0] + 1 : rules[1]]


@pytest.mark.parametrize("width", [80, 100, 140])
@pytest.mark.parametrize("name", bundled.members())
def test_a_row_takes_one_line(name: str, width: int) -> None:
    """Of the lecture's networks always; of the others too but for the longest name of a few, for names that have more
    than 30 letters, and at 80 columns for operators of many fields and maps of three dimensions."""
    shown = table(name)
    lines = grid(shown, width)
    long = sum(len(row.outline) > 30 for row in shown.rows)
    if width == 80 and name.removeprefix("torchvision/").startswith(WIDE):
        long += len(shown.rows) // 4
    assert len(lines) <= len(shown.rows) + (name not in LECTURE) * max(1, long)
    assert all(cells(line) <= width for line in lines)


def test_the_layer_whose_size_is_taken_is_left_out_where_there_is_no_room(tmp_path: Path) -> None:
    """The output column has the size."""
    path = tmp_path / "net.yaml"
    path.write_text(
        "name: net\ninput: [3, 64, 60]\nlayers:\n  - conv: {name: a_layer_with_a_long_name, K: 8, F: 3, S: 2}\n"
        "  - conv: {name: a_second_layer_with_a_long_name, K: 8, F: 3, S: 2}\n"
        "  - upsample: {name: back, like: a_layer_with_a_long_name}\n"
    )
    for width, text in (
        (80, "upsample size 31×29"),
        (140, "upsample size 31×29 like a_layer_with_a_long_name"),
    ):
        lines = grid(table(str(path)), width)
        assert len(lines) == 3
        assert text in lines[-1]
        assert "8×31×29" in lines[-1]
        assert ("like" in lines[-1]) == (width == 140)


def test_piped_output_has_every_column_and_exact_numbers() -> None:
    lines = grid(table("vgg16"), None)
    assert len(lines) == 22
    assert "conv K64 F3 P1 + relu" in lines[1]
    assert "1,849,688,064" in lines[1]


def test_the_total_says_how_many_layers_have_weights() -> None:
    """VGG-16 has 13 convolutions and 3 dense layers; ResNet-50 49 + 4 and one, and a norm behind each of 53."""
    for name, text in (("vgg16", "40 layers, 16 with weights"), ("resnet50", "176 layers, 54 with weights")):
        shown = table(name)
        found = total_text(COLUMNS["operator"], shown.footer[0])
        assert found.removesuffix(" besides norms") == text
        assert ("norms" in found) == (name == "resnet50")


def column(shown: Table, key: str) -> dict[str, str]:
    return {
        text_of(COLUMNS["layer"], item): text_of(COLUMNS[key], item)
        for item in shown.rows
        if text_of(COLUMNS[key], item)
    }


def test_from_names_what_a_layer_reads_where_it_is_not_the_row_before() -> None:
    assert column(table("inception-module"), "from") == {
        "inception.reduce3x3": "input",
        "inception.reduce5x5": "input",
        "inception.pool": "input",
        "inception": "conv1x1, conv3x3, conv5x5, project",
    }
    read = column(table("resnet50"), "from")
    assert read["conv2.1.add1"] == "conv3, shortcut.project.conv1"
    assert read["conv2.1.shortcut.project.conv1"] == "maxpool1"
    assert read["conv3.2–4.add1"] == "conv3, block input"
    assert "conv2.1.conv2" not in read
    assert column(table("resnet50", unfold=True), "from")["conv3.3.add1"] == "batchnorm3, conv3.2.relu3"


def test_a_narrow_terminal_points_at_the_row_above() -> None:
    """Also within copies, and behind them, where the row above is the last copy's."""
    arrows = {
        item.name: text_of(COLUMNS["from"], item, 1)
        for item in table("torchvision/mobilenet_v3_small").rows
        if item.reads
    }
    assert arrows["features.5–6.block.2.multiply1"] == "block.1.0, ↑"
    assert arrows["features.4.block.2.multiply1"] == "block.1.0, ↑"
    assert arrows["features.3.add1"] == "↑, features.2.block.2.0"
    slices = [text_of(COLUMNS["operator"], item, 1) for item in table("torchvision/shufflenet_v2_x1_0").rows]
    assert "slice start 58 stop 116" in slices


def test_a_network_in_one_line_has_no_column_for_it() -> None:
    assert "from" not in [column.key for column in table("vgg16").columns]


def test_equal_copies_are_one_row_and_all_shows_each() -> None:
    shown = table("resnet152")
    assert column(shown, "times")["conv4.2–36.conv1"] == "×35"
    assert column(shown, "field")["conv4.2–36.conv1"] == "195–1283"  # 195 + 34·32
    assert any(line.startswith("×: equal copies") for line in shown.lines)
    every = table("resnet152", unfold=True)
    assert len(every.rows) == 516
    assert "times" not in [column.key for column in every.columns]
    assert len(to_csv(shown).splitlines()) == 517
    assert "×35" in to_markdown(shown)


@pytest.mark.parametrize("names", ["macs", "layer,macs", "output,times"])
def test_columns_of_one_s_own_still_say_what_a_row_stands_for(names: str) -> None:
    shown = columns_table(Listing(analyse(load_graph("resnet50"))), names.split(","))
    assert [column.key for column in shown.columns].count("times") == 1
    assert any("×5" in row for row in texts(shown))


def test_a_shared_layer_says_whose_weights_it_uses(tmp_path) -> None:
    path = tmp_path / "net.yaml"
    conv = "conv: {name: %s, K: 4, F: 3, P: 1%s}"
    layers = ["relu", conv % ("a", ""), conv % ("b", ", share: a")]
    path.write_text(
        "name: net\ninput: [4, 9, 7]\nlayers:\n" + "".join(f"  - {layer}\n" for layer in layers), "utf-8"
    )
    shown = network_table(Listing(analyse(load_graph(str(path)))))
    assert column(shown, "weights") == {"relu1": "0", "a": "144", "b": "0, shares a"}
    assert total_text(COLUMNS["weights"], shown.footer[0]) == "144"
    assert total_text(COLUMNS["operator"], shown.footer[0]) == "3 layers, 2 with weights"


def test_one_warning_for_layers_that_have_the_same(tmp_path: Path) -> None:
    """A causal convolution beside a shortcut: their fields differ in centre, in each of three blocks."""
    path = tmp_path / "causal.yaml"
    path.write_text(
        "input: [4, 50]\n"
        "blocks: {layer: {layers: [add: [[], [conv: {filters: 4, kernel: 3, padding: [[2, 0]]}]]]}}\n"
        "layers: [layer: {repeat: 3}]\n"
    )
    warnings = [line for line in totals_lines(analyse(load_graph(str(path)))) if line.startswith("warning")]
    assert warnings == [
        "warning: layer1.0.add1 and 2 more layers: the receptive fields of its branches differ in centre; shown is "
        "what covers them all"
    ]


def test_what_a_narrow_terminal_leaves_out_is_said_in_one_line() -> None:
    for name in AT_THE_TOP:
        said = [line for line in screen(table(name), 80) if re.match(r"(left out|shortened): ", line)]
        (rule, *_) = [line for line in screen(table(name), None) if set(line) == {"─"}]
        assert len(said) == (len(rule) > 80), name
        assert all(line.endswith("(--columns or a wider window)") for line in said)
