"""Scenes as PNG, opened by Pillow."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from convcalc.errors import UsageError
from convcalc.render.drawing import lettering, png
from convcalc.render.drawing.scene import Picture, Rectangle, Scene, Text
from tests.render.drawing.scenes import BARE, EVERY, HOSTILE, PIXELS, POINTS, near


def opened(scene: Scene, width: int) -> Image.Image:
    return Image.open(io.BytesIO(png.image(scene, width)))


@pytest.fixture
def fonts(monkeypatch):
    """Set with other fonts: a name of a file for every face; an empty name leaves Pillow's own."""

    def choose(name: str) -> None:
        monkeypatch.setattr(png, "_NAMES", dict.fromkeys(png._NAMES, name or "none.ttf"))
        png._fonts.cache_clear()

    yield choose
    png._fonts.cache_clear()


@pytest.mark.parametrize("width", [400, 1000])
def test_colours_at_known_places(width: int) -> None:
    picture = opened(EVERY, width)
    assert (picture.size, picture.mode, picture.info["Title"]) == (
        (width, width * 3 // 4),
        "RGB",
        "Every primitive",
    )
    scale = width / 400
    for (x, y), colour, _ in POINTS:
        if y != 20 or scale > 2:  # the outline's middle row is mixed at the natural size
            assert near(picture.getpixel((int((x + 0.3) * scale), int(y * scale))), colour, 6), (x, y)
    for x, y in BARE:
        assert picture.getpixel((int(x * scale), int(y * scale))) == (255, 255, 255)


def test_bands_make_one_picture(monkeypatch) -> None:
    whole = png.image(EVERY, 600)
    monkeypatch.setattr(png, "BAND", 600 * 9 * 37)  # 37 rows each
    assert list(Image.open(io.BytesIO(png.image(EVERY, 600))).tobytes()) == list(
        Image.open(io.BytesIO(whole)).tobytes()
    )


def test_pixels_of_a_picture_stay_sharp() -> None:
    picture = opened(Scene(30, 20, "t", "d", (Picture(0, 0, 30, 20, PIXELS),)), 300)
    colours = {picture.getpixel((x, 50)) for x in range(300)}
    assert colours == {(255, 0, 0), (0, 255, 0), (0, 0, 255)}
    assert [picture.getpixel((x, 50)) for x in (99, 100, 199, 200)] == [
        (255, 0, 0),
        (0, 255, 0),
        (0, 255, 0),
        (0, 0, 255),
    ]


def inked(picture: Image.Image) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is not white."""
    box = Image.eval(picture.convert("L"), lambda level: 255 * (level < 128)).getbbox()
    assert box is not None
    return box


@pytest.mark.parametrize("font", ["", "DejaVuSans.ttf", "LiberationSans-Regular.ttf"])
def test_text_is_as_wide_as_it_was_laid_out(fonts, font: str) -> None:
    fonts(font)
    text = "HNH 64×112×112 HNH"
    wide = lettering.width(text, 20)
    for turned in (False, True):
        scene = Scene(
            300, 300, "t", "d", (Text(150, 150, text, 20, anchor="middle", ink="#000000", turned=turned),)
        )
        left, top, right, bottom = inked(opened(scene, 300))
        start, end = (top, bottom) if turned else (left, right)
        assert start == pytest.approx(150 - wide / 2, abs=4)
        assert end == pytest.approx(150 + wide / 2, abs=4)
        if turned:
            assert left == pytest.approx(150 - 0.72 * 20, abs=2)
            assert right == pytest.approx(150, abs=2)
        else:
            assert top == pytest.approx(150 - 0.72 * 20, abs=2)
            assert bottom == pytest.approx(150, abs=2)


@pytest.mark.parametrize("sign", ["×", "−", "→", "←"])
def test_signs_that_pillows_own_font_lacks_are_drawn(fonts, sign: str) -> None:
    fonts("")
    assert not png._fonts(False, False)[0].has(sign)
    left, top, right, bottom = inked(opened(Scene(60, 60, "t", "d", (Text(20, 40, sign, 30),)), 60))
    advance = lettering.width(sign, 30)
    assert 20 < left < right < 20 + advance
    assert right - left > 0.5 * advance
    height = {"×": 0.41, "−": 0.08, "→": 0.26, "←": 0.26}[sign] * 30
    assert bottom - top == pytest.approx(height, abs=2.5)


def test_hostile_names_with_any_font(fonts) -> None:
    for font in ("LiberationSans-Regular.ttf", ""):
        fonts(font)
        assert opened(HOSTILE, 600).size == (600, 400)


def test_a_width_no_picture_has_is_refused() -> None:
    with pytest.raises(UsageError, match=r"100,000 pixels wide would be 75,000 high") as error:
        png.image(EVERY, 100_000)
    assert error.value.hint is not None
    assert "--width 7302" in error.value.hint  # 7302·5476 is under 40 million pixels, 7303·5477 is not
    with pytest.raises(UsageError, match="3 pixels wide"):
        png.image(EVERY, 3)


def test_a_drawing_of_many_bands() -> None:
    items = tuple([Rectangle(10, 40 * row, 50, 30, "conv") for row in range(500)])
    assert opened(Scene(80, 20_000, "t", "d", items), 200).size == (200, 50_000)
