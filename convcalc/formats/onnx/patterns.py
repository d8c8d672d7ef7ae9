"""Several nodes as one of our operators: activations, normalisations and biases that exporters take apart.

A pattern is tried at the node that ends it, before that node is mapped by itself, and looks back at the layers that
the node reads. What it makes reads the pattern's first input, so it is right whatever else reads the layers between;
those that nothing reads are dropped. Only a bias moves into the layer before it, if nothing else reads that layer.
"""

from __future__ import annotations

from collections.abc import Sequence

from convcalc.formats.onnx.mapper import Pattern
from convcalc.formats.onnx.pattern_activations import gated, gelu, softplus
from convcalc.formats.onnx.pattern_affine import bias, factor
from convcalc.formats.onnx.pattern_moves import shuffled
from convcalc.formats.onnx.pattern_norms import (
    groups,
    lrn,
    lrn_divisor,
    normalised,
    over_channels,
    unit_length,
)

PATTERNS: dict[str, Sequence[Pattern]] = {
    "Mul": (gated, gelu, factor), "Add": (bias,), "Div": (normalised, lrn, unit_length), "Pow": (lrn_divisor,),
    "Reshape": (groups, shuffled), "Transpose": (over_channels,), "Where": (softplus,),
}  # fmt: skip
