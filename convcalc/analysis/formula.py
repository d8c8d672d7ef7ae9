"""Parameters and MACs as exact polynomials in a variable or in the input's size.

A polynomial of degree d is found through d + 1 points and proved on d + 10 others, which lie ever further away: a
figure that changes at every 32nd value is constant for a while. Strides make sizes round, so that a polynomial holds
only for every m-th value: then there is one for each remainder. Values are whole numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from convcalc.analysis.sweep import INPUT, Figures, Point, evaluated, opened
from convcalc.errors import UsageError, did_you_mean
from convcalc.graph import MAX_LAYERS
from convcalc.language.load import Loader

MAX_DEGREE = 4
PROOFS = 10  # besides one for each degree
# In steps of the modulus: enough to find a polynomial of the largest degree, then ever wider apart to prove it.
PLACES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 13, 17, 23, 32, 45, 64, 91, 128, 181)
MODULI = (1, 2, 4, 8, 16, 32, 64)
QUANTITIES = ("params", "macs")


class Formula(NamedTuple):
    """A polynomial: coefficients of ascending powers, None if none was found. where: the values it holds for; checked:
    points that prove it, besides those it was found through."""

    quantity: str
    variable: str
    coefficients: tuple[Fraction, ...] | None
    where: str
    checked: int

    def value(self, number: int) -> Fraction:
        """The polynomial at a number."""
        return _at(self.coefficients or (), Fraction(number))


def formulas(
    arch: str | Loader,
    variable: str,
    settings: Mapping[str, str] | None = None,
    input_text: str | None = None,
    *,
    max_layers: int = MAX_LAYERS,
    advance: Callable[[int], None] | None = None,
) -> tuple[Formula, ...]:
    """The formulas of both quantities. variable: of the spec, or `input` for the size of every spatial dimension.

    Raises UsageError for an unknown variable, or one that is not a number; the network's own error if it does not load.
    """
    loader = opened(arch, max_layers)
    start = _start(loader, variable, settings or {}, input_text)
    points: dict[int, Point] = {}

    def at(number: int) -> Figures | None:
        if number not in points:
            size = str(number) if variable == INPUT else input_text
            given = dict(settings or {}) if variable == INPUT else {**(settings or {}), variable: str(number)}
            points[number] = evaluated(loader, given, size, "float32")
            if advance is not None:
                advance(len(points))
        return points[number].figures

    found = []
    for quantity in QUANTITIES:

        def value(number: int, quantity: str = quantity) -> int | None:
            figures = at(number)
            return None if figures is None else int(getattr(figures, quantity))

        found += _formulas(quantity, variable, value, start)
    return tuple(found)


def _start(loader: Loader, variable: str, settings: Mapping[str, str], input_text: str | None) -> int:
    """The default value, rounded up; the network must load with it."""
    if variable == INPUT:
        graph = loader.load(settings, input_text)
        if len(graph.inputs) > 1:
            raise UsageError(
                f"{loader.name} has {len(graph.inputs)} inputs: which of them would grow is not said",
                hint="formulas in input are for networks with one; a variable of the spec can be the size of several",
            )
        shape = graph.input_shape
        if len(shape) < 2:
            raise UsageError("the input is a vector: it has no spatial size")
        return max(shape[1:])
    defaults = loader.defaults
    if variable not in defaults:
        known = sorted(defaults)
        raise UsageError(
            f"{loader.name} has no variable {variable!r}{did_you_mean(variable, [*known, INPUT])}",
            hint=f"its variables: {', '.join(known)}; input is its size" if known else "input is its size",
        )
    value = defaults[variable]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"{variable} is {value!r}, not a number", hint="formulas are in numbers")
    loader.load(settings, input_text)
    return max(1, -int(-value // 1))


def _formulas(quantity: str, variable: str, value: Callable[[int], int | None], start: int) -> list[Formula]:
    for modulus in MODULI:
        first = _polynomial([(n, value(n)) for n in _points(start, modulus)])
        if first is None:
            continue
        found = []
        for remainder in range(modulus):
            base = start + (remainder - start) % modulus
            polynomial = (
                first if base == start else _polynomial([(n, value(n)) for n in _points(base, modulus)])
            )
            if polynomial is None:
                break
            where = (
                f"{variable} a whole number" if modulus == 1 else f"{variable} mod {modulus} = {remainder}"
            )
            found.append(Formula(quantity, variable, polynomial[0], f"{where}, from {base}", polynomial[1]))
        else:
            alike = {formula.coefficients for formula in found}
            if len(alike) > 1 or modulus == 1:
                return found
    return [Formula(quantity, variable, None, f"no polynomial from {start} on", 0)]


def _points(base: int, modulus: int) -> list[int]:
    return [base + modulus * place for place in PLACES]


def _polynomial(points: Sequence[tuple[int, int | None]]) -> tuple[tuple[Fraction, ...], int] | None:
    """The polynomial of least degree through all points, and the number of points that prove it; None if there is none
    with enough of them."""
    known = [(Fraction(x), Fraction(y)) for x, y in points if y is not None]
    for degree in range(MAX_DEGREE + 1):
        proofs = known[degree + 1 :]
        if len(proofs) < degree + PROOFS:
            return None
        coefficients = _interpolated(known[: degree + 1])
        if all(_at(coefficients, x) == y for x, y in proofs):
            return coefficients, len(proofs)
    return None


def _at(coefficients: Sequence[Fraction], x: Fraction) -> Fraction:
    total = Fraction(0)
    for coefficient in reversed(coefficients):
        total = total * x + coefficient
    return total


def _interpolated(points: Sequence[tuple[Fraction, Fraction]]) -> tuple[Fraction, ...]:
    """The coefficients, ascending, of the polynomial through the points, by Newton's divided differences."""
    differences = [y for _, y in points]
    for order in range(1, len(points)):
        for place in range(len(points) - 1, order - 1, -1):
            step = points[place][0] - points[place - order][0]
            differences[place] = (differences[place] - differences[place - 1]) / step
    result = [Fraction(0)]
    for (x, _), difference in zip(reversed(points), reversed(differences), strict=True):
        shifted = [Fraction(0), *result]
        for power, coefficient in enumerate(result):
            shifted[power] -= x * coefficient
        shifted[0] += difference
        result = shifted
    while len(result) > 1 and not result[-1]:
        result.pop()
    return tuple(result)
