"""`size -o`: windows on axes and on small maps, still and moving."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

import convcalc
from convcalc.errors import UsageError
from convcalc.render.drawing import cells, palette
from convcalc.render.drawing.axis import MISSED
from convcalc.render.drawing.measure import faults
from convcalc.render.drawing.scene import Rectangle, Scene, Text
from convcalc.report.size_figure import size_animation, size_scene
from tests.browser import screenshot
from tests.render.drawing.scenes import near

CASES = {
    "padded": {"input": 8, "kernel": 3, "stride": 2, "padding": "1+0"},
    "long": {"input": "227x227x3", "kernel": 11, "stride": 4, "filters": 96},
    "map": {"input": "6x7", "kernel": 3, "stride": 2},
    "padded map": {"input": "5x6", "kernel": 3, "padding": "1x0+2", "stride": 2},
    "large kernel": {"input": 224, "kernel": 31, "stride": 2, "padding": 3},
    "transposed": {"input": 4, "kernel": 4, "stride": 2, "padding": 1, "transposed": True},
    "transposed map": {
        "input": "3x4", "kernel": 3, "stride": 2, "padding": 1, "transposed": True, "output_padding": 1,
    },
    "transposed gaps": {"input": 3, "kernel": 2, "stride": 3, "transposed": True, "output_padding": 1},
    "dilated": {"input": 11, "kernel": 3, "dilation": 3, "stride": 2},
    "dilated map": {"input": "9x8", "kernel": 2, "dilation": "3x2"},
    "rounded up": {"input": "32x30", "kernel": "3x5", "stride": "2x3", "rounding": "ceil"},
    "volume": {"input": "9x8x7x3", "kernel": 3, "stride": 2},
    "huge": {"input": 5000, "kernel": 7, "stride": 2, "padding": 3},
    "wide stride": {"input": 9, "kernel": 2, "stride": 4},
    "far steps": {"input": 4000, "kernel": 3, "stride": 900},
    "most": {"input": 100000, "kernel": 1},
}  # fmt: skip


def record(name: str):
    return convcalc.size(**CASES[name]).record


def texts(scene: Scene) -> list[str]:
    return [item.text for item in scene.items if isinstance(item, Text)]


def filled(scene: Scene, role: str) -> list[Rectangle]:
    return [item for item in scene.items if isinstance(item, Rectangle) and item.fill == role]


@pytest.mark.parametrize("name", CASES)
def test_nothing_overlaps_or_leaves_the_page(name: str) -> None:
    assert faults(size_scene(record(name))).clean
    animation = size_animation(record(name))
    assert 1 <= len(animation.seconds) <= 180
    for number in range(0, len(animation.seconds), 7):
        assert faults(animation.frame(number)).clean, number


def test_cells_have_the_numbers_of_their_pixels_and_padding_has_none() -> None:
    """8 pixels and one of padding before them; ⌊(9 − 3)/2⌋ + 1 = 4 windows."""
    numbers = [text for text in texts(size_scene(record("padded"))) if text.isdecimal()]
    assert numbers == [*map(str, range(8)), *map(str, range(4))]


@pytest.mark.parametrize("name", CASES)
def test_rectangles_stay_on_the_page(name: str) -> None:
    for scene in (size_scene(record(name)), size_animation(record(name)).frame(0)):
        for item in scene.items:
            if isinstance(item, Rectangle):
                assert item.left >= 0
                assert item.left + item.width <= scene.width
                assert item.top + item.height <= scene.height


def test_windows_padding_and_formula() -> None:
    """8 pixels and one of padding before; windows of 3, 2 apart: at −1, 1, 3 and 5."""
    scene = size_scene(record("padded"))
    assert {"window 1", "window 4", "W2 = ⌊(W1 − F + P + P′)/S⌋ + 1", "(8 − 3 + 1 + 0)/2 + 1 = 4"} <= set(
        texts(scene)
    )
    pixels = filled(scene, "paper")
    assert len(pixels) == 8
    assert len(filled(scene, "padding")) == 1
    assert len(filled(scene, cells.DONE)) == 4
    side = pixels[0].width
    windows = filled(scene, cells.WINDOW)
    starts = sorted({round((item.left - pixels[0].left) / side) for item in windows})
    assert starts == list(range(-1, 8))
    rows = sorted({item.top for item in windows})
    firsts = [min(item.left for item in windows if item.top == row) for row in rows]
    assert [round((first - pixels[0].left) / side) for first in firsts] == [-1, 1, 3, 5]


def test_what_is_never_covered_is_marked() -> None:
    """Windows of 2, 4 apart, on 9 pixels: at 0 and 4; pixels 2, 3, 6, 7 and 8 are read by none."""
    scene = size_scene(record("wide stride"))
    missed = filled(scene, MISSED)
    pixels = filled(scene, "paper")
    side = pixels[0].width
    assert [round((item.left - pixels[0].left) / side) for item in missed] == [2, 3, 6, 7, 8]
    assert "never covered" in texts(scene)
    assert "remainder: 7 = 1·4 + 3: the last 3 pixels make no whole step" in texts(scene)
    # of a 6×7 map with windows of 3, 2 apart, the last row of 7
    last = filled(size_scene(record("map")), MISSED)
    assert len(last) == 7
    assert len({item.top for item in last}) == 1


def test_a_long_axis_is_cut_and_its_sizes_are_channels_first() -> None:
    scene = size_scene(record("long"))
    assert "size 3×227×227 → 96×55×55" in texts(scene)
    assert {"50 more", "window 55", "226", "(227 − 11 + 2·0)/4 + 1 = 55"} <= set(texts(scene))
    assert "height and width" in texts(scene)


def test_transposed_axes_show_what_each_pixel_writes() -> None:
    """4 pixels, kernels of 4, 2 apart: 10 places, of which one at either end is cropped."""
    scene = size_scene(record("transposed"))
    assert {"output", "input", "pixel 4", "6 + 4 − 2·1 = 8"} <= set(texts(scene))
    assert len(filled(scene, "padding")) == 2
    # zeros are written nowhere between kernels of 2 that are 3 apart, nor in the pixel that output padding adds
    scene = size_scene(record("transposed gaps"))
    pixels = filled(scene, "paper")
    side = pixels[0].width
    assert [round((item.left - pixels[0].left) / side) for item in filled(scene, MISSED)] == [2, 5, 8]


def test_frames_move_the_window() -> None:
    animation = size_animation(record("padded"))
    assert len(animation.seconds) == 4
    for number, (low, high) in enumerate([(-1, 1), (1, 3), (3, 5), (5, 7)]):
        scene = animation.frame(number)
        said = f"window {number + 1} of 4: pixels {low} to {high}".replace("-", "−")
        assert any(text.startswith(said) for text in texts(scene))
        assert len(filled(scene, cells.WINDOW)) == 3
        assert len(filled(scene, cells.DONE)) == number
        assert len(filled(scene, cells.RESULT)) == 1
    assert any("in part padding" in text for text in texts(animation.frame(0)))


def test_frames_of_a_map_go_row_by_row() -> None:
    animation = size_animation(record("padded map"))
    scene = animation.frame(1)
    # 5×6, padding 1 before and after the rows, 0 and 2 at the columns: 3×3 positions; rows −1 to 1, columns 2 to 4
    assert len(animation.seconds) == 9
    assert {"window 2 of 9", "rows −1 to 1, columns 2 to 4"} <= set(texts(scene))
    assert len(filled(scene, cells.WINDOW)) == 9


def test_files(convcalc, tmp_path: Path) -> None:
    for suffix in (".svg", ".png", ".pdf", ".tex", ".gif"):
        done = convcalc("size", "8", "-F", "3", "-S", "2", "-P", "1+0", "-o", str(tmp_path / f"a{suffix}"))
        assert (done.returncode, done.stderr.startswith("wrote ")) == (0, True)
    with Image.open(tmp_path / "a.gif") as image:
        assert image.n_frames == 4
        image.seek(2)
        scene = size_animation(record("padded")).frame(2)
        scale = image.width / scene.width
        frame = image.convert("RGB")
        for role in (cells.WINDOW, cells.RESULT, cells.DONE):
            for item in filled(scene, role):
                point = round((item.left + 4) * scale), round((item.top + 4) * scale)
                assert near(frame.getpixel(point), palette.colour(role)), role


def test_in_a_browser(browser, tmp_path: Path) -> None:
    path = tmp_path / "size.svg"
    convcalc.size(**CASES["padded"]).save(path)
    scene = size_scene(record("padded"))
    picture = screenshot(browser, path, round(scene.width), round(scene.height), dark=True)
    assert near(picture.getpixel((2, 2)), "#14171c")
    for item in filled(scene, cells.WINDOW):
        assert near(picture.getpixel((round(item.left + 4), round(item.top + 4))), "#ffd400")


def test_what_is_refused(convcalc, tmp_path: Path) -> None:
    done = convcalc("size", "7", "-F", "3", "-o", "7")
    assert (done.returncode, done.stdout) == (2, "")
    assert "a drawing is written as .svg, .png, .pdf, .tex or .gif" in done.stderr
    done = convcalc("size", "7", "-F", "3", "--output", "7", "-o", str(tmp_path / "a.svg"))
    assert done.returncode == 2
    assert "a figure is of one size, not of the solutions for one" in done.stderr
    done = convcalc("size", "7", "-F", "3", "--output", "a.svg")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--output is the wanted size; -o a.svg draws the layer" in done.stderr


def test_python_says_the_same() -> None:
    with pytest.raises(UsageError, match="written as"):
        convcalc.size(7, kernel=3).save("size.txt")
