"""Each element by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import factorial, pi, sqrt
from typing import Any

import numpy as np

from convcalc.backends.numba.arrays.signatures import ArrayFunction, Maker, Parameters
from convcalc.backends.numba.layout import Array
from convcalc.graph import Node


def elementwise(function: Callable[[Array], Array]) -> Maker:
    """A function of one number, without fields."""

    def make(node: Node, parameters: Parameters) -> ArrayFunction:
        return lambda inputs: function(inputs[0])

    return make


# Coefficients of erf's series about 0, x·Σ coefficient·x²ⁿ, exact in float32 up to ½; from there on the formula
# below is as good.
_SERIES = [2 / sqrt(pi) * (-1) ** n / (factorial(n) * (2 * n + 1)) for n in range(8)]
_QUOTIENT = (0.0, 0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
_CHUNK = 8192  # numbers whose intermediate results stay in cache


def error_function(x: Array) -> Array:
    """erf x: its series up to ½, then Abramowitz & Stegun 1964, formula 7.1.26, to 1.5·10⁻⁷."""
    flat = x.ravel()
    result = np.empty_like(flat)
    for start in range(0, flat.size, _CHUNK):
        part = flat[start : start + _CHUNK].astype(np.float64)
        size = np.abs(part)
        near = _horner(_SERIES, np.minimum(size, 0.5) ** 2) * part
        far = 1 - _horner(_QUOTIENT, 1 / (1 + 0.3275911 * size)) * np.exp(-size * size)
        result[start : start + _CHUNK] = np.where(size < 0.5, near, np.copysign(far, part))
    return result.reshape(x.shape)


def _horner(coefficients: Sequence[float], x: Array) -> Array:
    """Σ coefficient·xⁿ."""
    total = np.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total *= x
        total += coefficient
    return total


def elu(node: Node, parameters: Parameters) -> ArrayFunction:
    """x, or alpha·(eˣ − 1) below 0."""
    op: Any = node.op
    return lambda inputs: _below_zero(inputs[0], op.alpha, 1.0)


def celu(node: Node, parameters: Parameters) -> ArrayFunction:
    """x, or alpha·(e^(x/alpha) − 1) below 0."""
    op: Any = node.op
    return lambda inputs: _below_zero(inputs[0], op.alpha, op.alpha)


def selu(node: Node, parameters: Parameters) -> ArrayFunction:
    """scale·x, or scale·alpha·(eˣ − 1) below 0."""
    op: Any = node.op
    return lambda inputs: _below_zero(inputs[0], op.alpha, 1.0) * op.scale


def _below_zero(x: Array, alpha: float, width: float) -> Array:
    """x, or alpha·(e^(x/width) − 1) below 0."""
    return np.where(x < 0, np.expm1(np.minimum(x, 0) / width) * alpha, x)


def clip(node: Node, parameters: Parameters) -> ArrayFunction:
    """Between two bounds, or on one side of one."""
    op: Any = node.op
    return lambda inputs: np.clip(inputs[0], op.min, op.max)


def hardsigmoid(node: Node, parameters: Parameters) -> ArrayFunction:
    """min(max(alpha·x + beta, 0), 1)."""
    op: Any = node.op
    return lambda inputs: np.clip(inputs[0] * op.alpha + op.beta, 0, 1)


def softplus(node: Node, parameters: Parameters) -> ArrayFunction:
    """ln(1 + e^(beta·x))/beta, or x above the threshold."""
    op: Any = node.op

    def function(inputs: Sequence[Array]) -> Array:
        scaled = inputs[0] * op.beta
        return np.where(scaled > op.threshold, inputs[0], np.logaddexp(scaled, 0) / op.beta)

    return function


def scale(node: Node, parameters: Parameters) -> ArrayFunction:
    """Times a constant, or a factor per channel."""
    op: Any = node.op
    if op.value is not None:
        return lambda inputs: inputs[0] * op.value
    factor = parameters["weight"].reshape(-1, *(1 for _ in node.output_shape[1:]))
    return lambda inputs: inputs[0] * factor
