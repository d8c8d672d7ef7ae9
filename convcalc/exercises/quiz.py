"""A quiz: questions one after another, marked at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from convcalc.errors import UsageError
from convcalc.exercises.marking import MarkedAnswer, mark
from convcalc.exercises.question import Question
from convcalc.exercises.question_sheets import question
from convcalc.exercises.worksheet import HINTS, Exercise, find, parse_levels
from convcalc.language.synonyms import suggest

# What a topic asks of a single random layer, or the topic of its questions in words.
TOPICS = {"size": "output", "weights": "weights", "macs": "macs", "field": "field", "design": "design"}
IN_WORDS = ("field", "design")
MAX_AMOUNT = 100


class Turn(NamedTuple):
    """A question of a quiz and what became of it. hinted: whether the hint was asked for."""

    marked: MarkedAnswer
    hinted: bool = False

    @property
    def right(self) -> bool:
        """Whether the answer is right."""
        return self.marked.verdict == "right"


class Quiz(NamedTuple):
    """A quiz. turns: the questions answered so far."""

    topics: tuple[str, ...]
    seed: int
    questions: tuple[Exercise | Question, ...]
    turns: tuple[Turn, ...] = ()

    @property
    def right(self) -> int:
        """How many answers are right."""
        return sum(turn.right for turn in self.turns)

    @property
    def total(self) -> int:
        """How many questions have been answered."""
        return len(self.turns)

    @property
    def hinted(self) -> int:
        """How many right answers followed a hint."""
        return sum(turn.right and turn.hinted for turn in self.turns)

    @property
    def next(self) -> Exercise | Question | None:
        """The question to put; None at the end."""
        return self.questions[self.total] if self.total < len(self.questions) else None

    def answered(self, given: str, *, hinted: bool = False) -> Quiz:
        """The quiz with an answer to its next question. Raises UsageError at its end."""
        if self.next is None:
            raise UsageError(f"the quiz has {len(self.questions)} questions, and all are answered")
        return self._replace(turns=(*self.turns, Turn(mark(self.next, given), hinted)))


def quiz(topics: Sequence[str] = (), level: str | int = "1-4", amount: int = 10, seed: int = 0) -> Quiz:
    """A quiz of so many questions, their levels rising, their topics in turn. topics: none means all.

    Raises UsageError.
    """
    for topic in topics:
        if topic not in TOPICS:
            raise UsageError(
                f"--topic {topic}: there is no such topic{suggest(topic, TOPICS, 'column')}",
                hint=f"topics: {', '.join(TOPICS)}",
            )
    if not 1 <= amount <= MAX_AMOUNT:
        raise UsageError(f"--amount {amount}: needs a number from 1 to {MAX_AMOUNT}")
    if not 0 <= seed < 10**9:
        raise UsageError(f"--seed {seed}: needs a number from 0 to 999,999,999")
    levels, chosen = parse_levels(level), tuple(dict.fromkeys(topics)) or tuple(TOPICS)
    questions = [
        _question(chosen[place % len(chosen)], levels[place * len(levels) // amount], seed, place + 1)
        for place in range(amount)
    ]
    return Quiz(chosen, seed, tuple(questions))


def hint(exercise: Exercise | Question) -> str:
    """How to find the answer, without it."""
    return exercise.hint if isinstance(exercise, Question) else HINTS[exercise.asks]


def _question(topic: str, level: int, seed: int, number: int) -> Exercise | Question:
    if topic in IN_WORDS:
        return question(topic, level, seed, number)
    return next(_layers(topic, level, seed, number))


def _layers(topic: str, level: int, seed: int, number: int) -> Iterator[Exercise]:
    """Single layers of which a topic can be asked: only those with MACs have MACs to ask for."""
    while True:
        exercise = find(f"{level}.{seed}.{number}", TOPICS[topic])
        assert exercise is not None
        if topic != "macs" or exercise.answer:
            yield exercise
        number += MAX_AMOUNT
