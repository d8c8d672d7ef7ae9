"""Notation shared by all reports: operators, shapes and numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from convcalc.analysis.receptive import ReceptiveField
from convcalc.graph import Graph
from convcalc.ops import Operator
from convcalc.ops.conv import Conv
from convcalc.shapes import compact, show

if TYPE_CHECKING:
    from convcalc.analysis.units import Pixel

# Fields written as a bare value: `dense 4096`, `channel_shuffle 2`.
BARE = frozenset({"units", "rate", "groups", "shape", "order", "scale", "size", "rule"})
ALWAYS = frozenset({"filters", "kernel"})


def operator(op: Operator) -> str:
    """`conv K96 F11 S4`, `dense 4096`, `maxpool F3 S2`: the lecture's letters and every field that differs from its
    default."""
    parts = [op.kind]
    depthwise = getattr(op, "depthwise", False)
    for name, info in op.fields().items():
        value = getattr(op, name)
        if name not in ALWAYS and value == info.default:
            continue
        if depthwise and name == "groups":
            continue
        if value is False and info.default is True:
            parts.append(f"no {name}")
        elif value is True:
            parts.append(name)
        elif name in BARE and name == op.main:
            parts.append(field_value(value, name))
        elif info.alias:
            parts.append(f"{info.alias}{field_value(value)}")
        elif name == "eps":
            continue
        else:
            parts.append(f"{name} {field_value(value, name)}")
    return " ".join(parts)


def network(graph: Graph) -> str:
    """`vgg16, input 3×224×224`; `googlenet with head=dense, input 3×224×224` if settings changed it."""
    if len(graph.inputs) == 1:
        return f"{changed_name(graph)}, input {shape(graph.input_shape)}"
    return (
        f"{changed_name(graph)}, inputs {', '.join(f'{name} {shape(size)}' for name, size in graph.inputs)}"
    )


def changed_name(graph: Graph) -> str:
    """`vgg16`, `googlenet with head=dense`."""
    settings = [change for change in graph.changes if not change.startswith("input ")]
    return f"{graph.name} with {', '.join(settings)}" if settings else graph.name


# Short names for narrow terminals. Fields without a short name or letter are dropped, except the main field.
UNNAMED = frozenset({"constant"})
SHORT_FLAGS = {"depthwise": "dw"}
SHORT_FIELDS = {
    "rounding": "",
    "groups": "g",
    "start": "start ",
    "stop": "stop ",
    "window": "window ",
    "shift": "shift ",
    "size": "size ",
    "like": "like ",
    "step": "step ",
}


MAX_LISTED = 4  # of a list of indices


def short_kind(op: Operator) -> str:
    """`bn`, `dense`; nothing for a constant, which its rule names."""
    return op.abbreviation or ("" if op.kind in UNNAMED else op.kind)


def short_operator(op: Operator, *, bare: bool = False) -> str:
    """`conv K96 F11 S4 dw` for a narrow terminal. bare: without `conv`, which K and F imply, and without the
    layer whose size is taken, which the output has."""
    parts = [] if bare and isinstance(op, Conv) else [short_kind(op)]
    depthwise = getattr(op, "depthwise", False)
    for name, info in op.fields().items():
        value = getattr(op, name)
        if (name not in ALWAYS and value == info.default) or (depthwise and name == "groups"):
            continue
        if bare and name == op.shape_field:
            continue
        if value is True:
            parts += [SHORT_FLAGS[name]] if name in SHORT_FLAGS else []
        elif info.alias or name == op.main:
            letter = info.alias if name not in BARE and info.alias else ""
            parts.append(f"{letter}{field_value(value, name)}")
        elif name in SHORT_FIELDS:
            parts.append(f"{SHORT_FIELDS[name]}{field_value(value)}")
    return " ".join(filter(None, parts))


def field_value(value: Any, name: str = "") -> str:
    """A field's value: `3`, `1×7`, `0+1` for padding before and after, `same`; `1,2` for the dimensions of an axis,
    `0,1,2,1… (18)` for indices."""
    if name == "indices" and isinstance(value, (tuple, list)):
        first = ",".join(map(str, value[:MAX_LISTED]))
        return first if len(value) <= MAX_LISTED else f"{first}… ({len(value)})"
    if name == "axis" and isinstance(value, (tuple, list)):
        return ",".join(map(str, value))
    if name == "shape":  # also where all dimensions are equal
        return show(value)
    if isinstance(value, (tuple, list)):
        value = compact(tuple(value))
    if isinstance(value, list):
        return "×".join(
            "+".join(map(str, item)) if isinstance(item, (list, tuple)) else str(item) for item in value
        )
    if value is None:
        return "default"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def shape(value: Sequence[int]) -> str:
    """`96×55×55`, channels first."""
    return show(value)


def position(at: Sequence[int]) -> str:
    """`(2, 2)`, a vector's `17`."""
    return str(at[0]) if len(at) == 1 else f"({', '.join(map(str, at))})"


def pixel(value: Pixel) -> str:
    """`(2, 2)`; where the input is named, `left (2, 2)`."""
    return f"{value.origin} {position(value.position)}" if value.origin else position(value.position)


def answer(value: int | Sequence[int]) -> str:
    """A worksheet's answer: `96×55×55`, `34,848`."""
    return count(value) if isinstance(value, int) else shape(value)


def count(value: int) -> str:
    """`34,848`."""
    return f"{value:,}"


def rounded(value: int) -> str:
    """`1.85G`, `34.8K`, `9,999`: longer counts rounded to three digits."""
    if abs(value) < 10_000:
        return f"{value:,}".replace("-", "−")
    mantissa, exponent = f"{value:.2e}".replace("-", "−").split("e")
    thousands, shift = divmod(int(exponent), 3)
    digits = mantissa.replace(".", "")
    point = len(digits) - 2 + shift
    return digits[:point] + ("." if digits[point:] else "") + digits[point:] + "KMGTPEZY"[thousands - 1]


def signed(value: int) -> str:
    """`+294,912`, `−20,736`, `0`."""
    return "0" if value == 0 else f"{value:+,}".replace("-", "−")


def signed_rounded(value: int) -> str:
    """`+295K`, `−20.7K`, `0`."""
    return ("+" if value > 0 else "") + rounded(value)


def size(value: int) -> str:
    """Bytes in powers of 1,000: `115.3 MB`."""
    number = float(value)
    for unit in ("bytes", "KB", "MB", "GB", "TB"):
        if number < 1000 or unit == "TB":
            return f"{value} bytes" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    raise AssertionError


def field(receptive: ReceptiveField | None) -> str:
    """`195` or `13×20` pixels; `≤204` if the units' windows differ in size; `–` if no single figure describes them."""
    if receptive is None:
        return "–"
    sizes = [
        number(size) if size == smallest else f"≤{number(size)}"
        for size, smallest in zip(receptive.size, receptive.smallest, strict=True)
    ]
    return sizes[0] if len(set(sizes)) == 1 else "×".join(sizes)


def at_most(fields: Iterable[ReceptiveField | None]) -> list[str]:
    """The line that explains `≤` below a table; "" if no field varies."""
    if any(field is not None and field.varies for field in fields):
        return ["field ≤n: its units see windows of different sizes, n pixels at most"]
    return []


def axes(values: Sequence[int | Fraction]) -> str:
    """A single number if all axes agree: `4`, `−2`, `1/2`; else `2×1`."""
    texts = [number(value) for value in values]
    return texts[0] if len(set(texts)) == 1 else "×".join(texts)


def percent(share: Fraction | float) -> str:
    """`51.6 %`; `<0.1 %` for a small share that is not zero."""
    if 0 < share < 0.001:
        return "<0.1 %"
    if 0.999 < share < 1:
        return ">99.9 %"
    return f"{float(100 * share):.3g} %" if share == 1 else f"{float(100 * share):.1f} %"


def number(value: int | Fraction | float) -> str:
    """An integer as such, a fraction as `1/2`, with a real minus sign."""
    return str(value).replace("-", "−")


def plural(number: int, word: str) -> str:
    """`1 layer`, `20 layers`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def relative(path: str, reader: str) -> str:
    """A path as written by a layer at `reader`: `conv3` for `conv4.2.conv3` read within `conv4.2`, and for the
    branches of a join their paths within it. The parent stays if the rest would begin with a digit."""
    parts = path.split(".")
    common = _common_parents(parts, reader.split("."))
    return ".".join(parts[common:])


def outline(path: str, above: str) -> str:
    """A path without the part it shares with the path above, indented by as many columns: ` .conv2`."""
    parts = path.split(".")
    common = _common_parents(parts, above.split(".")[:-1])
    return " " * common + "." + ".".join(parts[common:]) if common else path


def _common_parents(path: Sequence[str], scopes: Sequence[str]) -> int:
    """How many leading segments of the path are in `scopes`; fewer if the rest would begin with a digit."""
    common = 0
    for a, b in zip(path[:-1], scopes, strict=False):
        if a != b:
            break
        common += 1
    while common and path[common][:1].isdigit():
        common -= 1
    return common
