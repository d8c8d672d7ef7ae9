"""Tables laid out: no number is cut, no text lost, no loop without end."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from convcalc.render.layout import cells, table_lines, wrap
from convcalc.render.table import Column, Table

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
        Column("a", "layer", wrap=True),
        Column("b", "weights", right=True),
        Column("c", "MACs", right=True, drop=1),
    )
    return Table(columns=columns, rows=rows)


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
