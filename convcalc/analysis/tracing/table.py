"""Expressions of a network's sizes: a table of operations in which equal ones are one node, and their evaluation.

The operations mean what Python means by them, for exact integers and for floats. `page/evaluator.js` evaluates the same
ones in a browser.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

Number = int | float

SYMBOL, CONSTANT = "symbol", "constant"


class Expression(NamedTuple):
    """A node of a table: an operation and the nodes it is applied to. Of a symbol or a constant, `left` is its name or
    value."""

    operation: str
    left: Any
    right: int = -1


def _rounded(value: float) -> int:
    return round(value)


# The operations by name, with Python's meaning for ints and floats. A truth counts as 0 or 1.
BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "%": operator.mod,
    "/": operator.truediv,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    "&": operator.and_,
    "|": operator.or_,
    "max": max,
}
UNARY: dict[str, Callable[[Any], Any]] = {
    "floor": math.floor,
    "ceil": math.ceil,
    "trunc": math.trunc,
    "round": _rounded,
}


class Table:
    """Expressions that several traces share; equal ones are the same node."""

    def __init__(self) -> None:
        self.nodes: list[Expression] = []
        self._index: dict[tuple[Any, ...], int] = {}

    def symbol(self, name: str) -> int:
        """The node of a symbol."""
        return self._node(SYMBOL, name)

    def constant(self, value: Number) -> int:
        """The node of a constant; 1 and 1.0 differ."""
        key = (CONSTANT, type(value), value)
        node = self._index.get(key)
        if node is None:
            node = self._index[key] = len(self.nodes)
            self.nodes.append(Expression(CONSTANT, value))
        return node

    def apply(self, operation: str, left: int, right: int = -1) -> int:
        """The node of an operation applied to nodes."""
        return self._node(operation, left, right)

    def _node(self, operation: str, left: Any, right: int = -1) -> int:
        key = (operation, left, right)
        node = self._index.get(key)
        if node is None:
            node = self._index[key] = len(self.nodes)
            self.nodes.append(Expression(operation, left, right))
        return node

    def text(self, node: int, outer: int = 0) -> str:
        """An expression in Python's notation."""
        operation, left, right = self.nodes[node]
        if operation in (SYMBOL, CONSTANT):
            return str(left)
        if operation in UNARY or operation == "max":
            inside = [left] if right < 0 else [left, right]
            return f"{operation}({', '.join(map(self.text, inside))})"
        rank = {"*": 3, "//": 3, "%": 3, "/": 3, "+": 2, "-": 2}.get(operation, 1)
        text = f"{self.text(left, rank)} {operation} {self.text(right, rank + 1)}"
        return f"({text})" if rank < outer else text


def evaluated(table: Table, values: Mapping[str, Number], nodes: Iterable[int] | None = None) -> list[Any]:
    """The value of each node for given values of the symbols, in the table's order; NaN where a division by zero or an
    overflow leaves none. Only these nodes and what they need, if given; the others are None."""
    needed = None if nodes is None else needs(table, nodes)
    found: list[Any] = [None] * len(table.nodes)
    for node, (operation, left, right) in enumerate(table.nodes):
        if needed is not None and node not in needed:
            continue
        try:
            if operation == CONSTANT:
                found[node] = left
            elif operation == SYMBOL:
                found[node] = values[left]
            elif operation in UNARY:
                found[node] = UNARY[operation](found[left])
            else:
                found[node] = BINARY[operation](found[left], found[right])
        except (ZeroDivisionError, OverflowError, ValueError, TypeError):
            found[node] = math.nan
    return found


def needs(table: Table, nodes: Iterable[int]) -> set[int]:
    """These nodes and all that they are computed from."""
    found: set[int] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if node in found:
            continue
        found.add(node)
        operation, left, right = table.nodes[node]
        if operation not in (SYMBOL, CONSTANT):
            waiting.append(left)
            if right >= 0:
                waiting.append(right)
    return found


def evaluated_columns(
    table: Table, columns: Mapping[str, Sequence[Number]], nodes: Iterable[int]
) -> tuple[dict[int, Any], set[int]]:
    """The values of these nodes, and of what they need, at many points at once: a list for the nodes of the set, for
    others the value at all points. columns: of each symbol, the value at each point. NaN where there is none."""
    count = len(next(iter(columns.values())))
    found: dict[int, Any] = {}
    varies: set[int] = set()
    for node in sorted(needs(table, nodes)):
        operation, left, right = table.nodes[node]
        if operation == CONSTANT:
            found[node] = left
        elif operation == SYMBOL:
            column = columns[left]
            if any(value != column[0] for value in column):
                varies.add(node)
                found[node] = column
            else:
                found[node] = column[0]
        else:
            sides = [left] if operation in UNARY else [left, right]
            function = UNARY.get(operation) or BINARY[operation]
            if varies.isdisjoint(sides):
                found[node] = _applied(function, *[found[side] for side in sides])
                continue
            varies.add(node)
            lists = [found[side] if side in varies else [found[side]] * count for side in sides]
            try:
                found[node] = list(map(function, *lists))
            except (ZeroDivisionError, OverflowError, ValueError, TypeError):
                found[node] = [_applied(function, *values) for values in zip(*lists, strict=True)]
    return found, varies


def _applied(function: Callable[..., Any], *values: Any) -> Any:
    try:
        return function(*values)
    except (ZeroDivisionError, OverflowError, ValueError, TypeError):
        return math.nan


Interval = tuple[Number, Number]
_ANYTHING: Interval = (-math.inf, math.inf)


def bounds(table: Table, box: Mapping[str, Interval], nodes: Iterable[int]) -> dict[int, Interval]:
    """The least and the largest value that these nodes, and what they need, may have while each symbol keeps to its
    interval. A condition that always holds is (1, 1), one that never does (0, 0)."""
    found: dict[int, Interval] = {}
    for node in sorted(needs(table, nodes)):
        operation, left, right = table.nodes[node]
        if operation == CONSTANT:
            found[node] = (left, left)
        elif operation == SYMBOL:
            found[node] = box[left]
        elif operation in UNARY:
            low, high = found[left]
            finite = -math.inf < low and high < math.inf
            found[node] = (UNARY[operation](low), UNARY[operation](high)) if finite else _ANYTHING
        else:
            found[node] = _combined(operation, found[left], found[right])
    return found


def _combined(operation: str, left: Interval, right: Interval) -> Interval:
    if operation in ("<", "<="):
        holds = BINARY[operation]
        return int(holds(left[1], right[0])), int(holds(left[0], right[1]))
    if operation in ("==", "!="):
        apart = left[1] < right[0] or right[1] < left[0]
        equal = left[0] == left[1] == right[0] == right[1]
        low, high = int(equal), int(not apart)
        return (low, high) if operation == "==" else (1 - high, 1 - low)
    if operation == "&":
        return min(left[0], right[0]), min(left[1], right[1])
    if operation in ("|", "max"):
        return max(left[0], right[0]), max(left[1], right[1])
    if operation == "+":
        return left[0] + right[0], left[1] + right[1]
    if operation == "-":
        return left[0] - right[1], left[1] - right[0]
    if operation == "%":
        whole = all(isinstance(end, int) for end in (*left, *right))
        return (0, right[1] - whole) if right[0] > 0 else _ANYTHING
    if operation in ("//", "/") and right[0] <= 0:
        return _ANYTHING
    if not all(map(math.isfinite, (*left, *right))):
        return _ANYTHING
    corners = [BINARY[operation](first, second) for first in left for second in right]
    return min(corners), max(corners)
