"""He initialisation, for networks without trained weights.

He, Zhang, Ren & Sun 2015: a normal distribution with variance 2 / fan-in preserves the signal's scale through ReLU
layers.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from functools import cache
from math import prod, sqrt
from random import Random
from statistics import NormalDist

LEVELS = 1 << 16
CHUNK = 1 << 12  # numbers drawn at a time, to stay in the processor's cache


def he_normal(name: str, shape: Sequence[int], fan_in: int, seed: int) -> array[float]:
    """prod(shape) 32-bit floats, normal with mean 0 and variance 2 / fan_in (at least 1).

    The values depend only on name, seed and fan_in: not on the backend, the machine, or the weights drawn before.

    Each value is one of 65,536 equally likely quantiles of the normal distribution, selected by 16 random bits: a
    table look-up, some eight times faster than `random.gauss`; VGG-16 has 138 million weights. The price is a tail
    that ends at 4.17 standard deviations, which one normal number in 30,000 exceeds.
    """
    scale = sqrt(2 / max(1, fan_in))
    random, left = Random(f"{seed}:{name}"), prod(shape)
    few = left < LEVELS  # then scaling the numbers is faster than scaling the table
    table = _quantiles() if few else [scale * quantile for quantile in _quantiles()]
    values = array("f")
    while left > 0:
        picks = array("H", random.randbytes(2 * min(left, CHUNK)))
        if sys.byteorder == "big":
            picks.byteswap()
        drawn = [scale * table[pick] for pick in picks] if few else [table[pick] for pick in picks]
        values.extend(array("f", drawn))
        left -= len(picks)
    return values


@cache
def _quantiles() -> array[float]:
    """The midpoints of 65,536 equally likely intervals of the standard normal, scaled to variance exactly 1."""
    inverse = NormalDist().inv_cdf
    upper = [inverse((level + 0.5) / LEVELS) for level in range(LEVELS // 2, LEVELS)]
    spread = sqrt(sum(value * value for value in upper) / len(upper))
    positive = [value / spread for value in upper]
    return array("d", [-value for value in reversed(positive)] + positive)
