"""A question in words, and the draws that make one the same for the same name on every Python."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Literal, NamedTuple, TypeVar

from convcalc.shapes import Shape

Item = TypeVar("Item")
Numbers = tuple[tuple[int | Fraction, ...], ...]  # a matrix, row by row
Answer = int | Numbers | str
Verdict = Literal["right", "wrong", "rounded", "blank"]


class Design(NamedTuple):
    """What a layer has to fulfil: from `source` to `output`, with fewer weights than `limit`; kernel: the least F."""

    source: Shape
    output: Shape
    limit: int
    kernel: int = 1


class Mistake(NamedTuple):
    """A wrong answer that is known, and what led to it."""

    answer: Answer
    why: str


class Question(NamedTuple):
    """A question. answer: a right one, of a design one of many; design: what a design has to fulfil.

    mistakes: the likelier first.
    """

    name: str
    asks: str
    text: str
    answer: Answer
    working: str
    hint: str
    mistakes: tuple[Mistake, ...] = ()
    design: Design | None = None
    network: str = ""


class Chance:
    """Draws that are the same for the same name on every Python: `random()` alone is guaranteed."""

    def __init__(self, name: str) -> None:
        self._random = random.Random(name)

    def pick(self, items: Sequence[Item]) -> Item:
        """One of them."""
        return items[int(self._random.random() * len(items))]

    def between(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return low + int(self._random.random() * (high - low + 1))


def distinct(answer: Answer, mistakes: Iterator[Mistake]) -> tuple[Mistake, ...]:
    """The mistakes that are not the answer, each wrong answer once, with the likelier reason."""
    found: dict[Answer, Mistake] = {}
    for mistake in mistakes:
        if mistake.answer != answer:
            found.setdefault(mistake.answer, mistake)
    return tuple(found.values())
