"""Tables laid out: no number is cut, no text lost, no loop without end."""

from __future__ import annotations

from operator import itemgetter

from hypothesis import example, given
from hypothesis import strategies as st

from convcalc.render.html import fragment
from convcalc.render.layout import cells, table_lines, wrap
from convcalc.render.table import Column, Table, drop, shorten, to_csv, to_latex, to_markdown

words = st.text(alphabet="ab.−×漢 ", max_size=60)


@given(words, st.integers(1, 40), st.integers(0, 60))
@example("  a", 1, 0)
@example("漢  a", 1, 0)
@example(" 漢字", 2, 1)
def test_wrapping_keeps_every_character_and_the_width(text: str, width: int, hanging: int) -> None:
    lines = wrap(text, width, hanging)
    assert "".join("".join(lines).split()) == "".join(text.split())
    # a line holds its indent, at most half the width, and one character, which may take two columns
    assert all(cells(line) <= max(width, width // 2 + 2) for line in lines)


def test_wrapping_at_blanks_and_dots() -> None:
    assert wrap("one two three", 7) == ["one two", "three"]
    assert wrap("layer1.block2.conv3", 14) == ["layer1.block2.", "conv3"]
    assert wrap("weights: long words", 10, hanging=2) == ["weights:", "  long", "  words"]


def table(rows: list[tuple[str, str, str]]) -> Table:
    columns = (
        Column("a", "layer", itemgetter(0), wrap=True),
        Column("b", "weights", itemgetter(1), right=True),
        Column("c", "MACs", itemgetter(2), right=True),
    )
    return Table(columns=columns, rows=rows, narrowing=drop("c"))


@given(
    st.lists(st.tuples(words, st.integers(0, 10**15), st.integers(0, 10**15)), min_size=1, max_size=6),
    st.integers(1, 90),
)
def test_numbers_are_never_broken(rows: list[tuple[str, int, int]], width: int) -> None:
    shown = [(name, f"{a:,}", f"{b:,}") for name, a, b in rows]
    lines = ["".join(span.text for span in line) for line in table_lines(table(shown), width)]
    assert all(any(number in line for line in lines) for _, number, _ in shown)


def test_a_title_too_long_for_its_line_leaves_no_empty_one() -> None:
    lines = list(table_lines(Table(columns=(), rows=(), title="x" * 50), 40))
    assert [span.text for line in lines for span in line] == ["x" * 40, "x" * 10]


# -- what a narrow terminal gives up ---------------------------------------------------------------------------

ROWS = [("stem", "conv K64 F7 S2 P3", 9_408, 64), ("head", "dense 1000", 512_000, 1_000)]
SHORT = {"conv K64 F7 S2 P3": "K64 F7", "dense 1000": "dense"}
COLUMNS = (
    Column("layer", "layer", itemgetter(0), wrap=True),
    Column("operator", "operator", itemgetter(1), short=(lambda row: SHORT[row[1]],), wrap=True),
    Column("weights", "weights", itemgetter(2), short=(lambda row: f"{row[2] // 1000}K",), right=True),
    Column("biases", "biases", itemgetter(3), right=True),
)
NARROWED = Table(
    columns=COLUMNS,
    rows=ROWS,
    narrowing=[*drop("biases"), *shorten("operator", "weights")],
    wider="--columns",
)
# Widths of the columns: layer 5, operator 17, weights 7, biases 6, two blanks between them: 41 in full.
FULL = """layer  operator           weights  biases
─────────────────────────────────────────
stem   conv K64 F7 S2 P3    9,408      64
head   dense 1000         512,000   1,000"""


def screen(table: Table, width: int | None) -> str:
    return "\n".join("".join(span.text for span in line).rstrip() for line in table_lines(table, width))


def test_a_table_that_fits_gives_nothing_up() -> None:
    assert screen(NARROWED, None) == screen(NARROWED, 41) == FULL


def test_columns_are_dropped_first_then_texts_shortened_and_a_line_says_so() -> None:
    assert (
        screen(NARROWED, 40)
        == """layer  operator           weights
─────────────────────────────────
stem   conv K64 F7 S2 P3    9,408
head   dense 1000         512,000
left out: biases (--columns or a wider
window)"""
    )
    # 24 = 5 + 8 + 7 and two gaps of 2: short operators fit, weights stay exact
    assert screen(NARROWED, 24).splitlines()[:5] == [
        "layer  operator  weights",
        "────────────────────────",
        "stem   K64 F7      9,408",
        "head   dense     512,000",
        "left out: biases;",
    ]


def test_what_was_given_up_in_vain_comes_back() -> None:
    """Dropping the narrow column did not help; shortening the wide one alone does: 5 + 8 + 7 + 6 and three gaps."""
    table = NARROWED._replace(columns=COLUMNS, narrowing=[*drop("biases"), *shorten("operator")])
    assert screen(table, 32).splitlines()[0] == "layer  operator  weights  biases"
    assert "left out" not in screen(table, 32)
    assert "shortened: operator" in screen(table, 32)


def test_texts_wrap_only_when_everything_has_been_given_up() -> None:
    assert screen(NARROWED, 21).splitlines()[3:] == [  # after two lines of headers and the rule
        "stem   K64         9K",
        "       F7",
        "head   dense     512K",
        "left out: biases;",
        "shortened: operator,",
        "weights (--columns or",
        "a wider window)",
    ]


def test_only_terminals_are_narrow() -> None:
    """CSV, Markdown, LaTeX and HTML have every column and exact numbers."""
    for form in (to_csv, to_markdown, to_latex, lambda table: fragment([table])):
        text = form(NARROWED)
        for expected in ("conv K64 F7 S2 P3", "biases", "512000" if form is to_csv else "512,000"):
            assert expected in text, (form, expected)
