"""The transforms of Winograd's convolutions, as LLVM instructions for one register of channels.

A tile of side×side input pixels d and a kernel g of r×r give m×m outputs, m = side − r + 1:

    Aᵀ [ (G g Gᵀ) ∘ (Bᵀ d B) ] A

The matrices follow from interpolation points p (Toom and Cook): 0, +p and −p for each p of PAIRS, and ∞.

    Aᵀ[i][j] = pⱼⁱ     G[j][k] = pⱼᵏ / Π(pⱼ − pₗ)     Bᵀ[j] = the coefficients of Π(x − pₗ), l ≠ j

Bᵀ does not depend on r. In tiles of 4×4 pixels the only pair is ±1, so that transforms are sums and differences alone.
In tiles of 6×6, ±¾ and ±1½ round a third as much as the usual ±1 and ±2.

Four kinds of memory are read and written: pixels of maps; V = Bᵀ d B (values); M, their products with the weights
summed over channels; and the bias. Where elements are bfloat16, those of maps and of V are, and M and the bias are
floats.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

from convcalc.backends.numba.jit.declare import intrinsic
from convcalc.backends.numba.jit.emit import (
    INT,
    REGISTER,
    emit_fma,
    emit_load,
    emit_load_elements,
    emit_local,
    emit_max,
    emit_min,
    emit_store_elements,
)
from convcalc.backends.numba.jit.sizes import BLOCK, ELEMENT, PIXEL, Sized
from convcalc.backends.numba.jit.target import WIDTH

PAIRS = {4: (1.0,), 6: (0.75, 1.5)}  # by the side of a tile, in pixels
OUTPUTS = {4: (2,), 6: (4, 2)}  # the outputs per side for which there are kernels
VALUE = PIXEL  # bytes of a place of V: the channels of a block at one frequency of one tile
PRODUCT = 4 * BLOCK  # of M
# Bytes from one register to the next
PIXEL_LANE = VALUE_LANE = Sized(WIDTH * ELEMENT, WIDTH * ELEMENT.bfloat16)
PRODUCT_LANE = 4 * WIDTH  # of M, and of the bias


def kernel_matrix(side: int, size: int) -> list[list[float]]:
    """G, side × size, for kernels of size × size."""
    points = [0.0, *(point for pair in PAIRS[side] for point in (pair, -pair))]
    rows = []
    for point in points:
        scale = 1.0
        for other in points:
            if other != point:
                scale *= point - other
        rows.append([point**power / scale for power in range(size)])
    return [*rows, [0.0] * (size - 1) + [1.0]]


# --- memory ------------------------------------------------------------------------------------------------------


def _at(builder: ir.IRBuilder, base: ir.Value, index: int, step: ir.Value | int) -> ir.Value:
    """The address of entry `index`, `step` bytes from one to the next."""
    if isinstance(step, int):
        return builder.add(base, ir.Constant(INT, index * step)) if index else base
    return builder.add(base, builder.mul(step, ir.Constant(INT, index))) if index else base


# --- along one dimension -----------------------------------------------------------------------------------------


def _sum(builder: ir.IRBuilder, terms: Sequence[tuple[float, ir.Value]]) -> ir.Value:
    """Σ factor·value, without products by 1 and −1."""
    (factor, total), *others = sorted(terms, key=lambda term: term[0] != 1)
    if factor != 1:
        total = builder.fmul(ir.Constant(REGISTER, [factor] * WIDTH), total)
    for factor, value in others:
        if factor == 1:
            total = builder.fadd(total, value)
        elif factor == -1:
            total = builder.fsub(total, value)
        else:
            total = emit_fma(builder, ir.Constant(REGISTER, [factor] * WIDTH), value, total)
    return total


def _coefficients(pairs: Sequence[float]) -> list[float]:
    """The coefficients of Π(y − p²) in rising powers of y."""
    product = [1.0]
    for point in pairs:
        lower, upper = [-point * point * factor for factor in product] + [0.0], [0.0, *product]
        product = [a + b for a, b in zip(lower, upper, strict=True)]
    return product


def emit_forward(builder: ir.IRBuilder, d: Sequence[ir.Value]) -> list[ir.Value]:
    """Bᵀ d.

    With y = x², the row of 0 is Π(y − q²) over all pairs q, that of ∞ is x times it. Those of p and −p are
    y·R ± p·x·R, where R = Π(y − q²) over the other pairs: the sum and the difference of an even and an odd part.
    """
    pairs = PAIRS[len(d)]
    every = _coefficients(pairs)
    rows = [_sum(builder, list(zip(every, d[::2], strict=True)))]
    for pair in pairs:
        rest = _coefficients([other for other in pairs if other != pair])
        even = _sum(builder, list(zip(rest, d[2::2], strict=True)))
        odd = _sum(builder, list(zip(rest, d[1:-1:2], strict=True)))
        rows += [_sum(builder, [(1.0, even), (sign * pair, odd)]) for sign in (1, -1)]
    return [*rows, _sum(builder, list(zip(every, d[1::2], strict=True)))]


def emit_backward(builder: ir.IRBuilder, outputs: int, m: Sequence[ir.Value]) -> list[ir.Value]:
    """Aᵀ m, `outputs` rows. Even powers of p and −p are equal, odd ones differ in their sign."""
    pairs = PAIRS[len(m)]
    both = list(zip(m[1:-1:2], m[2:-1:2], strict=True))
    sums = [builder.fadd(plus, minus) for plus, minus in both]
    differences = [builder.fsub(plus, minus) for plus, minus in both]
    rows = []
    for power in range(outputs):
        parts = differences if power % 2 else sums
        terms = [(pair**power, part) for pair, part in zip(pairs, parts, strict=True)]
        first = [(1.0, m[0])] if power == 0 else []
        last = [(1.0, m[-1])] if power == outputs - 1 else []
        rows.append(_sum(builder, first + terms + last))
    return rows


@contextmanager
def _if_above(builder: ir.IRBuilder, count: ir.Value, place: int) -> Iterator[None]:
    """What the `with` block emits is done if count > place; place 0 is always there."""
    if place == 0:
        yield
        return
    with builder.if_then(builder.icmp_signed(">", count, ir.Constant(INT, place))):
        yield


# --- tiles -------------------------------------------------------------------------------------------------------


def _emit_input(
    builder: ir.IRBuilder, element: int, side: int, source: ir.Value, row: ir.Value, target: ir.Value,
    frequency: ir.Value,
) -> None:  # fmt: skip
    """Emits `input_register`. element: bytes of one."""
    pixel = PIXEL.of(element)
    lines = [_at(builder, source, y, row) for y in range(side)]
    columns = []
    for x in range(side):
        pixels = [emit_load_elements(builder, element, _at(builder, line, x, pixel)) for line in lines]
        columns.append(emit_forward(builder, pixels))
    for y, line in enumerate(zip(*columns, strict=True)):
        to = _at(builder, target, side * y, frequency)
        for x, value in enumerate(emit_forward(builder, line)):
            emit_store_elements(builder, element, _at(builder, to, x, frequency), value)


def input_register(side: int) -> Any:
    """The intrinsic for V of one register of a tile's channels, from side×side pixels.

    Its arguments are int64. source: where the first pixel's register is, rows of pixels `row` bytes apart; target:
    where V's first frequency goes, the others `frequency` bytes apart.
    """

    @intrinsic("int int int int -> none", by_element=True)
    def winograd_input_register(builder: ir.IRBuilder, element: int, *arguments: ir.Value) -> None:
        _emit_input(builder, element, side, *arguments)

    return winograd_input_register


def _emit_output(
    builder: ir.IRBuilder, element: int, side: int, outputs: int, source: ir.Value, frequency: ir.Value, bias: ir.Value,
    target: ir.Value, row: ir.Value, residual: ir.Value, residual_row: ir.Value, height: ir.Value, width: ir.Value,
    low: ir.Value, high: ir.Value,
) -> None:  # fmt: skip
    """Emits `output_register`. element: bytes of one."""
    step = PIXEL.of(element)
    added = builder.icmp_signed("!=", residual, ir.Constant(INT, 0))
    offset = emit_load(builder, bias)

    def pixel(y: int, x: int, value: ir.Value) -> None:
        own = emit_local(builder, builder.fadd(value, offset))
        with builder.if_then(added):
            at = _at(builder, _at(builder, residual, y, residual_row), x, step)
            builder.store(builder.fadd(builder.load(own), emit_load_elements(builder, element, at)), own)
        bounded = emit_min(builder, high, emit_max(builder, low, builder.load(own)))
        emit_store_elements(builder, element, _at(builder, _at(builder, target, y, row), x, step), bounded)

    columns = []
    for x in range(side):
        places = [_at(builder, source, side * y + x, frequency) for y in range(side)]
        columns.append(emit_backward(builder, outputs, [emit_load(builder, place) for place in places]))
    for y, line in enumerate(zip(*columns, strict=True)):
        with _if_above(builder, height, y):
            for x, value in enumerate(emit_backward(builder, outputs, line)):
                with _if_above(builder, width, x):
                    pixel(y, x, value)


def output_register(side: int, outputs: int) -> Any:
    """The intrinsic for one register of a tile's outputs, from M: Aᵀ M A plus bias and residual, bounded.

    Its arguments are int64 but the last two, the bounds in every lane. source: M's first frequency, the others
    `frequency` bytes apart; residual: 0 for none. Of outputs×outputs pixels the first height×width are stored, at least
    one.
    """

    @intrinsic("int " * 9 + "vector vector -> none", by_element=True)
    def winograd_output_register(builder: ir.IRBuilder, element: int, *arguments: ir.Value) -> None:
        _emit_output(builder, element, side, outputs, *arguments)

    return winograd_output_register
