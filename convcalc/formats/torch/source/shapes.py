"""PyTorch forms of layers that move values: reshape, transpose, padding, slices, resampling, shuffles."""

from __future__ import annotations

from math import prod

from convcalc.formats.torch.source.maps import ranked
from convcalc.formats.torch.source.site import (
    Call,
    Form,
    InexpressibleError,
    Site,
    compact_of,
    form_of,
    source_of,
    tuple_of,
)
from convcalc.ops import axis_dimensions, get
from convcalc.shapes import Shape, per_axis


@form_of(get("flatten"))
def _flatten(site: Site) -> Form:
    if not site.lead:
        return Form(call="{0}.flatten()")
    return Form(Call("nn.Flatten"), call="{0}.flatten(1)")


@form_of(get("reshape"))
def _reshape(site: Site) -> Form:
    before, after = site.shape, site.op.shape
    batched = bool(site.lead)
    if site.is_set("shape"):
        shape = site.at_hand("shape")
        return Form(call=f"{{0}}.reshape(-1, *{shape})" if batched else f"{{0}}.reshape({shape})")
    merged = _merged(before, after)
    if merged:
        first, last = site.axis(merged[0]), site.axis(merged[1])
        end = "" if merged[1] == len(before) - 1 else f", {last}"
        module = Call("nn.Flatten", (str(first), *([str(last)] if end else []))) if batched else None
        if batched and first == 1 and not end:
            module = Call("nn.Flatten")
        return Form(module, call=f"{{0}}.flatten({first}{end})")
    split = _merged(after, before)
    sizes = list(map(str, after))
    if split:
        inner = tuple_of(sizes[split[0] : split[1] + 1])
        module = Call("nn.Unflatten", (str(site.axis(split[0])), inner)) if batched else None
        return Form(module, call=f"{{0}}.unflatten({site.axis(split[0])}, {inner})")
    lead = ["-1"] if batched else []
    return Form(call=f"{{0}}.reshape({', '.join([*lead, *sizes])})")


def _merged(before: Shape, after: Shape) -> tuple[int, int] | None:
    """The first and last of the dimensions that become one, if that is all that a reshape does."""
    gone = len(before) - len(after)
    if gone < 1:
        return None
    for first in range(len(after)):
        if (*before[:first], prod(before[first : first + gone + 1]), *before[first + gone + 1 :]) == after:
            return first, first + gone
    return None


@form_of(get("transpose"))
def _transpose(site: Site) -> Form:
    order = site.op.order
    batched = bool(site.lead)
    if site.is_set("order"):
        site.stored["order"] = (
            f"[0, *(dim + 1 for dim in {site.text('order')})]" if batched else site.text("order")
        )
        return Form(call="{0}.permute(self.order)")
    moved = [place for place, source in enumerate(order) if place != source]
    if not moved:
        return Form(Call("nn.Identity"), call="{0}")
    if len(moved) == 2:
        return Form(call=f"{{0}}.transpose({site.axis(moved[0])}, {site.axis(moved[1])})")
    places = [*([0] if batched else []), *(site.axis(place) for place in order)]
    return Form(call=f"{{0}}.permute({', '.join(map(str, places))})")


@form_of(get("pad"))
def _pad(site: Site) -> Form:
    op = site.op
    margins = op.margins(site.shape)
    if site.is_set("padding") or (site.is_set("channels") and op.mode not in ("constant", "zeros")):
        raise InexpressibleError("pad: its margins come from parameters")
    batched = bool(site.lead)
    sides: list[str | int] = [side for margin in reversed(margins[1:]) for side in margin]
    modes = {"constant": "", "zeros": ""}
    if op.mode in modes:
        if op.channels is not None:
            if site.is_set("channels"):
                name = site.at_hand("channels")
                sides += [f"{name}[0]", f"{name}[1]"]
            else:
                sides += margins[0]
        value = f", value={site.at_hand('value')}" if site.differs("value", 0.0) else ""
        call = f"functional.pad({{0}}, {tuple_of(sides)}{value})"
        if op.channels is None and batched and site.rank in (1, 2, 3):
            width = compact_of([side for margin in reversed(margins[1:]) for side in margin])
            if site.differs("value", 0.0):
                return Form(Call(ranked(site, "ConstantPad"), (width, site.text("value"))))
            return Form(Call(ranked(site, "ZeroPad"), (width,)))
        return Form(call=call)
    if op.channels is None and site.rank in (1, 2, 3):
        name = op.module_name(site.shapes)
        return Form(
            Call(
                ranked(site, name),
                (compact_of([side for margin in reversed(margins[1:]) for side in margin]),),
            )
        )
    pairs = [*([(0, 0)] if batched else []), *margins]
    call = f"pad_by_index({{0}}, {tuple_of(pairs)}, {source_of(op.mode)})"
    return Form(call=call, helpers=("pad_by_index",))


@form_of(get("slice"))
def _slice(site: Site) -> Form:
    op = site.op
    (dimension,) = axis_dimensions(op.axis, len(site.shape))
    size = site.shape[dimension]
    lead = ":, " * site.axis(dimension)
    if op.step < 0:
        if any(site.is_set(name) for name in ("start", "stop", "step")):
            raise InexpressibleError("slice: it goes backwards with parameters")
        start = size - 1 - op.start
        stop = None if op.stop is None else size - 1 - op.stop
        span = _span(str(start) if start else "", "" if stop is None else str(stop), -op.step)
        flipped = f"{{0}}.flip({site.axis(dimension)})"
        return Form(call=flipped if span == ":" else f"{flipped}[{lead}{span}]")
    start_text = site.at_hand("start") if site.is_set("start") or op.start else ""
    stop_text = site.at_hand("stop") if site.is_set("stop") or op.stop not in (None, size) else ""
    step = op.step if not site.is_set("step") else 0
    span = _span(start_text, stop_text, step) if step else f"{start_text}:{stop_text}:{site.at_hand('step')}"
    return Form(call=f"{{0}}[{lead}{span}]")


def _span(start: str, stop: str, step: int) -> str:
    """A slice as ruff writes it: blanks around the colon where a side is more than a name or number."""
    blank = " " if any("." in text for text in (start, stop)) else ""
    left = f"{start}{blank}" if start else ""
    right = f"{blank}{stop}" if stop else ""
    return f"{left}:{right}" + (f"{blank}:{blank}{step}" if step != 1 else "")


@form_of(get("crop"))
def _crop(site: Site) -> Form:
    op = site.op
    parts = op.parts(site.shapes)
    centred = all(
        part.start == (size - len(part)) // 2 for part, size in zip(parts, site.shape[1:], strict=True)
    )
    if site.like is not None and centred and site.lead:
        return Form(call=f"crop_like({{0}}, {site.like})", helpers=("crop_like",))
    if site.is_set("size") or site.is_set("offset"):
        raise InexpressibleError("crop: its size comes from parameters")
    spans = [
        _span(str(part.start) if part.start else "", str(part.stop) if part.stop < size else "", 1)
        for part, size in zip(parts, site.shape[1:], strict=True)
    ]
    return Form(call=f"{{0}}[{':, ' * site.axis(1)}{', '.join(spans)}]")


MODES = {1: {"bilinear": "linear"}, 3: {"bilinear": "trilinear"}}


@form_of(get("upsample"))
def _upsample(site: Site) -> Form:
    op = site.op
    mode = MODES.get(site.rank, {}).get(op.mode, op.mode)
    if mode == "bicubic" and site.rank != 2:
        raise InexpressibleError(f"upsample: PyTorch has no bicubic mode for {site.rank} spatial dimensions")
    words = [f'mode="{mode}"'] if mode != "nearest" else []
    if site.differs("align_corners", False):
        words.append(f"align_corners={site.at_hand('align_corners')}")
    if op.scale is None:
        size = per_axis(op.size, site.rank, "size")
        if site.like is not None:
            given = f"size={site.like}.shape[2:]"
        elif site.is_set("size"):
            given = f"size={site.at_hand('size')}"
        else:
            given = f"size={tuple_of(size) if len(set(size)) > 1 else size[0]}"
    else:
        given = f"scale_factor={site.at_hand('scale')}"
        if not site.is_set("scale") and isinstance(op.scale, float) and op.scale.is_integer():
            given = f"scale_factor={int(op.scale)}"
    if site.stored or site.like is not None:
        return Form(call=f"functional.interpolate({', '.join(['{0}', given, *words])})")
    return Form(Call("nn.Upsample", (given, *words)))


@form_of(get("pixel_shuffle"))
def _pixel_shuffle(site: Site) -> Form:
    if site.rank == 2:
        return Form(Call("nn.PixelShuffle", (site.text("factor"),)))
    return Form(call=f"to_pixels({{0}}, {site.at_hand('factor')})", helpers=("to_pixels",))


@form_of(get("pixel_unshuffle"))
def _pixel_unshuffle(site: Site) -> Form:
    if site.rank == 2:
        return Form(Call("nn.PixelUnshuffle", (site.text("factor"),)))
    return Form(call=f"to_channels({{0}}, {site.at_hand('factor')})", helpers=("to_channels",))


@form_of(get("channel_shuffle"))
def _channel_shuffle(site: Site) -> Form:
    return Form(call=f"channel_shuffle({{0}}, {site.at_hand('groups')})", helpers=("channel_shuffle",))


@form_of(get("roll"))
def _roll(site: Site) -> Form:
    shifts = site.op.shifts(len(site.shape))
    if site.is_set("shift"):
        raise InexpressibleError("roll: its shift comes from parameters")
    shift = source_of(next(iter(shifts.values()))) if len(shifts) == 1 else tuple_of(list(shifts.values()))
    return Form(call=f"{{0}}.roll({shift}, {site.axes(list(shifts))})")


@form_of(get("select"))
def _select(site: Site) -> Form:
    (dimension,) = axis_dimensions(site.op.axis, len(site.shape))
    indices = site.at_hand("indices") if site.is_set("indices") else str(list(site.op.indices))
    return Form(call=f"{{0}}[{':, ' * site.axis(dimension)}{indices}]")


METHODS = {"mean": "mean", "sum": "sum", "max": "amax", "min": "amin"}


@form_of(get("reduce"))
def _reduce(site: Site) -> Form:
    op = site.op
    keep = ", keepdim=True" if op.keep else ""
    axes = site.axes(op.over(len(site.shape)))
    return Form(call=f"{{0}}.{METHODS[op.mode]}({axes}{keep})")
