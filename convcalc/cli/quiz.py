"""`convcalc quiz`."""

from __future__ import annotations

import random
import sys
from typing import Any

import click

from convcalc.api import choices, quizzes
from convcalc.cli import Command
from convcalc.cli.options import Count, show
from convcalc.errors import clean
from convcalc.render import terminal
from convcalc.render.formats import FORMATS
from convcalc.render.layout import TextSpan, wrap
from convcalc.render.view import View

MAX_LINE = 1_000  # characters of an answer


@click.command(
    "quiz",
    cls=Command,
    epilog="""\b
Examples:
  convcalc quiz
  convcalc quiz --topic size --level 1
  convcalc quiz --topic field --topic design --level 2-3 --amount 5
  convcalc quiz --seed 7
  printf '%s\\n' 6x28x28 150 | convcalc quiz --amount 2 --seed 7 --format json

Answer in a line; an empty line skips the question, ? gives a hint, q or the end of the input
ends the quiz. After a wrong answer comes the working, at the end the score. Nothing is kept;
the same --seed asks the same questions. In other formats than table the questions go to
stderr, and what became of them to stdout.""",
)
@click.option(
    "--topic",
    "topics",
    type=click.Choice(choices.quiz_topics()),
    multiple=True,
    help="What to ask; repeatable; default all in turn.",
)
@click.option(
    "--level", metavar="N", default="1-4", show_default=True, help="Level: 1 to 4, or rising, as in 1-4."
)
@click.option(
    "--amount", type=Count(1, 100), default=10, show_default=True, metavar="N", help="Number of questions."
)
@click.option("--seed", type=Count(0, 10**9 - 1), metavar="N", help="Random seed; default another each time.")
@click.option(
    "--format",
    "form",
    type=click.Choice(tuple(FORMATS)),
    default="table",
    show_default=True,
    help="Output format.",
)
def command(topics: tuple[str, ...], level: str, amount: int, seed: int | None, form: str) -> None:
    """Questions one after another: sizes, weights, MACs, receptive fields, layers to design."""
    chosen = random.randrange(10**6) if seed is None else seed
    quiz = quizzes.quiz(topics, level=level, amount=amount, seed=chosen)
    _Session(form).run(quiz)


class _Session:
    """A quiz on a terminal or a pipe. In formats for programs what it says goes to stderr."""

    def __init__(self, form: str) -> None:
        self.form = form
        self.spoken = form == "table"

    def run(self, quiz: View[Any]) -> None:
        """Put the questions until they end, the input ends, or somebody interrupts."""
        from convcalc.report import quiz as report

        self.say([[TextSpan(report.quiz_summary(quiz.record), "bold")], [TextSpan(report.HELP, "dim")], []])
        try:
            while quiz.record.next is not None:
                self.say(report.question_lines(quiz.record, quiz.record.next, self.width))
                given, hinted = self.answer(quiz)
                if given is None:
                    break
                quiz = quizzes.quiz_view(quiz.record.answered(given, hinted=hinted))
                self.say(report.turn_lines(quiz.record.turns[-1], self.width))
        except Exception:
            raise
        except BaseException:  # Ctrl-C: the score so far, then the program ends as it does elsewhere
            self.say([[]])
            self.end(quiz)
            raise
        self.end(quiz)

    def end(self, quiz: View[Any]) -> None:
        """The score, or what became of each question."""
        from convcalc.report import quiz as report

        if self.spoken:
            self.say([[TextSpan(report.score(quiz.record), "bold")]])
            return
        show(quiz, self.form)
        sys.stdout.flush()

    @property
    def width(self) -> int | None:
        return terminal.width() if self.spoken else None

    def say(self, lines: list[Any]) -> None:
        """Lines to stdout, or to stderr where stdout is for programs."""
        if self.spoken:
            terminal.print_lines(lines)
            sys.stdout.flush()
            return
        for line in lines:
            click.echo(clean("".join(span.text for span in line)), err=True)

    def answer(self, quiz: View[Any]) -> tuple[str | None, bool]:
        """What was answered, None at the end, and whether a hint was given before it."""
        hinted = False
        while True:
            given = self.line()
            if given is None or given.strip().lower() in ("q", "quit", "exit"):
                return None, hinted
            if given.strip().lower() not in ("?", "hint"):
                return given, hinted
            hinted = True
            self.say([[TextSpan(part, "dim")] for part in wrap(f"hint: {quizzes.hint(quiz)}", self.width)])

    def line(self) -> str | None:
        """A line of the input, shown behind the prompt where no terminal echoes it; None at the end."""
        stream = sys.stdout if self.spoken else sys.stderr
        stream.write("> ")
        stream.flush()
        text = sys.stdin.readline(MAX_LINE)
        if not text:
            stream.write("\n")
            return None
        while len(text) == MAX_LINE and not text.endswith("\n"):  # the rest of a line that is too long
            rest = sys.stdin.readline(MAX_LINE)
            if rest.endswith("\n") or not rest:
                break
        if not sys.stdin.isatty():
            stream.write(clean(text.rstrip("\r\n")) + "\n")
        return text.strip()
