"""Letters as numbers: the algebra they must obey, and how sums are written."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcalc.layer.symbols import Expression, ending, read, written

A, B, W, X = (Expression.letter(name) for name in "abwx")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (A * W + B * X, "aw + bx"),
        (W * A, "wa"),
        (0 + A * W - B * X * 2, "aw − 2bx"),
        (-A, "−a"),
        ((A + B) / 4, "(a + b)/4"),
        (A / 4, "a/4"),
        (A * Fraction(2, 3) + B, "(2a + 3b)/3"),
        (A - A, "0"),
        (A + 1, "a + 1"),
        (2 - A, "2 − a"),
        (1 - 2 * A, "1 − 2a"),
        (Expression.letter("x1") * Expression.letter("w11") + 2 * Expression.letter("x2"), "x1·w11 + 2·x2"),
        (A * 0, "0"),
    ],
)
def test_writing_sums(value: Expression, text: str) -> None:
    assert written(value) == text


@pytest.mark.parametrize(
    ("value", "decimal", "places", "text"),
    [
        (Fraction(41, 9), None, None, "41/9"),
        (Fraction(13, 4), None, None, "3.25"),
        (Fraction(13, 4), False, None, "13/4"),
        (Fraction(-1, 8), None, None, "−0.125"),
        (Fraction(41, 9), None, 2, "4.56"),
        (-7, None, None, "−7"),
        (Fraction(6, 2), None, None, "3"),
        (0.1, None, None, "0.1"),
        (A / 4 + B / 2, True, None, "0.25a + 0.5b"),
    ],
)
def test_writing_numbers(value: object, decimal: bool | None, places: int | None, text: str) -> None:
    assert written(value, decimal=decimal, places=places) == text


@pytest.mark.parametrize(
    ("token", "value"),
    [
        ("3", 3), ("-0.5", Fraction(-1, 2)), ("−2", -2), ("1/9", Fraction(1, 9)), (".01", Fraction(1, 100)),
        ("2e-3", Fraction(1, 500)), ("5.", 5), ("w", W), ("-b", -B), ("2a", 2 * A), ("1/2a", A / 2),
        ("x_1", Expression.letter("x_1")), ("ℓ", Expression.letter("ℓ")), ("2*x1", 2 * Expression.letter("x1")),
    ],
)  # fmt: skip
def test_reading(token: str, value: object) -> None:
    assert read(token) == value


@pytest.mark.parametrize("token", ["", "1/0", "a+b", "1e999", "--1", "0x10", "1" * 50, "nan%", "_", "1,5"])
def test_what_is_no_number_and_no_letter(token: str) -> None:
    assert read(token) is None


numbers = st.fractions(min_value=-5, max_value=5, max_denominator=6)
letters = st.sampled_from("abcd")
products = st.builds(
    lambda names, number: Expression({}) + _product(names, number), st.lists(letters, max_size=3), numbers
)
sums = st.lists(products, max_size=4).map(lambda terms: sum(terms, Expression({})))


def _product(names: list[str], number: Fraction) -> Expression:
    result = Expression({}) + number
    for name in names:
        result = result * Expression.letter(name)
    return result


def _value(expression: Expression, at: dict[str, Fraction]) -> Fraction:
    """The sum with numbers in the place of letters."""
    total = Fraction(0)
    for coefficient, names in expression.terms.values():
        term = Fraction(coefficient)
        for name in names:
            term *= at[name]
        total += term
    return total


places = st.fixed_dictionaries(dict.fromkeys("abcd", numbers))


@given(one=sums, two=sums, number=numbers, at=places)
def test_numbers_in_the_place_of_letters(
    one: Expression, two: Expression, number: Fraction, at: dict[str, Fraction]
) -> None:
    """Adding, multiplying and scaling commute with putting numbers in."""
    p, q = _value(one, at), _value(two, at)
    assert _value(one + two, at) == p + q
    assert _value(one - two, at) == p - q
    assert _value(one * two, at) == p * q
    assert _value(one * number, at) == _value(number * one, at) == p * number
    assert one * two == two * one
    assert one + two == two + one
    assert (one - one) == 0
    assert hash(one + two) == hash(two + one)


@given(value=numbers)
def test_decimals_that_end(value: Fraction) -> None:
    digits = ending(value)
    assert (digits is None) == any(value.denominator % prime == 0 for prime in (3,))
    if digits is not None:
        assert (value * 10**digits).denominator == 1


def test_letters_have_no_order_and_no_value() -> None:
    with pytest.raises(TypeError):
        max(A, B)
    with pytest.raises(TypeError):
        float(A)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        A / B  # type: ignore[operator]
