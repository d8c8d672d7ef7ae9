"""Activation functions on vectors: polynomials and quotients, exact to about 2·10⁻⁷ of the largest value.

Far from 0 they reach their limits exactly, and NaN stays NaN, as in PyTorch. Gated functions multiply x by a factor
that becomes exactly 0 or 1, so that −∞·0 gives NaN where PyTorch gives it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import nan
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from convcalc.backends.numba.jit.simd import below, exponent, fma, inline, reciprocal, splat, vmax, vmin

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
LN2_HIGH, LN2_LOW = 0.693359375, -2.12194440e-4  # their sum is ln 2; products with the first are exact
SHIFT = (
    1.5 * 2**23 + 127
)  # x + SHIFT holds x, rounded and plus 127, in its lowest bits: a float's biased exponent
MIN_EXPONENT = -127 * 0.6931471805599453  # there n is −127, whose biased exponent is that of the number 0
MAX_EXPONENT = 44.0  # 1 + e⁴⁴ equals e⁴⁴, and its reciprocal is far from denormal
E1, E2, E3, E4, E5, E6 = 1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720, 1 / 5040


@inline
def exponential(x: Any) -> Any:
    """eˣ up to x = MAX_EXPONENT, and 0 below −87.7.

    eˣ = 2ⁿ·eʳ with n = x/ln 2, rounded, and r = x − n·ln 2, so that |r| ≤ ln 2/2. Then 2ⁿ is an exponent's bits, and
    eʳ = 1 + r + r²·(1/2! + r/3! + … + r⁵/7!). ln 2 is subtracted in two parts, so that r is exact (Cody & Waite 1980).
    """
    x = vmin(splat(MAX_EXPONENT), vmax(splat(MIN_EXPONENT), x))
    shifted = fma(x, splat(LOG2_E), splat(SHIFT))
    n = shifted - splat(SHIFT)
    r = fma(n, splat(-LN2_LOW), fma(n, splat(-LN2_HIGH), x))
    p = fma(r, splat(E6), splat(E5))
    p = fma(r, p, splat(E4))
    p = fma(r, p, splat(E3))
    p = fma(r, p, splat(E2))
    p = fma(r, p, splat(E1))
    return (fma(p, r * r, r) + splat(1.0)) * exponent(shifted)


@inline
def sigmoid(x: Any) -> Any:
    """eˣ/(1 + eˣ), exactly 0 below −87.7."""
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
    """erf x to 1.5·10⁻⁷ (Abramowitz & Stegun 1964, formula 7.1.26); beyond ±6 it is ±1 in float32.

    erf x = 1 − (a₁t + a₂t² + … + a₅t⁵)·e^−x² with t = 1/(1 + 0.3275911·x), for x ≥ 0.
    """
    size = vmin(splat(6.0), vmax(x, splat(0.0) - x))
    t = reciprocal(fma(splat(0.3275911), size, splat(1.0)))
    p = fma(t, splat(1.061405429), splat(-1.453152027))
    p = fma(t, p, splat(1.421413741))
    p = fma(t, p, splat(-0.284496736))
    p = fma(t, p, splat(0.254829592)) * t
    result = splat(1.0) - p * exponential(splat(0.0) - size * size)
    return below(x, splat(0.0), splat(0.0) - result, result)


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
