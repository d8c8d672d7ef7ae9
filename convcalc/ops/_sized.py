"""Base of upsample and crop, whose output size is given as numbers or taken from another layer."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar, Self

from convcalc.errors import Misfit
from convcalc.ops._base import Inputs, Operator
from convcalc.ops._fields import extent, shape_of
from convcalc.shapes import PerAxis, Shape, per_axis


@dataclass(frozen=True, kw_only=True)
class Sized(Operator):
    """An operator with a field `size`, or `like` instead. Only the shape of the layer named by `like` is used; it is
    not an input, and its output is not kept in memory for this."""

    role: ClassVar[str] = "reshape"
    shape_field: ClassVar[str | None] = "like"

    size: PerAxis | None = extent(None, doc="output size")
    like: str | None = shape_of(doc="the layer or input whose spatial size the output takes")

    def sized_like(self, name: str, shape: Shape) -> Self:
        """The operator with `size` taken from the layer that `like` names. Raises Misfit."""
        if self.size is not None:
            raise Misfit(f"{self.kind} has size and like, which both say its size", "leave one of them out")
        if len(shape) < 2:
            raise Misfit(
                f"like needs a layer with a spatial size; {name} is a vector of {shape[0]}",
                "name a layer before flatten",
            )
        return dataclasses.replace(self, size=shape[1:], like=name)

    def sizes(self, inputs: Inputs) -> tuple[int, ...] | None:
        """The given size of each spatial axis, or None if no size is given. Raises Misfit."""
        shape = self.needs_map(inputs[0])
        if self.size is None:
            if self.like is not None:
                raise Misfit(
                    f"there is no layer {self.like} here whose size {self.kind} could take", "give its size"
                )
            return None
        return per_axis(self.size, len(shape) - 1, "size")

    @property
    def given(self) -> str:
        """The origin of the size, for a worked formula."""
        return "as given" if self.like is None else f"like {self.like}"
