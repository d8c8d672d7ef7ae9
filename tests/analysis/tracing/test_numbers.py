"""Traced numbers give what plain numbers give, and their formulas give it for other values where the guards hold."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcalc.analysis.tracing.numbers import Trace, is_traced, parts
from convcalc.analysis.tracing.table import Table, evaluated
from convcalc.shapes import Axis

# Programs as an operator might have them: arithmetic, rounding, conditions, lists.
PROGRAMS: list[Callable[[Any, Any], Any]] = [
    lambda a, b: (a + 2 * 3 - b) // 4 + 1,
    lambda a, b: -(-a // (abs(b) + 1)),
    lambda a, b: a % (b * b + 1) - (7 - a) % 5,
    lambda a, b: max(a, b) * min(a, 3),
    lambda a, b: sum([a, b, a]) + math.prod([a, b, 2]),
    lambda a, b: a if a < b or b == 4 else b - a,
    lambda a, b: a + (a > 3) * 2 + ((a >= b) & (b != 2)),
    lambda a, b: sum(divmod(a, 7)) + divmod(100, b * b + 1)[1],
    lambda a, b: math.floor(a / 3 + 0.5) + math.ceil(b / 4) + math.trunc(a / 7) + round(a / 2),
    lambda a, b: len(range(abs(a) % 5)) + [10, 20, 30][b % 3],
    lambda a, b: len({a, b, 3}) + {1: 5}.get(a, 6),
    lambda a, b: a**3 - (a + b) ** 2 + 2 ** (abs(b) % 4),
    lambda a, b: Fraction(a, 6).numerator + math.floor(a * Fraction(2, 3)),
    lambda a, b: sum((b,) * (abs(a) % 3)),
    lambda a, b: int(a * 0.75 + 1.5 * b),
    lambda a, b: (a == a) + (a - a) + (a, b).index(b),
]

sizes = st.integers(-40, 40)


@pytest.mark.parametrize("place", range(len(PROGRAMS)))
@given(a=sizes, b=sizes, c=sizes, d=sizes)
def test_a_formula_gives_what_the_program_gives(place: int, a: int, b: int, c: int, d: int) -> None:
    """At its own values, and at any others at which its guards hold."""
    program = PROGRAMS[place]
    table = Table()
    trace = Trace(table, {"a": a, "b": b})
    result = program(trace.symbol("a"), trace.symbol("b"))
    node = trace.node(result)
    at_home = evaluated(table, {"a": a, "b": b})
    assert at_home[node] == program(a, b)
    assert all(bool(at_home[guard]) is truth for guard, truth in trace.guards.items())
    elsewhere = evaluated(table, {"a": c, "b": d})
    if all(elsewhere[guard] == truth for guard, truth in trace.guards.items()):
        assert elsewhere[node] == program(c, d)


@given(
    size=st.integers(1, 40),
    other=st.integers(1, 40),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 4),
    before=st.integers(0, 3),
    after=st.integers(0, 4),
    rounding=st.sampled_from(["floor", "ceil"]),
)
def test_the_rounding_of_a_window_is_one_formula(
    size: int, other: int, kernel: int, stride: int, before: int, after: int, rounding: str
) -> None:
    """Whether the last window is dropped is part of it and no guard: one is left, that the window fits."""
    if min(size, other) + before + after < kernel:
        return
    table = Table()
    trace = Trace(table, {"size": size})
    axis = Axis(trace.symbol("size"), kernel, stride, 1, before, after, rounding)
    node = trace.node(axis.output)
    assert len(trace.guards) == 1
    assert evaluated(table, {"size": other})[node] == axis._replace(size=other).output


def test_equal_expressions_are_one_node() -> None:
    table = Table()
    trace = Trace(table, {"n": 10})
    n = trace.symbol("n")
    assert trace.node(n + 3 - 2) == trace.node(1 + n)
    assert trace.node((n - 2) * 1) == trace.node(n + -2)
    assert trace.node(n * 5) == trace.node(5 * n)
    assert n == n
    assert trace.guards == {}


def test_a_traced_number_passes_for_its_type() -> None:
    trace = Trace(Table(), {"n": 10, "x": 0.5})
    n, x = trace.symbol("n"), trace.symbol("x")
    assert isinstance(n, int)
    assert not isinstance(n, bool)
    assert not isinstance(n, float)
    assert isinstance(n * x, float)
    assert isinstance(n < 3, bool)
    assert isinstance(math.floor(n * x), int)
    assert is_traced(n)
    assert not is_traced(10)
    assert trace.guards == {}


def test_a_text_holds_places_for_traced_integers() -> None:
    table = Table()
    trace = Trace(table, {"n": 1234})
    n = trace.symbol("n")
    before, count, between, doubled, after = parts(f"of {n:,} pixels, {n * 2} bits.")
    assert (before, between, after) == ("of ", " pixels, ", " bits.")
    assert not isinstance(count, str)
    assert not isinstance(doubled, str)
    assert (table.text(count.node), count.form) == ("n", ",")
    assert (table.text(doubled.node), doubled.form) == ("n * 2", "")
    assert trace.guards == {}


def test_a_division_keeps_away_from_zero() -> None:
    table = Table()
    trace = Trace(table, {"n": 3})
    assert (12 // trace.symbol("n")).value == 4
    assert [(table.text(node), truth) for node, truth in trace.guards.items()] == [("n == 0", False)]


def test_the_largest_of_many_sets_no_guard() -> None:
    table = Table()
    trace = Trace(table, {"n": 5})
    n = trace.symbol("n")
    node = trace.largest([n * 2, 30, n * n, 30, n + 1])
    assert trace.guards == {}
    assert [evaluated(table, {"n": value})[node] for value in (1, 5, 6)] == [30, 30, 36]
