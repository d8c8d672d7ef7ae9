"""Constant folding: the arithmetic on shapes and weights that exporters leave in a model.

`FOLDS` has, by operator, a function that makes a constant of a node whose inputs are constants: its shape and type at
once, its values when they are asked for. What a node computes from weights is not computed here, only described.
"""

from __future__ import annotations

import math
import operator
from math import prod

from convcalc.formats.onnx.fold_arithmetic import (
    batchnorm,
    cast,
    clip,
    cumsum,
    divided,
    elementwise,
    exponential,
    guarded,
    length_of,
    logarithm,
    matmul,
    power,
    quotient,
    reduced,
    remainder,
    sigmoid,
    trilu,
    truth,
    where,
)
from convcalc.formats.onnx.fold_moves import (
    concat,
    constant,
    constant_of_shape,
    expand,
    gather,
    gather_nd,
    range_,
    reshape,
    same,
    scatter_nd,
    shape_of,
    slice_,
    split,
    tile,
    transpose,
)
from convcalc.formats.onnx.fold_tools import Fold
from convcalc.formats.onnx.quantised import dequantise, quantise
from convcalc.formats.onnx.values import Const

FOLDS: dict[str, Fold] = {
    "Abs": elementwise(abs), "Add": elementwise(operator.add), "And": truth(lambda a, b: a and b),
    "BatchNormalization": batchnorm, "Cast": cast, "CastLike": cast, "Ceil": elementwise(math.ceil), "Clip": clip,
    "Concat": concat, "Constant": constant, "ConstantOfShape": constant_of_shape, "Cos": elementwise(math.cos),
    "CumSum": cumsum, "DequantizeLinear": dequantise, "Div": divided, "Dropout": same, "Equal": truth(operator.eq),
    "Erf": elementwise(math.erf),
    "Exp": elementwise(exponential), "Expand": expand, "Flatten": reshape, "Floor": elementwise(math.floor),
    "Gather": gather,
    "GatherND": gather_nd, "Greater": truth(operator.gt), "GreaterOrEqual": truth(operator.ge), "Identity": same,
    "Less": truth(operator.lt), "LessOrEqual": truth(operator.le),
    "Log": elementwise(logarithm), "MatMul": matmul,
    "Max": elementwise(lambda *v: max(v)), "Min": elementwise(lambda *v: min(v)), "Mod": remainder,
    "Mul": elementwise(operator.mul), "Neg": elementwise(operator.neg), "Not": truth(operator.not_),
    "Or": truth(lambda a, b: a or b), "Pow": elementwise(power), "QuantizeLinear": quantise, "Range": range_,
    "Reciprocal": elementwise(lambda x: quotient(1, x)), "ReduceL2": reduced(length_of), "ReduceMax": reduced(max),
    "ReduceMean": reduced(lambda values: sum(values) / len(values)), "ReduceMin": reduced(min),
    "ReduceProd": reduced(prod), "ReduceSum": reduced(sum, 13), "Relu": elementwise(lambda x: max(x, 0)),
    "Reshape": reshape, "Round": elementwise(round), "ScatterND": scatter_nd,
    "Shape": lambda call: shape_of(call.const(0).shape, call), "Sigmoid": elementwise(sigmoid),
    "Sign": elementwise(lambda x: (x > 0) - (x < 0)), "Sin": elementwise(math.sin),
    "Size": lambda call: Const((), "I64", values=(call.const(0).count,)), "Slice": slice_, "Split": split,
    "Sqrt": elementwise(lambda x: math.sqrt(x) if x >= 0 else math.nan), "Squeeze": reshape,
    "Sub": elementwise(operator.sub), "Sum": elementwise(lambda *v: sum(v)), "Tanh": elementwise(math.tanh),
    "Tile": tile, "Transpose": transpose, "Trilu": trilu,
    **{name.capitalize(): guarded(getattr(math, name)) for name in
       ("acos", "acosh", "asin", "asinh", "atan", "atanh", "cosh", "sinh", "tan")},
    "IsNaN": elementwise(lambda x: int(x != x), "BOOL"), "Unsqueeze": reshape, "Where": where,
    "Xor": truth(lambda a, b: bool(a) != bool(b)),
}  # fmt: skip
