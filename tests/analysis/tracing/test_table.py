"""Tables of expressions: evaluation at many points, and what an expression can be within intervals."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from convcalc.analysis.tracing.table import BINARY, UNARY, Table, bounds, evaluated, evaluated_columns, needs

NAMES = ("a", "b")
CONDITIONS = ("<", "<=", "==", "!=")


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Tables of up to 20 operations on two symbols and a few constants; of conditions only & and | are made."""
    table = Table()
    nodes = [table.symbol(name) for name in NAMES]
    nodes += [table.constant(draw(st.integers(-5, 9))) for _ in range(2)] + [table.constant(0.5)]
    truths: list[int] = []
    for _ in range(draw(st.integers(1, 20))):
        operation = draw(st.sampled_from([*BINARY, *UNARY]))
        of = truths if operation in ("&", "|") else nodes
        if not of:
            continue
        left, right = draw(st.sampled_from(of)), draw(st.sampled_from(of))
        made = table.apply(operation, left) if operation in UNARY else table.apply(operation, left, right)
        (truths if operation in (*CONDITIONS, "&", "|") else nodes).append(made)
    return table


def same(left: object, right: object) -> bool:
    """Whether two values are equal, or both are none."""
    return left == right or (left != left and right != right)


@given(tables(), st.lists(st.tuples(st.integers(-9, 9), st.integers(1, 9)), min_size=1, max_size=4))
def test_many_points_at_once_give_what_one_by_one_gives(table: Table, points: list[tuple[int, int]]) -> None:
    columns = {name: [point[place] for point in points] for place, name in enumerate(NAMES)}
    found, varies = evaluated_columns(table, columns, range(len(table.nodes)))
    for place, point in enumerate(points):
        alone = evaluated(table, dict(zip(NAMES, point, strict=True)))
        for node, value in enumerate(alone):
            assert same(found[node][place] if node in varies else found[node], value)


@given(
    tables(),
    st.tuples(st.integers(-9, 9), st.integers(0, 9)),
    st.tuples(st.integers(-9, 9), st.integers(0, 9)),
)
def test_no_value_lies_outside_of_its_bounds(table: Table, a: tuple[int, int], b: tuple[int, int]) -> None:
    """The guards that are left out of a page are those whose bounds leave no choice."""
    box = {"a": (a[0], a[0] + a[1]), "b": (b[0], b[0] + b[1])}
    limits = bounds(table, box, range(len(table.nodes)))
    for first in range(a[0], a[0] + a[1] + 1):
        for second in range(b[0], b[0] + b[1] + 1):
            for node, value in enumerate(evaluated(table, {"a": first, "b": second})):
                low, high = limits[node]
                assert value != value or low <= value <= high, (table.text(node), first, second)


def test_bounds_decide_conditions() -> None:
    table = Table()
    size = table.symbol("size")
    rest = table.apply("%", size, table.constant(4))
    fits = table.apply("<", rest, table.constant(4))
    large = table.apply("<=", table.constant(64), table.apply("//", size, table.constant(2)))
    found = bounds(table, {"size": (32, 100)}, [fits, large])
    assert found[fits] == (1, 1)
    assert found[large] == (0, 0)


def test_only_what_is_needed_is_evaluated() -> None:
    table = Table()
    a, b = table.symbol("a"), table.symbol("b")
    double = table.apply("*", a, table.constant(2))
    table.apply("+", a, b)
    assert needs(table, [double]) == {a, table.constant(2), double}
    found = evaluated(table, {"a": 21}, [double])
    assert (found[double], found[b]) == (42, None)


def test_a_value_that_is_none_is_nan() -> None:
    table = Table()
    a = table.symbol("a")
    quotient = table.apply("//", table.constant(7), a)
    assert math.isnan(evaluated(table, {"a": 0})[quotient])
    found, varies = evaluated_columns(table, {"a": [0, 2]}, [quotient])
    assert quotient in varies
    assert math.isnan(found[quotient][0])
    assert found[quotient][1] == 3
