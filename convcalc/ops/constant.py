"""A fixed tensor computed by a named rule, such as relative position indices (Liu et al. 2021, Swin)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product as places
from math import log2, prod
from typing import Any, ClassVar, Self

from convcalc.errors import Misfit
from convcalc.ops._base import (
    AxisReach,
    Example,
    Inputs,
    Operator,
    Order,
    Parameter,
    Reordered,
    Tensor,
    Working,
)
from convcalc.ops._fields import choice, integers
from convcalc.ops._windows import WindowAxis, windows
from convcalc.ops._working import product
from convcalc.shapes import Shape, show

MASKED = -100.0  # added by Swin to the score of two positions that must not attend to each other
COORDINATES = (
    8.0  # log_relative_positions: the largest offset before the logarithm (Liu et al. 2022, Swin V2)
)
MAX_VALUES = 1 << 24
MAX_RANK = 3


@dataclass(frozen=True, kw_only=True)
class Constant(Operator):
    """A fixed tensor computed by a rule. It has no inputs and is a buffer, not a parameter.

    Its key in a weights file is the layer's path. The file may omit it; if it is there, its values must match the rule.

    For a window of N places: relative_positions (N, N) holds the row-major index of the offset between two places, for
    a table of Π(2·window − 1) entries. log_relative_positions (2·window − 1, …, dimensions) holds the offsets on a
    logarithmic scale, ±log₂(8·|offset|/(window − 1) + 1)/3. window_mask (windows, N, N) is −100 for places that share
    a window only because of the shift, and 0 otherwise.
    """

    kind: ClassVar[str] = "constant"
    role: ClassVar[str] = "tensor"
    main: ClassVar[str | None] = "rule"
    inputs: ClassVar[tuple[int, int | None]] = (0, 0)
    example: ClassVar[Example | None] = Example("constant: {kind: relative_positions, window: [7, 7]}")

    rule: str = choice(
        "window_mask",
        "relative_positions",
        "log_relative_positions",
        alias="kind",
        doc="rule that computes the values",
    )
    window: tuple[int, ...] = integers(minimum=1, doc="window size in positions, one number per dimension")
    size: tuple[int, ...] | None = integers(None, minimum=1, doc="size of the map, for window_mask")
    shift: tuple[int, ...] | None = integers(None, doc="shift of the windows in positions, for window_mask")

    def bind(self, inputs: Inputs) -> Self:
        """Returns the operator unchanged. Raises Misfit if the fields contradict each other."""
        rank = len(self.window)
        if rank > MAX_RANK:
            raise Misfit(f"windows of {rank} dimensions", f"give 1 to {MAX_RANK} numbers in window")
        masks = self.rule == "window_mask"
        for name in ("size", "shift"):
            given = getattr(self, name)
            if (given is not None) != masks:
                if masks:
                    raise Misfit(f"window_mask needs {name}", f"write {name}: {list(self.window)}")
                raise Misfit(f"{self.rule} takes no {name}", f"leave out {name}; window_mask takes it")
            if given is not None and len(given) != rank:
                raise Misfit(
                    f"{name} has {len(given)} numbers, window has {rank}", "give one per dimension in each"
                )
        if self.shift and any(shift >= size for shift, size in zip(self.shift, self.window, strict=True)):
            raise Misfit(
                f"a shift of {show(self.shift)} in windows of {show(self.window)}",
                "shift by less than a window, usually by half of one",
            )
        if self.rule == "log_relative_positions" and 1 in self.window:
            raise Misfit(
                f"log_relative_positions divides by window − 1, and the window is {show(self.window)}",
                "give windows of at least 2 positions",
            )
        if prod(self.output_shape(inputs)) > MAX_VALUES:
            raise Misfit(
                f"a constant of {show(self.output_shape(inputs))} values, more than {MAX_VALUES:,}",
                "give a smaller window",
            )
        return self

    def output_shape(self, inputs: Inputs) -> Shape:
        """(N, N), (windows, N, N) or (2·window − 1, …, dimensions)."""
        places_inside = prod(self.window)
        if self.rule == "log_relative_positions":
            return (*self._offsets(), len(self.window))
        if self.rule == "relative_positions":
            return (places_inside, places_inside)
        return (prod(axis.windows for axis in self._axes()), places_inside, places_inside)

    def parameters(self, inputs: Inputs) -> tuple[Parameter, ...]:
        """The tensor, as a buffer."""
        return (Parameter("", self.output_shape(inputs), "buffer", rule=self.values),)

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """Nothing."""
        return ()

    @property
    def entries(self) -> int | None:
        """The number of entries in the table that the values index; None if the values are not indices."""
        return prod(self._offsets()) if self.rule == "relative_positions" else None

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """`(7·7)·(7·7) = 2,401`, and the length of the table if the values are indices."""
        inside = product(self.window)
        shape = self.output_shape(inputs)
        lines = (
            [Working("places in a window", f"{inside} = {prod(self.window):,}")]
            if len(self.window) > 1
            else []
        )
        lines.append(Working("buffers", f"{product(shape)} = {prod(shape):,}"))
        if self.entries is not None:
            factors = "·".join(f"(2·{size} − 1)" for size in self.window)
            lines.append(Working("indices", f"of a table of {factors} = {self.entries:,} entries"))
        return tuple(lines)

    def reordered(self, order: Order) -> Reordered | None:
        """The same operator, with its output stored in sequence."""
        return Reordered(self, tuple(range(len(self.output_shape(())))))

    def values(self) -> list[float]:
        """The values of the tensor in row-major order."""
        return {
            "window_mask": self._mask,
            "relative_positions": self._indices,
            "log_relative_positions": self._logarithms,
        }[self.rule]()

    def _axes(self) -> list[WindowAxis]:
        assert self.size is not None
        assert self.shift is not None
        return [WindowAxis(*axis) for axis in zip(self.size, self.window, self.shift, strict=True)]

    def _offsets(self) -> tuple[int, ...]:
        """The number of distinct offsets between two places of a window, per dimension."""
        return tuple([2 * size - 1 for size in self.window])

    def _mask(self) -> list[float]:
        return [
            0.0 if here.sees(other) else MASKED
            for window in windows(self._axes())
            for here in window
            for other in window
        ]

    def _indices(self) -> list[float]:
        inside = list(places(*map(range, self.window)))
        result = []
        for here in inside:
            for other in inside:
                index = 0
                for own, others, size in zip(here, other, self.window, strict=True):
                    index = index * (2 * size - 1) + own - others + size - 1
                result.append(float(index))
        return result

    def _logarithms(self) -> list[float]:
        result = []
        for offsets in places(*(range(1 - size, size) for size in self.window)):
            for offset, size in zip(offsets, self.window, strict=True):
                far = log2(COORDINATES * abs(offset) / (size - 1) + 1) / log2(COORDINATES)
                result.append(far if offset > 0 else -far)
        return result

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """The tensor."""
        values = list(weights[""])
        inside = prod(self.window)
        if self.rule == "log_relative_positions":
            return Tensor((*(2 * size - 1 for size in self.window), len(self.window)), values)
        if self.rule == "relative_positions":
            return Tensor((inside, inside), values)
        return Tensor((len(values) // inside**2, inside, inside), values)
