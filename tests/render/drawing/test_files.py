"""A scene to a file of each suffix, and what is refused."""

from __future__ import annotations

import pytest

from convcalc.errors import UsageError
from convcalc.render.drawing import files
from convcalc.render.drawing.scene import Rectangle, Scene
from tests.render.drawing.scenes import EVERY

BEGINNINGS = {".svg": b"<svg ", ".png": b"\x89PNG", ".pdf": b"%PDF-1.", ".tex": b"% Every primitive"}


@pytest.mark.parametrize("suffix", files.SUFFIXES)
def test_each_suffix(suffix: str) -> None:
    assert files.encoded(EVERY, suffix).startswith(BEGINNINGS[suffix])
    if suffix != ".svg":
        assert files.encoded(EVERY, suffix, 100) != files.encoded(EVERY, suffix, 120)


def test_a_path_says_how() -> None:
    assert files.suffix_of("a.b/Figure.PDF") == ".pdf"
    with pytest.raises(
        UsageError, match=r"^-o net.jpg: a drawing is written as .svg, .png, .pdf or .tex; not as .jpg"
    ):
        files.suffix_of("net.jpg")
    with pytest.raises(UsageError, match="the name has no suffix"):
        files.suffix_of("net")
    with pytest.raises(UsageError, match=r"written as .gif or .svg; not as .pdf"):
        files.suffix_of("steps.pdf", (".gif", ".svg"))
    with pytest.raises(UsageError, match=r"not as \.bmp"):
        files.encoded(EVERY, ".bmp")


def test_an_svg_has_no_width() -> None:
    with pytest.raises(UsageError, match="no width"):
        files.encoded(EVERY, ".svg", 300)


@pytest.mark.parametrize(
    ("width", "height", "pixels"),
    [(400, 300, 800), (1_000, 500, 1_600), (1_870, 790, 1_870), (300, 9_300, 600), (100, 1_000_000, 63)],
)
def test_the_width_of_a_png_that_is_not_told_one(width: int, height: int, pixels: int) -> None:
    """63·630,000 is just under 40 million."""
    scene = Scene(width, height, "t", "d", (Rectangle(1, 1, 5, 5, "conv"),))
    assert files.default_pixels(scene, 40_000_000) == pixels
