"""Random weights that are drawn when they are asked for: a backend may have a quicker way than this room's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from convcalc.weights.memory import uses_numpy


class Draw(NamedTuple):
    """What is to be drawn: `size` numbers for the parameter of this name, as `initialise.he_normal` draws them."""

    name: str
    size: int
    fan_in: int
    seed: int


class DrawnNumbers:
    """The random numbers of a network, parameter by parameter: all are drawn when the first is asked for.

    wanted: what they are. Whoever can draw them sooner, with the same bits, hands them in by `take`.
    """

    def __init__(self, wanted: Sequence[Draw]) -> None:
        self.wanted = tuple(wanted)
        self._numbers: Sequence[Sequence[float]] | None = None

    @property
    def pending(self) -> bool:
        """Whether they are still to be drawn."""
        return self._numbers is None

    def __getitem__(self, place: int) -> Sequence[float]:
        return self.draw()[place]

    def draw(self) -> Sequence[Sequence[float]]:
        """Draws them unless they are there. Many numbers are drawn by several threads, as NumPy lets others run while
        it draws."""
        if self._numbers is None:
            self._numbers = _drawn(self.wanted)
        return self._numbers

    def take(self, numbers: Sequence[Sequence[float]]) -> None:
        """Takes the numbers, drawn by somebody else."""
        self._numbers = numbers


class DrawnParameters(Mapping[str, Sequence[float]]):
    """The parameters of a layer by name, some of which are drawn when they are asked for.

    values: what is there, and for what is drawn its place in `drawn`.
    """

    __slots__ = ("_drawn", "_values")

    def __init__(self, values: Mapping[str, Sequence[float] | int], drawn: DrawnNumbers) -> None:
        self._values = values
        self._drawn = drawn

    def __getitem__(self, name: str) -> Sequence[float]:
        value = self._values[name]
        return self._drawn[value] if isinstance(value, int) else value

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def _drawn(wanted: Sequence[Draw]) -> list[Sequence[float]]:
    from convcalc.weights.initialise import he_normal

    def draw(entry: Draw) -> Sequence[float]:
        return he_normal(entry.name, (entry.size,), entry.fan_in, entry.seed)

    if not uses_numpy(sum(entry.size for entry in wanted)):
        return list(map(draw, wanted))
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor() as pool:
        return list(pool.map(draw, wanted))
