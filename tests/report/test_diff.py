"""`diff` as a table on a terminal."""

from __future__ import annotations

import pytest

from convcalc.analysis.analyse import analyse
from convcalc.analysis.diff import compare
from convcalc.language.load import load_graph
from convcalc.render.layout import cells, table_lines
from convcalc.render.table import Table, text_of
from convcalc.report.diff import CHANGE, diff_table


def table(a: str, b: str) -> Table:
    return diff_table(compare(analyse(load_graph(a)), analyse(load_graph(b))))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("alexnet", "zfnet"),
        ("alexnet", "alexnet-paper"),
        ("zfnet", "zfnet-paper"),
        ("vgg16", "vgg19"),
        ("inception-naive", "inception-module"),
        ("resnet18", "resnet34"),
        ("resnet34", "resnet50"),
        ("resnet101", "resnet152"),
        ("resnet50", "torchvision/resnet50"),
        ("vgg16", "torchvision/vgg16_bn"),
    ],
)
def test_a_row_takes_one_line_at_80_columns(a: str, b: str) -> None:
    shown = table(a, b)
    lines = ["".join(span.text for span in line).rstrip() for line in table_lines(shown, 80)]
    rules = [number for number, line in enumerate(lines) if set(line) == {"─"}]
    assert rules[1] - rules[0] - 1 == len(shown.rows)
    assert all(cells(line) <= 80 for line in lines)


def test_changes_in_full_and_short() -> None:
    shown = table("googlenet", "torchvision/googlenet")
    item = next(item for item in shown.rows if item.a == "inception3a.conv5x5")
    assert text_of(CHANGE, item) == "F 5 → 3, P 2 → 1, bias yes → no"
    assert text_of(CHANGE, item, 1) == "F 5→3, P 2→1, no bias"
    module = table("inception-naive", "inception-module")
    item = next(item for item in module.rows if item.b == "inception.conv3x3")
    assert text_of(CHANGE, item, 1) == "depth 192→96"


def test_names_are_one_column_where_both_networks_have_the_same() -> None:
    assert [column.key for column in table("alexnet", "zfnet").columns][:2] == ["layer", "change"]
    assert [column.key for column in table("vgg16", "torchvision/vgg16_bn").columns][:2] == ["a", "b"]
