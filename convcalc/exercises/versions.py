"""One worksheet for each of a class: the same sort of sheet, from seeds one after another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from convcalc.analysis.analyse import Analysis
from convcalc.errors import UsageError
from convcalc.exercises.question_sheets import QuestionSheet, question_sheet
from convcalc.exercises.worksheet import Sheet, parse_levels, worksheet

MAX_VERSIONS = 1_000


class Versions(NamedTuple):
    """Worksheets by name: `01`, `02`, …."""

    sheets: tuple[tuple[str, Sheet | QuestionSheet], ...]


def any_sheet(
    analysis: Analysis | None = None,
    *,
    blank: str | Sequence[str] | None = None,
    amount: int | None = None,
    seed: int = 0,
    level: str | int | None = None,
    design: int = 0,
    field: int = 0,
    memory: int = 0,
    backward: int = 0,
) -> Sheet | QuestionSheet:
    """A worksheet of a network, of single layers, or of so many questions in words. Raises UsageError."""
    amounts = {"design": design, "field": field, "memory": memory, "backward": backward}
    asked = [topic for topic, number in amounts.items() if number]
    if not asked:
        return worksheet(
            analysis, blank=blank, amount=amount, seed=seed, level="1-4" if level is None else level
        )
    if analysis is not None:
        raise UsageError(f"--{asked[0]} asks questions of its own, not of a network", hint="leave ARCH out")
    if blank is not None or amount is not None:
        option = "--blank" if blank is not None else "--amount"
        raise UsageError(f"{option} is for layers; --{asked[0]} takes the number of its questions")
    if not 0 <= seed < 10**9:
        raise UsageError(f"--seed {seed}: needs a number from 0 to 999,999,999")
    return question_sheet(amounts, parse_levels("1-4" if level is None else level), seed)


def versions(
    count: int,
    analysis: Analysis | None = None,
    *,
    blank: str | Sequence[str] | None = None,
    amount: int | None = None,
    seed: int = 0,
    level: str | int | None = None,
    design: int = 0,
    field: int = 0,
    memory: int = 0,
    backward: int = 0,
) -> Versions:
    """So many worksheets, the first from this seed. Of a network half of the cells are left out, or `amount`.

    Raises UsageError, also where nothing is left to chance.
    """
    if not 1 <= count <= MAX_VERSIONS:
        raise UsageError(f"--versions {count}: needs a number from 1 to {MAX_VERSIONS:,}")
    if analysis is not None:
        total = len(worksheet(analysis, blank=blank).exercises)
        amount = max(1, total // 2) if amount is None else amount
        if amount >= total and count > 1:
            raise UsageError(
                f"--amount {amount}: all {total} cells are asked, and every version is the same",
                hint=f"ask fewer than {total}",
            )
    width = max(2, len(str(count)))
    made = []
    for number in range(count):
        sheet = any_sheet(
            analysis, blank=blank, amount=amount, seed=seed + number, level=level,
            design=design, field=field, memory=memory, backward=backward,
        )  # fmt: skip
        made.append((f"{number + 1:0{width}}", sheet))
    return Versions(tuple(made))
