"""Widths of text beside those of a font, and texts that are cut."""

from __future__ import annotations

import pytest
from PIL import ImageFont

from convcalc.render.drawing import lettering
from convcalc.render.drawing.scene import Text

LABELS = (
    "conv K64 F7 S2 P3", "bn · relu", "512×7×7", "maxpool F3 S2", "dense 4096", "inception3a.conv3x3_reduce",
    "96 → 256 channels", "layer4.2.downsample.0", "P(0,1)×(0,1)", "≤ 0.5 − 2³", "Convolution, \"AlexNet\"",
)  # fmt: skip
FONTS = {
    (False, False): "LiberationSans-Regular.ttf",
    (True, False): "LiberationSans-Bold.ttf",
    (False, True): "LiberationMono-Regular.ttf",
}


@pytest.fixture(params=FONTS, ids=["regular", "bold", "mono"])
def face(request):
    bold, mono = request.param
    try:  # so large that whole pixels do not matter
        font = ImageFont.truetype(FONTS[request.param], 1_000, layout_engine=ImageFont.Layout.BASIC)
    except OSError:
        pytest.skip(f"{FONTS[request.param]} is not installed")
    return font, bold, mono


def test_widths_of_characters(face) -> None:
    font, bold, mono = face
    for character in [*map(chr, range(32, 127)), *"×→←·−–—…°²³√≤≥∑βγéüñÅ"]:
        expected = font.getlength(character)
        assert lettering.width(character, 1_000, bold=bold, mono=mono) == pytest.approx(
            expected, rel=0.015
        ), character


@pytest.mark.parametrize("label", LABELS)
def test_widths_of_labels(face, label: str) -> None:
    """Without kerning, which readers of SVG may do: it takes away about 1 % more."""
    font, bold, mono = face
    expected = font.getlength(label) / 1_000 * 11
    assert lettering.width(label, 11, bold=bold, mono=mono) == pytest.approx(expected, rel=0.015)


def test_a_text_is_cut_where_it_no_longer_fits() -> None:
    """iiii… in Helvetica: 222 each, the ellipsis 1000. At size 10 in 50 px: (5000 − 1000) / 222 = 18."""
    assert lettering.cut("i" * 30, 50, 10) == "i" * 18 + "…"
    assert lettering.cut("i" * 22, 50, 10) == "i" * 22  # 48.84 px
    assert lettering.cut("i" * 10_000_000, 50, 10) == "i" * 18 + "…"
    assert lettering.cut("W" * 9, 1, 10) == "…"
    assert lettering.cut("a\nb\u202ec\x00", 100, 10) == "a b c "


@pytest.mark.parametrize("anchor", ["start", "middle", "end"])
@pytest.mark.parametrize("turned", [False, True])
def test_the_box_of_a_text(anchor, turned: bool) -> None:
    """nn is 1.112 sizes wide; it reaches 0.76 above its line and 0.22 below."""
    before = {"start": 0, "middle": 5.56, "end": 11.12}[anchor]
    if turned:
        expected = (100 - 7.6, 200 + before - 11.12, 100 + 2.2, 200 + before)
    else:
        expected = (100 - before, 200 - 7.6, 100 - before + 11.12, 200 + 2.2)
    found = lettering.box(Text(100, 200, "nn", 10, anchor=anchor, turned=turned))
    assert found == pytest.approx(expected)
    assert lettering.box(Text(0, 0, "nn", 10, fit=40))[2] == 40
