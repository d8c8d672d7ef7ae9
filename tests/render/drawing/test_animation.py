"""Animations: frame by frame, as GIF, as SVG that moves and stands still, and as a strip."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from convcalc.render.drawing import files, gif, moving
from convcalc.render.drawing.animation import Animation, Timed, chosen, columns_of, durations, strip
from convcalc.render.drawing.scene import Rectangle, Scene, Text
from tests.render.drawing.scenes import near

LAMP, UP, DOWN = (40, 30), (150, 35), (150, 85)  # places in the page
# A lamp that burns in the second frame, over its frame; a square that rises for good in the third.
LAMPS = Animation(
    200,
    120,
    "Lamps",
    "A lamp and a square",
    (
        Timed(Rectangle(20, 10, 40, 40, "frame"), 0, 2, "lamp"),
        Timed(Text(100, 16, "every frame", 10), 0, 2),
        Timed(Rectangle(20, 10, 40, 40, "accent"), 1, 1, "lamp", 1),
        Timed(Rectangle(130, 65, 40, 40, "conv"), 0, 1),
        Timed(Rectangle(130, 20, 40, 30, "conv"), 2, 2),
    ),
    (1.2, 0.6, 3.0),
)
COLOURS = {  # by frame, at LAMP, UP and DOWN: frame, accent, conv and paper of the palette in light
    0: ("#f3f5f8", "#ffffff", "#2166ac"),
    1: ("#ffd400", "#ffffff", "#2166ac"),
    2: ("#f3f5f8", "#2166ac", "#ffffff"),
}


def test_a_frame_holds_what_is_seen_in_it() -> None:
    assert [len(LAMPS.frame(number).items) for number in range(3)] == [3, 3, 3]
    lamp = LAMPS.frame(1).items[1]
    assert isinstance(lamp, Rectangle)
    assert lamp.fill == "accent"  # what it covers is not painted


def test_gif_frame_by_frame() -> None:
    data = gif.document(LAMPS)
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.n_frames, image.size) == ("GIF", 3, (400, 240))
        assert image.info["loop"] == 0  # for ever
        for number, colours in COLOURS.items():
            image.seek(number)
            frame = image.convert("RGB")
            for (x, y), colour in zip((LAMP, UP, DOWN), colours, strict=True):
                assert near(frame.getpixel((2 * x, 2 * y)), colour), (number, x, y)
            assert image.info["duration"] == [1200, 600, 3000][number]


def test_gif_frames_are_as_if_painted_whole() -> None:
    """Frames are stored as changes: each shows what an animation of this frame alone shows, but for rounding."""
    with Image.open(io.BytesIO(gif.document(LAMPS))) as image:
        for number in range(3):
            image.seek(number)
            alone = LAMPS._replace(
                items=tuple(Timed(item, 0, 0) for item in LAMPS.frame(number).items), seconds=(1.0,)
            )
            with Image.open(io.BytesIO(gif.document(alone))) as whole:
                pair = image.convert("RGB").tobytes(), whole.convert("RGB").tobytes()
                assert max(abs(a - b) for a, b in zip(*pair, strict=True)) <= 48


def test_gif_tells_its_progress() -> None:
    told: list[tuple[int, int]] = []
    gif.document(LAMPS, lambda done, of: told.append((done, of)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_svg_writes_each_item_once() -> None:
    root = ElementTree.fromstring(moving.document(LAMPS))
    space = "{http://www.w3.org/2000/svg}"
    fills = [element.get("fill") for element in root.iter(f"{space}rect")]
    assert sorted(fills) == sorted(["#ffffff", "#f3f5f8", "#ffd400", "#2166ac", "#2166ac"])
    assert [element.text for element in root.iter(f"{space}text")] == ["every frame"]
    style = root.findtext(f"{space}style")
    assert style is not None
    assert "@keyframes f1-1{0%{visibility:hidden}25%{visibility:visible}37.5%,to{visibility:hidden}}" in style
    assert "@keyframes f0-1{0%{visibility:visible}37.5%,to{visibility:hidden}}" in style
    assert "4.8s step-end infinite" in style


@pytest.mark.parametrize(("at", "number"), [(600, 0), (1500, 1), (2400, 2), (4700, 2), (5400, 0)])
def test_svg_moves_in_a_browser(browser, tmp_path: Path, at: int, number: int) -> None:
    """at: milliseconds; after 4.8 seconds it begins again."""
    path = tmp_path / "lamps.svg"
    path.write_text(moving.document(LAMPS), encoding="utf-8")
    page = browser.open(path, width=200, height=120)
    page.evaluate(f"document.getAnimations().forEach(each => {{ each.pause(); each.currentTime = {at} }}), 0")
    picture = page.screenshot()
    assert page.errors == []
    page.close()
    for point, colour in zip((LAMP, UP, DOWN), COLOURS[number], strict=True):
        assert near(picture.getpixel(point), colour), point


def test_svg_stands_still_for_who_wants_no_motion(browser, tmp_path: Path) -> None:
    """All three frames, side by side: two columns and two rows of 0.48 the size."""
    path = tmp_path / "lamps.svg"
    path.write_text(moving.document(LAMPS), encoding="utf-8")
    page = browser.open(path, width=200, height=120)
    page.emulate(reduced_motion=True)
    assert page.evaluate("document.getAnimations().length") == 0
    picture = page.screenshot()
    page.close()
    scale = min(200 / 418, 120 / 258)
    for number, (right, down) in enumerate([(0, 0), (218, 0), (0, 138)]):
        for (x, y), colour in zip((LAMP, UP, DOWN), COLOURS[number], strict=True):
            point = (round((right + x) * scale), round((down + y) * scale))
            assert near(picture.getpixel(point), colour), (number, point)


def test_strip() -> None:
    found = strip(LAMPS)
    assert (found.width, found.height) == (2 * 200 + 18, 2 * 120 + 18)
    lamps = [
        item
        for item in found.items
        if isinstance(item, Rectangle) and (item.width, item.height) == (40, 40) and item.fill != "conv"
    ]
    assert [(item.left, item.top, item.fill) for item in lamps] == [
        (20, 10, "frame"),
        (238, 10, "accent"),
        (20, 148, "frame"),
    ]


def test_a_strip_has_the_common_title_once() -> None:
    titled = LAMPS._replace(head=18.0)
    found = strip(titled)
    assert [item.text for item in found.items if isinstance(item, Text)] == ["every frame"]
    assert found.height == 18 + 2 * (102 + 18) - 18


@pytest.mark.parametrize("suffix", [".gif", ".svg", ".png", ".pdf"])
def test_by_suffix(suffix: str) -> None:
    data = files.encoded_animation(LAMPS, suffix)
    assert data.startswith({".gif": b"GIF89a", ".svg": b"<svg", ".png": b"\x89PNG", ".pdf": b"%PDF"}[suffix])


def test_times() -> None:
    assert durations(3) == (1.2, 1.2, 3.0)
    assert durations(40)[:1] == (0.6,)
    assert durations(2, 5.0) == (5.0, 5.0)
    assert durations(2, 0.0) == (0.05, 3.0)
    assert durations(1) == (3.0,)


def test_chosen_frames_end_with_the_last() -> None:
    assert chosen(5, 36) == [0, 1, 2, 3, 4]
    assert chosen(10, 4) == [0, 3, 6, 9]
    assert chosen(100, 36)[-1] == 99
    assert len(chosen(100, 36)) <= 36


def test_columns() -> None:
    assert columns_of(1, 100, 100) == 1
    assert columns_of(6, 100, 100) == 3
    assert columns_of(4, 400, 50) == 1  # wide frames stand one below the other


def test_an_empty_scene_stays_one() -> None:
    still = Animation(40, 30, "", "", (), (1.0,))
    assert still.frame(0) == Scene(40, 30, "", "", ())
