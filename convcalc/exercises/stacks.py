"""Receptive fields of a few layers, one behind another: 1 + the sum of (F − 1) times the strides before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any, NamedTuple

from convcalc.exercises.question import Chance, Mistake, distinct


class Window(NamedTuple):
    """A layer of the stack."""

    kind: str
    kernel: int
    stride: int
    dilation: int = 1

    @property
    def extent(self) -> int:
        """Pixels from its first to its last, D(F − 1) + 1."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def text(self) -> str:
        """`conv F3 S2`."""
        stride = f" S{self.stride}" if self.stride > 1 else ""
        spread = f" with dilation {self.dilation}" if self.dilation > 1 else ""
        return f"{self.kind} F{self.kernel}{stride}{spread}"


def draw(level: int, chance: Chance) -> dict[str, Any]:
    """How much of the input one unit sees. Level 1: two convolutions; 2: a pool between them; 3: strides; 4:
    dilation."""
    windows = list(_windows(level, chance))
    jumps = [prod(window.stride for window in windows[:place]) for place in range(len(windows))]
    field = 1 + sum((window.extent - 1) * jump for window, jump in zip(windows, jumps, strict=True))
    terms = " + ".join(f"({window.extent} − 1)·{jump}" for window, jump in zip(windows, jumps, strict=True))
    stack = " → ".join(window.text for window in windows)
    return {
        "text": f"Layers one behind another: {stack}. How many pixels of the input, along one axis, does one unit of "
        "the last layer see?",
        "answer": field,
        "working": f"1 + {terms} = {field}",
        "hint": "begin with 1; each layer adds (F − 1) times the product of the strides before it",
        "mistakes": distinct(field, _mistakes(windows, jumps)),
    }


def _windows(level: int, chance: Chance) -> Iterator[Window]:
    yield Window("conv", chance.pick((3, 5, 7)), chance.pick((2, 3)) if level > 2 else 1)
    if level > 1:
        yield Window("maxpool", chance.pick((2, 3)), 2)
    yield Window("conv", chance.pick((3, 5)), 1, chance.pick((2, 3)) if level > 3 else 1)
    if level > 2:
        yield Window("conv", chance.pick((2, 3)), 2)


def _mistakes(windows: list[Window], jumps: list[int]) -> Iterator[Mistake]:
    extents = [window.extent for window in windows]
    steps = [extent - 1 for extent in extents]
    yield Mistake(1 + sum(steps), "the steps of a kernel are as wide as the strides before it")
    own = [jump * window.stride for jump, window in zip(jumps, windows, strict=True)]
    yield Mistake(1 + _products(steps, own), "a layer's own stride widens the steps behind it, not its own")
    undilated = [window.kernel - 1 for window in windows]
    yield Mistake(1 + _products(undilated, jumps), "the dilation spreads the kernel: it spans D(F − 1) + 1")
    yield Mistake(sum(extents), "F pixels are F − 1 steps")
    yield Mistake(1 + _products(extents, jumps), "F pixels are F − 1 steps")
    yield Mistake(_products(steps, jumps), "the 1 to begin with is missing")
    yield Mistake(prod(extents), "fields add their steps, they are not multiplied")
    yield Mistake(extents[-1], "this is the last kernel alone: the layers before it see more")


def _products(steps: Sequence[int], jumps: Sequence[int]) -> int:
    return sum(step * jump for step, jump in zip(steps, jumps, strict=True))
