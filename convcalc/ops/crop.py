"""Cropping of maps."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from convcalc.errors import Misfit
from convcalc.ops._base import AxisReach, Example, Inputs, Order, Reach, Reordered, Tensor, Working
from convcalc.ops._fields import extent
from convcalc.ops._sized import Sized
from convcalc.ops._taken import taken
from convcalc.ops._working import size_working
from convcalc.shapes import PerAxis, Shape, per_axis


@dataclass(frozen=True, kw_only=True)
class Crop(Sized):
    """Crops each map to `size` pixels, starting at `offset` or centred. (C, *spatial) → (C, *size).

    If a centred crop removes an odd number of pixels, the extra pixel is removed at the end. U-Net crops encoder maps
    this way for its decoder (Ronneberger, Fischer & Brox 2015).
    """

    kind: ClassVar[str] = "crop"
    main: ClassVar[str | None] = "size"
    example: ClassVar[Example | None] = Example("crop: 56", (512, 64, 64), "'crop: 2' '1 2 3; 4 5 6; 7 8 9'")

    offset: PerAxis | None = extent(None, minimum=0, doc="pixels removed at the start; default: centred")

    def bind(self, inputs: Inputs) -> Self:
        """The operator with `offset` filled in. Raises Misfit if the crop exceeds the input."""
        size = self.sizes(inputs)
        spatial = inputs[0][1:]
        if size is None:
            raise Misfit("crop needs size or like", "size: [14, 14], or like: a_layer")
        if self.offset is None:
            offset = tuple((n - m) // 2 for n, m in zip(spatial, size, strict=True))
        else:
            offset = per_axis(self.offset, len(spatial), "offset")
        for n, m, before in zip(spatial, size, offset, strict=True):
            if before < 0 or before + m > n:
                raise self._misfit(n, m, before)
        return dataclasses.replace(self, offset=offset) if self.offset is None else self

    def _misfit(self, pixels: int, size: int, offset: int) -> Misfit:
        where = "" if self.offset is None else f" from pixel {offset} on"
        whose = "" if self.like is None else f", the size of {self.like},"
        if self.like is not None:
            hint = "name a layer with a smaller map; upsample makes a map larger"
        elif offset < pixels:
            hint = f"use a size of at most {pixels - max(0, offset)}"
        else:
            hint = f"use an offset below {pixels}"
        what = f"{size} pixels{whose}{where} do" if size != 1 else f"1 pixel{whose}{where} does"
        return Misfit(f"{what} not lie within an axis of {pixels}", hint)

    def parts(self, inputs: Inputs) -> list[range]:
        """The range of pixels kept on each spatial axis."""
        spatial = inputs[0][1:]
        size, offset = self.sizes(inputs), self.offset
        assert size is not None
        assert offset is not None
        return [
            range(before, before + m)
            for before, m in zip(per_axis(offset, len(spatial), "offset"), size, strict=True)
        ]

    def output_shape(self, inputs: Inputs) -> Shape:
        """(C, *size)."""
        size = self.sizes(inputs)
        assert size is not None
        return (inputs[0][0], *size)

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """A single pixel, shifted by the offset."""
        return (Reach(0), *(Reach(d, start=part.start) for d, part in enumerate(self.parts(inputs), 1)))

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """`64 − 4 − 4 = 56`; `64 − 4 − 4 = 56 like decoder.up1`."""
        like = "" if self.like is None else f" {self.given}"
        parts = zip(inputs[0][1:], self.parts(inputs), strict=True)
        return size_working(
            [f"{n} − {part.start} − {n - part.stop} = {len(part)}{like}" for n, part in parts]
        )

    def reordered(self, order: Order) -> Reordered | None:
        """The operator with `size` and `offset` permuted like the axes, if the channels are stored first, else None."""
        if order[0]:
            return None
        places = [order.index(place) - 1 for place in range(1, len(order))]
        size, offset = _in_order(self.size, places), _in_order(self.offset, places)
        return Reordered(dataclasses.replace(self, size=size, offset=offset), order)

    def view(self, inputs: Inputs, strides: Sequence[int]) -> tuple[int, ...] | None:
        """The same strides."""
        return tuple(strides)

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """The values of the pixels that are kept."""
        return taken(inputs[0], [range(inputs[0].shape[0]), *self.parts((inputs[0].shape,))])


def _in_order(value: PerAxis | None, places: Sequence[int]) -> PerAxis | None:
    """Per-axis values, permuted like the axes."""
    return tuple(value[place] for place in places) if isinstance(value, tuple) else value
