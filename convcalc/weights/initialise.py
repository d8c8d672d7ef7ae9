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
from typing import TYPE_CHECKING, Any

from convcalc.weights.memory import large_floats, uses_numpy

if TYPE_CHECKING:
    from numpy import ndarray

LEVELS = 1 << 16  # numbers of the table, which 16 bits select
CHUNK = 1 << 12  # numbers drawn at a time, to stay in the processor's cache
WIDE_CHUNK = 1 << 15  # by NumPy


def he_normal(name: str, shape: Sequence[int], fan_in: int, seed: int) -> array[float] | memoryview[float]:
    """prod(shape) 32-bit floats, normal with mean 0 and variance 2 / fan_in (at least 1).

    The values depend only on name, seed and fan_in: not on the backend, the machine, or the weights drawn before.

    Each value is one of 65,536 equally likely quantiles of the normal distribution, selected by 16 random bits: a
    table look-up, some eight times faster than `random.gauss`; VGG-16 has 138 million weights. The price is a tail
    that ends at 4.17 standard deviations, which one normal number in 30,000 exceeds. NumPy, if it is in use or the
    numbers are many, gives the same bits some twenty times faster again.
    """
    scale = _scale(fan_in)
    left = prod(shape)
    if left >= LEVELS and uses_numpy(left):
        return _drawn_by_numpy(generator(name, seed), left, scale)
    random = _random(name, seed)
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


def _drawn_by_numpy(state: Sequence[int], count: int, scale: float) -> memoryview[float]:
    """What the loop of `he_normal` gives. NumPy's generator is given Python's state: both are the Mersenne Twister
    and make the same words."""
    import numpy as np

    table = _scaled(scale)
    source = np.random.RandomState()
    source.set_state(("MT19937", np.array(state, dtype=np.uint32), len(state), 0, 0.0))
    values = large_floats(count)
    drawn = np.asarray(values)
    for start in range(0, count, WIDE_CHUNK):
        part = drawn[start : start + WIDE_CHUNK]
        words = source.randint(0, 1 << 32, (len(part) + 1) // 2, dtype=np.uint32).astype("<u4", copy=False)
        picks = words.view("<u2")
        if len(part) % 2:  # of the last word Python takes the upper half
            picks[len(part) - 1] = picks[len(part)]
        np.take(table, picks[: len(part)], out=part, mode="wrap")  # "raise", the default, makes a copy first
    return values


def generator(name: str, seed: int) -> tuple[int, ...]:
    """The state of the Mersenne Twister that the numbers of a name come from: 624 words, all of which are used up.

    Each word that it makes from now on gives two numbers, by its lower 16 bits and then by its upper 16; of the last
    word of an odd count the upper 16 alone are used.
    """
    _, state, _ = _random(name, seed).getstate()
    *words, used = state
    assert used == len(words)
    return tuple(words)


def _random(name: str, seed: int) -> Random:
    return Random(f"{seed}:{name}")


def number_table(fan_in: int) -> ndarray[Any, Any]:
    """The numbers that 16 bits select, float32."""
    return _scaled(_scale(fan_in))


def _scale(fan_in: int) -> float:
    return sqrt(2 / max(1, fan_in))


def _scaled(scale: float) -> ndarray[Any, Any]:
    import numpy as np

    positive = scale * np.array(_upper_quantiles())
    return np.concatenate((-positive[::-1], positive), dtype=np.float32, casting="same_kind")


@cache
def _quantiles() -> array[float]:
    """The midpoints of 65,536 equally likely intervals of the standard normal, scaled to variance exactly 1."""
    positive = _upper_quantiles()
    return array("d", [-value for value in reversed(positive)]) + positive


@cache
def _upper_quantiles() -> array[float]:
    """The upper half of them."""
    inverse = NormalDist().inv_cdf
    upper = [inverse((level + 0.5) / LEVELS) for level in range(LEVELS // 2, LEVELS)]
    spread = sqrt(sum([value * value for value in upper]) / len(upper))
    return array("d", [value / spread for value in upper])
