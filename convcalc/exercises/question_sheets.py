"""Questions by their names, sheets of them, and their marking.

A question depends on its topic, its level, a seed and its number only, so that its name, `field.2.7.3`, is enough to
find it again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from convcalc.errors import UsageError
from convcalc.exercises import backprop, designs, memory, stacks
from convcalc.exercises.designs import design_mistake, read_design
from convcalc.exercises.question import Answer, Chance, Question, Verdict

MAX_QUESTIONS = 200  # of a sheet
MAKERS: dict[str, Callable[[int, Chance], dict[str, Any]]] = {
    "design": designs.draw,
    "field": stacks.draw,
    "memory": memory.draw,
    "backward": backprop.draw,
}
TOPICS = tuple(MAKERS)
NAME = re.compile(rf"({'|'.join(TOPICS)})\.([1-4])\.(\d{{1,9}})\.(\d{{1,4}})")


TITLES = {
    "design": "layers to design",
    "field": "receptive fields",
    "memory": "memory",
    "backward": "gradients by hand",
}


class QuestionSheet(NamedTuple):
    """A worksheet of questions in words."""

    title: str
    exercises: tuple[Question, ...]
    seed: int
    network: str = ""


def question(topic: str, level: int, seed: int, number: int) -> Question:
    """The question of that name."""
    name = f"{topic}.{level}.{seed}.{number}"
    return Question(name=name, asks=topic, **MAKERS[topic](level, Chance(name)))


def find_question(name: str) -> Question | None:
    """A question by its name; None for what is no such name."""
    match = NAME.fullmatch(name.strip())
    return None if match is None else question(match[1], *map(int, match.groups()[1:]))


def question_sheet(amounts: dict[str, int], levels: Sequence[int], seed: int) -> QuestionSheet:
    """So many questions of each topic, their levels rising. Raises UsageError."""
    total = sum(amounts.values())
    if total > MAX_QUESTIONS:
        raise UsageError(
            f"{total} questions: at most {MAX_QUESTIONS} make a sheet", hint="make several sheets"
        )
    exercises = [
        question(topic, levels[(number - 1) * len(levels) // amount], seed, number)
        for topic, amount in amounts.items()
        for number in range(1, amount + 1)
    ]
    named = ", ".join(TITLES[topic] for topic, amount in amounts.items() if amount)
    return QuestionSheet(named.capitalize(), tuple(exercises), seed)


# -- marking ---------------------------------------------------------------------------------------------------


class Judgement(NamedTuple):
    """What became of an answer, and why it is wrong, "" where that cannot be told."""

    verdict: Verdict
    why: str = ""


def judge(asked: Question, given: str) -> Judgement:
    """An answer marked: a design by computing, numbers by comparing, known mistakes named."""
    if not given.strip(" _.-–"):
        return Judgement("blank")
    if asked.design is not None:
        fields = read_design(given)
        if fields is None:
            return Judgement("wrong", "this is no layer; write it as K64 F3 S1 P1")
        why = design_mistake(asked.design, fields)
        return Judgement("wrong", why) if why else Judgement("right")
    numbers = read_numbers(given)
    if numbers is None:
        form = "a number" if isinstance(asked.answer, int) else "numbers, rows with ; between them"
        return Judgement("wrong", f"this is no answer; write {form}")
    if _same(asked.answer, numbers):
        return Judgement("right")
    why = next((mistake.why for mistake in asked.mistakes if _same(mistake.answer, numbers)), "")
    if not why and not isinstance(asked.answer, int) and len(numbers) != len(_flat(asked.answer)):
        why = f"{len(_flat(asked.answer))} numbers are asked for"
    return Judgement("wrong", why)


_GROUPED = re.compile(r"(?<=\d)[,'’\u202f\u00a0](?=\d{3}(?:\D|$))")
_TOKEN = re.compile(r"[+-]?\d+(?:/\d+|\.\d+)?")


def read_numbers(text: str) -> list[Fraction] | None:
    """The numbers in `1 2; 3 4`, `[[1, 2], [3, 4]]`, `18,816 bytes` or `8×8`; None for anything else."""
    plain = _GROUPED.sub("", text.replace("−", "-").lower())
    rest = re.sub(r"\b(bytes?|pixels?|px|b)\b", " ", plain).strip(" .=")
    if (
        not _TOKEN.search(rest)
        or re.search(r"[^\d\s+\-./;,|x×\[\]()]", rest)
        or re.search(r"/0+(?!\d)", rest)
    ):
        return None
    found = [Fraction(token) for token in _TOKEN.findall(rest)[:1000] if len(token) <= 40]
    return found or None


def _flat(answer: Answer) -> list[Fraction]:
    if isinstance(answer, int):
        return [Fraction(answer)]
    assert not isinstance(answer, str)
    return [Fraction(value) for row in answer for value in row]


def _same(answer: Answer, numbers: Sequence[Fraction]) -> bool:
    """Whether they are the answer; a size along an axis may be written as a square."""
    wanted = _flat(answer)
    return list(numbers) == wanted or (isinstance(answer, int) and list(numbers) == wanted * 2)
