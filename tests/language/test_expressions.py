"""The expression language."""

# ruff: noqa: E501 (a table reads best with a case per line)

from __future__ import annotations

import pytest

from convcalc.language.expressions import Budget, Names, compile_text
from convcalc.language.functions import divisible
from convcalc.language.syntax import ExpressionError

NAMES = {"a": 7, "b": 2.0, "w": [64, 128, [1, 2]], "t": "text", "yes": True, "none": None}


def value(text):
    compiled = compile_text(text)
    return compiled if isinstance(compiled, str) else compiled.evaluate(Names(NAMES))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"), ("$a", 7), ("$w", [64, 128, [1, 2]]), ("$t", "text"), ("$yes", True), ("$none", None),
        # within text it becomes text; a whole float loses its .0
        ("x$a", "x7"), ("$a$b", "72"), ("block$(a + 1)-$a", "block8-7"), ("$t/$yes/$none", "text/true/null"),
        ("$(1 / 4)x", "0.25x"), ("$$a", "$a"), ("a$$", "a$"), ("$(b)", 2.0),
        # arithmetic
        ("$(1 + 2 * 3)", 7), ("$((1 + 2) * 3)", 9), ("$(7 / 2)", 3.5), ("$(7 // 2)", 3), ("$(-7 // 2)", -4),
        ("$(7 % 4)", 3), ("$(2 ** 10)", 1024), ("$(-a)", -7), ("$(+a)", 7), ("$(6 / 2)", 3.0), ("$(.5 + 1e1)", 10.5),
        # comparisons, chained too
        ("$(a == 7)", True), ("$(a != 7)", False), ("$(1 < a <= 7)", True), ("$(a >= 8)", False), ("$(b == 2)", True),
        ("$(t == 'text')", True), ("$(none == null)", True), ("$(a != null)", True), ("$(yes == true)", True),
        ("$(yes == 1)", False), ("$('2' == 2)", False), ("$(a in [1, 7])", True), ("$(a not in [1, 7])", False),
        ("$([1, 2] == [1, 2])", True), ("$([1, 2] == [1, 3])", False), ("$([] == [])", True),
        # logic stops early
        ("$(true or 1 // 0 == 1)", True), ("$(false and 1 // 0 == 1)", False), ("$(not yes)", False),
        ("$(1 if yes else 1 // 0)", 1), ("$('x' if not yes else 'y')", "y"),
        # lists
        ("$([1, a, 'x'])", [1, 7, "x"]), ("$(w[0])", 64), ("$(w[-1])", [1, 2]), ("$(w[2][1])", 2), ("$(w[b - 1])", 128),
        ("$([1] + [2])", [1, 2]), ("$('a' + 'b')", "ab"), ("$(w[0] if a > 5 else w[1])", 64),
        # functions
        ("$(min(3, 1, 2))", 1), ("$(max([3, 1, 2]))", 3), ("$(round(2.6))", 3), ("$(round(2.345, 1))", 2.3),
        ("$(floor(2.9))", 2), ("$(ceil(2.1))", 3), ("$(abs(-3))", 3), ("$(len(w))", 3), ("$(len('abc'))", 3),
        ("$(sum([1, 2, 3]))", 6), ("$(sum(1, 2))", 3), ("$(sum([]))", 0), ("$(range(3))", [0, 1, 2]),
        ("$(range(1, 6, 2))", [1, 3, 5]), ("$(range(b))", [0, 1]), ("$(range(3, 0))", []), ("$(divisible(33, 8))", 32),
        # parentheses and quotes within
        ("$(')' + '(')", ")("), ("$(\"it's\")", "it's"), ("$( a )", 7),
    ],
)  # fmt: skip
def test_values(text, expected):
    result = value(text)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("number", "divisor", "expected"),
    # 0.9 · 33 = 29.7 ≤ 32; 12: 8 or 16 are as near, halves go up; 10: 8 < 9 = 0.9 · 10, so up; 3: at least one
    [
        (32, 8, 32),
        (33, 8, 32),
        (12, 8, 16),
        (10, 8, 16),
        (9, 8, 16),
        (8.5, 8, 8),
        (3, 8, 8),
        (36.0, 8, 40),
        (0, 8, 8),
    ],
)
def test_divisible(number, divisor, expected):
    assert divisible(number, divisor) == expected


@pytest.mark.parametrize(
    ("text", "message", "offset"),
    [
        ("$(a + )", "cannot read 'a +' as an expression", None),
        ("$(", "cut short: a ( is not closed", 0),
        ("x$((1)", "cut short: a ( is not closed", 1),
        ("$('a)", "cut short: a quote is not closed", 0),
        ("$()", "the expression is empty", 0),
        ("a $ b", "a lone $", 2),
        ("${a}", "a lone $", 0),
        ("$1", "a lone $", 0),
        ("$true", "'true' is not a variable", 0),
        ("$min", "'min' is not a variable", 0),
        ("$(nope)", "no variable 'nope' here", 2),
        ("$(min + 1)", "min is a function", 2),
        ("$(mim(1))", "no function 'mim'; did you mean 'min'?", 2),
        ("$(a(1))", "no function 'a'", 2),
        ("$(True)", "True is written true", 2),
        ("$(None)", "None is written null", 2),
        ("$(1 // 0)", "division by zero", 2),
        ("$(1 % 0)", "division by zero", 2),
        ("$(2 ** 9999)", "the power is too large", 2),
        ("$((-8) ** 0.5)", "the result is not a number", None),
        ("$(10 ** 30)", "the number is too large", 2),
        ("$(9e99)", "the number is too large", 2),
        ("$(a + t)", "+ adds two numbers or joins two texts, not", 2),
        ("$(a + true)", "arithmetic needs numbers, not true", 2),
        ("$(t < 'z')", "arithmetic needs numbers, not 'text'", 2),
        ("$(-t)", "arithmetic needs numbers", None),
        ("$(not a)", "a condition is true or false, not 7", None),
        ("$(1 if a else 2)", "a condition is true or false, not 7", None),
        ("$(a and yes)", "a condition is true or false, not 7", None),
        ("$(w[3])", "no item [3] in a list of 3; its last item is [2]", 2),
        ("$(w[0.5])", "an index is an integer, not 0.5", 2),
        ("$(a[0])", "only a list can be indexed, not 7", 2),
        ("$(a in 7)", "'in' needs a list on its right", 2),
        ("$(w == w + [])", "lists of lists cannot be compared", 2),
        ("$(min())", "min takes at least 1 argument, not 0", 2),
        ("$(min(t))", "min needs numbers; it was given 'text'", 2),
        ("$(len(a))", "len needs a list or a text; it was given 7", 2),
        ("$(range(0.5))", "range needs integers", 2),
        ("$(range(1, 2, 0))", "range needs a step other than 0", 2),
        ("$(range(10 ** 9))", "range makes lists of at most 1,000,000", 2),
        ("$(floor(1, 2))", "floor takes 1 argument, not 2", 2),
        ("$(round(1, 2, 3))", "round takes 1 or 2 arguments, not 3", 2),
        ("$(divisible(8))", "divisible takes 2 arguments, not 1", 2),
        ("$(divisible(8, 0))", "divisible needs a number of at least 0 and a whole divisor", 2),
        ("$(divisible(-32, 8))", "divisible needs a number of at least 0 and a whole divisor", 2),
        ("$(0x10)", "'0x10' is neither a number nor a name", 2),
        ("$(1_000)", "'1_000' is neither a number nor a name", 2),
        ("$(2a)", "'2a' is neither a number nor a name", 2),
        ("$(a.real)", "not part of the expression language", 2),
        ("$([x for x in w])", "not part of the expression language", 2),
        ("$(lambda: 1)", "not part of the expression language", 2),
        ("$((1, 2))", "not part of the expression language", None),
        ("$(f'{a}')", "not part of the expression language", 2),
        ("$(b'x')", "not part of the expression language", 2),
        ("$(1j)", "'1j' is neither", 2),
        ("$(...)", "not part of the expression language", 2),
        ("$(a is 7)", "not part of the expression language", 2),
        ("$(~a)", "not part of the expression language", 2),
        ("$(max(w, key=len))", "not part of the expression language", 2),
        ("$(a := 3)", "cannot read", None),
        ("$(" + "(" * 300 + "1" + ")" * 300 + ")", "", None),
        ("$(" + "-" * 200 + "1)", "nested too deep", None),
        ("$(" + "1+" * 200 + "1)", "nested too deep", None),
        ("$(" + "1" * 3000 + ")", "at most 2,000 characters", None),
        ("$('\\n')", "without backslashes", None),
        ("x$w", "a list cannot become part of a text", None),
    ],
)  # fmt: skip
def test_refused(text, message, offset):
    with pytest.raises(ExpressionError) as caught:
        value(text)
    assert message in caught.value.message
    if offset is not None:
        assert caught.value.offset == offset


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("$(yes && yes)", "'and' is written"), ("$(yes || yes)", "'or' is written"), ("$(!yes)", "'not' is written"),
        ("$(yes ? 1 : 2)", "x if condition else y"), ("$(a = 7)", "=="), ("$(2 ^ 3)", "**"), ("$($a + 1)", "bare name"),
        ("$(a is 7)", "=="), ("$(t.upper())", "no attributes"), ("$([k for k in w])", "foreach"), ("${a}", "write $name"),
        ("$(len)", "write len(...)"),
    ],
)  # fmt: skip
def test_other_languages_habits_get_a_hint(text, hint):
    with pytest.raises(ExpressionError) as caught:
        value(text)
    assert hint in caught.value.hint


def test_the_budget_ends_what_costs_too_much():
    names = Names({}, Budget(1_000_000))
    template = compile_text("$(sum(range(700000)))")
    template.evaluate(names)
    with pytest.raises(ExpressionError, match="more than 1,000,000 operations"):
        template.evaluate(names)


def test_nested_lists_compare_within_bounds(specs):
    chain = "".join(f"  x{k}: [$x{k - 1}, $x{k - 1}]\n  y{k}: [$y{k - 1}, $y{k - 1}]\n" for k in range(1, 60))
    error = specs.error(f"vars:\n  x0: [1]\n  y0: [1]\n{chain}  z: $(x59 == y59)\nlayers: [relu]")
    assert error.message == "lists of lists cannot be compared"


def test_texts_do_not_grow_without_bound(specs):
    chain = "".join(f"  x{k}: $x{k - 1}$x{k - 1}$x{k - 1}$x{k - 1}\n" for k in range(1, 60))
    error = specs.error(f"vars:\n  x0: abcdefgh\n{chain}layers: [relu]")
    assert "grows beyond 10,000 characters" in error.message


@pytest.mark.parametrize(
    "name",
    ["i", "channels", "min", "divisible", "if", "from", "class", "None", "true", "null", "name", "repeat", "keys", "a-b",
     "1a", "a.b", "é", "$x"],
)  # fmt: skip
def test_names_that_are_taken(specs, name):
    assert "cannot name a variable" in specs.error(f"vars: {{{name}: 1}}\nlayers: [relu]").message


def test_the_error_points_into_the_expression(specs):
    error = specs.error("vars: {width: 3}\nlayers:\n  - conv: {filters: $(2 * widht), kernel: 1}")
    assert error.message == "no variable 'widht' here; did you mean 'width'?"
    assert (error.mark.line, error.mark.column, error.mark.length) == (5, 27, 5)
    error = specs.error('vars: {width: 3}\nlayers:\n  - conv: {filters: "$(2 * widht)", kernel: 1}')
    assert (error.mark.column, error.mark.length) == (28, 5)
