"""`budget` and `lint` of a spec: the largest figures that it allows, and the lints that it silences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convcalc.errors import BudgetKeyError, Mark, SpecError, UsageError, did_you_mean
from convcalc.graph import Budget
from convcalc.language import reader
from convcalc.language.documents import Spec
from convcalc.language.expressions import Names
from convcalc.language.header import SaidBefore, is_absent, plain_value
from convcalc.language.input import written_shape
from convcalc.language.words import listed
from convcalc.ops import FieldError, describe, whole
from convcalc.shapes import Shape

COUNTS = ("params", "macs", "flops", "layers", "field")
BYTES = ("param_bytes", "activation_bytes", "peak_activation_bytes")
# The order in which figures are shown.
QUANTITIES = ("params", "macs", "flops", *BYTES, "layers", "field")
CONDITIONS = ("batch", "dtype", "input")
DTYPES = ("float64", "float32", "float16", "bfloat16", "int8")
MAX_BATCH = 2**31

# Every lint and what it finds; convcalc.analysis.lints has the functions.
LINTS = {
    "dropped_pixels": "a stride leaves pixels that no window reads",
    "unread_layer": "no layer reads the output",
    "field_beyond_image": "the receptive field is larger than the image",
    "narrow_groups": "a grouped convolution has groups of under 8 channels",
    "bias_before_normalisation": "a normalisation removes the bias again",
    "consecutive_1x1": "two 1×1 convolutions with nothing between them and no narrowing",
}


def budget(spec: Spec, values: Names) -> Budget | None:
    """The checked values of `budget`; None without the key. Problems are collected."""
    node = spec.keys.get("budget")
    if node is None or is_absent(node):
        return None
    hint = "keys: " + ", ".join((*QUANTITIES, *CONDITIONS))
    if not isinstance(node, reader.Mapping):
        spec.problems.append(node.error("budget needs the largest figures allowed, by name", hint))
        return None
    limits: dict[str, int] = {}
    marks: dict[str, Mark] = {}
    conditions: dict[str, Any] = {}
    for key, item in node.entries.items():
        try:
            if key in QUANTITIES:
                limits[key] = limit(key, plain_value(spec, item, values))
                marks[key] = node.keys[key].mark
            elif key == "batch":
                conditions[key] = whole(plain_value(spec, item, values), 1, MAX_BATCH)
            elif key == "dtype":
                conditions[key] = _dtype(plain_value(spec, item, values))
            elif key == "input":
                conditions[key] = _input(spec, item, values)
            else:
                near = did_you_mean(key, (*QUANTITIES, *CONDITIONS))
                mark = node.keys[key].mark
                spec.problems.append(
                    BudgetKeyError(f"no key {describe(key)} in budget{near}", mark=mark, hint=hint)
                )
        except (FieldError, UsageError) as error:
            given = error.hint if isinstance(error, UsageError) else None
            text = error.message if isinstance(error, UsageError) else str(error)
            spec.problems.append(item.error(f"budget: {key} {text}", given))
        except SpecError as error:
            spec.problems.append(error)
        except SaidBefore:
            continue
    return Budget(limits, marks, **conditions)


def limit(quantity: str, value: object) -> int:
    """The largest value allowed of a quantity, as a number or as text: 5000000, 3M, 1.5G, 20 MB, 4MiB.

    Raises UsageError if it is no such figure; the message continues after the quantity's name.
    """
    size = quantity in BYTES
    hint = (
        "such as 20MB (10⁶ bytes each), 24MiB (2²⁰) or 1.5GB" if size else "such as 5000000, 3M, 1.5G or 700k"
    )
    refused = UsageError(
        f"needs the largest {'size' if size else 'number'} allowed, not {describe(value)}", hint=hint
    )
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise refused
    if isinstance(value, str):
        from convcalc.language.quantities import parse

        try:
            figure = parse(value)
        except UsageError:
            raise refused from None
        units = {"any", "bytes"} if size else {"any", quantity}
        if figure.unit not in units:
            raise refused
        return int(figure.value)
    if value < 0 or value != int(value):
        raise refused
    return int(value)


def _dtype(value: object) -> str:
    if value not in DTYPES:
        near = did_you_mean(value, DTYPES) if isinstance(value, str) else ""
        raise UsageError(f"needs one of {', '.join(DTYPES)}, not {describe(value)}{near}")
    return str(value)


def _input(spec: Spec, node: reader.YamlNode, values: Names) -> Shape | dict[str, Shape] | None:
    """The input that a budget holds for: a shape, or with several inputs their shapes by name."""
    own = spec.keys.get("inputs")
    if isinstance(own, reader.Mapping):
        if not isinstance(node, reader.Mapping) or not node.entries.keys() <= own.entries.keys():
            raise node.error(
                "budget: input needs shapes by the inputs' names", f"its inputs: {listed(own.entries)}"
            )
        shapes = {name: written_shape(spec, item, values, name) for name, item in node.entries.items()}
        return {name: shape for name, shape in shapes.items() if shape is not None}
    return written_shape(spec, node, values, "budget: input")


def ignored_lints(spec: Spec) -> tuple[str, ...]:
    """The names of `lint: {ignore: [...]}`. Problems are collected."""
    node = spec.keys.get("lint")
    if node is None or is_absent(node):
        return ()
    hint = "write lint: {ignore: [dropped_pixels]}"
    if not isinstance(node, reader.Mapping):
        spec.problems.append(node.error("lint needs a mapping", hint))
        return ()
    for key in node.entries:
        if key != "ignore":
            spec.problems.append(
                node.keys[key].error(f"no key {describe(key)} in lint{did_you_mean(key, ['ignore'])}", hint)
            )
    ignore = node.entries.get("ignore")
    if ignore is None or is_absent(ignore):
        return ()
    names: list[str] = []
    for item in ignore.items if isinstance(ignore, reader.Sequence) else [ignore]:
        name = item.text if isinstance(item, reader.Scalar) else ""
        if name in LINTS:
            names.append(name)
        else:
            spec.problems.append(
                item.error(
                    f"no lint {describe(name) if name else 'of this kind'}{did_you_mean(name, LINTS)}",
                    "lints: " + ", ".join(LINTS),
                )
            )
    return tuple(names)


def check_lints(names: Sequence[str]) -> tuple[str, ...]:
    """The names. Raises UsageError if one is not a lint."""
    for name in names:
        if name not in LINTS:
            raise UsageError(
                f"--ignore {name}: no lint of this name{did_you_mean(name, LINTS)}",
                hint="lints: " + ", ".join(LINTS),
            )
    return tuple(names)
