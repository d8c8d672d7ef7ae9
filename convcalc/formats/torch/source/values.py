"""PyTorch forms of layers with several inputs or none: joins, products, learned and fixed tensors, attention."""

from __future__ import annotations

from convcalc.formats.torch.source.site import REFUSED, Call, Form, Site, form_of, source_of, tuple_of
from convcalc.ops import get

SIGNS = {"add": " + ", "subtract": " - ", "multiply": " * ", "divide": " / "}


@form_of(*map(get, SIGNS))
def _arithmetic(site: Site) -> Form:
    places = [f"{{{place}}}" for place in range(len(site.shapes))]
    return Form(call=SIGNS[site.op.kind].join(places))


@form_of(get("maximum"), get("minimum"))
def _extremum(site: Site) -> Form:
    call = "{0}"
    for place in range(1, len(site.shapes)):
        call = f"torch.{site.op.kind}({call}, {{{place}}})"
    return Form(call=call)


@form_of(get("concat"))
def _concat(site: Site) -> Form:
    batched = any(site.batched)
    known = next((f"{{{place}}}" for place, has in enumerate(site.batched) if has), "")
    parts = []
    for place, (has, shape) in enumerate(zip(site.batched, site.shapes, strict=True)):
        text = f"{{{place}}}"
        if batched and not has:  # a learned tensor, the same for every image of the batch
            text = f"{text}.expand({known}.shape[0], {', '.join(['-1'] * len(shape))})"
        parts.append(text)
    dimension = site.op.dimension(site.shapes) + int(batched)
    return Form(call=f"torch.cat([{', '.join(parts)}], {dimension})")


@form_of(get("matmul"))
def _matmul(site: Site) -> Form:
    a = "{0}.mT" if site.op.transpose_a else "{0}"
    b = "{1}.mT" if site.op.transpose_b else "{1}"
    return Form(call=f"{a} @ {b}")


@form_of(get("gather"))
def _gather(site: Site) -> Form:
    dimension = site.op.dimension(site.shape) + site.lead
    return Form(call=f"{{0}}[{':, ' * dimension}{{1}}]")


@form_of(get("parameter"))
def _parameter(site: Site) -> Form:
    initial = site.op.initial
    shape = site.text("shape")
    if site.differs("initial", 0.0):
        value = f"torch.full({shape}, {source_of(initial)})"
    else:
        sizes = shape if site.is_set("shape") else ", ".join(map(str, site.op.shape))
        value = f"torch.zeros{sizes}" if sizes.startswith("(") else f"torch.zeros({sizes})"
    if site.op.fixed:
        return Form(value=value, is_buffer=True, is_saved=True, call="{self}")
    return Form(value=f"nn.Parameter({value})", call="{self}")


@form_of(get("constant"))
def _constant(site: Site) -> Form:
    op = site.op
    names = ("size", "window", "shift") if op.rule == "window_mask" else ("window",)
    value = f"{op.rule}({', '.join(site.text(name) for name in names)})"
    return Form(value=value, is_buffer=True, call="{self}", helpers=(op.rule,))


@form_of(get("attention"))
def _attention(site: Site) -> Form:
    op = site.op
    features = site.size(0 if op.axis == "channels" else len(site.shape) - 1)
    named = op.named_inputs(site.shapes)
    biased = op.in_bias, op.out_bias
    plain = bool(op.module_name(site.shapes)) and not named
    unset = not (site.is_set("in_bias") or site.is_set("out_bias"))
    if plain and unset and biased[0] == biased[1]:
        more = ("batch_first=True",) if biased[0] else ("bias=False", "batch_first=True")
        call = "{self}({0}, {0}, {0}, need_weights=False)[0]"
        return Form(Call("nn.MultiheadAttention", (features, site.text("heads"), *more)), call=call)
    arguments = [features, site.text("heads")]
    name = "SelfAttention"
    if op.window is not None:
        name = "WindowAttention"
        rank = len(site.shape) - 1
        for field in ("window", "shift"):
            value = getattr(op, field)
            text = site.text(field)
            whole = isinstance(value, int)
            arguments.append(tuple_of([text] * rank) if whole else text)
    arguments += [*site.keyword("in_bias", True), *site.keyword("out_bias", True)]
    if op.similarity == "cosine":
        arguments.append("cosine=True")
    arguments += site.keyword("scale", None)
    words = [f"{field}={_added(site, place)}" for field, place in named.items()]
    inside = "{0}" if op.axis == "last" else "{0}.movedim(1, -1)"
    call = f"{{self}}({', '.join([inside, *words])})"
    if op.axis == "channels":
        call += ".movedim(-1, 1)"
    return Form(
        Call(name, tuple(arguments)), call=call if words or op.axis == "channels" else "", helpers=(name,)
    )


def _added(site: Site, place: int) -> str:
    """A bias or mask, without a batch axis."""
    return f"{{{place}}}[0]" if site.batched[place] else f"{{{place}}}"


REFUSED[get("unknown")] = "it holds the place of an operator that convcalc does not know"
