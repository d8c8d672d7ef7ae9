"""`diff --values`: the columns and lines about weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from convcalc.render.table import Column
from convcalc.report import words

if TYPE_CHECKING:
    from convcalc.analysis.diff import Pair
    from convcalc.analysis.value_diff import LayerDifference, TensorDifference, ValueDiff

MAX_KEYS = 5  # keys that are listed
ROUNDING = 5e-7  # of 32-bit floats, a few times over
MAX_LAYERS = 5  # layers listed as those that differ most


def _text(row: Any) -> str:
    """`equal`; `weight 3.1 %, bias 12.0 %`."""
    values: LayerDifference | None = row.values
    if values is None or not values.tensors:
        return "equal" if row.same else ""
    if values.equal:
        return "equal"
    return ", ".join(f"{tensor.name} {_amount(tensor)}" for tensor in values.differing)


def _short(row: Any) -> str:
    """`equal`; `3.1 %`: the figure of the layer."""
    values: LayerDifference | None = row.values
    if values is None or values.equal:
        return _text(row)
    return "differ" if values.relative_rms is None else _share(values.relative_rms)


def _amount(tensor: TensorDifference) -> str:
    """`3.1 %`; `shape 64×3 → 10×3` if the shapes differ; `was 0`; `7 not finite`."""
    if tensor.largest_difference is None:
        before, after = (words.shape(shape) or "1" for shape in tensor.shapes)
        return f"shape {before} → {after}"
    if tensor.not_finite:
        return f"{tensor.not_finite:,} not finite"
    return "was 0" if tensor.relative_rms is None else _share(tensor.relative_rms)


def _share(relative: float) -> str:
    """`3.1 %`; `2e−08` if it is less than a thousandth."""
    return words.percent(relative) if not 0 < relative < 0.001 else f"{relative:.0e}".replace("-", "−")


def _number(value: float | None) -> str:
    """`0.0213`, `1.2e-07`; "" for None."""
    return "" if value is None else f"{value:.3g}".replace("-", "−")


COLUMNS = (
    Column("values", "values of B", _text, short=(_short,), wrap=True),
    Column(
        "largest_difference", "largest difference", right=True,
        value=lambda row: row.values.largest_difference if row.values else None,
        text=lambda row: _number(row.values.largest_difference) if row.values and not row.values.equal else "",
    ),
)  # fmt: skip
DATA_COLUMNS = (
    *COLUMNS,
    Column("relative_rms", "relative rms", lambda row: row.values.relative_rms if row.values else None),
)


def value_lines(pairs: Sequence[Pair], values: ValueDiff) -> list[str]:
    """What fine-tuning changed: how many tensors differ, from which layer on, where most; tensors without a
    counterpart; the files."""
    named = [
        (pair.b.name, layer)
        for pair, layer in zip(pairs, values.layers, strict=True)
        if pair.b is not None and layer.tensors
    ]
    differing = [(name, layer) for name, layer in named if not layer.equal]
    tensors = sum(len(layer.tensors) for _, layer in named)
    unequal = sum(len(layer.differing) for _, layer in differing)
    lines = [f"  A: {values.sources[0]}, B: {values.sources[1]}"]
    if not unequal:
        lines.append(f"  all {words.plural(tensors, 'tensor')} are equal")
    else:
        lines.append(
            f"  {unequal:,} of {words.plural(tensors, 'tensor')} differ, in {len(differing):,} of "
            f"{words.plural(len(named), 'layer')}"
        )
        lines += [
            f"  {line}" for line in (_from_where(named), _most(differing), _statistics(differing)) if line
        ]
        figures = [layer.relative_rms for _, layer in differing]
        if all(figure is not None and figure < ROUNDING for figure in figures):
            lines.append("  no difference is larger than the rounding of 32-bit floats makes it")
        lines.append("  figures: root mean square of the difference, by that of A's values")
    for network, keys in (("A", values.only_a), ("B", values.only_b)):
        if keys:
            more = f" and {len(keys) - MAX_KEYS:,} more" if len(keys) > MAX_KEYS else ""
            lines.append(f"  in {network} alone: {', '.join(keys[:MAX_KEYS])}{more}")
    return ["values, A → B:", *lines]


def _from_where(named: list[tuple[str, LayerDifference]]) -> str:
    """The layer from which on all learned values differ, or the only layers in which they do."""
    learned = [(name, not layer.learned_equal) for name, layer in named]
    changed = [name for name, differs in learned if differs]
    if not changed or len(changed) == len(learned):
        return "" if changed else "learned values are equal; only running statistics differ"
    first = next(place for place, (_, differs) in enumerate(learned) if differs)
    if len(changed) > 1 and all(differs for _, differs in learned[first:]):
        return f"learned values differ from {changed[0]} on; all before are equal"
    if len(changed) <= MAX_LAYERS:
        return f"learned values differ in {', '.join(changed)} alone"
    return f"learned values differ in {len(changed):,} layers, the first {changed[0]}, the last {changed[-1]}"


def _most(differing: list[tuple[str, LayerDifference]]) -> str:
    """The layers that differ most, by their figures."""
    known = [(layer.relative_rms, name) for name, layer in differing if layer.relative_rms is not None]
    if len(differing) < 2 or not known:
        return ""
    known.sort(key=lambda item: -item[0])
    listed = ", ".join(f"{name} {_share(figure)}" for figure, name in known[:MAX_LAYERS])
    return f"most: {listed}"


def _statistics(differing: list[tuple[str, LayerDifference]]) -> str:
    """How many layers differ in their running statistics alone, if others differ in more."""
    alone = sum(layer.learned_equal for _, layer in differing)
    if not alone or alone == len(differing):
        return ""
    return f"in {words.plural(alone, 'layer')} only running statistics differ"
