"""A table as data, and its plain formats: CSV, Markdown, LaTeX, HTML. The terminal's is in terminal.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple


class Column(NamedTuple):
    """A column: its key in CSV, its header, and what a narrow terminal may do with it.

    drop: columns are left out of a narrow terminal in this order (1 first); 0: never.
    wrap: its text may be broken into lines; others are kept whole.
    """

    key: str
    header: str
    right: bool = False
    drop: int = 0
    wrap: bool = False
    style: str = ""


class Table(NamedTuple):
    """Columns, rows of text, rows below a rule (totals), and lines of text around them.

    `data` are the rows for programs (CSV): numbers without separators, nothing folded; by column key. `styles`
    colour whole rows on a terminal.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    title: str = ""
    subtitle: str = ""
    footer: Sequence[Sequence[str]] = ()
    lines: Sequence[str] = ()
    notes: Sequence[str] = ()
    data_keys: Sequence[str] = ()
    data: Sequence[Sequence[object]] = ()
    styles: Sequence[str] = ()


def to_csv(table: Table) -> str:
    """The data rows with a header of keys (RFC 4180, \\n ends a line)."""
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.data_keys)
    writer.writerows(table.data)
    return out.getvalue()


def to_markdown(table: Table) -> str:
    """A pipe table with the title above and the lines below."""

    def cell(text: str) -> str:
        return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell(text) for text in cells) + " |"

    head = [f"### {cell(table.title)}", ""] if table.title else []
    head += [cell(table.subtitle), ""] if table.subtitle else []
    body = [
        line([column.header for column in table.columns]),
        "| " + " | ".join("---:" if column.right else "---" for column in table.columns) + " |",
        *(line(row) for row in table.rows),
        *(line([f"**{text}**" if text else "" for text in row]) for row in table.footer),
    ]
    tail = (
        [
            "",
            *(
                f"{' ' * (len(text) - len(text.lstrip()))}- {cell(text.strip())}"
                for text in (*table.lines, *table.notes)
            ),
        ]
        if table.lines or table.notes
        else []
    )
    return "\n".join([*head, *body, *tail]) + "\n"


_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "×": r"$\times$", "−": r"$-$", "·": r"$\cdot$",
    "→": r"$\to$", "–": "--", "⌊": r"$\lfloor$", "⌋": r"$\rfloor$", "⌈": r"$\lceil$", "⌉": r"$\rceil$", "█": "",
}  # fmt: skip


def latex(text: str) -> str:
    """Text as LaTeX writes it."""
    return "".join(_LATEX.get(character, character) for character in text)


def to_latex(table: Table) -> str:
    """A tabular (booktabs) inside a table with the title as caption; needs \\usepackage{booktabs}."""

    def line(cells: Sequence[str]) -> str:
        return " & ".join(map(latex, cells)) + r" \\"

    rules = [r"\midrule", *map(line, table.footer)] if table.footer else []
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            *([rf"\caption{{{latex(table.title)}}}"] if table.title else []),
            rf"\begin{{tabular}}{{{''.join('r' if column.right else 'l' for column in table.columns)}}}",
            r"\toprule",
            line([column.header for column in table.columns]),
            r"\midrule",
            *map(line, table.rows),
            *rules,
            r"\bottomrule",
            r"\end{tabular}",
            *(rf"\par {latex(text)}" for text in (*table.lines, *table.notes)),
            r"\end{table}",
            "",
        ]
    )


def to_html(table: Table) -> str:
    """A <table> with its caption and the lines below, styled by nothing but alignment."""
    from html import escape

    def row(cells: Sequence[str], tag: str) -> str:
        shown = [
            f'<{tag} style="text-align:{"right" if column.right else "left"}">{escape(text)}</{tag}>'
            for column, text in zip(table.columns, cells, strict=True)
        ]
        return f"<tr>{''.join(shown)}</tr>"

    caption = f"<caption>{escape(table.title)}</caption>" if table.title else ""
    body = "\n".join(row(cells, "td") for cells in table.rows)
    foot = "\n".join(row(cells, "th") for cells in table.footer)
    tail = "\n".join(f"<p>{escape(text)}</p>" for text in (*table.lines, *table.notes))
    foot = f"<tfoot>\n{foot}\n</tfoot>\n" if table.footer else ""
    return (
        f'<table class="convcalc">{caption}\n<thead>{row([c.header for c in table.columns], "th")}</thead>\n'
        f"<tbody>\n{body}\n</tbody>\n{foot}</table>\n{tail}\n"
    )


PLAIN: dict[str, Callable[[Table], str]] = {
    "csv": to_csv,
    "markdown": to_markdown,
    "latex": to_latex,
    "html": to_html,
}
