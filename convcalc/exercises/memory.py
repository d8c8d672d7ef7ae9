"""Memory by hand: values times the bytes of each, of outputs and of weights."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

from convcalc.analysis.analyse import DTYPES
from convcalc.exercises.question import Chance, Mistake, distinct
from convcalc.shapes import Axis, show


def draw(level: int, chance: Chance) -> dict[str, Any]:
    """The bytes of a convolution's output. Level 1: as float32; 2: of a batch; 3: of a batch in another number type; 4:
    with the weights and biases."""
    while True:
        channels, filters = chance.pick((1, 3, 8, 16)), chance.pick((6, 12, 16, 32, 64))
        side, kernel = chance.between(10, 48), chance.pick((3, 5))
        padding, stride = chance.pick((0, 1)), 1 if level == 1 else chance.pick((1, 2))
        axis = Axis(side, kernel, stride, before=padding, after=padding)
        if not axis.remainder:
            break
    batch = 1 if level == 1 else chance.pick((2, 4, 8, 16, 32))
    dtype = "float32" if level < 3 else chance.pick(("float16", "float64", "int8"))
    size = DTYPES[dtype]
    output = (filters, axis.output, axis.output)
    values = prod(output)
    params = (kernel * kernel * channels + 1) * filters
    answer = (batch * values + (params if level == 4 else 0)) * size
    layer = (
        f"conv K{filters} F{kernel}"
        + (f" S{stride}" if stride > 1 else "")
        + (f" P{padding}" if padding else "")
    )
    of = f" for a batch of {batch} images" if batch > 1 else ""
    what = "output, weights and biases together" if level == 4 else "output"
    product = "·".join(map(str, output))
    each = "1 byte" if size == 1 else f"{size} bytes"
    if level == 4:
        working = f"({batch}·{product} + {params:,} params) · {each} = {answer:,}"
    else:
        working = f"{f'{batch}·' if batch > 1 else ''}{product} values · {each} = {answer:,}"
    verb = "do its" if level == 4 else "does its"
    return {
        "text": f"{layer} reads {show((channels, side, side))}. How many bytes {verb} {what} take as {dtype}{of}?",
        "answer": answer,
        "working": f"the output is {show(output)}; {working}",
        "hint": f"first the output's size; then its values, times {each}, as a {dtype} takes",
        "mistakes": distinct(answer, _mistakes(level, batch, values, params, size, channels * side * side)),
    }


def _mistakes(level: int, batch: int, values: int, params: int, size: int, source: int) -> Iterator[Mistake]:
    learned = params if level == 4 else 0
    bits = "these are bits: 8 of them are a byte"
    yield Mistake(batch * values + learned, f"these are the values: each takes {size} byte{'s' * (size > 1)}")
    yield Mistake((values + learned) * size, f"this is one image; there are {batch}")
    yield Mistake((batch * values + learned) * size * 8, bits)
    yield Mistake((batch * values + learned) * 4, f"this is float32, of 4 bytes; here a value takes {size}")
    if level == 4:
        yield Mistake(batch * (values + params) * size, "the weights are there once, not for each image")
        yield Mistake(batch * values * size, "the weights and biases are missing")
    yield Mistake(batch * source * size, "this is the input")
    yield Mistake(params * size, "these are the weights and biases")
