"""`quiz`: each question, what became of its answer, the score; the JSON."""

from __future__ import annotations

from typing import Any

from convcalc.exercises.question import Question
from convcalc.exercises.quiz import TOPICS, Quiz, Turn
from convcalc.exercises.worksheet import Exercise
from convcalc.render.layout import Line, TextSpan, wrap
from convcalc.render.table import Column, Table
from convcalc.report import words
from convcalc.report.questions import answer_text, plain_answer, question_text, typed_answer
from convcalc.report.values import CONVENTIONS

HELP = "an empty line skips a question, ? gives a hint, q ends the quiz"
TOPIC_OF = {asks: topic for topic, asks in TOPICS.items()}
COLUMNS = (
    Column("question", "question", lambda turn: question_text(turn.marked.exercise), wrap=True),
    Column("given", "yours", lambda turn: turn.marked.given, right=True),
    Column("answer", "right answer", lambda turn: typed_answer(turn.marked.exercise.answer),
           lambda turn: answer_text(turn.marked.exercise.answer), right=True),
    Column("verdict", "mark", lambda turn: turn.marked.verdict),
)  # fmt: skip
DATA = (
    *COLUMNS,
    Column("why", "", lambda turn: turn.marked.why),
    Column("hinted", "", lambda turn: turn.hinted),
)


def quiz_summary(quiz: Quiz) -> str:
    """`Quiz on field, design: 10 questions, seed 3`."""
    return (
        f"Quiz on {', '.join(quiz.topics)}: {words.plural(len(quiz.questions), 'question')}, seed {quiz.seed}"
    )


def quiz_table(quiz: Quiz) -> Table:
    """A row for each answer; before the first, for each question."""
    if not quiz.turns:
        columns = (Column("question", "question", question_text, wrap=True),)
        return Table(columns=columns, rows=quiz.questions, title=quiz_summary(quiz))
    return Table(
        columns=COLUMNS, rows=quiz.turns, title=quiz_summary(quiz), lines=[score(quiz)], data_columns=DATA
    )


def question_lines(quiz: Quiz, exercise: Exercise | Question, width: int | None) -> list[Line]:
    """`3 of 10  conv K6 F5 reads 1×32×32. How many weights has it?`."""
    label = f"{quiz.total + 1} of {len(quiz.questions)}  "
    first, *others = wrap(question_text(exercise), width and max(20, width - len(label)))
    return [
        [TextSpan(label, "dim"), TextSpan(first, "bold")],
        *([TextSpan(" " * len(label) + part.lstrip(), "bold")] for part in others),
    ]


def turn_lines(turn: Turn, width: int | None) -> list[Line]:
    """`right`, or what is wrong, and the working."""
    marked = turn.marked
    if turn.right:
        return [[TextSpan("right", "green")], []]
    if marked.verdict == "blank":
        told = "skipped"
    elif marked.verdict == "rounded":
        told = f"nearly: {marked.why}"
    else:
        told = f"wrong: {marked.why}" if marked.why else "wrong"
    design = isinstance(marked.exercise, Question) and marked.exercise.design is not None
    told += f"; {'one that does' if design else 'it'} is {answer_text(marked.exercise.answer)}"
    texts = [(told, "red" if marked.verdict == "wrong" else "yellow"), (f"  {marked.exercise.working}", "")]
    lines: list[Line] = [[TextSpan(part, style)] for text, style in texts for part in wrap(text, width)]
    return [*lines, []]


def score(quiz: Quiz) -> str:
    """`7 of 10 right, 2 of them with a hint`."""
    text = f"{quiz.right} of {quiz.total} right"
    if quiz.total == 0:
        return "no question answered"
    return text + (f", {quiz.hinted} of them with a hint" if quiz.hinted else "")


def quiz_value(quiz: Quiz) -> dict[str, Any]:
    """`quiz --format json`: the score and each answer; before the first, the questions with their answers."""
    return {
        "conventions": CONVENTIONS,
        "topics": list(quiz.topics),
        "seed": quiz.seed,
        "right": quiz.right,
        "total": quiz.total,
        "hinted": quiz.hinted,
        "questions": [
            {
                "name": exercise.name,
                "topic": TOPIC_OF[exercise.asks],
                "question": question_text(exercise),
                "given": (turn.marked.given or None) if turn else None,
                "verdict": turn.marked.verdict if turn else None,
                "why": (turn.marked.why or None) if turn else None,
                "hinted": turn.hinted if turn else None,
                "answer": plain_answer(exercise.answer),
                "working": exercise.working or None,
            }
            for exercise, turn in zip(
                quiz.questions, [*quiz.turns, *[None] * (len(quiz.questions) - quiz.total)], strict=True
            )
        ],
    }
