"""Mapping of Resize and Upsample: by the rules of PyTorch's `interpolate`, nearest pixels picked one by one, or the
pixels of each axis blended by a matrix."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from convcalc.formats.draft import operator
from convcalc.formats.onnx.calls import Activation, Call, Unmapped, Value, decimal
from convcalc.formats.onnx.mapper import Mapper
from convcalc.formats.onnx.moves import pick
from convcalc.formats.onnx.resizing_matrix import blended
from convcalc.formats.onnx.resizing_places import Target, centre, rounded, target_of
from convcalc.formats.onnx.windows import maps, per_axis

Handler = Callable[[Mapper, Call], "Value | Sequence[Value | None]"]
MODES = {"nearest": "nearest", "linear": "bilinear", "cubic": "bicubic"}


def resize(mapper: Mapper, call: Call) -> Value:
    """Resize and Upsample."""
    x = maps(mapper, call)
    mode = MODES.get(call.text("mode", "nearest"))
    old = call.op == "Upsample" or call.opset < 11
    places = "asymmetric" if old else call.text("coordinate_transformation_mode", "half_pixel")
    rounding = "floor" if old else call.text("nearest_mode", "round_prefer_floor")
    target = target_of(call, x, old, mapper.batch)
    if mode is None:
        raise Unmapped("an interpolation that ONNX does not have")
    if target.sizes[:2] != x.shape[:2] or min(target.sizes) < 1:
        raise Unmapped("resizing of the batch or of channels")
    spatial, output = x.shape[2:], target.sizes[2:]
    exact = target.is_exact(x.shape)
    if spatial == output and exact and places != "tf_crop_and_resize":
        return x
    whole = all(m % n == 0 for n, m in zip(spatial, output, strict=True))
    if _needs_matrix(call, mode, places, output, exact):
        return blended(mapper, call, x, target, places)
    if mode == "nearest":
        by_ratio = (places, rounding) == ("asymmetric", "floor")
        if not by_ratio and not (
            whole and exact and (places, rounding) == ("half_pixel", "round_prefer_floor")
        ):
            return _picked(mapper, call, x, target, places, rounding)
    fields: dict[str, object] = {"mode": mode, "align_corners": places == "align_corners"}
    if target.scales is None and not whole:
        fields["size"] = per_axis(output)
    elif target.scales is None:
        fields["scale"] = per_axis([m // n for n, m in zip(spatial, output, strict=True)])
    else:
        factors = [int(s) if float(s).is_integer() else decimal(float(s)) for s in target.scales[2:]]
        fields["scale"] = factors[0] if len(set(factors)) == 1 else tuple(factors)
    layer = mapper.add(call, operator("upsample", **fields), [x.layer])
    return Activation(layer, (1, *mapper.draft.shape(layer)), 0)


def _needs_matrix(call: Call, mode: str, places: str, output: Sequence[int], exact: bool) -> bool:
    """Whether neither `upsample` nor a choice of pixels computes a form."""
    if places == "tf_crop_and_resize":
        return True
    if mode == "nearest":
        return False
    if call.integer("antialias", 0) or call.integer("exclude_outside", 0):
        return True
    if mode == "bicubic" and call.number("cubic_coeff_a", -0.75) != -0.75:
        return True
    if places == "pytorch_half_pixel":
        return 1 in output
    return places != "half_pixel" and not (places in ("align_corners", "half_pixel_symmetric") and exact)


def _picked(
    mapper: Mapper, call: Call, x: Activation, target: Target, places: str, rounding: str
) -> Activation:
    """Nearest pixels by another rule than PyTorch's, as slices of each axis."""
    for axis in range(2, len(x.shape)):
        n, m = x.shape[axis], target.sizes[axis]
        scale = target.scale(axis, n)
        centres = [centre(place, n, m, scale, places) for place in range(m)]
        x = pick(mapper, call, x, axis, [min(max(rounded(c, rounding), 0), n - 1) for c in centres])
    return x


HANDLERS: dict[str, Handler] = {"Resize": resize, "Upsample": resize}
