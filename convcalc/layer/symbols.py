"""Exact numbers in the usual notation, and letters that stand for numbers.

An `Expression` is a sum of products of letters with + and *, on which an operator's own forward can run: a 2×2
kernel w x / y z over a b / e f gives aw + bx + ey + fz.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from math import lcm
from typing import Any, NamedTuple

Exact = int | Fraction
MAX_DIGITS = 40

_NUMBER = re.compile(r"([+-]?)((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?|[0-9]+/[0-9]+)")
_FACTOR = r"([0-9]+(?:\.[0-9]+|/[0-9]+)?)"
_LETTER = re.compile(rf"([+-]?)(?:{_FACTOR}(?:[*·]|(?=.\Z)))?([^\W\d_]\w{{0,19}})")


class Expression:
    """A sum of products of letters. Terms are printed in the order in which they were added, and letters in the
    order in which they were multiplied; equality ignores both orders."""

    __slots__ = ("terms",)

    def __init__(self, terms: Mapping[tuple[str, ...], tuple[Exact, tuple[str, ...]]]) -> None:
        # sorted letters → coefficient, and letters in the order of multiplication
        self.terms = {key: term for key, term in terms.items() if term[0] != 0}

    @classmethod
    def letter(cls, name: str, coefficient: Exact = 1) -> Expression:
        """`coefficient·name`."""
        return cls({(name,): (coefficient, (name,))})

    def __add__(self, other: Any) -> Expression:
        added = _expression(other)
        if added is None:
            return NotImplemented
        terms = dict(self.terms)
        for key, (coefficient, letters) in added.terms.items():
            before, written = terms.get(key, (0, letters))
            terms[key] = (before + coefficient, written)
        return Expression(terms)

    __radd__ = __add__

    def __mul__(self, other: Any) -> Expression:
        times = _expression(other)
        return NotImplemented if times is None else _product(self, times)

    def __rmul__(self, other: Any) -> Expression:
        times = _expression(other)
        return NotImplemented if times is None else _product(times, self)

    def __truediv__(self, other: Any) -> Expression:
        if isinstance(other, (int, Fraction)):
            return self * Fraction(1, 1) * (1 / Fraction(other))
        return NotImplemented

    def __neg__(self) -> Expression:
        return self * -1

    def __sub__(self, other: Any) -> Expression:
        taken = _expression(other)
        return NotImplemented if taken is None else self + -taken

    def __rsub__(self, other: Any) -> Expression:
        start = _expression(other)
        return NotImplemented if start is None else start + -self

    def __eq__(self, other: object) -> bool:
        known = _expression(other)
        return known is not None and {key: term[0] for key, term in self.terms.items()} == {
            key: term[0] for key, term in known.terms.items()
        }

    def __hash__(self) -> int:
        return hash(frozenset((key, term[0]) for key, term in self.terms.items()))

    def __repr__(self) -> str:
        return f"<{written(self)}>"


def _expression(value: object) -> Expression | None:
    if isinstance(value, Expression):
        return value
    if isinstance(value, (int, Fraction)):
        return Expression({(): (value, ())})
    return None


def _product(left: Expression, right: Expression) -> Expression:
    result = Expression({})
    for factor, letters in left.terms.values():
        for other, more in right.terms.values():
            product = (*letters, *more)
            result = result + Expression({tuple(sorted(product)): (factor * other, product)})
    return result


# -- reading and writing ------------------------------------------------------------------------------------


def read(token: str) -> Exact | Expression | None:
    """Parse a number (`3`, `-0.5`, `1/9`, `2e-3`) exactly, or a letter with or without a factor (`w`, `-2b`,
    `2*x1`). None for any other text."""
    token = token.replace("−", "-")
    if len(token) > MAX_DIGITS:
        return None
    found = _NUMBER.fullmatch(token)
    if found:
        return _exact(found[1], found[2])
    found = _LETTER.fullmatch(token)
    if found:
        coefficient = _exact(found[1], found[2] or "1")
        return None if coefficient is None else Expression.letter(found[3], coefficient)
    return None


def _exact(sign: str, digits: str) -> Exact | None:
    try:
        value = Fraction(digits)
    except (ValueError, ZeroDivisionError):
        return None
    value = -value if sign == "-" else value
    return value.numerator if value.denominator == 1 else value


def written(value: Any, *, decimal: bool | None = None, places: int | None = None, minus: str = "−") -> str:
    """A number or expression as text.

    decimal: whether finite fractions are written as decimals (0.25) or as fractions (1/4); None: numbers as
    decimals, coefficients of letters as fractions. places: number of decimals to round to.
    """
    if isinstance(value, Expression):
        return _sum(value, bool(decimal), places, minus)
    if isinstance(value, float):
        text = f"{value:.{places}f}" if places is not None else f"{value:.6g}"
    elif isinstance(value, Fraction) and value.denominator != 1:
        text = _fraction(value, decimal is not False, places)
    else:
        text = str(int(value))
    return text.replace("-", minus) if text.startswith("-") else text


class Notation(NamedTuple):
    """How numbers are written; see `written`."""

    decimal: bool | None = None
    places: int | None = None

    def __call__(self, value: Any) -> str:
        """The number as text."""
        return written(value, decimal=self.decimal, places=self.places)

    def typed(self, value: Any) -> str:
        """The number as `read` takes it: without blanks, with an ASCII minus."""
        return written(value, decimal=self.decimal, places=self.places, minus="-").replace(" ", "")


def _fraction(value: Fraction, decimal: bool, places: int | None) -> str:
    if places is not None:
        return f"{float(value):.{places}f}"
    digits = ending(value)
    if not decimal or digits is None:
        return f"{value.numerator}/{value.denominator}"
    scaled = str(abs(value.numerator) * 10**digits // value.denominator).rjust(digits + 1, "0")
    return f"{'-' if value < 0 else ''}{scaled[:-digits]}.{scaled[-digits:]}"


def ending(value: Fraction) -> int | None:
    """The number of decimals of a fraction; None if they never end."""
    rest, twos, fives = value.denominator, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    return max(twos, fives) if rest == 1 else None


def _sum(value: Expression, decimal: bool, places: int | None, minus: str) -> str:
    """`aw + bx − 2ey`, or `(a + b)/4`."""
    if not value.terms:
        return "0"
    coefficients = [Fraction(term[0]) for term in value.terms.values()]
    below = 1
    if places is None and not (decimal and all(ending(number) is not None for number in coefficients)):
        below = lcm(*(number.denominator for number in coefficients))
    parts = []
    for coefficient, letters in value.terms.values():
        scaled = Fraction(coefficient) * below
        size = written(abs(scaled), decimal=decimal, places=places)
        name = ("·" if any(len(letter) > 1 for letter in letters) else "").join(letters)
        text = (
            name
            if name and abs(scaled) == 1
            else f"{size}·{name}"
            if name[1:2].isdigit()
            else f"{size}{name}"
        )
        sign = minus if scaled < 0 else "+"
        parts.append((sign, text))
    first, *others = parts
    text = (minus if first[0] == minus else "") + first[1]
    text += "".join(f" {sign} {part}" for sign, part in others)
    if below == 1:
        return text
    return f"({text})/{below}" if others else f"{text}/{below}"


def has_letters(values: Iterable[Any]) -> bool:
    """Whether any value is an expression."""
    return any(isinstance(value, Expression) for value in values)
