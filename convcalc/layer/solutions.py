"""Solutions of a window's size turned round: values of one quantity that give a wanted output."""

from __future__ import annotations

from typing import NamedTuple

from convcalc.layer.windows import InputSizes, KnownSpread, KnownWindow, last_pixels, worked
from convcalc.ops.deconv import Spread
from convcalc.shapes import Axis


class Solution(NamedTuple):
    """A value of the unknown that gives the wanted output. axis: the complete window."""

    value: int
    axis: Axis

    @property
    def exact(self) -> bool:
        """Whether the stride divides."""
        return self.axis.remainder == 0

    @property
    def even(self) -> bool:
        """Whether both sides have the same padding."""
        return self.axis.before == self.axis.after

    @property
    def reads_padding_only(self) -> bool:
        """Whether the first or the last window lies entirely in the padding."""
        axis = self.axis
        last = (axis.output - 1) * axis.stride
        return axis.before >= axis.extent or last >= axis.before + axis.size

    @property
    def working(self) -> str:
        """`(227 − 3 + 2·1)/1 + 1 = 227`."""
        return worked(self.axis)

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks: pixels never read, windows in the padding."""
        between, trailing = self.axis.uncovered()
        notes = (
            (trailing, f"misses {last_pixels(trailing)}"),
            (between, f"skips {between} between windows"),
            (self.reads_padding_only, "a window reads padding only"),
            (not self.even, "uneven: one more after than before"),
        )
        return tuple(text for holds, text in notes if holds)


class SpreadSolution(NamedTuple):
    """A value of the unknown that gives the wanted output. axis: with all quantities."""

    value: int
    axis: Spread

    @property
    def exact(self) -> bool:
        """True: nothing is rounded."""
        return True

    @property
    def reads_padding_only(self) -> bool:
        """False: a kernel lies at a pixel."""
        return False

    @property
    def even(self) -> bool:
        """Whether both sides have the same padding."""
        return self.axis.before == self.axis.after

    @property
    def working(self) -> str:
        """`(14 − 1)·2 + 4 − 2·1 = 28`."""
        return self.axis.working()

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks: an output padding, or uneven padding."""
        notes = (
            (self.axis.extra > 0, f"output padding {self.axis.extra}"),
            (not self.even, "uneven: one more after than before"),
        )
        return tuple(text for holds, text in notes if holds)


class AxisSolutions(NamedTuple):
    """The solutions for one axis, of a convolution or a transposed one. alternatives: if there are none, the values of
    other unknowns that would give the output."""

    axis: str
    unknown: str
    output: int
    given: KnownWindow | KnownSpread
    solutions: tuple[Solution | SpreadSolution, ...]
    alternatives: tuple[tuple[str, tuple[Solution | SpreadSolution, ...]], ...] = ()


class Solutions(NamedTuple):
    """The solutions for every axis. input: as typed."""

    unknown: str
    input: InputSizes
    answers: tuple[AxisSolutions, ...]

    @property
    def mismatch(self) -> None:
        """None: the solutions have the wanted size by construction."""
        return None

    @property
    def transposed(self) -> bool:
        """Whether they are of a transposed convolution, which has an output padding."""
        return not isinstance(self.answers[0].given, KnownWindow)

    @property
    def solved(self) -> bool:
        """Whether every axis has a solution."""
        return all(answer.solutions for answer in self.answers)
