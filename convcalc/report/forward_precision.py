"""`forward --check-precision`: bfloat16 against float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from convcalc.render.table import Column, Table, written
from convcalc.report import words

if TYPE_CHECKING:
    from convcalc.inference.precision import OutputDifference, PrecisionCheck
    from convcalc.inference.runner import Forward

RELATIVE = "relative rms: the rms of the differences over that of the numbers in float32"


def _figure(value: float | None) -> str:
    """`0.0213`, `1.2e−07`; `–` for None."""
    return "–" if value is None else f"{value:.3g}".replace("-", "−")


def relative(value: float | None) -> str:
    """`5.1 %`, `0.91 %`, `0.0012 %`; `–` for None."""
    if value is None:
        return "–"
    percent = 100 * value
    return f"{percent:.1f} %" if percent >= 1 else f"{percent:.2g} %".replace("-", "−")


COLUMNS = (
    Column("output", "output", lambda row: row.name, wrap=True, style="cyan"),
    Column("largest", "largest difference", text=lambda row: _figure(row.largest), right=True),
    Column("rms", "rms difference", text=lambda row: _figure(row.rms), right=True),
    Column("relative_rms", "relative rms", text=lambda row: relative(row.relative_rms), right=True),
)


def precision_table(result: Forward) -> Table:
    """A row for each output, and whether the likeliest classes agree."""
    check = result.precision_check
    assert check is not None
    agreeing = (
        Column("same_top5", "", lambda row: check.same_top5 if row.name == check.classes else None),
        Column("same_top1", "", lambda row: check.same_top1 if row.name == check.classes else None),
    )
    return Table(
        columns=COLUMNS,
        rows=check.outputs,
        title="bfloat16 against float32",
        subtitle="on the same input and weights",
        lines=[*_classes(check), *_left_out(check.outputs), RELATIVE],
        data_columns=(*COLUMNS, Column("not_finite", ""), *agreeing),
    )


def _classes(check: PrecisionCheck) -> list[str]:
    """`first five classes: the same; first class: not the same`."""
    if check.same_top1 is None:
        return []
    of = f" of {check.classes}" if len(check.outputs) > 1 else ""
    five = [] if check.same_top5 is None else [f"first five classes{of}: {_same(check.same_top5)}"]
    return ["; ".join([*five, f"first class{of * (not five)}: {_same(check.same_top1)}"])]


def _same(same: bool) -> str:
    return "the same" if same else "not the same"


def _left_out(outputs: Sequence[OutputDifference]) -> list[str]:
    return [
        f"{output.name}: {words.plural(output.not_finite, 'number')} left out, NaN or infinite in one of the two"
        for output in outputs
        if output.not_finite
    ]


def precision_value(check: PrecisionCheck) -> dict[str, Any]:
    """JSON: the first output's figures, the classes' agreement, and each output's figures by name."""
    return {
        **_figures(check.outputs[0]),
        "classes": check.classes,
        "same_top5": check.same_top5,
        "same_top1": check.same_top1,
        "outputs": {output.name: _figures(output) for output in check.outputs},
    }


def _figures(output: OutputDifference) -> dict[str, Any]:
    return {
        "largest": output.largest,
        "rms": output.rms,
        "relative_rms": output.relative_rms,
        "not_finite": output.not_finite,
    }


def _asked(field: str) -> Any:
    """The value of a field of an outcome's check; None if the image could not be read."""

    def value(outcome: Any) -> Any:
        check = getattr(outcome, "precision_check", None)
        return None if check is None else getattr(check, field)

    return value


def _column(field: str, header: str = "") -> Column:
    """A column of a batch, of each image's first output."""
    value = _asked(field)
    return Column(field, header, value, lambda outcome: _cell(outcome, value(outcome)), right=True)


def _cell(outcome: Any, value: object) -> str:
    if getattr(outcome, "precision_check", None) is None:
        return ""
    return relative(value) if isinstance(value, float) else written(value)


BATCH_COLUMNS = (
    _column("relative_rms", "relative rms"),
    _column("same_top5", "same top 5"),
    _column("same_top1", "same first"),
)
BATCH_DATA = tuple(_column(field) for field in ("largest", "rms", "relative_rms", "same_top5", "same_top1"))


def agreement(checks: Sequence[PrecisionCheck]) -> list[str]:
    """Of several images: `bfloat16 against float32: the same first five classes in 9 of 10, the same first class in 10
    of 10, relative rms at most 0.91 %`, and what relative rms is."""
    parts = []
    for field, what in (("same_top5", "first five classes"), ("same_top1", "first class")):
        told = [same for check in checks if (same := getattr(check, field)) is not None]
        if told:
            parts.append(f"the same {what} in {sum(told):,} of {len(told):,}")
    known = [check.relative_rms for check in checks if check.relative_rms is not None]
    if known:
        of = " of the first output" if len(checks[0].outputs) > 1 else ""
        parts.append(f"relative rms{of} at most {relative(max(known))}")
    return [f"bfloat16 against float32: {', '.join(parts)}", RELATIVE] if parts else []
