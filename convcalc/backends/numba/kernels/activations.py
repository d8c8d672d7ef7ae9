"""Activation functions on vectors: polynomials and quotients good to about 2·10⁻⁷ of the largest value.

Far from 0 they go to their limits exactly, and what is not a number stays so, as in PyTorch. Each of them is finite
times something that becomes 0 or 1, so that −∞·0 gives what is not a number where PyTorch has that.
"""

from __future__ import annotations

from typing import Any

from convcalc.backends.numba.jit.simd import below, exponent, fma, inline, reciprocal, splat, vmax, vmin

# What `activate` can do; the plan names them, the kernel compares numbers.
FUNCTIONS = (
    "leaky_relu", "prelu", "elu", "sigmoid", "tanh", "gelu", "gelu_tanh", "silu", "mish", "hardsigmoid", "hardswish",
    "softplus",
)  # fmt: skip
(LEAKY_RELU, PRELU, ELU, SIGMOID, TANH, GELU, GELU_TANH, SILU, MISH, HARDSIGMOID, HARDSWISH, SOFTPLUS) = (
    range(12)
)

LOG2_E = 1.4426950408889634
LN2_HIGH, LN2_LOW = 0.693359375, -2.12194440e-4  # their sum is ln 2; products with the first are exact
SHIFT = 1.5 * 2**23 + 127  # added to a number, leaves it rounded in the lowest bits, with an exponent's bias
LOWEST, HIGHEST = -127 * 0.6931471805599453, 44.0  # 1 + e⁴⁴ is e⁴⁴, and its reciprocal far from denormal
E1, E2, E3, E4, E5, E6 = 1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720, 1 / 5040


@inline
def exponential(x: Any) -> Any:
    """eˣ up to x = HIGHEST, and 0 below −87.7: 2ⁿ·eʳ with |r| ≤ ln 2/2.

    At LOWEST n is −127, whose biased exponent is 0: that of the number 0.
    """
    x = vmin(splat(HIGHEST), vmax(splat(LOWEST), x))
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
    """eˣ/(1 + eˣ): exactly 0 below −87.7."""
    e = exponential(x)
    return e * reciprocal(splat(1.0) + e)


@inline
def hyperbolic_tangent(x: Any) -> Any:
    """1 − 2/(1 + e²ˣ), and near 0, where that cancels, x·(1 − x²/3 + 2x⁴/15 − 17x⁶/315)."""
    e = exponential(x + x)
    square = x * x
    series = fma(square, splat(-17 / 315), splat(2 / 15))
    series = fma(square, series, splat(-1 / 3))
    series = x * fma(square, series, splat(1.0))
    return below(square, splat(0.04), series, fma(splat(-2.0), reciprocal(splat(1.0) + e), splat(1.0)))


@inline
def error_function(x: Any) -> Any:
    """erf x to 1.5·10⁻⁷ (Abramowitz & Stegun 1964, 7.1.26); beyond ±6 it is ±1 in this precision."""
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
    """ln(1 + eˣ) = max(x, 0) + 2·artanh(e/(2 + e)) with e = e^−|x|, so that the series' argument is below ⅓."""
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
    """One of FUNCTIONS; slope is leaky_relu's and prelu's slope, and elu's alpha."""
    zero, one = splat(0.0), splat(1.0)
    if function in (LEAKY_RELU, PRELU):
        return below(x, zero, x * slope, x)
    if function == ELU:
        # eˣ − 1 through tanh(x/2), which does not cancel near 0
        half = hyperbolic_tangent(x * splat(0.5))
        return below(x, zero, slope * (half + half) / (one - half), x)
    if function == SIGMOID:
        return sigmoid(x)
    if function == TANH:
        return hyperbolic_tangent(x)
    if function == GELU:
        return x * splat(0.5) * (one + error_function(x * splat(0.7071067811865476)))
    if function == GELU_TANH:
        # ½(1 + tanh u) = 1/(1 + e⁻²ᵘ)
        return x * sigmoid(x * fma(x * x, splat(0.044715 * 1.5957691216057308), splat(1.5957691216057308)))
    if function == SILU:
        return x * sigmoid(x)
    if function == MISH:
        return x * hyperbolic_tangent(logarithm1p_exponential(x))
    if function == SOFTPLUS:
        return logarithm1p_exponential(x)
    gate = vmin(splat(6.0), vmax(zero, x + splat(3.0))) * splat(1 / 6)
    return gate if function == HARDSIGMOID else x * gate
