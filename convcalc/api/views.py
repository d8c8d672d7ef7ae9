"""Views of records: combines a record with the functions of `report` that display it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from convcalc.render.view import Look, View

if TYPE_CHECKING:
    from convcalc.analysis.analyse import Analysis
    from convcalc.analysis.fold import Listing
    from convcalc.layer.unroll import Unrolled
    from convcalc.layer.unroll_transposed import UnrolledTransposed
    from convcalc.render.layout import Line
    from convcalc.render.table import Table

Record = TypeVar("Record")
Layer = TypeVar("Layer", "Unrolled", "UnrolledTransposed")


def record_view(
    record: Record,
    summary: Callable[[Record], str],
    value: Callable[[Record], Any],
    table: Callable[[Record], Table],
    *,
    lines: Callable[[Record, int | None], Iterable[Line]] | None = None,
    file: Callable[[str], bytes] | None = None,
) -> View[Record]:
    """The view of a record, from the functions of `report` that display it."""
    return View(record, record_look(record, summary, value, table, lines=lines, file=file))


def record_look(
    record: Record,
    summary: Callable[[Record], str],
    value: Callable[[Record], Any],
    table: Callable[[Record], Table],
    *,
    lines: Callable[[Record, int | None], Iterable[Line]] | None = None,
    file: Callable[[str], bytes] | None = None,
) -> Look:
    return Look(
        summary=lambda: summary(record),
        value=lambda: value(record),
        tables=lambda: [table(record)],
        lines=None if lines is None else lambda width: lines(record, width),
        file=file,
    )


def listing_look(
    analysis: Analysis, listing: Callable[[], Listing], columns: Sequence[str] | None = None
) -> Look:
    """The look of a network, with the default or the given columns. Its rows are only computed when needed."""

    def table() -> Table:
        from convcalc.report.show import columns_table, network_table

        return network_table(listing()) if columns is None else columns_table(listing(), columns)

    def value() -> dict[str, Any]:
        from convcalc.report.values import analysis_value

        found = analysis_value(analysis)
        if columns is None:
            return found
        from convcalc.report.show import columns_value

        return {**found, "columns": columns_value(listing(), columns)}

    def summary() -> str:
        from convcalc.report.show import network_summary

        return network_summary(analysis)

    return Look(summary=summary, value=value, tables=lambda: [table()])


def matrix_view(layer: Layer) -> View[Layer]:
    from convcalc.report import matrix as report
    from convcalc.report.matrix_file import unrolled_file

    return record_view(
        layer, report.unrolled_summary, report.unrolled_value, report.unrolled_table, lines=report.unrolled_lines,
        file=lambda path: unrolled_file(layer, path),
    )  # fmt: skip
