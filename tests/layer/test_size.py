"""The one-layer calculator against the lecture's figures, and the inverse solver against sliding by brute force."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from convcalc.errors import UsageError
from convcalc.layer.size import cost, remainder, steps, uncovered
from convcalc.layer.solve import UNKNOWNS, answer, solve
from convcalc.layer.windows import KnownWindow, complete
from convcalc.ops._sliding import Slide
from convcalc.shapes import Axis


def positions(window: KnownWindow) -> int:
    """The number of windows, found by sliding one, never by the formula."""
    laid = window.padding if isinstance(window.padding, str) else (window.padding or (0, 0),)
    size, kernel, stride, dilation = (
        value or 1 for value in (window.input, window.kernel, window.stride, window.dilation)
    )
    return len(Slide((size,), kernel, stride, dilation, laid, window.rounding).starts[0])


def sides_of(padding: int) -> tuple[int, int]:
    """An odd sum has one more after than before."""
    return padding // 2, padding - padding // 2


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "output"),
    # AlexNet as the lecture counts it, every layer with a window
    [
        (227, 11, 4, 55),
        (55, 3, 2, 27),
        (27, 5, 1, 23),
        (23, 3, 2, 11),
        (11, 3, 1, 9),
        (9, 3, 1, 7),
        (5, 3, 2, 2),
    ],
)
def test_the_lecture_s_sizes(size: int, kernel: int, stride: int, output: int) -> None:
    assert steps(Axis(size, kernel, stride))[2].text.endswith(f" = {output}")


def test_the_three_steps() -> None:
    """Valid 7 − 3 + 1 = 5, padding makes 7, every second of them is 4 (by hand)."""
    found = steps(Axis(7, 3, 2, before=1, after=1))
    assert [(step.what, step.text) for step in found] == [
        ("kernel", "7 − 3 + 1 = 5"),
        ("padding", "7 − 3 + 2·1 + 1 = 7"),
        ("stride", "(7 − 3 + 2·1)/2 + 1 = 4"),
        ("remainder", "6 = 3·2 + 0"),
        ("never covered", "no pixel"),
    ]


def test_a_kernel_that_needs_its_padding() -> None:
    assert steps(Axis(2, 4, before=1, after=1))[0].text == "2 − 4 + 1 = −1"


def test_a_dropped_last_window_is_taken_off_the_formula() -> None:
    """Rounded up, 5/2 gives 3 and 4 windows; the fourth would start at 6, behind the one padded zero and 5 pixels."""
    stride = steps(Axis(5, 2, 2, before=1, after=1, rounding="ceil"))[2]
    assert stride.formula == "W2 = ⌈(W1 − F + 2P)/S⌉ + 1 − 1"
    assert stride.text == "⌈(5 − 2 + 2·1)/2⌉ + 1 − 1 = 3"


def evaluated(equation: str) -> int:
    """The value of a worked formula, fractions and brackets calculated by Python."""
    plain = equation.replace("−", "-").replace("·", "*").replace("/", "/Fraction(1)/")
    for sign, word in (("⌈", "ceil("), ("⌉", ")"), ("⌊", "floor("), ("⌋", ")")):
        plain = plain.replace(sign, word)
    return int(eval(plain, {"Fraction": Fraction, "ceil": ceil, "floor": floor}))


@given(
    window=st.builds(
        KnownWindow,
        input=st.integers(1, 24),
        kernel=st.integers(1, 9),
        padding=st.tuples(st.integers(0, 5), st.integers(0, 5)),
        stride=st.integers(1, 9),
        dilation=st.integers(1, 4),
        rounding=st.sampled_from(["floor", "ceil"]),
    )
)
def test_the_worked_formula_gives_the_number_of_windows(window: KnownWindow) -> None:
    """Its left side, evaluated, is the number of windows found by sliding one."""
    axis = complete(window)
    count = positions(window)
    assume(count > 0)
    left, _, right = steps(axis)[-3].text.rpartition(" = ")
    assert evaluated(left) == int(right) == count


def test_a_dilated_kernel_is_worked_first() -> None:
    found = steps(Axis(14, 3, dilation=2), "H")
    assert (found[0].formula, found[0].text) == ("F′ = D(F − 1) + 1", "2·(3 − 1) + 1 = 5")
    assert found[1] == ("kernel", "H1 − F′ + 1", "14 − 5 + 1 = 10")


@pytest.mark.parametrize(
    ("axis", "left", "missed"),
    [
        (Axis(8, 3, 2), "the last pixel makes no whole step", "the last pixel"),
        (
            Axis(9, 3, 4),
            "the last 2 pixels make no whole step",
            "the last 2 pixels and 1 pixel between windows",
        ),
        (Axis(8, 3, 2, rounding="ceil"), "one more window, standing out by 1 pixel", "no pixel"),
        (
            Axis(3, 1, 2, after=1, rounding="ceil"),
            "one more window would start in the padding, so it is dropped",
            "1 pixel between windows",
        ),
    ],
)
def test_what_is_left_over(axis: Axis, left: str, missed: str) -> None:
    rest, _, text = remainder(axis).partition(": ")
    assert rest == f"{axis.span} = {axis.span // axis.stride}·{axis.stride} + {axis.remainder}"
    assert (text, uncovered(axis)) == (left, missed)


def test_what_a_convolution_costs() -> None:
    """The lecture's AlexNet conv1: (11·11·3)·96 = 34,848 weights, each used at 55×55 positions."""
    counts = cost([Axis(227, 11, 4)] * 2, 3, 96)
    assert (counts.weights, counts.biases, counts.macs) == (34_848, 96, 34_848 * 55 * 55)


def values(unknown: str, output: int, known: KnownWindow) -> list[tuple[int, bool]]:
    return [(solution.value, solution.exact) for solution in solve(unknown, output, known)]


def test_questions_of_the_lecture() -> None:
    # zero padding that keeps the size, for a kernel of 5: (5 − 1)/2
    assert values("padding", 28, KnownWindow(input=28, kernel=5)) == [(2, True)]
    # an even kernel keeps the size only with uneven padding
    uneven = solve("padding", 28, KnownWindow(input=28, kernel=4))
    assert [(one.axis.before, one.axis.after) for one in uneven] == [(1, 2)]
    # 28 → 14 needs stride 2 (the lecture's LeNet-5 misprints 1)
    assert values("stride", 14, KnownWindow(input=28, kernel=2)) == [(2, True)]
    # 227 → 55 with stride 4: exact with 11, with a remainder with 8 to 10
    assert values("kernel", 55, KnownWindow(input=227, stride=4)) == [
        (11, True),
        (8, False),
        (9, False),
        (10, False),
    ]
    # the inputs that a 3×3 window with stride 2 makes 7
    assert values("input", 7, KnownWindow(kernel=3, stride=2)) == [(15, True), (16, False)]
    assert values("dilation", 5, KnownWindow(input=9, kernel=3)) == [(2, True)]
    # the smallest input a kernel of 11 takes
    assert values("input", 1, KnownWindow(kernel=11)) == [(11, True)]


def test_where_there_is_no_solution_others_are_offered() -> None:
    found = answer("height", "padding", 55, KnownWindow(input=227, kernel=11))
    assert found.solutions == ()
    # 55 + 11 − 1, 227 − 55 + 1 and 216/54
    others = {name: [one.value for one in ways] for name, ways in found.alternatives}
    assert others == {"input": [65], "kernel": [173], "stride": [4]}


small = st.integers(1, 9)
known = st.builds(
    KnownWindow,
    input=st.integers(1, 24),
    kernel=small,
    padding=st.one_of(st.tuples(st.integers(0, 5), st.integers(0, 5)), st.just("same")),
    stride=small,
    dilation=st.integers(1, 4),
    rounding=st.sampled_from(["floor", "ceil"]),
)


@settings(max_examples=400)
@given(given=known, unknown=st.sampled_from(UNKNOWNS), output=st.integers(1, 12))
def test_the_solver_finds_exactly_what_brute_force_finds(
    given: KnownWindow, unknown: str, output: int
) -> None:
    """Every value up to a bound beyond all solutions, each tried by sliding a window."""
    if unknown in ("kernel", "dilation") and given.padding == "same":
        return
    if unknown == "dilation" and given.kernel == 1:
        return
    size = given.input or 0
    sides = given.padding if isinstance(given.padding, tuple) else (0, 0)
    bound = {
        "input": 12 * 9 + 40,
        "kernel": size + sum(sides) + 9,  # rounding up, a window may stand out by less than a stride
        "stride": size + sum(sides),  # every larger stride has one window too
        "dilation": size + sum(sides) + 9,
        "padding": 12 * 9 + 40,
    }[unknown]
    if unknown == "stride" and given.padding == "same":
        bound = size
    found = set()
    for value in range(0 if unknown == "padding" else 1, bound + 1):
        tried = given._replace(**{unknown: sides_of(value) if unknown == "padding" else value})
        if positions(tried) == output:
            found.add(value)
    solutions = solve(unknown, output, given)
    mine = [
        solution.axis.before + solution.axis.after if unknown == "padding" else solution.value
        for solution in solutions
    ]
    assert sorted(mine) == sorted(found)
    exact = [solution.exact for solution in solutions]
    assert exact == sorted(exact, reverse=True)


@pytest.mark.parametrize(
    ("unknown", "known", "said"),
    [
        ("input", KnownWindow(kernel=10**6), "at most 100,000"),
        ("dilation", KnownWindow(input=5, kernel=1), "whatever the dilation"),
        ("kernel", KnownWindow(input=5, padding="same"), "whatever the kernel"),
        ("padding", KnownWindow(input=5), "the kernel must be known"),
    ],
)
def test_questions_without_an_answer(unknown: str, known: KnownWindow, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        solve(unknown, 5, known)
