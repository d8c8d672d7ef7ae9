"""The pictures of feature maps in a page: what their pixels are, and how large they may become."""

from __future__ import annotations

import base64
import io
from array import array
from math import nan
from pathlib import Path

from PIL import Image

import convcalc as package
from convcalc.analysis.boxes import boxes
from convcalc.inference.runner import forward
from convcalc.ops import Tensor
from convcalc.page.maps import MAX_BYTES, Maps, sheet

DIGIT = Path(__file__).parent.parent / "data" / "digits" / "7_0.png"


def test_maps_stand_in_rows_light_where_they_are_high() -> None:
    """Two maps of 2×3, from −1 to 4: (value + 1) · 51 is the level, and a column of white is between them."""
    values = array("f", [-1, 0, 1, 2, 3, 4, 4, 3, 2, 1, 0, -1])
    picture, (width, height), text = sheet(Tensor((2, 2, 3), values), 10_000)
    assert (picture.size, width, height) == ((7, 2), 103, 29)  # a map's longer side on the screen is 44
    assert list(picture.tobytes()) == [0, 51, 102, 255, 255, 204, 153, 153, 204, 255, 255, 102, 51, 0]
    assert text == "2 maps of 2×3, from −1 (dark) to 4"


def test_more_than_sixteen_maps_are_said_to_be_more() -> None:
    picture, _, text = sheet(Tensor((40, 1, 2), array("f", range(80))), 10_000)
    assert picture.size == (8 * 3 - 1, 2 * 2 - 1)
    assert text == "16 of 40 maps of 1×2, from 0 (dark) to 31"


def test_a_large_map_becomes_smaller_by_means() -> None:
    """128×128 in a room of 64×64 bytes: each pixel is the mean of 2×2."""
    rows = [float(level) for row in range(128) for level in ((0, 100) * 64 if row % 2 else (0, 0) * 64)]
    picture, _, _ = sheet(Tensor((1, 128, 128), array("f", rows)), 64 * 64)
    assert picture.size == (64, 64)
    assert set(picture.tobytes()) == {63}  # 255/4, cut


def test_a_vector_is_bars_about_nought() -> None:
    picture, shown, text = sheet(Tensor((3,), array("f", [1, -1, 0.5])), 10_000)
    column = [picture.getpixel((5, y)) for y in (0, 29, 31, 59)]
    assert column == [64, 64, 255, 255]
    assert [picture.getpixel((106 + 5, y)) for y in (0, 28, 31, 59)] == [255, 255, 64, 64]
    assert shown == picture.size == (318, 60)
    assert text == "3 numbers as bars, from −1 to 1"


def test_what_is_not_a_number_does_no_harm() -> None:
    picture, _, text = sheet(Tensor((1, 2, 2), array("f", [nan, 0, 2, float("inf")])), 10_000)
    assert list(picture.tobytes()) == [0, 0, 255, 255]
    assert "from 0 (dark) to 2" in text


def test_three_axes_show_the_middle_of_the_first() -> None:
    picture, _, text = sheet(Tensor((1, 3, 1, 2), array("f", [9, 9, 0, 4, 9, 9])), 10_000)
    assert list(picture.tobytes()) == [0, 255]
    assert text.startswith("1 map of 3×1×2")


def test_every_box_has_its_maps_and_all_stay_within_their_room() -> None:
    """LeNet-5's boxes: a convolution and its tanh are one, and show what tanh gives."""
    graph = package.load("lenet5").graph
    drawn = boxes(package.load("lenet5").record)
    maps = Maps(graph, drawn)
    forward(graph, str(DIGIT), keep=tuple(maps.layers), take=lambda _, *given: maps.take(*given))
    assert set(maps.sheets) == {layer for box in drawn.boxes for layer in box.layers}
    assert maps.sheets[0] == 1
    size = 0
    for found in maps.sheets.values():
        for source, width, height, _ in found if isinstance(found, list) else ():
            data = base64.b64decode(source.partition(",")[2])
            size += len(data)
            with Image.open(io.BytesIO(data)) as picture:
                assert (picture.mode, width > 0, height > 0) == ("L", True, True)
    assert 0 < size <= MAX_BYTES
