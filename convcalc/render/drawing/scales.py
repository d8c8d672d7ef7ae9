"""How large volumes, maps and bars are drawn: lengths in pixels by the square root or the logarithm of a number."""

from __future__ import annotations

from collections.abc import Sequence
from math import log1p, sqrt
from typing import Literal, NamedTuple

from convcalc.render.drawing.chain import Chain

Kind = Literal["sqrt", "log"]
SIDE = 180.0  # of the largest map
MIN_SIDE = 8.0
DEPTH = 1.55  # per √channel; 50 for 1024 channels
MIN_DEPTH = 3.0
BAR = 2.3  # per √unit
MAX_BAR = 220.0
MIN_BAR = 10.0
REFERENCE = 1024  # channels and units where both scales agree


class Scale(NamedTuple):
    """Lengths in pixels. kind: by square root or by logarithm; largest: the longest side of a map, in pixels of the
    network; bar: per √unit; size: a factor on all of it."""

    kind: Kind
    largest: int
    bar: float
    size: float = 1.0

    def side(self, pixels: int) -> float:
        """The side of a map."""
        return self.size * max(MIN_SIDE, SIDE * self._share(pixels, self.largest))

    def depth(self, channels: int) -> float:
        """The depth of a volume."""
        return self.size * max(MIN_DEPTH, DEPTH * sqrt(REFERENCE) * self._share(channels, REFERENCE))

    def height(self, units: int) -> float:
        """The height of a bar."""
        return self.size * max(MIN_BAR, self.bar * sqrt(REFERENCE) * self._share(units, REFERENCE))

    def _share(self, number: int, of: int) -> float:
        return sqrt(number / of) if self.kind == "sqrt" else log1p(number) / log1p(of)

    def words(self, *, solids: bool, bars: bool) -> str:
        """What the caption says of it."""
        law = "square root" if self.kind == "sqrt" else "logarithm"
        if not solids:
            return f"The bars are drawn by the {law} of the units."
        rest = ", bars by that of the units" if bars else ""
        return f"A map's sides are drawn by the {law} of its size, depth by that of the channels{rest}."


def scale(chain: Chain, kind: Kind = "sqrt", size: float = 1.0) -> Scale:
    """The scale for a network: its largest map is 180 pixels high, times size, and its bars no higher than 220."""
    bar = BAR if chain.has_maps else MAX_BAR
    if chain.largest_bar:
        bar = min(bar, _bar_limit(kind, chain.largest_bar))
    return Scale(kind, chain.largest_side, bar, size)


def _bar_limit(kind: Kind, units: int) -> float:
    """The factor with which the longest bar is MAX_BAR high."""
    share = Scale(kind, 1, 1.0)._share(units, REFERENCE)
    return MAX_BAR / (sqrt(REFERENCE) * share)


def spatial(shape: Sequence[int]) -> tuple[int, int]:
    """Height and width of a map; a sequence is one pixel wide, and of a clip one frame is drawn."""
    return (shape[1], 1) if len(shape) == 2 else (shape[-2], shape[-1])
