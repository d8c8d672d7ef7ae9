"""Sheets of small pictures: the grid, the greys, and what stands where."""

from __future__ import annotations

import io
from math import inf, nan

import pytest
from PIL import Image

from convcalc.render.drawing import bars, measure, palette, sheet
from convcalc.render.drawing.sheet import Heading, Levels


@pytest.mark.parametrize(
    ("count", "width", "height", "columns", "factor"),
    [
        (96, 55, 55, 12, 2),  # AlexNet: 12·55·2 = 1,320 of 1,400
        (6, 28, 28, 3, 16),  # LeNet-5: 3·28·16 = 1,344
        (64, 11, 11, 8, 15),
        (256, 13, 13, 16, 6),
        (1, 7, 3, 1, 200),
        (512, 14, 14, 32, 3),
        (64, 224, 224, 8, 1),
    ],
)
def test_grids_are_near_four_to_three_with_full_rows(
    count: int, width: int, height: int, columns: int, factor: int
) -> None:
    form = sheet.grid(count, width, height)
    assert (form.columns, form.across, form.down, form.reduced) == (columns, factor, factor, 1)


def test_what_is_too_large_is_reduced() -> None:
    """Two by two maps of 3,000×2,600: 6,000 across, over 4,800."""
    form = sheet.grid(4, 3000, 2600)
    assert (form.columns, form.across, form.down, form.reduced) == (2, 1, 1, 2)


def test_rows_of_numbers_fill_the_height() -> None:
    assert sheet.strips(32, 700)[:4] == (1, 2, 23, 1)  # 900 // 32 = 28, of which 5 are gap
    assert sheet.strips(450, 60)[:4] == (1, 23, 2, 1)
    assert sheet.strips(5, 16_000).reduced == 4


@pytest.mark.parametrize(("columns", "values"), [(3, [-1.0, 0.0, 1.0, 0.5, -2.0, 9.0])])
def test_greys_are_in_proportion(columns: int, values: list[float]) -> None:
    grey, wrong = sheet.greys(values, columns, Levels(-1.0, 1.0))
    assert wrong is None
    assert list(grey.tobytes()) == [0, 128, 255, 191, 0, 255]  # 127.5 and 191.25 rounded; beyond the ends cut


def test_one_value_for_all_is_grey() -> None:
    grey, _ = sheet.greys([3.0, 3.0], 2, Levels(3.0, 3.0))
    assert list(grey.tobytes()) == [128, 128]


def test_what_is_no_number_is_in_colour() -> None:
    pixels = sheet.colours([sheet.greys([nan, 0.0, inf, 1.0, -inf, 0.5], 3, Levels(0.0, 1.0))])
    assert pixels.mode == "RGB"
    red = palette.channels(palette.colour(sheet.WRONG))
    assert [pixels.getpixel((place % 3, place // 3)) for place in range(6)] == [
        red, (0, 0, 0), red, (255, 255, 255), red, (128, 128, 128),
    ]  # fmt: skip


def test_slices_stand_side_by_side() -> None:
    whole = Image.frombytes("L", (2, 12), bytes(range(24)))
    pictures = list(sheet.cut(whole, 3, 2))
    assert [picture.size for picture in pictures] == [(5, 3), (5, 3)]
    assert pictures[1].getpixel((0, 0)) == (12, 12, 12)
    assert pictures[1].getpixel((3, 2)) == (22, 22, 22)
    assert pictures[1].getpixel((2, 1)) == (255, 255, 255)


def test_each_pixel_becomes_a_square_of_its_grey() -> None:
    """Five maps of 2×3: every value has a grey of its own, which no text has so often."""
    levels = [7 * place + 10 for place in range(30)]
    whole = Image.frombytes("L", (2, 15), bytes(levels))
    form = sheet.grid(5, 2, 3)
    data = sheet.draw(Heading("conv1", ("a line",), ("0", "1", "")), list(sheet.cut(whole, 3)), form)
    picture = Image.open(io.BytesIO(data))
    assert picture.info["Title"] == "conv1"
    assert picture.getpixel((1, 1)) == (255, 255, 255)
    counts = {colour: count for count, colour in picture.getcolors(1 << 24)}
    for level in levels:
        assert counts[(level,) * 3] >= form.across**2


VALUES = {
    "few": [0.5, -2.0, 1.25, 0.0, 7.0],
    "one": [3.0],
    "zeros": [0.0] * 12,
    "negative": [-1.0, -2.0, -3.0],
    "many": [(place * 37 % 101) - 50.0 for place in range(1000)],
    "not finite": [1.0, nan, -inf, 2.0],
    "tiny": [1e-12, 3e-12],
    "huge": [1e30, -3e30],
}


@pytest.mark.parametrize("name", VALUES)
def test_no_text_of_bars_lies_on_another_or_leaves_the_paper(name: str) -> None:
    values = VALUES[name]
    finite = [value for value in values if value == value and abs(value) < inf]
    low, high = min([*finite, 0.0]), max([*finite, 0.0])
    scene = bars.scene(Heading("dense1", ("dense 5", "largest")), values, low, high, marked=0)
    assert measure.faults(scene) == ([],) * 9


def test_bars_are_as_long_as_their_values() -> None:
    """7 and −2: 3.5 times as high, on both sides of the line."""
    scene = bars.scene(Heading("dense1"), [7.0, -2.0], -2.0, 7.0)
    up, down = [item for item in scene.items if type(item).__name__ == "Rectangle"]
    assert up.height == pytest.approx(3.5 * down.height)
    assert up.top + up.height == pytest.approx(down.top)


def test_numbers_over_bars_have_three_digits_of_the_largest() -> None:
    assert bars.rounded([0.98959, 0.0016]) == ["0.990", "0.002"]
    assert bars.rounded([-12.345, 3.0]) == ["−12.3", "3.0"]
    assert bars.rounded([1234.5, 0.1]) == ["1234", "0"]
    assert bars.rounded([2e-7]) == ["2e-07".replace("-", "−")]


@pytest.mark.parametrize(("gap", "framed"), [(6, True), (4, True), (2, False)])
def test_a_white_picture_has_a_frame_where_there_is_room(gap: int, framed: bool) -> None:
    white = Image.new("L", (28, 28), 255)
    form = sheet.grid(3, 28, 28)._replace(gap=gap)
    with Image.open(io.BytesIO(sheet.draw(Heading("maps"), [white] * 3, form))) as drawn:
        colours = {colour for _, colour in drawn.convert("RGB").getcolors(1 << 20)}
    frame = tuple(bytes.fromhex(palette.colour("frame-line")[1:]))
    assert (frame in colours) is framed
