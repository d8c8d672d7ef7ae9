"""`show --explain` on terminals of any width: no line is longer than they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from convcalc.analysis.analyse import analyse
from convcalc.analysis.explain import explanations
from convcalc.language.load import load_graph
from convcalc.render.layout import cells
from convcalc.report.show_explanation import explanation_lines


def screen(name: str, width: int | None) -> list[str]:
    """The lines of an explanation, without their styles."""
    found = explanations(analyse(load_graph(name)))
    return ["".join(span.text for span in line).rstrip() for line in explanation_lines(found, width)]


@pytest.mark.parametrize("width", [80, 140])
@pytest.mark.parametrize(
    "name", ["torchvision/swin_t", "torchvision/vit_b_16", "torchvision/deeplabv3_resnet50"]
)
def test_explanations_of_long_paths_fit(name: str, width: int) -> None:
    assert [line for line in screen(name, width) if cells(line) > width] == []


def test_a_heading_that_is_too_long_goes_on_behind_the_name(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "name: net\ninput: [3, 64, 60]\nlayers:\n  - conv: {name: a_layer_with_a_long_name, K: 8, F: 3, S: 2}\n"
        "  - upsample: {name: back, size: [33, 31], mode: bilinear, align_corners: true}\n"
        "  - crop: {name: a_crop_whose_name_is_as_long_as_a_narrow_terminal_is_wide, like: a_layer_with_a_long_name}\n"
    )
    lines = screen(str(path), 44)
    at = lines.index("back  upsample size 33×31 mode bilinear")
    assert lines[at : at + 3] == [
        "back  upsample size 33×31 mode bilinear",
        "      align_corners",
        "    8×31×29 → 8×33×31",
    ]
    at = lines.index("a_crop_whose_name_is_as_long_as_a_narrow_terminal_is_wide")
    assert lines[at + 1 : at + 4] == [
        "    crop 31×29 like a_layer_with_a_long_name",
        "    offset 1",
        "    8×33×31 → 8×31×29",
    ]
    assert "back  upsample size 33×31 mode bilinear align_corners   8×31×29 → 8×33×31" in screen(
        str(path), None
    )
