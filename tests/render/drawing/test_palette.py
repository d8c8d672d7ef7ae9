"""The colours can be read: in light and dark, in grey, and by the colour-blind. All formulas are written out here."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest

from convcalc.render.drawing import palette
from convcalc.render.drawing.palette import FILLS, PAPER, RAMP, SHADES, colour, on

Triple = tuple[float, float, float]
Matrix = tuple[Triple, Triple, Triple]

# Machado, Oliveira & Fernandes 2009, "A physiologically-based model for simulation of color vision deficiency",
# table 1, severity 1.0: what the colour-blind see, as matrices of linear red, green and blue.
VISIONS: dict[str, Matrix] = {
    "usual": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
# Linear sRGB to XYZ (IEC 61966-2-1), and the white of D65.
XYZ: Matrix = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
WHITE: Triple = (0.9505, 1.0, 1.089)


def linear(text: str) -> Triple:
    """`#rrggbb` as linear levels, 0 to 1 (IEC 61966-2-1)."""
    levels = [int(text[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in levels]
    return red, green, blue


def times(matrix: Matrix, vector: Triple) -> Triple:
    a, b, c = [sum(factor * value for factor, value in zip(row, vector, strict=True)) for row in matrix]
    return a, b, c


def contrast(first: str, second: str) -> float:
    """WCAG 2.2: (lighter + 0.05) / (darker + 0.05), of relative luminances."""
    low, high = sorted(times(XYZ, linear(text))[1] for text in (first, second))
    return (high + 0.05) / (low + 0.05)


def lab(text: str, vision: str = "usual") -> Triple:
    """CIE 1976 L*a*b* of a colour as it is seen (CIE 15:2004)."""
    red, green, blue = [min(1.0, max(0.0, level)) for level in times(VISIONS[vision], linear(text))]
    x, y, z = [
        share ** (1 / 3) if share > (6 / 29) ** 3 else share / (3 * (6 / 29) ** 2) + 4 / 29
        for share in [
            value / white for value, white in zip(times(XYZ, (red, green, blue)), WHITE, strict=True)
        ]
    ]
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def difference(first: str, second: str, vision: str = "usual") -> float:
    """ΔE*ab of 1976: the distance in L*a*b*; about 2.3 can just be seen."""
    pairs = zip(lab(first, vision), lab(second, vision), strict=True)
    return float(sum((a - b) ** 2 for a, b in pairs) ** 0.5)


def test_the_formulas() -> None:
    """White, black, and red by hand: L* of Y 0.2126 is 116·0.5968 − 16 = 53.2. To someone who lacks red or green it
    is a dark yellow: a* near 0."""
    assert lab("#ffffff") == pytest.approx((100, 0, 0), abs=0.1)
    assert lab("#000000") == pytest.approx((0, 0, 0), abs=0.01)
    assert lab("#ff0000") == pytest.approx((53.2, 80.1, 67.2), abs=0.2)
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#ffffff", "#777777") == pytest.approx(4.48, abs=0.01)  # the grey that just fails
    assert abs(lab("#ff0000", "deuteranopia")[1]) < 15
    for matrix in VISIONS.values():
        for row in matrix:
            assert sum(row) == pytest.approx(1, abs=1e-5)  # grey stays grey


DIFFERENT = ["added", "removed", "changed", "same"]
FILLED = [
    *FILLS, *[f"{fill}:{shade}" for fill in FILLS for shade in SHADES], *DIFFERENT,
    *[f"ramp:{place / 200}" for place in range(201)],
]  # fmt: skip


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_stands_out_from_what_it_is_on(dark: bool) -> None:
    for fill in FILLED:
        assert contrast(colour(on(fill), dark), colour(fill, dark)) >= 4.5, fill
        assert colour(fill, dark) == colour(fill), "a fill is the same in light and dark, and so is its text"
    for ink in ("ink", "muted"):
        for ground in ("paper", "frame"):
            assert contrast(colour(ink, dark), colour(ground, dark)) >= 4.5, (ink, ground)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_lines_stand_out_from_what_they_are_on(dark: bool) -> None:
    """A grid may be pale. The accent is a bright line on a dark one: one of the two is seen on anything."""
    for line in ("line", "frame-line", "point", "muted", "added", "removed"):
        for ground in ("paper",) if line in DIFFERENT else ("paper", "frame"):
            assert contrast(colour(line, dark), colour(ground, dark)) >= 3, (line, ground)
    for fill in [*FILLED, "paper", "frame"]:
        seen = [contrast(colour(line, dark), colour(fill, dark)) for line in ("accent", "accent-dark")]
        assert max(seen) >= 3, fill
    assert contrast(colour("accent"), colour("accent-dark")) >= 7


KINDS = [name for name in FILLS if name != "input"]
# Fills less than 6 L* apart, which grey print shows alike: shape and word tell them.
ALIKE_IN_GREY = {
    ("attention", "conv"),  # boxes with their words
    ("deconv", "pool"),
    ("join", "block"),  # joins are round
    ("norm", "other"),
    ("other", "activation"),
}


def test_kinds_in_grey() -> None:
    close = {
        (first, second)
        for first, second in combinations(KINDS, 2)
        if abs(lab(FILLS[first])[0] - lab(FILLS[second])[0]) < 6
    }
    assert close <= ALIKE_IN_GREY
    lightness = {kind: lab(FILLS[kind])[0] for kind in KINDS}
    assert lightness["pool"] - lightness["conv"] >= 20  # what volumes are read by
    assert lightness["conv"] - lightness["dense"] >= 14


@pytest.mark.parametrize("vision", VISIONS)
def test_kinds_to_the_colour_blind(vision: str) -> None:
    """Nobody takes one kind for another: the closest are other and activation to those who lack blue, both pale; and
    those less than 16 apart are told by their lightness or shape."""
    close = {
        pair: difference(FILLS[pair[0]], FILLS[pair[1]], vision)
        for pair in combinations(KINDS, 2)
        if difference(FILLS[pair[0]], FILLS[pair[1]], vision) < 16
    }
    known = {
        "usual": set(),
        "protanopia": set(),
        "deuteranopia": {("dense", "conv")},
        "tritanopia": {("pool", "join"), ("norm", "activation"), ("other", "activation")},
    }
    assert set(close) <= known[vision]
    assert min(close.values(), default=99) >= 10


@pytest.mark.parametrize("vision", VISIONS)
def test_differences_between_networks_to_the_colour_blind(vision: str) -> None:
    for first, second in combinations(DIFFERENT, 2):
        assert difference(colour(first), colour(second), vision) >= 15, (first, second)


@pytest.mark.parametrize("vision", VISIONS)
def test_the_scale_of_numbers_grows_darker_evenly(vision: str) -> None:
    lightness = [lab(step, vision)[0] for step in RAMP]
    assert all(7 <= a - b <= 21 for a, b in pairwise(lightness))
    fine = [lab(colour(f"ramp:{place / 50}"), vision)[0] for place in range(51)]
    assert fine == sorted(fine, reverse=True)


def test_roles() -> None:
    assert colour("#123456") == colour("#123456", dark=True) == "#123456"
    assert (colour("ramp:0"), colour("ramp:1"), colour("ramp:0.2"), colour("ramp:7")) == (
        RAMP[0], RAMP[5], RAMP[1], RAMP[5],
    )  # fmt: skip
    assert colour("conv:front") == "#1c5894"  # 33·0.86 = 28.4, 102·0.86 = 87.7, 172·0.86 = 147.9
    with pytest.raises(KeyError):
        colour("no-such-role")
    assert {role for role in PAPER if palette.changes(role)} == {
        *("paper", "ink", "muted", "line", "frame", "padding", "frame-line", "grid", "point"),
    }
