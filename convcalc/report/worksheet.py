"""Worksheets as tables, as pages to print (HTML, LaTeX) and as files to fill in (CSV, JSON)."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from operator import itemgetter
from typing import Any

from convcalc.exercises.question import Question
from convcalc.exercises.worksheet import ASKS, Exercise, Sheet, SheetRow
from convcalc.render.html import heading_row, page
from convcalc.render.table import Column, Table, latex, texts, to_markdown
from convcalc.report import words
from convcalc.report.questions import answer_text
from convcalc.report.values import CONVENTIONS

BLANK = "________"
EXPLAINED = (
    "Sizes are channels × height × width.",
    "K filters, F kernel, S stride, P padding; a dense layer has one weight for each input and unit.",
    "Weights multiply, biases are added; MACs are multiply-accumulates, biases excluded.",
)
# In CSV a row is an exercise.
DATA = (
    Column("exercise", "", lambda exercise: exercise.name),
    Column("network", ""),
    Column("layer", "", lambda exercise: exercise.node.name if exercise.network else ""),
    Column("input", "", lambda exercise: exercise.given_input),
    Column("operator", "", lambda exercise: words.operator(exercise.node.op)),
    Column("asks", ""),
)
NO_ANSWER = Column("answer", "", lambda exercise: "")
ANSWER = (Column("answer", ""), Column("working", ""))


def sheet_table(sheet: Sheet, *, answers: bool = False) -> Table:
    """The worksheet; with answers, every cell filled and the working below."""
    columns = [
        _cell("layer", "layer" if sheet.network else "exercise", wrap=True, style="cyan"),
        *([] if sheet.network else [_cell("input", "input", right=True)]),
        _cell("operator", "operator", wrap=True),
        *(_cell(name, ASKS[name], right=True) for name in sheet.columns),
    ]
    rows = [_row(sheet, row, answers) for row in sheet.rows]
    if sheet.network:
        image = words.shape(sheet.rows[0].analysis.graph.input_shape)
        blank = {column.key: "" for column in columns}
        rows = [{**blank, "layer": "input", **({"output": image} if "output" in blank else {})}, *rows]
    lines = list(EXPLAINED)
    if answers:
        lines = [f"{label(exercise)}: {worked(exercise)}" for exercise in sheet.exercises]
    return Table(
        columns=columns,
        rows=rows,
        title=f"{sheet.title}: {'answers' if answers else 'worksheet'}",
        subtitle=_subtitle(sheet),
        lines=lines,
        data_columns=(*DATA, *ANSWER) if answers else (*DATA, NO_ANSWER),
        data=lambda: sheet.exercises,
    )


def _cell(key: str, header: str, **others: Any) -> Column:
    """A column of rows that are texts by column."""
    return Column(key, header, itemgetter(key), **others)


def _subtitle(sheet: Sheet) -> str:
    parts = [sheet.network] if sheet.network else []
    parts.append(words.plural(len(sheet.exercises), "answer"))
    if sheet.seed is not None:
        parts.append(f"seed {sheet.seed}")
    return ", ".join(parts)


def _row(sheet: Sheet, row: SheetRow, answers: bool) -> dict[str, str]:
    """The cells of a row by column."""
    cells = {
        "layer": row.name,
        "input": words.shape(row.node.input_shapes[0]),
        "operator": words.operator(row.node.op),
    }
    for name in sheet.columns:
        if not sheet.network and name not in row.blanks:
            cells[name] = ""  # a single layer shows no figure that helps with the question
        else:
            cells[name] = _figure(row, name) if answers or name not in row.blanks else BLANK
    return cells


def _figure(row: SheetRow, name: str) -> str:
    figure = row.figure(name)
    return "–" if figure is None else words.answer(figure)


def label(exercise: Exercise | Question) -> str:
    """`conv1, weights`; for a single random layer its number: `2.7.3, weights`; for a question its name."""
    if isinstance(exercise, Question):
        return exercise.name
    return f"{exercise.node.name if exercise.network else exercise.name}, {ASKS[exercise.asks]}"


def worked(exercise: Exercise | Question) -> str:
    """The working, followed by the answer if it does not end in it."""
    answer = answer_text(exercise.answer)
    if not exercise.working:
        return answer
    if exercise.working.replace(",", "").endswith(
        (f"= {answer}".replace(",", ""), f": {answer}".replace(",", ""))
    ):
        return exercise.working
    return f"{exercise.working} → {answer}"


def sheet_summary(sheet: Sheet) -> str:
    """`Worksheet LeNet-5: lenet5, 14 answers`."""
    return f"Worksheet {sheet.title}: {_subtitle(sheet)}"


def sheet_value(sheet: Sheet, *, answers: bool = False) -> dict[str, Any]:
    """JSON of `worksheet`: with empty answers to fill in, or with the answers."""
    exercises = []
    for exercise in sheet.exercises:
        answer = exercise.answer
        item: dict[str, Any] = {
            "exercise": exercise.name,
            "network": exercise.network or None,
            "layer": exercise.node.name if exercise.network else None,
            "input": "x".join(map(str, exercise.given_input or ())) or None,
            "operator": words.operator(exercise.node.op),
            "asks": exercise.asks,
            "answer": None,
        }
        if answers:
            item["answer"] = answer if isinstance(answer, int) else list(answer)
            item["working"] = exercise.working or None
        exercises.append(item)
    return {
        "name": None,  # for the student's name
        "title": sheet.title,
        "network": sheet.network or None,
        "seed": sheet.seed,
        "conventions": CONVENTIONS,
        "exercises": exercises,
    }


# -- pages to print --------------------------------------------------------------------------------------------

STYLE = """
p.name { display: flex; gap: 8mm; margin: 0 0 6mm; }
p.name span { flex: 1; border-bottom: 0.4pt solid var(--ink); }
p.name span.short { flex: 0 0 38mm; }
td.blank { border: 0.6pt solid var(--soft); min-width: 26mm; height: 6mm; }
td.found { font-weight: bold; }
ul, ol { padding-left: 5mm; font-size: 9.5pt; color: var(--soft); }
li { break-inside: avoid; }
"""


def page_html(sheet: Sheet, *, answers: bool = False) -> str:
    """An HTML page that prints on A4: rows are not broken, the header is repeated on each page."""
    table = sheet_table(sheet, answers=answers)
    offset = len(table.rows) - len(sheet.rows)
    fixed = len(table.columns) - len(sheet.columns)

    def cell(row: int, place: int, text: str) -> str:
        column = table.columns[place]
        asked = (
            row >= offset
            and place >= fixed
            and sheet.columns[place - fixed] in sheet.rows[row - offset].blanks
        )
        kinds = ["right"] if column.right else []
        kinds += [("found" if answers else "blank")] if asked else []
        shown = "" if asked and not answers else escape(text)
        attribute = f' class="{" ".join(kinds)}"' if kinds else ""
        return f"<td{attribute}>{shown}</td>"

    body = "\n".join(
        "<tr>" + "".join(cell(number, place, text) for place, text in enumerate(row)) + "</tr>"
        for number, row in enumerate(texts(table))
    )
    name = '<p class="name">Name<span></span>Date<span class="short"></span></p>\n' if not answers else ""
    kind = "ol" if answers else "ul"
    lines = "\n".join(f"<li>{escape(line)}</li>" for line in table.lines)
    content = (
        f'<h1>{escape(table.title)}</h1>\n<p class="sub">{escape(table.subtitle)}</p>\n{name}'
        f"<table>\n<thead><tr>{heading_row(table.columns)}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n"
        f"<{kind}>\n{lines}\n</{kind}>\n"
    )
    return page(table.title, content, STYLE)


def page_latex(sheet: Sheet, *, answers: bool = False) -> str:
    """A LaTeX document for pdflatex, xelatex or lualatex; needs booktabs, geometry and longtable."""
    table = sheet_table(sheet, answers=answers)
    spec = "".join("r" if column.right else "l" for column in table.columns)
    blank = r"\underline{\hspace{2.2cm}}"

    def line(cells: Sequence[str]) -> str:
        return " & ".join(blank if text == BLANK else latex(text) for text in cells) + r" \\[3pt]"

    head = " & ".join(rf"\textbf{{{latex(column.header)}}}" for column in table.columns) + r" \\"
    name = [
        r"\noindent Name \underline{\hspace{8cm}} \hfill Date \underline{\hspace{3.5cm}}",
        r"\bigskip",
        "",
    ]
    items = "enumerate" if answers else "itemize"
    return "\n".join(
        [
            r"\documentclass[a4paper,11pt]{article}",
            r"\usepackage[utf8]{inputenc}",
            r"\usepackage[T1]{fontenc}",
            r"\usepackage[margin=18mm]{geometry}",
            r"\usepackage{booktabs,longtable}",
            r"\pagestyle{empty}",
            r"\begin{document}",
            rf"\section*{{{latex(table.title)}}}",
            rf"{latex(table.subtitle)}\par\bigskip",
            *([] if answers else name),
            r"\small",
            rf"\begin{{longtable}}{{{spec}}}",
            rf"\toprule {head} \midrule \endhead",
            *map(line, texts(table)),
            r"\bottomrule",
            r"\end{longtable}",
            rf"\begin{{{items}}}\footnotesize",
            *(rf"\item {latex(text)}" for text in table.lines),
            rf"\end{{{items}}}",
            r"\end{document}",
            "",
        ]
    )


def page_markdown(sheet: Sheet, *, answers: bool = False) -> str:
    """A pipe table with lines to write on."""
    return to_markdown(sheet_table(sheet, answers=answers))
