"""Tables as HTML: fragments for pages with a style of their own, and whole pages, light or dark as the browser
prefers, printed in black on white."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape

from convcalc.render.table import Column, Table, grouped, texts, totals

STYLE = """
@page { size: A4; margin: 18mm 16mm; }
:root { color-scheme: light; --ink: #111; --soft: #555; --faint: #bbb; --paper: #fff; --added: #11691f;
        --removed: #a8121b; }
@media screen and (prefers-color-scheme: dark) {
  :root { color-scheme: dark; --ink: #e8e8e6; --soft: #a3a3a0; --faint: #4a4a4d; --paper: #17181a; --added: #7bc98a;
          --removed: #f08d8d; }
}
body { font: 11pt/1.4 "Helvetica Neue", Arial, sans-serif; color: var(--ink); background: var(--paper);
       max-width: 178mm; margin: 0 auto; }
@media screen { body { margin: 10mm auto; padding: 0 5mm; } }
h1 { font-size: 17pt; margin: 0; }
p.sub { color: var(--soft); margin: 0 0 5mm; }
table { border-collapse: collapse; width: 100%; }
thead { display: table-header-group; }
tr { break-inside: avoid; }
th { text-align: left; border-bottom: 1pt solid var(--ink); padding: 1.2mm 2mm; }
td { border-bottom: 0.3pt solid var(--faint); padding: 1.6mm 2mm; font-variant-numeric: tabular-nums; }
.right { text-align: right; }
"""
TABLES = """
body { max-width: 100%; width: fit-content; box-sizing: border-box; }
section { margin-bottom: 10mm; }
.wide { overflow-x: auto; font-size: 10.5pt; }
td { padding: 0.8mm 2mm; }
th, td.right, td:first-child { white-space: nowrap; }
tfoot th { border-bottom: 0; border-top: 1pt solid var(--ink); font-variant-numeric: tabular-nums; }
tr.dim { color: var(--soft); }
tr.green { color: var(--added); }
tr.red { color: var(--removed); }
tr.bold { font-weight: bold; }
p { max-width: 178mm; margin: 0; font-size: 9.5pt; color: var(--soft); }
table + p, .wide + p { margin-top: 3mm; }
p.note { margin-top: 1mm; }
p.note b { color: var(--ink); }
@media print { body { width: auto; } .wide { font-size: 8pt; } }
"""
# In a notebook: scoped to its own element, in the page's colours, light or dark.
FRAGMENT = """
.convcalc { color: inherit; font-variant-numeric: tabular-nums; }
.convcalc h1 { font-size: 1.3em; margin: 0; }
.convcalc p { margin: 0.2em 0 0; opacity: 0.75; }
.convcalc p.sub { margin: 0 0 0.6em; }
.convcalc .wide { overflow-x: auto; }
.convcalc table { border-collapse: collapse; margin: 0 0 0.6em; }
.convcalc tr { background: transparent; }
.convcalc th, .convcalc td { text-align: left; vertical-align: top; padding: 0.2em 0.7em; border: 0;
  border-bottom: 1px solid rgb(128 128 128 / 0.3); }
.convcalc thead th { border-bottom: 1px solid currentColor; }
.convcalc tfoot th { border-bottom: 0; border-top: 1px solid currentColor; }
.convcalc .right { text-align: right; }
.convcalc tr.dim { opacity: 0.65; }
.convcalc tr.green { color: #23883f; }
.convcalc tr.red { color: #d9453f; }
.convcalc tr.bold { font-weight: bold; }
.convcalc pre { color: inherit; background: transparent; white-space: pre-wrap; }
"""


def page(title: str, body: str, style: str = "") -> str:
    """A whole HTML page. style: CSS rules added after the common ones."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}{style}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )


def table_page(tables: Sequence[Table]) -> str:
    """A whole page of tables, each under its title."""
    body = "".join(
        f"<section>\n{_heading(table)}{_grid(table)}{_below(table)}</section>\n" for table in tables
    )
    return page(next((table.title for table in tables if table.title), "convcalc"), body, TABLES)


def fragment(tables: Sequence[Table], text: str = "") -> str:
    """Tables, each under its title, or preformatted text, for embedding in a page such as a notebook.

    Its colours follow the page, light or dark; its CSS rules apply only within it.
    """
    body = "".join(f"{_heading(table)}{_grid(table)}{_below(table)}" for table in tables)
    body += f"<pre>{escape(text)}</pre>\n" if text else ""
    return f'<div class="convcalc">\n<style>{FRAGMENT}</style>\n{body}</div>\n'


def heading_row(columns: Sequence[Column]) -> str:
    """The cells of a table's header row."""
    return "".join(_cell("th", column, column.header) for column in columns)


def _heading(table: Table) -> str:
    title = f"<h1>{escape(table.title)}</h1>\n" if table.title else ""
    return title + (f'<p class="sub">{escape(table.subtitle)}</p>\n' if table.subtitle else "")


def _grid(table: Table) -> str:
    """The table element; rows have the CSS classes that their styles name."""

    def row(tag: str, cells: Sequence[str], style: str = "") -> str:
        shown = "".join(_cell(tag, column, text) for column, text in zip(table.columns, cells, strict=True))
        return f'<tr class="{style}">{shown}</tr>' if style else f"<tr>{shown}</tr>"

    styles = table.styles or [""] * len(table.rows)
    rows = (row("td", cells, style) for cells, style in zip(texts(table), styles, strict=True))
    body = "\n".join(grouped(table, rows, partial(_group, len(table.columns))))
    foot = "\n".join(row("th", cells) for cells in totals(table))
    foot = f"<tfoot>\n{foot}\n</tfoot>\n" if foot else ""
    return (
        f'<div class="wide">\n<table class="convcalc">\n<thead><tr>{heading_row(table.columns)}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n{foot}</table>\n</div>\n"
    )


def _group(columns: int, text: str) -> str:
    return f'<tr><th colspan="{columns}" scope="rowgroup">{escape(text)}</th></tr>'


def _cell(tag: str, column: Column, text: str) -> str:
    return (
        f'<{tag} class="right">{escape(text)}</{tag}>' if column.right else f"<{tag}>{escape(text)}</{tag}>"
    )


def _below(table: Table) -> str:
    lines = []
    for text in table.lines:
        indent = len(text) - len(text.lstrip())
        style = f' style="margin-left: {indent}ch"' if indent else ""
        lines.append(f"<p{style}>{escape(text.strip())}</p>\n")
    lines += [f'<p class="note"><b>{note.label}</b>{escape(note.text)}</p>\n' for note in table.notes]
    return "".join(lines)
