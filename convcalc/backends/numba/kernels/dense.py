"""The kernel of a dense layer on a vector.

Its work is divided into items, which threads take one after the other; the result of an item does not depend on the
thread.
"""

from __future__ import annotations

from convcalc.backends.numba.jit.cache import kernel
from convcalc.backends.numba.jit.footprint import KernelCall, steps
from convcalc.backends.numba.jit.simd import (
    ELEMENT,
    WIDTH,
    as_float,
    eload,
    fma,
    load_element,
    load_float,
    splat,
    store_float,
    total,
    vload,
)

ROWS = 4  # rows of weights that are read side by side, so that four loads are under way at once


@kernel
def dense(
    first: int, stop: int, thread: int, *, weights: int, bias: int, source: int, target: int, features: int,
    units: int, item_units: int, low: float, high: float,
) -> None:  # fmt: skip
    """weight·x + bias with the weights as they are stored, a row per unit. Item i is `item_units` units.

    Weights are elements; everything else is floats.

    Bounds. Rows r < units of `features` elements are read in whole registers, and the rest one by one. item_units ·
    items floats of the target are written; those beyond `units` are zeros that fill its last block. item_units is a
    multiple of ROWS, and ROWS rows are read at once only where all are below units.
    """
    whole = features - features % WIDTH
    row = features * ELEMENT
    for item in range(first, stop):
        unit = item * item_units
        end = unit + item_units
        while unit < end:
            if unit + ROWS <= units:
                at = weights + unit * row
                a = splat(0.0)
                b = splat(0.0)
                c = splat(0.0)
                d = splat(0.0)
                for k in range(0, whole, WIDTH):
                    x = vload(source + 4 * k)
                    a = fma(eload(at + ELEMENT * k), x, a)
                    b = fma(eload(at + row + ELEMENT * k), x, b)
                    c = fma(eload(at + 2 * row + ELEMENT * k), x, c)
                    d = fma(eload(at + 3 * row + ELEMENT * k), x, d)
                sums = (total(a), total(b), total(c), total(d))
                for r in range(ROWS):
                    value = sums[r]
                    for k in range(whole, features):
                        value += load_element(at + r * row + ELEMENT * k) * load_float(source + 4 * k)
                    value += load_float(bias + 4 * (unit + r))
                    store_float(target + 4 * (unit + r), min(max(value, low), high))
            else:
                for r in range(unit, unit + ROWS):
                    value = splat(0.0)
                    rest = as_float(0)
                    if r < units:
                        for k in range(0, whole, WIDTH):
                            value = fma(eload(weights + r * row + ELEMENT * k), vload(source + 4 * k), value)
                        rest = total(value)
                        for k in range(whole, features):
                            rest += load_element(weights + r * row + ELEMENT * k) * load_float(source + 4 * k)
                        rest = min(max(rest + load_float(bias + 4 * r), low), high)
                    store_float(target + 4 * r, rest)
            unit += ROWS


@dense.footprint
def dense_footprint(call: KernelCall) -> None:
    """The weights and biases of the units of all items, and the target of all items."""
    call.positive("item_units")
    written = -(-call.item_units // ROWS) * ROWS  # of an item
    units = min(call.units, (call.items - 1) * call.item_units + written) if call.items else 0
    call.reads("weights", call.weights, call.element_bytes * units * call.features)
    call.reads("source", call.source, 4 * call.features if units > 0 else 0)
    call.reads("bias", call.bias, 4 * units)
    call.writes("target", call.target, 4 * written, steps("item_units", call.items, 4 * call.item_units))
