"""PyTorch forms of element-wise operators: activations and functions."""

from __future__ import annotations

from convcalc.formats.torch.source.site import Call, Form, Site, form_of
from convcalc.ops import Operator, get


def _module(site: Site, *arguments: str) -> Form:
    """The module of an operator that keeps its input's shape, by its name in PyTorch."""
    return Form(Call(f"nn.{site.op.torch_module}", arguments))


@form_of(*map(get, ("relu", "relu6", "sigmoid", "tanh", "hardswish", "silu", "mish")))
def _activation(site: Site) -> Form:
    return _module(site)


@form_of(get("leaky_relu"))
def _leaky_relu(site: Site) -> Form:
    return _module(site, *((site.text("slope"),) if site.differs("slope", 0.01) else ()))


@form_of(get("elu"), get("celu"))
def _elu(site: Site) -> Form:
    return _module(site, *((site.text("alpha"),) if site.differs("alpha", 1.0) else ()))


@form_of(get("selu"))
def _selu(site: Site) -> Form:
    plain = get("selu")()
    if not (site.differs("alpha", plain.alpha) or site.differs("scale", plain.scale)):  # type: ignore[attr-defined]
        return _module(site)
    call = f"{site.at_hand('scale')} * functional.elu({{0}}, {site.at_hand('alpha')})"
    return Form(call=call)


@form_of(get("gelu"))
def _gelu(site: Site) -> Form:
    return _module(site, *site.keyword("approximate", "none"))


@form_of(get("hardsigmoid"))
def _hardsigmoid(site: Site) -> Form:
    if site.op.is_papers and not (site.is_set("alpha") or site.is_set("beta")):
        return _module(site)
    call = f"({site.at_hand('alpha')} * {{0}} + {site.at_hand('beta')}).clamp(0, 1)"
    return Form(call=call)


@form_of(get("softplus"))
def _softplus(site: Site) -> Form:
    return _module(site, *site.keyword("beta", 1.0), *site.keyword("threshold", 20.0))


@form_of(get("prelu"))
def _prelu(site: Site) -> Form:
    count = (site.channels,) if site.op.per_channel else ()
    return Form(Call("nn.PReLU", (*count, *site.keyword("initial", 0.25, "init"))))


def function_names() -> dict[type[Operator], str]:
    """Element-wise operators that are methods of a tensor, by their names there."""
    methods = {"negate": "neg"}
    kinds = ("exp", "log", "sqrt", "abs", "negate", "reciprocal", "erf")
    return {get(kind): methods.get(kind, kind) for kind in kinds}


@form_of(*function_names())
def _function(site: Site) -> Form:
    return Form(call=f"{{0}}.{function_names()[type(site.op)]}()")


@form_of(get("clip"))
def _clip(site: Site) -> Form:
    both = site.differs("min", None) and site.differs("max", None)
    words = [site.at_hand("min")] if both else []
    if not both:
        name = "min" if site.differs("min", None) else "max"
        words = [f"{name}={site.at_hand(name)}"]
    else:
        words.append(site.at_hand("max"))
    return Form(call=f"{{0}}.clamp({', '.join(words)})")
