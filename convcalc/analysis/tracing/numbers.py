"""Numbers that record how they were computed, so that figures become formulas of the input's size and of variables.

A traced number has a value, and the expression that gave it. The spec language and the operators compute with it as
with any other number, so their own rules make the formulas, and no rule is written twice:

    >>> from convcalc.analysis.tracing.table import evaluated
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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from convcalc.analysis.tracing.table import BINARY, CONSTANT, UNARY, Number, Table, evaluated


class Trace:
    """One run with given values of the symbols. guards: by condition, the truth that it had; in order. counted: those
    of them that a number had its value where a plain integer was needed, such as how often a layer is repeated. at:
    the value of each node so far."""

    def __init__(self, table: Table, values: Mapping[str, Number]) -> None:
        self.table = table
        self.values = values
        self.guards: dict[int, bool] = {}
        self.counted: set[int] = set()
        self.at: dict[int, Any] = {}

    @contextmanager
    def apart(self) -> Iterator[dict[int, bool]]:
        """Context manager that collects guards in a dictionary of their own, for what is computed besides."""
        own, self.guards = self.guards, {}
        try:
            yield self.guards
        finally:
            self.guards = own

    @contextmanager
    def moved(self, values: Mapping[str, Number]) -> Iterator[None]:
        """Context manager in which all traced numbers have the values that they have for other values of the symbols.
        The guards must hold there: the numbers come from a run that would have taken the same way."""
        own = self.values, self.at
        self.values, self.at = values, dict(enumerate(evaluated(self.table, values)))
        try:
            yield
        finally:
            self.values, self.at = own

    def symbol(self, name: str) -> Any:
        """The traced number of a symbol."""
        value = self.values[name]
        return _KINDS[type(value)](self, self.table.symbol(name), value)

    def node(self, number: Any) -> int:
        """The node of a number, traced or plain."""
        return number.node if issubclass(type(number), Traced) else self.table.constant(number)

    def largest(self, numbers: Sequence[Any]) -> int:
        """The node of the largest of several numbers; no guard is set on which of them it is."""
        return self.largest_node([self.node(number) for number in numbers])

    def largest_node(self, nodes: Sequence[int]) -> int:
        """The node of the largest of several nodes."""
        nodes = list(dict.fromkeys(nodes))
        while len(nodes) > 1:  # by pairs: a chain of thousands could not be walked by recursion
            pairs = [nodes[place : place + 2] for place in range(0, len(nodes), 2)]
            nodes = [self.table.apply("max", *pair) if len(pair) > 1 else pair[0] for pair in pairs]
        return nodes[0]


class Traced:
    """A number with the expression that gave it. Subclasses say which type `isinstance` takes it for."""

    __slots__ = ("node", "trace")

    def __init__(self, trace: Trace, node: int, value: Any) -> None:
        self.trace = trace
        self.node = node
        trace.at[node] = value

    @property
    def value(self) -> Any:
        """The plain number."""
        return self.trace.at[self.node]

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
        if whole and kind is int:  # x + 0, x · 1 and x // 1 are x, x % 1 is 0, and (x + 3) − 2 is x + 1
            if not swapped:
                if operation in ("+", "-"):
                    return self._shifted(other if operation == "+" else -other)
                if other == 1 and operation in ("*", "//"):
                    return self
                if other == 1 and operation == "%":
                    return 0
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
        table, node = self.trace.table, self.node
        if type(self) is not Truth:
            node = table.apply("==", *sorted((node, table.constant(0))))
            self.trace.guards.setdefault(node, not truth)
            return truth
        operation, left, right = table.nodes[node]
        if operation == "!=":  # one guard for a condition and its opposite
            self.trace.guards.setdefault(table.apply("==", left, right), not truth)
        else:
            self.trace.guards.setdefault(node, truth)
        return truth

    def _counted(self) -> int:
        """The value as a plain int, which is guarded as one that may decide what there is."""
        value = self._pinned()
        table = self.trace.table
        self.trace.counted.add(table.apply("==", *sorted((self.node, table.constant(value)))))
        return int(value)

    def __index__(self) -> int:
        return operator.index(self._counted())

    def __int__(self) -> int:
        return self._counted()

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
    __class__ = property(lambda self: int)


class Float(Traced):
    """A traced number that is a float to `isinstance`."""

    __slots__ = ()
    __class__ = property(lambda self: float)


class Truth(Traced):
    """A traced condition, a bool to `isinstance`; in arithmetic 0 or 1."""

    __slots__ = ()
    __class__ = property(lambda self: bool)


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


class Sum:
    """A sum of traced numbers, each with how often it occurs, so that equal sums become the same node whatever order
    they were added in."""

    __slots__ = ("terms",)

    def __init__(self, terms: Mapping[int, int]) -> None:
        self.terms = terms

    def __add__(self, other: Any) -> Sum:
        return self if other == 0 else self._plus(other, 1)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Sum:
        return self if other == 0 else self._plus(other, -1)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sum) and self.terms == other.terms

    __hash__ = None  # type: ignore[assignment]

    def _plus(self, other: Sum, times: int) -> Sum:
        terms = dict(self.terms)
        for node, count in other.terms.items():
            terms[node] = terms.get(node, 0) + times * count
            if not terms[node]:
                del terms[node]
        return Sum(terms)

    def node(self, table: Table) -> int:
        """The node of the sum."""
        constant, total = 0, -1
        for node, count in sorted(self.terms.items()):
            operation, value, _ = table.nodes[node]
            if operation == CONSTANT:
                constant += value * count
                continue
            term = node if count == 1 else table.apply("*", *sorted((node, table.constant(count))))
            total = term if total < 0 else table.apply("+", total, term)
        if total < 0 or constant:
            last = table.constant(constant)
            total = last if total < 0 else table.apply("+", total, last)
        return total
