"""A table as data, and as CSV, Markdown and LaTeX. Terminal layout is in layout.py, HTML in html.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, Literal, NamedTuple, TypeVar

from convcalc.shapes import show

T = TypeVar("T")


class Column(NamedTuple):
    """A column: how to get a cell's value and text from a row's record.

    key: its name in CSV. value: the cell's value, a number, text or shape; by default the record's attribute named
    `key`. text: the cell's text; by default the value with thousands separators. short: texts for narrow terminals,
    each shorter than the one before. adds: values add up to a total. wrap: a narrow terminal may wrap its text;
    other columns are never broken.
    """

    key: str
    header: str
    value: Callable[[Any], object] | None = None
    text: Callable[[Any], str] | None = None
    short: tuple[Callable[[Any], str], ...] = ()
    adds: bool = False
    right: bool = False
    wrap: bool = False
    style: str = ""


class Total(NamedTuple):
    """A row of totals: a record whose summable columns are shown, and texts for other columns by key, each with its
    shorter forms."""

    record: Any
    labels: Mapping[str, tuple[str, ...]]


class Note(NamedTuple):
    """A note below a table. about: its subject, if the table has several."""

    text: str
    about: str = ""

    @property
    def label(self) -> str:
        """`note: `, `note on A: `."""
        return f"note on {self.about}: " if self.about else "note: "


class Narrowing(NamedTuple):
    """A step that makes a table narrower: drops a column, or shortens its texts."""

    action: Literal["drop", "shorten"]
    key: str


class Heading(NamedTuple):
    """The text above a group of rows, and the number of the group's first row."""

    row: int
    text: str


class Table(NamedTuple):
    """Columns, records as rows, totals below a rule, and lines of text around them.

    CSV may have its own columns and its own unfolded rows, which are made when they are needed. narrowing: steps
    applied in order on a narrow terminal, before texts are wrapped; wider: how to undo them other than by a wider
    window. styles: the style of each row. headings: what stands above groups of rows, from top to bottom.
    """

    columns: Sequence[Column]
    rows: Sequence[Any]
    title: str = ""
    subtitle: str = ""
    footer: Sequence[Total] = ()
    lines: Sequence[str] = ()
    notes: Sequence[Note] = ()
    data_columns: Sequence[Column] | None = None
    data: Callable[[], Iterable[Any]] | None = None
    styles: Sequence[str] = ()
    narrowing: Sequence[Narrowing] = ()
    wider: str = ""
    headings: Sequence[Heading] = ()


def notes(texts: Iterable[str], about: str = "") -> list[Note]:
    """Each text as a note."""
    return [Note(text, about) for text in texts]


def drop(*keys: str) -> list[Narrowing]:
    """Narrowings that drop these columns, one after another."""
    return [Narrowing("drop", key) for key in keys]


def shorten(*keys: str) -> list[Narrowing]:
    """Narrowings that shorten the texts of these columns, one after another."""
    return [Narrowing("shorten", key) for key in keys]


def value_of(column: Column, record: Any) -> object:
    """A record's value in a column."""
    return column.value(record) if column.value is not None else getattr(record, column.key)


def text_of(column: Column, record: Any, level: int = 0) -> str:
    """A record's text in a column. level: 0 in full, from 1 shortened."""
    if level and column.short:
        return column.short[min(level, len(column.short)) - 1](record)
    return column.text(record) if column.text is not None else written(value_of(column, record))


def total_text(column: Column, total: Total, level: int = 0) -> str:
    """A total's text in a column; "" if it has none."""
    if column.key in total.labels:
        texts = total.labels[column.key]
        return texts[min(level, len(texts) - 1)]
    return text_of(column, total.record, level) if column.adds else ""


def written(value: object) -> str:
    """A value as text: `34,848`, `96×55×55`, `0.50`; `–` for None."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None:
        return "–" if value is None else "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    if isinstance(value, Fraction):
        return f"{value.numerator:,}" if value.denominator == 1 else f"{float(value):,.2f}"
    if isinstance(value, (tuple, list)):
        return show(value) if all(isinstance(item, int) for item in value) else ", ".join(map(str, value))
    return str(value)


def datum(value: object) -> object:
    """A value in CSV: plain numbers, `96x55x55`, names separated by blanks."""
    if isinstance(value, (tuple, list)):
        numbers = all(isinstance(item, (int, Fraction)) for item in value)
        return ("x" if numbers else " ").join(map(str, value))
    return float(value) if isinstance(value, Fraction) else "" if value is None else value


def plain(value: object) -> object:
    """A value for Python: numbers and texts unchanged, shapes and lists as in CSV, None if unknown."""
    return value if value is None else datum(value)


def texts(table: Table) -> list[list[str]]:
    """The rows' texts in full."""
    return [[text_of(column, record) for column in table.columns] for record in table.rows]


def grouped(table: Table, rows: Iterable[T], heading: Callable[[str], T]) -> Iterator[T]:
    """The rows, each group's heading before its first one."""
    above = {place.row: place.text for place in table.headings}
    for number, row in enumerate(rows):
        if number in above:
            yield heading(above[number])
        yield row


def totals(table: Table) -> list[list[str]]:
    """The texts of the total rows."""
    return [[total_text(column, total) for column in table.columns] for total in table.footer]


def records(table: Table) -> list[dict[str, object]]:
    """The rows as dicts of values by column key."""
    return [
        {column.key: value_of(column, record) for column in data_columns(table)} for record in data(table)
    ]


def data_columns(table: Table) -> Sequence[Column]:
    """The columns of the CSV."""
    return table.columns if table.data_columns is None else table.data_columns


def data(table: Table) -> Iterable[Any]:
    """The rows of the CSV."""
    return table.rows if table.data is None else table.data()


def below(table: Table) -> list[str]:
    """The lines and notes below a table; notes are labelled with their subject."""
    return [*table.lines, *(note.label * bool(note.about) + note.text for note in table.notes)]


def to_csv(table: Table) -> str:
    """The rows with a header of keys (RFC 4180, but lines end with \\n)."""
    import csv
    import io

    columns = data_columns(table)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([column.key for column in columns])
    for record in data(table):
        writer.writerow([datum(value_of(column, record)) for column in columns])
    return out.getvalue()


def to_markdown(table: Table) -> str:
    """A pipe table with the title above and the lines below."""

    def cell(text: str) -> str:
        return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell(text) for text in cells) + " |"

    blank = [""] * (len(table.columns) - 1)
    head = [f"### {cell(table.title)}", ""] if table.title else []
    head += [cell(table.subtitle), ""] if table.subtitle else []
    body = [
        line([column.header for column in table.columns]),
        "| " + " | ".join("---:" if column.right else "---" for column in table.columns) + " |",
        *grouped(table, map(line, texts(table)), lambda text: line([f"**{text}**", *blank])),
        *(line([f"**{text}**" if text else "" for text in row]) for row in totals(table)),
    ]
    tail = (
        [
            "",
            *(f"{' ' * (len(text) - len(text.lstrip()))}- {cell(text.strip())}" for text in below(table)),
        ]
        if table.lines or table.notes
        else []
    )
    return "\n".join([*head, *body, *tail]) + "\n"


_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "×": r"$\times$", "−": r"$-$", "·": r"$\cdot$",
    "→": r"$\to$", "–": "--", "⌊": r"$\lfloor$", "⌋": r"$\rfloor$", "⌈": r"$\lceil$", "⌉": r"$\rceil$", "█": "",
    "δ": r"$\delta$", "γ": r"$\gamma$", "σ": r"$\sigma$", "ε": r"$\varepsilon$", "Σ": r"$\Sigma$", "²": r"$^2$",
    "√": r"$\surd$", "…": r"\dots{}", "°": r"$^\circ$", "≥": r"$\ge$", "≤": r"$\le$", "ℓ": r"$\ell$", "|": r"$|$",
}  # fmt: skip


def latex(text: str) -> str:
    """Text escaped for LaTeX."""
    return "".join(_LATEX.get(character, character) for character in text)


def to_latex(table: Table) -> str:
    """A tabular (booktabs) inside a table with the title as caption; needs \\usepackage{booktabs}."""

    def line(cells: Sequence[str]) -> str:
        return " & ".join(map(latex, cells)) + r" \\"

    def heading(text: str) -> str:
        return rf"\multicolumn{{{len(table.columns)}}}{{l}}{{\textbf{{{latex(text)}}}}} \\"

    rules = [r"\midrule", *map(line, totals(table))] if table.footer else []
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            *([rf"\caption{{{latex(table.title)}}}"] if table.title else []),
            rf"\begin{{tabular}}{{{''.join('r' if column.right else 'l' for column in table.columns)}}}",
            r"\toprule",
            line([column.header for column in table.columns]),
            r"\midrule",
            *grouped(table, map(line, texts(table)), heading),
            *rules,
            r"\bottomrule",
            r"\end{tabular}",
            *(rf"\par {latex(text)}" for text in below(table)),
            r"\end{table}",
            "",
        ]
    )
