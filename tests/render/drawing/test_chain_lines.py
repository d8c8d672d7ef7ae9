"""Volumes and maps in characters."""

from __future__ import annotations

from pathlib import Path

import pytest

from convcalc.render.drawing import maps, volumes
from convcalc.render.layout import Line, cells
from tests.render.drawing.chains import bundled, written


def texts(lines: list[Line]) -> list[str]:
    return ["".join([span.text for span in line]) for line in lines]


def test_alexnet_in_80_columns() -> None:
    """Heights are 10·√(n/227), rounded: 10, 5, 3, 3, 2, 2, 2, 1, 1; widths √C/5, at least 1."""
    lines = texts(list(volumes.lines(bundled("alexnet"), 80)))
    art = lines[2 : lines.index("input conv  maxpool conv  maxpool conv conv conv maxpool dense dense dense")]
    columns = {0: 10, 6: 5, 12: 3, 20: 3, 26: 2, 34: 2, 39: 2, 44: 1, 49: 1, 57: 10, 63: 10, 69: 5}
    heights = {at: sum(line[at : at + 1] not in ("", " ") for line in art) for at in columns}
    assert heights == columns
    assert [art[5 - 1][at:].split(" ")[0] for at in (6, 20, 34)] == ["██", "███", "████"]
    assert lines[lines.index("") + 12 :][1:4] == [
        "3×    96×   96×     256×  256×    384× 384× 256× 256×    4096  4096  1000",
        "227²  55×55 27×27   23×23 11×11   9×9  7×7  5×5  2×2",
        "      K96   F3      K256  F3      K384 K384 K256 F3",
    ]


@pytest.mark.parametrize("width", [40, 80, 140])
@pytest.mark.parametrize("name", ["alexnet", "vgg16", "googlenet", "torchvision/mobilenet_v2", "lenet5"])
@pytest.mark.parametrize("style", [volumes, maps], ids=["volumes", "maps"])
def test_no_line_is_wider_than_the_terminal(name: str, width: int, style: object) -> None:
    lines = texts(list(style.lines(bundled(name), width)))  # type: ignore[attr-defined]
    assert max(map(cells, lines)) <= width
    assert all(line == line.rstrip() for line in lines)


def test_vgg16_takes_two_banks_in_80_columns_and_one_in_140() -> None:
    for width, banks in ((80, 2), (140, 1)):
        lines = texts(list(volumes.lines(bundled("vgg16"), width)))
        assert sum("2×conv" in line or "dense" in line.split() for line in lines[:-4]) == banks
        assert "2×conv" in "\n".join(lines)


def test_without_a_width_everything_is_in_one_bank() -> None:
    lines = texts(list(volumes.lines(bundled("torchvision/mobilenet_v2"), None)))
    assert max(map(len, lines)) > 200
    assert "→" not in "\n".join(lines)


def test_sizes_channels_last() -> None:
    lines = texts(list(volumes.lines(bundled("alexnet"), 80, sizes="hwc")))
    assert any(line.startswith("227²  55×55 27×27") for line in lines)
    assert any(line.startswith("×3    ×96   ×96") for line in lines)


def test_the_symbols_tell_kinds_without_colour() -> None:
    lines = texts(list(volumes.lines(bundled("googlenet"), 140)))
    assert "░ input · █ convolution · ▒ pooling · ▚ block · ▓ dense" in lines


def test_marks_are_words() -> None:
    lines = texts(list(volumes.lines(bundled("alexnet"), 140, marks={1: "changed", 3: "added"})))
    assert {"changed", "added"} <= set(" ".join(lines).split())


def test_lenets_first_stack() -> None:
    """Inside 6·(28/32)^0.75 = 5 lines; four of six maps."""
    lines = texts(list(maps.lines(bundled("lenet5"), 80)))
    assert sum("░" in line for line in lines[:-3]) == 6
    assert sum("│██████████│" in line for line in lines) == 5
    assert "16×" in "\n".join(lines)
    assert "Of a layer at most 4 maps are drawn." in lines


def test_an_mlp_is_bars(tmp_path: Path) -> None:
    """√(784), √(196) and √(49) of √784: 10, 5 and 2.5 lines."""
    spec = "name: mlp\ninput: {features: 784}\nlayers:\n  - dense: 196\n  - relu\n  - dense: 49\n"
    lines = texts(list(volumes.lines(written(spec, tmp_path), 80)))
    assert [sum(line[at : at + 1] in ("░", "▓") for line in lines[2:12]) for at in (0, 6, 12)] == [10, 5, 2]
