"""Quizzes from Python: the questions, and the marks for given answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from convcalc.api.views import record_view
from convcalc.render.view import View

if TYPE_CHECKING:
    from convcalc.exercises.quiz import Quiz


def quiz(
    topic: str | Sequence[str] = (),
    *,
    level: str | int = "1-4",
    amount: int = 10,
    seed: int = 0,
    answers: Sequence[str | int] = (),
) -> View[Quiz]:
    """A quiz of random questions: `convcalc quiz`.

    topic: size, weights, macs, field, design, or several of them; () for all. level: 1 to 4, or rising, as in "1-4".
    answers: your answers to the first questions, which are marked. The view has `questions`, each with `answer` and
    `working`; `turns`, the marked questions; and the counts `right` and `total`. Raises UsageError.

    >>> quiz = convcalc.quiz("field", level=2, amount=2, seed=3, answers=["9", "10"])
    >>> quiz
    <Quiz on field: 2 questions, seed 3>
    >>> [turn.marked.verdict for turn in quiz.turns]
    ['right', 'wrong']
    >>> quiz.turns[1].marked.exercise.working
    '1 + (5 − 1)·1 + (2 − 1)·1 + (5 − 1)·2 = 14'
    """
    from convcalc.exercises.quiz import quiz as make

    found = make([topic] if isinstance(topic, str) else topic, level, amount, seed)
    for given in answers:
        found = found.answered(str(given))
    return quiz_view(found)


def quiz_view(found: Quiz) -> View[Quiz]:
    """The view of a quiz in its current state."""
    from convcalc.report import quiz as report

    return record_view(found, report.quiz_summary, report.quiz_value, report.quiz_table)


def hint(found: View[Quiz]) -> str:
    """The hint for the next question; "" if there are no more."""
    from convcalc.exercises.quiz import hint as of

    asked = found.record.next
    return "" if asked is None else of(asked)
