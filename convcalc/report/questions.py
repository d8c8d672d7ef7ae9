"""Worksheets of questions in words: as tables, pages to print and files to fill in; any exercise put as a question."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from html import escape
from typing import Any

from convcalc.exercises.question import Question
from convcalc.exercises.question_sheets import QuestionSheet
from convcalc.exercises.worksheet import ASKS, Exercise
from convcalc.render.html import page
from convcalc.render.table import Column, Table, latex
from convcalc.report import words
from convcalc.report.values import CONVENTIONS
from convcalc.shapes import show

LINE = "_" * 24
NUMBERS = "Matrices are written as rows with ; between them: 1 2; 3 4."
LEGEND = (
    "K filters, F kernel, S stride, P padding; shapes are channels × height × width; fields are in pixels."
)
DATA = (
    Column("exercise", "", lambda question: question.name),
    Column("network", ""),
    Column("asks", ""),
    Column("question", "", lambda question: question.text),
)
NO_ANSWER = Column("answer", "", lambda question: "")
ANSWER = (
    Column("answer", "", lambda question: typed_answer(question.answer)),
    Column("working", ""),
)


def answer_text(answer: Any) -> str:
    """An answer for people: `34,848`, `96×55×55`, `1 −2; 3 4`, `K64 F3 S1 P1`."""
    if isinstance(answer, str):
        return answer
    if isinstance(answer, tuple) and answer and isinstance(answer[0], tuple):
        return "; ".join(" ".join(map(words.number, row)) for row in answer)
    return words.answer(answer)


def typed_answer(answer: Any) -> str:
    """An answer as it is typed into a file: without separators, with the keyboard's minus."""
    if isinstance(answer, int):
        return str(answer)
    return answer_text(answer).replace("−", "-")


def plain_answer(answer: Any) -> Any:
    """An answer as JSON holds it."""
    if not isinstance(answer, tuple):
        return answer
    if answer and isinstance(answer[0], tuple):
        return [[_plain(value) for value in row] for row in answer]
    return list(answer)


def _plain(value: int | Fraction) -> int | str:
    return int(value) if value == int(value) else str(value)


def question_text(exercise: Exercise | Question) -> str:
    """An exercise as a question: `conv K6 F5 reads 1×32×32. How many weights has it?`."""
    if isinstance(exercise, Question):
        return exercise.text
    node = exercise.node
    operator = words.operator(node.op)
    name = f"{node.name} of {exercise.network}, {operator}," if exercise.network else operator
    asked = _ASKED[exercise.asks]
    if exercise.asks == "output" and len(node.output_shape) == 1:
        asked = "How many values has its output?"
    return f"{name} reads {show(node.input_shapes[0])}. {asked}"


_ASKED = {
    "output": "What is the size of its output (channels × height × width)?",
    "weights": "How many weights has it, biases excluded?",
    "biases": "How many biases has it?",
    "params": "How many parameters has it, weights and biases?",
    "macs": "How many multiply-accumulates (MACs) does it take?",
    "field": "How many pixels of the network's input does one of its units see, along each axis?",
    "memory": "How many bytes does its output take as float32?",
}


TOPICS = {"design": "layer to design", "backward": "gradient"}


def topic(exercise: Exercise | Question) -> str:
    """What is asked: `weights`, `layer to design`."""
    return TOPICS.get(exercise.asks, ASKS.get(exercise.asks, exercise.asks))


def questions_table(sheet: QuestionSheet, *, answers: bool = False) -> Table:
    """The questions, or their key."""
    last = (
        Column("answer", "answer", text=lambda question: answer_text(question.answer), wrap=True)
        if answers
        else Column("answer", "answer", lambda question: "", lambda question: LINE)
    )
    columns = (
        Column("exercise", "exercise", lambda question: question.name, style="cyan"),
        Column("question", "question", lambda question: question.text, wrap=True),
        last,
    )
    lines = [LEGEND, NUMBERS]
    if answers:
        lines = [f"{question.name}: {question.working}" for question in sheet.exercises]
    return Table(
        columns=columns,
        rows=sheet.exercises,
        title=f"{sheet.title}: {'answers' if answers else 'worksheet'}",
        subtitle=questions_subtitle(sheet),
        lines=lines,
        data_columns=(*DATA, *ANSWER) if answers else (*DATA, NO_ANSWER),
    )


def questions_subtitle(sheet: QuestionSheet) -> str:
    """`6 answers, seed 3`."""
    return f"{words.plural(len(sheet.exercises), 'answer')}, seed {sheet.seed}"


def questions_value(sheet: QuestionSheet, *, answers: bool = False) -> dict[str, Any]:
    """The questions as JSON, with empty answers to fill in, or the key."""
    exercises = []
    for question in sheet.exercises:
        item: dict[str, Any] = {
            "exercise": question.name,
            "network": None,
            "asks": question.asks,
            "question": question.text,
            "answer": plain_answer(question.answer) if answers else None,
        }
        if answers:
            item["working"] = question.working
        exercises.append(item)
    return {
        "name": None,
        "title": sheet.title,
        "network": None,
        "seed": sheet.seed,
        "conventions": CONVENTIONS,
        "exercises": exercises,
    }


# -- pages to print --------------------------------------------------------------------------------------------

STYLE = """
p.name { display: flex; gap: 8mm; margin: 0 0 6mm; }
p.name span { flex: 1; border-bottom: 0.4pt solid var(--ink); }
p.name span.short { flex: 0 0 38mm; }
ol.questions { padding-left: 7mm; }
ol.questions li { break-inside: avoid; margin-bottom: 6mm; }
p.line { border-bottom: 0.6pt solid var(--soft); height: 9mm; margin: 0; }
p.answer { font-weight: bold; margin: 1mm 0 0; }
p.small { font-size: 9.5pt; color: var(--soft); margin: 1mm 0 0; }
"""


def questions_html(sheet: QuestionSheet, *, answers: bool = False) -> str:
    """A page that prints on A4, with lines to write on, or the key."""
    name = '<p class="name">Name<span></span>Date<span class="short"></span></p>\n' if not answers else ""
    items = "\n".join(
        f"<li>{escape(question.text)}\n{_html_answer(question, answers)}</li>" for question in sheet.exercises
    )
    table = questions_table(sheet, answers=answers)
    legend = "" if answers else "".join(f'<p class="small">{escape(line)}</p>\n' for line in table.lines)
    content = (
        f'<h1>{escape(table.title)}</h1>\n<p class="sub">{escape(table.subtitle)}</p>\n{name}'
        f'<ol class="questions">\n{items}\n</ol>\n{legend}'
    )
    return page(table.title, content, STYLE)


def _html_answer(question: Question, answers: bool) -> str:
    if not answers:
        return '<p class="line"></p>\n<p class="line"></p>'
    return (
        f'<p class="answer">{escape(answer_text(question.answer))}</p>\n'
        f'<p class="small">{escape(question.working)}</p>'
    )


def questions_latex(sheet: QuestionSheet, *, answers: bool = False) -> str:
    """A whole document for pdflatex, xelatex or lualatex; needs geometry."""
    table = questions_table(sheet, answers=answers)
    name = r"\noindent Name \underline{\hspace{8cm}} \hfill Date \underline{\hspace{3.5cm}}"
    items = [line for question in sheet.exercises for line in _latex_item(question, answers)]
    legend = [] if answers else [r"\footnotesize " + latex(" ".join(map(str, table.lines)))]
    return "\n".join(
        [
            r"\documentclass[a4paper,11pt]{article}",
            r"\usepackage[utf8]{inputenc}",
            r"\usepackage[T1]{fontenc}",
            r"\usepackage[margin=18mm]{geometry}",
            r"\pagestyle{empty}",
            r"\begin{document}",
            rf"\section*{{{latex(table.title)}}}",
            rf"{latex(table.subtitle)}\par\bigskip",
            *([] if answers else [name, r"\bigskip"]),
            r"\begin{enumerate}",
            *items,
            r"\end{enumerate}",
            *legend,
            r"\end{document}",
            "",
        ]
    )


def _latex_item(question: Question, answers: bool) -> Sequence[str]:
    if not answers:
        line = r"\noindent\underline{\hspace{12cm}}\par\bigskip"
        return [rf"\item {latex(question.text)}\par\bigskip", line]
    return [
        rf"\item {latex(question.text)}\par",
        rf"\textbf{{{latex(answer_text(question.answer))}}}\par",
        rf"{{\footnotesize {latex(question.working)}}}",
    ]
