"""The form of each operator in ONNX: which nodes compute it, at which opset.

A form is a function that adds an operator's nodes to the file and returns the layer's value. FORMS holds them by
operator class; operators that ONNX has under another name and nothing else say so themselves, as `onnx_operator`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from convcalc.formats.onnx.writer_layer import LayerDraft
from convcalc.formats.onnx.writer_network import Value
from convcalc.ops import Operator
from convcalc.ops.celu import Celu
from convcalc.ops.clip import Clip
from convcalc.ops.dropout import Dropout
from convcalc.ops.elu import Elu
from convcalc.ops.erf import Erf
from convcalc.ops.gelu import Gelu
from convcalc.ops.hardsigmoid import Hardsigmoid
from convcalc.ops.hardswish import Hardswish
from convcalc.ops.leaky_relu import LeakyRelu
from convcalc.ops.mish import Mish
from convcalc.ops.prelu import Prelu
from convcalc.ops.relu6 import Relu6
from convcalc.ops.scale import Scale
from convcalc.ops.selu import Selu
from convcalc.ops.silu import Silu
from convcalc.ops.softplus import Softplus
from convcalc.ops.unknown import Unknown

Form = Callable[[LayerDraft[Any]], Value]
FORMS: dict[type[Operator], Form] = {}

AnOperator = TypeVar("AnOperator", bound=Operator)


def form(
    operator: type[AnOperator],
) -> Callable[[Callable[[LayerDraft[AnOperator]], Value]], Callable[[LayerDraft[AnOperator]], Value]]:
    """Enters the function that it decorates into FORMS."""

    def enter(
        function: Callable[[LayerDraft[AnOperator]], Value],
    ) -> Callable[[LayerDraft[AnOperator]], Value]:
        FORMS[operator] = function
        return function

    return enter


def form_of(operator: Operator) -> Form:
    """The form of an operator; `one_node` if it has none of its own."""
    return FORMS.get(type(operator), one_node)


def one_node(layer: LayerDraft[Any]) -> Value:
    """ONNX's operator of the same meaning, without attributes."""
    return layer.add(layer.op.onnx_operator, layer.inputs, layer.shape)


@form(Unknown)
def unknown(layer: LayerDraft[Unknown]) -> Value:
    """None: such a layer is refused."""
    raise layer.refuse(
        f"stands for {layer.op.op}, an operator that convcalc does not know and cannot write",
        "a network with such layers converts to .yaml only",
    )


@form(Erf)
def erf(layer: LayerDraft[Erf]) -> Value:
    """Erf, from opset 9 on."""
    layer.needs_opset(9, "Erf")
    return one_node(layer)


@form(Elu)
def elu(layer: LayerDraft[Elu]) -> Value:
    """Elu."""
    return layer.add("Elu", [layer.x], layer.shape, alpha=float(layer.op.alpha))


@form(Celu)
def celu(layer: LayerDraft[Celu]) -> Value:
    """Celu from opset 12 on; before, alpha·elu(x/alpha)."""
    alpha = float(layer.op.alpha)
    if layer.opset >= 12:
        return layer.add("Celu", [layer.x], layer.shape, alpha=alpha)
    factor = layer.floats("alpha", [alpha])
    inner = layer.binary("Div", layer.x, factor)
    return layer.binary("Mul", layer.add("Elu", [inner], layer.shape, alpha=1.0), factor)


@form(Selu)
def selu(layer: LayerDraft[Selu]) -> Value:
    """Selu, with our scale as gamma."""
    return layer.add("Selu", [layer.x], layer.shape, alpha=float(layer.op.alpha), gamma=float(layer.op.scale))


@form(LeakyRelu)
def leaky_relu(layer: LayerDraft[LeakyRelu]) -> Value:
    """LeakyRelu, with our slope as alpha."""
    return layer.add("LeakyRelu", [layer.x], layer.shape, alpha=float(layer.op.slope))


@form(Prelu)
def prelu(layer: LayerDraft[Prelu]) -> Value:
    """PRelu; slopes of channels have dimensions of 1 for the others."""
    ones = len(layer.shape) - 1 if layer.op.per_channel else 0
    return layer.add("PRelu", [layer.x, layer.weight("weight", ones)], layer.shape)


@form(Hardsigmoid)
def hardsigmoid(layer: LayerDraft[Hardsigmoid]) -> Value:
    """HardSigmoid."""
    return _hardsigmoid(layer, layer.op.alpha, layer.op.beta)


def _hardsigmoid(layer: LayerDraft[Any], alpha: float, beta: float, part: str = "") -> Value:
    return layer.add("HardSigmoid", [layer.x], layer.shape, part, alpha=float(alpha), beta=float(beta))


@form(Hardswish)
def hardswish(layer: LayerDraft[Hardswish]) -> Value:
    """HardSwish from opset 14 on; before, x·hardsigmoid(x)."""
    if layer.opset >= 14:
        return layer.add("HardSwish", [layer.x], layer.shape)
    return layer.add("Mul", [layer.x, _hardsigmoid(layer, 1 / 6, 0.5, "hardsigmoid")], layer.shape)


@form(Silu)
def silu(layer: LayerDraft[Silu]) -> Value:
    """Sigmoid and Mul: few runtimes have the Swish of opset 24."""
    return layer.add("Mul", [layer.x, layer.add("Sigmoid", [layer.x], layer.shape, "sigmoid")], layer.shape)


@form(Gelu)
def gelu(layer: LayerDraft[Gelu]) -> Value:
    """Gelu from opset 20 on; before, its formula, which needs Erf (opset 9) unless it is the approximation."""
    op, x, shape = layer.op, layer.x, layer.shape
    if layer.opset >= 20:
        return layer.add("Gelu", [x], shape, approximate=op.approximate)
    if op.approximate == "tanh":
        cube = layer.binary("Mul", layer.binary("Mul", x, x, "square"), x, "cube")
        cubic = layer.binary("Mul", cube, layer.floats("cubic_factor", [0.044715]), "cubic")
        inner = layer.binary("Add", x, cubic, "polynomial")
        scaled = layer.binary("Mul", inner, layer.floats("inner_factor", [0.7978845608028654]), "inner")
        shares = layer.add("Tanh", [scaled], shape, "tanh")
    else:
        layer.needs_opset(9, "Erf, which gelu needs,")
        shares = layer.add("Erf", [layer.binary("Div", x, layer.floats("root_two", [2**0.5]))], shape, "erf")
    shares = layer.binary("Add", shares, layer.floats("one", [1.0]))
    product = layer.binary("Mul", x, shares, "product")
    return layer.add("Mul", [product, layer.floats("half", [0.5])], shape)


@form(Mish)
def mish(layer: LayerDraft[Mish]) -> Value:
    """Mish from opset 18 on; before, x·tanh(softplus(x))."""
    if layer.opset >= 18:
        return layer.add("Mish", [layer.x], layer.shape)
    softplus = layer.add("Softplus", [layer.x], layer.shape, "softplus")
    return layer.add("Mul", [layer.x, layer.add("Tanh", [softplus], layer.shape, "tanh")], layer.shape)


# Beyond it softplus differs from x by less than 32-bit floats can tell.
SOFTPLUS_THRESHOLD = 17.0


@form(Softplus)
def softplus(layer: LayerDraft[Softplus]) -> Value:
    """softplus(beta·x)/beta; where a low threshold makes a difference also Greater and Where, from opset 9 on."""
    op, x, shape = layer.op, layer.x, layer.shape
    beta = None if op.beta == 1 else layer.floats("beta", [op.beta])
    scaled = x if beta is None else layer.binary("Mul", x, beta)
    found = layer.add("Softplus", [scaled], shape)
    if beta is not None:
        found = layer.binary("Div", found, beta)
    if op.threshold >= SOFTPLUS_THRESHOLD:
        return found
    layer.needs_opset(9, "Where, which softplus with a threshold needs,")
    above = layer.compare("Greater", scaled, layer.floats("threshold", [op.threshold]))
    return layer.add("Where", [above, x, found], shape, "where")


@form(Relu6)
def relu6(layer: LayerDraft[Relu6]) -> Value:
    """Clip from 0 to 6."""
    return _clip(layer, 0.0, 6.0)


@form(Clip)
def clip(layer: LayerDraft[Clip]) -> Value:
    """Clip; its bounds are inputs from opset 11 on, attributes before."""
    return _clip(layer, layer.op.min, layer.op.max)


def _clip(layer: LayerDraft[Any], low: float | None, high: float | None) -> Value:
    bounds = {"min": low, "max": high}
    if layer.opset < 11:
        attributes = {name: float(bound) for name, bound in bounds.items() if bound is not None}
        return layer.add("Clip", [layer.x], layer.shape, **attributes)
    names = ["" if bound is None else layer.floats(name, [bound]) for name, bound in bounds.items()]
    return layer.add("Clip", [layer.x, *names] if names[1] else [layer.x, names[0]], layer.shape)


@form(Scale)
def scale(layer: LayerDraft[Scale]) -> Value:
    """Mul by the learned factors, or by the constant."""
    if layer.op.value is not None:
        factor = layer.floats("value", [layer.op.value])
    else:
        factor = layer.weight("weight", len(layer.shape) - 1)
    return layer.add("Mul", [layer.x, factor], layer.shape)


MAX_RATIO = 1 - 2.0**-24  # the largest 32-bit float below 1, as ONNX needs it


@form(Dropout)
def dropout(layer: LayerDraft[Dropout]) -> Value:
    """Dropout, which does nothing at inference; its ratio is an input from opset 12 on. Identity for whole channels or
    samples."""
    rate = float(layer.op.rate)
    if rate > MAX_RATIO or layer.op.per != "element":
        return layer.add("Identity", [layer.x], layer.shape)
    if layer.opset < 12:
        return layer.add("Dropout", [layer.x], layer.shape, ratio=rate)
    return layer.add("Dropout", [layer.x, layer.floats("ratio", [rate])], layer.shape)
