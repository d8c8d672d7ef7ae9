"""Numbers that record how they were computed, so that figures become formulas of the input's size and of variables.

A traced number has a value, and the expression that gave it. The spec language and the operators compute with it as
with any other number, so their own rules make the formulas, and no rule is written twice:

    >>> table = Table()
    >>> trace = Trace(table, {"size": 227})
    >>> size = trace.symbol("size")
    >>> positions = (size - 11) // 4 + 1
    >>> positions.value, evaluated(table, {"size": 224})[positions.node]
    (55, 54)

A formula holds wherever the run would have taken the same way. Where a run depends on a traced number (a condition, a
length of a list), the trace keeps a *guard*: the truth that the condition had, or the value that was used.

    >>> "even" if size % 2 == 0 else "odd"
    'odd'
    >>> [(table.text(node), truth) for node, truth in trace.guards.items()]
    [('size % 2 == 0', False)]

`isinstance` takes a traced number for an int, a float or a bool, whichever its value is, so that code which checks its
numbers accepts it. What Python itself needs as a plain number (`range`, an index, a key of a dictionary) it asks for by
`__index__`, `__int__`, `__float__` or `__hash__`, and each of them sets a guard. As text, a traced number is a mark
that `parts` finds again.
"""

from __future__ import annotations

import math
import operator
import re
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


class Trace:
    """One run with given values of the symbols. guards: by condition, the truth that it had; in order."""

    def __init__(self, table: Table, values: Mapping[str, Number]) -> None:
        self.table = table
        self.values = values
        self.guards: dict[int, bool] = {}

    def symbol(self, name: str) -> Any:
        """The traced number of a symbol."""
        value = self.values[name]
        return _KINDS[type(value)](self, self.table.symbol(name), value)

    def node(self, number: Any) -> int:
        """The node of a number, traced or plain."""
        return number.node if issubclass(type(number), Traced) else self.table.constant(number)

    def largest(self, numbers: Sequence[Any]) -> int:
        """The node of the largest of several numbers; no guard is set on which of them it is."""
        nodes = list(dict.fromkeys(map(self.node, numbers)))
        while len(nodes) > 1:  # by pairs: a chain of thousands could not be walked by recursion
            pairs = [nodes[place : place + 2] for place in range(0, len(nodes), 2)]
            nodes = [self.table.apply("max", *pair) if len(pair) > 1 else pair[0] for pair in pairs]
        return nodes[0]


class Traced:
    """A number with the expression that gave it. Subclasses say which type `isinstance` takes it for."""

    __slots__ = ("node", "trace", "value")

    def __init__(self, trace: Trace, node: int, value: Any) -> None:
        self.trace = trace
        self.node = node
        self.value = value

    # -- arithmetic ------------------------------------------------------------------------------------------

    def _with(self, operation: str, other: Any, swapped: bool = False) -> Any:
        kind = type(other)
        table = self.trace.table
        if issubclass(kind, Traced):
            node, value = other.node, other.value
        elif kind in _KINDS:
            node, value = -1, other
        else:
            return NotImplemented
        whole = type(self) is Integer
        if whole and kind is int:  # x + 0, x · 1 and x // 1 are x, and (x + 3) − 2 is x + 1
            if not swapped:
                if operation in ("+", "-"):
                    return self._shifted(other if operation == "+" else -other)
                if other == 1 and operation in ("*", "//"):
                    return self
            elif operation == "+":
                return self._shifted(other)
            elif operation == "*" and other == 1:
                return self
        if node < 0:
            node = table.constant(value)
        left, right = (node, self.node) if swapped else (self.node, node)
        first, second = (value, self.value) if swapped else (self.value, value)
        if operation in _DIVISIONS and table.nodes[right].operation != CONSTANT:
            self.trace.guards.setdefault(table.apply("==", right, table.constant(0)), second == 0)
        if operation in _SYMMETRIC and right < left:
            left, right = right, left
        result = BINARY[operation](first, second)
        if operation in ("&", "|") and type(result) is not bool:  # of the bits of integers
            self._pinned()
            return result if kind in _KINDS else BINARY[operation](self.value, other._pinned())
        if left == right and operation in _ALWAYS:
            return _ALWAYS[operation]
        return _KINDS[type(result)](self.trace, table.apply(operation, left, right), result)

    def _shifted(self, by: int) -> Any:
        """This integer plus a plain one."""
        table = self.trace.table
        operation, left, right = table.nodes[self.node]
        base, total = self.node, by
        if operation == "+" and table.nodes[right].operation == CONSTANT:
            base, total = left, table.nodes[right].left + by
        if not total:
            return Integer(self.trace, base, self.value + by)
        node = table.apply("+", base, table.constant(total))
        return Integer(self.trace, node, self.value + by)

    def __add__(self, other: Any) -> Any:
        return self._with("+", other)

    def __radd__(self, other: Any) -> Any:
        return self._with("+", other, True)

    def __sub__(self, other: Any) -> Any:
        return self._with("-", other)

    def __rsub__(self, other: Any) -> Any:
        return self._with("-", other, True)

    def __mul__(self, other: Any) -> Any:
        if type(other) in (tuple, list, str):
            return other * self._pinned()
        return self._with("*", other)

    def __rmul__(self, other: Any) -> Any:
        if type(other) in (tuple, list, str):
            return other * self._pinned()
        return self._with("*", other, True)

    def __floordiv__(self, other: Any) -> Any:
        return self._with("//", other)

    def __rfloordiv__(self, other: Any) -> Any:
        return self._with("//", other, True)

    def __mod__(self, other: Any) -> Any:
        return self._with("%", other)

    def __rmod__(self, other: Any) -> Any:
        return self._with("%", other, True)

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __truediv__(self, other: Any) -> Any:
        return self._with("/", other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._with("/", other, True)

    def __pow__(self, other: Any) -> Any:
        exponent = other._pinned() if issubclass(type(other), Traced) else other
        if type(self) is Integer and type(exponent) is int and 1 <= exponent <= _MAX_POWER:
            return math.prod([self] * exponent)
        return self._pinned() ** exponent

    def __rpow__(self, other: Any) -> Any:
        return other ** self._pinned()

    def __neg__(self) -> Any:
        return 0 - self

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return -self if self < 0 else self

    # -- comparisons: truths, which set their guard only when they are asked for ---------------------------------

    def __lt__(self, other: Any) -> Any:
        return self._with("<", other)

    def __le__(self, other: Any) -> Any:
        return self._with("<=", other)

    def __gt__(self, other: Any) -> Any:
        return self._with("<", other, True)

    def __ge__(self, other: Any) -> Any:
        return self._with("<=", other, True)

    def __eq__(self, other: Any) -> Any:
        return self._with("==", other)

    def __ne__(self, other: Any) -> Any:
        return self._with("!=", other)

    def __and__(self, other: Any) -> Any:
        return self._with("&", other)

    def __rand__(self, other: Any) -> Any:
        return self._with("&", other, True)

    def __or__(self, other: Any) -> Any:
        return self._with("|", other)

    def __ror__(self, other: Any) -> Any:
        return self._with("|", other, True)

    # -- roundings -----------------------------------------------------------------------------------------------

    def _whole(self, operation: str) -> Any:
        if type(self) is not Float:
            return self
        result = UNARY[operation](self.value)
        return Integer(self.trace, self.trace.table.apply(operation, self.node), result)

    def __floor__(self) -> Any:
        return self._whole("floor")

    def __ceil__(self) -> Any:
        return self._whole("ceil")

    def __trunc__(self) -> Any:
        return self._whole("trunc")

    def __round__(self, digits: Any = None) -> Any:
        return self._whole("round") if digits is None else round(self._pinned(), digits)

    def is_integer(self) -> Any:
        """Whether a float has an integral value."""
        return self == self._whole("floor")

    @property
    def numerator(self) -> Any:
        """Itself: what Fraction asks of an int."""
        return self

    @property
    def denominator(self) -> int:
        """1: what Fraction asks of an int."""
        return 1

    # -- where a plain number is needed --------------------------------------------------------------------------

    def _pinned(self) -> Any:
        """The value, which is guarded."""
        table = self.trace.table
        node = table.apply("==", *sorted((self.node, table.constant(self.value))))
        self.trace.guards.setdefault(node, True)
        return self.value

    def __bool__(self) -> bool:
        truth = bool(self.value)
        node = self.node
        if type(self) is not Truth:
            table = self.trace.table
            node = table.apply("!=", *sorted((node, table.constant(0))))
        self.trace.guards.setdefault(node, truth)
        return truth

    def __index__(self) -> int:
        return operator.index(self._pinned())

    def __int__(self) -> int:
        return int(self._pinned())

    def __float__(self) -> float:
        return float(self._pinned())

    def __hash__(self) -> int:
        return hash(self._pinned())

    # -- text ----------------------------------------------------------------------------------------------------

    def __format__(self, form: str) -> str:
        if type(self) is not Integer:
            return format(self._pinned(), form)
        return f"{_OPEN}{self.node}:{form}{_CLOSE}"

    def __str__(self) -> str:
        return format(self, "")

    __repr__ = __str__


class Integer(Traced):
    """A traced number that is an int to `isinstance`."""

    __slots__ = ()
    __class__ = property(lambda self: int)  # type: ignore[assignment]


class Float(Traced):
    """A traced number that is a float to `isinstance`."""

    __slots__ = ()
    __class__ = property(lambda self: float)  # type: ignore[assignment]


class Truth(Traced):
    """A traced condition, a bool to `isinstance`; in arithmetic 0 or 1."""

    __slots__ = ()
    __class__ = property(lambda self: bool)  # type: ignore[assignment]


_KINDS: dict[type, type[Traced]] = {int: Integer, float: Float, bool: Truth}
_DIVISIONS = frozenset(["//", "%", "/"])
_SYMMETRIC = frozenset(["*", "==", "!=", "&", "|"])
_ALWAYS = {"==": True, "<=": True, "!=": False, "<": False}  # of a number and itself
_MAX_POWER = 8  # larger powers are not multiplied out

# A traced integer within a text: characters of private use, which no spec may hold.
_OPEN, _CLOSE = "\ue000", "\ue001"
_MARK = re.compile(f"{_OPEN}(\\d+):([^{_CLOSE}]*){_CLOSE}")


def is_traced(number: Any) -> bool:
    """Whether a number is traced."""
    return issubclass(type(number), Traced)


def plain(number: Any) -> Any:
    """The value of a number, traced or not. It sets no guard: for what the formulas do not depend on."""
    return number.value if issubclass(type(number), Traced) else number


class Hole(NamedTuple):
    """A place in a text where a traced integer stands. form: its format, as in `{:,}`."""

    node: int
    form: str


def parts(text: str) -> list[str | Hole]:
    """A text as its plain parts and its traced integers, in order."""
    found: list[str | Hole] = []
    position = 0
    for match in _MARK.finditer(text):
        found += [text[position : match.start()]] if match.start() > position else []
        found.append(Hole(int(match[1]), match[2]))
        position = match.end()
    return [*found, text[position:]] if position < len(text) else found


def is_marked(text: str) -> bool:
    """Whether a traced integer stands in a text."""
    return _OPEN in text


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
