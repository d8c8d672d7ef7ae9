"""`matrix -o`: small matrices as cells with letters, large ones as pictures with axes."""

from __future__ import annotations

from pathlib import Path

import pytest

import convcalc
from convcalc.render.drawing import palette
from convcalc.render.drawing.measure import faults
from convcalc.render.drawing.scene import Picture, Rectangle, Scene, Text
from convcalc.report.matrix_figure import matrix_scene
from tests.browser import screenshot
from tests.render.drawing.scenes import near


def texts(scene: Scene) -> list[str]:
    return [item.text for item in scene.items if isinstance(item, Text)]


def shades(scene: Scene) -> list[Rectangle]:
    return [
        item for item in scene.items if isinstance(item, Rectangle) and (item.fill or "").startswith("ramp")
    ]


def test_the_lecture_s_toy() -> None:
    """4×4 inputs, a kernel w x / y z: h11 reads inputs 1, 2, 5 and 6; 36 of 144 entries are not zero."""
    scene = matrix_scene(convcalc.matrix("4x4", kernel=2).record)
    assert {
        "conv K1 F2 as a dense layer",
        "matrix 9×16",
        "kernel",
        "input, numbered",
        "h11",
        "h33",
        "16",
    } <= set(texts(scene))
    assert "36 of 144 entries are not zero, 4 weights fill them" in texts(scene)
    assert [texts(scene).count(letter) for letter in "wxyz"] == [10] * 4  # nine rows and the kernel
    kernel, matrix = scene.boxes[1], scene.boxes[2]
    side = (matrix.right - matrix.left) / 16
    first = [item for item in shades(scene) if item.top == matrix.top and item.left >= matrix.left]
    assert [round((item.left - matrix.left) / side) for item in first] == [0, 1, 4, 5]
    own = [item.fill for item in shades(scene) if kernel.left <= item.left < kernel.right]
    assert [item.fill for item in first] == own  # the kernel is the legend
    assert len(set(own)) == 4
    assert faults(scene).clean


def test_turned_over() -> None:
    scene = matrix_scene(convcalc.matrix("4x4", kernel=2).record, transposed=True)
    assert "matrix 16×9" in texts(scene)
    matrix = scene.boxes[2]
    first = [item for item in shades(scene) if item.top == matrix.top and item.left >= matrix.left]
    assert len(first) == 1  # input 1 is read by h11 alone


@pytest.mark.parametrize(
    "options",
    [
        {"size": "3x4", "kernel": 2, "filters": 2, "channels": 2},
        {"size": "4x4", "kernel": 3, "padding": 1},
        {"size": "3x3", "kernel": 2, "weights": "1 -2; 1/3 4.25"},
        {"size": "2x2", "kernel": 3, "stride": 2, "transposed": True},
        {"size": "7", "kernel": 3, "dilation": 2},
        {"size": "6x6", "kernel": 5},
    ],
)
def test_nothing_overlaps(options) -> None:
    options = dict(options)
    found = convcalc.matrix(options.pop("size"), **options).record
    for transposed in (False, True):
        scene = matrix_scene(found, transposed=transposed)
        assert faults(scene).clean
        for item in scene.items:
            if isinstance(item, Rectangle):
                assert item.left + item.width <= scene.width


def test_a_large_matrix_has_axes_and_a_legend() -> None:
    scene = matrix_scene(convcalc.load("lenet5").matrix("conv1").record)
    assert {"1,024", "4,704", "inputs, channel by channel", "outputs, map by map"} <= set(texts(scene))
    assert faults(scene).clean
    picture = next(item for item in scene.items if isinstance(item, Picture))
    assert (picture.raster.width, picture.raster.height) == (113, 520)  # 1,024 by 4,704, reduced alike
    # the first pixel's rows are outputs (0, 0) to (0, 9): they read inputs 0 to 4·32 + 13 = 141 of 1,024
    dark = [column for column in range(113) if picture.raster.planes[0][column] < 230]
    assert (dark[0], dark[-1]) == (0, 141 * 113 // 1024)


def test_shares_of_a_picture_add_up() -> None:
    """12×12 inputs, 10×10 outputs of a 3×3 kernel: 900 entries are not zero, one pixel each."""
    scene = matrix_scene(convcalc.matrix("12x12", kernel=3).record)
    picture = next(item for item in scene.items if isinstance(item, Picture))
    levels = picture.raster.planes[0]
    full = palette.channels(palette.colour("ramp:1"))[0]
    assert (picture.raster.width, picture.raster.height) == (144, 100)
    assert levels.count(full) == 900
    assert "0 to 100 % of the entries under a pixel are not zero" in texts(scene)


def test_in_a_browser(browser, tmp_path: Path) -> None:
    view = convcalc.matrix("4x4", kernel=2)
    view.save(tmp_path / "m.svg")
    scene = matrix_scene(view.record)
    picture = screenshot(browser, tmp_path / "m.svg", round(scene.width), round(scene.height))
    for item in shades(scene)[::5]:
        point = round(item.left + 3), round(item.top + 3)
        assert near(picture.getpixel(point), palette.colour(item.fill or ""))
