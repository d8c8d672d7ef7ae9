"""`forward`: how the outputs of a run are shown and written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from convcalc.api.views import record_view
from convcalc.inference.runner import Batch, Forward
from convcalc.render.layout import Line, table_lines
from convcalc.render.view import View
from convcalc.report import forward as report


def forward_view(
    found: Forward | Batch, *, profile: bool, check_precision: bool, output_name: str | None
) -> View[Any]:
    """The view of a run on one sample or several. output_name: of the output that `save` writes to a file of one.

    Of one sample, the time per layer or the differences between precisions follow the answer.
    """

    def file(path: str) -> bytes:
        from convcalc.inference.outputs import encode

        outputs = found.stacked() if isinstance(found, Batch) else found.run.outputs
        return encode(path, outputs, output_name)

    if isinstance(found, Batch):
        return record_view(found, report.batch_summary, report.batch_value, report.batch_table, file=file)

    def lines(result: Forward, width: int | None) -> Iterator[Line]:
        yield from table_lines(report.forward_table(result), width)
        yield from table_lines(table(result), width) if profile or check_precision else ()

    table = report.profile_table if profile else report.forward_table
    if check_precision:
        from convcalc.report.forward_precision import precision_table

        table = precision_table
    return record_view(found, report.forward_summary, report.forward_value, table, lines=lines, file=file)
