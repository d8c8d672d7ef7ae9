"""Sweeps: points equal what show counts, ranges are exact, the solution is the largest that fits."""

from __future__ import annotations

import pytest

import convcalc
from convcalc.analysis.sweep import grid, limits_of, parts, solve, spaced, swept
from convcalc.errors import UsageError

MOBILE = "torchvision/mobilenet_v2"


def test_points_are_what_show_counts() -> None:
    asked = grid(MOBILE, {"width": ("0.25", "1")}, ("160", "3x192x224"))
    found = list(swept(asked))
    assert [(point.settings["width"], point.input) for point in found] == [
        ("0.25", (3, 160, 160)), ("0.25", (3, 192, 224)), ("1", (3, 160, 160)), ("1", (3, 192, 224)),
    ]  # fmt: skip
    for point in found:
        totals = convcalc.load(MOBILE, settings=point.settings, input_shape=point.input).totals
        assert point.figures == (totals.params, totals.macs, totals.peak_activation_bytes)


def test_processes_give_the_same_points_in_the_same_order() -> None:
    asked = grid("lenet5", {"classes": tuple(map(str, range(2, 40)))}, ("32", "36", "wrong"))
    assert len(asked.points) == 114
    assert list(swept(asked, processes=3)) == list(swept(asked, processes=1))


def test_a_point_that_is_an_error_has_its_reason() -> None:
    good, bad = swept(grid("lenet5", {}, ("32", "4")))
    assert good.figures is not None
    assert bad.figures is None
    assert "conv1" in str(bad.error)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("width=0.1..0.5:0.1", ("0.1", "0.2", "0.3", "0.4", "0.5")),  # exact decimals, no 0.30000000000000004
        ("width=0.5..1.6:0.5", ("0.5", "1", "1.5")),
        ("n=3..6", ("3", "4", "5", "6")),
        ("input = 96 .. 160 : 32", ("96", "128", "160")),
    ],
)
def test_ranges(text: str, values: tuple[str, ...]) -> None:
    assert spaced(text).values == values


@pytest.mark.parametrize(
    "text", ["", "width", "width=1", "width=2..1", "width=1..2:0", "width=1..2:-1", "width=a..b", "=1..2",
             "width=1..inf", "width=nan..2", "width=0..1:1e-9", "width=1..2..3"],
)  # fmt: skip
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(UsageError):
        spaced(text)


def test_commas_inside_brackets_do_not_separate() -> None:
    assert parts("[1, 2],3,(4,5)") == ("[1, 2]", "3", "(4,5)")
    with pytest.raises(UsageError, match="a value is empty"):
        parts("1,,2")


def test_the_solution_is_the_largest_that_fits() -> None:
    """Figures of MobileNet-V2 grow with its width, if not at every step: each value is tried."""
    points, solution = solve(MOBILE, spaced("width=0.5..1.2:0.05"), limits_of([("macs", 300_000_000)]), {})
    fitting = [p for p in points if p.figures is not None and p.figures.macs <= 300_000_000]
    assert solution.value == max(fitting, key=lambda point: float(point.settings["width"])).settings["width"]
    assert solution.figures is not None
    assert solution.figures.macs <= 300_000_000
    _, none = solve(MOBILE, spaced("width=0.5..1"), limits_of([("params", 10)]), {})
    assert none.value is None


def test_more_points_than_a_sweep_takes_are_refused() -> None:
    values = tuple(map(str, range(2000)))
    with pytest.raises(UsageError, match="4,000,000 points"):
        grid("lenet5", {"a": values, "b": values}, ())
