"""`worksheet --check`: one marked sheet answer by answer, or one row per sheet."""

from __future__ import annotations

from typing import Any

from convcalc.exercises.marking import MarkedAnswer, MarkedSheet, MarkedSheets
from convcalc.exercises.question import Question
from convcalc.exercises.worksheet import ASKS, Exercise
from convcalc.render.table import Column, Table
from convcalc.report import words
from convcalc.report.questions import TOPICS, answer_text, plain_answer, topic, typed_answer
from convcalc.report.values import CONVENTIONS
from convcalc.report.worksheet import label, worked

MARKED = (
    Column("exercise", "exercise", lambda mark: mark.exercise.name, style="cyan"),
    Column("layer", "layer", lambda mark: _layer(mark.exercise) if mark.exercise.network else "",
           lambda mark: _layer(mark.exercise), wrap=True),
    Column("asks", "asks", lambda mark: mark.exercise.asks, lambda mark: topic(mark.exercise)),
    Column("given", "yours", right=True, wrap=True),
    Column("answer", "right answer", lambda mark: _plain(mark.exercise),
           lambda mark: "" if mark.verdict == "right" else answer_text(mark.exercise.answer), right=True, wrap=True),
    Column("verdict", "mark"),
)  # fmt: skip
MARK_DATA = (
    MARKED[0],
    Column("network", "", lambda mark: mark.exercise.network),
    *MARKED[1:],
    Column("why", ""),
    Column("working", "", lambda mark: mark.exercise.working),
)
SHEETS = (
    Column("name", "name", wrap=True, style="cyan"),
    Column("right", "right", text=lambda sheet: "" if sheet.error else str(sheet.right), right=True),
    Column("total", "of", lambda sheet: sheet.total,
           lambda sheet: "" if sheet.error else str(sheet.total), right=True),
    Column("percent", "%", lambda sheet: _percent(sheet), lambda sheet: _percent_text(sheet), right=True),
    Column("mistakes", "what was wrong", lambda sheet: _mistakes(sheet),
           lambda sheet: "not read" if sheet.error else _mistakes(sheet), wrap=True),
)  # fmt: skip
SHEET_DATA = (
    Column("file", ""),
    *SHEETS,
    Column("error", "", lambda sheet: sheet.error.message if sheet.error else ""),
)


def _layer(exercise: Exercise | Question) -> str:
    """Of what was asked: a layer's name, its operator, a question's design."""
    if isinstance(exercise, Question):
        return ""
    return exercise.node.name if exercise.network else words.operator(exercise.node.op)


def _plain(exercise: Exercise | Question) -> str:
    """The answer as CSV holds it."""
    if isinstance(exercise, Question):
        return typed_answer(exercise.answer)
    return words.answer(exercise.answer).replace(",", "")


UNKNOWN = "wrong, for no reason that is recognised"


def marked_summary(sheet: MarkedSheet) -> str:
    """`Marked sheet of Ada: 7 of 8 answers right`."""
    return f"Marked sheet of {sheet.name}: {_tally(sheet)}"


def _tally(marked: MarkedSheet | MarkedSheets) -> str:
    return f"{marked.right} of {words.plural(marked.total, 'answer')} right"


def marked_table(sheet: MarkedSheet) -> Table:
    """Every answer with its mark; below it the mistakes and the working."""
    lines = [_tally(sheet)]
    for mark in sheet.marks:
        if mark.verdict != "right":
            lines += [f"{label(mark.exercise)}: {_mistake(mark)}", f"  {worked(mark.exercise)}"]
    return Table(
        columns=MARKED,
        rows=sheet.marks,
        title="Marked worksheet",
        lines=lines,
        data_columns=MARK_DATA,
        styles=[{"right": "green", "wrong": "red"}.get(mark.verdict, "yellow") for mark in sheet.marks],
    )


def _mistake(mark: MarkedAnswer) -> str:
    """`156, this counts the biases too`: the answer given, and the reason if it is known."""
    if mark.verdict == "blank":
        return "left blank"
    return mark.given + (f", {mark.why}" if mark.why else "")


def marked_value(sheet: MarkedSheet) -> dict[str, Any]:
    """JSON of one marked sheet."""
    return {"conventions": CONVENTIONS, **_sheet_value(sheet)}


def _sheet_value(sheet: MarkedSheet) -> dict[str, Any]:
    return {
        "file": sheet.file,
        "name": sheet.name,
        "right": sheet.right,
        "total": sheet.total,
        "marks": [_mark_value(mark) for mark in sheet.marks],
    }


def _mark_value(mark: MarkedAnswer) -> dict[str, Any]:
    answer = mark.exercise.answer
    return {
        "exercise": mark.exercise.name,
        "network": mark.exercise.network or None,
        "layer": _layer(mark.exercise) if mark.exercise.network else None,
        "asks": mark.exercise.asks,
        "given": mark.given or None,
        "answer": plain_answer(answer),
        "verdict": mark.verdict,
        "why": mark.why or None,
        "working": mark.exercise.working or None,
    }


def sheets_summary(marked: MarkedSheets) -> str:
    """`Marked sheets: 15 of 24 answers right in 3 sheets`."""
    return f"Marked sheets: {_sheets_tally(marked)}"


def _sheets_tally(marked: MarkedSheets) -> str:
    unread = len(marked.errors)
    text = f"{_tally(marked)} in {words.plural(len(marked.sheets), 'sheet')}"
    return text + (f", {unread} of them not read" if unread else "")


def sheets_table(marked: MarkedSheets) -> Table:
    """One row per sheet; below it all mistakes, most frequent first."""
    lines = [
        _sheets_tally(marked),
        *(f"  {count}× {why or UNKNOWN}" for why, count in marked.mistakes),
        *(
            f"{TOPICS.get(asks, ASKS.get(asks, asks))}: {right} of {total}"
            for asks, right, total in marked.asked
        ),
    ]
    return Table(
        columns=SHEETS,
        rows=marked.sheets,
        title="Marked worksheets",
        lines=lines,
        data_columns=SHEET_DATA,
        styles=[_style(sheet) for sheet in marked.sheets],
    )


def _mistakes(sheet: MarkedSheet) -> str:
    """`conv1, weights: this counts the biases too; dense1, weights: 48; 2 left blank`."""
    wrong = [
        f"{label(mark.exercise)}: {mark.why or mark.given}"
        for mark in sheet.marks
        if mark.verdict not in ("right", "blank")
    ]
    blank = sum(mark.verdict == "blank" for mark in sheet.marks)
    return "; ".join([*wrong, *([f"{blank} left blank"] if blank else [])])


def _percent(sheet: MarkedSheet) -> int | None:
    """The share of right answers, rounded; None where the sheet could not be marked."""
    return None if sheet.error or not sheet.total else round(100 * sheet.right / sheet.total)


def _percent_text(sheet: MarkedSheet) -> str:
    share = _percent(sheet)
    return "" if share is None else str(share)


def _style(sheet: MarkedSheet) -> str:
    if sheet.error:
        return "red"
    return "green" if sheet.all_right else ""


def sheets_value(marked: MarkedSheets) -> dict[str, Any]:
    """JSON of several marked sheets. error: why a sheet could not be marked."""
    return {
        "conventions": CONVENTIONS,
        "right": marked.right,
        "total": marked.total,
        "sheets": [
            {**_sheet_value(sheet), "error": str(sheet.error) if sheet.error else None}
            for sheet in marked.sheets
        ],
        "mistakes": [{"why": why or None, "count": count} for why, count in marked.mistakes],
        "asked": [{"asks": asks, "right": right, "total": total} for asks, right, total in marked.asked],
    }
