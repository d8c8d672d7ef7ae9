"""Activation functions on vectors: polynomials and quotients, exact to about 2·10⁻⁷ of the largest value.

Far from 0 they reach their limits exactly, and NaN stays NaN, as in PyTorch. Gated functions multiply x by a factor
that becomes exactly 0 or 1, so that −∞·0 gives NaN where PyTorch gives it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import nan
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from convcalc.backends.numba.jit.declare import inline
from convcalc.backends.numba.jit.intrinsics import (
    below,
    exponent,
    fma,
    nearest,
    reciprocal,
    scaled,
    splat,
    vmax,
    vmin,
)
from convcalc.backends.numba.jit.target import SCALES

if TYPE_CHECKING:
    from convcalc.ops.celu import Celu
    from convcalc.ops.elu import Elu
    from convcalc.ops.gelu import Gelu
    from convcalc.ops.leaky_relu import LeakyRelu
    from convcalc.ops.selu import Selu

# The functions that kernels can compute: a plan names one by its number, and `activation` has a branch for each.
(
    LEAKY_RELU, ELU, SIGMOID, TANH, GELU, GELU_TANH, SILU, MISH, HARDSIGMOID, HARDSWISH, SOFTPLUS, CELU, SELU, ABS,
    NEGATE,
) = range(15)  # fmt: skip


class Function(NamedTuple):
    """A function as the kernels take it: its number and its parameter, for those that have one."""

    number: int
    parameter: float = 0.0


class Activation(NamedTuple):
    """How the kernels compute an operator that maps each element by itself.

    fused: what it becomes behind a layer that can take it in: a `bound` of the result, a `function` of it while it is
    in cache, or nothing, as it stays a layer. function: the function, from the operator; a `bound` needs none, the
    operator's own `bound` tells all. weight: the operator's tensor that holds the function's parameter, one for all
    channels or one for each. unused: the parameter in the lanes of a block that no channel uses, whose values must
    stay finite, as they are multiplied by weights of 0.
    """

    fused: Literal["bound", "function", "layer"]
    function: Callable[[Any], Function] | None = None
    weight: str = ""
    unused: float = 0.0


def _leaky_relu(op: LeakyRelu) -> Function:
    return Function(LEAKY_RELU, op.slope)


def _elu(op: Elu) -> Function:
    return Function(ELU, op.alpha)


def _celu(op: Celu) -> Function:
    return Function(CELU, op.alpha)


def _selu(op: Selu) -> Function:
    return Function(SELU, op.alpha)


def _gelu(op: Gelu) -> Function:
    return Function(GELU_TANH if op.approximate == "tanh" else GELU)


def _plain(number: int) -> Activation:
    return Activation("function", lambda op: Function(number))


# By the operator's name. A further function is a number above, an entry here and a branch in `activation`.
ACTIVATIONS: Mapping[str, Activation] = {
    "relu": Activation("bound"),
    "relu6": Activation("bound"),
    "clip": Activation("bound"),
    "leaky_relu": Activation("function", _leaky_relu),
    "prelu": Activation("layer", lambda op: Function(LEAKY_RELU), weight="weight"),
    "elu": Activation("function", _elu),
    "sigmoid": _plain(SIGMOID),
    "tanh": _plain(TANH),
    "gelu": Activation("function", _gelu),
    "silu": _plain(SILU),
    "mish": _plain(MISH),
    "hardsigmoid": _plain(HARDSIGMOID),
    "hardswish": _plain(HARDSWISH),
    "softplus": _plain(SOFTPLUS),
    "celu": Activation("function", _celu, unused=1.0),
    "selu": Activation("function", _selu),
    "abs": _plain(ABS),
    "negate": _plain(NEGATE),
}

SELU_SCALE = 1.0507009873554805  # Klambauer et al. 2017; another one is left to NumPy
LOG2_E = 1.4426950408889634
SHIFT = (
    1.5 * 2**23 + 127
)  # x + SHIFT holds x, rounded and plus 127, in its lowest bits: a float's biased exponent
MIN_EXPONENT = -127 * 0.6931471805599453  # there n is −127, whose biased exponent is that of the number 0
MAX_EXPONENT = 44.0  # 1 + e⁴⁴ equals e⁴⁴, and its reciprocal is far from denormal
MIN_POWER, MAX_POWER = -200.0, 64.0  # the same as powers of 2; 2⁻²⁰⁰ is 0 in float32


@inline
def _power(f: Any) -> Any:
    """2ᶠ for |f| ≤ ½, to 9·10⁻⁸ of it, the least that a quintic with the value 1 at 0 can err by."""
    p = fma(f, splat(0.0013264727), splat(0.0096715127))
    p = fma(f, p, splat(0.0555073374))
    p = fma(f, p, splat(0.2402224208))
    p = fma(f, p, splat(0.6931469776))
    return fma(f, p, splat(1.0))


@inline
def _exponential_by_scaling(x: Any) -> Any:
    """`exponential` where an instruction rounds to whole numbers and another multiplies by a power of 2."""
    t = vmin(splat(MAX_POWER), vmax(splat(MIN_POWER), x * splat(LOG2_E)))
    n = nearest(t)
    return scaled(_power(t - n), n)


@inline
def _exponential_by_bits(x: Any) -> Any:
    """`exponential` on any processor: a sum rounds, and what it leaves in the lowest bits is the exponent of 2ⁿ."""
    x = vmin(splat(MAX_EXPONENT), vmax(splat(MIN_EXPONENT), x))
    shifted = fma(x, splat(LOG2_E), splat(SHIFT))
    return _power(fma(x, splat(LOG2_E), splat(SHIFT) - shifted)) * exponent(shifted)


# eˣ up to e⁴⁴, which stands for all that is larger, and 0 where float32 has 0; from −87.3 down, where numbers are
# denormal, some processors have 0. eˣ = 2ⁿ·2ᶠ with t = x·log₂e, n = t, rounded, and f = t − n. The error, of t above
# all, is 2·10⁻⁷ of the result near 0 and grows with |x|, but never exceeds 2·10⁻⁷ of 1 + eˣ.
exponential = _exponential_by_scaling if SCALES else _exponential_by_bits


@inline
def sigmoid(x: Any) -> Any:
    """eˣ/(1 + eˣ), exactly 0 where eˣ is."""
    e = exponential(x)
    return e * reciprocal(splat(1.0) + e)


@inline
def hyperbolic_tangent(x: Any) -> Any:
    """1 − 2/(1 + e²ˣ), but for |x| < 0.2, where that cancels, the series x·(1 − x²/3 + 2x⁴/15 − 17x⁶/315)."""
    e = exponential(x + x)
    square = x * x
    series = fma(square, splat(-17 / 315), splat(2 / 15))
    series = fma(square, series, splat(-1 / 3))
    series = x * fma(square, series, splat(1.0))
    return below(square, splat(0.04), series, fma(splat(-2.0), reciprocal(splat(1.0) + e), splat(1.0)))


@inline
def exponential_less_1(x: Any) -> Any:
    """eˣ − 1 of x ≤ 0: 2h/(1 − h) with h = tanh(x/2), which does not cancel near 0."""
    half = hyperbolic_tangent(x * splat(0.5))
    return (half + half) / (splat(1.0) - half)


@inline
def error_function(x: Any) -> Any:
    """erf x to 4·10⁻⁷, as x·P(x²)/Q(x²); beyond ±3.92 it is ±1 in float32.

    P and Q were fitted for the least error of the quotient, 4.3·10⁻⁸; the rest is rounding.
    """
    limit, unit = splat(3.92), splat(1.0)
    u = vmin(limit, vmax(splat(-3.92), x))  # NaN stays
    t = u * u
    p = fma(t, splat(1.9921518656929038e-08), splat(-1.9942870039812988e-06))
    p = fma(t, p, splat(0.0001489832065999508))
    p = fma(t, p, splat(0.003972741309553385))
    p = fma(t, p, splat(0.05139679089188576))
    p = fma(t, p, splat(0.20611068606376648))
    p = fma(t, p, splat(1.1283787488937378))
    q = fma(t, splat(0.001024087774567306), splat(0.01488890778273344))
    q = fma(t, q, splat(0.11756307631731033))
    q = fma(t, q, splat(0.5159896016120911))
    q = fma(t, q, unit)
    result = u * p * reciprocal(q)
    return below(limit, x, unit, below(x, splat(-3.92), splat(-1.0), result))


@inline
def logarithm1p_exponential(x: Any) -> Any:
    """ln(1 + eˣ) = max(x, 0) + 2·artanh(s) with s = e/(2 + e) and e = e^−|x|.

    artanh s = s + s³/3 + s⁵/5 + …, which converges quickly because s ≤ ⅓.
    """
    zero = splat(0.0)
    e = exponential(zero - vmax(x, zero - x))
    s = e / (splat(2.0) + e)
    q = s * s
    p = fma(q, splat(1 / 13), splat(1 / 11))
    p = fma(q, p, splat(1 / 9))
    p = fma(q, p, splat(1 / 7))
    p = fma(q, p, splat(1 / 5))
    p = fma(q, p, splat(1 / 3))
    p = fma(q, p, splat(1.0))
    return fma(s + s, p, vmax(x, zero))


@inline
def activation(function: int, x: Any, slope: Any) -> Any:
    """The function of a number; slope is its parameter: leaky_relu's and prelu's slope, elu's, celu's, selu's alpha.

    A number without a branch gives NaN, which every test of the operator sees.
    """
    zero, unit = splat(0.0), splat(1.0)
    if function == LEAKY_RELU:
        return below(x, zero, x * slope, x)
    if function == ELU:
        return below(x, zero, slope * exponential_less_1(x), x)
    if function == CELU:
        return below(x, zero, slope * exponential_less_1(x / slope), x)
    if function == SELU:
        return splat(SELU_SCALE) * below(x, zero, slope * exponential_less_1(x), x)
    if function == SIGMOID:
        return sigmoid(x)
    if function == TANH:
        return hyperbolic_tangent(x)
    if function == GELU:
        return x * splat(0.5) * (unit + error_function(x * splat(0.7071067811865476)))
    if function == GELU_TANH:
        # ½(1 + tanh u) = 1/(1 + e⁻²ᵘ)
        return x * sigmoid(x * fma(x * x, splat(0.044715 * 1.5957691216057308), splat(1.5957691216057308)))
    if function == SILU:
        return x * sigmoid(x)
    if function == MISH:
        return x * hyperbolic_tangent(logarithm1p_exponential(x))
    if function == SOFTPLUS:
        return logarithm1p_exponential(x)
    if function == HARDSIGMOID:
        return vmin(splat(6.0), vmax(zero, x + splat(3.0))) * splat(1 / 6)
    if function == HARDSWISH:
        return x * (vmin(splat(6.0), vmax(zero, x + splat(3.0))) * splat(1 / 6))
    if function == ABS:
        return vmax(x, zero - x)
    if function == NEGATE:
        return x * splat(-1.0)
    return splat(nan)
