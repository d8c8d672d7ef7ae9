"""All user errors, and how they are shown.

    ConvcalcError            exit code 1
    ├── SpecError            the YAML: syntax, an unknown key, a wrong value
    │   └── ShapeError       a layer that does not fit its input
    ├── SpecErrors           several of the above, found in one reading
    ├── ModelError           a model file that is damaged or cannot be read as layers
    ├── WeightsError         a weights file that does not fit or is damaged
    ├── ImageError           an image that cannot be read or used
    └── UsageError           wrong arguments; exit code 2

An error is one sentence that names the place, what was given and what was needed; its hint says what would fix it.
Errors format themselves; no other code does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol


class Mark(NamedTuple):
    """A place in a file: line and column from 1, the line's text and the number of characters marked."""

    file: str
    line: int
    column: int
    text: str = ""
    length: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def excerpt(self, width: int = 100) -> list[str]:
        """The line with carets below the marked characters; a long line is cut around them."""
        text = self.text.rstrip()
        if not text:
            return []
        start = len(text) - len(text.lstrip())
        column = self.column - 1
        stop = len(text)
        if stop - start > width:
            start = max(start, min(column - width // 3, stop - width))
            stop = min(stop, start + width)
        carets = "^" * max(1, min(self.length, stop - column))
        shown = "".join(c if c.isprintable() else " " for c in text[start:stop])
        return [f"    {shown}", f"    {' ' * max(0, column - start)}{carets}"]


class ConvcalcError(Exception):
    """An error that the user can fix. `str()` is the whole message as shown.

    message: one sentence; mark: its place, if in a file; used_at: the uses of blocks that led there, innermost
    first; hint: a remedy, shown on a line of its own.
    """

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        mark: Mark | None = None,
        used_at: Sequence[Mark] = (),
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.mark = mark
        self.used_at = tuple(used_at)
        self.hint = hint

    def __str__(self) -> str:
        lines = [printable(f"{self.mark}: {self.message}" if self.mark else self.message)]
        if self.mark:
            lines += self.mark.excerpt()
        lines += [f"    used at {printable(str(mark))}" for mark in self.used_at[:8]]
        if len(self.used_at) > 8:
            lines.append(f"    and {len(self.used_at) - 8} uses further out")
        if self.hint:
            lines += [f"    {printable(line)}" for line in self.hint.splitlines()]
        return "\n".join(lines)


class SpecError(ConvcalcError):
    """A spec that cannot be read: YAML syntax, unknown keys, values of the wrong kind, limits."""


class ShapeError(SpecError):
    """A layer that does not fit its input. graph: the network up to that layer."""

    graph: object = None


class BudgetKeyError(SpecError):
    """A budget that limits what is no quantity. It asks `check` something that it cannot answer: exit code 2 there."""


class SpecErrors(SpecError):
    """All schema errors of a spec, in file order. `errors` is never empty."""

    SHOWN = 20

    def __init__(self, errors: Iterable[SpecError]) -> None:
        self.errors = tuple(errors)
        first = self.errors[0]
        super().__init__(first.message, mark=first.mark, used_at=first.used_at, hint=first.hint)

    def __str__(self) -> str:
        shown = [str(error) for error in self.errors[: self.SHOWN]]
        more = len(self.errors) - self.SHOWN
        if more > 0:
            shown.append(f"and {more} more error{'s' * (more != 1)}")
        return "\n".join(shown)


class Problems(list[SpecError]):
    """A list of errors. Raises them all when it grows beyond what anybody reads."""

    MAX = 100

    def append(self, problem: SpecError) -> None:
        """Add an error. Raises SpecErrors if there are too many."""
        if len(self) >= self.MAX:
            raise SpecErrors(self.ordered())
        super().append(problem)

    def ordered(self) -> list[SpecError]:
        """The errors without repetitions, by file in order of appearance, then by line."""
        unique = {(str(problem.mark), problem.message): problem for problem in self}
        files = {problem.mark.file: None for problem in unique.values() if problem.mark}
        places = {file: place for place, file in enumerate(files)}
        return sorted(
            unique.values(), key=lambda p: (places[p.mark.file], p.mark.line, p.mark.column) if p.mark else ()
        )

    def fail(self) -> None:
        """Raise the errors, if there are any."""
        if self:
            found = self.ordered()
            raise found[0] if len(found) == 1 else SpecErrors(found)


class ModelError(ConvcalcError):
    """A model file (ONNX, PyTorch) that is missing, damaged, or holds what convcalc cannot read as layers."""


class WeightsError(ConvcalcError):
    """A weights file that is missing, damaged or made for another network."""


class ImageError(ConvcalcError):
    """An image that is missing, damaged, too large or of an unsupported kind."""


class InputError(ConvcalcError):
    """An array that is missing, damaged or of a shape or type that a network does not take."""


class UsageError(ConvcalcError):
    """Arguments that contradict each other or name something unknown."""

    exit_code = 2


MAX_OPTIONS = 2_000  # known words compared with a misspelled one


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`"; did you mean 'kernel'?"` for the known word with the most similar spelling, or ""."""
    match = closest(word, known)
    return f"; did you mean '{match}'?" if match else ""


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word with the most similar spelling; None if none is similar enough.

    Up to one letter in four, and at least one, may be missing, added, changed or swapped with its neighbour; case
    is ignored. In compound names (`global_avgpool`) that holds for every part, so that `global_maxpool` does not
    match it. Only the first MAX_OPTIONS known words are compared.
    """
    from itertools import islice

    if len(word) > 100:
        return None
    lowered = word.lower()
    options = [option for option in islice(known, MAX_OPTIONS) if option != word]
    same = next((option for option in options if option.lower() == lowered), None)
    if same is not None:
        return same
    parts = _parts(lowered)
    best, least = None, len(word) + 1
    for option in options:
        edits = _edits_of(lowered, option.lower(), parts, least - 1)
        if edits is not None:
            best, least = option, edits
        if least == 1:
            break  # the minimum
    return best


def _parts(word: str) -> list[str]:
    return word.replace("-", "_").replace("/", "_").replace(".", "_").split("_")


def _edits_of(word: str, other: str, parts: list[str], most: int) -> int | None:
    """The number of typing errors between two words; None if they exceed `most` or what is likely."""
    slips = max(1, max(len(word), len(other)) // 4)
    if abs(len(word) - len(other)) > slips or len(set(word) ^ set(other)) > 2 * slips:
        return None  # rejects most words early
    others = _parts(other)
    if len(parts) < 2 or len(parts) != len(others):
        return _edits(word, other, most)
    total = 0
    for part, counterpart in zip(parts, others, strict=True):
        edits = 0 if part == counterpart else _edits(part, counterpart, most - total)
        if edits is None:
            return None
        total += edits
    return total


def _edits(word: str, other: str, most: int) -> int | None:
    """The optimal string alignment distance of two words; None if it exceeds `most` or a quarter of the length."""
    longer = max(len(word), len(other))
    most = min(most, max(1, longer // 4) if longer > 2 else 0)
    start = 0
    while start < min(len(word), len(other)) and word[start] == other[start]:
        start += 1
    word, other = word[start:], other[start:]
    while word and other and word[-1] == other[-1]:
        word, other = word[:-1], other[:-1]
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(word, 1):
        before, last, row = row, before, [i]
        for j, counterpart in enumerate(other, 1):
            edits = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != counterpart))
            if i > 1 and j > 1 and letter == other[j - 2] and word[i - 2] == counterpart:
                edits = min(edits, last[j - 2] + 1)
            row.append(edits)
        if min(row) > most:
            return None
    return row[-1] if row[-1] <= most else None


# C0 except tab and line feed, delete, C1, and bidirectional control characters
_CONTROLS = dict.fromkeys(
    [*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)], "\ufffd"
)
MAX_WORD, MAX_LINE = 300, 4000  # characters, so that errors with foreign names stay readable


def clean(text: str) -> str:
    """The text without control characters and direction marks, which would affect a terminal."""
    return text.translate(_CONTROLS) if not text.isprintable() else text


def printable(text: str) -> str:
    """The text on one line, unprintable characters replaced, overlong words and lines shortened in the middle."""
    text = text if text.isprintable() else "".join(c if c.isprintable() else "�" for c in text)
    if len(text) > MAX_WORD:
        text = " ".join(_cut(word, MAX_WORD) for word in text.split(" "))
    return _cut(text, MAX_LINE)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most * 2 // 3]}…{text[-(most // 3) :]}"


class Misfit(Exception):
    """An operator does not fit its inputs. The caller, which knows the place, turns it into a ShapeError."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Place(Protocol):
    """Anything with a place in a file."""

    @property
    def mark(self) -> Mark:
        """Where it stands."""
